"""PyTorch3D's rasteriser behind the project's interface, for those who have built it (Ravi et al., 2020).

It is meant for CUDA. On the CPU it tests every pixel against every face, which at 20,000 faces takes hundreds of times
longer than the z-buffer; `get_rasterizer("auto")` does not take it there.

What differs between the two, and what is done about it (`pytorch3d/renderer/mesh/rasterize_meshes.py` and the kernels
under `csrc/rasterize_meshes`, version 0.7):

- Screen: it wants +X to the left and +Y up, the picture's shorter side running from -1 to 1 and the other in
  proportion. Pixel centres are half a pixel in, as ours. Turning both axes round keeps the winding, and its
  counter-clockwise front faces are those of our "back" culling.
- Depth is the camera's, as ours; with `perspective_correct` it is what faces are compared by.
- Pixels exactly on an edge belong to no face there, so that a row of them would show as a hole. Faces are widened by a
  few steps of float32 (at 1024 pixels by 0.00015 of one); where two meet on a pixel centre the nearer wins. Unlike with
  the z-buffer, it is therefore not promised that neighbours never overlap, nor, on CUDA, which of two faces at one
  depth wins.
- It leaves out triangles of less than about 1e-8 of its units in area (at 512 pixels 0.0007 square pixels, at 4096
  0.04), and adds as much to all others when it works out barycentrics. So only the winning face is taken from it;
  barycentrics and depth are computed here.
- Faces with corners that are not finite are drawn all over, with older versions those behind the camera as well: both
  are made empty beforehand. From 10,000 faces in one part of the picture on some are dropped: that limit is raised to
  what there is.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from ..errors import EngineError
from .rasterize import Cull, Raster, Rasterizer, Size, pixel_centres, surface_barycentrics

WIDENED = 3e-7
"""By how much faces are widened, in PyTorch3D's units."""


@cache
def available() -> bool:
    """Whether PyTorch3D can be imported; a build for another version of torch cannot."""
    try:
        _parts()
    except (ImportError, OSError):
        return False
    return True


def _parts() -> tuple[Any, Any]:
    """PyTorch3D's function `rasterize_meshes` and its class `Meshes`."""
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes  # pyright: ignore[reportMissingImports]
    from pytorch3d.structures import Meshes  # pyright: ignore[reportMissingImports]

    return rasterize_meshes, Meshes


def get_pytorch3d() -> Rasterizer:
    """The backend.

    Raises:
        EngineError: PyTorch3D cannot be imported.
    """
    if not available():
        raise EngineError(
            "PyTorch3D cannot be imported by the engine's Python.",
            "Use the rasteriser “torch”, or build PyTorch3D for this version of torch.",
        )
    return rasterize_pytorch3d


@torch.no_grad()
def rasterize_pytorch3d(triangles: Tensor, size: Size, cull: Cull = "none") -> Raster:
    """See `engine.render.rasterize.Rasterizer`."""
    batch, faces = triangles.shape[:-3], triangles.shape[-3]
    corners = triangles.detach().float().reshape(batch.numel(), faces, 3, 3)
    if faces and len(corners) and min(size) > 0:
        winner = _winners(corners, size, cull)
    else:
        winner = torch.full((len(corners), *size), -1, dtype=torch.int64, device=triangles.device)
    barycentrics, depth = _resolve(corners.reshape(-1, 3, 3), winner)
    face = torch.where(winner >= 0, winner % max(faces, 1), winner).int()
    shape = (*batch, *size)
    return Raster(face.reshape(shape), barycentrics.reshape(*shape, 3), depth.reshape(shape))


def to_ndc(triangles: Tensor, size: Size) -> Tensor:
    """Screen space (...,3), pixels and depth, to PyTorch3D's normalised coordinates; the depth is kept."""
    height, width = size
    scale = 2 / min(height, width)
    x, y, z = triangles.unbind(-1)
    return torch.stack([(width / 2 - x) * scale, (height / 2 - y) * scale, z], -1)


def _winners(corners: Tensor, size: Size, cull: Cull) -> Tensor:
    """(B,H,W) int64 nearest of all pictures' faces, counted through, or -1; of corners (B,F,3,3) in screen space."""
    rasterize_meshes, meshes = _parts()
    count, faces = corners.shape[:2]
    drawn = torch.isfinite(corners).all(-1).all(-1) & (corners[..., 2] > 0).all(-1)
    ndc = torch.where(drawn[..., None, None], to_ndc(corners, size), torch.zeros_like(corners))
    own_corners = torch.arange(3 * faces, device=corners.device).reshape(1, faces, 3).expand(count, -1, -1)
    found, *_ = rasterize_meshes(
        meshes(verts=ndc.reshape(count, 3 * faces, 3), faces=own_corners),
        image_size=size,
        blur_radius=WIDENED**2,
        faces_per_pixel=1,
        max_faces_per_bin=faces,
        perspective_correct=True,
        clip_barycentric_coords=True,
        cull_backfaces=cull == "back",
    )
    return found[..., 0]


def _resolve(corners: Tensor, winner: Tensor) -> tuple[Tensor, Tensor]:
    """Barycentrics (B,H,W,3) and depth (B,H,W) of winning faces (B,H,W) among corners (B*F,3,3)."""
    barycentrics = torch.zeros((*winner.shape, 3), device=winner.device)
    depth = torch.full(winner.shape, torch.inf, device=winner.device)
    at = (winner >= 0).nonzero(as_tuple=True)
    own = corners[winner[at]]
    weights, _ = surface_barycentrics(own, pixel_centres((winner.shape[1], winner.shape[2]), winner.device)[at[1:]])
    weights = weights.clamp(0, 1)
    weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-6)
    barycentrics[at], depth[at] = weights, (weights * own[..., 2]).sum(-1)
    return barycentrics, depth
