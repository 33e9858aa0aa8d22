"""Measures research regressors and identity networks: python scripts/benchmark_research.py [--only parity,speed,video].

Parity compares with the vectors in ../shared/parity (or under LIKENESS_SHARED); without them it says so and is left
out. Speed takes random weights; where timm is installed, its bare backbones are timed beside ours. Video times SMIRK
on a clip's frames as tracking asks it: cropped one by one, looked at in batches.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.devices import choose_device  # noqa: E402
from engine.evaluation.machine import describe_machine, milliseconds  # noqa: E402
from engine.perception import identity  # noqa: E402
from engine.recognition.arcface import VARIANTS, IResNet  # noqa: E402
from engine.recognition.load import load_small  # noqa: E402
from engine.regressors import load  # noqa: E402
from engine.regressors.checkpoints import hollow  # noqa: E402
from engine.regressors.deca import COARSE, DETAIL, PARTS, DecaCoarse, DecaDetail, DecaEncoder, load_part  # noqa: E402
from engine.regressors.deca_detail import DetailDecoder  # noqa: E402
from engine.regressors.deep3d import Deep3dNetwork  # noqa: E402
from engine.regressors.image_regressor import ImageRegressor, ready  # noqa: E402
from engine.regressors.smirk import HEAD, SmirkEncoder, load_encoder  # noqa: E402
from engine.regressors.smirk_translator import SmirkTranslator, load_translator  # noqa: E402
from engine.tracking.regressed import BATCH, Batches, face_crop  # noqa: E402

PARITY = Path(os.environ.get("LIKENESS_SHARED", ROOT.parent / "shared")) / "parity"
MOST_SECONDS = 4.0
"""For one number of the speed table, about."""
FRAMES, WIDTH, HEIGHT, FACE = 4 * BATCH, 1280, 720, 300.0
"""Of the clip that is timed: how many frames, their size in pixels, and the size of the face in them."""
BACKBONES = ("tf_mobilenetv3_small_minimal_100", *["tf_mobilenetv3_large_minimal_100"] * 2)
"""Those in SMIRK."""


@dataclass(frozen=True)
class Row:
    """A line of the parity table: largest number of the vector, largest difference from it, what the tests allow."""

    network: str
    tensor: str
    largest: float
    difference: float
    allowed: float

    def line(self) -> str:
        """As Markdown."""
        numbers = f"{self.largest:.3g} | {self.difference:.1e} | {self.allowed:.0e}"
        return f"| {self.network} | {self.tensor} | {numbers} |"


def compared(network: str, tensor: str, found: Any, wanted: np.ndarray, allowed: float) -> Row:
    """A row of a tensor."""
    values = found.numpy() if isinstance(found, Tensor) else found
    return Row(network, tensor, float(np.abs(wanted).max()), float(np.abs(values - wanted).max()), allowed)


def seeded(spec: str, folder: Path) -> tuple[dict[str, Tensor], Path]:
    """Weights of a spec, and a file that they may be saved as."""
    place = importlib.util.spec_from_file_location("parity_regen", PARITY / "regen.py")
    if place is None or place.loader is None:
        raise FileNotFoundError(PARITY / "regen.py")
    module: Any = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    arrays = module.regen(str(PARITY / spec))
    return {name: torch.from_numpy(np.asarray(values)) for name, values in arrays.items()}, folder / "weights.pth"


def read(name: str) -> tuple[dict[str, np.ndarray], Tensor]:
    """Vectors, and the input among them."""
    stored = dict(np.load(PARITY / name))
    return stored, torch.from_numpy(stored["x"]).float()


def smirk_rows(folder: Path) -> Iterator[Row]:
    """Encoder, plain and as it is used, and its features; translator."""
    state, path = seeded("smirk/encoder_spec.json", folder)
    torch.save(state, path)
    wanted, images = read("smirk/encoder.npz")
    plain = load_encoder(path)
    for title, network, allowed in (
        ("SMIRK encoder", plain, 2e-6),
        ("the same, folded", load("smirk", path).network, 2e-5),
    ):
        for name, values in network(images).items():
            yield compared(title, name, values, wanted[f"out_{name}"], allowed)
    for part in ("pose", "shape", "expression"):
        for level, values in enumerate(getattr(plain, f"{part}_encoder").encoder(images)):
            name = f"{part}, features {level}"
            yield compared(
                "its backbones", name, values.mean((2, 3)), wanted[f"feat_{part}_encoder_{level}_mean"], 3e-6
            )
    state, path = seeded("smirk/generator_spec.json", folder)
    torch.save(state, path)
    wanted, images = read("smirk/generator.npz")
    yield compared("SMIRK translator", "picture", load_translator(path)(images), wanted["out"], 1e-4)


def deca_rows(folder: Path) -> Iterator[Row]:
    """E_flame, plain and as it is used, and D_detail."""
    state, path = seeded("deca/E_flame_spec.json", folder)
    torch.save({"E_flame": state, "D_detail": seeded("deca/D_detail_spec.json", folder)[0]}, path)
    wanted, images = read("deca/deca.npz")
    whole = wanted["E_flame_out"]
    yield compared("DECA", "E_flame", load_part(path, "E_flame", hollow(DecaEncoder, COARSE))(images), whole, 1e-4)
    parts = load("deca", path).network(images)
    yield compared("the same, folded", "E_flame", torch.cat([parts[n].flatten(1) for n in PARTS], 1), whole, 2e-4)
    found = load_part(path, "D_detail", hollow(DetailDecoder))(torch.from_numpy(wanted["z"]))
    yield compared("DECA", "D_detail, metres", found, wanted["D_detail_out"], 2e-8)


def arcface_rows(folder: Path) -> Iterator[Row]:
    """IResNet-50, and the matrices of its alignment."""
    state, path = seeded("arcface/r50_spec.json", folder)
    torch.save(state, path)
    network, wanted = identity.load(path), dict(np.load(PARITY / "arcface" / "r50.npz"))
    images = wanted["rgb_u8"].transpose(0, 2, 3, 1)
    yield compared("ArcFace IResNet-50", "embedding", network.embed(images), wanted["emb"], 1e-4)
    activations = network.recogniser.network(torch.from_numpy(wanted["rgb_u8"]).float() / 255)[1]
    yield compared("ArcFace IResNet-50", "layer4", activations[3].mean((2, 3)), wanted["layer4"], 2e-5)
    wanted = dict(np.load(PARITY / "arcface" / "align.npz"))
    matrices = np.stack([network.align(points) for points in wanted["lmk5"]])
    yield compared("ArcFace", "alignment", matrices, wanted["M"], 1e-5)


@torch.inference_mode()
def parity() -> None:
    """Print the parity table."""
    if not (PARITY / "regen.py").is_file():
        print("No parity vectors were found; set LIKENESS_SHARED.")
        return
    print("| network | tensor | largest number | largest difference | allowed |\n|---|---|---|---|---|")
    for rows in (smirk_rows, deca_rows, arcface_rows):
        with tempfile.TemporaryDirectory() as folder:
            for row in rows(Path(folder)):
                print(row.line(), flush=True)


def networks(device: str) -> Iterator[tuple[str, nn.Module, tuple[int, ...]]]:
    """Title, network with random weights, shape of one input."""
    crop = (3, 224, 224)

    def used(network: nn.Module) -> nn.Module:
        return ready("", network.eval(), Path(), "", device).network

    yield "SMIRK encoder", used(SmirkEncoder()), crop
    yield "SMIRK encoder, not folded", SmirkEncoder(), crop
    if importlib.util.find_spec("timm"):
        timm = importlib.import_module("timm")
        backbones = [timm.create_model(name, pretrained=False, features_only=True) for name in BACKBONES]
        yield "its three backbones, timm's", Beside(backbones), crop
    yield "DECA", used(DecaCoarse(DecaEncoder(COARSE))), crop
    yield "DECA with detail", used(DecaDetail(DecaEncoder(COARSE), DecaEncoder(DETAIL), DetailDecoder())), crop
    yield "Deep3D", used(Deep3dNetwork()), crop
    yield "SMIRK translator", SmirkTranslator(), (6, 224, 224)
    for name, blocks in VARIANTS.items():
        yield f"ArcFace {name}", IResNet(blocks), (3, 112, 112)
    yield "small identity network", load_small().network, (3, 150, 150)


class Beside(nn.Module):
    """Networks that look at the same pictures."""

    def __init__(self, parts: list[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> list[Any]:
        return [part(x) for part in self.parts]


@torch.inference_mode()
def speed(device: str, threads: list[int], batches: list[int], times: int) -> None:
    """Print the speed table: images a second by the clock, and by the processors' own time where it differs."""
    columns = [(count, batch) for count in threads for batch in batches]
    print("| network | " + " | ".join(f"batch {batch}, threads {count}" for count, batch in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    wait: Callable[[], None] = torch.cuda.synchronize if device == "cuda" else lambda: None
    for title, network, shape in networks(device):
        network.eval().to(device)
        cells = []
        for count, batch in columns:
            torch.set_num_threads(count)
            images = torch.rand(batch, *shape, device=device).contiguous(memory_format=torch.channels_last)

            def once(network: nn.Module = network, images: Tensor = images) -> None:
                network(images)
                wait()

            first, _ = milliseconds(once, 1, 0)
            clock, work = milliseconds(once, max(1, min(times, int(MOST_SECONDS * 1e3 / first))), 0)
            cells.append(f"{1e3 * batch / clock:.1f}" + (f" ({1e3 * batch / work:.1f})" if device == "cpu" else ""))
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


def video(device: str, times: int) -> None:
    """Print SMIRK's frames a second on a clip in memory, crop included; decoding and the points are others' work.

    One thread of torch. By the clock the crops are cut while the network looks at the batch before, on two threads; the
    processors' own time is what one thread needs for both.
    """
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (4, HEIGHT, WIDTH, 3), np.uint8)
    middle = np.array([WIDTH, HEIGHT]) / 2
    points = middle + random.uniform(-FACE / 2, FACE / 2, (478, 2))
    network = ready("smirk", SmirkEncoder(), Path(), HEAD, device)

    def clip(regressor: ImageRegressor = network) -> None:
        with Batches(regressor) as batches:
            for number in range(FRAMES):
                batches.add(pictures[number % len(pictures)], points + 0.3 * number)
            batches.rows()

    def crops() -> None:
        for number in range(FRAMES):
            face_crop(pictures[number % len(pictures)], points + 0.3 * number)

    print(f"| {WIDTH} x {HEIGHT}, batch {BATCH} | frames a second | by the processors' time |\n|---|---|---|")
    for title, call in (("crop alone", crops), ("video path: crop and SMIRK", clip)):
        clock, work = milliseconds(call, times, 1)
        print(f"| {title} | {1e3 * FRAMES / clock:.1f} | {1e3 * FRAMES / work:.1f} |", flush=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="parity,speed,video", help="sections, separated by commas")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of torch on the CPU")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16], help="pictures at a time")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps or auto")
    parser.add_argument("--times", type=int, default=9, help="that a network looks, at most; the median counts")
    given = parser.parse_args()
    device = choose_device(given.device)
    about = describe_machine()
    what = torch.cuda.get_device_name() if device == "cuda" else f"{about['processor']}, {about['cores']} cores"
    print(f"{about['date']}, {what}, PyTorch {about['versions']['torch']}, float32\n")
    sections = given.only.split(",")
    if "parity" in sections:
        torch.set_num_threads(1)
        parity()
        print()
    if "speed" in sections:
        speed(device, given.threads if device == "cpu" else [1], given.batch, given.times)
        print()
    if "video" in sections:
        video(device, given.times)


if __name__ == "__main__":
    main()
