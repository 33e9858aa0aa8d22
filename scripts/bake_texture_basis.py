"""Bakes the bundled linear texture model: `python -m scripts.bake_texture_basis [--assets FOLDER] [--out FILE]`.

Skins are put together from MakeHuman's CC0 skins as for training (recoloured by melanin and haemoglobin, mixed, with
regions, brows and beards; no light, no clothes, no make-up round the eyes), and their principal components are kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from engine.errors import ModelFileError
from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from engine.render.lighting import linear_to_srgb
from engine.texture.models.linear import BASIS, METADATA_KEY, pack
from engine.texture.models.uv_transfer import outer_texels
from engine.training.synthetic.skin import compose
from engine.training.synthetic.skin_bank import SkinBank, build_skin_bank
from engine.training.synthetic.skin_recipe import SkinRecipe, draw_recipe
from engine.training.synthetic.wardrobe import find_assets, split

COARSE, FINE = 256, 512
"""Sides at which components and mean are kept."""
LEAST_GAIN = 0.0005
"""Share of the held-out skins' variance that a component must explain to be kept."""
BEARDED = 0.5
"""Share of the drawn beards that stay: else the mean has stubble."""
AT_ONCE = 8


@dataclass(frozen=True)
class Skins:
    """Textures on the N texels of the outer skin: (B,N,3) sRGB 0..1, of skins for learning and those kept apart."""

    learnt: NDArray[np.float32]
    kept: NDArray[np.float32]


def bare(recipe: SkinRecipe, bearded: bool) -> SkinRecipe:
    """The same without clothes, paint round the eyes, cropped hair, moles and freckles: they are no linear matter."""
    look, hair = recipe.complexion, recipe.hair
    if not bearded:
        hair = replace(hair, beard_cover=0.0, beard_shadow=hair.beard_shadow * 0)
    return replace(
        recipe,
        complexion=replace(look, mark_density=look.mark_density * 0, freckles=look.freckles * 0),
        makeup=replace(recipe.makeup, liner_cover=0.0, shadow_cover=0.0),
        hair=replace(hair, scalp_cover=0.0),
        rest=replace(recipe.rest, collar=-1.0, slope=0.0),
    )


def draw_skins(bank: SkinBank, mask: NDArray, names: Collection[str], count: int, seed: int) -> NDArray[np.float32]:
    """(count,N,3) sRGB of random skins on the N texels of a mask."""
    rng = np.random.default_rng(seed)
    recipes = [bare(draw_recipe(rng, bank, names), rng.random() < BEARDED) for _ in range(count)]
    found = []
    for start in range(0, count, AT_ONCE):
        albedo, _ = compose(bank, recipes[start : start + AT_ONCE])
        found.append(linear_to_srgb(albedo.float()).numpy()[:, mask])
    return np.concatenate(found)


def read_skins(head: HeadModel, assets: Path, count: int, seed: int) -> tuple[Skins, NDArray[np.float32]]:
    """Skins at the coarse size, and the mean of some at the fine size less its own blur."""
    bank = build_skin_bank(head, assets, COARSE)
    mask = outer_texels(head, COARSE).mask.numpy()
    learning, kept = split(bank.names, False), split(bank.names, True)
    skins = Skins(
        draw_skins(bank, mask, learning, count, seed), draw_skins(bank, mask, kept, max(count // 10, 8), seed + 1)
    )
    sharp = build_skin_bank(head, assets, FINE)
    fine = draw_skins(sharp, np.ones((FINE, FINE), bool), split(sharp.names, False), 24, seed + 2).mean(0)
    picture = torch.tensor(fine.reshape(1, FINE, FINE, 3)).permute(0, 3, 1, 2)
    small = torch.nn.functional.interpolate(picture, (COARSE, COARSE), mode="area")
    blurred = torch.nn.functional.interpolate(small, (FINE, FINE), mode="bilinear", align_corners=False)
    return skins, (picture - blurred)[0].permute(1, 2, 0).numpy()


@dataclass(frozen=True)
class Basis:
    """Principal components: (N,3) mean, (K,N,3) for one standard deviation each, and what they explain.

    `kept` (K,) is the share of the squares about the mean that the first components leave of the skins kept apart;
    `deviation` is the root mean square of those, sRGB.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    kept: NDArray[np.float64]
    deviation: float


def principal(skins: Skins, most: int) -> Basis:
    """Components of the learnt skins, measured on those kept apart."""
    flat = skins.learnt.reshape(len(skins.learnt), -1)
    mean = flat.mean(0)
    flat = flat - mean
    values, vectors = np.linalg.eigh(flat @ flat.T)
    order = np.argsort(values)[::-1][:most]
    unit = (vectors[:, order].T @ flat) / np.sqrt(values[order])[:, None]
    unit *= np.sign(unit.sum(1, keepdims=True))  # lighter is positive
    deviation = np.sqrt(values[order] / (len(flat) - 1))
    rest = skins.kept.reshape(len(skins.kept), -1) - mean
    explained = np.asarray(((rest @ unit.T) ** 2).sum(0) / (rest**2).sum(), np.float64)
    shape = skins.learnt.shape[1:]
    components = (unit * deviation[:, None]).reshape(-1, *shape)
    return Basis(mean.reshape(shape), components, 1.0 - np.cumsum(explained), float(np.sqrt((rest**2).mean())))


def main() -> None:
    """Bake the basis and print what it explains."""
    parser = argparse.ArgumentParser(description="Bake the bundled linear texture model from MakeHuman's CC0 skins.")
    parser.add_argument("--assets", type=Path, default=find_assets(), help="MakeHuman's CC0 assets")
    parser.add_argument("--out", type=Path, default=BASIS, help="the file to write")
    parser.add_argument("--count", type=int, default=600, help="random skins to learn from")
    parser.add_argument("--most", type=int, default=40, help="components to keep at most")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.assets is None:
        raise ModelFileError("MakeHuman's CC0 assets are missing.", "Give their folder with --assets.")
    head = load_head()
    skins, detail = read_skins(head, arguments.assets, arguments.count, arguments.seed)
    basis = principal(skins, arguments.most)
    gain = -np.diff(basis.kept, prepend=1.0)
    number = int(np.flatnonzero(gain >= LEAST_GAIN).max()) + 1
    mask = outer_texels(head, COARSE).mask.numpy()
    arrays = pack(basis.mean, basis.components[:number], mask, detail)
    text = {"components": number, "unexplained": round(float(basis.kept[number - 1]), 4), "skins": arguments.count}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(arrays, arguments.out, {METADATA_KEY: json.dumps(text)})
    for k in sorted({1, 2, 4, 8, 16, 24, 32, number}):
        if k <= len(basis.kept):
            error = 255 * basis.deviation * np.sqrt(basis.kept[k - 1])
            print(f"{k} components explain {100 * (1 - basis.kept[k - 1]):.2f} % of skins kept apart, RMS {error:.2f}")
    digest = hashlib.sha256(arguments.out.read_bytes()).hexdigest()
    print(f"{arguments.out}: {number} components, {arguments.out.stat().st_size / 1e6:.2f} MB, SHA-256 {digest}")


if __name__ == "__main__":
    main()
