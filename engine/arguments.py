"""Arguments that several commands share, worded once."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_fit_arguments(job: argparse.ArgumentParser) -> None:
    """Which face, and how the head is fitted to it."""
    job.add_argument("--face", type=int, default=None, metavar="N", help="which face, 0 is the largest")
    job.add_argument("--focal-length", type=float, default=None, metavar="PIXELS", help="overrides EXIF and the solver")
    job.add_argument(
        "--points",
        choices=("mediapipe", "dense", "fused"),
        default="mediapipe",
        help="whose points the head is fitted to: MediaPipe's, the engine's own network's, or both",
    )
    job.add_argument(
        "--start-from",
        choices=("points", "smirk", "fast"),
        default="points",
        help="believe SMIRK's answer beside the points, or take it alone (fast); needs its file and FLAME's",
    )


def add_engine_arguments(job: argparse.ArgumentParser) -> None:
    """The head model, the machine, and how the command reports."""
    job.add_argument(
        "--head-model", choices=("open", "flame", "ict"), default="open", help="the bundled head, or one of your own"
    )
    job.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    job.add_argument("--model-folder", type=Path, default=None, metavar="DIR", help="where your own model files are")
    job.add_argument("--seed", type=int, default=0)
    job.add_argument("--json", action="store_true", help="print a JSON summary on standard output")
