"""Which points of the head the network sees: vertices spread over it, closest where faces are read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...evaluation.skins import IRIS_RADIUS
from ...heads.model import HeadModel
from ...perception.dense import PointSet
from ...perception.topology import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE

SPACING = (
    ("skin", 0.0135),
    ("face", 0.0085),
    ("ears", 0.0105),
    ("nose", 0.0062),
    ("brows", 0.0062),
    ("eyelids", 0.0036),
    ("lips", 0.0042),
)
"""Metres between neighbours, by region; a later region overrules an earlier one."""
HIDDEN_REGIONS = ("inner_mouth", "eye_sockets")
LOWEST = 0.17
"""Metres below the eyes where the neck is no longer looked at."""
ABOVE, BELOW = 0.02, -0.075
"""Metres from the eyes: points beyond are forehead, or chin."""
IRIS_RIM = 8
"""Points around an iris, and one in its middle."""
CONTOURS = (RIGHT_EYE, LEFT_EYE, OUTER_LIPS, INNER_LIPS)
"""MediaPipe's contours, next to which there is always a point."""


def point_set(head: HeadModel) -> PointSet:
    """The points of a head; the same head gives the same points."""
    points = choose_points(head)
    place = np.full(len(head.vertices), -1)
    place[points] = np.arange(len(points))
    face = head.regions["face"][points]
    height = head.vertices[points, 1] - _eye_centres(head)[:, 1].mean()
    return PointSet(points, place[head.mirror[points]], face, face & (height > ABOVE), face & (height < BELOW))


def choose_points(head: HeadModel) -> NDArray[np.int32]:
    """(N,) vertices, ascending, together with the mirror image of each.

    Farthest-point sampling of one half with a spacing that depends on the region.
    """
    rest = head.vertices.astype(np.float64)
    spacing = np.full(len(rest), np.inf)
    for name, metres in SPACING:
        spacing[head.regions[name]] = metres
    for name in HIDDEN_REGIONS:
        spacing[head.regions[name] & ~head.regions["lips"] & ~head.regions["eyelids"]] = np.inf
    spacing[rest[:, 1] < _eye_centres(head)[:, 1].mean() - LOWEST] = np.inf
    half = np.isfinite(spacing) & (rest[:, 0] >= -1e-6)
    fixed = [*_contour_vertices(head), *(v for side in ("L", "R") for v in _iris_vertices(head, side))]
    chosen = _spread(rest, np.where(half, spacing, np.inf), [v for v in fixed if half[v]])
    both = np.concatenate([chosen, head.mirror[chosen], fixed, head.mirror[np.array(fixed)]])
    return np.unique(both).astype(np.int32)


def _spread(rest: NDArray, spacing: NDArray, fixed: list[int]) -> NDArray[np.int64]:
    """Vertices added one by one, each time the one farthest from all before in terms of its own spacing."""
    chosen = list(dict.fromkeys(fixed))
    distance = np.full(len(rest), np.inf)
    for vertex in chosen:
        distance = np.minimum(distance, np.linalg.norm(rest - rest[vertex], axis=1))
    while True:
        lack = np.where(np.isfinite(spacing), distance / spacing, 0.0)
        farthest = int(lack.argmax())
        if lack[farthest] < 1.0:
            return np.array(chosen)
        chosen.append(farthest)
        distance = np.minimum(distance, np.linalg.norm(rest - rest[farthest], axis=1))


def _contour_vertices(head: HeadModel) -> list[int]:
    """The vertex next to each point of MediaPipe's contours."""
    embedding = head.embeddings["mediapipe"]
    points = np.array([p for loop in CONTOURS for p in loop])
    points = points[embedding.valid[points]]
    corners = head.faces[embedding.faces[points]]
    return corners[np.arange(len(points)), embedding.barycentrics[points].argmax(1)].tolist()


def _eye_centres(head: HeadModel) -> NDArray:
    return head.joints[[head.joint_names.index(name) for name in ("eye.L", "eye.R")]]


def _iris_vertices(head: HeadModel, side: str) -> list[int]:
    """The pupil's vertex and some on the rim of the iris."""
    eye = head.joints[head.joint_names.index(f"eye.{side}")]
    ball = np.flatnonzero(head.regions[f"eye.{side}"])
    offset = head.vertices[ball] - eye
    front = offset[:, 2] > 0
    ball, offset = ball[front], offset[front]
    angles = np.arange(IRIS_RIM) * 2 * np.pi / IRIS_RIM
    targets = IRIS_RADIUS * np.stack([np.cos(angles), np.sin(angles)], 1)
    targets = np.concatenate([[[0.0, 0.0]], targets])
    nearest = np.linalg.norm(offset[None, :, :2] - targets[:, None], axis=2).argmin(1)
    return ball[nearest].tolist()
