"""Measures the engine's own networks: python scripts/benchmark_perception.py --pictures DIR [--only points,masks,...].

Sections: points and masks on held-out synthetic pictures; shape, the face's error in millimetres from one photo;
several, the same from five photos of a person; portraits, on real ones; time. Draw the pictures with
`python -m engine.training synthesize --held-out` (see docs/training.md), those of several photos with `--each 7`.
A section for which there are no pictures or no weights says so and is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.devices import single_threaded_torch  # noqa: E402
from engine.errors import EngineError, MediaError  # noqa: E402
from engine.evaluation import dense_errors, face_errors, parts_errors, portraits, sheets, speed  # noqa: E402
from engine.evaluation.held_out import HeldOut, by_person, read_held_out, true_points  # noqa: E402
from engine.evaluation.machine import describe_machine  # noqa: E402
from engine.evaluation.sources import Networks  # noqa: E402
from engine.evaluation.tables import Table  # noqa: E402
from engine.heads.loader import load_head  # noqa: E402

SHARED = Path(os.environ.get("LIKENESS_SHARED", ROOT.parent / "shared"))
MOST_YAW = 60.0
"""Degrees; faces turned further are not fitted from one photo."""
ON_SHEET = 20
Result = TypeVar("Result")


@dataclass(frozen=True)
class Setting:
    """What to measure, and on what; see the options."""

    networks: Networks
    pictures: Path | None
    several: Path | None
    portraits: Path | None
    count: int
    people: int
    groups: int
    faces: int
    workers: int
    known_focal: bool
    sheet: Path | None


def points(setting: Setting) -> list[Table]:
    """Dense points on held-out pictures."""
    head, pictures, weights = load_head(), _pictures(setting), setting.networks.points
    with single_threaded_torch():
        errors, seen = dense_errors.look_at_points(head, pictures, weights)
        without = dense_errors.crops_without_faces(pictures[: setting.people])
        faces = dense_errors.face_table(errors.face, without, weights)
    if setting.sheet:
        truth = np.stack([true_points(head, picture, seen[0].vertices) for picture in pictures])
        sheets.worst_pictures(setting.sheet / "worst_held_out.png", pictures, seen, errors, truth, ON_SHEET)
    return [
        dense_errors.error_table(errors),
        dense_errors.calibration_table(errors),
        dense_errors.reliability_table(errors),
        dense_errors.visibility_table(errors),
        faces,
    ]


def masks(setting: Setting) -> list[Table]:
    """Regions and depth on held-out pictures."""
    with single_threaded_torch():
        errors = parts_errors.look_at_parts(load_head(), _pictures(setting), setting.networks.parts)
    return [parts_errors.overlap_table(errors), parts_errors.depth_table(errors)]


def shape(setting: Setting) -> list[Table]:
    """Face error from one photo."""
    near = [picture for picture in _pictures(setting) if abs(picture.angles[0]) <= MOST_YAW]
    people = [person[:1] for person in by_person(near)][: setting.people]
    work = [(person, setting.networks, 1, setting.known_focal) for person in people]
    found = _shared_out(setting, face_errors.measure_person, work)
    return [face_errors.one_photo_table(found)]


def several(setting: Setting) -> list[Table]:
    """Face error from several photos of a person."""
    if setting.several is None or not setting.several.is_dir():
        raise MediaError("There are no pictures of one person each.", "Draw some with --each 7 and name --several.")
    near = [picture for picture in read_held_out(setting.several) if abs(picture.angles[0]) <= MOST_YAW]
    people = [person for person in by_person(near) if len(person) > 1][: setting.groups]
    work = [(person, setting.networks, face_errors.PHOTOS, setting.known_focal) for person in people]
    return [face_errors.several_photos_table(_shared_out(setting, face_errors.measure_person, work))]


def real(setting: Setting) -> list[Table]:
    """Real portraits."""
    if setting.portraits is None or not setting.portraits.exists():
        raise MediaError("There are no real portraits.", "Name a folder or a file of them with --portraits.")
    chosen, people = portraits.find_portraits(setting.portraits, setting.faces)
    fitted = {number for person in people for number in person}
    work = [(portrait, setting.networks, n in fitted, n) for n, portrait in enumerate(chosen)]
    found = _shared_out(setting, portraits.measure_portrait, work)
    usable = [[n for n in person if found[n] is not None] for person in people]
    usable = [person for person in usable if len(person) > 1]
    sights = [sight for sight in found if sight is not None]
    if not sights:
        raise MediaError("No portrait shows a usable face.", "Name other portraits.")
    if setting.sheet:
        sheets.worst_portraits(setting.sheet / "worst_portraits.png", sights, ON_SHEET)
    place = {n: number for number, n in enumerate(n for n, sight in enumerate(found) if sight is not None)}
    tables = [portraits.consistency_table(sights, [[place[n] for n in p] for p in usable])] if len(usable) > 1 else []
    head = load_head()
    tables += [portraits.agreement_table(sights, head), portraits.steadiness_table(sights, head)]
    return [*tables, portraits.confidence_table(sights)]


def time(setting: Setting) -> list[Table]:
    """Speed, memory and sizes, measured in a fresh process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return [pool.submit(speed.measure_speed, setting.networks).result(), speed.measure_sizes(setting.networks)]


SECTIONS: dict[str, Callable[[Setting], list[Table]]] = {
    "points": points, "masks": masks, "shape": shape, "several": several, "portraits": real, "time": time,
}  # fmt: skip


def _pictures(setting: Setting) -> list[HeldOut]:
    if setting.pictures is None:
        raise MediaError("There are no held-out pictures.", "Draw some (see docs/training.md) and name --pictures.")
    return read_held_out(setting.pictures, setting.count)


def _shared_out(setting: Setting, call: Callable[..., Result], work: Iterable[tuple]) -> list[Result]:
    """Results in order, from several processes that use one thread each."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # for the processes to be started
    with ProcessPoolExecutor(setting.workers, get_context("spawn")) as pool:
        return [job.result() for job in [pool.submit(call, *piece) for piece in work]]


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure the engine's own networks.")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"of {', '.join(SECTIONS)}, with commas between")
    parser.add_argument("--pictures", type=Path, help="folder of held-out shards, each picture of another person")
    parser.add_argument("--several", type=Path, help="folder of shards with several pictures of each person")
    parser.add_argument("--portraits", type=Path, default=SHARED / "data" / "portraits",
                        help="folder of real portraits, or the file that training uses")  # fmt: skip
    parser.add_argument("--points-weights", type=Path, help="default: the bundled ones")
    parser.add_argument("--parts-weights", type=Path, help="default: the bundled ones")
    parser.add_argument("--calibration", type=Path, help="of the dense points; default: the bundled one")
    parser.add_argument("--count", type=int, default=200, help="held-out pictures for points and masks")
    parser.add_argument("--people", type=int, default=50, help="people fitted from one photo")
    parser.add_argument("--groups", type=int, default=12, help="people fitted from several photos")
    parser.add_argument("--faces", type=int, default=60, help="real portraits, but all of people seen twice")
    parser.add_argument("--workers", type=int, default=2, help="processes for fits")
    parser.add_argument("--known-focal", action="store_true", help="tell the fits the focal length, as EXIF would")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--sheet", type=Path, help="folder for contact sheets of what went worst")
    return parser


def main() -> None:
    """Run the chosen sections and print their tables."""
    parser = options()
    given = parser.parse_args()
    chosen = [name.strip() for name in given.only.split(",") if name.strip()]
    if unknown := set(chosen) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    networks = Networks(given.points_weights, given.parts_weights, given.calibration)
    setting = Setting(
        networks, given.pictures, given.several, given.portraits, given.count, given.people, given.groups, given.faces,
        given.workers, given.known_focal, given.sheet,
    )  # fmt: skip
    if given.sheet:
        given.sheet.mkdir(parents=True, exist_ok=True)
    machine = describe_machine()
    print(f"{machine['date']}, {machine['processor']}, {machine['cores']} cores\n", flush=True)
    figures: dict[str, object] = {"machine": machine, "counts": _counts(setting), "sections": (sections := {})}
    for name in chosen:
        start = perf_counter()
        try:
            tables = SECTIONS[name](setting)
        except EngineError as error:
            print(f"{name} is left out. {error}\n", file=sys.stderr, flush=True)
            continue
        for table in tables:
            print(table.markdown(), flush=True)
        sections[name] = [table.packed() for table in tables]
        print(f"{name}: {perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        if given.json:
            given.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def _counts(setting: Setting) -> dict[str, int]:
    """The numbers among the options."""
    return {name: value for name, value in asdict(setting).items() if isinstance(value, int)}


if __name__ == "__main__":
    main()
