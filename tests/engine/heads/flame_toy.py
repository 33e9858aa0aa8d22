"""A file in FLAME's format with believable content, made from the open head: FLAME itself cannot be shipped.

The toy is the open head's skin and eyes with other triangles, its vertices slid along the surface, bent and numbered
anew. It has 300 identity columns, 100 expressions and five joints, and opens its jaw by skinning, as FLAME does.
"""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.heads.geometry import Places, closest_places, edges_of, vertex_normals
from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from engine.heads.obj import triangles_of

Floats = NDArray[np.float64]
NAME = "flame2023_Open.pkl"
SCALE = np.array([1.04, 0.97, 1.03])
SHIFT = np.array([0.0, -0.012, 0.008])
JAW_TURNS = {"jawOpen": (0.35, 0.0, 0.0), "jawLeft": (0.0, 0.1, 0.0), "jawRight": (0.0, -0.1, 0.0)}
"""Radians of the toy's jaw bone in these units, about x, y and z."""
MEDIAPIPE_COUNT = 105
MASKS = {
    "face": "face", "lips": "lips", "nose": "nose", "scalp": "scalp", "neck": "neck", "left_ear": "ear.L",
    "right_ear": "ear.R", "left_eyeball": "eye.L", "right_eyeball": "eye.R",
}  # fmt: skip
"""FLAME's names of regions, and the open head's."""


@dataclass(frozen=True)
class ToyFlame:
    """The toy's arrays, and what is known of them.

    Attributes:
        arrays: by FLAME's names.
        origin: where each vertex lies on the mean open head.
        units: (52,V,3) the open head's ARKit units on the toy, bent along with it, metres.
        outer: (V,) skin that can be seen from outside.
    """

    arrays: dict[str, NDArray]
    origin: Places
    units: Floats
    outer: NDArray[np.bool_]


def bend(points: Floats) -> Floats:
    """The toy's shape: the open head stretched, with a longer nose bridge and a wider jaw."""
    moved = points * SCALE + SHIFT
    widen = 0.006 * np.exp(-(((points[:, 1] + 0.06) / 0.04) ** 2)) * np.tanh(points[:, 0] / 0.02)
    ahead = 0.003 * np.exp(-(((points[:, :2] - [0, 0.03]) / 0.03) ** 2).sum(1))
    return moved + np.stack([widen, np.zeros(len(points)), ahead], 1)


@lru_cache(maxsize=1)
def make_toy(seed: int = 0) -> ToyFlame:
    """The toy's arrays; the same for the same seed. Made once: do not write into them."""
    random = np.random.default_rng(seed)
    head = load_head("open")
    used, faces = _template(head, random)
    places = _slid(head, used, faces)
    outer = ~(head.regions["inner_mouth"] | head.regions["eye_sockets"]) & head.regions["skin"]
    origin = closest_places(places, head.vertices, head.faces, vertex_normals(places, faces))
    vertices = bend(places)
    weights = origin.on(head.skin_weights, head.faces)
    weights = np.stack([weights[:, 0], weights[:, 1] + weights[:, 2], *weights[:, 3:].T], 1)
    weights /= weights.sum(1, keepdims=True)
    joints = bend(head.joints[[0, 1, 3, 4, 5]].astype(np.float64))
    units = np.stack([origin.on(unit, head.faces) for unit in head.expression_basis]) * SCALE
    correctives = _correctives(vertices, weights, random)
    regressor = _regressor(vertices, joints, weights)
    arrays = {
        "f": faces.astype(np.uint32), "J_regressor": regressor, "J": regressor @ vertices, "weights": weights,
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], np.arange(5)]), "posedirs": correctives,
        "v_template": vertices, "bs_style": "lbs", "bs_type": "lrotmin",
    }  # fmt: skip
    shapes = np.stack([origin.on(shape, head.faces) for shape in head.identity_basis]) * SCALE
    shapes = np.concatenate([shapes, 2e-4 * _waves(vertices, 300 - len(shapes), random)])
    jaw_moves = {
        head.expression_names.index(name): jaw_motion(vertices, joints[2], weights[:, 2], turn)
        for name, turn in JAW_TURNS.items()
    }
    expressions = _expressions(units, jaw_moves, random)
    expressions = np.concatenate([expressions, 1e-4 * _waves(vertices, 100 - len(expressions), random)])
    arrays["shapedirs"] = np.moveaxis(np.concatenate([shapes, expressions]), 0, 2)
    return ToyFlame(arrays, origin, units, outer[used])


def write_toy_flame(folder: Path, seed: int = 0, companions: bool = True) -> Path:
    """Write the toy as FLAME's owner hands out the real one.

    Args:
        folder: to write into.
        seed: of the vertices' order and of the small waves that fill up the columns.
        companions: write landmarks, masks and lids beside it.
    Returns:
        The model file, `flame2023_Open.pkl`.
    """
    toy = make_toy(seed)
    folder.mkdir(parents=True, exist_ok=True)
    if companions:
        _write_companions(folder, toy)
    return write_pickle(folder / NAME, toy.arrays)


def write_pickle(path: Path, arrays: dict[str, NDArray]) -> Path:
    """Write arrays as FLAME's pickle has them: most as chumpy's objects, the regressor as SciPy's sparse matrix."""
    with _foreign_classes() as (chumpy, sparse):
        held: dict[str, object] = dict(arrays)
        for name in ("v_template", "shapedirs", "posedirs", "weights", "J"):
            if name in held:
                held[name] = chumpy()
                held[name].x = np.ascontiguousarray(arrays[name])  # type: ignore[attr-defined]
        if "J_regressor" in held:
            held["J_regressor"] = sparse()
            vars(held["J_regressor"]).update(_columns(arrays["J_regressor"]))
        path.write_bytes(pickle.dumps(held, 2))
    return path


@contextmanager
def _foreign_classes() -> Iterator[tuple[type, type]]:
    """chumpy's and old SciPy's classes under their names, for as long as a pickle is written."""
    made, before = [], {}
    for module, name in (("chumpy.ch", "Ch"), ("scipy.sparse.csc", "csc_matrix")):
        made.append(type(name, (), {"__module__": module}))
        for part in (module.partition(".")[0], module.rpartition(".")[0], module):
            before.setdefault(part, sys.modules.get(part))
            if part == module or before[part] is None:
                sys.modules[part] = types.ModuleType(part)
        setattr(sys.modules[module], name, made[-1])
    try:
        yield made[0], made[1]
    finally:
        for part, module_before in before.items():
            sys.modules.pop(part)
            if module_before is not None:
                sys.modules[part] = module_before


def _columns(dense: NDArray) -> dict[str, object]:
    """What SciPy keeps of a matrix compressed by columns."""
    columns, rows = np.nonzero(dense.T)
    starts = np.searchsorted(columns, np.arange(dense.shape[1] + 1)).astype(np.int32)
    return {"_shape": dense.shape, "data": dense[rows, columns], "indices": rows.astype(np.int32), "indptr": starts}


def _template(head: HeadModel, random: np.random.Generator) -> tuple[NDArray, NDArray]:
    """The open head's vertices that are kept, in a new order, and triangles (F,3) that split quads the other way."""
    kept = np.isin(head.polygon_materials, [head.material_names.index(n) for n in ("skin", "eye.L", "eye.R")])
    polygons = head.polygons[kept]
    quads = polygons[:, 3] >= 0
    polygons = np.where(quads[:, None], polygons[:, [1, 2, 3, 0]], polygons)
    faces = triangles_of(polygons)[0]
    used = random.permutation(np.unique(faces))
    number = np.full(len(head.vertices), -1)
    number[used] = np.arange(len(used))
    return used, number[faces]


def _slid(head: HeadModel, used: NDArray, faces: NDArray) -> Floats:
    """(V,3) the vertices moved within the surface, so that they are no longer the open head's own points."""
    places = head.vertices[used].astype(np.float64)
    free = (head.regions["face"] | head.regions["scalp"] | head.regions["neck"])[used]
    for part in ("lips", "eyelids", "eye_sockets", "inner_mouth"):
        free &= ~head.regions[part][used]
    edges = edges_of(faces)
    ends = np.concatenate([edges, edges[:, ::-1]])
    number = np.bincount(ends[:, 0], minlength=len(used))[:, None]
    for _ in range(3):
        middle = np.stack([np.bincount(ends[:, 0], places[ends[:, 1], axis], len(used)) for axis in range(3)], 1)
        normals = vertex_normals(places, faces)
        move = middle / np.maximum(number, 1) - places
        move -= (move * normals).sum(1, keepdims=True) * normals
        places = places + 0.5 * move * free[:, None]
    return places


def _regressor(vertices: Floats, joints: Floats, weights: Floats) -> Floats:
    """(5,V) rows that sum to 1 and hit the joints, from the vertices that go with each."""
    rows = np.zeros((len(joints), len(vertices)))
    for row, joint in enumerate(joints):
        near = np.argsort(np.linalg.norm(vertices - joint, axis=1) - 0.1 * weights[:, row])[:120]
        system = np.concatenate([vertices[near].T, np.ones((1, len(near)))])
        rows[row, near] = np.linalg.pinv(system) @ np.append(joint, 1.0)
    return rows


def _correctives(vertices: Floats, weights: Floats, random: np.random.Generator) -> Floats:
    """(V,3,36) small pose correctives, only where the jaw and the neck bend."""
    bending = (weights[:, 1] * (1 - weights[:, 1]) + weights[:, 2] * (1 - weights[:, 2]))[:, None]
    return np.moveaxis(2e-3 * _waves(vertices, 36, random) * bending, 0, 2)


def _waves(vertices: Floats, count: int, random: np.random.Generator) -> Floats:
    """(count,V,3) smooth fields of height about 1."""
    pitch = random.normal(0, 40.0, (count, 3))
    phase = random.uniform(0, 2 * np.pi, (count, 1))
    direction = random.standard_normal((count, 1, 3))
    return np.cos(vertices @ pitch.T + phase.T).T[..., None] * direction


def _expressions(units: Floats, jaw_moves: dict[int, Floats], random: np.random.Generator) -> Floats:
    """(52,V,3) principal components of acted units, one standard deviation each, less what the jaw bone does."""
    rest = units.copy()
    for number, moved in jaw_moves.items():
        rest[number] -= moved
    acted = random.gamma(0.4, 0.35, (400, len(units)))
    moved = (acted - acted.mean(0)) @ rest.reshape(len(units), -1)
    _, vectors = np.linalg.eigh(moved @ moved.T)
    found = vectors[:, ::-1][:, : len(units)].T @ moved / np.sqrt(len(acted))
    return found.reshape(units.shape)


def jaw_motion(vertices: Floats, joint: Floats, weights: Floats, turn: tuple[float, float, float]) -> Floats:
    """(V,3) what skinning does to vertices whose jaw (weights (V,)) turns about its joint by an axis-angle."""
    angle = float(np.linalg.norm(turn))
    x, y, z = np.asarray(turn) / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation = np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return weights[:, None] * ((vertices - joint) @ rotation.T)


def _write_companions(folder: Path, toy: ToyFlame) -> None:
    """Landmarks, masks and lids, as FLAME's users have them beside the model."""
    head = load_head("open")
    vertices, faces = toy.arrays["v_template"], toy.arrays["f"].astype(np.int64)
    skin = toy.outer[faces].all(1)

    def placed(points: Floats) -> Places:
        found = closest_places(bend(points), vertices, faces[skin])
        return Places(np.flatnonzero(skin)[found.face], found.weights, found.distance)

    ibug = head.embeddings["ibug"].positions(head.vertices.astype(np.float64), head.faces)
    full = placed(ibug)
    yaws = np.concatenate([np.arange(40), -np.arange(1, 40)])
    back = 2e-4 * np.abs(yaws)[:, None, None] * [0, 0, 1]
    slid = placed((ibug[:17] - back).reshape(-1, 3))
    held = {
        "static_lmk_faces_idx": full.face[17:], "static_lmk_bary_coords": full.weights[17:],
        "dynamic_lmk_faces_idx": slid.face.reshape(79, 17),
        "dynamic_lmk_bary_coords": slid.weights.reshape(79, 17, 3),
        "full_lmk_faces_idx": full.face[None], "full_lmk_bary_coords": full.weights[None],
    }  # fmt: skip
    np.save(folder / "landmark_embedding.npy", np.array(held, dtype=object), allow_pickle=True)
    mediapipe = head.embeddings["mediapipe"].positions(head.vertices.astype(np.float64), head.faces)
    numbers = np.linspace(0, len(mediapipe) - 1, MEDIAPIPE_COUNT).astype(np.int64)
    some = placed(mediapipe[numbers])
    np.savez(
        folder / "mediapipe_landmark_embedding.npz",
        lmk_face_idx=some.face.astype(np.uint32), lmk_b_coords=some.weights, landmark_indices=numbers,
    )  # fmt: skip
    masks = {
        name: np.flatnonzero(toy.origin.on(head.regions[region].astype(np.float64), head.faces) > 0.5)
        for name, region in MASKS.items()
    }
    (folder / "FLAME_masks.pkl").write_bytes(pickle.dumps(masks, 2))
    for side, name in (("l", "eyeBlinkLeft"), ("r", "eyeBlinkRight")):
        np.save(folder / f"{side}_eyelid.npy", toy.units[head.expression_names.index(name)])
