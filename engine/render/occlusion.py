"""Ambient occlusion: how much of its surroundings a point sees. Darkens mouths, nostrils and eye sockets."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from .geometry import vertex_normals
from .lighting import sphere_directions
from .rasterize import get_rasterizer

SIDE = 192
SLACK = 0.004
"""Depth tolerance, metres; finer hollows than this do not darken."""


@torch.no_grad()
def ambient_occlusion(
    vertices: NDArray, faces: NDArray, directions: int = 48, device: str = "cpu"
) -> NDArray[np.float32]:
    """Cosine-weighted share of directions from which each vertex is seen, by depth maps.

    Args:
        vertices: (V,3) metres. faces: (F,3).
        directions: how many depth maps, evenly over the sphere.
    Returns:
        (V,) 0..1; 1 on an open, convex surface.
    """
    points = torch.tensor(np.asarray(vertices), dtype=torch.float32, device=device)
    triangles = torch.tensor(np.ascontiguousarray(faces), device=device)
    normals = vertex_normals(points, triangles)
    middle = (points.amin(0) + points.amax(0)) / 2
    reach = float(torch.linalg.vector_norm(points - middle, dim=1).max()) * 1.02
    seen, total = torch.zeros(len(points), device=device), torch.zeros(len(points), device=device)
    for direction in sphere_directions(directions):
        axes = torch.tensor(_frame(direction), dtype=torch.float32, device=device)
        local = (points - middle) @ axes.T
        place = (local[:, :2] / reach + 1) * (SIDE / 2)
        depth = 2 * reach - local[:, 2]
        raster = get_rasterizer()(torch.cat([place, depth[:, None]], 1)[triangles.long()], (SIDE, SIDE))
        column, row = place.long().clamp(0, SIDE - 1).unbind(1)
        visible = depth < raster.depth[row, column] + SLACK
        weight = (normals @ axes[2]).clamp_min(0)
        seen += weight * visible
        total += weight
    return (seen / total.clamp_min(1e-6)).clamp(0, 1).cpu().numpy()


def _frame(direction: NDArray) -> NDArray[np.float64]:
    """(3,3) rows: two axes across the direction, and the direction."""
    helper = np.eye(3)[np.abs(direction).argmin()]
    across = np.cross(helper, direction)
    across /= np.linalg.norm(across)
    return np.stack([across, np.cross(direction, across), direction])
