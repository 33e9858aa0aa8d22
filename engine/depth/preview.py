"""The contact sheet of a depth mesh: photo, depth, and the mesh from five angles, textured and in clay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..preview import BACKDROP, DISTANCE, contact_sheet
from .depth_map import Depth
from .mesh import DepthMesh

SIDE = 384
ANGLES = ((-75.0, 0.0), (-35.0, 0.0), (0.0, 0.0), (35.0, 0.0), (75.0, 0.0))
"""Yaw towards the person's left, and pitch from above, degrees."""
TITLES = ("Right", "Right three-quarter", "Front", "Left three-quarter", "Left")
ROOM = 1.08
"""What is shown over what there is."""
FAR_SHADE = 0.12
"""Grey of the furthest depth."""


def preview(
    depth: Depth, mesh: DepthMesh, picture: NDArray[np.uint8], uv: NDArray, photo: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Photo and depth, then five views, each textured above clay.

    Args:
        picture: (H,W,3) the mesh's texture. uv: (T,2) in it. photo: (H,W,3) what the depth is of.
    Returns:
        (H,W,3) uint8.
    """
    from ..render.lighting import ambient
    from ..render.shade import linear_texture, render_clay, render_head

    texture = linear_texture(picture)
    backdrop = np.full((SIDE, SIDE, 3), BACKDROP, np.uint8)
    views = [turned_camera(mesh.vertices, yaw, pitch) for yaw, pitch in ANGLES]
    skins = [
        render_head(
            mesh.vertices, mesh.faces, uv, mesh.uv_faces, texture, view, ambient(), background=backdrop, supersample=1
        )[..., :3]
        for view in views
    ]
    clays = [
        render_clay(mesh.vertices, mesh.faces, view, background=backdrop, supersample=1)[..., :3] for view in views
    ]
    panels = [("Photo", framed(photo)), *zip(TITLES[:3], skins[:3], strict=True)]
    panels += [("Depth", framed(grey(depth))), *zip(TITLES[3:], skins[3:], strict=True), (TITLES[2], clays[2])]
    panels += list(zip((TITLES[0], TITLES[1], TITLES[3], TITLES[4]), (clays[0], clays[1], *clays[3:]), strict=True))
    return contact_sheet(panels, columns=4)


def grey(depth: Depth) -> NDArray[np.uint8]:
    """(H,W,3) near light, far dark, outside black."""
    values = depth.depth[depth.mask]
    near, far = np.percentile(values, [1, 99]) if len(values) else (0.0, 1.0)
    share = np.clip((far - depth.depth) / max(float(far - near), 1e-6), 0, 1)
    shade = np.where(depth.mask, FAR_SHADE + (1 - FAR_SHADE) * share, 0)
    return np.repeat(np.round(np.nan_to_num(shade) * 255).astype(np.uint8)[..., None], 3, axis=-1)


def framed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(SIDE,SIDE,3) a picture, fitted in."""
    import cv2

    factor = SIDE / max(picture.shape[:2])
    size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    panel = np.full((SIDE, SIDE, 3), BACKDROP, np.uint8)
    top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    panel[top : top + small.shape[0], left : left + small.shape[1]] = small
    return panel


def turned_camera(vertices: NDArray, yaw: float, pitch: float) -> Camera:
    """A portrait camera towards the middle of the vertices (V,3), so far away and so long that all are in view."""
    low, high = np.percentile(vertices, [0.5, 99.5], axis=0)
    middle = (low + high) / 2
    a, b = np.radians(yaw), np.radians(pitch)
    forward = -np.array([np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)])
    right = np.array([np.cos(a), 0.0, -np.sin(a)])
    view = np.eye(4)
    view[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    view[:3, 3] = -view[:3, :3] @ (middle - DISTANCE * forward)
    shown = ROOM * float(max(high[1] - low[1], high[0] - low[0]))
    focal = SIDE * DISTANCE / shown
    return Camera(np.array([[focal, 0, SIDE / 2], [0, focal, SIDE / 2], [0, 0, 1.0]]), view, SIDE, SIDE)
