"""One rasteriser interface: triangles in screen space in, face index, barycentrics and depth out.

Shading is deferred: a backend only says which face each pixel sees. Barycentrics are recomputed from the winning
face's corners (`surface_barycentrics`), so gradients reach geometry and attributes whatever the backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from ..camera import Camera
from ..errors import EngineError

Cull = Literal["none", "back"]
Size = tuple[int, int]


@dataclass(frozen=True)
class Raster:
    """What each pixel sees. Leading batch axes are kept if the triangles had them.

    Attributes:
        face: (...,H,W) int32 index of the nearest face, -1 where there is none.
        barycentrics: (...,H,W,3) float32, perspective-correct, sum 1; zero where there is no face.
        depth: (...,H,W) float32 camera depth in the triangles' unit, infinite where there is no face.
    """

    face: Tensor
    barycentrics: Tensor
    depth: Tensor

    @property
    def mask(self) -> Tensor:
        """(...,H,W) bool, True where a face is seen."""
        return self.face >= 0


class Rasterizer(Protocol):
    """A backend."""

    def __call__(self, triangles: Tensor, size: Size, cull: Cull = "none") -> Raster:
        """Rasterise.

        Args:
            triangles: (F,3,3) or (B,F,3,3): x, y in pixels (the centre of the upper left pixel is (0.5,0.5), y down)
                and z > 0, the camera depth. A triangle with any corner at z <= 0 is left out.
            size: (height, width).
            cull: "back" leaves out triangles that run clockwise seen from outside, that is, the far side of a head.
        """
        ...


def get_rasterizer(name: str = "torch") -> Rasterizer:
    """The backend of that name.

    Args:
        name: "torch", the z-buffer; "pytorch3d"; or "auto", PyTorch3D for triangles on CUDA where it can be imported,
            the z-buffer for all others: on the CPU PyTorch3D takes hundreds of times as long.
    Raises:
        EngineError: no such backend, or it cannot be imported.
    """
    if name == "torch":
        from .zbuffer import rasterize_zbuffer

        return rasterize_zbuffer
    if name == "pytorch3d":
        from .pytorch3d import get_pytorch3d

        return get_pytorch3d()
    if name == "auto":
        return _rasterize_auto
    raise EngineError(f"There is no rasteriser named “{name}”.", "Use “auto”, “torch” or “pytorch3d”.")


def _rasterize_auto(triangles: Tensor, size: Size, cull: Cull = "none") -> Raster:
    """See `get_rasterizer`."""
    from .pytorch3d import available

    name = "pytorch3d" if triangles.is_cuda and available() else "torch"
    return get_rasterizer(name)(triangles, size, cull)


def project(vertices: Tensor, camera: Camera) -> Tensor:
    """World vertices (...,V,3) to screen space (...,V,3): x, y in pixels, z the camera depth. Differentiable."""
    transform = vertices.new_tensor(camera.world_to_camera)
    K = vertices.new_tensor(camera.K)
    seen = vertices @ transform[:3, :3].T + transform[:3, 3]
    depth = seen[..., 2:]
    safe = torch.where(depth.abs() < 1e-9, torch.full_like(depth, 1e-9), depth)
    return torch.cat([(seen / safe) @ K[:2].T, depth], -1)


def screen_triangles(vertices: Tensor, faces: Tensor, camera: Camera) -> Tensor:
    """Triangles (...,F,3,3) in screen space of world vertices (...,V,3) and faces (F,3)."""
    return project(vertices, camera)[..., faces.long(), :]


def rasterize_mesh(
    vertices: Tensor, faces: Tensor, camera: Camera, cull: Cull = "none", backend: str = "torch"
) -> Raster:
    """Rasterise a mesh through a camera, at the camera's size."""
    triangles = screen_triangles(vertices, faces, camera)
    return get_rasterizer(backend)(triangles, (camera.height, camera.width), cull)


def rasterize_uv(uv: Tensor, uv_faces: Tensor, size: int | Size, backend: str = "torch") -> Raster:
    """Which face covers each texel of the UV square.

    Args:
        uv: (T,2), origin lower left.
        uv_faces: (F,3) into `uv`.
        size: side of the square texture, or (height, width), texels. Row 0 is the top (v = 1).
    Returns:
        The raster; its barycentrics are those of the mesh faces, corner for corner. Where islands overlap, the
        face with the lowest index wins.
    """
    height, width = (size, size) if isinstance(size, int) else size
    u, v = uv.unbind(-1)
    screen = torch.stack([u * width, (1 - v) * height, torch.ones_like(u)], -1)
    return get_rasterizer(backend)(screen[uv_faces.long()], (height, width), "none")


def pixel_centres(shape: Size, device: torch.device | str = "cpu") -> Tensor:
    """(H,W,2) x, y of the pixel centres."""
    y, x = torch.meshgrid(
        torch.arange(shape[0], device=device) + 0.5, torch.arange(shape[1], device=device) + 0.5, indexing="ij"
    )
    return torch.stack([x, y], -1)


def surface_barycentrics(corners: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Perspective-correct barycentrics of screen points on given triangles; differentiable in both.

    Args:
        corners: (...,3,3) screen-space corners.
        points: (...,2) pixels.
    Returns:
        barycentrics (...,3), depth (...).
    """
    offset = corners[..., :2] - points[..., None, :]
    (ax, ay), (bx, by), (cx, cy) = (offset[..., k, :].unbind(-1) for k in range(3))
    area = torch.stack([bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx], -1)
    weight = area / corners[..., 2]
    total = weight.sum(-1, keepdim=True)
    total = torch.where(total.abs() < 1e-30, torch.full_like(total, 1e-30), total)
    barycentrics = weight / total
    return barycentrics, (barycentrics * corners[..., 2]).sum(-1)


def interpolate(raster: Raster, attributes: Tensor, faces: Tensor, triangles: Tensor | None = None) -> Tensor:
    """Attributes at every pixel.

    Args:
        raster: of one view (no batch axes).
        attributes: (N,C) per vertex (or per UV vertex).
        faces: (F,3) into `attributes`, corner for corner as the rasterised triangles.
        triangles: (F,3,3) the rasterised triangles; given, gradients also reach the geometry.
    Returns:
        (H,W,C), zero where there is no face. Differentiable in `attributes` and `triangles`.
    """
    at = raster.mask.nonzero(as_tuple=True)
    face = raster.face[at].long()
    if triangles is None:
        weights = raster.barycentrics[at].to(attributes.dtype)
    else:
        points = torch.stack([at[1], at[0]], -1).to(triangles.dtype) + 0.5
        weights, _ = surface_barycentrics(triangles[face], points)
    values = (attributes[faces[face].long()] * weights[..., None]).sum(-2)
    picture = values.new_zeros((*raster.face.shape, attributes.shape[-1]))
    return picture.index_put(at, values)
