"""What a depth mesh knows, brought to the head in the scene: a shape key, or a hair object."""

from __future__ import annotations

import json
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...engine.camera import Camera
from ...engine.depth.glb import GROUPS
from ...engine.depth.wrap import Surface, WrapOptions, displacement, hair_of
from ...engine.errors import EngineError
from ..heads import DETAIL_KEY, EXPRESSION_KEY, HAIR_KEY, REPORT_KEY, expression_names, head_hair, head_rig
from ..wrap import CAMERA_KEY, DEPTH_HAIR_KEY
from .access import scene_of, shape_keys_of
from .depth import triangle_mesh
from .keys import add_key
from .space import Space, scene_space
from .transaction import Transaction

SKIN_SLOT = "skin"
HEAD_BONE = "head"


def wrap_displacement(
    context: bpy.types.Context, head: bpy.types.Object, depth: bpy.types.Object, options: WrapOptions
) -> float:
    """Add the shape key “Depth Detail” at 1, relative to the Basis, or work it out again where it is there.

    Returns:
        The largest displacement, metres.
    Raises:
        EngineError: the photo's camera is not known, or sees nothing of both.
    """
    space, keys = scene_space(scene_of(context)), shape_keys_of(head)
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
        mesh = triangle_mesh(name, Space().to_blender(vertices), faces, uv, transaction)
        for material in source.materials[:1]:
            mesh.materials.append(material)
        item = transaction.add(bpy.data.objects.new(name, mesh))
        for collection in head.users_collection:
            collection.objects.link(item)
        item.parent = head
        item[HAIR_KEY] = item[DEPTH_HAIR_KEY] = True
        _follow(item, head, len(vertices))
    if before is not None and DEPTH_HAIR_KEY in before:
        replaced = before.data
        bpy.data.objects.remove(before)
        if isinstance(replaced, bpy.types.Mesh) and not replaced.users:
            bpy.data.meshes.remove(replaced)
    elif before is not None:
        before.hide_viewport = before.hide_render = True
        del before[HAIR_KEY]
    return item


def _follow(item: bpy.types.Object, head: bpy.types.Object, count: int) -> None:
    """Bind the hair to the head's bone."""
    rig = head_rig(head)
    if rig is None:
        return
    item.vertex_groups.new(name=HEAD_BONE).add(list(range(count)), 1.0, "REPLACE")
    modifier = item.modifiers.new("Armature", "ARMATURE")
    assert isinstance(modifier, bpy.types.ArmatureModifier)
    modifier.object = rig


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
