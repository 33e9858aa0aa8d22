"""MiDaS' DPT-Large (Ranftl, Bochkovskiy, Koltun: Vision Transformers for Dense Prediction, ICCV 2021), from the user's
file: how far everything in a picture is, as inverse depth up to scale and offset.

Names, shapes and places of the hooks are those of the published file (344 million weights, 368 tensors).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..devices import single_threaded_torch
from ..errors import ModelFileError
from .compose import fitted_line, sharpened
from .fill import push_pull

if TYPE_CHECKING:
    from .head import HeadDepth
    from .view import View

Floats = NDArray[np.float32]
STEP = 32
"""Both sides of a picture are multiples of this."""
FINE_FROM = 1.5
"""A picture this many times larger than the network's is looked at a second time, larger: see `double_estimate`."""
PLAUSIBLE = (0.25, 0.45)
"""Metres before and behind the face within which the network's depth is believed; further off, scale and offset that
suit the face say little."""


@dataclass(frozen=True)
class DptShape:
    """Sizes of a network; those of DPT-Large by default.

    Attributes:
        width: of the tokens. depth: blocks. heads: of attention.
        side: pixels the position embedding is for. patch: pixels.
        hooks: blocks after which features are taken.
        features: channels of the four levels. fused: channels where they are fused.
        classes: of the head for classification, which is in the file and is not used.
    """

    width: int = 1024
    depth: int = 24
    heads: int = 16
    side: int = 384
    patch: int = 16
    hooks: tuple[int, int, int, int] = (5, 11, 17, 23)
    features: tuple[int, int, int, int] = (256, 512, 1024, 1024)
    fused: int = 256
    classes: int = 1000


class Attention(nn.Module):
    """Self-attention of tokens (B,N,width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        q, k, v = self.qkv(tokens).reshape(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.proj(seen.transpose(1, 2).reshape(batch, count, width))


class Mlp(nn.Module):
    """Two layers with GELU between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(nn.functional.gelu(self.fc1(tokens)))


class Block(nn.Module):
    """A transformer's block, normalised before each part."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class PatchEmbedding(nn.Module):
    """Squares of a picture to tokens."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.proj(pictures).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """ViT, of which the tokens after four blocks are wanted. `norm` and `head` are in the file and lie idle."""

    def __init__(self, shape: DptShape) -> None:
        super().__init__()
        self.grid = shape.side // shape.patch
        self.patch = shape.patch
        self.hooks = shape.hooks
        self.cls_token = nn.Parameter(torch.zeros(1, 1, shape.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, self.grid**2 + 1, shape.width))
        self.patch_embed = PatchEmbedding(shape.width, shape.patch)
        self.blocks = nn.ModuleList(Block(shape.width, shape.heads) for _ in range(shape.depth))
        self.norm = nn.LayerNorm(shape.width, eps=1e-6)
        self.head = nn.Linear(shape.width, shape.classes)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Four of (B,1+N,width), the readout token first."""
        height, width = (side // self.patch for side in pictures.shape[-2:])
        tokens = self.patch_embed(pictures)
        readout = self.cls_token.expand(len(tokens), -1, -1)
        tokens = torch.cat([readout, tokens], 1) + self._positions(height, width)
        taken = []
        for number, block in enumerate(self.blocks[: max(self.hooks) + 1]):
            tokens = block(tokens)
            if number in self.hooks:
                taken.append(tokens)
        return taken

    def _positions(self, height: int, width: int) -> Tensor:
        """The position embedding for a grid of another size."""
        first, rest = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        if (height, width) == (self.grid, self.grid):
            return self.pos_embed
        square = rest.reshape(1, self.grid, self.grid, -1).permute(0, 3, 1, 2)
        moved = interpolate(square, size=(height, width), mode="bilinear", align_corners=False)
        return torch.cat([first, moved.flatten(2).transpose(1, 2)], 1)


class ReadoutProjection(nn.Module):
    """The readout token joined to all others, and brought back to their width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(2 * width, width), nn.GELU())

    def forward(self, tokens: Tensor) -> Tensor:
        rest = tokens[:, 1:]
        return self.project(torch.cat([rest, tokens[:, :1].expand_as(rest)], -1))


class Turned(nn.Module):
    """Holds a number in the file's sequence of modules at which nothing with weights stands."""

    def forward(self, values: Tensor) -> Tensor:
        return values


class Backbone(nn.Module):
    """The transformer and what makes maps of its tokens ("reassemble")."""

    def __init__(self, shape: DptShape) -> None:
        super().__init__()
        self.model = VisionTransformer(shape)
        resample = (
            lambda c: nn.ConvTranspose2d(c, c, 4, 4),
            lambda c: nn.ConvTranspose2d(c, c, 2, 2),
            lambda c: Turned(),
            lambda c: nn.Conv2d(c, c, 3, 2, 1),
        )
        for level, (channels, change) in enumerate(zip(shape.features, resample, strict=True), 1):
            parts = nn.Sequential(
                *(ReadoutProjection(shape.width), Turned(), Turned()),
                nn.Conv2d(shape.width, channels, 1),
                change(channels),
            )
            self.add_module(f"act_postprocess{level}", parts)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Four maps, at a 4th, 8th, 16th and 32nd of the picture's size."""
        height, width = (side // self.model.patch for side in pictures.shape[-2:])
        maps = []
        for level, tokens in enumerate(self.model(pictures), 1):
            parts = self.get_submodule(f"act_postprocess{level}")
            assert isinstance(parts, nn.Sequential)
            read = parts[0](tokens).transpose(1, 2)
            maps.append(parts[3:](read.reshape(len(read), -1, height, width)))
        return maps


class ResidualUnit(nn.Module):
    """Two convolutions beside the way straight on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.conv2(torch.relu(self.conv1(torch.relu(maps))))


class Fusion(nn.Module):
    """A finer map added to a coarser one, and the sum enlarged twice."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(channels, channels, 1)
        self.resConfUnit1 = ResidualUnit(channels)
        self.resConfUnit2 = ResidualUnit(channels)

    def forward(self, coarse: Tensor, fine: Tensor | None = None) -> Tensor:
        if fine is not None:
            coarse = coarse + self.resConfUnit1(fine)
        maps = self.resConfUnit2(coarse)
        return self.out_conv(interpolate(maps, scale_factor=2, mode="bilinear", align_corners=True))


class Scratch(nn.Module):
    """The convolutional decoder."""

    def __init__(self, shape: DptShape) -> None:
        super().__init__()
        wide = shape.fused
        for level, channels in enumerate(shape.features, 1):
            self.add_module(f"layer{level}_rn", nn.Conv2d(channels, wide, 3, 1, 1, bias=False))
        for level in range(1, 5):
            self.add_module(f"refinenet{level}", Fusion(wide))
        self.output_conv = nn.Sequential(
            nn.Conv2d(wide, wide // 2, 3, 1, 1),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
            nn.Conv2d(wide // 2, 32, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(32, 1, 1),
            nn.ReLU(),
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        path: Tensor | None = None
        for level in (4, 3, 2, 1):
            fine = self.get_submodule(f"layer{level}_rn")(maps[level - 1])
            fuse = self.get_submodule(f"refinenet{level}")
            path = fuse(fine) if path is None else fuse(path, fine)
        return self.output_conv(path)


class DPT(nn.Module):
    """The whole network: pictures (B,3,H,W) of -1..1, sides multiples of `STEP`, to inverse depth (B,1,H,W) >= 0."""

    def __init__(self, shape: DptShape | None = None) -> None:
        super().__init__()
        shape = shape or DptShape()
        self.side = shape.side
        self.pretrained = Backbone(shape)
        self.scratch = Scratch(shape)

    def forward(self, pictures: Tensor) -> Tensor:
        if pictures.shape[-2] % STEP or pictures.shape[-1] % STEP:
            raise ValueError(f"The sides of a picture must be multiples of {STEP}, not {tuple(pictures.shape[-2:])}.")
        return self.scratch(self.pretrained(pictures))


def load_dpt(path: Path, shape: DptShape | None = None) -> DPT:
    """The network of a file.

    Raises:
        ModelFileError: the file is missing, damaged, or another network's.
    """
    from ..models.safe_load import load_tensors

    found = load_tensors(path)
    if "optimizer" in found and isinstance(found.get("model"), dict):
        found = found["model"]
    with torch.device("meta"):
        network = DPT(shape)
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    has = {name: tuple(value.shape) for name, value in found.items() if isinstance(value, Tensor)}
    wrong = next((name for name in wanted if has.get(name) != wanted[name]), None)
    if wrong is not None:
        seen = has.get(wrong)
        problem = f"lacks “{wrong}”" if seen is None else f"has “{wrong}” of size {seen}, not {wanted[wrong]}"
        raise ModelFileError(
            f"The file {path} is not MiDaS' DPT-Large: it {problem}.",
            "Choose dpt_large-midas-2f21e586.pt or dpt_large_384.pt; hybrid and other MiDaS networks are not read.",
        )
    network.load_state_dict({name: found[name].float() for name in wanted}, assign=True)
    return network.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def _kept(path: Path, version: tuple[int, int]) -> DPT:
    """`version` tells a file that was replaced from the one that was read."""
    del version
    return load_dpt(path)


def estimate(network: DPT, pixels: NDArray[np.uint8], side: int, device: str = "cpu") -> Floats:
    """(h,w) inverse depth, unscaled, of a picture (H,W,3) sRGB.

    Args:
        side: pixels of the side that has to be changed least to have so many, as MiDaS' "minimal" resizing does.
    """
    import cv2

    factor = min((side / length for length in pixels.shape[:2]), key=lambda scale: abs(1 - scale))
    height, width = (max(STEP, round(length * factor / STEP) * STEP) for length in pixels.shape[:2])
    small = cv2.resize(pixels.astype(np.float32) / 255, (width, height), interpolation=cv2.INTER_CUBIC)
    pictures = torch.from_numpy((small - 0.5) / 0.5).permute(2, 0, 1)[None].float().to(device)
    with torch.inference_mode(), single_threaded_torch():
        return network.to(device)(pictures)[0, 0].cpu().numpy()


def double_estimate(network: DPT, pixels: NDArray[np.uint8], device: str = "cpu") -> Floats:
    """Inverse depth of a picture looked at twice, if it is large (Miangoleh et al., "Boosting Monocular Depth", CVPR
    2021, which the thesis names as future work): broad shape from the size the network knows, fine shape from twice it.

    The merging network of the paper is replaced by bands: what is narrower than a twelfth of the smaller map.
    """
    import cv2

    base = estimate(network, pixels, network.side, device)
    if min(pixels.shape[:2]) < FINE_FROM * network.side:
        return base
    fine = estimate(network, pixels, 2 * network.side, device)
    size, sigma = (fine.shape[1], fine.shape[0]), max(fine.shape) / 12
    wide = np.asarray(cv2.resize(base, size, interpolation=cv2.INTER_CUBIC), np.float32)
    gain, _ = fitted_line(fine.ravel(), wide.ravel(), np.ones(fine.size))
    detail = gain * (fine - cv2.GaussianBlur(fine, (0, 0), sigma))
    return (cv2.GaussianBlur(wide, (0, 0), sigma) + detail).astype(np.float32)


def dpt_depth(view: View, head: HeadDepth, path: Path, device: str = "cpu") -> tuple[Floats, Floats]:
    """The network's depth in metres, scale and offset of its inverse those that suit the fitted face.

    Returns:
        (h,w) metres; (h,w) 0..1 how far it is believed.
    Raises:
        ModelFileError: see `load_dpt`.
    """
    from .view import resized

    stat = path.stat()
    seen = double_estimate(_kept(path, (stat.st_size, stat.st_mtime_ns)), view.pixels, device)
    inverse = np.asarray(resized(seen, view.shape), np.float32)
    sure = head.trust > 0.5
    if not sure.any():
        return np.full(view.shape, view.reference, np.float32), np.zeros(view.shape, np.float32)
    gain, offset = fitted_line(inverse[sure], 1 / head.depth[sure], head.trust[sure])
    fine = sharpened(seen, np.ones(seen.shape, np.float32), view.pixels)
    near, far = (view.reference + side for side in (-PLAUSIBLE[0], PLAUSIBLE[1]))
    depth = 1 / np.clip(gain * fine + offset, 1 / far, 1 / near)
    believed = (view.mask & (depth > near * 1.0001) & (depth < far * 0.9999)).astype(np.float32)
    return push_pull(depth, believed).astype(np.float32), believed
