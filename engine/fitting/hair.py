"""The volume of the hairdo: how far hair stands off the skull, read from its outline in the photo.

The head model is bald. A scalp pushed out to the hair's silhouette is not hair, but it gives the head its outline,
and as a displacement of its own it can be switched off when an artist adds real hair.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..heads.model import HeadModel

ANGLES = 180
"""Directions around the head in which the outline is measured."""
THICKEST = 0.07
"""Hair is taken to stand off at most this far, metres: more is a hat, a hand or somebody else."""
HAIRLINE = 0.035
"""Distance from the hairline over which the volume rises to full, metres."""
SMOOTHING = 12
"""Rounds of averaging with the neighbours."""


def hair_offset(
    head: HeadModel, posed: NDArray, camera: Camera, hair: NDArray[np.float32], edges: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Displacement of the scalp to the hair's outline.

    Args:
        posed: (V,3) metres, the head as in the photo.
        camera: of the photo.
        hair: (H,W) soft mask 0..1.
        edges: (E,2) mesh edges.
    Returns:
        (V,3) metres; zero off the scalp, and everywhere for a bald or cropped head.
    """
    offset = np.zeros((len(posed), 3), np.float32)
    scalp = np.nonzero(head.regions["scalp"])[0]
    centre = (posed[scalp].min(0) + posed[scalp].max(0)) / 2
    middle, places = camera.project(centre), camera.project(posed[scalp])
    spokes = (places - middle).astype(np.float64)
    radius = np.linalg.norm(spokes, axis=1)
    angle = (np.arctan2(spokes[:, 1], spokes[:, 0]) / (2 * np.pi) * ANGLES).astype(int) % ANGLES
    skull = _outline(angle, radius)
    metres = camera.to_camera(centre)[2] / camera.K[0, 0]
    thickness = _thickness(hair, middle, skull) * metres
    if thickness.max() <= 0:
        return offset
    general = float(thickness[np.unique(angle)].mean())
    near_outline = np.clip(radius / np.maximum(skull[angle], 1e-6) / 0.7, 0, 1)
    depth = near_outline * thickness[angle] + (1 - near_outline) * general
    depth *= _rise(posed, scalp, head)
    depth = _smooth(depth, scalp, len(posed), edges)
    outward = posed[scalp] - centre
    offset[scalp] = outward / np.linalg.norm(outward, axis=1, keepdims=True) * depth[:, None]
    return offset


def _outline(angle: NDArray[np.int_], radius: NDArray) -> NDArray[np.float64]:
    """(ANGLES,) the skull's radius in each direction, pixels; directions without scalp take their neighbours'."""
    outline = np.zeros(ANGLES)
    np.maximum.at(outline, angle, radius)
    known = np.nonzero(outline)[0]
    turns = np.concatenate([known - ANGLES, known, known + ANGLES])
    outline = np.interp(np.arange(ANGLES), turns, np.tile(outline[known], 3))
    return np.maximum(outline, np.roll(outline, 1) * 0.5 + np.roll(outline, -1) * 0.5)


def _thickness(hair: NDArray[np.float32], middle: NDArray, skull: NDArray[np.float64]) -> NDArray[np.float64]:
    """(ANGLES,) how far hair reaches beyond the skull without a gap, pixels."""
    reach = int(np.ceil(skull.max() * 2))
    polar = cv2.warpPolar(hair, (reach, ANGLES), (float(middle[0]), float(middle[1])), reach, cv2.INTER_LINEAR)
    steps = np.arange(reach)[None, :]
    start = 0.92 * skull[:, None]
    gap = (polar < 0.5) & (steps >= start)
    first_gap = np.where(gap.any(1), gap.argmax(1), reach)
    beyond = np.maximum(first_gap - skull, 0.0)
    median = np.median(np.stack([np.roll(beyond, shift) for shift in range(-4, 5)]), axis=0)
    kernel = np.hanning(13)
    return np.convolve(np.concatenate([median] * 3), kernel / kernel.sum(), "same")[ANGLES : 2 * ANGLES]


def _rise(posed: NDArray, scalp: NDArray[np.int_], head: HeadModel) -> NDArray[np.float64]:
    """(S,) 0 at the hairline, 1 well inside the scalp."""
    inside = head.regions["scalp"][head.faces]
    border = np.unique(head.faces[inside.any(1) & ~inside.all(1)])
    distance = np.linalg.norm(posed[scalp][:, None] - posed[border][None], axis=-1).min(1)
    t = np.clip(distance / HAIRLINE, 0, 1)
    return np.sin(t * np.pi / 2)


def _smooth(depth: NDArray, scalp: NDArray[np.int_], count: int, edges: NDArray[np.int32]) -> NDArray[np.float64]:
    """(S,) the depth averaged along the mesh, held at zero off the scalp."""
    field = np.zeros(count)
    field[scalp] = np.minimum(depth, THICKEST)
    degree = np.maximum(np.bincount(edges.ravel(), minlength=count), 1)
    keep = np.zeros(count)
    keep[scalp] = 1
    for _ in range(SMOOTHING):
        a, b = edges.T
        mean = (np.bincount(a, field[b], count) + np.bincount(b, field[a], count)) / degree
        field = keep * (0.5 * field + 0.5 * mean)
    return field[scalp]
