"""The pretended engine with one more job: python -m flame_engine. A retargeting copies what the test laid ready."""

import os
import shutil
import sys
from pathlib import Path

from fake_engine import ACTS, reconstruct

from engine.errors import MediaError
from engine.worker.__main__ import main


def retarget(arguments, progress):
    """A take for FLAME's numbers, numbers for a take; a file named “rateless” is refused."""
    file, folder = Path(arguments["file"]), Path(arguments["folder"])
    progress.stage("Retargeting", 0.5)
    if file.stem == "rateless":
        raise MediaError("rateless.npz does not say how many frames a second it has.", "Give its rate.")
    ACTS["good"]()
    folder.mkdir(parents=True, exist_ok=True)
    back = file.name == "take.npz"
    if back:
        shutil.copy(file, folder / "flame.npz")  # the take itself, for the test to look at
    else:
        shutil.copy(os.environ["LIKENESS_TEST_TAKE"], folder)
    kept = {"folder": str(folder), "name": file.stem, "frames": 30, "version": "FLAME 2020", "warnings": ["unsure"]}
    return {**kept, "options": arguments["options"], "file": str(file)}


if __name__ == "__main__":
    sys.exit(main({"reconstruct": reconstruct, "retarget": retarget}))
