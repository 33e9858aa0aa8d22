"""Measures texture models against skins: python scripts/benchmark_textures.py [--weights FILE] [--count N].

Fréchet distances (not Inception's, see `engine/training/texture/measure.py`) of samples to textures drawn from the
skins that training sees and from those it never sees. Needs MakeHuman's CC0 skins (see docs/training.md).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.devices import single_threaded_torch  # noqa: E402
from engine.errors import EngineError, ModelFileError  # noqa: E402
from engine.evaluation.machine import describe_machine  # noqa: E402
from engine.evaluation.tables import Table  # noqa: E402
from engine.heads.loader import load_head  # noqa: E402
from engine.recognition.load import load_small  # noqa: E402
from engine.texture.models.linear import load_linear  # noqa: E402
from engine.texture.models.model import TextureModel  # noqa: E402
from engine.texture.models.small import WINDOW, SmallGeneratorTexture  # noqa: E402
from engine.training.synthetic.skin_bank import SkinBank, build_skin_bank  # noqa: E402
from engine.training.synthetic.wardrobe import find_assets  # noqa: E402
from engine.training.texture.measure import features, frechet, linear_samples  # noqa: E402
from engine.training.texture.textures import FINER, draw_textures  # noqa: E402

SIDE = 256
FIRST_SEED = 1000
"""Of draws that no training used."""
TOGETHER = 16


@torch.no_grad()
def samples(model: TextureModel, count: int) -> np.ndarray:
    """(count,256,256,3) uint8 windows of a model's draws."""
    found = []
    for start in range(0, count, TOGETHER):
        latents = torch.stack([model.start(seed) for seed in range(start, min(start + TOGETHER, count))])
        cut = WINDOW.cut(model.albedo(latents), SIDE)
        found.append((cut.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return np.concatenate(found)


def candidates(bank: SkinBank, weights: Path | None, count: int) -> dict[str, np.ndarray]:
    """Name and windows of everything that is measured."""
    training = draw_textures(bank, WINDOW, SIDE, count, FIRST_SEED)
    generator = SmallGeneratorTexture(weights)
    sets = {
        "textures of training's skins": draw_textures(bank, WINDOW, SIDE, count, FIRST_SEED + 1),
        "small generator": samples(generator, count),
        f"linear, {generator.latent_shape[0]} components, of the same textures": linear_samples(
            training, min(generator.latent_shape[0], count - 1), count, 0
        ),
        "the mean skin alone": np.broadcast_to(training.mean(0).round().astype(np.uint8), training.shape),
    }
    try:
        sets["bundled linear model"] = samples(load_linear(), count)
    except ModelFileError as error:
        print(f"Left out, the bundled linear model: {error}", file=sys.stderr)
    return sets


def measure(bank: SkinBank, weights: Path | None, count: int) -> Table:
    """All distances."""
    recogniser = load_small()
    references = [
        features(recogniser.network, recogniser.side, draw_textures(bank, WINDOW, SIDE, count, FIRST_SEED, held_out))
        for held_out in (False, True)
    ]
    rows = []
    for name, pictures in candidates(bank, weights, count).items():
        seen = features(recogniser.network, recogniser.side, pictures)
        rows.append((name, *(frechet(seen, reference) for reference in references)))
    note = (
        f"Fréchet distance on mean and deviation of mid-level activations of the bundled recognition network, not "
        f"Inception; {count} textures each, the face in the window. Smaller is nearer."
    )
    return Table("Textures", ("samples", "to training's skins", "to held-out skins"), rows, note)


def main() -> int:
    """Measure and print. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, help="file of a generator; default: the bundled one")
    parser.add_argument("--assets", type=Path, help="MakeHuman's CC0 assets; default: beside the clone")
    parser.add_argument("--count", type=int, default=600, help="textures of each kind, over 400")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    assets = options.assets or find_assets()
    try:
        if assets is None:
            raise ModelFileError("MakeHuman's skins are not there.", "Name their folder with --assets.")
        with single_threaded_torch():
            table = measure(build_skin_bank(load_head(), assets, FINER * SIDE), options.weights, options.count)
    except EngineError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    print(table.markdown())
    if options.json:
        stored = {"machine": describe_machine(), "tables": [table.packed()]}
        options.json.write_text(json.dumps(stored, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
