"""Measures EG3D: python scripts/benchmark_eg3d.py [--shared DIR] [--sides N...] [--skip PART...].

Parity with the published network on its stored vectors, seconds and memory of the full network with random weights,
of density grids and meshes, and inversions of a tiny generator's pictures with and without a regressor's start. Prints
Markdown. Seconds are by the clock and, in brackets, of the processor's own time, which says more on a busy machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as nnf

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.eg3d.camera import orbit_label  # noqa: E402
from engine.eg3d.config import FULL, SMALL, TINY  # noqa: E402
from engine.eg3d.generator import TriplaneGenerator  # noqa: E402
from engine.eg3d.grid import Grid, predicted_bytes, slabs  # noqa: E402
from engine.eg3d.inversion import InversionOptions, invert  # noqa: E402
from engine.eg3d.invert_photo import predicted_bytes as predicted_inversion  # noqa: E402
from engine.eg3d.mesh import extract_mesh  # noqa: E402
from engine.eg3d.perceptual import substitute  # noqa: E402
from engine.eg3d.pivot import PivotOptions, latent_statistics  # noqa: E402
from engine.eg3d.planes import Planes  # noqa: E402
from engine.eg3d.regression import LatentUnet, Sizes, l1_loss  # noqa: E402
from engine.eg3d.renderer import Draws  # noqa: E402
from engine.eg3d.tuning import TuningOptions  # noqa: E402
from engine.evaluation.machine import describe_machine, peak_memory  # noqa: E402
from engine.evaluation.tables import Cell, Table  # noqa: E402

PARTS = ("parity", "full", "grid", "steps", "inversion")
PUBLISHED_QUERY = 2.2
"""Seconds that the published code takes for a million densities on two cores (measured elsewhere)."""


def timed(call: Callable[[], Any]) -> tuple[Any, str]:
    """What a call gives, and its seconds: "clock (processor)"."""
    clock, worked = perf_counter(), process_time()
    found = call()
    return found, f"{perf_counter() - clock:.1f} ({process_time() - worked:.1f})"


def parity_network(shared: Path) -> TriplaneGenerator:
    """The small network with the weights of the parity vectors."""
    place = importlib.util.spec_from_file_location("parity_regen", shared / "parity" / "regen.py")
    assert place is not None
    assert place.loader is not None
    regen: Any = importlib.util.module_from_spec(place)
    place.loader.exec_module(regen)
    stored = regen.regen(str(shared / "parity" / "eg3d" / "small_spec.json"))
    network = TriplaneGenerator(SMALL)
    network.load_state_dict({name: torch.from_numpy(np.asarray(value)) for name, value in stored.items()})
    return network.eval().requires_grad_(False)


def parity(shared: Path) -> Table:
    """Largest differences from the published network's answers, stage by stage."""
    known = dict(np.load(shared / "parity" / "eg3d" / "small.npz"))
    network, rows = parity_network(shared), []

    def compared(stage: str, found: Tensor, name: str) -> None:
        wanted = known[name]
        rows.append([stage, f"{np.abs(found.numpy() - wanted).max():.1e}", float(np.abs(wanted).max())])

    label, z = torch.from_numpy(known["c"]), torch.from_numpy(known["z"])
    compared("mapping", network.mapping(z, label[[0, 0]])[:, 0], "ws")
    ws = network.mapping(z, label[[0, 0]], 0.7, 14)
    compared("mapping, truncated", ws[:, 0], "ws_trunc07")
    compared("planes", network.plane_maps(ws)[..., 5::31, 7::31], "planes_sub")
    planes, points = network.planes(ws), torch.from_numpy(known["pts"][0])
    found = [network.decoder.query(head, points) for head in planes]
    compared("density at points", torch.stack([density for density, _ in found])[..., None], "sigma")
    compared("colour features at points", torch.stack([colour[:200] for _, colour in found]), "rgb_feat")
    torch.manual_seed(1234)
    for name, draws, noise, side in (
        ("A", Draws.random(2, 64 * 64, SMALL.rendering), "const", 64),
        ("B", None, "const", 64),
        ("B32_nonoise", None, "none", 32),
    ):
        heads = planes if noise == "const" else network.planes(ws, "none")
        picture = network.finish(network.render(heads, label, side, draws), ws)
        assert picture.image is not None
        compared(f"{name}: rendered picture", picture.raw, f"{name}_image_raw")
        compared(f"{name}: depth", picture.depth, f"{name}_image_depth")
        compared(f"{name}: finished picture, means of 8 x 8", nnf.avg_pool2d(picture.image, 8), f"{name}_image_pool8")
        if f"{name}_image_crop" in known:
            compared(f"{name}: its middle", picture.image[..., 224:288, 224:288], f"{name}_image_crop")
    note = "A: the published random numbers; B: none; B32: rendered at 32 pixels, without the backbone's noise."
    return Table("Parity", ("stage", "largest difference", "largest value"), rows, note)


def full() -> Table:
    """Seconds of one picture of the full network, stage by stage, and the memory of the process."""
    torch.manual_seed(0)
    network = TriplaneGenerator(FULL).eval().requires_grad_(False)
    label, z = torch.tensor(orbit_label())[None], torch.randn(1, FULL.z)
    before, rows = peak_memory(), []
    for run in ("first", "second"):
        clock, worked = perf_counter(), process_time()
        ws = network.mapping(z, label, 0.7)
        planes, first = timed(lambda ws=ws: network.planes(ws))
        picture, second = timed(lambda planes=planes: network.render(planes, label))
        _, third = timed(lambda picture=picture, ws=ws: network.finish(picture, ws))
        whole = f"{perf_counter() - clock:.1f} ({process_time() - worked:.1f})"
        rows.append([run, first, second, third, whole, peak_memory()])
    columns = ("picture", "planes, s", "rendering, s", "super-resolution, s", "all, s", "peak memory, GB")
    note = f"512 pixels, 128 rendered, 96 samples a ray, random weights, {torch.get_num_threads()} thread(s)."
    return Table("The full network", columns, rows, f"{note} {before:.2f} GB before the first picture.")


def grids(sides: list[int]) -> Table:
    """Densities on whole grids and meshes of them, full-size planes with smooth random features."""
    torch.manual_seed(0)
    rough = torch.randn(3, FULL.features, 12, 12) * 2
    planes = Planes.of(nnf.interpolate(rough, FULL.plane_side, mode="bicubic"))
    planes = replace(planes, table=planes.table.contiguous())
    decoder = TriplaneGenerator(replace(FULL, channel_base=512, channel_max=8)).decoder.requires_grad_(False)
    rows = []
    for side in sides:
        grid = Grid(side)
        values: list[float] = []
        _, seconds = timed(
            lambda grid=grid, values=values: values.extend(float(s.max()) for s in slabs(planes, decoder, grid))
        )
        level = 0.6 * max(values)
        mesh, meshed = timed(
            lambda grid=grid, level=level: extract_mesh(planes, decoder, grid, level, most_faces=100_000)
        )
        predicted = predicted_bytes(side, FULL.hidden) / 1e9
        published = PUBLISHED_QUERY * side**3 / 1e6
        rows.append([f"{side}³", seconds, published, meshed, len(mesh.faces), predicted, peak_memory()])
    columns = (
        "grid",
        "densities, s",
        "published code, s",
        "mesh of it, s",
        "triangles",
        "predicted, GB",
        "peak memory, GB",
    )
    note = (
        "Published code: 2.2 s a million points, measured elsewhere on two idle cores. The mesh's seconds hold the "
        "densities once more. Peak memory is the whole process's."
    )
    return Table("Density grids", columns, rows, note)


def steps() -> Table:
    """Seconds and memory of a step of each stage of an inversion, the full network with random weights."""
    torch.manual_seed(0)
    network = TriplaneGenerator(FULL).eval().requires_grad_(False)
    label, target = torch.tensor(orbit_label())[None], torch.zeros(1, 3, FULL.image_side, FULL.image_side)
    distance, rows = substitute(), []
    rows.append(["before", None, peak_memory(), None])
    for name, tuning in (("one for the latent", 0), ("one for the latent and one that tunes", 1)):
        how = InversionOptions(PivotOptions(steps=1, samples=50), TuningOptions(steps=tuning))
        _, seconds = timed(lambda how=how: invert(network, target, label, how, perceptual=distance))
        rows.append([name, seconds, peak_memory(), predicted_inversion(FULL, tuning > 0) / 1e9])
    columns = ("steps", "s", "peak memory, GB", "predicted, GB")
    return Table("Steps of an inversion", columns, rows, "Peak memory is the whole process's, so run this part alone.")


def regressor(network: TriplaneGenerator, label: Tensor, mean: Tensor, pictures: int, steps: int) -> LatentUnet:
    """The thesis' U-Net, thin, taught the latents of a tiny generator's pictures."""
    unet = LatentUnet(192, 4, Sizes(network.layers, network.config.w))
    unet.start_at(mean.flatten())
    z = torch.randn((pictures, network.config.z), generator=torch.Generator().manual_seed(100))
    with torch.no_grad():
        ws = network.mapping(z, label.expand(pictures, -1))
        images = [network.synthesis(w[None], label).image for w in ws]
    drawn = torch.cat([image for image in images if image is not None])
    optimiser = torch.optim.Adam(unet.parameters(), 1e-3)
    choose = torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = torch.randint(pictures, (5,), generator=choose)
        optimiser.zero_grad()
        l1_loss(unet(drawn[batch]), ws[batch]).mean().backward()
        optimiser.step()
    return unet.eval().requires_grad_(False)


def inversions(heads: int, pictures: int, lessons: int) -> Table:
    """Known latents of a tiny generator found again, from the mean latent and from a regressor's."""
    torch.manual_seed(11)
    network = TriplaneGenerator(TINY).eval().requires_grad_(False)
    label = torch.tensor(orbit_label())[None]
    mean, _ = latent_statistics(network, label, 2000)
    unet = regressor(network, label, mean, pictures, lessons)
    distance, found = substitute(), []
    for seed in range(heads):
        z = torch.randn((1, TINY.z), generator=torch.Generator().manual_seed(seed))
        ws = network.mapping(z, label)
        target = network.synthesis(ws, label).image
        assert target is not None
        with torch.no_grad():
            start = unet(target)
        for name, first, count in (
            ("mean latent", None, 40),
            ("regressor", start, 0),
            ("regressor", start, 10),
            ("regressor", start, 40),
        ):
            pivot = PivotOptions(steps=max(count, 1), rate=0.01, samples=500, maps=False)
            made = invert(network, target, label, InversionOptions(pivot, TuningOptions(steps=0)), first, distance)
            image = network.synthesis(made.ws, label).image
            assert image is not None
            error, pixels = (made.ws - ws).abs().mean().item(), (image - target).square().mean().item()
            found.append((name, count, error, pixels, float(distance(image, target))))
    spread = float((network.mapping(torch.randn(500, TINY.z), label.expand(500, -1))[:, :1] - mean).abs().mean())
    rows: list[list[Cell]] = []
    for name, count in dict.fromkeys((name, count) for name, count, *_ in found):
        rows.append([name, count, *np.mean([row[2:] for row in found if row[:2] == (name, count)], 0)])
    note = (
        f"Means over {heads} pictures of 48 pixels. The regressor is the U-Net with 4 channels instead of 64, "
        f"{lessons} steps on {pictures} pictures. Latents lie {spread:.2f} from their mean."
    )
    columns = ("start", "steps", "w, mean difference", "picture, mean square", "perceptual")
    return Table("Inversion of a tiny generator's pictures", columns, rows, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("LIKENESS_SHARED", ROOT.parent / "shared")))
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 512], help="voxels along the grids")
    parser.add_argument("--heads", type=int, default=3, help="pictures that are inverted")
    parser.add_argument("--pictures", type=int, default=300, help="that the regressor sees")
    parser.add_argument("--steps", type=int, default=150, help="of the regressor")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--skip", nargs="*", choices=PARTS, default=[], help="parts to leave out")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    parts: dict[str, Callable[[], Table]] = {
        "parity": lambda: parity(given.shared),
        "full": full,
        "grid": lambda: grids(given.sides),
        "steps": steps,
        "inversion": lambda: inversions(given.heads, given.pictures, given.steps),
    }
    print(describe_machine(), end="\n\n", flush=True)
    for name, measure in parts.items():
        if name in given.skip or (name == "parity" and not (given.shared / "parity" / "eg3d").is_dir()):
            continue
        with torch.set_grad_enabled(name in ("steps", "inversion")):
            print(measure().markdown(), flush=True)


if __name__ == "__main__":
    main()
