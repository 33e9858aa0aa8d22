"""Carrying photo pixels onto the texels that the photo's camera sees."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..heads.model import HeadModel
from ..perception.observation import Masks
from ..render.lighting import linear_to_srgb, srgb_to_linear
from .surface import UvSurface, vertex_normals

VIEW_SIDE = 1024
"""Longer side of the depth picture that decides visibility, pixels."""
DEPTH_SLACK = 0.004
"""How far behind the nearest surface a texel may lie and still count as seen, metres."""
EDGE_JUMP = 0.008
"""A step in depth this large is an occluding edge, metres."""
GRAZING, SQUARE = 0.15, 0.65
"""Cosines of the view angle at which trust begins and is complete."""


@dataclass(frozen=True)
class Projection:
    """The photo on the surface texels (flat, as in `UvSurface`).

    Attributes:
        color: (N,3) float32 linear RGB.
        seen: (N,) float32 trust from visibility and view angle alone, 0..1.
        skin, hair: (N,) float32 masks at the texels, times visibility near edges; 0..1.
        normals: (N,3) float32 head frame.
    """

    color: NDArray[np.float32]
    seen: NDArray[np.float32]
    skin: NDArray[np.float32]
    hair: NDArray[np.float32]
    normals: NDArray[np.float32]


def to_srgb(linear: NDArray) -> NDArray[np.uint8]:
    """Linear float to sRGB uint8."""
    return np.round(linear_to_srgb(np.clip(linear, 0.0, 1.0)) * 255).astype(np.uint8)


def smoothstep(x: NDArray, low: float, high: float) -> NDArray[np.float32]:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def project_photo(
    head: HeadModel, posed: NDArray, camera: Camera, pixels: NDArray[np.uint8], masks: Masks, surface: UvSurface
) -> Projection:
    """Sample the photo at every surface texel.

    Args:
        posed: (V,3) metres, the head as it is in the photo.
        pixels: (H,W,3) sRGB photo, the camera's size.
    """
    points = surface.gather(posed, head.faces)
    normals = surface.gather(vertex_normals(posed, head.faces), head.faces)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    view = camera.position - points
    facing = np.einsum("nc,nc->n", normals, view / np.linalg.norm(view, axis=1, keepdims=True))
    places = camera.project(points).astype(np.float32)
    inside = (places >= 1).all(1) & (places[:, 0] < camera.width - 1) & (places[:, 1] < camera.height - 1)
    clear = _clearance(head, posed, camera, points, places)
    seen = smoothstep(facing, GRAZING, SQUARE) * clear * inside
    return Projection(
        color=_sample(srgb_to_linear(_prefiltered(pixels, places, surface)), places),
        seen=seen,
        skin=_sample(masks.skin, places) * inside,
        hair=_sample(masks.hair, places) * inside,
        normals=normals,
    )


def _sample(picture: NDArray, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values at pixel places (N,2). cv2.remap wants a picture-shaped map of limited width, hence the reshape."""
    width = 1 << 12
    count = len(places)
    rows = -(-count // width)
    grid = np.zeros((rows * width, 2), np.float32)
    grid[:count] = places - 0.5
    grid = grid.reshape(rows, width, 2)
    found = cv2.remap(picture, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(rows * width, *picture.shape[2:])[:count]


def _prefiltered(pixels: NDArray[np.uint8], places: NDArray[np.float32], surface: UvSurface) -> NDArray[np.uint8]:
    """The photo, blurred where it has more detail than the texture can hold."""
    step = surface.picture(places)
    both = surface.mask[:, 1:] & surface.mask[:, :-1]
    stride = float(np.median(np.linalg.norm(step[:, 1:] - step[:, :-1], axis=-1)[both])) if both.any() else 1.0
    return pixels if stride < 1.5 else cv2.GaussianBlur(pixels, (0, 0), 0.4 * stride)


def head_view(camera: Camera, vertices: NDArray, side: int = VIEW_SIDE, margin: float = 0.05) -> Camera:
    """A camera that sees the same picture, cropped to the head and scaled so that its longer side is `side` pixels."""
    places = camera.project(vertices)
    low, high = places.min(0), places.max(0)
    extent = high - low
    low, extent = low - margin * extent, extent * (1 + 2 * margin)
    scale = side / float(extent.max())
    K = camera.K.copy()
    K[:2, 2] -= low
    K[:2] *= scale
    width, height = (max(1, round(float(value) * scale)) for value in extent)
    return Camera(K, camera.world_to_camera, width, height)


def _clearance(
    head: HeadModel, posed: NDArray, camera: Camera, points: NDArray, places: NDArray
) -> NDArray[np.float32]:
    """(N,) 1 where a texel is the nearest surface and away from any occluding edge, falling to 0 at the edge."""
    import torch

    from ..render.rasterize import rasterize_mesh

    view = head_view(camera, posed)
    vertices = torch.tensor(posed.astype(np.float32))
    raster = rasterize_mesh(vertices, torch.tensor(head.faces), view)
    depth = raster.depth.numpy()
    far = np.where(np.isfinite(depth), depth, 10 * np.nanmax(depth[np.isfinite(depth)])).astype(np.float32)
    reach = max(2, round(VIEW_SIDE * 0.008))
    nearest = cv2.erode(far, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    open_sky = (np.isfinite(depth) & (far - nearest < EDGE_JUMP)).astype(np.uint8)
    edge_free = np.clip(cv2.distanceTransform(open_sky, cv2.DIST_L2, 3) / reach, 0, 1).astype(np.float32)
    scale = view.K[0, 0] / camera.K[0, 0]
    shifted = ((places - camera.K[:2, 2]) * scale + view.K[:2, 2]).astype(np.float32)
    at_depth = _sample(cv2.dilate(np.where(np.isfinite(depth), far, 0).astype(np.float32), np.ones((3, 3))), shifted)
    visible = camera.to_camera(points)[:, 2] < at_depth + DEPTH_SLACK
    return _sample(edge_free, shifted) * visible
