"""What a user may choose about tracking a clip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..options import DeviceName, HeadName, StartChoice

Smoothing = Literal["take", "streaming", "none"]


@dataclass(frozen=True)
class TrackOptions:
    """Options of Animate from Video.

    Attributes:
        start, end: seconds of the clip; `end` None for all.
        fps: frames a second of the take; None for the clip's own.
        sequence_fps: rate of numbered pictures, which have none of their own.
        head: folder of a reconstruction whose head acts; None solves one from the clip.
        face_index: which face of the first frame that has so many, 0 is the largest.
        focal_length_px: of the footage, pixels; None guesses it.
        smoothing: over the whole take without delay, as a live stream would be, or none.
        smooth_amount: factor on how much is smoothed.
        calibrate: set the rest of units that a face looks like by its shape to 0.
        contacts: make blinks close and lips meet where they were seen to.
        texture_size: of a head solved from the clip, pixels.
        device: where torch runs.
        head_model: of a head solved from the clip; a given head keeps its own.
        model_folder: where the user's own model files are looked for.
        start_from: "points" solves every frame from its points alone; "smirk" believes SMIRK's expression beside them,
            "fast" takes it as it is and only places the head. Both need SMIRK's and FLAME's files in `model_folder`.
        flame: write the take in FLAME's numbers as well, whatever head acts; needs FLAME's file. Takes of FLAME heads
            always are.
        preview: write the side-by-side video.
        keep_partial: leave what was followed in the result's folder when the job is cancelled; the same job goes on.
        seed: of every random draw.
    """

    start: float = 0.0
    end: float | None = None
    fps: float | None = None
    sequence_fps: float = 25.0
    head: Path | None = None
    face_index: int = 0
    focal_length_px: float | None = None
    smoothing: Smoothing = "take"
    smooth_amount: float = 1.0
    calibrate: bool = True
    contacts: bool = True
    texture_size: int = 2048
    device: DeviceName = "auto"
    head_model: HeadName = "open"
    model_folder: Path | None = None
    start_from: StartChoice = "points"
    flame: bool = False
    preview: bool = True
    keep_partial: bool = True
    seed: int = 0


@dataclass(frozen=True)
class RetargetOptions:
    """Options of bringing a performance from FLAME's numbers to a take, or a take to FLAME's numbers.

    Attributes:
        head_model: whose head the take is for, or is of where no head is given.
        head: folder of the reconstruction that acts in a take; None for the one beside the take, if any.
        fps: frames a second; None for the file's own.
        model_folder: where FLAME's file is looked for.
    """

    head_model: HeadName = "open"
    head: Path | None = None
    fps: float | None = None
    model_folder: Path | None = None
