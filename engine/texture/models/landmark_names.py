"""Places of a face by name, for layouts and meshes that are not the head's own. Right and left are the person's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...heads.model import HeadModel

MEDIAPIPE = {
    "right_eye_outer": 33, "right_eye_inner": 133, "right_eye_top": 159, "right_eye_bottom": 145,
    "left_eye_outer": 263, "left_eye_inner": 362, "left_eye_top": 386, "left_eye_bottom": 374,
    "between_eyes": 168, "nose_ridge": 6, "nose_tip": 1, "nose_base": 2, "right_nostril": 98, "left_nostril": 327,
    "right_mouth_corner": 61, "left_mouth_corner": 291, "upper_lip": 0, "lower_lip": 17, "chin": 199, "chin_tip": 152,
    "right_brow_inner": 107, "left_brow_inner": 336, "right_brow_top": 105, "left_brow_top": 334,
    "glabella": 9, "forehead": 151, "right_cheek": 50, "left_cheek": 280,
}  # fmt: skip
"""Name of each place and MediaPipe's number for it."""
FLAME_VERTICES = {
    "right_eye_outer": 2440, "right_eye_inner": 2508, "right_eye_top": 2495, "right_eye_bottom": 2291,
    "left_eye_outer": 1182, "left_eye_inner": 1358, "left_eye_top": 1294, "left_eye_bottom": 878,
    "between_eyes": 3553, "nose_ridge": 3518, "nose_tip": 3534, "nose_base": 3556,
    "right_mouth_corner": 2827, "left_mouth_corner": 1711, "upper_lip": 3543, "lower_lip": 3503, "chin": 3487,
    "chin_tip": 3404, "glabella": 3495, "forehead": 3524,
}  # fmt: skip
"""The nearest vertex of FLAME's topology: where MediaPipe sees the places on nine pictures of a FLAME mesh in clay."""
FLAME_COUNT = 5023
"""Vertices of FLAME's topology."""


def head_points(head: HeadModel, names: list[str]) -> NDArray[np.float64]:
    """(N,3) places on the mean head, metres."""
    at = [MEDIAPIPE[name] for name in names]
    return np.asarray(head.embeddings["mediapipe"].positions(head.vertices, head.faces)[at], np.float64)


def head_uv(head: HeadModel, names: list[str]) -> NDArray[np.float64]:
    """(N,2) places in the head's UV square."""
    embedding = head.embeddings["mediapipe"]
    at = [MEDIAPIPE[name] for name in names]
    corners = head.uv[head.uv_faces[embedding.faces[at]]]
    return np.einsum("nck,nc->nk", corners, embedding.barycentrics[at]).astype(np.float64)
