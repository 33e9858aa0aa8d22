"""Pictures of a mesh that can be fitted to photos: gradients reach geometry, texture, camera and light.

Shading is deferred (Fast-GANFIT, section 3.2): a rasteriser says, without gradients, which face each pixel sees;
barycentrics are then worked out anew from that face's corners, and everything that follows from them (normals, places,
texture coordinates) is differentiable. That covers what changes inside faces. Where a surface ends, the silhouette,
pixels are blended by where its edge runs, see `engine.render.edges`.

What has no gradient: which face and which mip level a pixel takes, and the line along which two surfaces intersect. On
the CPU the same input gives the same picture and gradients; on CUDA sums are added up in any order, unless torch is
told to be deterministic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, normalize

from ..heads.model import HeadModel
from .edges import EdgeList, blend_edges, list_edges
from .lights import Light
from .look import HAIR_CARDS
from .pinhole import Pinhole
from .rasterize import Raster, Size, get_rasterizer
from .texture import MAX_LEVEL


@dataclass(frozen=True)
class Topology:
    """What of a mesh does not change while it is fitted, on the device.

    Attributes:
        faces: (F,3) int64.
        uv: (T,2), origin lower left.
        uv_faces: (F,3) int64 into `uv`, corner for corner as `faces`.
        corner_uv: (F,6) u, v of the three corners.
        uv_area: (F,) twice each face's area in the texture.
        edges: of the faces.
    """

    faces: Tensor
    uv: Tensor
    uv_faces: Tensor
    corner_uv: Tensor
    uv_area: Tensor
    edges: EdgeList

    @classmethod
    def of(cls, head: HeadModel, device: torch.device | str = "cpu", without: Sequence[str] = HAIR_CARDS) -> Topology:
        """A head's, without some materials: cards of hairs would be opaque bars here."""
        left_out = [name in without for name in head.material_names]
        drawn = ~np.array(left_out)[head.face_materials]
        parts = (head.faces[drawn], head.uv, head.uv_faces[drawn])
        return cls.from_arrays(*(torch.tensor(part, device=device) for part in parts))

    @classmethod
    def from_arrays(cls, faces: Tensor, uv: Tensor, uv_faces: Tensor) -> Topology:
        """Of triangles (F,3), texture coordinates (T,2) and the triangles' corners in these (F,3)."""
        corners = uv[uv_faces.long()]
        one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        area = (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]).abs()
        return cls(faces.long(), uv, uv_faces.long(), corners.reshape(-1, 6), area, list_edges(faces))


@dataclass(frozen=True)
class Rendering:
    """A picture and what it was made from.

    Attributes:
        image: (H,W,3) linear RGB, not clamped; over the background, or over black where none was given.
        coverage: (H,W) 0..1, how much of each pixel is covered; without blended edges 0 or 1.
        face: (H,W) int64, what the pixel's centre sees, -1 where nothing.
        normals: (H,W,3) unit, world, turned to the camera; zero where there is no face.
    """

    image: Tensor
    coverage: Tensor
    face: Tensor
    normals: Tensor


@dataclass(frozen=True)
class _Seen:
    """Surface points at the covered pixels.

    Attributes:
        pixel: (P,) int64, flat.
        face: (P,) int64.
        uv: (P,2). normals: (P,3) unit. points: (P,3) metres.
    """

    pixel: Tensor
    face: Tensor
    uv: Tensor
    normals: Tensor
    points: Tensor


def render_mesh(
    vertices: Tensor,
    topology: Topology,
    texture: Tensor,
    light: Light,
    pinhole: Pinhole,
    size: Size,
    background: Tensor | None = None,
    edges: bool = True,
    backend: str = "auto",
) -> Rendering:
    """Draw a textured mesh, differentiably in all tensors.

    Args:
        vertices: (V,3) metres, world; float32 or float64, as all other tensors.
        topology: faces and texture coordinates.
        texture: (3,S,S) linear RGB albedo, row 0 is v = 1. Read bilinearly, from halved levels where it is minified.
        light: see `engine.render.lights`.
        pinhole: the camera.
        size: (height, width), pixels.
        background: (H,W,3) linear RGB, or None for black.
        edges: blend the silhouettes, so that contours have gradients.
        backend: the rasteriser, see `get_rasterizer`.
    Raises:
        EngineError: no such backend.
    """
    height, width = size
    screen = pinhole.project(vertices)
    triangles = screen.detach()[topology.faces]
    raster = get_rasterizer(backend)(triangles, size)
    seen = _surface(vertices, screen, topology, raster, pinhole)
    diffuse, specular = light.shade(seen.normals, seen.points, pinhole.position)
    colour = _albedo(texture, seen, triangles, topology) * diffuse + specular
    drawn = torch.cat([colour, torch.ones_like(colour[:, :1])], -1)
    behind = drawn.new_zeros((height * width, 4))
    if background is not None:
        behind = torch.cat([background.reshape(-1, 3).to(behind), behind[:, 3:]], -1)
    picture = behind.index_copy(0, seen.pixel, drawn).reshape(height, width, 4)
    normals = seen.normals.new_zeros((height * width, 3)).index_copy(0, seen.pixel, seen.normals)
    if edges:
        picture = blend_edges(picture, screen, topology.faces, topology.edges, raster.depth)
    image, coverage = picture.split([3, 1], -1)
    return Rendering(image, coverage[..., 0], raster.face.long(), normals.reshape(height, width, 3))


def _surface(vertices: Tensor, screen: Tensor, topology: Topology, raster: Raster, pinhole: Pinhole) -> _Seen:
    """What the covered pixels see, differentiable in `vertices`, `screen` and the camera."""
    flat = raster.face.reshape(-1)
    pixel = (flat >= 0).nonzero().squeeze(-1)
    face = flat[pixel].long()
    width = raster.face.shape[-1]
    row = torch.div(pixel, width, rounding_mode="floor")
    x, y = (pixel - row * width).to(vertices.dtype) + 0.5, row.to(vertices.dtype) + 0.5
    # One gather for all that vertices have, then a vector for each number: sums along short axes are slow on the CPU.
    attributes = torch.cat([screen, _vertex_normals(vertices, topology.faces)], -1)
    corners = attributes.index_select(0, topology.faces[face].reshape(-1)).reshape(-1, 3, 6).permute(1, 2, 0)
    first, second, third = (corner.unbind() for corner in corners.contiguous().unbind())
    weights, outwards = _weights((first[:3], second[:3], third[:3]), x, y)
    depth, *normal = (_mix(weights, values) for values in zip(first[2:], second[2:], third[2:], strict=True))
    normals = normalize(torch.stack(normal, -1), dim=-1) * outwards[:, None]
    right, down = ((at - middle) / pinhole.focal * depth for at, middle in zip((x, y), pinhole.centre, strict=True))
    points = (torch.stack([right, down, depth], -1) - pinhole.translation) @ pinhole.rotation
    uv = topology.corner_uv.index_select(0, face).to(vertices.dtype).T.contiguous()
    return _Seen(pixel, face, torch.stack([_mix(weights, uv[0::2]), _mix(weights, uv[1::2])], -1), normals, points)


def _weights(corners: Sequence[Sequence[Tensor]], x: Tensor, y: Tensor) -> tuple[list[Tensor], Tensor]:
    """As `surface_barycentrics`, of three corners' x, y and depth, (P,) each, at pixels x, y (P,).

    Returns:
        three weights (P,) within 0..1: rounding puts a pixel outside a very thin face, far outside in its units;
        and 1 for faces seen from outside, -1 for the inside of an open surface, (P,).
    """
    (ax, ay), (bx, by), (cx, cy) = ((corner[0] - x, corner[1] - y) for corner in corners)
    areas = [bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx]
    outwards = torch.where((areas[0] + areas[1] + areas[2]).detach() > 0, -1.0, 1.0).to(x.dtype)
    shares = [area / corner[2] for area, corner in zip(areas, corners, strict=True)]
    total = shares[0] + shares[1] + shares[2]
    total = torch.where(total.abs() < 1e-30, torch.full_like(total, 1e-30), total)
    inside = [(share / total).clamp(0, 1) for share in shares]
    total = (inside[0] + inside[1] + inside[2]).clamp_min(1e-6)
    return [weight / total for weight in inside], outwards


def _mix(weights: Sequence[Tensor], values: Sequence[Tensor] | Tensor) -> Tensor:
    """Weighted sum of three corners' values, (P,) each."""
    return weights[0] * values[0] + weights[1] * values[1] + weights[2] * values[2]


def _vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """`engine.render.geometry.vertex_normals`, with gathers and sums whose backward passes are quick on the CPU."""
    first, second, third = vertices.index_select(0, faces.reshape(-1)).reshape(-1, 3, 3).unbind(1)
    normals = torch.linalg.cross(second - first, third - first)
    spread = normals[:, None].expand(-1, 3, -1).reshape(-1, 3)
    return normalize(torch.zeros_like(vertices).index_add(0, faces.reshape(-1), spread), dim=-1, eps=1e-20)


def _albedo(texture: Tensor, seen: _Seen, triangles: Tensor, topology: Topology) -> Tensor:
    """(P,3) texture (3,S,S) at seen points; bilinear within a level, linear between levels, as `MipTexture` does."""
    detail = _detail(triangles, topology, texture.shape[1] * texture.shape[2])[seen.face].to(seen.uv.dtype)
    grid = torch.stack([seen.uv[:, 0] * 2 - 1, 1 - seen.uv[:, 1] * 2], -1)
    found = texture.new_zeros((len(grid), 3))
    for index in range(int(detail.max().ceil()) + 1 if len(detail) else 0):
        if index:  # planes, which pooling likes
            texture = avg_pool2d(texture, 2, ceil_mode=True, count_include_pad=False)
        weight = (1 - (detail - index).abs()).clamp_min(0)
        used = weight.nonzero().squeeze(-1)
        if not len(used):
            continue
        places = grid.index_select(0, used)[None, None]
        values = grid_sample(texture[None], places, mode="bilinear", padding_mode="border", align_corners=False)
        found = found.index_add(0, used, values[0, :, 0].T * weight[used, None])
    return found


def _detail(triangles: Tensor, topology: Topology, texels: int) -> Tensor:
    """(F,) mip level of each face, 0 to `MAX_LEVEL`; see `engine.render.texture.face_detail`."""
    one, two = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    on_screen = (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]).abs().clamp_min(1e-6)
    ratio = topology.uv_area.to(on_screen) * texels / on_screen
    return (0.5 * torch.log2(ratio.clamp_min(1e-6))).clamp(0, MAX_LEVEL)
