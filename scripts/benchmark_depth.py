"""Measures depth and its meshes: python scripts/benchmark_depth.py [--only mesh,depth] [--pictures DIR --count N].

mesh: seconds of one core and peak memory of depth2mesh for 512 to 4096 pixels, beside a plain Python loop and beside
trimesh (both up to 1024 pixels), which makes no mesh of a depth map itself: it is given the published one, merges
equal vertices and works out normals; Open3D, where it is installed, does the same.
Each runs in a process of its own. depth: errors of every method on held-out synthetic pictures, the head fitted as in
the job; draw them with `python -m engine.training synthesize --held-out` (see docs/training.md).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.camera import Camera  # noqa: E402
from engine.depth.depth_map import Depth  # noqa: E402
from engine.depth.fitted import fit_photo  # noqa: E402
from engine.depth.mesh import MeshOptions, grid_mesh, mesh_of  # noqa: E402
from engine.depth.options import DepthOptions  # noqa: E402
from engine.depth.sources import Method, measure  # noqa: E402
from engine.depth.view import View  # noqa: E402
from engine.devices import single_threaded_torch  # noqa: E402
from engine.errors import EngineError  # noqa: E402
from engine.evaluation.held_out import HeldOut, read_held_out  # noqa: E402
from engine.evaluation.machine import describe_machine, peak_memory  # noqa: E402
from engine.evaluation.tables import Table, mean  # noqa: E402
from engine.heads.loader import load_head  # noqa: E402
from engine.media.photo import Photo  # noqa: E402
from engine.perception.depth_scale import SPAN  # noqa: E402
from engine.perception.regions import REGIONS, members  # noqa: E402
from engine.progress import Progress  # noqa: E402

SIDES = (512, 1024, 4096)
LOOP_TO = 1024
SLOW = ("plain loop", "trimesh", "Open3D")
WAYS = ("nothing", "published", "all faces", "200,000 faces", "closed", *SLOW)
COMPARED: tuple[Method, ...] = ("head", "inflate", "unet")
MOST_YAW = 60.0
EDGE = 0.02
"""Metres between neighbours that make an edge."""


def relief(side: int) -> Depth:
    """A made-up head before nothing: a ball with ripples, on three quarters of the picture's width."""
    focal = 2.0 * side
    camera = Camera(np.array([[focal, 0, side / 2], [0, focal, side / 2], [0, 0, 1.0]]), np.eye(4), side, side)
    rows, columns = (np.mgrid[:side, :side].astype(np.float32) + 0.5) / side - 0.5
    square = 0.14 - rows**2 - columns**2
    ripples = 0.002 * np.sin(90 * rows) * np.sin(70 * columns)
    depth = np.where(square > 0, 1 - 0.4 * np.sqrt(np.maximum(square, 0)) + ripples, np.nan).astype(np.float32)
    mask = np.isfinite(depth)
    return Depth(depth, mask, mask.astype(np.float32), camera)


def run_way(way: str, side: int) -> tuple[int, float, float]:
    """Faces, seconds and GB at the peak of one way, in this process."""
    depth = relief(side)
    filled = np.nan_to_num(depth.depth, nan=2.0)
    started, faces = process_time(), 0
    if way == "published":
        faces = len(grid_mesh(filled, depth.mask)[1])
    elif way == "plain loop":
        faces = len(_loop(filled, depth.mask))
    elif way == "trimesh":
        import trimesh

        mesh = trimesh.Trimesh(*grid_mesh(filled, depth.mask), process=True)
        faces = len(mesh.faces) + 0 * len(mesh.vertex_normals)
    elif way == "Open3D":
        import open3d  # pyright: ignore[reportMissingImports]

        vertices, triangles = grid_mesh(filled, depth.mask)
        made = open3d.geometry.TriangleMesh(
            open3d.utility.Vector3dVector(vertices), open3d.utility.Vector3iVector(triangles)
        )
        made.remove_duplicated_vertices()
        made.compute_vertex_normals()
        faces = len(made.triangles)
    elif way != "nothing":
        budget = None if way == "all faces" else 200_000
        faces = len(mesh_of(depth, MeshOptions(faces=budget, close_back=way == "closed")).faces)
    return faces, process_time() - started, peak_memory()


def _loop(depth: NDArray, mask: NDArray) -> list[tuple[int, int, int]]:
    """Algorithm 3 pixel by pixel."""
    width, faces = depth.shape[1], []
    for row in range(depth.shape[0] - 1):
        for column in range(width - 1):
            if not mask[row : row + 2, column : column + 2].all():
                continue
            a, b, c, d = depth[row : row + 2, column : column + 2].ravel().tolist()
            if max(abs(b - a), abs(d - c), abs(c - a), abs(d - b)) < 0.1:
                here = row * width + column
                faces += [(here, here + width, here + 1), (here + width, here + width + 1, here + 1)]
    return faces


def mesh_table() -> Table:
    """Every way at every size, each in a process of its own; memory is what it takes beyond making the depth map."""
    rows: list[tuple[str | float, ...]] = []
    for side in SIDES:
        empty = 0.0
        for way in WAYS:
            if (way in SLOW and side > LOOP_TO) or (way == "Open3D" and find_spec("open3d") is None):
                rows.append((f"{side} px, {way}", *("not run",) * 3))
                continue
            command = [sys.executable, __file__, "--one", way, str(side)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                rows.append((f"{side} px, {way}", float("nan"), float("nan"), float("nan")))
                continue
            faces, seconds, memory = json.loads(done.stdout)
            print(f"{side} px, {way}: {seconds:.2f} s", file=sys.stderr)
            if way == "nothing":
                empty = memory
            else:
                rows.append((f"{side} px, {way}", faces, seconds, memory - empty))
    return Table("depth2mesh", ("", "faces", "seconds", "GB"), rows, "Peak memory beyond that of the depth map's own.")


@dataclass(frozen=True)
class Errors:
    """Of one method on one picture, after the middle of the face was put where it truly is.

    Attributes:
        l1: mean absolute error of depth encoded as in training (one unit is `SPAN`), on the person's pixels it covers.
        face, hair, all: root mean square error, mm. covered: share of the person's pixels that have depth.
        sharpness: median step across true edges of the depth, found over true.
    """

    l1: float
    face: float
    hair: float
    all: float
    covered: float
    sharpness: float


def depth_table(pictures: list[HeldOut]) -> Table:
    """Means over pictures."""
    found: dict[str, list[Errors]] = {method: [] for method in COMPARED}
    refused = 0
    for picture in pictures:
        try:
            view = _view(picture)
        except EngineError as error:
            refused += 1
            print(f"{picture.name}: {error}", file=sys.stderr)
            continue
        for method in COMPARED:
            found[method].append(compare(picture, view, measure(view, method).depth))
    names = ("l1", "face", "hair", "all", "covered", "sharpness")
    rows = [
        (method, *(mean(np.array([value for e in errors if np.isfinite(value := asdict(e)[name])])) for name in names))
        for method, errors in found.items()
    ]
    note = (
        f"{len(pictures) - refused} pictures, {refused} refused. Head fitted as in the job; each method's own pixels."
        " The published L1, on its own pictures and scale, is 0.162 and 0.183."
    )
    columns = ("method", "L1", "face, mm", "hair, mm", "all, mm", "covered", "sharpness of edges")
    return Table("Depth of held-out people", columns, rows, note)


def _view(picture: HeldOut) -> View:
    photo = Photo(Path(f"{picture.name}.png"), picture.image)
    options = DepthOptions(resolution=max(picture.image.shape), device="cpu", focal_length_px=picture.camera.K[0, 0])
    with single_threaded_torch():
        return fit_photo(photo, load_head(), options, Progress()).view


def compare(picture: HeldOut, view: View, depth: Depth) -> Errors:
    """One method's depth against the truth, at the truth's resolution."""
    side = len(picture.depth)
    step = picture.image.shape[0] / side
    truth = np.where(np.isfinite(picture.depth), picture.depth, np.nan)
    rows, columns = (np.arange(side) + 0.5) * step, (np.arange(side) + 0.5) * step
    y = np.round((rows - view.origin[1]) * view.factor - 0.5).astype(int)
    x = np.round((columns - view.origin[0]) * view.factor - 0.5).astype(int)
    inside = ((y >= 0) & (y < view.shape[0]))[:, None] & ((x >= 0) & (x < view.shape[1]))[None]
    found = depth.depth[np.clip(y, 0, view.shape[0] - 1)][:, np.clip(x, 0, view.shape[1] - 1)]
    found = np.where(inside, found, np.nan)
    person = (picture.regions != REGIONS.index("background")) & np.isfinite(truth)
    face = np.isin(picture.regions, members("face")) & person
    hair = np.isin(picture.regions, members("hair")) & person
    both = np.isfinite(found) & person
    apart = found - truth
    apart = apart - np.nanmedian(apart[face & both]) if (face & both).any() else np.full_like(truth, np.nan)

    def rms(where: NDArray) -> float:
        values = apart[where & both]
        return 1e3 * float(np.sqrt((values**2).mean())) if len(values) else float("nan")

    l1 = float(np.abs(np.clip(apart[both] / SPAN, -2, 2)).mean()) if both.any() else float("nan")
    return Errors(
        l1, rms(face), rms(hair), rms(person), float(both.sum() / max(person.sum(), 1)), _sharpness(found, truth)
    )


def _sharpness(found: NDArray, truth: NDArray) -> float:
    """Found over true step where the truth has an edge between two of the person's pixels."""
    shares = []
    for axis in (0, 1):
        true, seen = np.diff(truth, axis=axis), np.diff(found, axis=axis)
        edge = (np.abs(true) > EDGE) & np.isfinite(seen)
        shares.append((seen * np.sign(true))[edge] / np.abs(true)[edge])
    shares = np.concatenate(shares)
    return float(np.median(shares)) if len(shares) > 10 else float("nan")


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="mesh,depth", help="mesh, depth")
    parser.add_argument("--pictures", type=Path, help="folder of held-out synthetic pictures")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the tables there too")
    parser.add_argument("--one", nargs=2, metavar=("WAY", "SIDE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(run_way(arguments.one[0], int(arguments.one[1]))))
        return 0
    tables = [mesh_table()] if "mesh" in arguments.only else []
    if "depth" in arguments.only and arguments.pictures is not None:
        pictures = read_held_out(arguments.pictures, arguments.count)
        tables.append(depth_table([p for p in pictures if abs(p.angles[0]) <= MOST_YAW]))
    for table in tables:
        print(table.markdown(), end="\n\n")
    if arguments.json:
        content = {"machine": describe_machine(), "tables": [asdict(table) for table in tables]}
        arguments.json.write_text(json.dumps(content, indent=1, default=str), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
