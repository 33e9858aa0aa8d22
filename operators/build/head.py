"""From a finished reconstruction to a head in the scene."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import bpy
from mathutils import Vector

from ...engine.result import Reconstruction
from ..heads import EXPRESSION_KEY, NAME_KEY, PROVENANCE_KEY, REPORT_KEY
from ..light import LIGHT_KEY, light_numbers
from .access import scene_of, view_layer_of
from .armature import bind, build_armature
from .camera import build_camera, match_render, render_frame, show_photo
from .correctives import add_correctives
from .hair import build_hair
from .images import find_photo, load_picture, pack
from .keys import add_shape_keys
from .lashes import LASH_SLOT, build_strands
from .limits import add_limits
from .materials import Pictures, build_material
from .mesh import add_subdivision, build_mesh
from .photos import build_further_cameras
from .relief import load_relief
from .space import Space, scene_space
from .transaction import Transaction
from .world import build_world

APART = 0.6
"""Between neighbouring heads, metres: wider than a bust's shoulders."""


@dataclass(frozen=True)
class BuildOptions:
    """What to make of a reconstruction.

    Attributes:
        identity_keys: how many identity components become shape keys; 0 for none.
        keep_expression: start with the photo's expression instead of a neutral face.
        rig: add an armature and bind the head to it.
        camera: add a camera that matches the photo.
        photo: the photo's file, shown behind the head in the camera; an upright copy in the result folder goes first.
        match_render: make that camera the scene's and give renders the photo's size.
        world_light: replace the scene's world by the photo's light.
        subdivision: smooths the surface this many times in renders (never in the viewport), 0 for not at all.
        image_folder: keep the pictures as files here; None packs them into the .blend.
        location: where the head stands, Blender units; None for the 3D cursor, beside heads that stand there.
    """

    identity_keys: int = 20
    keep_expression: bool = False
    rig: bool = True
    camera: bool = True
    photo: Path | None = None
    match_render: bool = False
    world_light: bool = False
    subdivision: int = 1
    image_folder: Path | None = None
    location: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class BuiltHead:
    """What was made. `rig`, `camera` and `world` are None where the options left them out, `hair` for a bald head.

    Attributes:
        collection: holds the objects; named after the person's file.
        head: mesh object; custom properties `likeness_...` carry the report, provenance and fitted expression.
        warnings: sentences for the user.
    """

    collection: bpy.types.Collection
    head: bpy.types.Object
    keys: bpy.types.Key
    materials: list[bpy.types.Material]
    albedo: bpy.types.Image
    confidence: bpy.types.Image
    hair: bpy.types.Object | None = None
    rig: bpy.types.Object | None = None
    camera: bpy.types.Object | None = None
    world: bpy.types.World | None = None
    warnings: list[str] = field(default_factory=list)


def build_head(
    context: bpy.types.Context,
    reconstruction: Reconstruction,
    folder: Path | None = None,
    options: BuildOptions | None = None,
) -> BuiltHead:
    """Add a reconstructed head to the scene: new data-blocks only, or none at all if anything fails.

    The head stands on its collar at `options.location`, upright, facing -Y, in real-world size.

    Args:
        reconstruction: loaded with or without pictures.
        folder: the result folder; its PNGs are used instead of the arrays where they exist.
    Raises:
        OutputError: `options.image_folder` cannot be written.
    """
    options = options or BuildOptions()
    scene, view_layer = scene_of(context), view_layer_of(context)
    space = scene_space(scene)
    with Transaction() as transaction:
        _leave_edit_mode(view_layer, transaction)
        collection = transaction.add(bpy.data.collections.new(reconstruction.name))
        scene.collection.children.link(collection)
        built = _build(context, collection, reconstruction, folder, options, space, transaction)
        base = built.rig or built.head
        base.location = _free_place(scene, space) if options.location is None else options.location
        base.location.z -= float(space.to_blender(reconstruction.vertices)[:, 2].min())
        for block in (collection, built.head, *([built.rig] if built.rig else [])):
            _sign(block, reconstruction)
        built.head[LIGHT_KEY] = light_numbers(reconstruction)
        _select_only(view_layer, built.head)
    return built


def _build(
    context: bpy.types.Context,
    collection: bpy.types.Collection,
    reconstruction: Reconstruction,
    folder: Path | None,
    options: BuildOptions,
    space: Space,
    transaction: Transaction,
) -> BuiltHead:
    name = collection.name
    albedo, confidence = (
        load_picture(
            f"{name} {title}",
            folder / f"{title.lower()}.png" if folder else None,
            getattr(reconstruction, title.lower()),
            options.image_folder,
            transaction,
            color=title == "Albedo",
        )
        for title in ("Albedo", "Confidence")
    )
    lashes = LASH_SLOT in reconstruction.material_names
    strands = build_strands(f"{name} Strands", reconstruction.hair_color, transaction) if lashes else None
    pictures = Pictures(albedo, confidence, strands, load_relief(name, folder, options.image_folder, transaction))
    materials = [
        build_material(f"{name} {slot}", slot, pictures, space.scale, transaction)
        for slot in reconstruction.material_names
    ]
    mesh = build_mesh(reconstruction, space, name, materials, transaction)
    head = transaction.add(bpy.data.objects.new(name, mesh))
    collection.objects.link(head)
    keys = add_shape_keys(head, reconstruction, space, options.identity_keys, options.keep_expression)
    built = BuiltHead(collection, head, keys, materials, albedo, confidence)
    rig = _build_rig(context, built, reconstruction, space, transaction) if options.rig else None
    hair = build_hair(head, rig, reconstruction, folder, options.image_folder, space, transaction)
    if options.subdivision:
        add_subdivision(head, options.subdivision)
    view, warnings = None, []
    if options.camera:
        view, warnings = _build_view(context, built, rig or head, reconstruction, folder, options, space, transaction)
        frame = _frame(context, reconstruction, options)
        warnings += build_further_cameras(
            collection, reconstruction, folder, rig or head, frame, options.image_folder is None, space, transaction
        )
    world = None
    if options.world_light:
        world = build_world(
            scene_of(context), reconstruction.illumination, reconstruction.camera.position, f"{name} World", transaction
        )
    return BuiltHead(collection, head, keys, materials, albedo, confidence, hair, rig, view, world, warnings)


def _build_rig(
    context: bpy.types.Context,
    built: BuiltHead,
    reconstruction: Reconstruction,
    space: Space,
    transaction: Transaction,
) -> bpy.types.Object:
    rig = build_armature(context, built.collection, reconstruction, space, f"{built.collection.name} Rig", transaction)
    bind(built.head, rig, reconstruction)
    add_correctives(built.head, rig, reconstruction, space)
    add_limits(rig, built.keys, reconstruction)
    return rig


def _build_view(
    context: bpy.types.Context,
    built: BuiltHead,
    base: bpy.types.Object,
    reconstruction: Reconstruction,
    folder: Path | None,
    options: BuildOptions,
    space: Space,
    transaction: Transaction,
) -> tuple[bpy.types.Object, list[str]]:
    """The photo's camera; the scene's own only where it has none or `match_render` asks for it."""
    scene, camera = scene_of(context), reconstruction.camera
    frame = _frame(context, reconstruction, options)
    view = build_camera(built.collection, camera, space, f"{built.collection.name} Camera", base, frame, transaction)
    photo = find_photo(folder, options.photo, camera.width, camera.height)
    warnings = []
    if photo is not None:
        transaction.add(photo)
        photo.name = f"{built.collection.name} Photo"
        if options.image_folder is None:
            pack(photo)
        show_photo(view, photo)
    elif options.photo is not None:
        warnings.append(f"{options.photo.name} is not shown behind the head: Blender cannot read it upright.")
    if options.match_render:
        match_render(scene, view, camera, transaction)
    elif scene.camera is None:
        transaction.on_failure(lambda: setattr(scene, "camera", None))
        scene.camera = view
    return view, warnings


def _frame(context: bpy.types.Context, reconstruction: Reconstruction, options: BuildOptions) -> tuple[float, float]:
    """Width and height of renders, as they are or will be."""
    camera = reconstruction.camera
    return (camera.width, camera.height) if options.match_render else render_frame(scene_of(context))


def _free_place(scene: bpy.types.Scene, space: Space) -> Vector:
    """The 3D cursor's location, or the next free one to its right: heads inside each other look broken."""
    taken = [item.location for item in scene.objects if NAME_KEY in item and item.parent is None]
    place = scene.cursor.location.copy()
    while any((place - other).xy.length < APART / 2 * space.scale for other in taken):
        place.x += APART * space.scale
    return place


def _sign(block: bpy.types.ID, reconstruction: Reconstruction) -> None:
    """Write where the head comes from on a data-block, as custom properties."""
    report = reconstruction.report
    block[NAME_KEY] = reconstruction.name
    block[PROVENANCE_KEY] = json.dumps(report.get("provenance", {}), ensure_ascii=False, default=str)
    block[REPORT_KEY] = json.dumps(report, ensure_ascii=False, default=str)
    block[EXPRESSION_KEY] = [float(weight) for weight in reconstruction.expression]


def _leave_edit_mode(view_layer: bpy.types.ViewLayer, transaction: Transaction) -> None:
    active = view_layer.objects.active
    selected = list(view_layer.objects.selected)
    mode = active.mode if active else "OBJECT"

    def restore() -> None:
        for item in view_layer.objects:
            item.select_set(item in selected)
        view_layer.objects.active = active
        if active and active.mode != mode:
            bpy.ops.object.mode_set(mode=mode)

    transaction.on_failure(restore)
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")


def _select_only(view_layer: bpy.types.ViewLayer, head: bpy.types.Object) -> None:
    for item in view_layer.objects:
        item.select_set(item == head)
    view_layer.objects.active = head
