"""What to make of a take, and what was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import bpy

from ...engine.errors import EngineError


class TargetError(EngineError):
    """What a take is to move cannot be moved: no such shape keys, no action, not within the range."""


@dataclass(frozen=True)
class TakeOptions:
    """How a take becomes an action.

    Attributes:
        name: the clip's; of the action, its NLA strip and the markers.
        start_frame: the scene frame of the take's first frame.
        head: what carries the head's motion. "bones": neck and head share the turn; "object": the head moves through
            the scene as it did before the camera; "none": it stays.
        gaze: "keys" (eyeLook...) or "bones" (eye.L, eye.R); the other is left at rest.
        jaw: "keys" (jawOpen, jawLeft, jawRight) or the "bones"' jaw, likewise.
        brows, eyes, mouth: factors 0..2 on what that region does; weights stay within 0..1. The mouth has jaw, cheeks,
            nose and tongue with it.
        mirror: left and right change places.
        reduce: leave out keyframes as long as no weight is wrong by more than this; 0 keeps one a frame. Turns may be
            wrong by 0.4 radians of it (jawOpen at 1 turns the jaw so far), places by 0.1 metres of it.
        markers: timeline markers where the face is lost and found again.
        nla: put the action on an NLA track of its own instead of making it the active one.
        camera: of the footage, for head "object"; None makes one.
    """

    name: str = "Take"
    start_frame: int = 1
    head: Literal["bones", "object", "none"] = "bones"
    gaze: Literal["keys", "bones"] = "keys"
    jaw: Literal["keys", "bones"] = "keys"
    brows: float = 1.0
    eyes: float = 1.0
    mouth: float = 1.0
    mirror: bool = False
    reduce: float = 0.0
    markers: bool = True
    nla: bool = False
    camera: bpy.types.Object | None = None


@dataclass(frozen=True)
class BuiltTake:
    """What was made of a take.

    Attributes:
        actions: one; before Blender 4.4 one for the keys and one for bones or object, where there are any.
        frames: first and last scene frame of the take.
        missing: expression units of the take for which there is no shape key.
        camera: the footage's, where it was given or made.
        strips: on NLA tracks, one for each data-block that moves.
        warnings: sentences for the user.
    """

    actions: list[bpy.types.Action]
    frames: tuple[int, int]
    missing: tuple[str, ...] = ()
    camera: bpy.types.Object | None = None
    strips: list[bpy.types.NlaStrip] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
