"""What the sidebar remembers with the scene."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, StringProperty

from ..operators.animate_options import AnimateChoices
from ..operators.depth import DepthChoices
from ..operators.options import ReconstructChoices
from ..operators.session import SESSION
from ..operators.several import STATUSES, WAITING


def photo_changed(settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """The last photo's error is not this one's."""
    SESSION.forget()


class LIKENESS_PG_settings(ReconstructChoices, bpy.types.PropertyGroup):
    """The photo and the choices for the next reconstruction."""

    photo: StringProperty(
        name="Photo",
        description="Picture of one person's face",
        update=photo_changed,
    )


class LIKENESS_PG_clip(AnimateChoices, bpy.types.PropertyGroup):
    """The clip and the choices for the next take."""

    clip: StringProperty(
        name="Clip",
        description="Footage of one person's face: a video, a GIF, or one of numbered pictures",
        update=photo_changed,
    )


class LIKENESS_PG_depth(DepthChoices, bpy.types.PropertyGroup):
    """The choices for the next depth mesh."""


class LIKENESS_PG_photo(bpy.types.PropertyGroup):
    """One of several photos of a person."""

    filepath: StringProperty(name="Photo", description="Picture of the person's face", subtype="FILE_PATH")
    use: BoolProperty(
        name="Use", description="Make the next head from this photo too", default=True, update=photo_changed
    )
    status: EnumProperty(
        name="Status", description="What became of it in the last reconstruction", items=STATUSES, default=WAITING
    )
    note: StringProperty(name="Note", description="Why it was left out")


class LIKENESS_PG_several(bpy.types.PropertyGroup):
    """The photos for the next reconstruction from several."""

    photos: CollectionProperty(type=LIKENESS_PG_photo, name="Photos", description="Pictures of one person")
