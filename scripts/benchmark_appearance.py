"""Measures skin, light and shape: python scripts/benchmark_appearance.py --wardrobe FILE [--only known,ablation,...].

Sections: known, synthetic people whose albedo, light and shape are known, by each way of making the texture, from 1, 3
and 5 photos; ablation, GANFit with each loss left out once; real, likeness of renders to photos; time, seconds by
quality. The wardrobe is what `python -m engine.training prepare` makes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.devices import single_threaded_torch  # noqa: E402
from engine.errors import EngineError  # noqa: E402
from engine.evaluation.appearance_errors import (  # noqa: E402
    AppearanceError,
    TruePerson,
    draw_person,
    measure_appearance,
    measure_result,
)
from engine.evaluation.machine import describe_machine  # noqa: E402
from engine.evaluation.metrics import ShapeError, peak_signal_to_noise, structural_similarity  # noqa: E402
from engine.evaluation.tables import Table  # noqa: E402
from engine.fitting.recognised import recognise  # noqa: E402
from engine.fitting.result import HeadFit  # noqa: E402
from engine.fitting.sighting import gather  # noqa: E402
from engine.fitting.solve import fit_head  # noqa: E402
from engine.heads.loader import load_head  # noqa: E402
from engine.heads.model import HeadModel  # noqa: E402
from engine.media.photo import Photo  # noqa: E402
from engine.media.read import read_photo  # noqa: E402
from engine.options import ReconstructOptions  # noqa: E402
from engine.perception import identity  # noqa: E402
from engine.perception.landmarks import find_face  # noqa: E402
from engine.perception.masks import make_masks  # noqa: E402
from engine.perception.observation import FaceObservation, Masks  # noqa: E402
from engine.perception.seeing import see_face  # noqa: E402
from engine.photos import Selection, main_of, select  # noqa: E402
from engine.pipeline import solve  # noqa: E402
from engine.progress import Progress  # noqa: E402
from engine.recognition.load import Recogniser  # noqa: E402
from engine.result import Reconstruction  # noqa: E402
from engine.several import solve_selection  # noqa: E402
from engine.synthesis.objective import Weights  # noqa: E402
from engine.synthesis.paint import paint  # noqa: E402
from engine.training.synthetic.raster import RasterRenderer  # noqa: E402
from engine.training.synthetic.wardrobe import load_wardrobe  # noqa: E402

TEXTURES = ("photo", "linear", "ganfit")
LEFT_OUT = ("identity", "random_identity", "content", "pixel", "landmark", "shape", "texture", "tint")
QUALITIES = ("draft", "standard", "best")
COLUMNS = ("", "albedo ΔE", "albedo ΔE, gain free", "light °", "shape mm", "% of mean head", "with scale mm", "% of it")


@dataclass(frozen=True)
class Setting:
    """See the options."""

    wardrobe: Path | None
    people: int
    counts: tuple[int, ...]
    first: int
    photos: Path | None
    quality: str
    textures: tuple[str, ...] = TEXTURES
    log: Path | None = None
    judge: Path | None = None


def known(setting: Setting) -> list[Table]:
    """Each way from one photo and from several. People whose errors are in the log already are not drawn again."""
    entries = read_log(setting.log)
    done = {entry.person for entry in entries}
    for number, person, head in _people(setting, max(setting.counts), done):
        found = [Entry(number, *key, error) for key, error in _by_each_way(head, person, setting)]
        entries += found
        write_log(setting.log, found)
        print(
            f"person {number}: {len(found)} of {len(setting.counts) * len(setting.textures)}",
            file=sys.stderr,
            flush=True,
        )
    rows = []
    for count in setting.counts:
        for texture in setting.textures:
            some = [entry.error for entry in entries if (entry.texture, entry.count) == (texture, count)]
            if some:
                rows.append(row(f"{texture}, {count} photo{'s' * (count > 1)}, {len(some)} people", some))
    return [Table("Known skin, light and shape", COLUMNS, rows)]


def _by_each_way(
    head: HeadModel, person: TruePerson, setting: Setting
) -> Iterator[tuple[tuple[str, int], AppearanceError]]:
    """Errors by texture and number of photos; each photo is looked at once."""
    options = ReconstructOptions(texture_size=512, quality=setting.quality, hair="bald")  # type: ignore[arg-type]
    try:
        chosen = select(person.photos, head, options, Progress())
    except EngineError as error:
        print(error, file=sys.stderr)
        return
    for count in setting.counts:
        looks = [look for look in chosen.looks if look.number < count]
        if not looks:
            continue
        some = Selection(looks, main_of(looks))
        for texture in setting.textures:
            way = replace(options, texture=texture)  # type: ignore[arg-type]
            try:
                with tempfile.TemporaryDirectory() as folder, single_threaded_torch():
                    result = solve_selection(head, some, Path(folder), way, Progress())[0]
            except EngineError as error:
                print(error, file=sys.stderr)
                continue
            yield (texture, count), measure_result(head, person, result)


@dataclass(frozen=True)
class Entry:
    """One person's errors by one way."""

    person: int
    texture: str
    count: int
    error: AppearanceError


def read_log(path: Path | None) -> list[Entry]:
    """What earlier runs with the same settings found."""
    if path is None or not path.exists():
        return []
    return [_entry(json.loads(line)) for line in path.read_text().splitlines()]


def _entry(held: dict[str, Any]) -> Entry:
    error = held.pop("error")
    shape, usual = ShapeError(**error.pop("shape")), ShapeError(**error.pop("usual"))
    return Entry(**held, error=AppearanceError(**error, shape=shape, usual=usual))


def write_log(path: Path | None, entries: Sequence[Entry]) -> None:
    """Add a line for each."""
    if path is not None:
        with path.open("a") as file:
            file.writelines(json.dumps(asdict(entry)) + "\n" for entry in entries)


def ablation(setting: Setting) -> list[Table]:
    """GANFit from one photo, each loss left out once."""
    errors: dict[str, list[AppearanceError]] = {}
    for _, person, head in _people(setting, 1):
        options = ReconstructOptions(texture_size=512, texture="ganfit", quality=setting.quality)  # type: ignore[arg-type]
        try:
            seen = _seen(person.photos[0], options)
        except EngineError as error:
            print(error, file=sys.stderr)
            continue
        for name in ("", *LEFT_OUT):
            weights = replace(Weights(), **{name: 0.0}) if name else Weights()
            found = paint(head, *seen, options, Progress(), weights=weights)
            texture, title = found.texture, f"without {name}".replace("_", " ") if name else "all losses"
            error = measure_appearance(head, person, found.fit.neutral, texture.albedo, texture.illumination, 0)
            errors.setdefault(title, []).append(error)
    return [Table("GANFit, each loss left out once", COLUMNS, [row(name, some) for name, some in errors.items()])]


def _seen(path: Path, options: ReconstructOptions) -> tuple[HeadFit, Photo, FaceObservation, Masks]:
    """A photo aligned by landmarks."""
    head, photo = load_head(), read_photo(path)
    face = find_face(photo)
    view = see_face(photo.pixels, face)
    belief = recognise(head, photo.pixels, face.landmarks).belief
    sighting = gather(head, face, view.points, options.points)
    fit = fit_head(head, face, photo, options, Progress(), sighting, belief)
    return fit, photo, face, make_masks(photo, face, view.parts)


def row(name: str, errors: list[AppearanceError]) -> tuple[str | float, ...]:
    """Means of a way's errors."""
    shape, usual = (np.array([[e.rigid, e.scaled] for e in part]).mean(0) for part in
                    ([e.shape for e in errors], [e.usual for e in errors]))  # fmt: skip
    colours = np.mean([[e.albedo, e.relative] for e in errors], axis=0)
    light = np.average([e.light for e in errors], weights=[e.directed for e in errors])
    share = 100 * shape / usual
    return (
        name,
        *map(float, colours),
        float(light),
        float(shape[0]),
        float(share[0]),
        float(shape[1]),
        float(share[1]),
    )


def real(setting: Setting) -> list[Table]:
    """How like their photos renders of real people are."""
    rows = []
    files = sorted(setting.photos.glob("*.jpg"))[: setting.people] if setting.photos else []
    judge = identity.load(setting.judge).recogniser
    for texture in TEXTURES:
        figures = [likeness(path, texture, setting.quality, judge) for path in files]
        kept = np.array([figure for figure in figures if figure is not None])
        if len(kept):
            rows.append((f"{texture}, {len(kept)} photos", *map(float, kept.mean(0))))
    return [Table("Renders beside their photos", ("", "cosine", "PSNR dB", "SSIM"), rows)]


def likeness(path: Path, texture: str, quality: str, judge: Recogniser) -> tuple[float, float, float] | None:
    """Cosine of the judge's embeddings of photo and render, and PSNR and SSIM within its points."""
    found = reconstructed(path, texture, quality)
    if found is None or found.photo_view is None:
        return None
    pixels, view = read_photo(path).pixels, found.photo_view
    alpha = view[..., 3:].astype(np.float32) / 255
    over = (view[..., :3] * alpha + pixels * (1 - alpha)).round().astype(np.uint8)
    cosine = float(judge.embed(pixels, found.landmarks_2d) @ judge.embed(over, found.landmarks_2d))
    face = np.zeros(view.shape[:2], np.uint8)
    cv2.fillConvexPoly(face, cv2.convexHull(found.landmarks_2d[:, :2].astype(np.int32)), 1)
    shown = (view[..., 3] > 250) & (face > 0)
    return cosine, peak_signal_to_noise(over, pixels, shown), structural_similarity(over, pixels, shown)


def time(setting: Setting) -> list[Table]:
    """Seconds for one photo, by texture and quality."""
    rows = []
    files = sorted(setting.photos.glob("*.jpg"))[:1] if setting.photos else []
    for texture in TEXTURES:
        for quality in QUALITIES:
            for path in files:
                start = perf_counter()
                reconstructed(path, texture, quality, size=2048)
                rows.append((f"{texture}, {quality}", perf_counter() - start))
    return [Table("Seconds for one photo, 2K texture", ("", "s"), rows)]


def reconstructed(photo: Path, texture: str, quality: str, size: int = 512) -> Reconstruction | None:
    """A finished head from one photo, or None where no face is found."""
    options = ReconstructOptions(texture_size=size, texture=texture, quality=quality)  # type: ignore[arg-type]
    try:
        return solve(photo, options, Progress())[0]
    except EngineError as error:
        print(f"{photo.name}: {error}", file=sys.stderr)
        return None


def _people(setting: Setting, photos: int, done: Collection[int] = ()) -> Iterator[tuple[int, TruePerson, HeadModel]]:
    """So many synthetic people with photos of each, by their seeds, but those that are done."""
    if setting.wardrobe is None:
        raise SystemExit("Name a wardrobe with --wardrobe; `python -m engine.training prepare` makes one.")
    head, wardrobe = load_head(), load_wardrobe(setting.wardrobe)
    renderer, number, found = RasterRenderer(head), setting.first, 0
    with tempfile.TemporaryDirectory() as folder:
        while found < setting.people:
            number += 1
            if number in done:
                found += 1
                continue
            try:
                person = draw_person(head, wardrobe, renderer, number, photos, Path(folder))
            except ValueError:
                continue
            found += 1
            yield number, person, head


SECTIONS: dict[str, Callable[[Setting], list[Table]]] = {
    "known": known, "ablation": ablation, "real": real, "time": time,
}  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wardrobe", type=Path)
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas between them")
    parser.add_argument("--people", type=int, default=50, help="synthetic people, and real photos")
    parser.add_argument("--counts", default="1,3,5", help="photos of each person that are tried")
    parser.add_argument("--first", type=int, default=5000, help="seed of the first person")
    parser.add_argument("--photos", type=Path, help="folder of real photos")
    parser.add_argument("--textures", default=",".join(TEXTURES), help="ways that are tried on known people")
    parser.add_argument(
        "--log", type=Path, help="known people: errors are kept there, and a run that was stopped goes on"
    )
    parser.add_argument(
        "--judge",
        type=Path,
        help="ArcFace file that judges likeness, not the fit's own; default: the bundled network, a loss of the fit "
        "where the texture is a model's",
    )
    parser.add_argument("--quality", choices=QUALITIES, default="standard")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    given = parser.parse_args()
    counts = tuple(int(count) for count in given.counts.split(","))
    setting = Setting(
        given.wardrobe, given.people, counts, given.first, given.photos, given.quality,
        tuple(given.textures.split(",")), given.log, given.judge,
    )  # fmt: skip
    tables = [table for name in given.only.split(",") for table in SECTIONS[name](setting)]
    print(f"Machine: {describe_machine()}\n")
    print("\n".join(table.markdown() for table in tables))
    if given.json:
        given.json.write_text(json.dumps([table.packed() for table in tables], indent=1))


if __name__ == "__main__":
    main()
