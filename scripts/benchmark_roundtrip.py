"""Measures whether heads stay what they are: python -m scripts.benchmark_roundtrip RESULT... [--frames N].

RESULT is a folder that `python -m engine reconstruct` wrote. Each head is built in Blender and posed at random by its
own parameters; the evaluated mesh is compared with the engine's skinning (`engine.heads.skinning`), then exported as
GLB and FBX, read back, and compared with what was exported. Millimetres, largest of all vertices.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from numpy.typing import NDArray

from scripts.extension_package import load_extension

load_extension()
import bpy  # noqa: E402
import torch  # noqa: E402
from mathutils import Matrix  # noqa: E402

from engine.evaluation.machine import describe_machine  # noqa: E402
from engine.evaluation.tables import Table  # noqa: E402
from engine.heads.skinning import pose_feature, rodrigues, skin  # noqa: E402
from engine.result import Reconstruction  # noqa: E402

MILLIMETRES = 1000.0
TURNS = {"neck": (0.25, 0.3, 0.2), "head": (0.2, 0.2, 0.1), "jaw": (0.25, 0.05, 0.05), "eye.L": (0.2, 0.3, 0.0),
         "eye.R": (0.2, 0.3, 0.0)}  # fmt: skip
"""Radians about engine axes that bones are turned by at most."""
BENT = 1.5
"""Standard deviations of a model's own parameters, and the weights of ARKit's units over it."""

SHOWN = 99
"""Vertices of the largest mesh that an importer makes to draw bones with."""


class Posed:
    """One head in Blender, and the same head by the engine's own arithmetic."""

    def __init__(self, folder: Path) -> None:
        build: Any = importlib.import_module("likeness.operators.build")
        space: Any = importlib.import_module("likeness.operators.build.space")
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.result = Reconstruction.load(folder, pictures=False)
        options = build.BuildOptions(identity_keys=20, subdivision=0, camera=False, location=(0, 0, 0))
        self.built = build.build_head(bpy.context, self.result, folder, options)
        self.to_engine: NDArray = space.TO_BLENDER

    def act(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Set keys and bones at random; returns the vertices (V,3) that the engine makes of it."""
        result, keys = self.result, self.built.keys.key_blocks
        moved = result.vertices.astype(np.float64)
        own = result.own
        if own is not None:
            chosen = [("shape", own.shapes), ("expression", own.expressions)]
            for title, basis in chosen:
                amounts = np.clip(rng.normal(0, BENT / 2, len(basis)), -3, 3)
                for number, amount in enumerate(amounts):
                    keys[f"{title}_{number:03d}"].value = amount
                moved = moved + np.tensordot(amounts, basis.astype(np.float64), 1)
        else:
            weights = rng.uniform(0, 1, len(result.expression_names)) ** 3
            weights[[n.startswith("jaw") for n in result.expression_names]] = 0  # the jaw bone yields to these
            for name, weight in zip(result.expression_names, weights, strict=True):
                keys[name].value = weight
            moved = moved + np.tensordot(weights, result.expression_basis.astype(np.float64), 1)
        turns = {name: rng.uniform(-1, 1, 3) * most for name, most in TURNS.items() if name in result.joint_names}
        for name, turn in turns.items():
            self._turn(name, turn)
        return self._skinned(moved, turns)

    def _turn(self, name: str, turn: NDArray) -> None:
        bone = self.built.rig.pose.bones[name]
        for constraint in bone.constraints:
            constraint.mute = True
        axes = self.to_engine.T @ np.array(bone.bone.matrix_local.to_3x3())
        basis = np.eye(4)
        basis[:3, :3] = axes.T @ rodrigues(torch.tensor(turn)[None])[0].numpy() @ axes
        bone.matrix_basis = Matrix(basis.tolist())

    def _skinned(self, moved: NDArray, turns: dict[str, NDArray]) -> NDArray[np.float64]:
        result = self.result
        axes = torch.tensor(np.array([turns.get(name, np.zeros(3)) for name in result.joint_names]))
        rotations = rodrigues(axes)[None]
        if result.own is not None and len(result.own.correctives):
            feature = pose_feature(rotations)[0].numpy()
            moved = moved + np.tensordot(feature, result.own.correctives.astype(np.float64), 1)
        weights = torch.tensor(result.skin_weights.astype(np.float64))
        joints = torch.tensor(result.joints[None].astype(np.float64))
        placed, _ = skin(torch.tensor(moved[None]), joints, rotations, result.joint_parents, weights)
        return placed[0].numpy()

    def evaluated(self) -> NDArray[np.float64]:
        """(V,3) engine space, of the mesh as Blender shows it."""
        return mesh_places(self.built.head) @ self.to_engine

    def exported(self, kind: str, folder: Path) -> float:
        """Millimetres between the mesh as it stands and what comes back from a file of that kind, world space."""
        head, rig = self.built.head, self.built.rig
        before = world_places(head)
        layer: Any = bpy.context.view_layer
        for item in layer.objects:
            item.select_set(item in (head, rig))
        path = folder / f"head.{kind}"
        known = set(bpy.data.objects)
        if kind == "glb":
            bpy.ops.export_scene.gltf(filepath=str(path), use_selection=True, export_rest_position_armature=False)
            bpy.ops.import_scene.gltf(filepath=str(path))
        else:
            bpy.ops.export_scene.fbx(filepath=str(path), use_selection=True, add_leaf_bones=False)
            bpy.ops.import_scene.fbx(filepath=str(path))
        new: list[Any] = [item for item in bpy.data.objects if item not in known]
        after = np.concatenate(
            [world_places(item) for item in new if item.type == "MESH" and len(item.data.vertices) > 99]
        )
        for item in new:
            bpy.data.objects.remove(item)
        return MILLIMETRES * farthest(before, after)


def mesh_places(item: Any) -> NDArray[np.float64]:
    """(V,3) vertices after shape keys and modifiers, in the object's space."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    depsgraph.update()
    evaluated = item.evaluated_get(depsgraph)
    mesh = evaluated.to_mesh()
    places = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", places)
    evaluated.to_mesh_clear()
    return places.reshape(-1, 3).astype(np.float64)


def world_places(item: Any) -> NDArray[np.float64]:
    """The same in the world."""
    matrix = np.array(item.matrix_world)
    return mesh_places(item) @ matrix[:3, :3].T + matrix[:3, 3]


def farthest(first: NDArray, second: NDArray) -> float:
    """Largest distance from a place of either to the nearest of the other: files split vertices at seams."""
    from scipy.spatial import KDTree

    return max(float(KDTree(b).query(a)[0].max()) for a, b in ((first, second), (second, first)))


def measure(folder: Path, frames: int, seed: int) -> tuple[str | float, ...]:
    """A head's row."""
    rng = np.random.default_rng(seed)
    head = Posed(folder)
    blender = max(MILLIMETRES * np.abs(head.act(rng) - head.evaluated()).max() for _ in range(frames))
    with tempfile.TemporaryDirectory() as scratch:
        files = [head.exported(kind, Path(scratch)) for kind in ("glb", "fbx")]
    model = str(head.result.report.get("head_model", "open"))
    return (f"{model}, {len(head.result.vertices)} vertices", float(blender), *files)


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULT")
    parser.add_argument("--frames", type=int, default=5, help="random poses")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows = [measure(folder, given.frames, given.seed) for folder in given.results]
    columns = ("head", "engine to Blender", "Blender to GLB and back", "Blender to FBX and back")
    print(f"{describe_machine()['processor']}, Blender {bpy.app.version_string}\n")
    print(Table("Largest vertex difference, mm", columns, rows).markdown())
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # some versions of the bpy module hang when Python ends by itself
