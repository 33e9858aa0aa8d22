"""The user's choices about takes, declared once for the operators and the sidebar."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty

from ..engine.tracking.options import TrackOptions
from .addon import EngineSettings
from .options import FACES, FACES_BY_SIZE, HEAD_MODELS, STARTS, TEXTURE_SIZES

if TYPE_CHECKING:
    from .build.take_options import TakeOptions

ACTORS = (
    ("ACTIVE", "Selected Head", "The selected head acts; without one, a new head is made from the clip"),
    ("NEW", "New Head", "Make a head of the person in the clip"),
)
SMOOTHINGS = (
    ("TAKE", "Whole Take", "Smooth without delay, looking at the whole take"),
    ("STREAMING", "As Live", "Smooth frame by frame, as a live stream would be"),
    ("NONE", "None", "Leave every frame as it was solved"),
)
MOTIONS = (
    ("BONES", "Bones", "Neck and head bones turn"),
    ("OBJECT", "Object", "The head moves through the scene as it did before the camera"),
    ("NONE", "None", "The head stays where it is"),
)
LEADS = (
    ("KEYS", "Shape Keys", "By the ARKit keys, as other programs expect"),
    ("BONES", "Bones", "By the bones"),
)


class TakeChoices:
    """How a take becomes an action."""

    motion: EnumProperty(name="Head Motion", description="What carries it", items=MOTIONS, default="BONES")
    gaze: EnumProperty(name="Gaze", description="What turns the eyes", items=LEADS, default="KEYS")
    jaw: EnumProperty(name="Jaw", description="What opens the mouth", items=LEADS, default="KEYS")
    brows: FloatProperty(
        name="Brows", description="How strongly the brows act", default=1.0, min=0.0, max=2.0, subtype="FACTOR"
    )
    eyes: FloatProperty(
        name="Eyes", description="How strongly the eyes act", default=1.0, min=0.0, max=2.0, subtype="FACTOR"
    )
    mouth: FloatProperty(
        name="Mouth", description="How strongly mouth, jaw and cheeks act", default=1.0, min=0.0, max=2.0,
        subtype="FACTOR",
    )  # fmt: skip
    mirror: BoolProperty(name="Mirror", description="Left and right change places", default=False)
    reduce: FloatProperty(
        name="Reduce Keys",
        description="Leave out keyframes as long as no shape key is wrong by more than this; 0 keeps one a frame",
        default=0.0,
        min=0.0,
        max=0.2,
        precision=3,
    )
    nla: BoolProperty(
        name="Push to NLA", description="Put the action on an NLA track instead of making it the active one",
        default=False,
    )  # fmt: skip
    markers: BoolProperty(
        name="Mark Gaps", description="Add timeline markers where the face is lost and found again", default=True
    )
    start_frame: IntProperty(name="Start Frame", description="Scene frame of the take's first frame", default=1)


class AnimateChoices(TakeChoices):
    """What the engine does with a clip, and what is built."""

    actor: EnumProperty(name="Actor", description="Which head acts", items=ACTORS, default="ACTIVE")
    start: FloatProperty(
        name="Start", description="Where in the clip the take starts, seconds", default=0.0, min=0.0, precision=2
    )
    end: FloatProperty(
        name="End", description="Where in the clip the take ends, seconds; 0 for its end", default=0.0, min=0.0,
        precision=2,
    )  # fmt: skip
    face: EnumProperty(
        name="Face", description="Whom to follow, where the clip shows several", items=FACES, default="LARGEST"
    )
    start_from: EnumProperty(name="Start From", description="What the fit begins with", items=STARTS, default="POINTS")
    smoothing: EnumProperty(name="Smoothing", description="How movement is smoothed", items=SMOOTHINGS, default="TAKE")
    smooth_amount: FloatProperty(
        name="Amount", description="How much is smoothed: 2 twice as much, 0.5 half", default=1.0, min=0.0, max=4.0
    )
    head_model: EnumProperty(name="Head Model", description="Of a new head", items=HEAD_MODELS, default="OPEN")
    texture_size: EnumProperty(
        name="Texture", description="Size of a new head's skin texture", items=TEXTURE_SIZES, default="2048"
    )
    set_scene: BoolProperty(
        name="Scene Rate and Range", description="Give the scene the clip's frame rate and the take's range",
        default=True,
    )  # fmt: skip
    background: BoolProperty(
        name="Clip behind the Head", description="Show the clip behind the head in the camera's view", default=True
    )
    sound: BoolProperty(name="Sound", description="Put the clip's sound into the sequencer", default=True)
    keep_partial: BoolProperty(
        name="Go On Later",
        description="Keep what was tracked when the job is cancelled: the same job goes on from there",
        default=True,
    )


TAKE_CHOICES = tuple(TakeChoices.__annotations__)
ANIMATE_CHOICES = (*TAKE_CHOICES, *AnimateChoices.__annotations__)


def track_options(choices: Any, settings: EngineSettings, head: Path | None) -> TrackOptions:
    """What the engine is told; `head` is the result folder of the head that acts."""
    return TrackOptions(
        start=choices.start,
        end=choices.end or None,
        head=head,
        head_model=choices.head_model.lower(),
        face_index=FACES_BY_SIZE.index(choices.face),
        start_from=choices.start_from.lower(),
        smoothing=choices.smoothing.lower(),
        smooth_amount=choices.smooth_amount,
        texture_size=int(choices.texture_size),
        device=settings.device,
        model_folder=settings.model_folder,
        preview=False,
        keep_partial=choices.keep_partial,
    )


def take_options(choices: Any, name: str, camera: Any = None) -> TakeOptions:
    """What the builder is told; `name` is the clip's, `camera` the footage's."""
    from .build.take_options import TakeOptions

    return TakeOptions(
        name=name,
        start_frame=choices.start_frame,
        head=choices.motion.lower(),
        gaze=choices.gaze.lower(),
        jaw=choices.jaw.lower(),
        brows=choices.brows,
        eyes=choices.eyes,
        mouth=choices.mouth,
        mirror=choices.mirror,
        reduce=choices.reduce,
        markers=choices.markers,
        nla=choices.nla,
        camera=camera,
    )
