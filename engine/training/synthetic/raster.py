"""The quick renderer: batches of scenes by the engine's own rasteriser, on the CPU or a GPU, with exact labels.

Opaque surfaces are shaded once per sample (deferred), lashes and lenses are laid over them, four samples make a pixel.
Light is soft harmonics, dimmed where a shadow map from the sky says so, and lamps with shadow maps; skin scatters the
lamps' light a little beyond their terminator, red most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...heads.model import HeadModel
from ...render.lighting import linear_to_srgb, sh_basis, srgb_to_linear
from ...render.rasterize import Raster, get_rasterizer
from .batch import SUPERSAMPLE, Batch, HeadLook
from .scene import REGIONS, Scene

SHADOW_SIDE = 256
SHADOW_SLACK, SHADOW_LIFT = 0.004, 0.004
"""Metres behind a shadow map's surface that still count as lit, and that a place is lifted off its own surface: a
surface that light only grazes must not shade itself in stripes."""
SHADOW_TAPS = ((0.0, 0.0), (1.0, 0.3), (-0.3, 1.0), (-1.0, -0.3), (0.3, -1.0))
PENUMBRA = 0.06
"""Metres between what casts a shadow and what it falls on, for the width of its edge."""
SKY_SHARE = 0.45
"""Of the soft light, lost where the sky is hidden: under hats, hair and chins."""
SCATTER = (0.30, 0.14, 0.09)
"""How far lamps' light wraps round skin, red to blue."""
SKIN_GLOSS, SKIN_SHININESS, EYE_GLOSS, EYE_SHININESS = 0.05, 18.0, 0.6, 160.0
SEEN_SLACK = 0.003
"""Metres that a vertex may lie behind what is seen in its place and still count as visible."""
AT_ONCE = 1 << 16
"""Samples shaded at once on the CPU: they stay in its cache."""
EYE = REGIONS.index("eye")


@dataclass(frozen=True)
class Picture:
    """A rendered scene and its labels, side S pixels.

    Attributes:
        image: (S,S,3) uint8 sRGB.
        regions: (S,S) uint8, indices of `REGIONS`.
        depth: (S,S) float32 metres along the optical axis; infinite in the background.
        visible: (V,) bool, head vertices that are seen.
        normals: (S,S,3) float32, head frame; zero in the background. None unless asked for.
        uv: (S,S,2) float32 of the head's surface; NaN elsewhere. None unless asked for.
    """

    image: NDArray[np.uint8]
    regions: NDArray[np.uint8]
    depth: NDArray[np.float32]
    visible: NDArray[np.bool_]
    normals: NDArray[np.float32] | None = None
    uv: NDArray[np.float32] | None = None


class RasterRenderer:
    """Draws scenes of one head model.

    Args:
        head: the model that all scenes pose.
        device: where torch runs.
        maps: also give normals and UV.
    """

    def __init__(self, head: HeadModel, device: str = "cpu", maps: bool = False) -> None:
        self.look = HeadLook.of(head, device)
        self.maps = maps

    @torch.no_grad()
    def __call__(self, scenes: Sequence[Scene]) -> list[Picture]:
        """Draw scenes whose pictures have one size."""
        batch = Batch.of(scenes, self.look)
        size = scenes[0].camera.width * SUPERSAMPLE
        raster = get_rasterizer()(batch.triangles(sheer=False), (size, size))
        shader = _Shader(batch)
        samples = shader.backgrounds(size)
        regions = torch.zeros(raster.face.shape, dtype=torch.uint8, device=samples.device)
        for seen in _blocks(raster.face):
            colour, _, region = shader.shade(raster, seen)
            samples[seen] = colour
            regions[seen] = region
        if batch.sheer.any():
            self._lay_over(batch, shader, raster, samples, regions)
        image = samples.unflatten(1, (-1, SUPERSAMPLE)).unflatten(3, (-1, SUPERSAMPLE)).mean((2, 4))
        image = (linear_to_srgb(image.clamp(0, 1)) * 255).round().to(torch.uint8).cpu().numpy()
        visible = _visible(batch, raster).cpu().numpy()
        inner = slice(1, None, SUPERSAMPLE)  # the sample next to the corner that pixels of half the size share
        pick = (slice(None), inner, inner)
        regions, depth = regions[pick].cpu().numpy(), raster.depth[pick].cpu().numpy()
        pictures = [Picture(*parts) for parts in zip(image, regions, depth, visible, strict=True)]
        return [shader.with_maps(p, raster, n) for n, p in enumerate(pictures)] if self.maps else pictures

    def _lay_over(self, batch: Batch, shader: _Shader, raster: Raster, samples: Tensor, regions: Tensor) -> None:
        """Blend the nearest layer of lashes and lenses over the samples, in place."""
        size = raster.face.shape[-1]
        sheer = get_rasterizer()(batch.triangles(sheer=True), (size, size))
        nearer = (sheer.face >= 0) & (sheer.depth < raster.depth)
        for seen in _blocks(torch.where(nearer, sheer.face, -1)):
            colour, opacity, region = shader.shade(sheer, seen)
            samples[seen] = colour * opacity + samples[seen] * (1 - opacity)
            hides = (opacity[:, 0] > 0.5) & (region != EYE)  # a lash hides no eye
            regions[seen] = torch.where(hides, region, regions[seen])


class _Shader:
    """Colours of seen samples of a batch.

    Everything that vertices carry lies side by side in one table, so that a sample gathers it at once: place, normal,
    occlusion, colour and gloss of props, opacity, and the place in each shadow map.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.scatter = batch.vertices.new_tensor(SCATTER)
        slots = range(batch.lamp_direction.shape[1])
        self.shadows = [_ShadowMap(batch, slot) for slot in slots if slot == 0 or batch.lamp_colour[:, slot].any()]
        single = [batch.occlusion[..., None], batch.colours, batch.opacity[..., None]]
        columns = [batch.vertices, batch.normals, *single, *(shadow.places for shadow in self.shadows)]
        self.widths = [column.shape[-1] for column in columns]
        self.table = torch.cat(columns, -1).flatten(0, 1)
        main = torch.nn.functional.normalize(batch.light[:, [3, 1, 2]].mean(-1), dim=-1)
        self.window_direction = main
        self.window = torch.einsum("bk,bkc->bc", sh_basis(main), batch.light).clamp_min(0)

    def backgrounds(self, size: int) -> Tensor:
        """(B,size,size,3) linear."""
        pictures = srgb_to_linear(self.batch.background.float() / 255)
        factor = size // pictures.shape[1]
        return pictures.repeat_interleave(factor, 1).repeat_interleave(factor, 2)

    def shade(self, raster: Raster, seen: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Linear colours (P,3), opacities (P,1) and regions (P,) of the samples `seen` (scene, row, column)."""
        batch, scene = self.batch, seen[0]
        face, weights = raster.face[seen].long(), raster.barycentrics[seen]
        carried = _blend(self.table[batch.corners(scene, face)], weights).split(self.widths, -1)
        point, normal, occlusion, painted, opacity = carried[:5]
        normal = torch.nn.functional.normalize(normal, dim=-1)
        toward_eye = torch.nn.functional.normalize(batch.eye[scene] - point, dim=-1)
        normal = torch.where((normal * toward_eye).sum(-1, keepdim=True) < 0, -normal, normal)
        albedo, region, gloss, skin = self._surface(scene, face, painted, weights)
        light = torch.zeros_like(albedo)
        for number, harmonics in enumerate(batch.light):  # samples of one scene lie together
            mine = scene == number if len(batch.light) > 1 else slice(None)
            light[mine] = sh_basis(normal[mine]) @ harmonics
        sky = self.shadows[0].lit(scene, carried[5])[:, None]
        light = light.clamp_min_(0) * (1 - SKY_SHARE * (1 - sky)) * occlusion
        shine = self._wet(scene, normal, toward_eye, region)
        shininess = torch.where(region == EYE, EYE_SHININESS, SKIN_SHININESS)
        wrap = self.scatter * skin[:, None]
        for shadow, place in zip(self.shadows[1:], carried[6:], strict=True):
            lamp, colour = batch.lamp_direction[scene, shadow.slot], batch.lamp_colour[scene, shadow.slot]
            lit = shadow.lit(scene, place)[:, None]
            facing = (normal * lamp).sum(-1, keepdim=True)
            light = light + colour * ((facing + wrap) / (1 + wrap)).clamp_min(0) * lit * occlusion
            halfway = torch.nn.functional.normalize(lamp + toward_eye, dim=-1)
            peak = (normal * halfway).sum(-1).clamp_min(0) ** shininess * (facing[:, 0] > 0) * gloss
            shine = shine + peak[:, None] * colour * lit
        return albedo * light + shine, opacity, region.to(torch.uint8)

    def with_maps(self, picture: Picture, raster: Raster, number: int) -> Picture:
        """The picture with normals and UV."""
        faces = raster.face[number, 1::SUPERSAMPLE, 1::SUPERSAMPLE].long()
        weights = raster.barycentrics[number, 1::SUPERSAMPLE, 1::SUPERSAMPLE]
        row, column = (faces >= 0).nonzero(as_tuple=True)
        face, weight = faces[row, column], weights[row, column]
        normals = torch.zeros((*faces.shape, 3), device=faces.device)
        normals[row, column] = self._normal(self.batch.corners(torch.full_like(face, number), face), weight)
        uv = torch.full((*faces.shape, 2), torch.nan, device=faces.device)
        head = face < len(self.batch.look.faces)
        uv[row[head], column[head]] = self._uv(face[head], weight[head])
        return Picture(
            picture.image, picture.regions, picture.depth, picture.visible, normals.cpu().numpy(), uv.cpu().numpy()
        )

    def _normal(self, corners: Tensor, weights: Tensor) -> Tensor:
        return torch.nn.functional.normalize(_blend(self.batch.normals.flatten(0, 1)[corners], weights), dim=-1)

    def _uv(self, face: Tensor, weights: Tensor) -> Tensor:
        look = self.batch.look
        return _blend(look.uv[look.uv_faces[face]], weights)

    def _surface(
        self, scene: Tensor, face: Tensor, painted: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Albedo (P,3), region (P,), gloss (P,) and 1 where it is skin (P,); props are `painted` (P,4)."""
        batch = self.batch
        albedo, gloss = painted[:, :3].contiguous(), painted[:, 3].contiguous()
        region = batch.regions[scene, face]
        skin = torch.zeros_like(gloss)
        head = (face < len(batch.look.faces)).nonzero().squeeze(-1)
        uv, of = self._uv(face[head], weights[head]), scene[head]
        albedo[head] = _texel_colours(batch.albedo, of, uv)
        region[head] = _nearest(batch.classes, of, uv).long()
        eye = region[head] == EYE
        gloss[head] = torch.where(eye, EYE_GLOSS, SKIN_GLOSS)
        skin[head] = (~eye).float()
        return albedo, region, gloss, skin

    def _wet(self, scene: Tensor, normal: Tensor, toward_eye: Tensor, region: Tensor) -> Tensor:
        """(P,3) the soft light's reflection in the eyes."""
        shine = torch.zeros_like(normal)
        eye = (region == EYE).nonzero().squeeze(-1)
        halfway = torch.nn.functional.normalize(self.window_direction[scene[eye]] + toward_eye[eye], dim=-1)
        peak = (normal[eye] * halfway).sum(-1).clamp_min(0) ** EYE_SHININESS * EYE_GLOSS
        shine[eye] = peak[:, None] * self.window[scene[eye]]
        return shine


class _ShadowMap:
    """Orthographic depth maps of one lamp of every scene."""

    def __init__(self, batch: Batch, slot: int) -> None:
        self.slot = slot
        direction = batch.lamp_direction[:, slot]
        helper = torch.nn.functional.one_hot(direction.abs().argmin(-1), 3).float()
        across = torch.nn.functional.normalize(torch.linalg.cross(helper, direction), dim=-1)
        axes = torch.stack([across, torch.linalg.cross(direction, across), direction], 1)
        low, high = batch.box
        reach = 0.51 * torch.linalg.vector_norm(high - low, dim=-1)[:, None, None]
        middle = ((low + high) / 2)[:, None]

        def on_map(points: Tensor) -> Tensor:
            local = (points - middle) @ axes.mT
            return torch.cat([(local[..., :2] / reach + 1) * (SHADOW_SIDE / 2), 2 * reach - local[..., 2:]], -1)

        size = (SHADOW_SIDE, SHADOW_SIDE)
        casters = batch.triangles(sheer=False, of=on_map(batch.vertices))
        self.depth = get_rasterizer()(casters, size).depth.flatten()
        self.places = on_map(batch.vertices + SHADOW_LIFT * batch.normals)
        texel = reach[:, 0, 0] / (SHADOW_SIDE / 2)
        self.softness = batch.lamp_softness[:, slot] * PENUMBRA / texel + 0.7
        self.slack = SHADOW_SLACK + 0.5 * self.softness * texel

    def lit(self, scene: Tensor, place: Tensor) -> Tensor:
        """(P,) 0..1 share of the lamp that points at `place` (P,3) of the maps see."""
        total = place.new_zeros(len(place))
        spread, slack, first = self.softness[scene], self.slack[scene], scene * SHADOW_SIDE**2
        for x, y in SHADOW_TAPS:
            column = (place[:, 0] + x * spread).long().clamp_(0, SHADOW_SIDE - 1)
            row = (place[:, 1] + y * spread).long().clamp_(0, SHADOW_SIDE - 1)
            behind = place[:, 2] - self.depth[first + row * SHADOW_SIDE + column]
            total += (1.5 - behind / slack).clamp_(0, 1)  # a gentle step: no contour lines
        return total / len(SHADOW_TAPS)


def _visible(batch: Batch, raster: Raster) -> Tensor:
    """(B,V) bool, head vertices that are inside the picture and not behind anything."""
    size = raster.face.shape[-1]
    place = batch.samples[:, : batch.look.vertices]
    # Silhouettes fall between samples: the farthest of the neighbours decides.
    nearest = raster.depth.nan_to_num(posinf=1e6)[:, None]
    farthest = torch.nn.functional.max_pool2d(nearest, 3, 1, 1)[:, 0]
    column, row = place[..., 0].long(), place[..., 1].long()
    inside = (place[..., 0] >= 0) & (place[..., 1] >= 0) & (column < size) & (row < size) & (place[..., 2] > 0)
    scene = torch.arange(len(place), device=place.device)[:, None].expand_as(column)
    found = farthest[scene, row.clamp(0, size - 1), column.clamp(0, size - 1)]
    return inside & (place[..., 2] < found + SEEN_SLACK)


def _blocks(face: Tensor) -> list[tuple[Tensor, ...]]:
    """(scene, row, column) of the samples that see a face, in blocks."""
    seen = (face >= 0).nonzero()
    return [part.unbind(1) for part in seen.split(AT_ONCE if face.device.type == "cpu" else 1 << 24) if len(part)]


def _blend(corners: Tensor, weights: Tensor) -> Tensor:
    """Barycentric sum of corner values (P,3,C): (P,C)."""
    return torch.einsum("pkc,pk->pc", corners, weights)


def _texel_colours(textures: Tensor, scene: Tensor, uv: Tensor) -> Tensor:
    """(P,3) of textures (B,T,T,3) at uv (P,2), bilinear."""
    side = textures.shape[1]
    flat = textures.flatten(0, 2)
    x, y = (uv[:, 0] * side - 0.5).clamp(0, side - 1.001), ((1 - uv[:, 1]) * side - 0.5).clamp(0, side - 1.001)
    column, row = x.long(), y.long()
    right, down = (x - column)[:, None], (y - row)[:, None]
    at = (scene * side + row) * side + column
    upper = flat[at].float() * (1 - right) + flat[at + 1].float() * right
    lower = flat[at + side].float() * (1 - right) + flat[at + side + 1].float() * right
    return upper * (1 - down) + lower * down


def _nearest(textures: Tensor, scene: Tensor, uv: Tensor) -> Tensor:
    """(P,) of textures (B,T,T) at uv (P,2)."""
    side = textures.shape[1]
    column = (uv[:, 0] * side).long().clamp(0, side - 1)
    row = ((1 - uv[:, 1]) * side).long().clamp(0, side - 1)
    return textures[scene, row, column]
