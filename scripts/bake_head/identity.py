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
    "cheek": 0.22, "chin": 0.22, "ears": 0.25, "eyebrows": 0.22, "eyes": 0.22, "forehead": 0.22, "head": 0.16,
    "mouth": 0.2, "neck": 0.15, "nose": 0.22,
}  # fmt: skip
"""Standard deviation of the targets' weights by folder, chosen by eye and by the anthropometric table."""
ASYMMETRY_SPREAD = 0.12


@dataclass(frozen=True)
class Axis:
    """One direction in which a head varies: a weight above 0 applies `positive`, below 0 `negative`.

    Names are tuples, because one axis may move a left and a right target together.
    """

    name: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    spread: float


@dataclass(frozen=True)
class Samples:
    """Random heads as weights of targets.

    Attributes:
        targets: names of T targets.
        weights: (S,T).
    """

    targets: tuple[str, ...]
    weights: NDArray[np.float64]


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
            if folder != "head" or "trans" not in name:
                axes.append(Axis(f"{folder}/{name}", positive, negative, SPREAD[folder]))
    return axes


def asymmetric_axes(source: HeadSource) -> list[Axis]:
    """Axes that move one side only, or the two sides apart."""
    axes = []
    for name in source.target_names("asym"):
        if name.endswith("-l") and "breast" not in name and "trunk" not in name:
            axes.append(Axis(name, (f"asym/{name}",), (f"asym/{name[:-1]}r",), 2 * ASYMMETRY_SPREAD))
    for axis in symmetric_axes(source):
        if len(axis.positive) == 2 and axis.negative:
            axes.append(
                Axis(axis.name, (axis.positive[0], axis.negative[1]), (axis.negative[0], axis.positive[1]), 0.06)
            )
    return axes


def sample_axes(axes: list[Axis], count: int, rng: np.random.Generator) -> Samples:
    """Heads with independent normal weights, held within two and a half standard deviations."""
    targets = tuple(sorted({name for axis in axes for name in axis.positive + axis.negative}))
    column = {name: i for i, name in enumerate(targets)}
    weights = np.zeros((count, len(targets)))
    for axis in axes:
        draw = np.clip(rng.standard_normal(count), -2.5, 2.5) * axis.spread
        if not axis.negative:
            draw = np.abs(draw)
        for sign, names in ((1, axis.positive), (-1, axis.negative)):
            for name in names:
                weights[:, column[name]] += np.clip(sign * draw, 0, None)
    return Samples(targets, weights)


def sample_macros(count: int, rng: np.random.Generator) -> Samples:
    """Adults of all ages, both sexes and mixed ancestry, of ordinary build, as weights of the macro targets."""
    race: NDArray = rng.dirichlet([0.7, 0.7, 0.7], count)
    male = np.where(rng.random(count) < 0.5, rng.beta(1.5, 6, count), rng.beta(6, 1.5, count))
    old = rng.beta(1.1, 2.2, count)
    gender = np.stack([1 - male, male], axis=1)
    age = np.stack([1 - old, old], axis=1)
    muscle, weight = (_levels(rng.beta(5, 5, count)) for _ in range(2))
    names, columns = [], []
    for r, g, a in product(range(3), range(2), range(2)):
        names.append(f"macrodetails/{RACES[r]}-{GENDERS[g]}-{AGES[a]}")
        columns.append(race[:, r] * gender[:, g] * age[:, a])
    for g, a, m, w in product(range(2), range(2), range(3), range(3)):
        names.append(f"macrodetails/universal-{GENDERS[g]}-{AGES[a]}-{LEVELS[m]}muscle-{LEVELS[w]}weight")
        columns.append(gender[:, g] * age[:, a] * muscle[:, m] * weight[:, w])
    return Samples(tuple(names), np.stack(columns, axis=1))


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
    spread = np.einsum("ts,tvc->svc", root, displacements) * np.sqrt(importance)[:, None]
    flat = spread.reshape(len(spread), -1)
    strength, modes = np.linalg.eigh(flat @ flat.T)
    order = np.argsort(strength)[::-1][:count]
    weights = (root @ modes[:, order]).T
    components = np.einsum("kt,tvc->kvc", weights, displacements).reshape(len(weights), -1)
    peak = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    return weights * np.sign(peak)
