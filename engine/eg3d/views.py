"""Pictures of a head from cameras: novel views, turntables, depth maps, and vertices coloured from finished views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nnf

from ..progress import Progress
from .camera import orbit_label, parts_of
from .config import Configuration
from .generator import Picture, TriplaneGenerator
from .memory import available_bytes, check_memory, told_of_memory
from .mesh import VolumeMesh
from .renderer import CHUNK

FRAMES = 48
YAW, PITCH = 30.0, 8.0
"""Degrees to both sides, and up and down, that a turntable swings by: as far as the generator's heads hold."""
AROUND = ((0.0, 0.0), (-40.0, 0.0), (40.0, 0.0), (0.0, 20.0), (0.0, -15.0))
"""Yaw and pitch, degrees, of the views that colour a mesh."""
VISIBLE = 0.02
"""Units by which a vertex may lie behind the depth that a view sees, and still be seen by it."""
SHARP = 4
"""Power of the cosine between a vertex's normal and a view, by which views count."""


@dataclass(frozen=True, eq=False)
class View:
    """A head as a camera sees it.

    Attributes:
        image: (S,S,3) uint8 sRGB. depth: (R,R) float32 along each ray, the generator's units; NaN never.
        weight: (R,R) 0..1, how much each ray met. label: (25,) of the camera.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    weight: NDArray[np.float32]
    label: NDArray[np.float32]

    def depth_picture(self, near: float, far: float) -> NDArray[np.uint16]:
        """(R,R) depth as grey of 16 bits: `near` white, `far` and beyond black."""
        share = (far - self.depth) / (far - near)
        return np.round(np.clip(share, 0, 1) * 65535).astype(np.uint16)


def predicted_picture_bytes(config: Configuration, side: int) -> int:
    """About how much memory one picture takes that is rendered at `side` pixels, beside the network and its planes."""
    samples = config.rendering.coarse + config.rendering.fine
    rendered = 4 * side**2 * (2 * samples + 4 * config.features)
    return rendered + 4 * 4 * config.image_side**2 * config.sr_channels[1]


def as_bytes(image: Tensor) -> NDArray[np.uint8]:
    """(3,H,W) of -1..1 as (H,W,3) sRGB bytes, as the published script writes them."""
    return (image.detach().permute(1, 2, 0) * 127.5 + 128).clamp(0, 255).to(torch.uint8).cpu().numpy()


@torch.no_grad()
def views(
    network: TriplaneGenerator, ws: Tensor, labels: Sequence[NDArray], side: int | None = None,
    progress: Progress | None = None, chunk: int = CHUNK, limit: int | None = None,
) -> Iterator[View]:  # fmt: skip
    """One head (1,layers,w) from several cameras (25,); its planes are made once.

    Args:
        side: of the rendering before super-resolution; None for the network's own. chunk: see `renderer.look`.
        limit: bytes of memory there are; None asks the system.
    Raises:
        DeviceError: a picture would not fit, or memory ran out. JobCancelled.
    """
    progress = progress or Progress()
    room = available_bytes(ws.device) if limit is None else limit
    own = side or network.config.raw_side
    check_memory(lambda n: predicted_picture_bytes(network.config, n), own, room, "a picture of {} pixels")
    with told_of_memory("the picture"):
        planes = network.planes(ws)
    for number, label in enumerate(labels):
        progress.stage("Drawing views", number / len(labels))
        camera = torch.as_tensor(np.asarray(label, np.float32)).to(ws)[None]
        with told_of_memory("the picture"):
            picture = network.finish(network.render(planes, camera, side, chunk=chunk), ws)
        yield _view(picture, label)
    progress.finish()


def _view(picture: Picture, label: NDArray) -> View:
    assert picture.image is not None
    depth, weight = picture.depth[0, 0].cpu().numpy(), picture.weight[0, 0].cpu().numpy()
    return View(as_bytes(picture.image[0]), depth, weight, np.asarray(label, np.float32))


def turntable(
    network: TriplaneGenerator, frames: int = FRAMES, yaw: float = YAW, pitch: float = PITCH
) -> list[NDArray]:
    """Labels of a swing to both sides that ends where it began; the camera nods as in the published videos."""
    turns = 2 * np.pi * np.arange(frames) / frames
    how = network.config.rendering
    return [orbit_label(yaw * np.sin(turn), pitch * np.cos(turn), how) for turn in turns]


def vertex_normals(vertices: NDArray, faces: NDArray) -> NDArray[np.float64]:
    """(V,3) unit normals, the triangles around a vertex weighted by their areas; nought where there are none."""
    corners = np.asarray(vertices, np.float64)[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    count = len(vertices)
    summed = np.stack([sum(np.bincount(faces[:, k], normal[:, axis], count) for k in range(3)) for axis in range(3)], 1)
    return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-30)


def project(label: NDArray, points: NDArray) -> tuple[NDArray, NDArray]:
    """Where points (V,3) are seen, (V,2) 0..1 from the upper left corner, and their distances (V,) from the camera."""
    pose, inner = parts_of(label)
    seen = (np.asarray(points, np.float64) - pose[:3, 3]) @ pose[:3, :3]
    flat = seen @ inner.T
    return flat[:, :2] / flat[:, 2:], np.linalg.norm(seen, axis=1)


def coloured_by_views(mesh: VolumeMesh, seen: Sequence[View]) -> NDArray[np.uint8]:
    """(V,3) sRGB of a mesh in the generator's units, from finished views; the decoder's where no view sees a vertex.

    Each view counts by the cosine between its ray and the vertex's normal, and not at all where its depth says that
    something lies in front. The super-resolution's detail is in here, which the decoder's colours lack.
    """
    normals = vertex_normals(mesh.vertices, mesh.faces)
    total, weights = np.zeros((len(mesh.vertices), 3)), np.zeros(len(mesh.vertices))
    for view in seen:
        weight, place = seen_from(view, mesh.vertices, normals)
        total += weight[:, None] * taken(view.image, place)
        weights += weight
    mixed = np.round(total / np.maximum(weights, 1e-9)[:, None]).clip(0, 255).astype(np.uint8)
    return np.where((weights > 1e-3)[:, None], mixed, mesh.colours)


def seen_from(view: View, vertices: NDArray, normals: NDArray) -> tuple[NDArray, NDArray]:
    """How well a view sees vertices (V,3): weights (V,) 0..1, and their places (V,2) in it of 0..1."""
    place, distance = project(view.label, vertices)
    front = taken(view.depth[..., None], place)[:, 0]
    seen = (distance < front + VISIBLE) * ((place > 0) & (place < 1)).all(1)
    return np.maximum(facing(view, vertices, normals), 0) ** SHARP * seen, place


def facing(view: View, vertices: NDArray, normals: NDArray) -> NDArray[np.float64]:
    """(V,) cosines between normals and the way to a view's camera."""
    toward = parts_of(view.label)[0][:3, 3] - vertices
    return (normals * toward).sum(1) / np.linalg.norm(toward, axis=1)


def taken(picture: NDArray, place: NDArray) -> NDArray[np.float64]:
    """(V,C) bilinear samples of a picture (H,W,C) at places (V,2) of 0..1; the edge beyond it."""
    source = torch.as_tensor(np.asarray(picture, np.float64)).permute(2, 0, 1)[None]
    grid = torch.as_tensor(place * 2 - 1)[None, None]
    return nnf.grid_sample(source, grid, padding_mode="border", align_corners=False)[0, :, 0].T.numpy()


def colour_mesh(
    network: TriplaneGenerator, ws: Tensor, mesh: VolumeMesh, around: Sequence[tuple[float, float]] = AROUND,
    progress: Progress | None = None,
) -> NDArray[np.uint8]:  # fmt: skip
    """(V,3) sRGB of the head's mesh from finished views at yaw and pitch, degrees; see `coloured_by_views`."""
    labels = [orbit_label(yaw, pitch, network.config.rendering) for yaw, pitch in around]
    return coloured_by_views(mesh, list(views(network, ws, labels, progress=progress)))
