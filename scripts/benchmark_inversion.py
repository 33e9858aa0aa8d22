"""Measures inversions with and without a trained regressor: python scripts/benchmark_inversion.py [--out DIR] ...

On a tiny generator with random weights, whose latents are known: heads are drawn, a regressor is trained on them and
exported, all by the commands of `python -m engine.training`; then held-out heads are inverted from the mean latent and
from the regressor's answer. With --first-step, instead: what one step without warm-up does to the published U-Net.
Prints Markdown.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.eg3d.config import TINY  # noqa: E402
from engine.eg3d.generator import TriplaneGenerator  # noqa: E402
from engine.eg3d.inversion import InversionOptions, invert  # noqa: E402
from engine.eg3d.load import load_generator, save_generator  # noqa: E402
from engine.eg3d.perceptual import Perceptual, substitute  # noqa: E402
from engine.eg3d.pivot import PivotOptions, latent_statistics  # noqa: E402
from engine.eg3d.regression import LatentUnet, l1_loss, load_regressor  # noqa: E402
from engine.eg3d.tuning import TuningOptions  # noqa: E402
from engine.evaluation.tables import Cell, Table, mean  # noqa: E402
from engine.training.__main__ import main as training  # noqa: E402
from engine.training.eg3d.shards import read_set  # noqa: E402

RECIPE = """network = "latents"
architecture = "vit"
[settings]
side = 48
patch = 6
width = 96
blocks = 4
heads = 4
[learning]
batch = 16
[loop]
steps = {steps}
learning_rate = 1e-3
warm_up = 20
weight_decay = 0.01
average = 0.95
log_every = 50
validate_every = {steps}
save_every = {steps}
"""
COLD, SHORT = 80, (0, 10, 20, 40, 80)
"""Steps from the mean latent, and from a start."""
RATE = 0.02
RATES, SPREAD = (1e-3, 1e-4), 0.3
"""Of a first step, the published rate first; standard deviation of the latents it is taken towards."""
NEAR = 0.8
"""How much of the way to the truth a good start has gone."""


@dataclass(frozen=True)
class End:
    """Where an inversion ended: mean difference of w, mean square of pixels, perceptual distance."""

    w: float
    pixels: float
    perceptual: float

    @property
    def loss(self) -> float:
        """As the inversion adds them up."""
        return self.pixels + self.perceptual


@dataclass(frozen=True)
class Known:
    """A head whose latent is known."""

    network: TriplaneGenerator
    ws: Tensor
    label: Tensor
    target: Tensor
    eye: Perceptual

    def found(self, start: Tensor | None, steps: int) -> End:
        """Invert, or take the start as it is."""
        found = start
        if steps:
            options = InversionOptions(PivotOptions(steps=steps, rate=RATE, samples=1000), TuningOptions(steps=0))
            found = invert(self.network, self.target, self.label, options, start, self.eye).ws
        assert found is not None
        with torch.no_grad():
            image = self.network.synthesis(found, self.label).image
            assert image is not None
            unlike = float(self.eye(image, self.target))
        return End(float((found - self.ws).abs().mean()), float((image - self.target).square().mean()), unlike)


def trained(folder: Path, heads: int, steps: int) -> None:
    """Draw heads, train and export, by the commands; what is there is not done again."""
    generator = folder / "generator.safetensors"
    if not generator.is_file():
        torch.manual_seed(11)
        save_generator(TriplaneGenerator(TINY).eval(), generator)
    draw = ["eg3d-dataset", "--generator", str(generator), "--out"]
    (folder / "recipe.toml").write_text(RECIPE.format(steps=steps), encoding="utf-8")
    learn = ["latents", "--config", str(folder / "recipe.toml"), "--data", str(folder / "data"), "--resume"]
    for command in (
        [*draw, str(folder / "data" / "train"), "--count", str(heads)],
        [*draw, str(folder / "data" / "held_out"), "--count", "100", "--held-out"],
        [*learn, "--out", str(folder / "run")],
        ["export", str(folder / "run"), "--out", str(folder / "eg3d_latents.safetensors")],
    ):
        if training(command):
            raise SystemExit(1)


def known_heads(folder: Path, count: int) -> list[Known]:
    """Held-out heads from the front."""
    network = load_generator(folder / "generator.safetensors").requires_grad_(False)
    part, eye = read_set(folder / "data" / "held_out")[1][0], substitute()
    heads = []
    for number in np.flatnonzero(part.kinds == 0)[:count]:
        ws, label = torch.from_numpy(part.ws[number])[None], torch.from_numpy(part.labels[number])[None]
        with torch.no_grad():
            image = network.synthesis(ws, label).image
        assert image is not None
        heads.append(Known(network, ws, label, image, eye))
    return heads


def measured(folder: Path, count: int) -> Table:
    """Inversions from each start."""
    heads, regressor = known_heads(folder, count), load_regressor(folder / "eg3d_latents.safetensors")
    rows: dict[tuple[str, int], list[End]] = {}
    for head in heads:
        middle = latent_statistics(head.network, head.label, 1000)[0].expand_as(head.ws)
        with torch.no_grad():
            guess = regressor(head.target)
        rows.setdefault(("mean latent", 0), []).append(head.found(middle, 0))
        rows.setdefault(("mean latent", COLD), []).append(head.found(None, COLD))
        for steps in SHORT:
            rows.setdefault(("regressor", steps), []).append(head.found(guess, steps))
        for near in ((f"{NEAR:.0%} of the way", 10), (f"{NEAR:.0%} of the way", 20)):
            rows.setdefault(near, []).append(head.found(middle.lerp(head.ws, NEAR), near[1]))
    cold = [end.loss for end in rows["mean latent", COLD]]
    table: list[list[Cell]] = [
        [
            *name,
            *(mean([getattr(end, what) for end in ends]) for what in ("w", "pixels", "perceptual")),
            f"{sum(end.loss <= least for end, least in zip(ends, cold, strict=True))} of {len(ends)}",
        ]
        for name, ends in rows.items()
    ]
    columns = ("start", "steps", "w, mean difference", "picture, mean square", "perceptual", "as near as from the mean")
    note = f"Means over {count} held-out heads from the front; the last column: as near as {COLD} steps from the mean."
    return Table("Inversion of known latents", columns, table, note)


def first_steps() -> Table:
    """L1 of the published U-Net's answer to a picture of noise before and after one step of Adam, by rate."""
    picture, ws = 2 * torch.rand(1, 3, 512, 512) - 1, SPREAD * torch.randn(1, 14, 512)
    rows: list[list[Cell]] = []
    for rate in RATES:
        torch.manual_seed(0)
        network = LatentUnet()
        network.start_at(torch.zeros(512))
        optimiser = torch.optim.Adam(network.parameters(), rate)
        before = l1_loss(network(picture), ws).mean()
        before.backward()
        optimiser.step()
        with torch.no_grad():
            rows.append([f"{rate:g}", before.item(), float(l1_loss(network(picture), ws).mean())])
    return Table("The first step", ("rate", "L1 before", "L1 after"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="folder to keep heads and weights in; default: a temporary one")
    parser.add_argument("--heads", type=int, default=3000, help="to learn from")
    parser.add_argument("--steps", type=int, default=300, help="of training")
    parser.add_argument("--count", type=int, default=6, help="held-out heads inverted")
    parser.add_argument("--first-step", action="store_true", help="of the published U-Net instead; 1.4 GB, a minute")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.first_step:
        torch.manual_seed(0)
        print(first_steps().markdown())
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        started = process_time()
        trained(folder, arguments.heads, arguments.steps)
        print(f"{process_time() - started:.0f} s of one core for heads and regressor\n")
        print(measured(folder, arguments.count).markdown())


if __name__ == "__main__":
    main()
