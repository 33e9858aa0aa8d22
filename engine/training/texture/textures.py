"""What the texture generator learns from: bare skins drawn from MakeHuman's, or a user's own UV textures."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import ModelFileError, OutputError
from ...heads.loader import load_head
from ...render.lighting import linear_to_srgb
from ...texture.models.small import Window
from ..synthetic.skin import compose
from ..synthetic.skin_bank import SkinBank, build_skin_bank
from ..synthetic.skin_recipe import SkinRecipe, draw_recipe
from ..synthetic.wardrobe import find_assets, split

FINER = 2
"""Side of the whole textures that windows are cut from, as a multiple of the windows'."""
TOGETHER, PART = 8, 256
"""Skins composed at once, and written at once."""
LIPSTICK = 0.5
"""How much of the lipstick of synthetic people is kept."""
NO_COLLAR = -1.0
"""Metres: clothes lower than any skin."""
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")


def bare(recipe: SkinRecipe) -> SkinRecipe:
    """The same person without clothes, brows, hair and painted eyes: those come from photos and props.

    A shaved beard's shadow and half of the lipstick stay: they are colours of skin, as a photo has them.
    """
    makeup = replace(
        recipe.makeup, lipstick_cover=LIPSTICK * recipe.makeup.lipstick_cover, liner_cover=0.0, shadow_cover=0.0
    )
    hair = replace(recipe.hair, brow_cover=0.0, beard_cover=0.0, scalp_cover=0.0)
    return replace(recipe, makeup=makeup, hair=hair, rest=replace(recipe.rest, collar=NO_COLLAR))


def draw_textures(
    bank: SkinBank, window: Window, side: int, count: int, seed: int, held_out: bool = False, first: int = 0
) -> NDArray[np.uint8]:
    """(count,side,side,3) sRGB albedo of windows, without light.

    Args:
        bank: see `build_skin_bank`.
        window, side: what is cut, and its side in pixels.
        seed: texture k depends on it and k alone.
        held_out: from the skins that training never sees; else from the others.
        first: number of the first texture.
    """
    names = split(bank.names, held_out)
    drawn = np.empty((count, side, side, 3), np.uint8)
    for start in range(0, count, TOGETHER):
        numbers = range(start, min(start + TOGETHER, count))
        rngs = [np.random.default_rng((seed, int(held_out), first + number)) for number in numbers]
        albedo, _ = compose(bank, [bare(draw_recipe(rng, bank, names)) for rng in rngs])
        part = window.cut(albedo.float().permute(0, 3, 1, 2), side).permute(0, 2, 3, 1).cpu().numpy()
        drawn[start : numbers.stop] = np.round(linear_to_srgb(part.clip(0, 1)) * 255)
    return drawn


def read_textures(folder: Path, window: Window, side: int) -> NDArray[np.uint8]:
    """(N,side,side,3) windows of all textures in a folder, in the order of their names: squares in the head's UV.

    Raises:
        ModelFileError: there is none, or one is no picture or not square.
    """
    import cv2

    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in PICTURES)
    if not files:
        raise ModelFileError(f"The folder {folder} holds no textures.", "Put square UV textures there, PNG or JPEG.")
    found = []
    for path in files:
        data = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        if data is None:
            raise ModelFileError(f"{path} is not a picture.", "Remove it, or save it as PNG or JPEG.")
        if data.shape[0] != data.shape[1]:
            height, width = data.shape[:2]
            raise ModelFileError(f"{path} is {width} by {height}.", "Use whole, square textures in the head's UV.")
        whole = torch.tensor(data[..., ::-1].copy()).permute(2, 0, 1)[None].float()
        cut = window.cut(whole, side)[0].permute(1, 2, 0).numpy()
        found.append(np.clip(np.round(cut), 0, 255).astype(np.uint8))
    return np.stack(found)


def textures_of_run(
    out: Path, data: Path | None, window: Window, side: int, count: int, seed: int
) -> NDArray[np.uint8]:
    """The run's textures (N,side,side,3): made once, kept as `textures.npy` in its folder, mapped into memory.

    Args:
        out: the run's folder.
        data: folder of a user's own textures; None draws `count` of them.
        window, side, count, seed: see `draw_textures`.
    Raises:
        ModelFileError: a texture of the user's is wrong, or the kept file is damaged or another recipe's.
        OutputError: the folder cannot be written.
    """
    path = out / "textures.npy"
    if not path.is_file():
        partial = out / ".textures.partial.npy"
        try:
            out.mkdir(parents=True, exist_ok=True)
            if data is not None:
                np.save(partial, read_textures(data, window, side))
            else:
                _draw_to(partial, window, side, count, seed)
            os.replace(partial, path)
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error}).", "Choose another folder.") from error
    try:
        textures = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ModelFileError(f"{path} is damaged ({error}).", "Remove it to have it made again.") from error
    if textures.ndim != 4 or textures.shape[1:] != (side, side, 3) or textures.dtype != np.uint8:
        raise ModelFileError(f"{path} is of another recipe.", "Choose another folder, or remove it.")
    return textures


def _draw_to(path: Path, window: Window, side: int, count: int, seed: int) -> None:
    """Draw textures into a file, part by part: all of them may be more than the memory holds."""
    bank = build_skin_bank(load_head(), find_assets(), FINER * side)
    target = np.lib.format.open_memmap(path, "w+", np.uint8, (count, side, side, 3))
    for start in range(0, count, PART):
        some = min(PART, count - start)
        target[start : start + some] = draw_textures(bank, window, side, some, seed, first=start)
    target.flush()
