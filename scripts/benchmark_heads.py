"""Measures head models that users bring: python -m scripts.benchmark_heads [--model FILE] [--ict FOLDER].

Parity of FLAME's layer with the vectors in ../shared/parity (or under LIKENESS_SHARED); how well the open head's places
and units arrive on a head in FLAME's format, a toy whose truth is known, or a model of yours; and with ICT-FaceKit's
folder, how the carried units compare with its own of the same names.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.evaluation.tables import Table  # noqa: E402
from engine.heads import load  # noqa: E402
from engine.heads.arkit import arkit_units, carried_units  # noqa: E402
from engine.heads.arkit_names import ARKIT_NAMES  # noqa: E402
from engine.heads.complete import complete, open_head_on  # noqa: E402
from engine.heads.correspond import places_on  # noqa: E402
from engine.heads.landmarks import FLAME_PYTORCH, SMPLX  # noqa: E402
from engine.heads.loader import load_head  # noqa: E402
from engine.heads.model import HeadModel  # noqa: E402
from engine.heads.retarget import Performance, fit_units, retarget_of  # noqa: E402
from engine.heads.skinning import Controls, pose  # noqa: E402
from tests.engine.heads.flame_toy import make_toy, write_toy_flame  # noqa: E402

SHARED = Path(os.environ.get("LIKENESS_SHARED", ROOT.parent / "shared"))
MILLIMETRES = 1000.0
REGIONS = ("face", "nose", "lips", "ear.L", "scalp", "neck")


def parity() -> Iterator[Table]:
    """FLAME's layer against four reference layers."""
    folder = SHARED / "parity" / "flame"
    if not folder.is_dir():
        print("Parity is left out: there are no vectors.", file=sys.stderr)
        return
    head = load(folder / "small_assets" / "generic_model.pkl")
    with np.load(folder / "small_io.npz") as stored:
        io = {name: torch.tensor(stored[name]) for name in stored.files}
    full = Controls(
        io["in_shape"], io["in_expr"], io["in_global_"], io["in_neck"], io["in_jaw"], io["in_leye"], io["in_reye"],
        io["in_transl"],
    )  # fmt: skip
    smirk = Controls(
        full.shape, io["in_expr"][:, :50], full.global_pose, full.neck_pose, full.jaw_pose, full.left_eye_pose,
        full.right_eye_pose, eyelids=io["eyelids"],
    )  # fmt: skip
    deca = Controls(io["in_shape"][:, :100], io["in_expr"][:, :50], full.global_pose, jaw_pose=full.jaw_pose)
    rows = []
    for layer, controls in (("smirk", smirk), ("deca", deca), ("smplx", full), ("flamept", full)):
        rows.append((f"{layer} vertices", apart(pose(head, controls).vertices, io[f"{layer}_vertices"])))
    points = (
        ("smirk_landmarks_fan", smirk, "ibug68-dynamic", None), ("smirk_landmarks_mp", smirk, "mediapipe", None),
        ("deca_landmarks2d", deca, "ibug68-dynamic", None), ("deca_landmarks3d", deca, "ibug68-static", None),
        ("flamept_landmarks", full, "ibug68-dynamic", FLAME_PYTORCH),
    )  # fmt: skip
    for name, controls, scheme, convention in points:
        found = head.landmarks(**vars(controls), scheme=scheme, convention=convention)
        rows.append((name.replace("_", " "), apart(found, io[name])))
    both = [pose(head, full).joints, head.landmarks(**vars(full), scheme="ibug68-dynamic", convention=SMPLX)]
    rows.append(("smplx joints and landmarks", apart(torch.cat(both, 1), io["smplx_joints"])))
    yield Table("FLAME's layer, largest difference in metres", ("tensor", "difference"), rows)


def apart(found: torch.Tensor, wanted: torch.Tensor) -> str:
    """The largest difference."""
    return f"{float((found - wanted).abs().max()):.1e}"


def places() -> Iterator[Table]:
    """Correspondence and units on the toy."""
    toy = make_toy()
    with tempfile.TemporaryDirectory() as folder:
        head = complete(load(write_toy_flame(Path(folder))))
    source = load_head()
    found = places_on(head, source, open_head_on(head))
    truth = toy.origin.on(source.vertices, source.faces)
    miss = MILLIMETRES * np.linalg.norm(found.carry(source.vertices, source.faces) - truth, axis=1)
    rows = []
    for name in REGIONS:
        chosen = head.regions[name] & toy.outer & found.valid
        rows.append((name, float(np.median(miss[chosen])), float(np.percentile(miss[chosen], 90))))
    yield Table("Correspondence on the toy, mm", ("region", "median", "90 %"), rows)
    yield units(head, "toy")
    yield there_and_back(head, "toy")


def units(head: HeadModel, title: str) -> Table:
    """ARKit's units in a model's own coefficients."""
    report = fit_units(head).report()
    rows = [(name, missed, moved) for name, (missed, moved) in report.items()]
    return Table(f"Units in the coefficients of the {title}, root mean square mm", ("unit", "missed", "moves"), rows)


def there_and_back(head: HeadModel, title: str, frames: int = 40, seed: int = 0) -> Table:
    """Random weights of all units, brought to a model's own numbers and back onto the open head; and random numbers."""
    source, retarget, rng = load_head(), retarget_of(head), np.random.default_rng(seed)
    weights = rng.gamma(0.4, 0.35, (frames, len(ARKIT_NAMES))).clip(0, 1)  # most units little, few much
    wrong = retarget.to_arkit(retarget.to_model(weights)) - weights
    moved = np.tensordot(wrong, source.expression_basis[:, source.regions["face"]], 1)
    distance = MILLIMETRES * np.linalg.norm(moved, axis=2)
    none = np.zeros((frames, 3))
    random = Performance(rng.normal(0, 0.7, (frames, len(retarget.units[0]) - 9)), none, none, none)
    random.expression[:, 50:] = 0
    missed = retarget.missed(random, retarget.to_arkit(random))
    rows = [
        ("weights, there and back: mean difference", float(np.abs(wrong).mean())),
        ("face's vertices, there and back: root mean square, mm", float(np.sqrt((distance**2).mean()))),
        ("face's vertices, there and back: most, mm", float(distance.max())),
        ("50 expressions of 0.7 on the units miss by, root mean square, mm", float(np.sqrt((missed**2).mean()))),
    ]
    return Table(f"Takes to the {title} and back", ("", "difference"), rows)


def own_and_carried(folder: Path) -> Iterator[Table]:
    """Units carried to ICT-FaceKit beside its own."""
    head = complete(load(folder))
    own, carried = arkit_units(head), carried_units(head)
    face = head.regions["face"]
    rows = []
    for row, name in enumerate(ARKIT_NAMES):
        if name in head.expression_names:
            pair = np.corrcoef(own[row, face].ravel(), carried[row, face].ravel())
            rows.append((name, float(pair[0, 1])))
    yield Table("Units carried to ICT-FaceKit, correlation with its own", ("unit", "correlation"), rows)


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a FLAME file of yours, for its units")
    parser.add_argument("--ict", type=Path, help="ICT-FaceKit's folder FaceXModel")
    given = parser.parse_args()
    tables = [*parity(), *places()]
    if given.model:
        tables.append(units(complete(load(given.model)), given.model.name))
    if given.ict:
        tables += own_and_carried(given.ict)
    print("\n".join(table.markdown() for table in tables))
    return 0


if __name__ == "__main__":
    sys.exit(main())
