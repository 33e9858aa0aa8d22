"""DECA's encoders: FLAME's coefficients, albedo and light of a face from one picture, and a code of its wrinkles.

Feng et al., "Learning an Animatable Detailed 3D Face Model from In-The-Wild Images", SIGGRAPH 2021, sections 4.1
(coarse) and 4.2 (detail). Each is a ResNet-50 with two fully connected layers; pictures are not normalised. Names and
shapes of the weights are those of `deca_model.tar`: dicts E_flame, E_detail, D_detail (`encoder.conv1.weight`,
`layers.0.weight`, ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .checkpoints import Network, Published, all_names, filled, hollow, kind_of, read_checkpoint
from .deca_detail import DetailDecoder
from .image_regressor import ImageRegressor, named_parts, ready
from .resnet import CHANNELS, ResNet50

PARTS = {"shape": 100, "tex": 50, "exp": 50, "pose": 6, "cam": 3, "light": 27}
COARSE, DETAIL = sum(PARTS.values()), 128
HIDDEN = 1024
HEAD = "FLAME 2020"
DECA = Published(
    "DECA's model",
    "Choose deca_model.tar, to which https://github.com/yfeng95/DECA leads, or a file in its format.",
)


class RawResNet50(ResNet50):
    """The trunk for pictures as they are, 0..1."""

    def start(self, images: Tensor) -> Tensor:
        """(B,3,S,S) to (B,64,S/4,S/4)."""
        return self.maxpool(torch.relu(self.bn1(self.conv1(images))))


class DecaEncoder(nn.Module):
    """(B,3,224,224) RGB 0..1 to (B,outputs): DECA's E_flame with 236, its E_detail with 128."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.encoder = RawResNet50()
        self.layers = nn.Sequential(nn.Linear(CHANNELS[-1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(self.encoder(images)[-1].mean((-2, -1)))


class DecaCoarse(nn.Module):
    """(B,3,224,224) RGB 0..1 to what DECA says of a face.

    Returns of `forward`, by the published names:
        shape: (B,100). exp: (B,50). tex: (B,50) of the texture space that DECA was trained with.
        pose: (B,6) rotation of the head, then of the jaw, axis times angle, radians.
        cam: (B,3) scale, then shift, of the orthographic camera; see `published_crop.crop_points`.
        light: (B,9,3) spherical harmonics, by coefficient and by colour.
    """

    def __init__(self, E_flame: DecaEncoder) -> None:
        super().__init__()
        self.E_flame = E_flame

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        found = named_parts(self.E_flame(images), PARTS)
        found["light"] = found["light"].reshape(-1, 9, 3)
        return found


class DecaDetail(DecaCoarse):
    """The same, and wrinkles as they are in the picture.

    Returns of `forward`, beside those of `DecaCoarse`:
        detail: (B,128) the person's own code. Decode it with another's jaw and expression to animate it.
        displacement: (B,256,256) metres along the normal, in FLAME's UV square, row 0 on top.
    """

    def __init__(self, E_flame: DecaEncoder, E_detail: DecaEncoder, D_detail: DetailDecoder) -> None:
        super().__init__(E_flame)
        self.E_detail, self.D_detail = E_detail, D_detail

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        found = super().forward(images)
        found["detail"] = self.E_detail(images)
        found["displacement"] = self.D_detail.displacement(found["pose"][:, 3:], found["exp"], found["detail"])
        return found


def load_part(path: Path, name: str, network: Network, found: Mapping[str, Any] | None = None) -> Network:
    """One network of `deca_model.tar`, on the CPU, in evaluation mode.

    Args:
        name: E_flame, E_detail or D_detail. network: made by `checkpoints.hollow`. found: the file, where it was read.
    Raises:
        ModelFileError: the file is missing, damaged, or another network's.
    """
    found = read_checkpoint(path, DECA) if found is None else found
    state = found.get(name)
    if state is None:  # safetensors has no dicts within dicts
        state = {key.removeprefix(f"{name}."): value for key, value in found.items() if key.startswith(f"{name}.")}
    if not isinstance(state, Mapping) or not state:
        kind = kind_of(all_names(found))
        reason = f"it is {kind}" if kind and kind != DECA.title else f"it has no part “{name}”"
        raise DECA.error(path, reason)
    return filled(network, state, path, DECA, f"{name}.")


def load_deca(path: Path, device: str = "cpu", detail: bool = False) -> ImageRegressor:
    """DECA for use: its batch normalisation is folded into the convolutions.

    Args:
        detail: wrinkles too, at twice the time.
    Raises:
        ModelFileError: see `load_part`.
    """
    found = read_checkpoint(path, DECA)
    network: DecaCoarse = DecaCoarse(load_part(path, "E_flame", hollow(DecaEncoder, COARSE), found))
    if detail:
        own = load_part(path, "E_detail", hollow(DecaEncoder, DETAIL), found)
        network = DecaDetail(network.E_flame, own, load_part(path, "D_detail", hollow(DetailDecoder), found))
    kind = "deca-detail" if detail else "deca"
    return ready(kind, network, path, HEAD, device)
