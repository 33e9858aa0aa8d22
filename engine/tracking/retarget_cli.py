"""The command `retarget`: `python -m engine retarget FILE --out DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import RetargetOptions


def add_retarget_arguments(job: argparse.ArgumentParser) -> None:
    """The arguments of retargeting."""
    job.add_argument(
        "file", type=Path, metavar="FILE", help="FLAME's numbers (.npz, .pkl), or a take (take.npz, its folder, CSV)"
    )
    job.add_argument("-o", "--out", required=True, type=Path, metavar="DIR", help="for take.npz, or for flame.npz")
    job.add_argument(
        "--head-model", choices=("open", "flame", "ict"), default="open", help="whose head is to act, or acts"
    )
    job.add_argument("--head", type=Path, default=None, metavar="DIR", help="the reconstruction that acts in a take")
    job.add_argument("--fps", type=float, default=None, metavar="F", help="frames a second; default: the file's own")
    job.add_argument("--model-folder", type=Path, default=None, metavar="DIR", help="where FLAME's file is")
    job.add_argument("--json", action="store_true", help="print a JSON summary on standard output")


def chosen_retarget_options(arguments: argparse.Namespace) -> RetargetOptions:
    """The parsed arguments as the engine's options."""
    return RetargetOptions(arguments.head_model, arguments.head, arguments.fps, arguments.model_folder)
