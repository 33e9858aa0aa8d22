"""The depth of a volume's surface in the photo's own view, in metres, in the head's frame."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..depth.depth_map import Depth
from ..depth.sources import BY_NETWORK
from ..render.rasterize import rasterize_mesh
from .camera import Register, parts_of
from .paint import Painted
from .views import View, taken

AGREED = 0.03
"""Metres between surface and rendered depth at which nothing is believed any more."""


def depth_of(mesh: Painted, view: View, register: Register, side: int) -> Depth:
    """What the camera of a view sees of the surface, `side` pixels square.

    Confidence is a network's where the surface lies at the depth that the volume renderer finds, and less where they
    differ: there the volume is thin, as in hair.

    Args:
        view: of the photo's label. register: brings the generator's space to the head's.
    """
    camera = register.camera(view.label, side)
    vertices = torch.from_numpy(register.points(mesh.vertices).astype(np.float32))
    found = rasterize_mesh(vertices, torch.from_numpy(mesh.faces.astype(np.int32)), camera).depth.numpy()
    mask = np.isfinite(found)
    apart = np.where(mask, np.abs(found - rendered_depth(view, register.scale, side)), np.inf)
    confidence = BY_NETWORK * np.clip(1 - apart / AGREED, 0, 1) * mask
    return Depth(np.where(mask, found, np.nan).astype(np.float32), mask, confidence.astype(np.float32), camera)


def rendered_depth(view: View, metres: float, side: int) -> NDArray[np.float64]:
    """(side,side) metres along the optical axis: the volume renderer's expected depth, which is along the rays."""
    rows, columns = (np.mgrid[:side, :side] + 0.5) / side
    place = np.stack([columns, rows, np.ones_like(rows)], -1)
    rays = place @ np.linalg.inv(parts_of(view.label)[1]).T
    along = taken(view.depth[..., None], place[..., :2].reshape(-1, 2)).reshape(side, side)
    return metres * along / np.linalg.norm(rays, axis=-1)
