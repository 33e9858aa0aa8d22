"""The user's choices, declared once for the operator and the sidebar, and their translation for engine and builder."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty

from ..engine.options import ReconstructOptions
from .addon import EngineSettings

if TYPE_CHECKING:
    from .build import BuildOptions

TEXTURE_SIZES = (
    ("512", "512", "512 x 512 pixels, for a quick look"),
    ("1024", "1K", "1024 x 1024 pixels"),
    ("2048", "2K", "2048 x 2048 pixels"),
    ("4096", "4K", "4096 x 4096 pixels, for photos with a large, sharp face"),
)
HEAD_MODELS = (
    ("OPEN", "Open Head", "The bundled head, with teeth, tongue and lashes"),
    ("FLAME", "FLAME", "Your FLAME file, from the model folder, with its own shape and expression keys"),
    ("ICT", "ICT-FaceKit", "Your copy of ICT-FaceKit, from the model folder"),
)
STARTS = (
    ("POINTS", "Points", "Fit the head to the face's points"),
    ("SMIRK", "SMIRK", "Believe SMIRK's shape and expression beside the points; needs its file and FLAME's"),
    ("FAST", "SMIRK Alone", "Take SMIRK's head as it is: fastest; needs its file and FLAME's"),
)
DETAILS = (
    ("PHOTO", "Photo", "Wrinkles and pores by the photo's shading"),
    ("DECA", "DECA", "Wrinkles by DECA; needs its file, and FLAME with its texture layout"),
)
TEXTURES = (
    ("PHOTO", "Photo", "The photo's own skin, freed of its light and completed"),
    ("GANFIT", "GANFit", "Skin that a generator paints, fitted to the photo with the shape: even light, no seams"),
    ("LINEAR", "Linear", "As GANFit with a linear model of skin: smoother, steadier"),
)
HAIR = (
    ("AS_SEEN", "As Seen", "Hair as the photo shows it, as an object of its own"),
    ("BALD", "Bald", "No hair, and skin where it was"),
)
QUALITIES = (
    ("DRAFT", "Draft", "Fast, less detailed"),
    ("STANDARD", "Standard", "Good for most photos"),
    ("BEST", "Best", "Slower, closer to the photo"),
)
FACES = tuple(
    (name.upper(), name.capitalize(), f"The {name} face" if name == "largest" else f"The {name} largest face")
    for name in ("largest", "second", "third", "fourth", "fifth", "sixth")
)


class ReconstructChoices:
    """Properties shared by the operator and the scene's settings."""

    quality: EnumProperty(name="Quality", description="Trade time for fidelity", items=QUALITIES, default="STANDARD")
    head_model: EnumProperty(
        name="Head Model", description="Whose head is fitted to the photo", items=HEAD_MODELS, default="OPEN"
    )
    start: EnumProperty(name="Start From", description="What the fit begins with", items=STARTS, default="POINTS")
    texture: EnumProperty(name="Texture", description="Where the skin comes from", items=TEXTURES, default="PHOTO")
    detail: EnumProperty(name="Detail", description="Where wrinkles come from", items=DETAILS, default="PHOTO")
    texture_size: EnumProperty(
        name="Texture Size", description="Size of the skin texture", items=TEXTURE_SIZES, default="2048"
    )
    face: EnumProperty(
        name="Face", description="Which face, where the photo shows several", items=FACES, default="LARGEST"
    )
    hair: EnumProperty(name="Hair", description="What becomes of the hair", items=HAIR, default="AS_SEEN")
    identity_keys: IntProperty(
        name="Identity Keys",
        description="How many shape keys that change who it is are added after the expressions",
        default=20,
        min=0,
        max=150,
        soft_max=50,
    )
    keep_expression: BoolProperty(
        name="Keep Expression",
        description="Start with the photo's expression; otherwise the face is neutral",
        default=False,
    )
    rig: BoolProperty(
        name="Armature", description="Add bones for neck, head, jaw and eyes, and bind the head to them", default=True
    )
    camera: BoolProperty(
        name="Camera", description="Add a camera that matches the photo, with the photo behind the head", default=True
    )
    match_render: BoolProperty(
        name="Render as Photo",
        description="Make that camera the scene's, and give renders the photo's size",
        default=False,
    )
    world_light: BoolProperty(
        name="World Light", description="Light the scene as the photo was lit, with a new world", default=False
    )
    pack_images: BoolProperty(
        name="Pack Images",
        description="Store the textures in the .blend file; otherwise beside it, in a folder named textures",
        default=True,
    )
    look_at: BoolProperty(
        name="Look at It", description="Turn the viewport to the new head and show its textures", default=True
    )


FACES_BY_SIZE = [face[0] for face in FACES]
CHOICES = tuple(ReconstructChoices.__annotations__)
BUILD_CHOICES = ("keep_expression", "rig", "camera", "match_render", "world_light", "pack_images")


def scene_settings(context: bpy.types.Context) -> Any:
    """The sidebar's settings of the context's scene."""
    scene: Any = context.scene
    return scene.likeness


def engine_options(choices: Any, settings: EngineSettings) -> ReconstructOptions:
    """What the engine is told."""
    return ReconstructOptions(
        texture_size=int(choices.texture_size),
        device=settings.device,
        head_model=choices.head_model.lower(),
        start=choices.start.lower(),
        texture=choices.texture.lower(),
        detail=choices.detail.lower(),
        quality=choices.quality.lower(),
        face_index=FACES_BY_SIZE.index(choices.face) or None,
        hair="bald" if choices.hair == "BALD" else "as-seen",
        identity_keys=choices.identity_keys,
        model_folder=settings.model_folder,
    )


def build_options(choices: Any, photo: Path) -> BuildOptions:
    """What the builder is told."""
    from .build import BuildOptions

    return BuildOptions(
        identity_keys=choices.identity_keys,
        keep_expression=choices.keep_expression,
        rig=choices.rig,
        camera=choices.camera,
        photo=photo,
        match_render=choices.match_render,
        world_light=choices.world_light,
        image_folder=None if choices.pack_images else image_folder(),
    )


def image_folder() -> Path | None:
    """The folder beside the .blend that keeps textures as files; None while the .blend has not been saved."""
    blend = bpy.data.filepath
    return Path(blend).parent / "textures" if blend else None
