"""ArcFace's recognition networks, IResNet-50 and -100, for the weights that users bring: 512 numbers for a face.

Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019, section 3.1: the network of
GANFit's identity and content losses. Names and shapes of the weights are those of insightface's arcface_torch, whose
files are plain state dicts: 475 entries (IResNet-50) or 925 (IResNet-100). Dropout, which is off in use, is left out.
"""

from __future__ import annotations

import pickle
import re
import struct
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import ModelFileError

SIDE = 112
"""Pixels of the aligned crop."""
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""(5,2) where `align.arcface_points` are brought to, pixels, pixel centres at whole numbers."""
VARIANTS = {"IResNet-50": (3, 4, 14, 3), "IResNet-100": (3, 13, 30, 3)}
"""Blocks in each of the four layers."""
WIDTHS = (64, 128, 256, 512)
EMBEDDING = 512
COUNTER = "num_batches_tracked"  # of batch normalisation in training; files converted by hand may lack it
UNREADABLE = (
    *(SafetensorError, pickle.UnpicklingError, struct.error, OSError, EOFError, RuntimeError),
    *(ValueError, LookupError, TypeError, AttributeError, AssertionError, OverflowError),
)
"""What reading a damaged file ends in."""
CURE = (
    "Choose a backbone of insightface's arcface_torch, r50 or r100, as it was published (a plain state dict, .pth or "
    ".safetensors)."
)


class Block(nn.Module):
    """Batch normalisation before the first convolution, the stride in the second. (B,in,H,W) to (B,out,H/s,W/s)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        out = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        return self.bn3(self.conv2(out)) + self.downsample(x)


class IResNet(nn.Module):
    """(B,3,112,112) RGB 0..1, aligned to `TEMPLATE`, to 512 numbers and the activations after each layer.

    Args:
        blocks: in each of the four layers, see `VARIANTS`.
    """

    def __init__(self, blocks: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.prelu = nn.PReLU(WIDTHS[0])
        self.layer1 = _layer(WIDTHS[0], WIDTHS[0], blocks[0])
        self.layer2 = _layer(WIDTHS[0], WIDTHS[1], blocks[1])
        self.layer3 = _layer(WIDTHS[1], WIDTHS[2], blocks[2])
        self.layer4 = _layer(WIDTHS[2], WIDTHS[3], blocks[3])
        self.bn2 = nn.BatchNorm2d(WIDTHS[3])
        self.fc = nn.Linear(WIDTHS[3] * (SIDE // 16) ** 2, EMBEDDING)
        self.features = nn.BatchNorm1d(EMBEDDING)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Look at faces.

        Returns:
            (B,512) not normalised, and (B,64,56,56), (B,128,28,28), (B,256,14,14), (B,512,7,7).
        Raises:
            ValueError: the crops have another shape.
        """
        if x.ndim != 4 or x.shape[1:] != (3, SIDE, SIDE):
            raise ValueError(f"crops are (B,3,{SIDE},{SIDE}), not {tuple(x.shape)}")
        x = self.prelu(self.bn1(self.conv1((x - 0.5) / 0.5)))
        activations = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            activations.append(x)
        return self.features(self.fc(self.bn2(x).flatten(1))), activations


def _layer(inputs: int, outputs: int, count: int) -> nn.Sequential:
    """The first block halves the picture."""
    return nn.Sequential(Block(inputs, outputs, 2), *(Block(outputs, outputs, 1) for _ in range(count - 1)))


def load_arcface(path: Path) -> IResNet:
    """Read a user's weights, ready for use on the CPU in float32. Nothing in the file can run code.

    Args:
        path: a state dict written by `torch.save`, or safetensors; IResNet-50 or -100 by what it holds.
    Raises:
        ModelFileError: the file is missing, damaged, or holds another network.
    """
    state = {name.removeprefix("module."): value for name, value in _read(path).items()}
    name = _variant(path, state)
    with torch.device("meta"):  # a hundred layers need no random weights first
        network = IResNet(VARIANTS[name])
    wanted = network.state_dict()
    state = {key: torch.zeros((), dtype=torch.int64) for key in wanted if key.endswith(COUNTER)} | state
    _compare(path, name, {key: tuple(value.shape) for key, value in wanted.items()}, state)
    state = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    broken = next((key for key, value in state.items() if not value.isfinite().all()), None)
    if broken is not None:
        raise ModelFileError(f"The model file {path} is damaged (“{broken}” holds values that are no numbers).", CURE)
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors by name."""
    try:
        safe = path.suffix.lower() == ".safetensors"
        state = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelFileError(f"The model file {path} is missing.", CURE) from error
    except UNREADABLE as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelFileError(f"The model file {path} cannot be read as plain weights ({reason}).", CURE) from error
    plain = isinstance(state, dict) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items())
    if not plain:
        kind = "entries that are no tensors" if isinstance(state, dict) else f"a {type(state).__name__}"
        raise ModelFileError(f"The model file {path} holds {kind}, not a plain state dict of tensors.", CURE)
    return state


def _variant(path: Path, state: dict[str, Tensor]) -> str:
    """Which of `VARIANTS` has as many blocks in its layers."""
    places = {match.groups() for key in state if (match := re.match(r"layer([1-4])\.(\d+)\.", key))}
    found = tuple(sum(layer == str(number) for layer, _ in places) for number in range(1, 5))
    for name, blocks in VARIANTS.items():
        if blocks == found:
            return name
    known = " or ".join(f"{name} {'+'.join(map(str, blocks))}" for name, blocks in VARIANTS.items())
    raise ModelFileError(
        f"The model file {path} is no ArcFace network: {'+'.join(map(str, found))} blocks in layer1 to layer4 among "
        f"its {len(state)} entries, where {known} is expected.",
        CURE,
    )


def _compare(path: Path, name: str, wanted: dict[str, tuple[int, ...]], state: dict[str, Tensor]) -> None:
    """Every entry is there, none is left over, all have their shapes."""
    missing, extra = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    message = ""
    if missing:
        message = f"{len(missing)} of {len(wanted)} entries are missing, “{missing[0]}” {wanted[missing[0]]} for one"
    elif extra:
        message = f"{len(extra)} entries are unknown, “{extra[0]}” for one"
    for key, shape in wanted.items():
        if not message and tuple(state[key].shape) != shape:
            message = f"“{key}” has the shape {tuple(state[key].shape)}, not {shape}"
    if message:
        raise ModelFileError(f"The model file {path} is not the {name} of ArcFace: {message}.", CURE)
