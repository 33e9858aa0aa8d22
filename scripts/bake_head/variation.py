"""How the figure's head varies among adults: sampled targets, corrected to what surveys measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import identity, lips, rig, survey
from .source import HeadSource

SAMPLES = 4000
SEED = 20
SHOULDERS = 0.4
"""Share of the shoulders' variation that is kept."""
COLLAR = 5.8
"""Height in the figure above which a target's movement counts as seen."""


@dataclass(frozen=True)
class Variation:
    """The population of figures as a normal distribution of target weights around its mean.

    Attributes:
        mean: (N,3) the mean adult figure, in the figure's unit, which is nearly a decimetre.
        unit: that unit in real millimetres.
        targets: T names.
        displacements: (T,N,3) without the part that only moves or turns the whole head.
        covariance: (T,T) of the target weights of symmetric variation.
        asymmetric_covariance: (T,T) of the target weights of left-right differences.
    """

    mean: NDArray[np.float64]
    unit: float
    targets: tuple[str, ...]
    displacements: NDArray[np.float32]
    covariance: NDArray[np.float64]
    asymmetric_covariance: NDArray[np.float64]


def measure_variation(source: HeadSource) -> Variation:
    """Samples adults, reads the targets they need, and fits their measurements to the surveys."""
    rng = np.random.default_rng(SEED)
    macros = identity.sample_macros(SAMPLES, rng)
    axes, lopsided = identity.symmetric_axes(source), identity.asymmetric_axes(source)
    names = {name for axis in axes + lopsided for name in axis.positive + axis.negative}
    targets = (*macros.targets, *sorted(names))
    displacements = np.stack([source.target(name).astype(np.float32) for name in targets])
    macro_weights = _spread(macros, targets)
    mean = source.mesh.vertices + np.tensordot(macro_weights.mean(axis=0), displacements, 1)
    head = head_vertices(source)
    displacements = without_drift(displacements, mean, head) * _calm(source)[:, None]

    seen = np.flatnonzero(mean[: source.vertex_groups["body"].max(), 1] > COLLAR)
    reach = dict(zip(targets, 100 * np.linalg.norm(displacements[:, seen], axis=2).max(axis=1), strict=True))
    details = _spread(identity.sample_axes(axes, reach, SAMPLES, rng), targets)
    differences = _spread(identity.sample_axes(lopsided, reach, SAMPLES, rng), targets)
    mean = mean + np.tensordot(details.mean(axis=0), displacements, 1)
    unit, shift, covariance = _fit_survey(mean, displacements, np.cov((macro_weights + details).T))
    mean = mean + np.tensordot(shift, displacements, 1)
    mean = (mean + mean[source.mirror] * [-1, 1, 1]) / 2
    sealing = lips.sealing(source, mean)
    return Variation(
        mean=lips.seal(sealing, mean),
        unit=unit,
        targets=targets,
        displacements=lips.seal(sealing, displacements),
        covariance=covariance,
        asymmetric_covariance=np.cov(differences.T),
    )


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
    """(N,) how much of a displacement a vertex keeps: all on the head, less down the neck, where builds differ wildly."""
    weights = rig.figure_weights(source)
    below = weights[:, rig.JOINT_NAMES.index("root")] + 0.5 * weights[:, rig.JOINT_NAMES.index("neck")]
    helper = np.arange(len(weights)) > source.vertex_groups["body"].max()
    return np.where(helper, 1.0, 1 - (1 - SHOULDERS) * below).astype(np.float32)


def _fit_survey(
    mean: NDArray, displacements: NDArray, covariance: NDArray
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Give the population the measurements that the surveys found, and leave it otherwise as it was.

    The distribution of weights given the measurements is kept and the measurements' own distribution replaced
    (Jeffrey's rule), which for normal distributions is linear.

    Returns:
        Millimetres in the figure's unit, the (T,) shift of the mean weights and the new (T,T) covariance.
    """
    wanted = np.array([m.mean for m in survey.MEASUREMENTS])
    unit = float(np.exp(np.log(wanted / survey.measure(mean)).mean()))
    slope = survey.gradient(mean, displacements) * unit
    own = slope.T @ covariance @ slope
    gain = covariance @ slope @ np.linalg.inv(own)
    shift = gain @ (wanted - survey.measure(mean) * unit)
    return unit, shift, covariance + gain @ (survey.covariance() - own) @ gain.T


def _spread(samples: identity.Samples, targets: tuple[str, ...]) -> NDArray[np.float64]:
    """(S,T) the samples' weights in the order of all targets."""
    column = {name: i for i, name in enumerate(targets)}
    weights = np.zeros((len(samples.weights), len(targets)))
    weights[:, [column[name] for name in samples.targets]] = samples.weights
    return weights
