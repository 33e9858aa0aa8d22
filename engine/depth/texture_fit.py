"""fitMesh: a mesh's texture and its cameras by rendering and comparing (EG3D-supervised thesis, section 3.1.6,
algorithm 4).

Every round renders the textured mesh as each photo's camera sees it, takes the mean absolute difference to the photo,
and moves texture and cameras down its gradient. The texture carries the photo's light, so the mesh is lit evenly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import Camera
from ..errors import EngineError
from ..render.differentiable import Topology, render_mesh
from ..render.lighting import ambient
from ..render.lights import HarmonicLight
from ..render.pinhole import Pinhole, axis_angle_matrix
from .fill import push_pull

CALMEST = 0.1
"""Step sizes at the end over those at the start: a texel that two pixels pull at both ways comes to rest."""


@dataclass(frozen=True)
class Shot:
    """One photo of the mesh.

    Attributes:
        pixels: (H,W,3) uint8 sRGB.
        camera: where it was taken from, roughly.
        mask: (H,W) bool, the pixels that count.
    """

    pixels: NDArray[np.uint8]
    camera: Camera
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class FitOptions:
    """How to fit.

    Attributes:
        rounds: steps down the gradient.
        texture_rate, turn_rate, move_rate, focal_rate: step sizes of Adam: sRGB 0..1, radians, metres, share.
        camera_after: share of the rounds after which cameras move too: before, a black texture would push them about.
        texture_size: (height, width) where there is no start.
        start: (H,W,3) uint8 sRGB texture to begin with; None begins with black, as published.
        seed: of the order in which several photos are taken.
    """

    rounds: int = 60
    texture_rate: float = 0.05
    turn_rate: float = 3e-4
    move_rate: float = 2e-4
    focal_rate: float = 3e-4
    camera_after: float = 0.3
    texture_size: tuple[int, int] = (512, 512)
    start: NDArray[np.uint8] | None = None
    seed: int = 0


@dataclass(frozen=True)
class TextureFit:
    """What was found.

    Attributes:
        texture: (H,W,3) uint8 sRGB; texels that no photo shows are filled from around them.
        seen: (H,W) bool, the others.
        cameras: one for each photo.
        losses: mean absolute difference inside the masks, of sRGB 0..1, before each round and after the last.
    """

    texture: NDArray[np.uint8]
    seen: NDArray[np.bool_]
    cameras: list[Camera]
    losses: list[float]


class _Unknowns:
    """Texture and cameras as the optimiser moves them."""

    def __init__(self, shots: Sequence[Shot], options: FitOptions, device: str) -> None:
        size = options.texture_size if options.start is None else options.start.shape[:2]
        start = np.zeros((*size, 3), np.float32) if options.start is None else options.start.astype(np.float32) / 255
        self.texture = torch.tensor(start, device=device).permute(2, 0, 1).contiguous().requires_grad_(True)
        self.begin = [Pinhole.of(shot.camera, device) for shot in shots]
        self.turn, self.move = (torch.zeros((len(shots), 3), device=device, requires_grad=True) for _ in range(2))
        self.zoom = torch.zeros(len(shots), device=device, requires_grad=True)
        self.seen = torch.zeros(size, device=device, dtype=torch.bool)

    def groups(self, options: FitOptions) -> list[dict[str, Any]]:
        """What Adam moves, and how fast."""
        pairs = (
            (self.texture, options.texture_rate), (self.turn, options.turn_rate), (self.move, options.move_rate),
            (self.zoom, options.focal_rate),
        )  # fmt: skip
        return [{"params": [value], "lr": rate} for value, rate in pairs]

    def free_cameras(self, free: bool) -> None:
        """Whether cameras move."""
        for value in (self.turn, self.move, self.zoom):
            value.requires_grad_(free)

    def note_seen(self) -> None:
        """Remember which texels any photo pulled at."""
        if self.texture.grad is not None:
            self.seen |= (self.texture.grad != 0).any(0)

    def pinhole(self, number: int) -> Pinhole:
        """The camera of a photo as it is now."""
        start = self.begin[number]
        turned = axis_angle_matrix(self.turn[number])
        return Pinhole(
            turned @ start.rotation,
            start.translation + self.move[number],
            start.focal * torch.exp(self.zoom[number]),
            start.centre,
        )


def fit_texture(
    vertices: NDArray,
    faces: NDArray,
    uv: NDArray,
    uv_faces: NDArray,
    shots: Sequence[Shot],
    options: FitOptions | None = None,
    device: str = "cpu",
) -> TextureFit:
    """Fit a mesh's texture, and the cameras, to one photo or several.

    Args:
        vertices: (V,3) metres, world. faces, uv_faces: (F,3). uv: (T,2), origin lower left, within 0..1.
        shots: the photos.
    Raises:
        EngineError: there is no photo, or one whose mask or camera has another size.
    """
    options = options or FitOptions()
    _check(shots)
    parts = (torch.tensor(np.asarray(part), device=device) for part in (faces, uv, uv_faces))
    unknowns = _Unknowns(shots, options, device)
    mesh = torch.tensor(vertices, dtype=torch.float32, device=device)
    compare = _Comparison(mesh, Topology.from_arrays(*parts), shots, unknowns)
    adam = torch.optim.Adam(unknowns.groups(options))
    calmer = torch.optim.lr_scheduler.LinearLR(adam, 1.0, CALMEST, max(options.rounds, 1))
    losses, order = [], np.random.default_rng(options.seed)
    for done in range(options.rounds):
        unknowns.free_cameras(done >= options.camera_after * options.rounds)
        adam.zero_grad()
        losses.append(compare.backward(order.permutation(len(shots)).tolist()))
        unknowns.note_seen()
        adam.step()
        calmer.step()
        with torch.no_grad():
            unknowns.texture.clamp_(0, 1)
    with torch.no_grad():
        losses.append(sum(float(compare(number)) for number in range(len(shots))) / len(shots))
    seen = unknowns.seen.cpu().numpy()
    found = unknowns.texture.detach().permute(1, 2, 0).cpu().numpy()
    if options.start is None:
        found = push_pull(found, seen.astype(np.float32))
    with torch.no_grad():
        moved = [unknowns.pinhole(n).camera(shot.camera.width, shot.camera.height) for n, shot in enumerate(shots)]
    return TextureFit(np.round(found * 255).astype(np.uint8), seen, moved, losses)


class _Comparison:
    """How far the mesh, as it would be photographed, is from the photos."""

    def __init__(self, mesh: Tensor, topology: Topology, shots: Sequence[Shot], unknowns: _Unknowns) -> None:
        device = mesh.device
        self.mesh, self.topology, self.unknowns = mesh, topology, unknowns
        self.photos = [torch.tensor(shot.pixels.astype(np.float32) / 255, device=device) for shot in shots]
        self.masks = [torch.tensor(shot.mask, device=device) for shot in shots]
        self.light = HarmonicLight(torch.tensor(ambient(), dtype=torch.float32, device=device))

    def __call__(self, number: int) -> Tensor:
        """() mean absolute difference to one photo, where it counts and the mesh is."""
        photo, mask = self.photos[number], self.masks[number]
        size = (photo.shape[0], photo.shape[1])
        pinhole = self.unknowns.pinhole(number)
        picture = render_mesh(self.mesh, self.topology, self.unknowns.texture, self.light, pinhole, size)
        counted = mask & (picture.face >= 0)
        apart = (picture.image - photo).abs().mean(-1)
        return apart[counted].sum() / counted.sum().clamp_min(1)

    def backward(self, numbers: Sequence[int]) -> float:
        """Gradients of the mean over photos, one at a time for the memory's sake. Returns that mean."""
        total = 0.0
        for number in numbers:
            loss = self(number) / len(numbers)
            loss.backward()
            total += float(loss.detach())
        return total


def _check(shots: Sequence[Shot]) -> None:
    if not shots:
        raise EngineError("There is no photo to fit a texture to.", "Choose one photo or several.")
    for shot in shots:
        size = (shot.camera.height, shot.camera.width)
        if shot.pixels.shape != (*size, 3) or shot.mask.shape != size:
            raise EngineError(
                f"A photo of {shot.pixels.shape[1]} x {shot.pixels.shape[0]} pixels has a mask or a camera of another"
                " size.",
                "Use the photo that the depth was made from.",
            )
