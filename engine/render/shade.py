"""Pictures of heads: textured or clay, under spherical-harmonics light. NumPy in, NumPy out, torch inside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import Camera
from .geometry import vertex_normals
from .lighting import irradiance, linear_to_srgb, srgb_to_linear, studio
from .rasterize import Raster, get_rasterizer, screen_triangles
from .texture import MipTexture, face_detail

CLAY = (0.72, 0.69, 0.66)
SAMPLES_AT_ONCE = 3_000_000
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
    """

    vertices: Tensor
    normals: Tensor
    faces: Tensor
    colours: Tensor | None = None
    texture: MipTexture | None = None
    uv: Tensor | None = None
    uv_faces: Tensor | None = None
    gloss: Tensor | None = None


@torch.no_grad()
def render_head(
    vertices: NDArray,
    faces: NDArray,
    uv: NDArray,
    uv_faces: NDArray,
    albedo: NDArray[np.uint8],
    camera: Camera,
    illumination: NDArray,
    background: NDArray[np.uint8] | None = None,
    supersample: int | None = None,
    gloss: NDArray | None = None,
    device: str = "cpu",
) -> NDArray[np.uint8]:
    """A textured head through a camera.

    Args:
        vertices: (V,3) metres, world.
        faces, uv_faces: (F,3). uv: (T,2), origin lower left.
        albedo: (S,S,3) uint8 sRGB, row 0 is v = 1.
        camera: the view; its size is the picture's.
        illumination: (9,3), see `engine.render.lighting`.
        background: (H,W,3) uint8 to draw over, or None for transparency.
        supersample: samples per pixel along one side; None takes 2, or 1 where the head fills a very large picture.
        gloss: (F,) strength of a small highlight on each face (for eyes), or None.
        device: where torch runs.
    Returns:
        (H,W,4) uint8 sRGB, alpha not premultiplied; alpha is 255 all over with a background.
    """
    texture = MipTexture(torch.as_tensor(srgb_to_linear(albedo[..., :3]), device=device))
    surface = _surface(
        vertices,
        faces,
        device,
        texture=texture,
        uv=torch.tensor(uv, dtype=torch.float32, device=device),
        uv_faces=torch.tensor(uv_faces, device=device),
        gloss=None if gloss is None else torch.tensor(gloss, dtype=torch.float32, device=device),
    )
    return _render(surface, camera, illumination, background, supersample)


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
    triangles = torch.tensor(faces, device=device)
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
    if supersample is None:
        supersample = 2 if 4 * (box[2] - box[0]) * (box[3] - box[1]) < AUTO_SUPERSAMPLE_LIMIT else 1
    for x0, y0, x1, y1 in _strips(box, supersample):
        premultiplied = _shade(surface, _crop(camera, (x0, y0, x1, y1), supersample), light)
        averaged = premultiplied.reshape(y1 - y0, supersample, x1 - x0, supersample, 4).mean((1, 3))
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
    triangles = screen_triangles(surface.vertices, surface.faces, camera)
    raster = get_rasterizer()(triangles, (camera.height, camera.width), "none")
    result = torch.zeros((*raster.face.shape, 4), device=light.device)
    at = raster.mask.nonzero(as_tuple=True)
    face, weights = raster.face[at].long(), raster.barycentrics[at]
    normals, toward_eye = _seen_normals(surface, raster, at, camera)
    lit = irradiance(normals, light).clamp_min(0)
    colour = _albedo(surface, triangles, face, weights) * lit
    if surface.gloss is not None:
        colour = colour + _highlight(surface.gloss[face], normals, toward_eye, light)
    result[at] = torch.cat([colour.clamp(0, 1), torch.ones_like(colour[:, :1])], -1)
    return result


def _seen_normals(surface: _Surface, raster: Raster, at: tuple[Tensor, ...], camera: Camera) -> tuple[Tensor, Tensor]:
    """Unit normals (P,3), turned towards the viewer on back faces, and unit directions (P,3) to the viewer."""
    corners = surface.faces[raster.face[at].long()].long()
    weights = raster.barycentrics[at][..., None]
    normals = (surface.normals[corners] * weights).sum(1)
    points = (surface.vertices[corners] * weights).sum(1)
    eye = torch.tensor(camera.position, dtype=points.dtype, device=points.device)
    toward_eye = torch.nn.functional.normalize(eye - points, dim=-1)
    a, b, c = surface.vertices[corners].unbind(1)
    behind = (torch.linalg.cross(b - a, c - a) * toward_eye).sum(-1, keepdim=True) < 0
    normals = torch.nn.functional.normalize(torch.where(behind, -normals, normals), dim=-1)
    return normals, toward_eye


def _albedo(surface: _Surface, triangles: Tensor, face: Tensor, weights: Tensor) -> Tensor:
    """(P,3) linear albedo of the seen points."""
    if surface.texture is None or surface.uv is None or surface.uv_faces is None:
        assert surface.colours is not None
        return (surface.colours[surface.faces[face].long()] * weights[..., None]).sum(1)
    uv = (surface.uv[surface.uv_faces[face].long()] * weights[..., None]).sum(1)
    size = surface.texture.levels[0].shape
    detail = face_detail(triangles, surface.uv, surface.uv_faces, (size[0], size[1]))
    return surface.texture.sample(uv, detail[face])


def _highlight(strength: Tensor, normals: Tensor, toward_eye: Tensor, light: Tensor) -> Tensor:
    """(P,3) Blinn-Phong highlight of the light's main direction (band 1 of the harmonics)."""
    main = light[[3, 1, 2]].mean(-1)
    main = main / torch.linalg.vector_norm(main).clamp_min(1e-6)
    halfway = torch.nn.functional.normalize(main + toward_eye, dim=-1)
    peak = (normals * halfway).sum(-1).clamp_min(0) ** SHININESS
    colour = irradiance(main, light).clamp_min(0)
    return (strength * peak)[:, None] * colour
