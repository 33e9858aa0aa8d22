"""The fitted head's own depth, and where in the photo it is to be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .fill import push_pull
from .view import View

Floats = NDArray[np.float32]
GRAZING = (0.15, 0.4)
"""Cosines to the line of sight between which the head's surface becomes trustworthy: where it turns away, a slightly
wrong outline is a badly wrong depth."""
RECESS = (0.002, 0.006, 0.015)
"""Metres that what is between the lips lies behind them: at least, where the head has no teeth, and at most."""
STEEP = 6.0
"""Metres that it falls back a metre from the lips, at most."""
GAPS = 0.003
"""Metres: narrower gaps between teeth are closed."""
CLOSE_HAIR = 0.004
"""Metres that hair stands off the skull at least, away from the hairline."""
EAR_ROOM = 0.008
"""Metres around the ears."""
SOFT, SOFT_EARS = 0.006, 0.002
"""Metres over which trust rises from the border of what is seen of the skin: ears are narrow."""
GRAZING_EARS = (0.05, 0.2)
"""Of ears, which are all folds; what is blown up beside them would be worse."""


@dataclass(frozen=True)
class HeadDepth:
    """What the camera would see of the bare head.

    Attributes:
        depth: (h,w) metres along the optical axis, NaN beside the head.
        trust: (h,w) 0..1, where the photo shows this very surface: skin, eyes and teeth.
        facing: (h,w) cosine between the surface and the line of sight, 0 beside the head.
    """

    depth: Floats
    trust: Floats
    facing: Floats


def head_depth(view: View) -> HeadDepth:
    """Draw the fitted head's depth through the photo's camera; lashes are left out."""
    import torch

    from ..render.rasterize import rasterize_mesh

    head = view.head
    solid = np.array([name != "lashes" for name in head.material_names])[head.face_materials]
    faces = head.faces[solid]
    raster = rasterize_mesh(torch.tensor(view.vertices).float(), torch.tensor(faces), view.camera)
    depth = raster.depth.numpy()
    depth = np.where(np.isfinite(depth), depth, np.nan).astype(np.float32)
    facing = _facing(view, faces, raster.face.numpy())
    depth = _mouth_closed(view, depth, _teeth(view))
    return HeadDepth(depth, _trust(view, depth, facing, _seen_ears(view, faces, raster.face.numpy())), facing)


def _facing(view: View, faces: NDArray, seen: NDArray) -> Floats:
    """(h,w) cosine between the surface and the line of sight, 0 beside the head."""
    corners = view.camera.to_camera(view.vertices.astype(np.float64))[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    away = corners.mean(1)
    cosine = -(normals * away).sum(1) / np.maximum(
        np.linalg.norm(normals, axis=1) * np.linalg.norm(away, axis=1), 1e-12
    )
    return np.where(seen >= 0, cosine[np.maximum(seen, 0)], 0).astype(np.float32)


def _teeth(view: View) -> Floats | None:
    """(h,w) depth of the teeth and the tongue as if nothing were before them, NaN beside; None for heads without."""
    import torch

    from ..render.rasterize import rasterize_mesh

    head = view.head
    inside = np.array([name in ("teeth", "tongue") for name in head.material_names])[head.face_materials]
    if not inside.any():
        return None
    raster = rasterize_mesh(torch.tensor(view.vertices).float(), torch.tensor(head.faces[inside]), view.camera)
    depth = raster.depth.numpy()
    return np.where(np.isfinite(depth), depth, np.nan).astype(np.float32)


def _mouth_closed(view: View, depth: Floats, teeth: Floats | None) -> Floats:
    """The depth with a curtain between the lips, on the row of teeth: single teeth do not lie where the photo has
    them."""
    import cv2

    open_mouth = cv2.dilate((view.mouth > 0.2).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if not open_mouth.any():
        return depth
    least, usual, most = RECESS
    known = (np.isfinite(depth) & ~open_mouth).astype(np.float32)
    inside = cv2.distanceTransform(open_mouth.astype(np.uint8), cv2.DIST_L2, 5) * view.metres
    lips = push_pull(np.nan_to_num(depth), known)
    curtain = lips + np.minimum(2 * inside, usual)
    if teeth is not None and (np.isfinite(teeth) & open_mouth).any():
        row = _closed_row(teeth, view.metres)
        curtain = np.clip(row, lips + np.minimum(2 * inside, least), lips + np.minimum(STEEP * inside, most))
    return np.where(open_mouth & np.isfinite(depth), curtain, depth).astype(np.float32)


def _closed_row(teeth: Floats, metres: float) -> Floats:
    """(h,w) the front of the teeth, without the gaps between them."""
    import cv2

    side = 2 * max(1, round(GAPS / metres / 2)) + 1
    known = np.isfinite(teeth)
    nearest = cv2.erode(np.where(known, teeth, np.float32(1e3)), np.ones((side, side), np.uint8))
    there = nearest < 1e3
    filled = push_pull(np.where(there, nearest, 0), there.astype(np.float32))
    return np.asarray(cv2.GaussianBlur(filled, (0, 0), max(GAPS / 2 / metres, 0.5)), np.float32)


def skull_limit(view: View, head: HeadDepth) -> Floats:
    """(h,w) metres: hair cannot lie deeper than the skull it grows on; infinite where no hair covers it."""
    import cv2

    covered = (view.hair > 0.5) & view.mask & np.isfinite(head.depth) & (head.facing > GRAZING[0])
    inside = cv2.distanceTransform(covered.astype(np.uint8), cv2.DIST_L2, 5) * view.metres
    limit = head.depth - np.minimum(inside, CLOSE_HAIR)
    return np.where(covered & ~_ears(view), limit, np.inf).astype(np.float32)


def _ears(view: View) -> NDArray[np.bool_]:
    """(h,w) around the ears, which hair hides and which are not to show through it."""
    import cv2

    ears = np.zeros(view.shape, np.uint8)
    for region in ("ear.L", "ear.R"):
        if region in view.head.regions:
            points = view.camera.project(view.vertices[view.head.regions[region]].astype(np.float64))
            cv2.fillConvexPoly(ears, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    reach = max(1, round(EAR_ROOM / view.metres))
    return cv2.dilate(ears, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0


def _seen_ears(view: View, faces: NDArray, seen: NDArray) -> NDArray[np.bool_]:
    """(h,w) where the head's own ears are nearest."""
    ear = view.head.regions.get("ears", np.zeros(len(view.vertices), bool))[faces].all(1)
    return (seen >= 0) & ear[np.maximum(seen, 0)]


def _trust(view: View, depth: Floats, facing: Floats, ears: NDArray[np.bool_]) -> Floats:
    """(h,w) 0..1, more easily given at `ears` (h,w)."""
    import cv2

    shown = np.clip(view.skin + view.eyes + view.mouth, 0, 1) * view.mask * np.isfinite(depth)
    inside = cv2.distanceTransform((shown > 0.5).astype(np.uint8), cv2.DIST_L2, 5) * view.metres

    def trust(grazing: tuple[float, float], soft: float) -> Floats:
        low, high = grazing
        upright = cv2.blur(np.clip((facing - low) / (high - low), 0, 1), (5, 5))
        smooth = cv2.GaussianBlur(np.clip(inside / soft, 0, 1), (0, 0), max(soft / 3 / view.metres, 0.5)) * (inside > 0)
        return (smooth * smooth * (3 - 2 * smooth) * upright).astype(np.float32)

    return np.where(ears, trust(GRAZING_EARS, SOFT_EARS), trust(GRAZING, SOFT)).astype(np.float32)
