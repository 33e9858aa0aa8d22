"""How the figure's head varies among adults: sampled targets, corrected to what surveys measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from . import identity, lips, mouth, rig, survey
from .expression import FaceUnits
from .source import HeadSource

SAMPLES = 4000
SEED = 20
OBSERVER_ERROR = 0.25
"""How far, in standard deviations, a caliper's reading may be off: the spread is not bent to the last millimetre."""
MEAN_STEPS = 5
"""Steps towards the surveys' means."""
SHOULDERS = 0.4
"""Share of the shoulders' variation that is kept."""
COLLAR = 5.8
"""Height in the figure above which a target's movement counts as seen."""


@dataclass(frozen=True)
class Variation:
    """The population of figures as a normal distribution around its mean.

    Attributes:
        mean: (N,3) the mean adult figure, in the figure's unit, which is nearly a decimetre.
        unit: that unit in real millimetres.
        displacements: (T,N,3) directions, without the part that only moves or turns the whole head.
        covariance: (T,T) of the directions' weights.
        asymmetric: (A,N,3) directions of left-right differences.
        asymmetric_covariance: (A,A).
        units: the expression units of the mean figure.
    """

    mean: NDArray[np.float64]
    unit: float
    displacements: NDArray[np.float32]
    covariance: NDArray[np.float64]
    asymmetric: NDArray[np.float32]
    asymmetric_covariance: NDArray[np.float64]
    units: FaceUnits


def measure_variation(source: HeadSource) -> Variation:
    """Samples adults, reads the targets they need, and fits their measurements to the surveys."""
    names, weights = identity.sample_macros(SAMPLES, np.random.default_rng(SEED))
    macros = np.stack([source.target(name).astype(np.float32) for name in names])
    mean = source.mesh.vertices + np.tensordot(weights.mean(axis=0), macros, 1)
    space = _Space(source, mean)
    sizes = np.stack([identity.size_target(name, mean) for name in identity.SIZES]).astype(np.float32)
    symmetric = identity.symmetric_axes(source)
    axes, shift, deviations = space.directions(symmetric)
    lopsided, _, differences = space.directions(identity.asymmetric_axes(source))
    mean = mean + np.tensordot(shift, axes, 1)

    displacements = np.concatenate([space.clean(macros), axes, space.clean(sizes)])
    covariance = np.diag(np.concatenate([np.zeros(len(names)), deviations, list(identity.SIZES.values())]) ** 2)
    covariance[: len(names), : len(names)] = np.cov(weights.T)
    labels = [*("macro" for _ in names), *(axis.name for axis in symmetric), *identity.SIZES]
    bends = np.array([any(part in label for part in identity.PROPORTIONS) for label in labels])
    unit, shift, covariance = _fit_survey(mean, displacements, covariance, bends)
    mean = mean + np.tensordot(shift, displacements, 1)
    mean = (mean + mean[source.mirror] * [-1, 1, 1]) / 2
    sealing = lips.sealing(source, mean)
    closed = sparse.csr_matrix((sparse.identity(len(mean)) + sealing) @ mouth.following(source, mean))
    mean = mean + sealing @ mean
    return Variation(
        mean=mean,
        unit=unit,
        displacements=_apply(closed, displacements),
        covariance=covariance,
        asymmetric=_apply(closed, lopsided),
        asymmetric_covariance=np.diag(np.square(differences, dtype=np.float64)),
        units=FaceUnits(source, mean, unit, sealing),
    )


def _apply(matrix: sparse.csr_matrix, displacements: NDArray[np.float32]) -> NDArray[np.float32]:
    """(T,N,3) each displacement multiplied by an (N,N) matrix."""
    return np.stack([(matrix @ displacement).astype(np.float32) for displacement in displacements])


class _Space:
    """Reads axes of variation around one mean figure and cleans them."""

    def __init__(self, source: HeadSource, mean: NDArray[np.float64]) -> None:
        self.source, self.mean = source, mean
        self.head = head_vertices(source)
        self.calm = _calm(source)[:, None]
        self.seen = np.flatnonzero(mean[: source.vertex_groups["body"].max(), 1] > COLLAR)

    def clean(self, displacements: NDArray[np.float32]) -> NDArray[np.float32]:
        """Without drift of the head, and calmed below the chin; (T,N,3) in and out."""
        return without_drift(displacements, self.mean, self.head) * self.calm

    def directions(self, axes: list[identity.Axis]) -> tuple[NDArray[np.float32], NDArray, NDArray]:
        """(T,N,3) displacements, (T,) means and (T,) standard deviations of the weights."""
        raw = np.stack([axis.displacement(self.source) for axis in axes]).astype(np.float32)
        displacements = self.clean(raw)
        reach = 100 * np.linalg.norm(displacements[:, self.seen], axis=2).max(axis=1)
        moments = np.array([axis.moments(distance) for axis, distance in zip(axes, reach.tolist(), strict=True)])
        return displacements, moments[:, 0], moments[:, 1]


def head_vertices(source: HeadSource, share: float = 0.95) -> NDArray[np.int64]:
    """Vertices of the body's skin that are carried by the head, jaw and eye bones to more than `share`."""
    carried = rig.figure_weights(source)[:, rig.JOINT_NAMES.index("head") :].sum(axis=1)
    chosen = np.flatnonzero(carried > share)
    return chosen[chosen <= source.vertex_groups["body"].max()]


def without_drift(
    displacements: NDArray[np.float32], mean: NDArray[np.float64], anchors: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Take out of each displacement the small rigid motion of the head that it contains, by least squares.

    Identity components then change the head's shape and leave it where it is.

    Args:
        displacements: (T,N,3).
        mean: (N,3).
        anchors: vertices that define the head.
    """
    x, y, z = (mean - mean[anchors].mean(axis=0)).T
    zero, one = np.zeros_like(x), np.ones_like(x)
    columns = [
        (one, zero, zero), (zero, one, zero), (zero, zero, one), (zero, -z, y), (z, zero, -x), (-y, x, zero),
    ]  # fmt: skip
    motions = np.stack([np.stack(column, axis=1) for column in columns])
    amounts = displacements[:, anchors].reshape(len(displacements), -1) @ np.linalg.pinv(
        motions[:, anchors].reshape(6, -1)
    )
    return (displacements - np.tensordot(amounts, motions, 1)).astype(np.float32)


def _calm(source: HeadSource) -> NDArray[np.float32]:
    """(N,) how much of a displacement a vertex keeps: all on the head, less down the neck: builds differ wildly."""
    weights = rig.figure_weights(source)
    below = weights[:, rig.JOINT_NAMES.index("root")] + 0.5 * weights[:, rig.JOINT_NAMES.index("neck")]
    helper = np.arange(len(weights)) > source.vertex_groups["body"].max()
    return np.where(helper, 1.0, 1 - (1 - SHOULDERS) * below).astype(np.float32)


def _fit_survey(
    mean: NDArray, displacements: NDArray, covariance: NDArray, bends: NDArray[np.bool_]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Give the population the measurements that the surveys found, and leave it otherwise as it was.

    The distribution of weights given the measurements is kept and the measurements' own distribution replaced
    (Jeffrey's rule), which for normal distributions is linear. Only proportions bend to meet the surveys: macro targets
    pushed beyond the people they were modelled on turn into caricatures, and so do single features.

    Args:
        mean: (N,3) mean figure.
        displacements: (T,N,3).
        covariance: (T,T) of their weights.
        bends: (T,) directions that are changed; independent of the others.
    Returns:
        Millimetres in the figure's unit, the (T,) shift of the mean weights and the new (T,T) covariance.
    """
    wanted = np.array([m.mean for m in survey.MEASUREMENTS])
    unit = float(np.exp(np.log(wanted / survey.measure(mean)).mean()))
    slope = survey.gradient(mean, displacements) * unit
    free = covariance * np.outer(bends, bends)
    own = slope.T @ free @ slope
    doubt = np.diag((OBSERVER_ERROR * np.array([m.deviation for m in survey.MEASUREMENTS])) ** 2)
    gain = free @ slope @ np.linalg.inv(own + doubt)
    missing = _remainder(survey.covariance(), slope.T @ (covariance - free) @ slope)
    trust = np.array([m.trust for m in survey.MEASUREMENTS])
    gap = trust * (wanted - survey.measure(mean) * unit)
    shift = sum(gain @ np.linalg.matrix_power(np.eye(len(gap)) - slope.T @ gain, i) @ gap for i in range(MEAN_STEPS))
    return unit, shift + np.zeros(len(covariance)), covariance + gain @ (missing - own) @ gain.T


def _remainder(whole: NDArray, part: NDArray, floor: float = 0.05) -> NDArray[np.float64]:
    """The covariance that together with `part` makes `whole`, or the nearest one that is still positive."""
    root = np.linalg.cholesky(whole)
    inverse = np.linalg.inv(root)
    values, vectors = np.linalg.eigh(np.eye(len(whole)) - inverse @ part @ inverse.T)
    vectors = root @ vectors
    return (vectors * np.maximum(values, floor)) @ vectors.T
