"""Hair over a drawn head: a textured mesh that is cut out where its texture is transparent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import Camera
from ..hair.shell import HairShell
from .geometry import face_normals, vertex_normals
from .lighting import irradiance, srgb_to_linear
from .rasterize import Raster, screen_triangles
from .texture import MipTexture, face_detail
from .zbuffer import CutOut, rasterize_zbuffer

CUT = 0.5
"""Opacity from which hair is drawn."""
ROUNDNESS = 0.55
"""How far the normals of single locks are bent to those of the whole head of hair, which light shows as one body."""
BLOCK = 1 << 15


@dataclass(frozen=True)
class HairLook:
    """Hair made ready for drawing.

    Attributes:
        vertices: (N,3) metres. faces, uv_faces: (F,3) int64. uv: (T,2).
        texels: linear RGB. opacity: (H,W) bool, where there is hair.
    """

    vertices: Tensor
    faces: Tensor
    uv: Tensor
    uv_faces: Tensor
    texels: Texels
    opacity: Tensor

    def at(self, vertices: NDArray) -> HairLook:
        """The same hair with other vertex positions (N,3)."""
        points = torch.tensor(vertices, dtype=torch.float32, device=self.vertices.device)
        return replace(self, vertices=points)


def hair_look(hair: HairShell, device: str = "cpu") -> HairLook:
    """Make hair ready for drawing."""
    return HairLook(
        torch.tensor(hair.vertices, device=device),
        torch.tensor(hair.faces, dtype=torch.int64, device=device),
        torch.tensor(hair.uv, device=device),
        torch.tensor(hair.uv_faces, dtype=torch.int64, device=device),
        Texels(MipTexture(torch.as_tensor(srgb_to_linear(hair.albedo[..., :3]), device=device))),
        torch.as_tensor(hair.albedo[..., 3] >= round(CUT * 255), device=device),
    )


@dataclass(frozen=True)
class HairSeen:
    """Where a camera sees hair.

    Attributes:
        triangles: (F,3,3) screen space.
        raster: of the camera's size.
    """

    triangles: Tensor
    raster: Raster


def find_hair(hair: HairLook, depth: Tensor, camera: Camera) -> HairSeen:
    """Hair where it is nearer than what is drawn already, depth (H,W) metres, infinite where empty."""
    triangles = screen_triangles(hair.vertices, hair.faces, camera)
    cut = CutOut(depth.reshape(-1).reciprocal(), _opaque(triangles, hair, depth.shape[1]))
    return HairSeen(triangles, rasterize_zbuffer(triangles, (camera.height, camera.width), "none", cut))


def draw_hair(picture: Tensor, seen: HairSeen, hair: HairLook, camera: Camera, light: Tensor) -> None:
    """Draw hair over a picture, in place.

    Light is worked out at the corners of faces, and one texel is read per sample: strands are small and many.

    Args:
        picture: (H,W,4) premultiplied linear colour and coverage.
        light: (9,3), see `engine.render.lighting`.
    """
    face, weights = seen.raster.face.reshape(-1), seen.raster.barycentrics.reshape(-1, 3)
    pixels = (face >= 0).nonzero().squeeze(-1)
    if not len(pixels):
        return
    lit = irradiance(_normals(hair, camera), light).clamp_min(0)
    level = face_detail(seen.triangles, hair.uv, hair.uv_faces, (hair.opacity.shape[0], hair.opacity.shape[1]))
    level = level.round().long().clamp_(0, hair.texels.levels - 1)
    corners = torch.cat([lit, hair.uv[hair.uv_faces]], -1).permute(1, 2, 0).reshape(15, -1).contiguous()
    flat = picture.view(-1, 4)
    for part in pixels.split(BLOCK if light.device.type == "cpu" else len(pixels)):
        shown = face.index_select(0, part)
        first, second, third = corners.index_select(1, shown).view(3, 5, -1)
        one, two, three = weights.index_select(0, part).T.contiguous()
        values = first * one + second * two + third * three
        colour = hair.texels.read(values[3], values[4], level.index_select(0, shown)) * values[:3].T
        flat.index_copy_(0, part, torch.nn.functional.pad(colour.clamp_(0, 1), (0, 1), value=1.0))


class Texels:
    """All levels of a texture in one row, to read single texels of any level."""

    def __init__(self, texture: MipTexture) -> None:
        device = texture.levels[0].device
        shapes = torch.tensor([level.shape[:2] for level in texture.levels], device=device)
        self.levels = len(shapes)
        self.height, self.width = shapes.unbind(1)
        self.start = torch.cat([shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]])
        self.values = torch.cat([level.reshape(-1, level.shape[-1]) for level in texture.levels])

    def read(self, u: Tensor, v: Tensor, level: Tensor) -> Tensor:
        """(N,C) the texels at u, v (N,), origin lower left, of levels (N,)."""
        width, height, start = (values.index_select(0, level) for values in (self.width, self.height, self.start))
        x = torch.minimum((u * width).long().clamp_min_(0), width - 1)
        y = torch.minimum(((1 - v) * height).long().clamp_min_(0), height - 1)
        return self.values.index_select(0, start + y * width + x)


def _opaque(triangles: Tensor, hair: HairLook, columns: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Says of faces (M,) at pixels (M,) where they are opaque; texture places are taken as linear on the screen."""
    height, width = hair.opacity.shape
    corners = hair.uv[hair.uv_faces] * hair.uv.new_tensor([width, -height]) + hair.uv.new_tensor([0.0, height])
    edge_1, edge_2 = triangles[:, 1, :2] - triangles[:, 0, :2], triangles[:, 2, :2] - triangles[:, 0, :2]
    area = edge_1[:, 0] * edge_2[:, 1] - edge_1[:, 1] * edge_2[:, 0]
    area = torch.where(area.abs() < 1e-9, torch.full_like(area, 1e-9), area)[:, None]
    rise_1, rise_2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    slope_x = (rise_1 * edge_2[:, 1:] - rise_2 * edge_1[:, 1:]) / area
    slope_y = (rise_2 * edge_1[:, :1] - rise_1 * edge_2[:, :1]) / area
    origin = corners[:, 0] - slope_x * triangles[:, 0, :1] - slope_y * triangles[:, 0, 1:2]
    planes = torch.cat([origin, slope_x, slope_y], 1).T.contiguous()
    there = hair.opacity.reshape(-1)

    def opaque(tag: Tensor, pixel: Tensor) -> Tensor:
        plane = planes.index_select(1, tag)
        row = torch.div(pixel, columns, rounding_mode="floor")
        x, y = (pixel - row * columns) + 0.5, row + 0.5
        u, v = plane[0:2] + plane[2:4] * x + plane[4:6] * y
        place = v.long().clamp_(0, height - 1) * width + u.long().clamp_(0, width - 1)
        return there.index_select(0, place)

    return opaque


def _normals(hair: HairLook, camera: Camera) -> Tensor:
    """(F,3,3) unit normals at the corners, turned to the camera's side and bent to those of a rounded whole."""
    own = vertex_normals(hair.vertices, hair.faces)[hair.faces]
    eye = torch.tensor(camera.position, dtype=torch.float32, device=hair.vertices.device)
    away = (face_normals(hair.vertices, hair.faces) * (eye - hair.vertices[hair.faces[:, 0]])).sum(-1)
    own = own * torch.where(away < 0, -1.0, 1.0)[:, None, None]
    low, high = hair.vertices.amin(0), hair.vertices.amax(0)
    whole = torch.nn.functional.normalize(hair.vertices - (low + high) / 2, dim=-1)[hair.faces]
    return torch.nn.functional.normalize(own * (1 - ROUNDNESS) + whole * ROUNDNESS, dim=-1)
