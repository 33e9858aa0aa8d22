"""Grows ribbons of hair out of the skin: combed, lifted, curled, falling, and never through the head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...heads.model import HeadModel
from .propmesh import Mesh
from .scalp import height

DOWN = np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True)
class Roots:
    """Where ribbons start. N ribbons.

    Attributes:
        places, normals: (N,3) on the mean head.
        comb: the way hair is combed (N,3) at places (N,3), any length.
        length: (N,) metres.
        lie: (N,) metres above the skin at which it comes to lie.
    """

    places: NDArray[np.float64]
    normals: NDArray[np.float64]
    comb: Callable[[NDArray], NDArray]
    length: NDArray[np.float64]
    lie: NDArray[np.float64]


@dataclass(frozen=True)
class Growth:
    """How hair behaves.

    Attributes:
        lift: of the first piece: 0 lies flat, 1 stands up.
        stiffness: how much of its direction a piece keeps, 0..1.
        gravity: share of a piece of 2 cm that turns downwards.
        press: how fast what stands off is drawn to where it lies, 0..1.
        curl: metres, radius of curls; 0 for straight hair.
        wave: metres, length of one curl.
        stray: random change of direction.
        width: metres, of a ribbon at its widest.
        pieces: ribbons are made of.
    """

    lift: float = 0.5
    stiffness: float = 0.6
    gravity: float = 0.25
    press: float = 0.4
    curl: float = 0.0
    wave: float = 0.03
    stray: float = 0.15
    width: float = 0.003
    pieces: int = 6


def grow(head: HeadModel, roots: Roots, growth: Growth, rng: np.random.Generator) -> NDArray[np.float64]:
    """(N,P+1,3) the ribbons' middle lines."""
    count = len(roots.places)
    step = (roots.length / growth.pieces)[:, None]
    drift = rng.normal(0, growth.stray, (count, 3))
    comb = _unit(roots.comb(roots.places))
    ahead = _unit(comb * (1 - growth.lift) + roots.normals * growth.lift + drift)
    point = roots.places - 0.0005 * roots.normals
    line = [point]
    for piece in range(growth.pieces):
        before = point
        point = point + ahead * step
        above, normal = height(head, point)
        missing = roots.lie * min(1.0, (piece + 1) / 2) - above
        # What hangs free of the head is not drawn back to it.
        move = np.where(missing > 0, missing, growth.press * missing * (above < 0.03))
        point = point + normal * np.where(above > -0.03, np.clip(move, -0.01, 0.03), 0)[:, None]
        travelled = _unit(point - before)
        point = before + travelled * step
        line.append(point)
        comb = roots.comb(point)
        comb = _unit(comb - normal * (comb * normal).sum(axis=1, keepdims=True))
        fall = np.minimum(growth.gravity * (step / 0.02), 0.9)
        ahead = travelled * growth.stiffness + comb * (1 - growth.stiffness) + 0.3 * drift
        ahead = _unit(_unit(ahead + rng.normal(0, growth.stray * 0.4, (count, 3))) * (1 - fall) + DOWN * fall)
    return _curled(np.stack(line, axis=1), roots, growth, rng)


def _curled(line: NDArray, roots: Roots, growth: Growth, rng: np.random.Generator) -> NDArray[np.float64]:
    if not growth.curl:
        return line
    along = np.linspace(0, 1, growth.pieces + 1) * roots.length[:, None]
    ahead = _unit(np.gradient(line, axis=1))
    out = roots.normals[:, None]
    first = _unit(np.cross(ahead, out))
    second = np.cross(first, ahead)
    radius = growth.curl * np.exp(rng.normal(0, 0.25, (len(line), 1))) * np.minimum(along / 0.015, 1)
    turn = 2 * np.pi * along / (growth.wave * np.exp(rng.normal(0, 0.15, (len(line), 1))))
    turn = turn + rng.uniform(0, 2 * np.pi, (len(line), 1))
    shift = first * (radius * np.cos(turn))[..., None] + second * (radius * np.sin(turn))[..., None]
    return line + shift - shift[:, :1]


def ribbons(line: NDArray, normals: NDArray, growth: Growth, rng: np.random.Generator) -> Mesh:
    """Flat strips along lines (N,P+1,3), pointed at their ends, with a grey value a vertex that differs by strip.

    Args:
        normals: (N,3) of the skin at the roots; strips lie flat on it.
    """
    count, knots = line.shape[:2]
    ahead = _unit(np.gradient(line, axis=1))
    out = _unit(normals[:, None] + rng.normal(0, 0.35, (count, 1, 3)))
    across = _unit(np.cross(ahead, out))
    along = np.linspace(0, 1, knots)
    shape = np.minimum(0.55 + 2 * along, 1) * np.sqrt(np.clip(1.02 - along**2.5, 0, 1))
    width = growth.width * np.exp(rng.normal(0, 0.3, (count, 1))) * shape / 2
    sides = np.stack([line - across * width[..., None], line + across * width[..., None]], axis=2)
    start = (np.arange(count) * knots * 2)[:, None] + np.arange(knots - 1) * 2
    faces = np.stack([start, start + 1, start + 3, start, start + 3, start + 2], axis=-1).reshape(-1, 3)
    grey = np.exp(rng.normal(0, 0.28, (count, 1))) * (0.72 + 0.4 * along) * np.exp(rng.normal(0, 0.06, (count, knots)))
    return Mesh(sides.reshape(-1, 3), faces, np.repeat(grey.reshape(-1, 1), 2, axis=0))


def _unit(vectors: NDArray) -> NDArray[np.float64]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def scatter(mesh: Mesh, keep: NDArray[np.bool_], count: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Random points on chosen faces (F,): (count,) faces and (count,3) barycentric shares."""
    corners = mesh.vertices[mesh.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) * keep
    face = rng.choice(len(area), count, p=area / area.sum())
    first, second = np.sqrt(rng.random(count)), rng.random(count)
    return face, np.stack([1 - first, first * (1 - second), first * second], axis=1)


def at(values: NDArray, mesh: Mesh, face: NDArray, share: NDArray) -> NDArray[np.float64]:
    """Values (V,) or (V,C) of a mesh's vertices at points of `scatter`."""
    corners = values[mesh.faces[face]]
    return (corners * share.reshape(share.shape + (1,) * (corners.ndim - 2))).sum(axis=1)
