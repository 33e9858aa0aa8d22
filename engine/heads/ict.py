"""ICT-FaceKit (USC Institute for Creative Technologies, MIT licence) as a head model: a folder of OBJ files.

The folder, FaceXModel in its repository, holds `generic_neutral_mesh.obj`, the identity modes `identity000.obj` on, the
expressions by ARKit's names with `_L` and `_R`, and `vertex_indices.json` with the 68 landmarks; all of one topology,
in centimetres, Y up, face to +Z. Modes are used as their owner's sampler does: with standard normal weights.
The model has no bones; its jaw is found from how the lower teeth move in `jawOpen`, its neck by height.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from .arkit_names import ARKIT_NAMES
from .geometry import mirrored, pieces
from .ict_rig import Rig, rig
from .model import HeadModel, LandmarkEmbedding
from .obj import ObjMesh, read_obj, read_obj_vertices, triangles_of

Floats = NDArray[np.float64]
NEUTRAL, INDICES = "generic_neutral_mesh.obj", "vertex_indices.json"
METRES = 0.01
MOST_MODES = 100
MATERIALS = ("skin", "eye.L", "eye.R", "teeth", "tongue", "lashes")
SLOTS = {
    "M_Face": 0, "M_BackHead": 0, "M_ScleraLeft": 1, "M_IrisLeft": 1, "M_ScleraRight": 2, "M_IrisRight": 2,
    "M_Teeth": 3, "M_GumsTongue": 4, "M_EyeLashes": 5, "M_LacrimalFluid": -1, "M_EyeBlend": -1, "M_EyeOcclusion": -1,
}  # fmt: skip
"""Our material for each of the file's; the clear shells in front of the eyes (-1) are left out."""
CELLS = {
    "M_Face": (0.0, 0.36, 0.64), "M_BackHead": (0.64, 0.64, 0.36), "M_ScleraLeft": (0.64, 0.46, 0.18),
    "M_ScleraRight": (0.82, 0.46, 0.18), "M_IrisLeft": (0.64, 0.28, 0.18), "M_IrisRight": (0.82, 0.28, 0.18),
    "M_GumsTongue": (0.0, 0.0, 0.32), "M_Teeth": (0.32, 0.0, 0.32), "M_EyeLashes": (0.64, 0.0, 0.28),
}  # fmt: skip
"""Lower left corner and side of the square where each material's tile of the layout goes."""
COUNT = 26719
RANGES = {"face": (0, 6706), "inner_mouth": (11248, 13294), "eye_sockets": (13294, 14062)}
"""Vertices of regions, from the owner's README, for the topology of `COUNT` vertices."""
CURE = "Get the folder FaceXModel again from github.com/ICT-VGL/ICT-FaceKit."


@dataclass(frozen=True)
class Shapes:
    """What the folder's files say, metres.

    Attributes:
        mesh: the neutral mesh. identity: (K,V,3). expression: (E,V,3). names: (E,) ARKit's where they correspond.
    """

    mesh: ObjMesh
    identity: Floats
    expression: Floats
    names: tuple[str, ...]


def is_ict(folder: Path) -> bool:
    """Whether a folder looks like ICT-FaceKit's."""
    return (folder / NEUTRAL).is_file()


def load_ict(folder: Path) -> HeadModel:
    """ICT-FaceKit as a head model.

    Args:
        folder: FaceXModel.
    Raises:
        ModelFileError: a file is missing, damaged or of another topology.
    """
    shapes = _kept(_read(folder))
    mesh = shapes.mesh
    faces, source = triangles_of(mesh.polygons)
    slots = mesh.polygon_materials
    of_vertex = np.zeros(len(mesh.vertices), np.int32)
    of_vertex[faces.ravel()] = np.repeat(slots[source], 3)
    bones = rig(mesh.vertices, faces, of_vertex, shapes.identity, _unit(shapes, "jawOpen"))
    marked = np.where(mesh.polygons >= 0, mesh.uv_polygons, -1).astype(np.int32)
    model = HeadModel(
        name="ict",
        vertices=mesh.vertices.astype(np.float32),
        faces=faces,
        polygons=mesh.polygons,
        uv=mesh.uv,
        uv_faces=triangles_of(marked)[0],
        uv_polygons=mesh.uv_polygons,
        material_names=MATERIALS,
        face_materials=slots[source],
        polygon_materials=slots,
        identity_basis=shapes.identity.astype(np.float32),
        identity_std=np.sqrt(np.mean(np.sum(shapes.identity**2, 2), 1)).astype(np.float32),
        asymmetry_start=len(shapes.identity),
        expression_basis=shapes.expression.astype(np.float32),
        expression_names=shapes.names,
        joint_names=bones.names,
        joint_parents=bones.parents,
        joints=bones.places,
        joint_identity_basis=bones.identity,
        skin_weights=bones.weights,
        embeddings={},
        regions={},
        mirror=np.zeros(0, np.int32),
        provenance={
            "model": "ICT-FaceKit Light, USC Institute for Creative Technologies",
            "licence": "MIT",
            "source": "https://github.com/ICT-VGL/ICT-FaceKit",
        },
    )
    return _with_places(model, folder, bones, of_vertex)


def _read(folder: Path) -> Shapes:
    """All files of the folder."""
    if not is_ict(folder):
        raise ModelFileError(f"The folder {folder} has no {NEUTRAL}.", CURE)
    mesh = read_obj(folder / NEUTRAL)
    if not len(mesh.uv):
        raise ModelFileError(f"The file {folder / NEUTRAL} has no texture coordinates.", CURE)
    neutral = mesh.vertices
    modes = [folder / f"identity{number:03d}.obj" for number in range(MOST_MODES)]
    count = next((number for number, path in enumerate(modes) if not path.is_file()), len(modes))
    if not count:
        raise ModelFileError(f"The folder {folder} has no {modes[0].name}.", CURE)
    identity = np.stack([read_obj_vertices(path, len(neutral)) - neutral for path in modes[:count]])
    units: dict[str, Floats] = {}
    for path in sorted(folder.glob("*.obj")):
        if path.name == NEUTRAL or path.stem.startswith("identity"):
            continue
        moved = read_obj_vertices(path, len(neutral)) - neutral
        name = arkit_name(path.stem)
        units[name] = units[name] + moved if name in units else moved
    if "jawOpen" not in units:
        raise ModelFileError(f"The folder {folder} has no jawOpen.obj, which shows where the jaw turns.", CURE)
    names = tuple(sorted(units, key=lambda name: (ARKIT_NAMES.index(name) if name in ARKIT_NAMES else 99, name)))
    expression = np.stack([units[name] for name in names])
    return Shapes(replace(mesh, vertices=METRES * neutral), METRES * identity, METRES * expression, names)


def arkit_name(stem: str) -> str:
    """ARKit's name for one of the files': sides written out, and one unit where ARKit has one for both sides."""
    for short, side in (("_L", "Left"), ("_R", "Right")):
        if stem.endswith(short):
            whole = stem.removesuffix(short)
            return whole if whole in ARKIT_NAMES else whole[0].lower() + whole[1:] + side
    return stem


def _kept(shapes: Shapes) -> Shapes:
    """Without the shells, materials as ours, the layout in one square."""
    mesh = shapes.mesh
    slots = np.array([SLOTS.get(name, 0) for name in mesh.material_names], np.int32)
    keep = slots[mesh.polygon_materials] >= 0
    mesh = replace(
        mesh, polygons=mesh.polygons[keep], uv_polygons=mesh.uv_polygons[keep],
        polygon_materials=mesh.polygon_materials[keep],
    )  # fmt: skip
    uv, uv_polygons = _one_square(mesh)
    mesh = replace(mesh, uv=uv, uv_polygons=uv_polygons)
    return replace(shapes, mesh=replace(mesh, polygon_materials=slots[mesh.polygon_materials]))


def _one_square(mesh: ObjMesh) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Texture coordinates with each material's tile in a cell of its own, and the polygons into them."""
    uv, polygons = [], np.full_like(mesh.uv_polygons, -1)
    start = 0
    for number in np.unique(mesh.polygon_materials):
        rows = np.flatnonzero(mesh.polygon_materials == number)
        corners = mesh.uv_polygons[rows]
        used, own = np.unique(corners, return_inverse=True)
        own = own.reshape(corners.shape) - (used[0] < 0)
        places = mesh.uv[used[used >= 0]]
        tile = np.floor(np.median(places, axis=0))
        x, y, side = CELLS.get(mesh.material_names[number], (0.0, 0.0, 1.0))
        # A few of the owner's corners lie in other materials' tiles.
        uv.append(np.array([x, y]) + side * np.clip(places - tile, 0.002, 0.998))
        polygons[rows] = np.where(corners >= 0, own + start, -1)
        start += len(places)
    return np.concatenate(uv).astype(np.float32), polygons.astype(np.int32)


def _unit(shapes: Shapes, name: str) -> Floats:
    return shapes.expression[shapes.names.index(name)]


def _with_places(model: HeadModel, folder: Path, bones: Rig, slots: NDArray) -> HeadModel:
    """With landmarks and regions, and without the vertices that no face uses."""
    count = len(model.vertices)
    regions = {name: slots == slot for slot, name in enumerate(MATERIALS)}
    regions["eye"] = regions["eye.L"] | regions["eye.R"]
    jaw = bones.weights[:, bones.names.index("jaw")] > 0.5
    regions["teeth.lower"], regions["teeth.upper"] = regions["teeth"] & jaw, regions["teeth"] & ~jaw
    if count == COUNT:
        for name, (first, end) in RANGES.items():
            regions[name] = (np.arange(count) >= first) & (np.arange(count) < end)
    else:
        regions["face"] = _largest(model, slots)
    used = np.zeros(count, bool)
    used[model.faces] = True
    number = np.cumsum(used) - 1
    vertices = {name: mask[used] for name, mask in regions.items()}
    faces = number[model.faces].astype(np.int32)
    return replace(
        model,
        vertices=model.vertices[used],
        faces=faces,
        polygons=np.where(model.polygons >= 0, number[model.polygons], -1).astype(np.int32),
        identity_basis=np.ascontiguousarray(model.identity_basis[:, used]),
        expression_basis=np.ascontiguousarray(model.expression_basis[:, used]),
        skin_weights=model.skin_weights[used],
        mirror=mirrored(model.vertices[used]),
        regions=vertices,
        embeddings=_landmarks(folder / INDICES, number, used, faces),
    )


def _largest(model: HeadModel, slots: NDArray) -> NDArray[np.bool_]:
    """(V,) the largest piece of skin."""
    label = pieces(model.faces, len(model.vertices))
    return (slots == 0) & (label == np.bincount(label[slots == 0]).argmax())


def _landmarks(path: Path, number: NDArray, used: NDArray, faces: NDArray) -> dict[str, LandmarkEmbedding]:
    """The 68 of the file, each at a vertex; none where the file is missing."""
    if not path.is_file():
        return {}
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["idx_to_landmark_verts"]
        places = np.array(listed, np.int64)
        fits = places.shape == (68,) and (places >= 0).all() and used[places].all()
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ModelFileError(f"The landmarks {path} cannot be read ({str(error)[:80]}).", CURE) from error
    if not fits:
        raise ModelFileError(f"The landmarks {path} are not 68 vertices of the mesh.", CURE)
    rows, corners = zip(*_corner_of(number[places], faces), strict=True)
    weights = np.zeros((68, 3), np.float32)
    weights[np.arange(68), corners] = 1
    return {"ibug": LandmarkEmbedding(np.array(rows, np.int32), weights)}


def _corner_of(vertices: NDArray, faces: NDArray) -> Iterator[tuple[int, int]]:
    """A triangle and its corner at each vertex."""
    for vertex in vertices:
        row, corner = np.argwhere(faces == vertex)[0]
        yield int(row), int(corner)
