"""FLAME as a head model, from the user's file: 2020, 2023 with and without jaw rotation, and 2023 Open.

Identity components are FLAME's own, one standard deviation each; expressions are its coefficients, not ARKit's units
(`engine.heads.arkit` makes those). What the files beside the model bring (landmarks, masks, lids, texture layout) is
taken from them; the rest is found from the geometry, or left out where only the files could tell.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from .flame_files import Companions, FlameArrays, read_companions, read_flame
from .geometry import mirrored, pieces, vertex_normals
from .model import HeadModel
from .obj import read_obj, triangles_of
from .unwrap import UvLayout, unwrap

JOINT_NAMES = ("root", "neck", "jaw", "eye.L", "eye.R")
"""FLAME's global, neck, jaw, left and right eye, by the names of the open head's bones."""
PARENTS = np.array([-1, 0, 1, 1, 1], np.int32)
MATERIALS = ("skin", "eye.L", "eye.R")
VERSIONS = (
    ("2023_open", "FLAME 2023 Open", "CC-BY-4.0"),
    ("2023open", "FLAME 2023 Open", "CC-BY-4.0"),
    ("2023_no_jaw", "FLAME 2023 without jaw rotation", "FLAME's licence: research only"),
    ("2023", "FLAME 2023", "FLAME's licence: research only"),
    ("2020", "FLAME 2020", "FLAME's licence: research only"),
    ("generic_model", "FLAME 2020", "FLAME's licence: research only"),
    ("", "FLAME, version not known", "the licence of the user's file"),
)
"""What a path tells of the version: part of the file's or its folder's name, title, licence. The first that fits."""
MASK_NAMES = {
    "face": "face", "lips": "lips", "nose": "nose", "scalp": "scalp", "neck": "neck", "left_ear": "ear.L",
    "right_ear": "ear.R", "forehead": "forehead", "left_eyeball": "eye.L", "right_eyeball": "eye.R",
    "eye_region": "eye_region", "left_eye_region": "eye_region.L", "right_eye_region": "eye_region.R",
    "boundary": "boundary",
}  # fmt: skip
"""FLAME's names of regions, and ours."""
FACE_BOX = (1.2, 1.9, 1.3)
"""The face about the middle between the eyes, in distances between them: to the sides, down and up."""
NEAR_EYE = 0.3
"""An eyeball's middle lies nearer to its joint than this share of the distance between the eyes."""


def load_flame(path: Path) -> HeadModel:
    """A FLAME model with what lies beside it.

    Args:
        path: the model file: the official `.pkl`, an `.npz` or safetensors with the same arrays.
    Raises:
        ModelFileError: it or a file beside it is damaged or does not fit; see `flame_files`.
    """
    arrays = read_flame(path)
    beside = read_companions(path.parent, len(arrays.template), len(arrays.faces))
    title, licence = version_of(path)
    model = _model(arrays, beside, _layout(arrays, beside))
    model.provenance.update(
        {"model": f"{title} ({path.name})", "licence": licence, "files": ", ".join((path.name, *beside.files))}
    )
    for array in vars(model).values():
        if isinstance(array, np.ndarray):
            array.setflags(write=False)
    return model


def version_of(path: Path) -> tuple[str, str]:
    """Title and licence of the version that a file's name, or else its folder's, tells. The arrays do not tell it."""
    for name in (path.stem.lower(), path.parent.name.lower()):
        for part, title, licence in VERSIONS[:-1]:
            if part in name:
                return title, licence
    return VERSIONS[-1][1:]


def _model(arrays: FlameArrays, beside: Companions, layout: UvLayout) -> HeadModel:
    template, regressor = arrays.template, arrays.regressor
    joints = regressor @ template
    slots = _slots(arrays.faces, template, joints)
    identity, expression = (np.moveaxis(basis, 2, 0) for basis in (arrays.shapes, arrays.expressions))
    return HeadModel(
        name="flame",
        vertices=template.astype(np.float32),
        faces=arrays.faces,
        polygons=_as_polygons(arrays.faces),
        uv=layout.uv,
        uv_faces=layout.faces,
        uv_polygons=_as_polygons(layout.faces),
        material_names=MATERIALS,
        face_materials=slots[arrays.faces[:, 0]],
        polygon_materials=slots[arrays.faces[:, 0]],
        identity_basis=np.ascontiguousarray(identity),
        identity_std=np.sqrt(np.mean(np.sum(identity**2, axis=2), axis=1)),
        asymmetry_start=len(identity),
        expression_basis=np.ascontiguousarray(expression),
        expression_names=tuple(f"expression_{number:03d}" for number in range(len(expression))),
        joint_names=JOINT_NAMES,
        joint_parents=PARENTS.copy(),
        joints=joints.astype(np.float32),
        joint_identity_basis=_regressed(regressor, identity),
        skin_weights=arrays.weights.astype(np.float32),
        embeddings=beside.embeddings,
        regions=_regions(arrays, beside, slots),
        mirror=mirrored(template),
        pose_correctives=np.ascontiguousarray(np.moveaxis(arrays.correctives, 2, 0)),
        joint_expression_basis=_regressed(regressor, expression),
        eyelid_basis=beside.eyelids,
        contour=beside.contour,
    )


def _regressed(regressor: NDArray, basis: NDArray) -> NDArray[np.float32]:
    """(C,J,3) what each component (C,V,3) does to the joints."""
    return np.einsum("jv,cvk->cjk", regressor, basis, optimize=True).astype(np.float32)


def _as_polygons(faces: NDArray) -> NDArray[np.int32]:
    return np.pad(faces, ((0, 0), (0, 1)), constant_values=-1).astype(np.int32)


def _slots(faces: NDArray, template: NDArray, joints: NDArray) -> NDArray[np.int32]:
    """(V,) material of each vertex: eyeballs are the pieces whose middles lie at the eyes' joints."""
    label = pieces(faces, len(template))
    slots = np.zeros(len(template), np.int32)
    names, counts = np.unique(label[faces[:, 0]], return_counts=True)
    reach = NEAR_EYE * np.linalg.norm(joints[3] - joints[4])
    for slot, joint in ((1, joints[3]), (2, joints[4])):
        for name in np.delete(names, counts.argmax()):
            part = template[label == name]
            if np.linalg.norm((part.min(0) + part.max(0)) / 2 - joint) < reach:
                slots[label == name] = slot
    return slots


def _regions(arrays: FlameArrays, beside: Companions, slots: NDArray) -> dict[str, NDArray[np.bool_]]:
    """Masks from FLAME_masks.pkl, else from the geometry."""
    count = len(arrays.template)
    regions = {"skin": slots == 0}
    for name, numbers in beside.masks.items():
        mask = np.zeros(count, bool)
        mask[numbers] = True
        regions[MASK_NAMES.get(name, name)] = mask
    if "ear.L" in regions and "ear.R" in regions:
        regions["ears"] = regions["ear.L"] | regions["ear.R"]
    for slot, name in enumerate(MATERIALS):
        if slot and not regions.get(name, np.zeros(1, bool)).any():
            regions[name] = slots == slot
    regions["eye"] = regions["eye.L"] | regions["eye.R"]
    if "face" not in regions:
        regions["face"] = _face(arrays) & regions["skin"]
    for mask in regions.values():
        mask.setflags(write=False)
    return regions


def _face(arrays: FlameArrays) -> NDArray[np.bool_]:
    """(V,) skin that looks forwards, in a box about the eyes' joints."""
    joints = arrays.regressor @ arrays.template
    apart = np.linalg.norm(joints[3] - joints[4])
    across, up, depth = ((arrays.template - (joints[3] + joints[4]) / 2) / max(apart, 1e-9)).T
    side, down, top = FACE_BOX
    box = (np.abs(across) < side) & (up > -down) & (up < top) & (depth > -1)
    return box & (vertex_normals(arrays.template, arrays.faces)[:, 2] > 0)


def _layout(arrays: FlameArrays, beside: Companions) -> UvLayout:
    """The layout of head_template.obj, else one of our own."""
    if beside.template is None:
        slots = _slots(arrays.faces, arrays.template, arrays.regressor @ arrays.template)
        return unwrap(arrays.template, arrays.faces, slots[arrays.faces[:, 0]])
    path = beside.template
    mesh = read_obj(path)
    faces, _ = triangles_of(mesh.polygons)
    uv_faces = triangles_of_like(mesh.uv_polygons, mesh.polygons)
    cure = "Take it from the same download as the model, or move it out of the folder."
    if not len(mesh.uv):
        raise ModelFileError(f"The template {path} has no texture coordinates.", cure)
    if len(mesh.vertices) != len(arrays.template):
        raise ModelFileError(
            f"The template {path} has {len(mesh.vertices)} vertices; the model has {len(arrays.template)}.", cure
        )
    found = matched_corners(arrays.faces, faces, uv_faces)
    if found is None:
        raise ModelFileError(f"The template {path} has other faces than the model.", cure)
    return UvLayout(mesh.uv, found)


def triangles_of_like(values: NDArray[np.int32], polygons: NDArray[np.int32]) -> NDArray[np.int32]:
    """Corners (P,4) of polygons as triangles (F,3), split as `polygons` are."""
    marked = np.where(polygons >= 0, values, -1).astype(np.int32)
    return triangles_of(marked)[0]


def matched_corners(faces: NDArray, others: NDArray, values: NDArray) -> NDArray[np.int32] | None:
    """Corner values (F,3) of the same triangles in another order and starting at another corner.

    Args:
        faces: (F,3) as wanted. others: (G,3) as given. values: (G,3), corner for corner as `others`.
    Returns:
        (F,3) corner for corner as `faces`, or None where a triangle is missing.
    """
    place = {tuple(sorted(triangle)): row for row, triangle in enumerate(others.tolist())}
    rows = [place.get(tuple(sorted(triangle)), -1) for triangle in faces.tolist()]
    if min(rows) < 0:
        return None
    corner = (others[rows][:, None, :] == faces[:, :, None]).argmax(2)
    return np.take_along_axis(values[rows], corner, 1).astype(np.int32)
