"""`python -m engine.training`: make synthetic faces, prepare portraits, train the engine's networks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..depth.cli import resolution
from ..depth.sources import METHODS
from ..eg3d.cli import density, steps
from ..eg3d.options import COLD_STEPS, GRIDS, LEVEL, TUNING_STEPS
from ..errors import EngineError


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser("python -m engine.training", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)

    prepare = commands.add_parser("prepare", help="make the wardrobe of synthetic people from MakeHuman's assets")
    prepare.add_argument("--assets", type=Path, help="MakeHuman's CC0 assets; default: beside the clone, else none")
    prepare.add_argument("--out", type=Path, required=True, help="file to write, .npz")
    prepare.add_argument("--seed", type=int, default=0)

    draw = commands.add_parser("synthesize", help="draw labelled pictures")
    draw.add_argument("--wardrobe", type=Path, required=True)
    draw.add_argument("--out", type=Path, required=True, help="folder for the shards; what is there is not drawn again")
    draw.add_argument("--count", type=int, default=1000)
    draw.add_argument("--first", type=int, default=0, help="seed of the first picture")
    draw.add_argument("--size", type=int, default=256, help="side, pixels")
    draw.add_argument("--each", type=int, default=1, help="pictures of each person, one after the other")
    draw.add_argument("--held-out", action="store_true", help="from skins and hair that training never sees")
    draw.add_argument(
        "--renderer", choices=("raster", "cycles"), default="raster", help="cycles: Blender's, slow; needs bpy"
    )
    draw.add_argument("--device", default="cpu")
    draw.add_argument("--batch", type=int, default=4, help="scenes drawn at once; take more with cycles")
    draw.add_argument("--workers", type=int, default=1, help="processes, on the CPU")
    draw.add_argument("--sheet", type=Path, help="also write a contact sheet of the first pictures, .png or .jpg")

    portraits = commands.add_parser("portraits", help="prepare real portraits, which have no labels")
    portraits.add_argument("--data", type=Path, help="folder with `portraits` and `photos`; default: beside the clone")
    portraits.add_argument("--out", type=Path, required=True, help="file to write, .npz")

    perception = commands.add_parser("perception", help="train a network")
    perception.add_argument("--data", type=Path, required=True, help="folder with `train`, `held_out`, `portraits.npz`")
    _add_run(perception, "{parts,points}_*.toml")

    texture = commands.add_parser("texture", help="train the generator of skin textures")
    texture.add_argument(
        "--data", type=Path, help="folder of your own UV textures; default: drawn from MakeHuman's skins"
    )
    _add_run(texture, "texture_*.toml")

    recognition = commands.add_parser("recognition", help="learn what face recognition says about shape")
    recognition.add_argument("--data", type=Path, required=True, help="folder with `train` and `portraits.npz`")
    recognition.add_argument("--out", type=Path, required=True, help="file to write, .npz")
    recognition.add_argument("--seed", type=int, default=0)

    regressor = commands.add_parser("regressor", help="train the regressor of all parameters (FastGANFit)")
    regressor.add_argument("--data", type=Path, required=True, help="folder with `train`, `held_out`, `portraits.npz`")
    regressor.add_argument("--models", type=Path, help="folder of your own models, where ArcFace is looked for")
    _add_run(regressor, "regressor_*.toml")

    measured = commands.add_parser("measure_regressor", help="errors of a regressor on pictures it has not seen")
    measured.add_argument("--weights", type=Path, help="file of the regressor; default: the bundled one")
    measured.add_argument("--data", type=Path, required=True, help="folder of shards that it was not trained on")

    _add_generated(commands)

    export = commands.add_parser("export", help="write a run's averaged weights for use")
    export.add_argument("run", type=Path)
    export.add_argument("--out", type=Path, required=True, help="file to write, .safetensors")

    calibrate = commands.add_parser("calibrate", help="learn on held-out pictures how a points network errs")
    calibrate.add_argument("--weights", type=Path, help="file of the network; default: the bundled one")
    calibrate.add_argument("--data", type=Path, required=True, help="folder of shards that it was not trained on")
    calibrate.add_argument("--out", type=Path, required=True, help="file to write, .npz")
    return top


def _add_run(command: argparse.ArgumentParser, recipes: str) -> None:
    """What every command that trains by a recipe is told."""
    command.add_argument("--config", type=Path, required=True, help=f"see engine/training/configs/{recipes}")
    command.add_argument("--out", type=Path, required=True, help="the run's folder")
    command.add_argument("--resume", action="store_true")
    command.add_argument("--device", default="cpu")
    command.add_argument("--max-seconds", type=float, help="stop then, to go on later")


def _add_generated(commands: Any) -> None:
    """The commands around EG3D: samples, the two kinds of regressors, and an evaluation set."""
    draw = commands.add_parser("eg3d-dataset", help="draw heads with EG3D: pictures, depth and latents")
    draw.add_argument("--generator", type=Path, required=True, help="EG3D's file")
    draw.add_argument("--out", type=Path, required=True, help="folder for the files; what is there is not drawn again")
    draw.add_argument("--count", type=int, default=50_000)
    draw.add_argument("--seed", type=int, default=0)
    draw.add_argument("--held-out", action="store_true", help="other heads, in the mix of the published validation set")
    draw.add_argument("--resolution", type=int, help="side of a picture, pixels; default: the generator's own")
    draw.add_argument("--truncation", type=float, default=0.7, help="1 for none")
    draw.add_argument("--jitter", type=float, default=0.0, help="degrees added to every camera at random")
    draw.add_argument("--device", default="cpu")
    draw.add_argument("--batch", type=int, default=1, help="heads drawn at once; take more on a GPU")

    for name, said in (
        ("depth", "train a depth network on pictures of EG3D or on synthetic faces"),
        ("latents", "train a regressor of EG3D's latents"),
    ):
        train = commands.add_parser(name, help=said)
        train.add_argument("--data", type=Path, required=True, help="folder with `train` and `held_out`")
        train.add_argument("--weights", type=Path, help="file of weights to begin with, before the recipe's")
        _add_run(train, f"{name}_*.toml")
        if name == "latents":
            train.add_argument("--generator", type=Path, help="EG3D's file, to draw a sheet of what was learnt")

    known = commands.add_parser("evaluation-set", help="choose photos and make their depth, meshes and latents")
    known.add_argument("photos", type=Path, help="folder of photos")
    known.add_argument("--out", type=Path, required=True, help="folder; photos that are done are not done again")
    known.add_argument("--generator", type=Path, help="EG3D's file; without, depth is the engine's own")
    known.add_argument("--regressor", type=Path, help="file of a trained regressor, where inversions begin")
    known.add_argument(
        "--method",
        choices=[method for method in METHODS if method != "eg3d"],
        default="auto",
        help="of depth without a generator",
    )
    known.add_argument("--count", type=int, default=1600, help="most photos")
    known.add_argument("--face", type=float, default=80.0, help="least distance of the eyes' outer corners, pixels")
    known.add_argument("--steps", type=steps, default=COLD_STEPS, help="of each inversion, for the latent")
    known.add_argument("--tuning-steps", type=steps, default=TUNING_STEPS, help="of each inversion, for the generator")
    known.add_argument("--grid", type=int, choices=GRIDS, default=256, help="voxels along a mesh's volume")
    known.add_argument("--level", type=density, default=LEVEL, help="raw density of a mesh's surface")
    known.add_argument("--resolution", type=resolution, default=512, help="pixels of a depth map's longer side")
    known.add_argument("--models", type=Path, help="folder of your own models")
    known.add_argument("--seed", type=int, default=0)
    known.add_argument("--device", default="cpu")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit status."""
    from . import commands

    options = parser().parse_args(arguments)
    try:
        getattr(commands, options.command.replace("-", "_"))(options)
    except EngineError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
