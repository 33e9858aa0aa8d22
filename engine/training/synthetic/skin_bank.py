"""What skins are made of: MakeHuman's CC0 skins in the head's UV, taken apart, with masks, noise, brows and eyes.

Built once from the assets, stored as arrays; `skin.compose` puts them together.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...heads.model import HeadModel
from ...render.lighting import srgb_to_linear
from .skin_brows import BrowBank, build_brows
from .skin_eyes import CONTRAST, EyeBank, build_eyes
from .skin_fields import SHARP, SOFT, sharp_masks, soft_fields
from .skin_places import Canvas, class_map, make_canvas
from .skin_sources import SkinParts, base_parts, read_skins

FIELD_STEPS = 32.0
"""Steps per unit of a stored soft field."""
BROAD_STEPS, FINE_STEPS = 100.0, 180.0
"""Steps per unit of density of the stored skins."""
COLLAR_LIMIT = -0.07
"""Metres: no clothes above this height of the mean head."""


@dataclass(frozen=True)
class SkinBank:
    """All a skin is composed of. S is the texture size, R the rows that outer skin takes, r and s half of them.

    Attributes:
        names: (K) of the skins. brow_names, iris_names: of the pictures.
        broad: (K,3,r,s) density of each skin, less its face's median; low frequencies.
        fine: (K,R,S) int8 density of its pores and wrinkles, `FINE_STEPS` per unit.
        soft: (F,r,s) fields of `SOFT`.
        sharp: (M,R,S) masks of `SHARP`, 0..1.
        rest: (3,R,S) places on the mean head, metres. reach: (R,S) how far a texel spans in height, metres.
        parts: (S,S,3) linear albedo of all but the outer skin.
        classes: (S,S) uint8, see `class_map`.
        brows, brow_labels: (n,2,h,w) uint8 and bool. brow_windows: (2,2).
        iris: (n,rings,turns) log brightness. veins, disc, eye_windows: see `EyeBank`.
        surface: (P,2) int16 rows and columns of texels on the front of the face, spread evenly over it.
    """

    names: tuple[str, ...]
    brow_names: tuple[str, ...]
    iris_names: tuple[str, ...]
    broad: Tensor
    fine: Tensor
    soft: Tensor
    sharp: Tensor
    rest: Tensor
    reach: Tensor
    parts: Tensor
    classes: Tensor
    brows: Tensor
    brow_labels: Tensor
    brow_windows: Tensor
    iris: Tensor
    veins: Tensor
    disc: Tensor
    eye_windows: Tensor
    surface: Tensor

    @property
    def size(self) -> int:
        """Side of the texture, texels."""
        return len(self.classes)

    @property
    def rows(self) -> int:
        """Rows from the top that hold the outer skin."""
        return self.fine.shape[1]

    @cached_property
    def bust(self) -> int:
        """First row that clothes may reach."""
        low = (self.rest[1] < COLLAR_LIMIT).any(1)
        return int(low.long().argmax())

    def to(self, device: str | torch.device) -> SkinBank:
        """The bank on a device."""
        return replace(self, **{name: value.to(device) for name, value in self._tensors().items()})

    def to_arrays(self) -> dict[str, NDArray]:
        """Everything as arrays, small: bytes where they do."""
        arrays = {name: value.cpu().numpy() for name, value in self._tensors().items()}
        arrays["broad"] = _bytes(arrays["broad"], BROAD_STEPS)
        arrays["soft"] = _bytes(arrays["soft"], FIELD_STEPS)
        arrays["iris"] = _bytes(arrays["iris"], CONTRAST)
        arrays["sharp"] = np.round(arrays["sharp"] * 255).astype(np.uint8)
        for name in ("rest", "reach", "parts", "disc"):
            arrays[name] = arrays[name].astype(np.float16)
        for name in ("names", "brow_names", "iris_names"):
            arrays[name] = np.frombuffer("\n".join(getattr(self, name)).encode(), np.uint8)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray]) -> SkinBank:
        """The bank stored by `to_arrays`."""
        values: dict[str, object] = {}
        for field in fields(cls):
            array = arrays[field.name]
            if field.name.endswith("names"):
                values[field.name] = tuple(bytes(array).decode().split("\n"))
                continue
            steps = {"broad": BROAD_STEPS, "soft": FIELD_STEPS, "iris": CONTRAST, "sharp": 255.0}.get(field.name)
            if steps is not None:
                array = array.astype(np.float32) / np.float32(steps)
            elif array.dtype == np.float16:
                array = array.astype(np.float32)
            values[field.name] = torch.tensor(array)
        return cls(**values)  # type: ignore[arg-type]

    def _tensors(self) -> dict[str, Tensor]:
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in found.items() if isinstance(value, Tensor)}


def _bytes(values: NDArray, steps: float) -> NDArray[np.int8]:
    return np.clip(np.round(values * steps), -127, 127).astype(np.int8)


def build_skin_bank(
    head: HeadModel, folder: Path | None, size: int = 512, seed: int = 1, drawn_brows: int = 30
) -> SkinBank:
    """Prepare the skins for a head. Slow: half a minute.

    Args:
        head: the open head.
        folder: MakeHuman's CC0 assets (`skins_2048`, `skins_512`, `eyebrows`, `eyes`), or None: the bundled base skin,
            drawn brows and drawn irises only.
        size: side of the texture, texels; even.
        seed: of the noise and of what is drawn.
        drawn_brows: how many brows are drawn, beside the assets'.
    """
    canvas, half = make_canvas(head, size), make_canvas(head, size // 2)
    rows = int(np.nonzero(canvas.covered)[0][canvas.outer].max()) + 3
    rows += rows % 2
    parts = base_parts(canvas)
    skins = {"base": parts} if folder is None else read_skins(canvas, folder, parts)
    brows, eyes = build_brows(canvas, folder, drawn_brows), build_eyes(canvas, folder)
    sharp, soft = sharp_masks(canvas, seed), soft_fields(half, seed)
    built = SkinBank(
        tuple(skins),
        brows.names,
        eyes.names,
        _stack(skins, "broad", canvas, rows),
        _stack(skins, "fine", canvas, rows),
        torch.tensor(np.stack([half.picture(soft[name])[: rows // 2] for name in SOFT])),
        torch.tensor(np.stack([canvas.picture(sharp[name].clip(0, 1))[:rows] for name in SHARP])),
        torch.tensor(np.moveaxis(canvas.picture(canvas.rest)[:rows], 2, 0).copy()),
        torch.tensor(_reach(canvas)[:rows]),
        torch.tensor(canvas.picture(srgb_to_linear(canvas.base())).astype(np.float32)),
        torch.tensor(canvas.picture(class_map(canvas, sharp["lips"]))),
        **_pictures(brows, eyes),
        surface=torch.tensor(_face_texels(canvas, seed)),
    )
    return SkinBank.from_arrays(built.to_arrays())


def _pictures(brows: BrowBank, eyes: EyeBank) -> dict[str, Tensor]:
    return {
        "brows": torch.tensor(brows.alpha),
        "brow_labels": torch.tensor(brows.label),
        "brow_windows": torch.tensor(brows.windows),
        "iris": torch.tensor(eyes.iris / np.float32(CONTRAST)),
        "veins": torch.tensor(eyes.veins),
        "disc": torch.tensor(eyes.disc),
        "eye_windows": torch.tensor(eyes.windows),
    }


def _reach(canvas: Canvas) -> NDArray[np.float32]:
    """(S,S) metres in height from each texel to its neighbours."""
    height = canvas.picture(canvas.rest[:, 1])
    down, across = (np.abs(np.diff(height, axis=axis, append=height.take([-1], axis))) for axis in (0, 1))
    return np.minimum(np.maximum(down, across), 0.02)


def _stack(skins: dict[str, SkinParts], kind: str, canvas: Canvas, rows: int) -> Tensor:
    """Broad parts at half the size (K,3,r,s), or fine ones (K,R,S) int8."""
    import cv2

    layers = []
    for skin in skins.values():
        if kind == "fine":
            layers.append(_bytes(canvas.picture(skin.fine)[:rows], FINE_STEPS))
        else:
            size = len(canvas.covered) // 2
            small = cv2.resize(canvas.picture(skin.broad), (size, size), interpolation=cv2.INTER_AREA)
            layers.append(np.moveaxis(small[: rows // 2], 2, 0))
    return torch.tensor(np.stack(layers))


def _face_texels(canvas: Canvas, seed: int, count: int = 4096) -> NDArray[np.int16]:
    """(P,2) rows and columns of random texels of face and neck, evenly over the surface: for moles and the like."""
    head = canvas.head
    corners = head.vertices[head.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    share = area[canvas.face] / np.bincount(canvas.face, minlength=len(area))[canvas.face]
    good = canvas.outer & (canvas.rest[:, 2] > 0) & (canvas.rest[:, 1] > -0.12) & (canvas.rest[:, 1] < 0.12)
    share = share * good * (1 - np.clip(canvas.base_region("lips") + canvas.base_region("nostril"), 0, 1))
    chosen = np.random.default_rng(seed).choice(len(share), count, p=share / share.sum())
    return np.argwhere(canvas.covered)[chosen].astype(np.int16)
