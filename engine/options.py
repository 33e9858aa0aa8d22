"""What a user may choose about a reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
HeadName = Literal["open", "flame", "ict"]
PointsChoice = Literal["mediapipe", "dense", "fused"]
DetailChoice = Literal["photo", "deca"]
StartChoice = Literal["points", "smirk", "fast"]
HairChoice = Literal["as-seen", "bald"]
TextureChoice = Literal["photo", "ganfit", "linear"]
Quality = Literal["draft", "standard", "best"]


@dataclass(frozen=True)
class ReconstructOptions:
    """Options of Reconstruct from Image.

    Attributes:
        texture_size: side of the square albedo, pixels, 256..4096.
        device: where torch runs; "auto" takes CUDA, then MPS, then the CPU.
        head_model: "open" (bundled), or a model of the user's, found in `model_folder`: "flame" (the licensed file) or
            "ict" (ICT-FaceKit's folder).
        texture: "photo" projects the photo; "ganfit" and "linear" fit a model of skin to it, together with the shape.
        quality: trades time for fidelity (solver iterations, refinement).
        face_index: which face, 0 = largest, in order of decreasing size; None = largest, with a warning if several.
        focal_length_px: overrides EXIF and the solved focal length, in pixels of the upright photo.
        identity_keys: how many identity components become shape keys in Blender (0 = none).
        model_folder: where the user's own model files are looked for.
        hair: "as-seen" makes the hair that the photo shows, "bald" leaves it out and completes the scalp's skin.
        points: whose points the head is fitted to: MediaPipe's, the engine's own network's ("dense"), or both.
        start: "points" fits the head to points alone; "smirk" believes SMIRK's shape and expression as well, "fast"
            takes them as they are and only places the head. Both need SMIRK's and FLAME's files in `model_folder`.
        detail: wrinkles by the photo's shading, or by DECA's networks, whose file is in `model_folder` (FLAME only).
        seed: of every random draw.
    """

    texture_size: int = 2048
    device: DeviceName = "auto"
    head_model: HeadName = "open"
    texture: TextureChoice = "photo"
    quality: Quality = "standard"
    face_index: int | None = None
    focal_length_px: float | None = None
    identity_keys: int = 20
    model_folder: Path | None = None
    hair: HairChoice = "as-seen"
    points: PointsChoice = "mediapipe"
    start: StartChoice = "points"
    detail: DetailChoice = "photo"
    seed: int = 0
