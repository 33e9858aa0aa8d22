"""Photos to .blend files without Blender's window: python -m scripts.reconstruct_blend PHOTO [PHOTO...] -o DIR.

Needs the bpy module; the arguments are those of `blender --background --command likeness reconstruct`.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.extension_package import load_extension


def main() -> int:
    """Returns the exit code."""
    load_extension()
    return importlib.import_module("likeness.operators.command").run_command(["reconstruct", *sys.argv[1:]])


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # some versions of the bpy module hang when Python ends by itself
