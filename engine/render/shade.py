"""Pictures of heads: textured or clay, under spherical-harmonics light. NumPy in, NumPy out, torch inside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import Camera
from .geometry import face_normals, vertex_normals
from .hair import HairLook, draw_hair
from .lighting import irradiance, linear_to_srgb, srgb_to_linear, studio
from .rasterize import get_rasterizer, screen_triangles
from .texture import MipTexture, face_detail

CLAY = (0.72, 0.69, 0.66)
SAMPLES_AT_ONCE = 2_000_000
SHADED_AT_ONCE = 1 << 15
AUTO_SUPERSAMPLE_LIMIT = 6_000_000
SHININESS = 180.0
"""Exponent of the eye highlight: a wet cornea under a window."""


@dataclass(frozen=True)
class _Surface:
    """What is drawn, on the device.

    Attributes:
        vertices: (V,3). normals: (V,3) unit. faces: (F,3).
        colours: (V,3) linear, where there is no texture.
        texture, uv, uv_faces: where there is.
        gloss: (F,) highlight strength or None.
        opacity: (V,) 0..1; faces with a corner below 1 are drawn over the others, their nearest layer only. Or None.
        occlusion: (V,) 0..1 share of the light that arrives, or None.
        hair: drawn over it, or None.
    """

    vertices: Tensor
    normals: Tensor
    faces: Tensor
    colours: Tensor | None = None
    texture: MipTexture | None = None
    uv: Tensor | None = None
    uv_faces: Tensor | None = None
    gloss: Tensor | None = None
    opacity: Tensor | None = None
    occlusion: Tensor | None = None
    hair: HairLook | None = None

    def part(self, chosen: Tensor) -> _Surface:
        """Only the chosen faces (F,) bool."""
        return replace(
            self,
            faces=self.faces[chosen],
            uv_faces=None if self.uv_faces is None else self.uv_faces[chosen],
            gloss=None if self.gloss is None else self.gloss[chosen],
        )


@torch.no_grad()
def render_head(
    vertices: NDArray,
    faces: NDArray,
    uv: NDArray,
    uv_faces: NDArray,
    albedo: NDArray[np.uint8] | MipTexture,
    camera: Camera,
    illumination: NDArray,
    background: NDArray[np.uint8] | None = None,
    supersample: int | None = None,
    gloss: NDArray | None = None,
    opacity: NDArray | None = None,
    occlusion: NDArray | None = None,
    hair: HairLook | None = None,
    device: str = "cpu",
) -> NDArray[np.uint8]:
    """A textured head through a camera.

    Args:
        vertices: (V,3) metres, world.
        faces, uv_faces: (F,3). uv: (T,2), origin lower left.
        albedo: (S,S,3) uint8 sRGB, row 0 is v = 1; or its `linear_texture`, to draw several pictures with.
        camera: the view; its size is the picture's.
        illumination: (9,3), see `engine.render.lighting`.
        background: (H,W,3) uint8 to draw over, or None for transparency.
        supersample: samples per pixel along one side; None takes 2, or 1 where the head fills a very large picture.
        gloss: (F,) strength of a small highlight on each face (for eyes), or None. See `engine.render.look`.
        opacity: (V,) for lashes, or None: all opaque.
        occlusion: (V,) share of the light that reaches each vertex, or None: all.
        hair: an object of its own over the head (`engine.render.hair.hair_look`), or None.
        device: where torch runs.
    Returns:
        (H,W,4) uint8 sRGB, alpha not premultiplied; alpha is 255 all over with a background.
    """
    texture = albedo if isinstance(albedo, MipTexture) else linear_texture(albedo, device)
    surface = _surface(
        vertices,
        faces,
        device,
        texture=texture,
        uv=torch.tensor(uv, dtype=torch.float32, device=device),
        uv_faces=torch.tensor(uv_faces, device=device),
        gloss=None if gloss is None else torch.tensor(gloss, dtype=torch.float32, device=device),
        opacity=None if opacity is None else torch.tensor(opacity, dtype=torch.float32, device=device),
        occlusion=None if occlusion is None else torch.tensor(occlusion, dtype=torch.float32, device=device),
        hair=hair,
    )
    return _render(surface, camera, illumination, background, supersample)


def linear_texture(albedo: NDArray[np.uint8], device: str = "cpu") -> MipTexture:
    """An albedo (S,S,3) uint8 sRGB made ready for drawing."""
    return MipTexture(torch.as_tensor(srgb_to_linear(albedo[..., :3]), device=device))


@torch.no_grad()
def render_clay(
    vertices: NDArray,
    faces: NDArray,
    camera: Camera,
    illumination: NDArray | None = None,
    background: NDArray[np.uint8] | None = None,
    supersample: int | None = None,
    colours: NDArray | None = None,
    device: str = "cpu",
) -> NDArray[np.uint8]:
    """An untextured head, in plain clay or with a linear colour (V,3) per vertex. Otherwise like `render_head`."""
    painted = np.broadcast_to(np.array(CLAY) ** 2.2 if colours is None else colours, (len(vertices), 3))
    surface = _surface(vertices, faces, device, colours=torch.tensor(painted, dtype=torch.float32, device=device))
    return _render(surface, camera, studio() if illumination is None else illumination, background, supersample)


def _surface(vertices: NDArray, faces: NDArray, device: str, **look) -> _Surface:
    points = torch.tensor(vertices, dtype=torch.float32, device=device)
    triangles = torch.tensor(np.ascontiguousarray(faces), device=device)
    return _Surface(points, vertex_normals(points, triangles), triangles, **look)


def _render(
    surface: _Surface,
    camera: Camera,
    illumination: NDArray,
    background: NDArray[np.uint8] | None,
    supersample: int | None,
) -> NDArray[np.uint8]:
    """Draw the part of the picture that the head covers, in strips that bound the memory."""
    light = torch.tensor(illumination, dtype=torch.float32, device=surface.vertices.device)
    picture = np.zeros((camera.height, camera.width, 4), np.uint8)
    if background is not None:
        picture[..., :3] = background[..., :3]
        picture[..., 3] = 255
    box = _covered_box(surface.vertices, camera)
    if surface.hair is not None:
        other = _covered_box(surface.hair.vertices, camera)
        box = min(box[0], other[0]), min(box[1], other[1]), max(box[2], other[2]), max(box[3], other[3])
    if supersample is None:
        supersample = 2 if 4 * (box[2] - box[0]) * (box[3] - box[1]) < AUTO_SUPERSAMPLE_LIMIT else 1
    for x0, y0, x1, y1 in _strips(box, supersample):
        premultiplied = _shade(surface, _crop(camera, (x0, y0, x1, y1), supersample), light)
        averaged = _average(premultiplied, supersample)
        part = picture[y0:y1, x0:x1]
        _compose(part, averaged.cpu().numpy(), background is not None)
    return picture


def _covered_box(vertices: Tensor, camera: Camera) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the pixels the vertices span; the whole picture if some are behind the camera."""
    points = vertices.cpu().numpy().astype(np.float64)
    if camera.to_camera(points)[:, 2].min() <= 0:
        return 0, 0, camera.width, camera.height
    pixels = camera.project(points)
    limit = np.array([camera.width, camera.height])
    low = np.clip(np.floor(pixels.min(0)) - 1, 0, limit).astype(int)
    high = np.clip(np.ceil(pixels.max(0)) + 1, low, limit).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _strips(box: tuple[int, int, int, int], supersample: int) -> Iterator[tuple[int, int, int, int]]:
    x0, y0, x1, y1 = box
    if x1 <= x0 or y1 <= y0:
        return
    rows = max(1, SAMPLES_AT_ONCE // ((x1 - x0) * supersample**2))
    for top in range(y0, y1, rows):
        yield x0, top, x1, min(top + rows, y1)


def _crop(camera: Camera, box: tuple[int, int, int, int], factor: int) -> Camera:
    """The camera of a part of the picture, enlarged by a whole number."""
    x0, y0, x1, y1 = box
    K = camera.K.copy()
    K[:2, 2] -= (x0, y0)
    K[:2] *= factor
    return Camera(K, camera.world_to_camera, (x1 - x0) * factor, (y1 - y0) * factor)


def _average(samples: Tensor, factor: int) -> Tensor:
    """(H*factor,W*factor,C) to (H,W,C)."""
    total = samples[::factor, ::factor].clone()
    for row in range(factor):
        for column in range(factor):
            if row or column:
                total += samples[row::factor, column::factor]
    return total / factor**2


def _compose(part: NDArray[np.uint8], premultiplied: NDArray, over: bool) -> None:
    """Write premultiplied linear RGBA (h,w,4) into `part` (h,w,4) uint8, over what is there or as straight alpha."""
    alpha = premultiplied[..., 3:]
    drawn = alpha[..., 0] > 0
    if over:
        colour = premultiplied[drawn, :3] + srgb_to_linear(part[drawn, :3]) * (1 - alpha[drawn])
    else:
        colour = premultiplied[drawn, :3] / alpha[drawn]
        part[drawn, 3] = np.round(alpha[drawn, 0] * 255)
    part[drawn, :3] = np.round(np.clip(linear_to_srgb(np.clip(colour, 0, 1)), 0, 1) * 255)


def _shade(surface: _Surface, camera: Camera, light: Tensor) -> Tensor:
    """(H,W,4) premultiplied linear colour and coverage, one sample per pixel of this camera."""
    if surface.opacity is None:
        picture, depth = _shade_layer(surface, camera, light)
    else:
        sheer = (surface.opacity[surface.faces.long()] < 1).any(1)
        picture, depth = _shade_layer(surface.part(~sheer), camera, light)
        if sheer.any():
            _shade_over(picture, depth, surface.part(sheer), camera, light)
    if surface.hair is not None:
        draw_hair(picture, depth, surface.hair, camera, light)
    return picture


def _shade_over(picture: Tensor, depth: Tensor, sheer: _Surface, camera: Camera, light: Tensor) -> None:
    """Draw the nearest layer of a translucent surface over what is behind it, in place."""
    box = _covered_box(sheer.vertices[sheer.faces.unique().long()], camera)
    if box[2] <= box[0] or box[3] <= box[1]:
        return
    front, front_depth = _shade_layer(sheer, _crop(camera, box, 1), light)
    behind = picture[box[1] : box[3], box[0] : box[2]]
    front = front * (front_depth < depth[box[1] : box[3], box[0] : box[2]])[..., None]
    behind.copy_(front + behind * (1 - front[..., 3:]))


def _shade_layer(surface: _Surface, camera: Camera, light: Tensor) -> tuple[Tensor, Tensor]:
    """(H,W,4) premultiplied colour of the nearest faces, and their depth (H,W)."""
    triangles = screen_triangles(surface.vertices, surface.faces, camera)
    raster = get_rasterizer()(triangles, (camera.height, camera.width), "none")
    face, weights = raster.face.reshape(-1), raster.barycentrics.reshape(-1, 3)
    result = torch.zeros((len(face), 4), device=light.device)
    shader = _Shader(surface, triangles, camera, light)
    block = SHADED_AT_ONCE if light.device.type == "cpu" else len(face)
    for seen in (face >= 0).nonzero().squeeze(-1).split(max(block, 1)):
        result[seen] = shader.premultiplied(face[seen].long(), weights[seen])
    return result.reshape(*raster.face.shape, 4), raster.depth


class _Shader:
    """Colours of seen points. What is the same all over a face is worked out once."""

    def __init__(self, surface: _Surface, triangles: Tensor, camera: Camera, light: Tensor) -> None:
        self.surface, self.light = surface, light
        self.eye = torch.tensor(camera.position, dtype=torch.float32, device=light.device)
        corners = surface.faces.long()
        # The inside of an open surface shows its normals turned round.
        inside = (face_normals(surface.vertices, surface.faces) * (self.eye - surface.vertices[corners[:, 0]])).sum(-1)
        self.normals = surface.normals[corners] * torch.where(inside < 0, -1.0, 1.0)[:, None, None]
        if surface.texture is not None and surface.uv is not None and surface.uv_faces is not None:
            height, width = surface.texture.levels[0].shape[:2]
            self.uv = surface.uv[surface.uv_faces.long()]
            self.detail = face_detail(triangles, surface.uv, surface.uv_faces, (height, width))

    def premultiplied(self, face: Tensor, weights: Tensor) -> Tensor:
        """(P,4) linear colours times opacity, and opacity, of points given by face (P,) and barycentrics (P,3)."""
        colour = self.colour(face, weights).clamp_(0, 1)
        opacity = torch.ones_like(colour[:, :1])
        if self.surface.opacity is not None:
            opacity = _blend(self.surface.opacity[self.surface.faces[face].long()][..., None], weights)
        return torch.cat([colour * opacity, opacity], -1)

    def colour(self, face: Tensor, weights: Tensor) -> Tensor:
        """(P,3) linear colours of points."""
        surface = self.surface
        normals = torch.nn.functional.normalize(_blend(self.normals[face], weights), dim=-1)
        if surface.texture is not None:
            albedo = surface.texture.sample(_blend(self.uv[face], weights), self.detail[face])
        else:
            assert surface.colours is not None
            albedo = _blend(surface.colours[surface.faces[face].long()], weights)
        colour = albedo * irradiance(normals, self.light).clamp_min(0)
        if surface.occlusion is not None:
            colour = colour * _blend(surface.occlusion[surface.faces[face].long()][..., None], weights)
        if surface.gloss is not None:
            glossy = (surface.gloss[face] > 0).nonzero().squeeze(-1)
            points = _blend(surface.vertices[surface.faces[face[glossy]].long()], weights[glossy])
            toward_eye = torch.nn.functional.normalize(self.eye - points, dim=-1)
            shine = _highlight(surface.gloss[face[glossy]], normals[glossy], toward_eye, self.light)
            colour = colour.index_add(0, glossy, shine)
        return colour


def _blend(corners: Tensor, weights: Tensor) -> Tensor:
    """Barycentric sum of corner values (P,3,C): (P,C)."""
    first, second, third = corners.unbind(1)
    return first * weights[:, :1] + second * weights[:, 1:2] + third * weights[:, 2:]


def _highlight(strength: Tensor, normals: Tensor, toward_eye: Tensor, light: Tensor) -> Tensor:
    """(P,3) Blinn-Phong highlight of the light's main direction (band 1 of the harmonics)."""
    main = light[[3, 1, 2]].mean(-1)
    main = main / torch.linalg.vector_norm(main).clamp_min(1e-6)
    halfway = torch.nn.functional.normalize(main + toward_eye, dim=-1)
    peak = (normals * halfway).sum(-1).clamp_min(0) ** SHININESS
    colour = irradiance(main, light).clamp_min(0)
    return (strength * peak)[:, None] * colour
