"""Measures tracking: python scripts/benchmark_takes.py [--only synthetic,real,time,insert] [--clip FILE] [--sheet PNG].

Sections: synthetic, takes of films whose truth is known (the bundled head talks, turns and keeps still); real,
reprojection and contacts on footage; time, frames a second at 720p and how memory grows with length; insert, seconds
for 5,000 frames of 52 keys in Blender (needs bpy).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.evaluation.machine import describe_machine  # noqa: E402
from engine.evaluation.tables import Table  # noqa: E402
from engine.evaluation.takes import TakeErrors, compare, film, jitter, perform_scene  # noqa: E402
from engine.heads.loader import load_head  # noqa: E402
from engine.media.clip import Clip  # noqa: E402
from engine.media.write_clip import ClipWriter  # noqa: E402
from engine.progress import Progress  # noqa: E402
from engine.tracking.job import track  # noqa: E402
from engine.tracking.options import TrackOptions  # noqa: E402
from engine.tracking.take import Take  # noqa: E402

CLIP = Path(os.environ.get("LIKENESS_SHARED", ROOT.parent / "shared")) / "data" / "clips" / "obama_weekly_512.mp4"
FILMS = (
    ("talking", 25.0, 0.0), ("talking", 29.97, 0.0), ("talking", 50.0, 0.0), ("talking", 25.0, 0.5),
    ("turning", 25.0, 0.0), ("still", 25.0, 0.0),
)  # fmt: skip
"""What is acted, frames a second, and the share of a frame in which the shutter is open."""
QUIET = {"preview": False, "texture_size": 256}
LENGTHS = (250, 1000)
"""Frames of the clips whose memory is compared."""


@dataclass(frozen=True)
class Setting:
    """See the options."""

    clip: Path
    seconds: float
    sheet: Path | None


def synthetic(setting: Setting) -> list[Table]:
    """Takes of films, against the truth."""
    head = load_head()
    rows, units = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number, (kind, fps, shutter) in enumerate(FILMS):
            performance = perform_scene(head.expression_names, kind, setting.seconds, fps, number)
            clip = Path(folder) / f"{number}.mp4"
            identity = film(clip, head, performance, number, shutter)
            name = f"{kind}, {fps:g} fps{', motion blur' if shutter else ''}"
            for smoothing in ("none", "take"):
                out = Path(folder) / f"{clip.stem}-{smoothing}"
                track(clip, out, TrackOptions(smoothing=smoothing, contacts=smoothing == "take", **QUIET), Progress())
                found = compare(head, performance, Take.load(out), identity)
                rows.append((name, "as solved" if smoothing == "none" else "take", *_cells(found)))
                if smoothing == "take" and kind == "talking":
                    units.append(found.units)
    columns = (
        "film", "smoothing", "weights", "pose °", "gaze °", "lips mm", "lag frames", "blinks R", "blinks P",
        "contacts R", "contacts P", "jitter mm",
    )  # fmt: skip
    note = (
        f"{setting.seconds:g} s each, another random person each. Weights: mean absolute error over all 52. Recall (R)"
        " and precision (P) of blinks that close and lips that meet. Jitter: second difference of the face's vertices."
    )
    mean = np.mean(units, axis=0)
    by_unit = [(head.expression_names[n], float(mean[n])) for n in np.argsort(-mean)]
    return [
        Table("Synthetic takes", columns, rows, note),
        Table("Mean absolute error of each unit, talking", ("unit", "error"), by_unit),
    ]


def _cells(found: TakeErrors) -> tuple[float, ...]:
    return (
        float(found.units.mean()), found.pose, found.gaze, found.lips, found.lag, *found.blinks, *found.contacts,
        found.jitter,
    )  # fmt: skip


def real(setting: Setting) -> list[Table]:
    """Footage of a person."""
    head = load_head()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for smoothing in ("none", "take"):
            out = Path(folder) / smoothing
            report = track(setting.clip, out, TrackOptions(smoothing=smoothing, texture_size=256, preview=False))
            take = Take.load(out)
            closed = (take.unit("eyeBlinkLeft") > 0.95) & (take.unit("eyeBlinkRight") > 0.95)
            shut = int((np.diff(np.concatenate([[0], closed.astype(int)])) == 1).sum())
            errors = report["reprojection"]
            moved = 1e3 * jitter(head, take.expression)
            rows.append((smoothing, report["frames"], 100 * errors["mean"], 100 * errors["p95"], shut, moved))
        if setting.sheet is not None:
            _sheet(setting, Path(folder))
    columns = ("smoothing", "frames", "reprojection %", "p95 %", "blinks", "jitter mm")
    note = f"{setting.clip.name}. Reprojection before smoothing, of the inter-ocular distance."
    return [Table("Real footage", columns, rows, note)]


def _sheet(setting: Setting, folder: Path) -> None:
    """Frames of the preview in rows."""
    from engine.media.write import write_picture

    out = folder / "sheet"
    track(setting.clip, out, TrackOptions(texture_size=1024))
    frames = [frame.pixels for frame in Clip(out / "preview.mp4").frames()]
    shown = [frames[n] for n in np.linspace(0, len(frames) - 1, 12).round().astype(int)]
    assert setting.sheet is not None
    write_picture(setting.sheet, np.concatenate([np.concatenate(shown[:6]), np.concatenate(shown[6:])], axis=1))


def time(setting: Setting) -> list[Table]:
    """Frames a second at 720p, and peak memory of a process by the clip's length."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "head"
        track(setting.clip, out, TrackOptions(end=2.0, **QUIET))
        for count in LENGTHS:
            clip = Path(folder) / f"{count}.mp4"
            _enlarge(setting.clip, clip, count)
            code = (
                "import json,sys,time;from pathlib import Path;from engine.tracking.job import track;"
                "from engine.tracking.options import TrackOptions;from engine.evaluation.machine import peak_memory;"
                "t=time.perf_counter();r=track(Path(sys.argv[1]),Path(sys.argv[2]),"
                "TrackOptions(head=Path(sys.argv[3]),preview=False));"
                "print(json.dumps([time.perf_counter()-t,peak_memory(),r['seconds']]))"
            )
            command = [sys.executable, "-c", code, str(clip), str(Path(folder) / f"take-{count}"), str(out)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            seconds, memory, stages = json.loads(done.stdout.splitlines()[-1])
            parts = [1e3 * stages[name] / count for name in ("Following the face", "Solving the performance")]
            rows.append((count, count / seconds, *parts, memory))
    columns = ("frames", "frames a second", "following ms", "solving ms", "peak GB")
    return [Table("Tracking at 720p with a head that is there, decoding included", columns, rows)]


def _enlarge(source: Path, target: Path, count: int) -> None:
    """The clip at 1280 x 720, forwards and backwards until it has so many frames."""
    import cv2

    frames = [frame.pixels for frame in Clip(source).frames()]
    order = [*range(len(frames)), *range(len(frames) - 2, 0, -1)]
    with ClipWriter(target, 1280, 720, 25.0) as writer:
        for number in range(count):
            picture = frames[order[number % len(order)]]
            scaled = cv2.resize(picture, (720, 720), interpolation=cv2.INTER_CUBIC)
            wide = cv2.copyMakeBorder(scaled, 0, 0, 280, 280, cv2.BORDER_REPLICATE)
            writer.add(np.asarray(wide, np.uint8))


INSERT = """
import time
import numpy as np
from scripts.extension_package import load_extension
load_extension()
import bpy
from likeness.engine.camera import Camera
from likeness.engine.tracking.livelink import NAMES
from likeness.engine.tracking.take import Take
from likeness.operators.build.action import apply_take_to_mesh
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 25
mesh = bpy.data.meshes.new("m")
mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
item = bpy.data.objects.new("o", mesh)
for name in ("Basis", *NAMES):
    item.shape_key_add(name=name)
T = 5000
still, rng = np.zeros((T, 3), np.float32), np.random.default_rng(0)
take = Take(
    np.arange(T) / 25, 25.0, rng.random((T, 52), np.float32), NAMES, np.tile(np.eye(3, dtype=np.float32), (T, 1, 1)),
    still, still, still, still, still, np.ones(T, np.float32), np.zeros((T, 478, 2), np.float32),
    Camera(np.eye(3), np.eye(4), 640, 360),
)
start = time.perf_counter()
apply_take_to_mesh(item, take)
print("seconds", time.perf_counter() - start, flush=True)
import os
os._exit(0)
"""


def insert(setting: Setting) -> list[Table]:
    """Keyframes into Blender."""
    done = subprocess.run([sys.executable, "-c", INSERT], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        print(f"insert: left out ({(done.stderr.strip() or 'no bpy').splitlines()[-1]})", file=sys.stderr)
        return []
    seconds = float(done.stdout.split("seconds")[-1])
    return [Table("Keyframes into Blender", ("what", "seconds"), [("5,000 frames x 52 keys", seconds)])]


SECTIONS: dict[str, Callable[[Setting], list[Table]]] = {
    "synthetic": synthetic, "real": real, "time": time, "insert": insert,
}  # fmt: skip


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, separated by commas")
    parser.add_argument("--clip", type=Path, default=CLIP, help="real footage of one face")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each synthetic film")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--sheet", type=Path, help="frames of the preview, .png or .jpg; with the section real")
    options = parser.parse_args()
    setting = Setting(options.clip, options.seconds, options.sheet)
    kept = {"machine": describe_machine(), "tables": []}
    for name in options.only.split(","):
        if name in ("real", "time") and not setting.clip.is_file():
            print(f"{name}: left out, there is no clip at {setting.clip}", file=sys.stderr)
            continue
        started = perf_counter()
        for table in SECTIONS[name](setting):
            print(table.markdown(), flush=True)
            kept["tables"].append(table.packed())
        print(f"{name}: {perf_counter() - started:.0f} s", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
