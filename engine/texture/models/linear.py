"""Linear texture models: a mean and components, as 3DMMs have them.

Fast-GANFIT (Gecer et al., TPAMI 2021), eq. 1: T(p) = mean + U p. The bundled one is made by
`scripts/bake_texture_basis.py` from CC0 skins in the head's own UV; FLAME's and Basel's come from users' files, see
`flame_texture`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nnf

from ...errors import ModelFileError
from .model import draw, mean_square
from .uv_transfer import UvTransfer, own_layout

BASIS = Path(__file__).parents[1] / "data" / "texture_basis.safetensors"
METADATA_KEY = "likeness"
CURE = "Install the add-on again; developers run `python -m scripts.bake_texture_basis`."
SOFTNESS = 0.02
"""How far from 0 and 1 the output begins to bend, sRGB."""
DETAIL_STEPS = 0.5
"""Grey levels of 255 that a step of the stored detail means."""


def soft_clamp(colour: Tensor) -> Tensor:
    """Colours kept within 0..1, with a gradient everywhere: the difference of two softplus functions.

    Off by less than 0.7 `SOFTNESS` at the ends and by nothing to speak of inside.
    """
    sharp = 1 / SOFTNESS
    bent = (nnf.softplus(colour * sharp) - nnf.softplus((colour - 1) * sharp)) * SOFTNESS
    return bent.clamp(0, 1)  # rounding


@dataclass(frozen=True)
class LinearTexture:
    """A linear model whose textures lie in a layout of their own, H by W.

    Attributes:
        name: of the model.
        mean: (3,H,W) sRGB 0..1.
        components: (K,3,h,w) for one standard deviation each; enlarged to (H,W) where smaller.
        transfer: into the head's square.
        provenance: sources and licences.
    """

    name: str
    mean: Tensor
    components: Tensor
    transfer: UvTransfer
    provenance: dict[str, str]

    @property
    def size(self) -> int:
        """Side of the head's square, texels."""
        return self.transfer.size

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """(K,)."""
        return (len(self.components),)

    @property
    def coverage(self) -> Tensor:
        """(S,S) 0..1."""
        return self.transfer.coverage

    def start(self, seed: int | None = None) -> Tensor:
        """(K,) zeros, or a draw."""
        return draw(self.latent_shape, seed, self.mean.device)

    def source(self, latent: Tensor) -> Tensor:
        """Textures (B,3,H,W) in the model's own layout, sRGB, not bounded."""
        offset = torch.einsum("bk,kchw->bchw", latent, self.components)
        if offset.shape[-2:] != self.mean.shape[-2:]:
            offset = nnf.interpolate(offset, self.mean.shape[-2:], mode="bilinear", align_corners=False)
        return self.mean + offset

    def albedo(self, latent: Tensor) -> Tensor:
        """See `TextureModel.albedo`."""
        return soft_clamp(self.transfer.apply(self.source(latent)))

    def penalty(self, latent: Tensor) -> Tensor:
        """See `TextureModel.penalty`."""
        return mean_square(latent)

    def to(self, device: str | torch.device) -> LinearTexture:
        """The model on a device."""
        return replace(
            self,
            mean=self.mean.to(device),
            components=self.components.to(device),
            transfer=self.transfer.to(device),
        )


def pack(
    mean: NDArray[np.float32], components: NDArray[np.float32], mask: NDArray[np.bool_], detail: NDArray[np.float32]
) -> dict[str, NDArray]:
    """Arrays to store, a byte a number.

    Args:
        mean: (N,3) on the texels of the mask, sRGB. components: (K,N,3).
        mask: (s,s) texels of the outer skin, at the coarse size.
        detail: (S,S,3) what the mean has beside, at the fine size.
    """
    steps = np.abs(components).max((1, 2)) / 127
    return {
        "mask": np.packbits(mask),
        "side": np.array([len(mask), len(detail)], np.int32),
        "mean": np.round(mean.clip(0, 1) * 65535).astype(np.uint16),
        "components": np.round(components / steps[:, None, None]).astype(np.int8),
        "steps": steps.astype(np.float32),
        "detail": np.round(detail.mean(2) * 255 / DETAIL_STEPS).clip(-127, 127).astype(np.int8),
    }


def unpack(arrays: dict[str, NDArray]) -> tuple[Tensor, Tensor]:
    """Mean (3,S,S) and components (K,3,s,s) of `pack`'s arrays; texels off the skin hold their nearest neighbour's."""
    import cv2

    coarse, fine = (int(n) for n in arrays["side"])
    mask = np.unpackbits(arrays["mask"], count=coarse * coarse).reshape(coarse, coarse).astype(bool)
    _, labels = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(labels.max() + 1, np.int64)
    of_label[labels[mask]] = np.arange(int(mask.sum()))
    near = torch.tensor(of_label[labels])
    mean = torch.tensor(arrays["mean"].astype(np.float32) / 65535)[near].permute(2, 0, 1)
    components = torch.tensor(arrays["components"])[:, near].float().permute(0, 3, 1, 2)
    components *= torch.tensor(arrays["steps"])[:, None, None, None]
    mean = nnf.interpolate(mean[None], (fine, fine), mode="bilinear", align_corners=False)[0]
    return mean + torch.tensor(arrays["detail"].astype(np.float32)) * (DETAIL_STEPS / 255), components


@lru_cache(maxsize=1)
def load_linear(path: Path = BASIS) -> LinearTexture:
    """The bundled linear model, read once and then shared.

    Raises:
        ModelFileError: its file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    from ...heads.loader import load_head

    try:
        with safe_open(path, framework="numpy") as file:
            text = json.loads((file.metadata() or {})[METADATA_KEY])
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        mean, components = unpack(arrays)
    except FileNotFoundError as error:
        raise ModelFileError(f"The texture model {path} is missing.", CURE) from error
    except (SafetensorError, OSError, KeyError, ValueError, IndexError, RuntimeError, TypeError) as error:
        raise ModelFileError(f"The texture model {path} is damaged ({error}).", CURE) from error
    provenance = {
        "texture model": "Linear skins",
        "texture licence": "CC0-1.0",
        "texture source": f"{text['components']} components of MakeHuman's CC0 skins, recoloured",
    }
    return LinearTexture("linear", mean, components, own_layout(load_head(), mean.shape[-1]), provenance)
