"""Scenes of one head model as one padded mesh each, on a torch device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...heads.model import HeadModel
from ...render.look import lash_opacity
from ...render.occlusion import ambient_occlusion
from .scene import REGIONS, Lamp, Prop, Scene

SKY = Lamp(np.array([0.0, 0.8, 0.6], np.float32), np.zeros(3, np.float32), 0.6)
"""The first lamp of every scene: no light of its own, but its shadow dims the soft light."""
SUPERSAMPLE = 2
"""Samples per pixel along one side."""


@dataclass(frozen=True)
class HeadLook:
    """What all scenes of a head model share.

    Attributes:
        vertices: their number. faces: (F,3) int64. uv: (T,2). uv_faces: (F,3) int64.
        opacity: (V,) with full lashes.
        occlusion: (2,V) share of the surroundings each vertex sees, mouth shut and half open.
        jaw: index of the expression that opens the mouth.
        device: where all this lies.
    """

    vertices: int
    faces: Tensor
    uv: Tensor
    uv_faces: Tensor
    opacity: Tensor
    occlusion: Tensor
    jaw: int
    device: str

    @staticmethod
    def of(head: HeadModel, device: str) -> HeadLook:
        jaw = head.expression_names.index("jawOpen")
        opened = head.vertices + 0.5 * head.expression_basis[jaw]
        occlusion = np.stack([ambient_occlusion(vertices, head.faces) for vertices in (head.vertices, opened)])
        return HeadLook(
            len(head.vertices),
            torch.tensor(head.faces, dtype=torch.int64, device=device),
            torch.tensor(head.uv, device=device),
            torch.tensor(head.uv_faces, dtype=torch.int64, device=device),
            torch.tensor(lash_opacity(head), device=device),
            torch.tensor(occlusion, device=device),
            jaw,
            device,
        )


@dataclass(frozen=True)
class Batch:
    """B scenes, V vertices, F faces and L lamps in each; the head comes first, padding last.

    Attributes:
        look: of the head.
        vertices, normals: (B,V,3). faces: (B,F,3) int64; padding is degenerate.
        colours: (B,V,4) linear RGB and gloss of props. regions: (B,F) int64, zero on the head, whose texture says.
        opacity, occlusion: (B,V).
        sheer: (B,F) bool, faces laid over the others.
        albedo: (B,T,T,3). classes: (B,T,T). background: (B,S,S,3) uint8.
        light: (B,9,3). lamp_direction, lamp_colour: (B,L,3). lamp_softness: (B,L).
        eye: (B,3) camera positions. screen: (B,V,3) pixels and depth.
    """

    look: HeadLook
    vertices: Tensor
    normals: Tensor
    faces: Tensor
    colours: Tensor
    regions: Tensor
    opacity: Tensor
    occlusion: Tensor
    sheer: Tensor
    albedo: Tensor
    classes: Tensor
    background: Tensor
    light: Tensor
    lamp_direction: Tensor
    lamp_colour: Tensor
    lamp_softness: Tensor
    eye: Tensor
    screen: Tensor

    @staticmethod
    def of(scenes: Sequence[Scene], look: HeadLook) -> Batch:
        """Put scenes together."""
        device = look.device
        vertices = _padded([[scene.vertices, *(p.vertices for p in scene.props)] for scene in scenes], device)
        offsets = [np.cumsum([look.vertices, *(len(p.vertices) for p in scene.props)]) for scene in scenes]
        head_faces = look.faces.cpu().numpy()
        faces = _padded(
            [
                [head_faces, *(p.faces + start for p, start in zip(scene.props, offset, strict=False))]
                for scene, offset in zip(scenes, offsets, strict=True)
            ],
            device,
        ).long()
        bare = np.zeros((look.vertices, 4), np.float32)
        colours = _padded([[bare, *map(_painted, scene.props)] for scene in scenes], device)
        none = np.zeros((len(look.faces), 1), np.int64)
        regions = _padded([[none, *map(_region, scene.props)] for scene in scenes], device).long()[..., 0]
        opacity, occlusion = vertices.new_ones(vertices.shape[:2]), vertices.new_ones(vertices.shape[:2])
        for number, (scene, offset) in enumerate(zip(scenes, offsets, strict=True)):
            opacity[number, : look.vertices] = torch.where(look.opacity < 1, look.opacity * scene.lashes, 1.0)
            open_mouth = min(float(scene.expression[look.jaw]) / 0.5, 1.0)
            occlusion[number, : look.vertices] = torch.lerp(look.occlusion[0], look.occlusion[1], open_mouth)
            for prop, start in zip(scene.props, offset, strict=False):
                opacity[number, start : start + len(prop.vertices)] = prop.opacity
        world = torch.tensor(np.stack([s.camera.world_to_camera for s in scenes]), dtype=torch.float32, device=device)
        K = torch.tensor(np.stack([scene.camera.K for scene in scenes]), dtype=torch.float32, device=device)
        seen = vertices @ world[:, :3, :3].mT + world[:, None, :3, 3]
        screen = torch.cat([(seen / seen[..., 2:].clamp_min(1e-6)) @ K[:, :2].mT, seen[..., 2:]], -1)
        lamps = [(SKY, *scene.lamps) for scene in scenes]
        eyes = np.stack([scene.camera.position for scene in scenes]).astype(np.float32)
        count = vertices.shape[1]
        flat = opacity.flatten()[(faces + torch.arange(len(scenes), device=device)[:, None, None] * count)]
        return Batch(
            look,
            vertices,
            _normals(vertices, faces),
            faces,
            colours,
            regions,
            opacity,
            occlusion,
            (flat < 1).any(-1),
            torch.stack([torch.as_tensor(scene.albedo).to(device) for scene in scenes]),
            torch.stack([torch.as_tensor(scene.classes).to(device) for scene in scenes]),
            torch.tensor(np.stack([scene.background for scene in scenes]), device=device),
            torch.tensor(np.stack([scene.illumination for scene in scenes]), dtype=torch.float32, device=device),
            _padded([[np.stack([lamp.direction for lamp in row])] for row in lamps], device),
            _padded([[np.stack([lamp.colour for lamp in row])] for row in lamps], device),
            _padded([[np.array([[lamp.softness] for lamp in row])] for row in lamps], device)[..., 0],
            torch.tensor(eyes, device=device),
            screen,
        )

    @property
    def box(self) -> tuple[Tensor, Tensor]:
        """(B,3) least and greatest coordinates."""
        return self.vertices.amin(1), self.vertices.amax(1)

    @property
    def samples(self) -> Tensor:
        """(B,V,3) as `screen`, but in samples."""
        return self.screen * self.screen.new_tensor([SUPERSAMPLE, SUPERSAMPLE, 1.0])

    def corners(self, scene: Tensor, face: Tensor) -> Tensor:
        """(P,3) vertices of faces (P,) of scenes (P,), counted through all scenes."""
        return self.faces[scene, face] + (scene * self.vertices.shape[1])[:, None]

    def triangles(self, sheer: bool, of: Tensor | None = None) -> Tensor:
        """(B,F,3,3) screen triangles in samples, or those of other places (B,V,3); faces of the other kind are at 0."""
        if of is None:
            of = self.samples
        scene = torch.arange(len(of), device=of.device)[:, None, None]
        return of[scene, self.faces] * (self.sheer == sheer)[..., None, None]


def _painted(prop: Prop) -> np.ndarray:
    gloss = np.full((len(prop.colour), 1), prop.gloss, np.float32)
    return np.concatenate([prop.colour.astype(np.float32), gloss], 1)


def _region(prop: Prop) -> np.ndarray:
    return np.full((len(prop.faces), 1), REGIONS.index(prop.region), np.int64)


def _padded(rows: list[list[np.ndarray]], device: str) -> Tensor:
    """Arrays (N_i,C) of each scene joined, zeros to the longest: (B,N,C)."""
    joined = [np.concatenate(parts) for parts in rows]
    result = np.zeros((len(joined), max(map(len, joined)), joined[0].shape[1]), joined[0].dtype)
    for number, row in enumerate(joined):
        result[number, : len(row)] = row
    tensor = torch.tensor(result, device=device)
    return tensor.float() if tensor.is_floating_point() else tensor


def _normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """(B,V,3) area-weighted unit normals."""
    count = vertices.shape[1]
    flat = (faces + torch.arange(len(faces), device=faces.device)[:, None, None] * count).flatten(0, 1)
    points = vertices.flatten(0, 1)
    a, b, c = points[flat].unbind(1)
    across = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(points)
    for corner in range(3):
        total.index_add_(0, flat[:, corner], across)
    return torch.nn.functional.normalize(total, dim=-1).unflatten(0, (-1, count))
