"""Draws the scenes of a folder with Cycles: python scripts/render_scenes.py FOLDER [--samples N] [--threads N].

Needs the bpy module. `engine.training.synthetic.cycles` writes the folder, calls this and reads what it leaves: beside
each NAME.scene.npz a NAME.npy, (S,S,4) float16 linear colours multiplied by their alpha.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.training.synthetic.scene_file import HEAD_FILE, SCENE_FILES, read_head, read_scene


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1, help="0 takes all cores")
    options = parser.parse_args()
    from scripts.cycles_stage import Stage

    stage = Stage(read_head(options.folder / HEAD_FILE), options.samples, options.threads)
    scratch = options.folder / "picture.exr"
    for path in sorted(options.folder.glob(SCENE_FILES)):
        picture = stage.draw(read_scene(path), scratch)
        np.save(path.with_name(path.name.removesuffix(".scene.npz") + ".npy"), picture)
    return 0


if __name__ == "__main__":
    try:
        code = main()
    except Exception:  # said in full, then out: some versions of bpy hang when Python ends by itself
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
