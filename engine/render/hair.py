"""Hair over a drawn head: a textured mesh that is cut out where its texture is transparent."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import Camera
from ..hair.shell import HairShell
from .geometry import face_normals, vertex_normals
from .lighting import irradiance, srgb_to_linear
from .rasterize import screen_triangles
from .texture import MipTexture, face_detail
from .zbuffer import Accept, rasterize_zbuffer

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
        texture: linear RGB. opacity: (H,W) bool, where there is hair.
    """

    vertices: Tensor
    faces: Tensor
    uv: Tensor
    uv_faces: Tensor
    texture: MipTexture
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
        MipTexture(torch.as_tensor(srgb_to_linear(hair.albedo[..., :3]), device=device)),
        torch.as_tensor(hair.albedo[..., 3] >= round(CUT * 255), device=device),
    )


def draw_hair(picture: Tensor, depth: Tensor, hair: HairLook, camera: Camera, light: Tensor) -> None:
    """Draw hair over what is nearer than it not, in place.

    Args:
        picture: (H,W,4) premultiplied linear colour and coverage. depth: (H,W) metres, infinite where empty.
        light: (9,3), see `engine.render.lighting`.
    """
    triangles = screen_triangles(hair.vertices, hair.faces, camera)
    raster = rasterize_zbuffer(triangles, (camera.height, camera.width), "none", _cut_out(triangles, hair, depth))
    face, weights = raster.face.reshape(-1), raster.barycentrics.reshape(-1, 3)
    flat = picture.view(-1, 4)
    normals = _normals(hair, camera)
    texture_size = (hair.opacity.shape[0], hair.opacity.shape[1])
    detail = face_detail(triangles, hair.uv, hair.uv_faces, texture_size)
    block = BLOCK if light.device.type == "cpu" else len(face)
    for seen in (face >= 0).nonzero().squeeze(-1).split(max(block, 1)):
        found, share = face[seen].long(), weights[seen]
        normal = torch.nn.functional.normalize((normals[found] * share[..., None]).sum(1), dim=-1)
        place = (hair.uv[hair.uv_faces[found]] * share[..., None]).sum(1)
        colour = hair.texture.sample(place, detail[found]) * irradiance(normal, light).clamp_min(0)
        flat[seen] = torch.cat([colour.clamp(0, 1), torch.ones_like(colour[:, :1])], -1)


def _cut_out(triangles: Tensor, hair: HairLook, depth: Tensor) -> Accept:
    """Accepts what is nearer than `depth` and opaque; texture places are taken as linear on the screen."""
    height, width = hair.opacity.shape
    corners = hair.uv[hair.uv_faces] * hair.uv.new_tensor([width, -height]) + hair.uv.new_tensor([0.0, height])
    edge_1, edge_2 = triangles[:, 1, :2] - triangles[:, 0, :2], triangles[:, 2, :2] - triangles[:, 0, :2]
    area = edge_1[:, 0] * edge_2[:, 1] - edge_1[:, 1] * edge_2[:, 0]
    area = torch.where(area.abs() < 1e-9, torch.full_like(area, 1e-9), area)[:, None]
    rise_1, rise_2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    slope_x = (rise_1 * edge_2[:, 1:] - rise_2 * edge_1[:, 1:]) / area
    slope_y = (rise_2 * edge_1[:, :1] - rise_1 * edge_2[:, :1]) / area
    origin = corners[:, 0] - slope_x * triangles[:, 0, :1] - slope_y * triangles[:, 0, 1:2]
    planes = torch.cat([origin, slope_x, slope_y], 1)
    nearest = depth.reshape(-1).reciprocal()
    columns, opaque = depth.shape[1], hair.opacity.reshape(-1)

    def accept(tag: Tensor, pixel: Tensor, inverse: Tensor) -> Tensor:
        near = inverse > nearest[pixel]
        kept = near.nonzero().squeeze(-1)
        at, plane = pixel[kept], planes[tag[kept]]
        row = torch.div(at, columns, rounding_mode="floor")
        x, y = (at - row * columns) + 0.5, row + 0.5
        u = (plane[:, 0] + plane[:, 2] * x + plane[:, 4] * y).long().clamp_(0, width - 1)
        v = (plane[:, 1] + plane[:, 3] * x + plane[:, 5] * y).long().clamp_(0, height - 1)
        near[kept] = opaque[v * width + u]
        return near

    return accept


def _normals(hair: HairLook, camera: Camera) -> Tensor:
    """(F,3,3) unit normals at the corners, turned to the camera's side and bent to those of a rounded whole."""
    own = vertex_normals(hair.vertices, hair.faces)[hair.faces]
    eye = torch.tensor(camera.position, dtype=torch.float32, device=hair.vertices.device)
    away = (face_normals(hair.vertices, hair.faces) * (eye - hair.vertices[hair.faces[:, 0]])).sum(-1)
    own = own * torch.where(away < 0, -1.0, 1.0)[:, None, None]
    low, high = hair.vertices.amin(0), hair.vertices.amax(0)
    whole = torch.nn.functional.normalize(hair.vertices - (low + high) / 2, dim=-1)[hair.faces]
    return torch.nn.functional.normalize(own * (1 - ROUNDNESS) + whole * ROUNDNESS, dim=-1)
