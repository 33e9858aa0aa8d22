"""What a depth mesh knows, brought to the head in the scene: a shape key, or a hair object; and the groups it needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...engine.camera import Camera
from ...engine.depth.glb import GROUPS
from ...engine.depth.wrap import Surface, WrapOptions, displacement, hair_of
from ...engine.errors import EngineError
from ..heads import DETAIL_KEY, EXPRESSION_KEY, HAIR_KEY, REPORT_KEY, expression_names, head_hair, head_rig
from ..wrap import CAMERA_KEY, DEPTH_HAIR_KEY, DEPTH_KEY
from .access import scene_of, shape_keys_of
from .keys import add_key
from .mesh import UV_NAME
from .space import Space
from .transaction import Transaction

LEVELS = 32
"""Weights are set in so many steps: vertices of one weight are told to Blender together."""
SKIN_SLOT = "skin"
HEAD_BONE = "head"


def add_groups(item: bpy.types.Object, groups: Mapping[str, NDArray]) -> None:
    """Give a depth mesh a vertex group for each part of it, named “Skin”, “Hair” and so on.

    Args:
        groups: (V,) weights 0..1 by name, see `engine.depth.groups`.
    """
    for name, weights in groups.items():
        group = item.vertex_groups.new(name=name.capitalize())
        steps = np.round(np.asarray(weights) * LEVELS).astype(int)
        for step in np.unique(steps[steps > 0]).tolist():
            group.add(np.flatnonzero(steps == step).tolist(), step / LEVELS, "REPLACE")


def sign_depth(item: bpy.types.Object, name: str, folder: Path) -> None:
    """Write on a depth mesh of which photo it is, and that photo's camera.

    Args:
        folder: of the result; without a report in it the camera stays unsaid.
    """
    item[DEPTH_KEY] = name
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        camera = {"K": report["K"], "world_to_camera": report["world_to_camera"], "image_size": report["depth_size"]}
    except (OSError, ValueError, KeyError, TypeError):
        return
    item[CAMERA_KEY] = json.dumps(camera)


def wrap_displacement(
    context: bpy.types.Context, head: bpy.types.Object, depth: bpy.types.Object, options: WrapOptions
) -> float:
    """Add the shape key “Depth Detail” at 1, relative to the Basis, or work it out again where it is there.

    Returns:
        The largest displacement, metres.
    Raises:
        EngineError: the photo's camera is not known, or sees nothing of both.
    """
    space, keys = _space(context), shape_keys_of(head)
    basis = _places(keys.key_blocks[0].data)
    posed = basis.copy()
    for name, weight in zip(expression_names(head), head[EXPRESSION_KEY], strict=False):
        if weight:
            posed += weight * (_places(keys.key_blocks[name].data) - basis)
    mesh: Any = head.data
    offset = displacement(
        space.to_engine(posed), space.to_engine(basis), _triangles(mesh), _skin(mesh), _surface(depth, space),
        _camera(head, depth), options,
    )  # fmt: skip
    block = keys.key_blocks.get(DETAIL_KEY)
    if block is None:
        block = add_key(head, DETAIL_KEY, space.to_engine(basis), space)
    block.relative_key = keys.key_blocks[0]
    block.data.foreach_set("co", (basis + space.to_blender(offset)).ravel())
    block.value = 1.0
    mesh.update()
    return float(np.linalg.norm(offset, axis=1).max())


def wrap_hair(context: bpy.types.Context, head: bpy.types.Object, depth: bpy.types.Object) -> bpy.types.Object:
    """Make the depth mesh's hair an object on the head, with the photo's texture. The hair that was there is hidden.

    Raises:
        EngineError: the depth mesh has no hair.
    """
    surface, source = _surface(depth, Space()), depth.data
    assert isinstance(source, bpy.types.Mesh)
    vertices, faces, uv = hair_of(surface, _uv(source))
    before = head_hair(head)
    with Transaction() as transaction:
        name = f"{head.name} Depth Hair"
        mesh = _hair_mesh(name, Space().to_blender(vertices), faces, uv, transaction)
        for material in source.materials[:1]:
            mesh.materials.append(material)
        item = transaction.add(bpy.data.objects.new(name, mesh))
        for collection in head.users_collection:
            collection.objects.link(item)
        item.parent = head
        item[HAIR_KEY] = item[DEPTH_HAIR_KEY] = True
        _follow(item, head, len(vertices))
    if before is not None and DEPTH_HAIR_KEY in before:
        bpy.data.objects.remove(before)
    elif before is not None:
        before.hide_viewport = before.hide_render = True
        del before[HAIR_KEY]
    return item


def _hair_mesh(name: str, places: NDArray, faces: NDArray, uv: NDArray, transaction: Transaction) -> bpy.types.Mesh:
    mesh = transaction.add(bpy.data.meshes.new(name))
    mesh.vertices.add(len(places))
    mesh.loops.add(faces.size)
    mesh.polygons.add(len(faces))
    mesh.vertices.foreach_set("co", places.astype(np.float32).ravel())
    mesh.loops.foreach_set("vertex_index", faces.ravel().astype(np.int32))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    mesh.uv_layers.new(name=UV_NAME).data.foreach_set("uv", uv[faces.ravel()].astype(np.float32).ravel())
    mesh.update(calc_edges=True)
    mesh.shade_smooth()
    return mesh


def _follow(item: bpy.types.Object, head: bpy.types.Object, count: int) -> None:
    """Bind the hair to the head's bone."""
    rig = head_rig(head)
    if rig is None:
        return
    item.vertex_groups.new(name=HEAD_BONE).add(list(range(count)), 1.0, "REPLACE")
    modifier = item.modifiers.new("Armature", "ARMATURE")
    assert isinstance(modifier, bpy.types.ArmatureModifier)
    modifier.object = rig


def _space(context: bpy.types.Context) -> Space:
    settings = scene_of(context).unit_settings
    return Space(1.0 / settings.scale_length if settings.system != "NONE" and settings.scale_length > 0 else 1.0)


def _camera(head: bpy.types.Object, depth: bpy.types.Object) -> Camera:
    for block, key in ((depth, CAMERA_KEY), (head, REPORT_KEY)):
        try:
            told = json.loads(str(block.get(key) or "{}"))
            width, height = told["image_size"]
            return Camera(np.array(told["K"], float), np.array(told["world_to_camera"], float), width, height)
        except (ValueError, KeyError, TypeError):
            continue
    raise EngineError(
        f"It is not known where the photo of “{head.name}” was taken from.", "Make the depth mesh again from its photo."
    )


def _surface(depth: bpy.types.Object, space: Space) -> Surface:
    """The depth mesh in the engine's space, with the weights of its groups as they are now."""
    mesh: Any = depth.data
    item: Any = depth
    names = {group.index: group.name.lower() for group in item.vertex_groups if group.name.lower() in GROUPS}
    groups = {name: np.zeros(len(mesh.vertices)) for name in names.values()}
    for number, vertex in enumerate(mesh.vertices):
        entries: Any = vertex.groups
        for entry in entries:
            if entry.group in names:
                groups[names[entry.group]][number] = entry.weight
    return Surface(space.to_engine(_places(mesh.vertices)), _triangles(mesh), groups)


def _places(points: Any) -> NDArray[np.float32]:
    found = np.empty(3 * len(points), np.float32)
    points.foreach_get("co", found)
    return found.reshape(-1, 3)


def _triangles(mesh: bpy.types.Mesh) -> NDArray[np.int32]:
    mesh.calc_loop_triangles()
    found = np.empty(3 * len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("vertices", found)
    return found.reshape(-1, 3)


def _skin(mesh: bpy.types.Mesh) -> NDArray[np.bool_]:
    """(V,) the vertices of the faces that wear skin."""
    slots = [
        number for number, item in enumerate(mesh.materials) if item and item.name.split(".")[0].endswith(SKIN_SLOT)
    ]
    mesh.calc_loop_triangles()
    slot = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", slot)
    polygon = np.empty(len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("polygon_index", polygon)
    skin = np.zeros(len(mesh.vertices), bool)
    skin[_triangles(mesh)[np.isin(slot[polygon], slots or [0])]] = True
    return skin


def _uv(mesh: bpy.types.Mesh) -> NDArray[np.float32]:
    """(V,2): a depth mesh's vertices have one place in the picture each."""
    corner = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corner)
    uv = np.zeros(2 * len(mesh.loops), np.float32)
    if mesh.uv_layers.active is not None:
        mesh.uv_layers.active.data.foreach_get("uv", uv)
    found = np.zeros((len(mesh.vertices), 2), np.float32)
    found[corner] = uv.reshape(-1, 2)
    return found
