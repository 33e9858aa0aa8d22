"""Adult head measurements: what two public surveys found, and how they are taken on the figure.

Sources, both works of the United States government:
- NIOSH 2003, head-and-face survey of respirator users, 2,543 men and 1,454 women (Zhuang and Bradtmiller 2005, data set
  RD-10130-2020-0): all but the last four.
- ANSUR II 2012, United States Army, 4,082 men and 1,986 women (Gordon et al. 2014): height of the head above the ear,
  ear length, breadth and protrusion. Their correlations with the rest follow from the five measurements that both
  surveys took.
The pooled figures count men and women equally.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EYE_L = tuple(range(14598, 14670))
EYE_R = tuple(range(14670, 14742))
NOSE_TRUST = 0.5
"""The figure's nose is short for a survey's caliper; stretched all the way its targets make a beak of it."""


@dataclass(frozen=True)
class Measurement:
    """A distance between two points of the figure, each the mean of some of its vertices.

    Attributes:
        name: what anthropometrists call it.
        first, second: vertices of the figure.
        axis: 0, 1 or 2 where only that coordinate counts, None for the straight distance.
        men, women: (mean, standard deviation) in millimetres.
        trust: share of the way from the figure's own mean to the survey's that the head goes.
        noise: part of the standard deviation that is not the head's: the jaw's angle is felt for through flesh.
    """

    name: str
    first: tuple[int, ...]
    second: tuple[int, ...]
    axis: int | None
    men: tuple[float, float]
    women: tuple[float, float]
    trust: float = 1.0
    noise: float = 0.0

    @property
    def mean(self) -> float:
        """Pooled mean, millimetres."""
        return (self.men[0] + self.women[0]) / 2

    @property
    def deviation(self) -> float:
        """Pooled standard deviation, millimetres, with the difference between the sexes in it."""
        within = (self.men[1] ** 2 + self.women[1] ** 2) / 2
        return float(np.sqrt(within + ((self.men[0] - self.women[0]) / 2) ** 2))


MEASUREMENTS = (
    Measurement("head breadth", (7565,), (881,), 0, (153.1, 6.0), (147.0, 5.7)),
    Measurement("head length", (234,), (962,), None, (197.4, 7.5), (187.6, 7.5)),
    Measurement("bizygomatic breadth", (11845,), (881,), 0, (143.9, 6.9), (136.3, 6.5)),
    Measurement("menton-sellion length", (132,), (747,), None, (123.2, 7.1), (114.3, 6.4)),
    Measurement("interpupillary distance", EYE_L, EYE_R, 0, (65.1, 3.8), (63.1, 4.0)),
    Measurement("bigonial breadth", (7459,), (881,), 0, (120.7, 10.7), (111.7, 9.3), noise=5.5),
    Measurement("nose breadth", (11673,), (881,), 0, (37.8, 4.8), (35.8, 4.9)),
    Measurement("lip length", (7272,), (881,), 0, (51.6, 4.3), (49.2, 4.5)),
    Measurement("subnasale-sellion length", (132,), (317,), None, (51.9, 4.1), (47.7, 3.8)),
    Measurement("nose protrusion", (5054,), (317,), None, (20.8, 2.7), (18.9, 2.7), trust=NOSE_TRUST),
    Measurement("tragion to top of head", (12032,), (881,), 1, (131.1, 6.2), (126.5, 6.5)),
    Measurement("ear length", (12015,), (12027,), None, (64.2, 4.5), (59.4, 3.9)),
    Measurement("ear breadth", (12018,), (12055,), None, (36.1, 3.0), (33.2, 2.8)),
    Measurement("ear protrusion", (12038,), (7648,), 0, (23.2, 3.0), (20.4, 2.7)),
)
"""Breadths are twice the distance of one side from the midline vertex 881, the top of the head."""
HALVED = 881

_CORRELATION_ROWS = (
    (1.00),
    (0.36, 1.00),
    (0.71, 0.38, 1.00),
    (0.40, 0.56, 0.45, 1.00),
    (0.36, 0.37, 0.53, 0.38, 1.00),
    (0.52, 0.35, 0.72, 0.37, 0.39, 1.00),
    (0.24, 0.27, 0.37, 0.30, 0.55, 0.34, 1.00),
    (0.23, 0.34, 0.36, 0.33, 0.46, 0.29, 0.58, 1.00),
    (0.25, 0.34, 0.23, 0.61, 0.13, 0.13, 0.03, 0.19, 1.00),
    (0.18, 0.30, 0.18, 0.33, -0.01, 0.13, -0.17, 0.04, 0.43, 1.00),
    (0.43, 0.41, 0.36, 0.35, 0.24, 0.28, 0.17, 0.19, 0.21, 0.16, 1.00),
    (0.32, 0.37, 0.45, 0.42, 0.28, 0.34, 0.21, 0.23, 0.24, 0.17, 0.27, 1.00),
    (0.26, 0.32, 0.32, 0.36, 0.23, 0.25, 0.17, 0.18, 0.21, 0.14, 0.13, 0.48, 1.00),
    (0.33, 0.18, 0.32, 0.26, 0.13, 0.23, 0.11, 0.11, 0.16, 0.11, 0.24, 0.41, 0.26, 1.00),
)
"""Lower triangle of the pooled correlation, in the order of `MEASUREMENTS`."""


def covariance() -> NDArray[np.float64]:
    """(M,M) pooled covariance of the measurements without their noise, square millimetres."""
    correlation = np.eye(len(MEASUREMENTS))
    for i, row in enumerate(_CORRELATION_ROWS):
        correlation[i, : i + 1] = row
        correlation[: i + 1, i] = row
    deviations = np.array([m.deviation for m in MEASUREMENTS])
    return correlation * np.outer(deviations, deviations) - np.diag([m.noise**2 for m in MEASUREMENTS])


def measure(figure: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...,M) the measurements of figures (...,N,3), in their unit."""
    return np.stack([_length(m, _span(m, figure)) for m in MEASUREMENTS], axis=-1)


def gradient(mean: NDArray[np.float64], displacements: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,M) how much each displacement (T,N,3) changes each measurement of the mean figure (N,3), to first order."""
    columns = []
    for m in MEASUREMENTS:
        span = _span(m, mean)
        direction = np.eye(3)[m.axis] * np.sign(span[m.axis]) if m.axis is not None else span / np.linalg.norm(span)
        columns.append(_span(m, displacements) @ direction * _factor(m))
    return np.stack(columns, axis=1)


def _span(m: Measurement, figure: NDArray) -> NDArray[np.float64]:
    return figure[..., m.first, :].mean(axis=-2) - figure[..., m.second, :].mean(axis=-2)


def _length(m: Measurement, span: NDArray) -> NDArray[np.float64]:
    return _factor(m) * (np.linalg.norm(span, axis=-1) if m.axis is None else np.abs(span[..., m.axis]))


def _factor(m: Measurement) -> float:
    return 2.0 if m.second == (HALVED,) and m.axis == 0 else 1.0
