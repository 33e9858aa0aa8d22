"""How adult heads vary: samples the MakeHuman targets and condenses them to principal components."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .source import HeadSource

FOLDERS = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose")
OPPOSITES = (
    ("decr", "incr"), ("down", "up"), ("in", "out"), ("backward", "forward"), ("concave", "convex"),
    ("compress", "uncompress"),
)  # fmt: skip
RACES, GENDERS, AGES = ("african", "asian", "caucasian"), ("female", "male"), ("young", "old")
LEVELS = ("min", "average", "max")
SPREAD = {
    "cheek": 1.1, "chin": 1.0, "ears": 1.6, "eyebrows": 1.0, "eyes": 0.6, "forehead": 1.5, "head": 2.2,
    "mouth": 0.7, "neck": 1.8, "nose": 0.8,
}  # fmt: skip
"""By folder, how far one standard deviation of a target's weight moves the most moved vertex, millimetres."""
SPREAD_OF = {
    "ears/l-ear-shape-pointed": 0.5, "ears/l-ear-shape-triangle": 1.0, "eyebrows/eyebrows-trans-backward": 0.8,
    "eyes/l-eye-eyefold-concave": 0.4, "forehead/forehead-nubian-decr": 1.2, "head/head-age-decr": 1.2,
    "head/head-angle-in": 0.0, "head/head-diamond": 0.7, "head/head-fat-decr": 1.4,
    "head/head-invertedtriangular": 0.5, "head/head-oval": 1.2, "head/head-rectangular": 0.8, "head/head-round": 1.2,
    "head/head-square": 0.7, "head/head-triangular": 0.7, "mouth/mouth-angles-down": 0.4, "neck/neck-double-decr": 1.4,
    "nose/nose-point-down": 0.8,
}  # fmt: skip
"""Targets that look odd at their folder's spread."""
LARGEST_WEIGHT = 0.4
"""Standard deviation above which a weak target is not pushed, however little it moves."""
SIZES = {"size/all": 0.035, "size/x": 0.03, "size/y": 0.03, "size/z": 0.03}
"""Standard deviation of the whole head's scale, and of its stretch along each axis. People differ in size more than the
targets do; without these, the surveys' spread could only be met by exaggerating features."""
PROPORTIONS = (
    "scale", "size/", "ear-wing", "ear-lobe", "eye-trans-in", "nose-trans-down", "nose-base-down", "nose-flaring",
    "nose-width", "mouth-trans-down", "chin-height", "chin-width", "chin-bones", "chin-jaw-drop", "cheek-bones",
    "cheek-volume", "temple", "head-fat", "head-oval", "head-round",
)  # fmt: skip
"""Directions whose names hold one of these change proportions smoothly; only they are bent to meet the surveys."""
HALF_NORMAL_MEAN, HALF_NORMAL_DEVIATION = 0.798, 0.603
"""Of the absolute value of a standard normal number, for targets that have no opposite."""
ASYMMETRY = 0.6
"""As `SPREAD`, for left-right differences."""


@dataclass(frozen=True)
class Axis:
    """One direction in which a head varies: a weight above 0 applies `positive`, below 0 `negative`.

    Names are tuples, because one axis may move a left and a right target together. `spread` is how far one standard
    deviation moves the most moved vertex, in millimetres.
    """

    name: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    spread: float

    def displacement(self, source: HeadSource) -> NDArray[np.float64]:
        """(N,3) at weight 1. Opposite targets are not exact mirror images of each other; their mean slope counts."""
        up = sum(source.target(name) for name in self.positive) + np.zeros(1)
        if not self.negative:
            return up
        return (up - sum(source.target(name) for name in self.negative)) / 2

    def moments(self, reach: float) -> tuple[float, float]:
        """Mean and standard deviation of the weight.

        Args:
            reach: how far weight 1 moves the most moved vertex, millimetres.
        """
        deviation = min(LARGEST_WEIGHT, self.spread / reach) if reach > 0 else 0.0
        if self.negative:
            return 0.0, deviation
        return HALF_NORMAL_MEAN * deviation, HALF_NORMAL_DEVIATION * deviation


def symmetric_axes(source: HeadSource) -> list[Axis]:
    """Axes of the modelling targets that keep a head symmetric; left and right targets move together."""
    axes = []
    for folder in FOLDERS:
        names = source.target_names(folder)
        right_of = {name: "r-" + name[2:] for name in names if name.startswith("l-")}
        for name in names:
            if name in right_of.values() or _opposite(name, names, second=True):
                continue
            other = _opposite(name, names)
            pairs = [(n, right_of.get(n)) for n in (other, name) if n]
            sides = [tuple(f"{folder}/{n}" for n in pair if n) for pair in pairs]
            positive, negative = (sides[0], sides[1]) if other else (sides[0], ())
            if (name.endswith("-trans-in") and name not in right_of) or (folder == "head" and "trans" in name):
                continue  # these move the whole feature to one side, or the whole head
            axis = f"{folder}/{name}"
            axes.append(Axis(axis, positive, negative, SPREAD_OF.get(axis, SPREAD[folder])))
    return axes


def asymmetric_axes(source: HeadSource) -> list[Axis]:
    """Axes that move one side only, or the two sides apart."""
    axes = []
    for name in source.target_names("asym"):
        if name.endswith("-l") and "breast" not in name and "trunk" not in name:
            axes.append(Axis(name, (f"asym/{name}",), (f"asym/{name[:-1]}r",), ASYMMETRY))
    for name in ("mouth/mouth-trans-in", "nose/nose-trans-in"):
        axes.append(Axis(name, (name,), (name[:-2] + "out",), ASYMMETRY))
    for axis in symmetric_axes(source):
        if len(axis.positive) == 2 and axis.negative:
            one_up, other_up = (axis.positive[0], axis.negative[1]), (axis.negative[0], axis.positive[1])
            axes.append(Axis(axis.name, one_up, other_up, ASYMMETRY / 2))
    return axes


def sample_macros(count: int, rng: np.random.Generator) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Adults of all ages, both sexes and mixed ancestry, of ordinary build.

    Returns:
        Names of T macro targets and their (S,T) weights in S people.
    """
    race: NDArray = rng.dirichlet([1.6, 1.6, 1.6], count)
    male = np.where(rng.random(count) < 0.5, rng.beta(2.5, 6, count), rng.beta(6, 2.5, count))
    old = 0.85 * rng.beta(1.8, 3.5, count)
    gender = np.stack([1 - male, male], axis=1)
    age = np.stack([1 - old, old], axis=1)
    muscle, weight = (_levels(rng.beta(8, 8, count)) for _ in range(2))
    names, columns = [], []
    for r, g, a in product(range(3), range(2), range(2)):
        names.append(f"macrodetails/{RACES[r]}-{GENDERS[g]}-{AGES[a]}")
        columns.append(race[:, r] * gender[:, g] * age[:, a])
    for g, a, m, w in product(range(2), range(2), range(3), range(3)):
        names.append(f"macrodetails/universal-{GENDERS[g]}-{AGES[a]}-{LEVELS[m]}muscle-{LEVELS[w]}weight")
        columns.append(gender[:, g] * age[:, a] * muscle[:, m] * weight[:, w])
    return tuple(names), np.stack(columns, axis=1)


def size_target(name: str, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,3) displacement that doubles the figure (N,3) in size, or along one axis."""
    along = name.removeprefix("size/")
    return mean * ([1, 1, 1] if along == "all" else np.eye(3)["xyz".index(along)])


def _levels(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S,3) shares of min, average and max for values 0..1."""
    low, high = np.clip(1 - 2 * value, 0, None), np.clip(2 * value - 1, 0, None)
    return np.stack([low, 1 - low - high, high], axis=1)


def _opposite(name: str, names: list[str], second: bool = False) -> str | None:
    """The target that undoes this one; only asked from the first of a pair, or with `second` from the second."""
    for pair in OPPOSITES:
        mine, other = pair[::-1] if second else pair
        if name.endswith("-" + mine) and (candidate := name[: -len(mine)] + other) in names:
            return candidate
    return None


def condense(
    covariance: NDArray[np.float64], displacements: NDArray[np.float64], importance: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Principal components as weights of targets, each one standard deviation long.

    Args:
        covariance: (T,T) of the targets' weights over the sampled heads.
        displacements: (T,V,3) of the targets.
        importance: (V,) how much an error at a vertex matters.
        count: number of components wanted, K.
    Returns:
        (K,T); component k displaces vertices by result[k] @ displacements. Signs are fixed.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    flat = (displacements * np.sqrt(importance)[:, None]).reshape(len(displacements), -1)
    strength, modes = np.linalg.eigh(root.T @ (flat @ flat.T) @ root)
    order = np.argsort(strength)[::-1][:count]
    weights = np.asarray((root @ modes[:, order]).T, np.float64)
    components = weights @ displacements.reshape(len(displacements), -1)
    peak = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    return np.where(peak < 0, -weights, weights)
