"""The arguments of the method "eg3d", and stopping it early, on the command line."""

from __future__ import annotations

import argparse
import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..progress import Progress
from .options import AUTO, FEWEST_FRAMES, GRIDS, INVERSIONS, LEVEL, MOST_FRAMES, Eg3dOptions

MOST_STEPS = 100_000


def add_eg3d_arguments(job: argparse.ArgumentParser) -> None:
    """What only the method "eg3d" heeds."""
    plain = Eg3dOptions()
    group = job.add_argument_group("method eg3d", "a whole head, hair included, by your copy of EG3D's generator")
    group.add_argument(
        "--inversion",
        choices=INVERSIONS,
        default=plain.inversion,
        help="a regressor's guess (at once); look for the photo in the generator (hours on a CPU); and tune the "
        "generator to it (longer)",
    )
    group.add_argument("--steps", type=steps, default=None, metavar="N", help="of looking; 500, 200 with a regressor")
    group.add_argument("--tuning-steps", type=steps, default=plain.tuning_steps, metavar="N", help="of tuning")
    group.add_argument("--grid", type=int, choices=GRIDS, default=plain.grid, help="voxels a side; 256")
    group.add_argument(
        "--level", type=density, default=LEVEL, metavar="X", help="density of the surface; 10 as published"
    )
    group.add_argument(
        "--turntable", type=frames, default=0, metavar="FRAMES", help="write a film of the head seen from around"
    )
    group.add_argument("--views", action="store_true", help="write the pictures that the mesh was painted from")
    group.add_argument(
        "--keep-best", action="store_true", help="Ctrl+C during the inversion finishes with the best so far"
    )
    group.add_argument(
        "--resume",
        default="",
        metavar="FILE",
        help=f"keep the inversion's state there and go on from it: a file, a folder, or “{AUTO}” for beside DIR",
    )


def chosen_eg3d_options(arguments: argparse.Namespace) -> Eg3dOptions:
    """The parsed arguments as the engine's options."""
    return Eg3dOptions(
        inversion=arguments.inversion,
        steps=arguments.steps,
        tuning_steps=arguments.tuning_steps,
        grid=arguments.grid,
        level=arguments.level,
        turntable=arguments.turntable,
        views=arguments.views,
        keep_best=arguments.keep_best,
        resume=arguments.resume,
    )


def steps(text: str) -> int:
    """A number of steps."""
    count = int(text)
    if not 1 <= count <= MOST_STEPS:
        raise argparse.ArgumentTypeError(f"there must be 1 to {MOST_STEPS} steps")
    return count


def density(text: str) -> float:
    """A density of the surface."""
    level = float(text)
    if not math.isfinite(level):
        raise argparse.ArgumentTypeError("the level must be a finite number")
    return level


def frames(text: str) -> int:
    """A number of frames, or 0 for none."""
    count = int(text)
    if count and not FEWEST_FRAMES <= count <= MOST_FRAMES:
        raise argparse.ArgumentTypeError(f"a turntable has {FEWEST_FRAMES} to {MOST_FRAMES} frames")
    return count


@contextmanager
def interruptible(progress: Progress) -> Iterator[None]:
    """While the block runs, the first Ctrl+C cancels `progress` at its next report, and the second ends the program."""
    asked = False

    def ask(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            signal.default_int_handler(number, frame)
        asked = True

    before = progress.cancelled
    progress.cancelled = lambda: asked or before()
    earlier = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)
        progress.cancelled = before
