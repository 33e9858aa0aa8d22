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
from .hair import HairLook, draw_hair, find_hair
from .lighting import irradiance, linear_to_srgb, srgb_to_linear, studio
from .rasterize import Raster, get_rasterizer, screen_triangles
from .texture import MipTexture, by_level, face_detail

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
    alpha = np.ascontiguousarray(premultiplied[..., 3]).reshape(-1)
    drawn = np.flatnonzero(alpha > 0)
    if not len(drawn):
        return
    rows, columns = np.divmod(drawn, part.shape[1])
    alpha, found = alpha[drawn, None], np.take(premultiplied.reshape(-1, 4), drawn, axis=0)
    behind = part[rows, columns]
    if over:
        colour = found[:, :3] + srgb_to_linear(behind[:, :3]) * (1 - alpha)
    else:
        colour = found[:, :3] / alpha
        behind[:, 3] = np.round(alpha[:, 0] * 255)
    behind[:, :3] = np.round(np.clip(linear_to_srgb(np.clip(colour, 0, 1)), 0, 1) * 255)
    part[rows, columns] = behind


def _shade(surface: _Surface, camera: Camera, light: Tensor) -> Tensor:
    """(H,W,4) premultiplied linear colour and coverage, one sample per pixel of this camera."""
    solid, sheer = surface, None
    if surface.opacity is not None:
        clear = (surface.opacity[surface.faces.long()] < 1).any(1)
        solid = replace(surface.part(~clear), opacity=None)
        sheer = surface.part(clear) if clear.any() else None
    triangles, raster = _raster(solid, camera)
    hair = None if surface.hair is None else find_hair(surface.hair, raster.depth, camera)
    # Hair is opaque: what lies behind it is not shaded.
    face = raster.face if hair is None else raster.face.masked_fill(hair.raster.mask, -1)
    picture = _shade_layer(solid, triangles, replace(raster, face=face), camera, light)
    if sheer is not None:
        _shade_over(picture, raster.depth, sheer, camera, light)
    if surface.hair is not None and hair is not None:
        draw_hair(picture, hair, surface.hair, camera, light)
    return picture


def _raster(surface: _Surface, camera: Camera) -> tuple[Tensor, Raster]:
    """The surface's triangles on the screen, and what the camera sees of them."""
    triangles = screen_triangles(surface.vertices, surface.faces, camera)
    return triangles, get_rasterizer()(triangles, (camera.height, camera.width), "none")


def _shade_over(picture: Tensor, depth: Tensor, sheer: _Surface, camera: Camera, light: Tensor) -> None:
    """Draw the nearest layer of a translucent surface over what is behind it, in place."""
    box = _covered_box(sheer.vertices[sheer.faces.unique().long()], camera)
    if box[2] <= box[0] or box[3] <= box[1]:
        return
    view = _crop(camera, box, 1)
    triangles, raster = _raster(sheer, view)
    front = _shade_layer(sheer, triangles, raster, view, light)
    behind = picture[box[1] : box[3], box[0] : box[2]]
    front = front * (raster.depth < depth[box[1] : box[3], box[0] : box[2]])[..., None]
    behind.copy_(front + behind * (1 - front[..., 3:]))


def _shade_layer(surface: _Surface, triangles: Tensor, raster: Raster, camera: Camera, light: Tensor) -> Tensor:
    """(H,W,4) premultiplied colour of the faces that a raster shows, 0 where it shows none."""
    face, weights = raster.face.reshape(-1), raster.barycentrics.reshape(-1, 3)
    result = torch.zeros((len(face), 4), device=light.device)
    shader = _Shader(surface, triangles, camera, light)
    block = SHADED_AT_ONCE if light.device.type == "cpu" else len(face)
    for seen in shader.ordered(face).split(max(block, 1)):
        found = shader.premultiplied(face.index_select(0, seen), weights.index_select(0, seen).T.contiguous())
        result.index_copy_(0, seen, found.T.contiguous())
    return result.reshape(*raster.face.shape, 4)


class _Shader:
    """Colours of seen points. What is the same all over a face is worked out once.

    Points are laid out number by number, (C,P): the processor takes several at a time.
    """

    def __init__(self, surface: _Surface, triangles: Tensor, camera: Camera, light: Tensor) -> None:
        self.surface, self.light = surface, light
        self.eye = torch.tensor(camera.position, dtype=torch.float32, device=light.device)
        corners = surface.faces.long()
        # The inside of an open surface shows its normals turned round.
        inside = (face_normals(surface.vertices, surface.faces) * (self.eye - surface.vertices[corners[:, 0]])).sum(-1)
        normals = surface.normals[corners] * torch.where(inside < 0, -1.0, 1.0)[:, None, None]
        self.normals = _by_corner(normals)
        self.detail = torch.zeros_like(inside)
        if surface.texture is not None and surface.uv is not None and surface.uv_faces is not None:
            height, width = surface.texture.levels[0].shape[:2]
            self.uv = _by_corner(surface.uv[surface.uv_faces.long()])
            self.detail = face_detail(triangles, surface.uv, surface.uv_faces, (height, width))
        else:
            assert surface.colours is not None
            self.colours = _by_corner(surface.colours[corners])
        self.occlusion, self.opacity = (
            None if values is None else _by_corner(values[corners][..., None])
            for values in (surface.occlusion, surface.opacity)
        )

    def ordered(self, face: Tensor) -> Tensor:
        """(P,) where faces (N,) are seen, such that points that read the same texture levels come together."""
        seen = (face >= 0).nonzero().squeeze(-1)
        if self.surface.texture is None:
            return seen
        return seen.index_select(0, by_level(self.detail.index_select(0, face.index_select(0, seen))))

    def premultiplied(self, face: Tensor, weights: Tensor) -> Tensor:
        """(4,P) linear colours times opacity, and opacity, of points given by face (P,) and barycentrics (3,P)."""
        colour = self.colour(face, weights).clamp_(0, 1)
        if self.opacity is None:
            return torch.cat([colour, torch.ones_like(colour[:1])])
        opacity = _blend(self.opacity, face, weights)
        return torch.cat([colour * opacity, opacity])

    def colour(self, face: Tensor, weights: Tensor) -> Tensor:
        """(3,P) linear colours of points."""
        surface = self.surface
        normals = _blend(self.normals, face, weights)
        normals /= (normals * normals).sum(0).sqrt_().clamp_min_(1e-12)
        if surface.texture is not None:
            colour = surface.texture.planes(_blend(self.uv, face, weights), self.detail.index_select(0, face))
        else:
            colour = _blend(self.colours, face, weights)
        colour *= irradiance(normals.T, self.light).T.clamp_min(0)
        if self.occlusion is not None:
            colour *= _blend(self.occlusion, face, weights)
        if surface.gloss is not None:
            strength = surface.gloss.index_select(0, face)
            glossy = (strength > 0).nonzero().squeeze(-1)
            if len(glossy):
                corners = surface.vertices[surface.faces[face[glossy]].long()]
                points = (corners * weights[:, glossy].T[..., None]).sum(1)
                toward_eye = torch.nn.functional.normalize(self.eye - points, dim=-1)
                shine = _highlight(strength[glossy], normals[:, glossy].T, toward_eye, self.light)
                colour.index_add_(1, glossy, shine.T)
        return colour


def _by_corner(values: Tensor) -> Tensor:
    """Values of corners (F,3,C) as (3,C,F)."""
    return values.permute(1, 2, 0).contiguous()


def _blend(corners: Tensor, face: Tensor, weights: Tensor) -> Tensor:
    """Barycentric sum of corner values (3,C,F) at points of faces (P,): (C,P)."""
    first, second, third = corners.flatten(0, 1).index_select(1, face).view(3, -1, len(face))
    return (first * weights[0]).add_(second.mul_(weights[1])).add_(third.mul_(weights[2]))


def _highlight(strength: Tensor, normals: Tensor, toward_eye: Tensor, light: Tensor) -> Tensor:
    """(P,3) Blinn-Phong highlight of the light's main direction (band 1 of the harmonics)."""
    main = light[[3, 1, 2]].mean(-1)
    main = main / torch.linalg.vector_norm(main).clamp_min(1e-6)
    halfway = torch.nn.functional.normalize(main + toward_eye, dim=-1)
    peak = (normals * halfway).sum(-1).clamp_min(0) ** SHININESS
    colour = irradiance(main, light).clamp_min(0)
    return (strength * peak)[:, None] * colour
