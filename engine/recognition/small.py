"""dlib's small face recognition network, as ported and quantised by face-api: 128 numbers, 6 MB, MIT licence.

A ResNet with 29 convolutions (dlib's `dnn_face_recognition_ex`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

SIDE = 150
PADDING = 0.25
"""Of the template's box on each side: dlib's `get_face_chip_details`."""
CORNERS = ((0.8595674595992, 0.2134981538014), (0.6460604764104, 0.2289674387677), (0.1205750620789, 0.2137274526848),
           (0.3340850613712, 0.2290642403242), (0.4901123135679, 0.6277975316475))  # fmt: skip
"""dlib's mean five points: outer and inner corner of the subject's left eye, of the right one, base of the nose."""
TEMPLATE = (np.array(CORNERS) + PADDING) / (1 + 2 * PADDING) * SIDE
MEAN = (122.782, 117.001, 104.298)  # of RGB 0..255
DIFFERENT = 0.43
"""Distance of two embeddings of length 1 above which they are of two people."""
STAGES = (
    (32, ("32_1", "32_2", "32_3")),
    (64, ("64_down", "64_1", "64_2", "64_3")),
    (128, ("128_down", "128_1", "128_2")),
    (256, ("256_down", "256_1", "256_2", "256_down_out")),
)
"""Channels and blocks, as face-api names them; one named "down" halves the picture."""
LEAVES = {
    "conv/filters": "conv.weight",
    "conv/bias": "conv.bias",
    "scale/weights": "factor",
    "scale/biases": "offset",
}


class Scaled(nn.Module):
    """A convolution, then a factor and an offset for each channel."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding)
        self.factor = nn.Parameter(torch.ones(outputs))
        self.offset = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) * self.factor[:, None, None] + self.offset[:, None, None]


class Block(nn.Module):
    """Two convolutions beside a shortcut; one that halves the picture takes the mean of 2x2 as its shortcut."""

    def __init__(self, inputs: int, outputs: int, halves: bool) -> None:
        super().__init__()
        self.halves = halves
        self.first = Scaled(inputs, outputs, 3, 2 if halves else 1, 0 if halves else 1)
        self.second = Scaled(outputs, outputs, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        out = self.second(torch.relu(self.first(x)))
        short = nnf.avg_pool2d(x, 2) if self.halves else x
        height, width = (max(a, b) for a, b in zip(out.shape[-2:], short.shape[-2:], strict=True))
        return torch.relu(_widened(out, out.shape[1], height, width) + _widened(short, out.shape[1], height, width))


def _widened(x: Tensor, channels: int, height: int, width: int) -> Tensor:
    """Zeros added below, to the right and as channels, up to a size."""
    missing = (0, width - x.shape[-1], 0, height - x.shape[-2], 0, channels - x.shape[-3])
    return nnf.pad(x, missing) if any(missing) else x


class SmallRecognition(nn.Module):
    """(B,3,150,150) RGB 0..1, aligned to `TEMPLATE`, to 128 numbers and the activations after each stage."""

    def __init__(self) -> None:
        super().__init__()
        self.start = Scaled(3, 32, 7, 2, 0)
        self.stages = nn.ModuleList()
        width = 32
        for outputs, names in STAGES:
            blocks = nn.ModuleList()
            for name in names:
                blocks.append(Block(width, outputs, "down" in name))
                width = outputs
            self.stages.append(blocks)
        self.fc = nn.Linear(256, 128, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = (255 * x - x.new_tensor(MEAN)[:, None, None]) / 256
        x = nnf.max_pool2d(torch.relu(self.start(x)), 3, 2)
        activations = []
        for blocks in self.stages:
            for block in blocks:  # type: ignore[union-attr]
                x = block(x)
            activations.append(x)
        return self.fc(x.mean((-2, -1))), activations


def from_face_api(entries: list[dict], blob: bytes) -> dict[str, Tensor]:
    """Weights from face-api's manifest and file, where most stand as whole numbers with a scale and a minimum.

    Args:
        entries: `weights` of the manifest. blob: the file.
    Raises:
        ValueError: the file does not hold what the manifest says.
    """
    state, place = {}, 0
    for entry in entries:
        scale = entry.get("quantization")
        kind = np.dtype(np.uint8 if scale else "<f4")
        count = int(np.prod(entry["shape"]))
        values = np.frombuffer(blob, kind, count, place).reshape(entry["shape"]).astype(np.float32)
        place += count * kind.itemsize
        if scale:
            values = values * np.float32(scale["scale"]) + np.float32(scale["min"])
        values = values.transpose(3, 2, 0, 1) if values.ndim == 4 else values.T
        state[_name(entry["name"])] = torch.from_numpy(np.ascontiguousarray(values))
    if place != len(blob):
        raise ValueError(f"{len(blob)} bytes where the manifest asks for {place}")
    return state


def _name(theirs: str) -> str:
    if theirs == "fc":
        return "fc.weight"
    parts = theirs.split("/")
    leaf = LEAVES["/".join(parts[-2:])]
    if parts[0] == "conv32_down":
        return f"start.{leaf}"
    for stage, (_, names) in enumerate(STAGES):
        if parts[0].removeprefix("conv") in names:
            place = names.index(parts[0].removeprefix("conv"))
            return f"stages.{stage}.{place}.{'first' if parts[1] == 'conv1' else 'second'}.{leaf}"
    raise KeyError(theirs)
