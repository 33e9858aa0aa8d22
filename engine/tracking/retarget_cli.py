"""`python -m engine retarget`: FLAME's numbers to a take, or a take to FLAME's numbers."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..errors import EngineError
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


def run_retarget(arguments: argparse.Namespace) -> int:
    """Retarget one file. Returns the exit code."""
    from .retarget_job import retarget

    options = RetargetOptions(arguments.head_model, arguments.head, arguments.fps, arguments.model_folder)
    entry = {"file": str(arguments.file), "ok": True, "folder": str(arguments.out)}
    code = 0
    try:
        entry["report"] = retarget(arguments.file, arguments.out, options)
        print(f"{arguments.file.name}: done, see {arguments.out}", file=sys.stderr)
    except EngineError as error:
        code = error.exit_code
        entry = {"file": str(arguments.file), "ok": False, "error": error.message, "cure": error.cure}
        print(f"{arguments.file.name}: {error}", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"ok": code == 0, "results": [entry]}, ensure_ascii=False))
    return code
