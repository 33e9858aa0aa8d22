"""Bones for a head that has none: the jaw from how it opens, the eyes from the balls, neck and head by height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NAMES = ("root", "neck", "head", "jaw", "eye.L", "eye.R")
PARENTS = (-1, 0, 1, 2, 2, 2)
BELOW = {"root": (3.5, -1.75), "neck": (2.25, -1.75), "head": (0.67, -1.14)}
"""How far below and before the eyes the bones begin, in distances between the eyes: the open head's."""
TILT = 0.5
"""The border of head and neck runs from the nape down to the chin: height it loses for each distance forwards."""
HEAD_ENDS, NECK_ENDS = (1.9, 2.6), (3.0, 3.8)
"""Where the head's and the neck's weight go from 1 to 0, in distances between the eyes below them."""
NEAR = 0.7
"""Reach of the skin that moves a bone with the person's identity, in distances between the eyes."""
STILL = 5e-4
"""Metres: teeth that move less when the jaw opens are the upper ones."""


@dataclass(frozen=True)
class Rig:
    """Bones.

    Attributes:
        names, parents: as in `HeadModel`. places: (J,3) float32 metres. identity: (K,J,3) float32.
        weights: (V,J) float32, rows sum to 1.
    """

    names: tuple[str, ...]
    parents: NDArray[np.int32]
    places: NDArray[np.float32]
    identity: NDArray[np.float32]
    weights: NDArray[np.float32]


def rig(vertices: Floats, faces: NDArray, slots: NDArray, identity: Floats, opened: Floats) -> Rig:
    """Bones of a template.

    Args:
        vertices: (V,3) metres. faces: (F,3).
        slots: (V,) 0 skin, 1 and 2 left and right eye, 3 teeth.
        identity: (K,V,3). opened: (V,3) displacement of the unit jawOpen.
    """
    balls = [slots == 1, slots == 2]
    eyes = [_middle(vertices[ball]) for ball in balls]
    between, apart = (eyes[0] + eyes[1]) / 2, float(np.linalg.norm(eyes[0] - eyes[1]))
    rotation, hinge = _hinge(vertices, opened, slots)
    places = {name: between + apart * np.array([0, -down, ahead]) for name, (down, ahead) in BELOW.items()}
    places |= {"jaw": hinge, "eye.L": eyes[0], "eye.R": eyes[1]}
    joints = np.stack([places[name] for name in NAMES])
    near = np.exp(-0.5 * (np.linalg.norm(vertices[:, None] - joints, axis=2) / (NEAR * apart)) ** 2) + 1e-12
    for column, ball in ((4, balls[0]), (5, balls[1])):
        near[:, column] = ball
    near /= near.sum(0)
    moved = np.einsum("vj,kvc->kjc", near, identity, optimize=True)
    weights = _weights(vertices, slots, between, apart, _follows(vertices, opened, rotation, hinge))
    return Rig(NAMES, np.array(PARENTS, np.int32), *(part.astype(np.float32) for part in (joints, moved, weights)))


def _middle(points: Floats) -> Floats:
    return (points.min(0) + points.max(0)) / 2 if len(points) else np.zeros(3)


def _hinge(vertices: Floats, opened: Floats, slots: NDArray) -> tuple[Floats, Floats]:
    """The jaw's rotation (3,3) and a point of its axis in the middle plane, from how the lower teeth move.

    Without teeth, from the tenth of the skin that moves most.
    """
    from ..fitting.pose import rigid

    moved = np.linalg.norm(opened, axis=1)
    part = (slots == 3) & (moved > STILL)
    if part.sum() < 3:
        part = (slots == 0) & (moved >= np.quantile(moved[slots == 0], 0.9))
    rotation, shift = rigid(vertices[part], (vertices + opened)[part])
    point = np.linalg.pinv(np.eye(3) - rotation, rcond=1e-3) @ shift
    return rotation, point * [0.0, 1.0, 1.0]


def _follows(vertices: Floats, opened: Floats, rotation: Floats, hinge: Floats) -> Floats:
    """(V,) how much of the jaw's turn each vertex takes part in when it opens, 0 to 1."""
    whole = (vertices - hinge) @ (rotation - np.eye(3)).T
    share: Floats = (opened * whole).sum(1) / np.maximum((whole**2).sum(1), 1e-8)
    return share.clip(0, 1)


def _weights(vertices: Floats, slots: NDArray, between: Floats, apart: float, jaw: Floats) -> Floats:
    """(V,J) skinning weights."""
    offset = (between - vertices) / apart
    depth = offset[:, 1] + TILT * offset[:, 2]
    head = np.where(slots == 0, 1 - _smooth(depth, *HEAD_ENDS), 1.0)
    neck = (1 - head) * (1 - _smooth(depth, *NECK_ENDS))
    weights = np.stack([1 - head - neck, neck, head * (1 - jaw), head * jaw, 0 * head, 0 * head], 1).astype(np.float64)
    for slot, column in ((1, 4), (2, 5)):
        weights[slots == slot] = np.eye(len(NAMES))[column]
    return weights


def _smooth(values: Floats, start: float, end: float) -> Floats:
    t: Floats = np.clip((values - start) / (end - start), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
