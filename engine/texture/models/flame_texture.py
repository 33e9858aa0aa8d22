"""FLAME's texture spaces from the user's file: FLAME's own and the one converted from the Basel Face Model.

Both are linear, in FLAME's layout, 512 by 512, in BGR order; the first in 0..255, the second in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...errors import ModelFileError
from ...models.safe_load import MOST_BYTES, load_arrays, names_in
from .linear import LinearTexture
from .uv_transfer import UvTransfer

SIDE = 512
COMPONENTS = 50
"""How many are used unless told otherwise: DECA's number (Feng et al., SIGGRAPH 2021, section 3)."""


@dataclass(frozen=True)
class TextureSpace:
    """A kind of file: its arrays and units.

    Attributes:
        title: for reports. mean, components: names of the arrays. white: its value.
    """

    title: str
    mean: str
    components: str
    white: float


FLAME = TextureSpace("FLAME texture space", "mean", "tex_dir", 255.0)
BASEL = TextureSpace("Basel texture space in FLAME's layout", "MU", "PC", 1.0)


def load_flame_texture(path: Path, transfer: UvTransfer, count: int = COMPONENTS) -> LinearTexture:
    """A texture space from the user's `FLAME_texture.npz` or the Basel model's conversion.

    Args:
        path: of the file; which of the two is told by its arrays.
        transfer: from FLAME's layout, for example `uv_transfer.from_mesh(read_obj("head_template.obj"), ...)`.
        count: components to use, or as many as there are.
    Raises:
        ModelFileError: the file is missing, damaged, neither, or of other sizes.
    """
    space = BASEL if "MU" in names_in(path) else FLAME
    arrays = load_arrays(path, (space.mean, space.components))
    mean, basis = arrays[space.mean], arrays[space.components]
    numbers = SIDE * SIDE * 3
    if mean.size != numbers or basis.size == 0 or basis.size % numbers or basis.size * 4 > MOST_BYTES:
        raise ModelFileError(
            f"The file {path} has {space.mean} {mean.shape} and {space.components} {basis.shape}; expected "
            f"{SIDE}x{SIDE}x3 numbers and as many for each component.",
            "Choose FLAME_texture.npz or the converted Basel model.",
        )
    chosen = basis.reshape(numbers, -1)[:, :count].astype(np.float32).T / np.float32(space.white)
    picture = mean.reshape(SIDE, SIDE, 3)[..., ::-1].astype(np.float32) / np.float32(space.white)
    components = chosen.reshape(-1, SIDE, SIDE, 3)[..., ::-1]
    if not (np.isfinite(picture).all() and np.isfinite(components).all()):
        raise ModelFileError(f"The file {path} has numbers that are none.", "Get the file again from its owner.")
    provenance = {
        "texture model": f"{space.title} ({path.name})",
        "texture licence": "the licence of the user's file",
        "texture source": "the user's own file",
    }
    return LinearTexture(
        "flame" if space is FLAME else "basel",
        torch.tensor(np.ascontiguousarray(picture.transpose(2, 0, 1))),
        torch.tensor(np.ascontiguousarray(components.transpose(0, 3, 1, 2))),
        transfer,
        provenance,
    )
