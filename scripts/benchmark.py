"""Measures the reconstruction: python scripts/benchmark.py [SECTION...] [--photos DIR] [--json FILE].

Sections: reprojection, synthetic, consistency, appearance, time. Without real photos (--photos, or
../shared/data/photos) the astronaut of scikit-image is the only portrait; without pairs, consistency is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.errors import EngineError  # noqa: E402
from engine.evaluation import metrics  # noqa: E402
from engine.evaluation.calibration import RENDER_CALIBRATION  # noqa: E402
from engine.evaluation.machine import describe_machine  # noqa: E402
from engine.evaluation.portraits import LISTED, read_pairs  # noqa: E402
from engine.evaluation.synthetic import sample_head  # noqa: E402
from engine.fitting.detector import load_detector  # noqa: E402
from engine.fitting.pose import similarity  # noqa: E402
from engine.fitting.result import HeadFit  # noqa: E402
from engine.fitting.sighting import mesh_sighting  # noqa: E402
from engine.fitting.solve import fit_head  # noqa: E402
from engine.heads.loader import load_head  # noqa: E402
from engine.media.photo import Photo  # noqa: E402
from engine.media.read import read_photo  # noqa: E402
from engine.options import ReconstructOptions  # noqa: E402
from engine.perception.landmarks import find_face  # noqa: E402
from engine.perception.masks import make_masks  # noqa: E402
from engine.perception.observation import FaceObservation  # noqa: E402
from engine.pipeline import reconstruct, solve  # noqa: E402
from engine.progress import Progress  # noqa: E402

SIZE_ONLY = "true shape at the mean size"
SHARED = Path(os.environ.get("LIKENESS_SHARED", ROOT.parent / "shared"))


@dataclass(frozen=True)
class Setting:
    """What to measure on: real photos, pairs of portraits of one person each, number of synthetic heads."""

    photos: list[Path]
    pairs: list[tuple[Path, Path]]
    heads: int


def reprojection(setting: Setting) -> dict[str, Any]:
    """Landmark reprojection on real photos, fractions of the inter-ocular distance."""
    rows = [_fit(*_seen(path)).errors for path in _readable(setting.photos)]
    return {
        "photos": len(rows),
        "mean": float(np.mean([row["mean"] for row in rows])),
        "worst mean": float(max(row["mean"] for row in rows)),
        "p95": float(np.mean([row["p95"] for row in rows])),
        "worst p95": float(max(row["p95"] for row in rows)),
    }


def synthetic(setting: Setting) -> dict[str, Any]:
    """Face error on rendered heads of known shape, beside the mean head's, mm.

    MediaPipe errs otherwise on renders than on photos, so the figures with its calibration on renders (of other people)
    say what the method can do, and those with the calibration for photos how far renders are from photos.
    """
    head = load_head("open")
    face = head.regions["face"]
    detectors = {"calibrated on renders": load_detector(RENDER_CALIBRATION), "calibrated for photos": load_detector()}
    mean_face = head.vertices[face]
    errors: dict[str, list[metrics.ShapeError]] = {name: [] for name in ("mean head", SIZE_ONLY, *detectors)}
    for seed in range(setting.heads):
        sample = sample_head(seed, head)
        photo = Photo(Path(f"synthetic-{seed}"), sample.image)
        try:
            seen = find_face(photo)
        except EngineError:
            continue
        truth = sample.neutral[face]
        errors["mean head"].append(metrics.shape_error(mean_face, truth))
        errors[SIZE_ONLY].append(metrics.shape_error(truth * similarity(truth, mean_face)[0], truth))
        for name, detector in detectors.items():
            fit = fit_head(head, seen, photo, ReconstructOptions(), Progress(), mesh_sighting(head, seen, detector))
            errors[name].append(metrics.shape_error(fit.neutral[face], truth))
    mean = np.array([(e.rigid, e.scaled) for e in errors["mean head"]])
    values: dict[str, Any] = {"heads": len(mean), "mean head, rigid mm": float(mean[:, 0].mean()),
                              "mean head, with scale mm": float(mean[:, 1].mean())}  # fmt: skip
    values[f"{SIZE_ONLY}, rigid / mean head"] = float(np.mean([e.rigid for e in errors[SIZE_ONLY]]) / mean[:, 0].mean())
    for name in detectors:
        found = np.array([(e.rigid, e.scaled) for e in errors[name]])
        ratio = found.mean(0) / mean.mean(0)
        for column, alignment in enumerate(("rigid", "with scale")):
            values[f"{name}, {alignment} mm"] = float(found[:, column].mean())
            values[f"{name}, {alignment} / mean head"] = float(ratio[column])
        values[f"{name}, better than the mean head"] = float(np.mean(found[:, 1] < mean[:, 1]))
    return values


def consistency(setting: Setting) -> dict[str, Any]:
    """Do two photos of one person give shapes closer than those of two people?"""
    if not setting.pairs:
        return {"left out": "no pairs of portraits at hand"}
    face = load_head("open").regions["face"]
    shapes, points, people = [], [], []
    for person, pair in enumerate(setting.pairs):
        for path in pair:
            photo, seen = _seen(path)
            shapes.append(_fit(photo, seen).neutral[face])
            points.append(seen.landmarks)
            people.append(person)
    ours, raw = metrics.discrimination(shapes, people), metrics.discrimination(points, people)
    return {"pairs": len(setting.pairs), "recovered shape": vars(ours), "raw MediaPipe points": vars(raw)}


def appearance(setting: Setting) -> dict[str, Any]:
    """Likeness of the re-rendered face to the photo: all of the face region, and where the photo shows the face.

    The photo does not show it where hair, spectacle frames or the background cover it; there the head's own skin is
    meant to differ.
    """
    whole, shown = [], []
    for path in _readable(setting.photos):
        result, pixels = solve(path, ReconstructOptions(texture_size=1024), Progress())
        if result.photo_view is None:
            continue
        inside, view = _face_mask(result), result.photo_view[..., :3]
        whole.append(_likeness(view, pixels, inside))
        shown.append(_likeness(view, pixels, inside & _face_shows(path)))
    values: dict[str, Any] = {"photos": len(whole)}
    for name, scores in (("face region", whole), ("where the photo shows the face", shown)):
        psnr, ssim = np.array(scores).T
        values |= {f"{name}, PSNR dB": float(psnr.mean()), f"{name}, worst PSNR dB": float(psnr.min()),
                   f"{name}, SSIM": float(ssim.mean()), f"{name}, worst SSIM": float(ssim.min())}  # fmt: skip
    return values


def time(setting: Setting) -> dict[str, Any]:
    """Seconds of a first and a second reconstruction in one process at 2048 texels, and its peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        stages: dict[str, float] = {}
        for run in ("first", "second"):
            progress, started = Progress(), perf_counter()
            reconstruct(setting.photos[0], Path(folder) / run, ReconstructOptions(), progress)
            seconds.append(perf_counter() - started)
            stages = progress.seconds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"first s": seconds[0], "second s": seconds[1], "peak GB": peak} | {
        f"second: {name} s": value for name, value in stages.items()
    }


SECTIONS: dict[str, Callable[[Setting], dict[str, Any]]] = {
    "time": time, "reprojection": reprojection, "synthetic": synthetic,
    "consistency": consistency, "appearance": appearance,
}  # fmt: skip


def _fit(photo: Photo, seen: FaceObservation) -> HeadFit:
    return fit_head(load_head("open"), seen, photo, ReconstructOptions(), Progress())


def _seen(path: Path) -> tuple[Photo, FaceObservation]:
    photo = read_photo(path)
    return photo, find_face(photo)


def _readable(photos: list[Path]) -> list[Path]:
    """The photos in which a usable face is found; the others are named on standard error."""
    kept = []
    for path in photos:
        try:
            _seen(path)
            kept.append(path)
        except EngineError as error:
            print(error, file=sys.stderr)
    return kept


def _face_mask(result: Any) -> np.ndarray:
    """(H,W) bool: where the face region's triangles are what the photo's camera sees."""
    import torch

    from engine.render.rasterize import rasterize_mesh

    raster = rasterize_mesh(torch.tensor(result.posed_vertices), torch.tensor(result.faces), result.camera)
    inside = result.face_region[result.faces].all(1)
    seen = raster.face.numpy()
    return (seen >= 0) & inside[np.maximum(seen, 0)]


def _likeness(view: np.ndarray, pixels: np.ndarray, inside: np.ndarray) -> tuple[float, float]:
    """PSNR in dB and SSIM of two pictures (H,W,3) inside a mask (H,W)."""
    return metrics.peak_signal_to_noise(view, pixels, inside), metrics.structural_similarity(view, pixels, inside)


def _face_shows(path: Path) -> np.ndarray:
    """(H,W) bool: skin, eyes and mouth as the masks see them, without spectacle frames."""
    masks = make_masks(*_seen(path))
    shows = masks.skin + masks.eyes + masks.inner_mouth > 0.5
    return shows if masks.frames is None else shows & (masks.frames < 0.5)


def setting(photos: Path | None, heads: int) -> Setting:
    """Gather what is at hand."""
    from skimage import data
    from skimage.io import imsave

    astronaut = Path(tempfile.gettempdir()) / "astronaut.png"
    imsave(astronaut, data.astronaut(), check_contrast=False)
    folder = photos or SHARED / "data" / "photos"
    real = sorted(folder.glob("*.jpg")) if folder.is_dir() else []
    listed = SHARED / "data" / "portraits"
    pairs = [(listed / first, listed / second) for first, second in read_pairs(listed / LISTED)]
    return Setting([astronaut, *real], [pair for pair in pairs if all(path.is_file() for path in pair)], heads)


def rows(section: str, values: dict[str, Any]) -> str:
    """One section's figures as rows of a Markdown table."""
    shown = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in values.items()}
    return "\n".join(f"| {section} | {name} | {value} |" for name, value in shown.items())


def main() -> None:
    """Run the chosen sections and print them."""
    parser = argparse.ArgumentParser(description="Measure the reconstruction.")
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--photos", type=Path, help="folder of portraits (*.jpg)")
    parser.add_argument("--heads", type=int, default=50, help="number of synthetic heads")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    unknown = set(arguments.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    chosen = setting(arguments.photos, arguments.heads)
    results: dict[str, Any] = {"machine": describe_machine()}
    print("| section | figure | value |\n|---|---|---|", flush=True)
    for name in arguments.sections or SECTIONS:
        results[name] = SECTIONS[name](chosen)
        print(rows(name, results[name]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
