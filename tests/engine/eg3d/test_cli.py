"""The method's arguments, and Ctrl+C."""

from __future__ import annotations

import argparse
import signal

import pytest

from engine.depth import cli as depth_cli
from engine.depth.options import DepthOptions
from engine.eg3d.cli import interruptible
from engine.eg3d.options import Eg3dOptions
from engine.errors import JobCancelled
from engine.progress import Progress
from engine.worker.jobs import options_of, values_of


def parsed(*words: str) -> DepthOptions:
    parser = argparse.ArgumentParser()
    depth_cli.add_depth_arguments(parser)
    return depth_cli.chosen_depth_options(parser.parse_args(["a.jpg", "-o", "out", "--method", "eg3d", *words]))


def test_arguments_become_options() -> None:
    assert parsed() == DepthOptions(method="eg3d", eg3d=Eg3dOptions())
    words = "--inversion tune --steps 9 --tuning-steps 8 --grid 512 --level 7.5 --turntable 24 --views --keep-best"
    assert parsed(*words.split(), "--resume", "auto").eg3d == Eg3dOptions(
        "tune", 9, 8, 512, 7.5, turntable=24, views=True, keep_best=True, resume="auto"
    )


@pytest.mark.parametrize(
    "words",
    [
        "--inversion magic",
        "--steps 0",
        "--tuning-steps -1",
        "--grid 300",
        "--turntable 1",
        "--turntable x",
        "--level nan",
    ],
)
def test_what_makes_no_sense_is_refused(words: str) -> None:
    with pytest.raises(SystemExit):
        parsed(*words.split())


def test_options_survive_the_way_to_the_worker() -> None:
    options = parsed("--inversion", "tune", "--turntable", "12")
    values = values_of(options)
    assert options_of(DepthOptions, values) == options
    assert options_of(DepthOptions, values | {"eg3d": values["eg3d"] | {"from_the_future": 1}}) == options


def test_the_first_ctrl_c_cancels_and_the_second_ends_the_program() -> None:
    progress = Progress()
    before = signal.getsignal(signal.SIGINT)
    with interruptible(progress):
        progress.check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(JobCancelled):
            progress.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    progress.check()
    assert signal.getsignal(signal.SIGINT) is before
