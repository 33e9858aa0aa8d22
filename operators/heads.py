"""Operators on heads that were built: neutral face, key viewer, the photo's expression and camera, result folder."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty

NAME_KEY = "likeness_name"
EXPRESSION_KEY = "likeness_expression"
PROVENANCE_KEY = "likeness_provenance"
REPORT_KEY = "likeness_report"
FOLDER_KEY = "likeness_folder"
HAIR_KEY = "likeness_hair"
VOLUME_KEY = "Volume"
PHOTO_KEY = "likeness_photo"
DETAIL_KEY = "Depth Detail"
"""Shape key that brings the head to its depth mesh."""


def active_head(context: bpy.types.Context) -> bpy.types.Object | None:
    """The head mesh that the active object is, carries or looks at; None if it is no part of a reconstruction."""
    item = context.active_object
    while item is not None:
        for candidate in (item, *item.children):
            if candidate.type == "MESH" and NAME_KEY in candidate:
                return candidate
        item = item.parent
    return None


def newest_head(scene: bpy.types.Scene, name: str) -> bpy.types.Object | None:
    """The newest head that was made from a photo of that name; None where there is none."""
    heads = [item for item in scene.objects if item.type == "MESH" and item.get(NAME_KEY) == name]
    return heads[-1] if heads else None


def head_keys(head: bpy.types.Object) -> bpy.types.Key | None:
    """The head's shape keys."""
    return head.data.shape_keys if isinstance(head.data, bpy.types.Mesh) else None


def expression_names(head: bpy.types.Object) -> list[str]:
    """Names of the expression keys, in model order: the keys after Basis, as many as the expression has weights."""
    keys = head_keys(head)
    return [block.name for block in keys.key_blocks[1 : 1 + len(head[EXPRESSION_KEY])]] if keys else []


def shown_key(head: bpy.types.Object) -> str:
    """The expression key with the largest value; empty where all are at 0."""
    keys = head_keys(head)
    if keys is None:
        return ""
    name = max(expression_names(head), key=lambda name: keys.key_blocks[name].value, default="")
    return name if name and keys.key_blocks[name].value > 0 else ""


def head_camera(head: bpy.types.Object) -> bpy.types.Object | None:
    """The camera of the head's photo; of the main one, where it was made from several."""
    return next((item for item in _family(head) if item.type == "CAMERA" and PHOTO_KEY not in item), None)


def photo_cameras(head: bpy.types.Object) -> list[bpy.types.Object]:
    """The cameras of all photos of a head that was made from several, the main one first; else empty."""
    further = [item for item in _family(head) if item.type == "CAMERA" and PHOTO_KEY in item]
    main = head_camera(head)
    return [main, *further] if main and further else further


def _family(head: bpy.types.Object) -> tuple[bpy.types.Object, ...]:
    return (*head.children, *(head.parent.children if head.parent else ()))


def head_rig(head: bpy.types.Object) -> bpy.types.Object | None:
    """The head's armature."""
    return head.parent if head.parent is not None and head.parent.type == "ARMATURE" else None


def head_hair(head: bpy.types.Object) -> bpy.types.Object | None:
    """The head's hair; None for a bald one."""
    return next((item for item in head.children if item.type == "MESH" and HAIR_KEY in item), None)


def hair_shown(hair: bpy.types.Object) -> bool:
    """Whether the hair is seen in views and renders."""
    return not hair.hide_viewport


def hair_volume(hair: bpy.types.Object) -> bpy.types.ShapeKey | None:
    """The key that says how full the hair is."""
    keys = head_keys(hair)
    return keys.key_blocks.get(VOLUME_KEY) if keys else None


def result_folder(head: bpy.types.Object) -> Path | None:
    """Where the result's files are: the cache, or beside a .blend of the command line; None if they are gone."""
    places = [Path(str(head[FOLDER_KEY]))] if head.get(FOLDER_KEY) else []
    places += [Path(bpy.data.filepath).parent] if bpy.data.filepath else []
    return next((place for place in places if (place / "head.npz").is_file()), None)


def warnings(head: bpy.types.Object) -> list[str]:
    """What the engine was not sure of."""
    found = _read(head, REPORT_KEY).get("warnings", [])
    return [str(warning) for warning in found] if isinstance(found, list) else []


def _read(head: bpy.types.Object, key: str) -> dict[str, Any]:
    """A custom property with JSON in it; empty if someone has written something else there."""
    try:
        content = json.loads(str(head.get(key) or "{}"))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def licences(head: bpy.types.Object) -> list[str]:
    """What the head was made from, one line each."""
    provenance = _read(head, PROVENANCE_KEY)
    return [
        f"{name.capitalize()}: {value}" for name, value in provenance.items() if isinstance(value, (str, int, float))
    ]


class HeadOperator(bpy.types.Operator):
    """Base of operators that need a reconstructed head."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a head."""
        if active_head(context) is None:
            cls.poll_message_set("Select a reconstructed head")
            return False
        return True


class LIKENESS_OT_neutral(HeadOperator):
    """Set all shape keys to 0 and the bones to rest: this person's neutral face"""

    bl_idname = "likeness.neutral"
    bl_label = "Neutral"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Reset keys and pose."""
        head = active_head(context)
        assert head is not None
        keys, rig = head_keys(head), head_rig(head)
        for block in keys.key_blocks[1:] if keys else ():
            if block.name != DETAIL_KEY:  # no expression
                block.value = 0.0
        for bone in rig.pose.bones if rig and rig.pose else ():
            bone.matrix_basis.identity()
        return {"FINISHED"}


class LIKENESS_OT_photo_expression(HeadOperator):
    """Set the expression keys to the photo's expression"""

    bl_idname = "likeness.photo_expression"
    bl_label = "Photo's Expression"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the keys."""
        head = active_head(context)
        assert head is not None
        from .build.keys import set_expression

        keys = head_keys(head)
        if keys is not None:
            set_expression(keys, dict(zip(expression_names(head), head[EXPRESSION_KEY], strict=False)))
        return {"FINISHED"}


def _key_items(operator: Any, context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    """The active head's expressions. Blender does not keep the strings, so we do."""
    head = active_head(context) if context else None
    names = expression_names(head) if head else []
    _key_items.kept = [(name, name, "") for name in names]
    return _key_items.kept


class LIKENESS_OT_view_key(HeadOperator):
    """Show one expression key alone, or step to the next or previous one"""

    bl_idname = "likeness.view_key"
    bl_label = "View Key"
    bl_options = {"REGISTER", "UNDO"}

    key: EnumProperty(name="Key", description="Expression to show", items=_key_items, options={"SKIP_SAVE"})
    step: IntProperty(
        name="Step",
        description="Go this many keys on from the one shown, instead of to a named one",
        default=0,
        options={"SKIP_SAVE", "HIDDEN"},
    )
    value: FloatProperty(name="Value", description="How strong", default=1.0, min=0.0, max=1.0, subtype="FACTOR")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set one expression key, the others to 0. Identity keys stay."""
        from .build.keys import set_expression

        head = active_head(context)
        assert head is not None
        names, keys = expression_names(head), head_keys(head)
        if keys is None or not names:
            return {"CANCELLED"}
        name = self.key
        if self.step:
            shown = shown_key(head)
            start = names.index(shown) if shown else (-1 if self.step > 0 else 0)
            name = names[(start + self.step) % len(names)]
        set_expression(keys, dict.fromkeys(names, 0.0) | {name: self.value})
        head.active_shape_key_index = keys.key_blocks.find(name)
        return {"FINISHED"}


class LIKENESS_OT_toggle_bones(HeadOperator):
    """Show or hide the head's armature"""

    bl_idname = "likeness.toggle_bones"
    bl_label = "Bones"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hide it if it is visible, show it if it is hidden."""
        head = active_head(context)
        assert head is not None
        rig = head_rig(head)
        if rig is None:
            self.report({"ERROR"}, f"“{head.name}” was built without an armature")
            return {"CANCELLED"}
        rig.hide_set(not rig.hide_get())
        return {"FINISHED"}


class LIKENESS_OT_toggle_hair(HeadOperator):
    """Show the hair, or leave the head bald, in views and renders"""

    bl_idname = "likeness.toggle_hair"
    bl_label = "Hair"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hide it if it is visible, show it if it is hidden."""
        head = active_head(context)
        assert head is not None
        hair = head_hair(head)
        if hair is None:
            self.report({"ERROR"}, f"“{head.name}” has no hair of its own")
            return {"CANCELLED"}
        hair.hide_viewport = hair.hide_render = hair_shown(hair)
        return {"FINISHED"}


class LIKENESS_OT_select_camera(HeadOperator):
    """Look through the photo's camera"""

    bl_idname = "likeness.select_camera"
    bl_label = "Photo Camera"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make the head's camera the scene's, and look through it where there is a viewport."""
        head = active_head(context)
        assert head is not None
        camera = head_camera(head)
        if camera is None:
            self.report({"ERROR"}, f"“{head.name}” was built without a camera")
            return {"CANCELLED"}
        look_through(context, camera)
        return {"FINISHED"}


def look_through(context: bpy.types.Context, camera: bpy.types.Object) -> None:
    """Make a camera the scene's, and look through it where there is a viewport."""
    scene: Any = context.scene
    scene.camera = camera
    region = getattr(context.space_data, "region_3d", None)
    if region is not None:
        region.view_perspective = "CAMERA"


class LIKENESS_OT_open_folder(HeadOperator):
    """Open the folder with the result's files: maps, preview, report"""

    bl_idname = "likeness.open_folder"
    bl_label = "Open Result Folder"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Open the system's file browser."""
        head = active_head(context)
        assert head is not None
        folder = result_folder(head)
        if folder is None:
            self.report({"ERROR"}, "The result's folder is no longer there; the head has all it needs")
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=str(folder))
        return {"FINISHED"}
