"""Calibrates MediaPipe's points on the bundled head: python scripts/calibrate_landmarks.py --portraits DIR.

Writes engine/fitting/data/calibration.npz, for photos, and engine/evaluation/data/calibration_renders.npz, for renders.
The portraits (*.jpg) should be many people, one picture each, nearly frontal; those in DIR/same_person_pairs.csv are
left out, so that consistency can be measured on them. About 20 minutes on one core.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.errors import EngineError  # noqa: E402
from engine.evaluation.calibration import (  # noqa: E402
    RENDER_CALIBRATION,
    Portrait,
    Sight,
    for_photos,
    learn_from_renders,
    save_detector,
)
from engine.evaluation.synthetic import sample_head  # noqa: E402
from engine.fitting.detector import CALIBRATION  # noqa: E402
from engine.heads.loader import load_head  # noqa: E402
from engine.heads.model import HeadModel  # noqa: E402
from engine.media.photo import Photo  # noqa: E402
from engine.media.read import read_photo  # noqa: E402
from engine.perception.landmarks import find_face  # noqa: E402

FIRST_SEED = 100_000  # far from the seeds of the benchmark
TEXTURE_SIZE = 512
PROGRESS_EVERY = 100


def renders(head: HeadModel, count: int) -> list[Sight]:
    """What MediaPipe sees of random heads; pictures in which it sees no face are left out."""
    sights = []
    for number in range(count):
        sample = sample_head(FIRST_SEED + number, head, texture_size=TEXTURE_SIZE)
        try:
            seen = find_face(Photo(Path(f"render {number}"), sample.image))
        except EngineError:
            continue
        sights.append(Sight(sample.camera, sample.identity, sample.expression, seen.landmarks))
        if (number + 1) % PROGRESS_EVERY == 0:
            print(f"{number + 1} of {count} renders", flush=True)
    return sights


def portraits(folder: Path, most: int) -> list[Portrait]:
    """What MediaPipe sees in the photos of a folder, evenly chosen, without the people of the pairs."""
    listed = folder / "same_person_pairs.csv"
    rows = csv.reader(listed.read_text(encoding="utf-8").splitlines()) if listed.is_file() else ()
    paired = {Path(cell).name for row in rows for cell in row}
    paths = [path for path in sorted(folder.rglob("*.jpg")) if path.name not in paired]
    found = []
    for path in paths[:: -(-len(paths) // most) or 1]:
        try:
            photo = read_photo(path)
            found.append(Portrait(find_face(photo), photo.width, photo.height))
        except EngineError as error:
            print(error, file=sys.stderr)
    return found


def main() -> None:
    """Calibrate and write both files."""
    parser = argparse.ArgumentParser(description="Calibrate MediaPipe's points on the bundled head.")
    parser.add_argument("--portraits", type=Path, required=True, help="folder of portraits of many people")
    parser.add_argument("--renders", type=int, default=1500, help="how many heads to render")
    parser.add_argument("--most", type=int, default=200, help="how many portraits to use")
    arguments = parser.parse_args()
    head = load_head("open")
    people = portraits(arguments.portraits, arguments.most)
    if not people:
        raise SystemExit(f"No portrait with a face in {arguments.portraits}.")
    learned = learn_from_renders(head, renders(head, arguments.renders))
    save_detector(RENDER_CALIBRATION, learned)
    print(f"{len(people)} portraits")
    save_detector(CALIBRATION, for_photos(learned, head, people, report=print))
    print(CALIBRATION, RENDER_CALIBRATION, sep="\n")


if __name__ == "__main__":
    main()
