"""The clip itself in the scene: behind the head in a camera's view, its sound, its rate and its camera."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...engine.errors import MediaError
from ...engine.tracking.take import Take
from ...engine.tracking.turns import to_matrix
from .camera import build_camera, render_frame
from .retime import scene_rate
from .space import FLIP_CAMERA, scene_space
from .transaction import Transaction

PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr", ".webp", ".bmp", ".dpx"}
LEVEL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # a Blender camera that looks along +Y
NTSC = 1.001


def clip_start(take: Take, start_frame: int, rate: float) -> float:
    """The scene frame of the clip's own beginning, where the take's first frame falls on `start_frame`.

    Args:
        rate: the scene's frames a second.
    """
    return start_frame - float(take.times[0]) * rate


def show_clip(
    view: bpy.types.Object,
    clip: Path,
    first_frame: int,
    frames: int | None = None,
    size: tuple[int, int] | None = None,
) -> bpy.types.Image:
    """Put a clip behind the head in a camera's view, in place of other clips there. It plays a frame a scene frame.

    Args:
        clip: a video, the first of numbered pictures, or their folder.
        first_frame: scene frame of the clip's first.
        frames: how long it is; None asks the file, or counts the pictures.
        size: width and height as the engine saw it, upright.
    Raises:
        MediaError: Blender cannot read it, or shows it sideways.
    """
    data = view.data
    assert isinstance(data, bpy.types.Camera)
    first, numbers = _first_picture(clip)
    with Transaction() as transaction:
        image = transaction.add(_load(first))
        if numbers:
            image.source = "SEQUENCE"
        if size is not None and (image.size[0] > image.size[1]) != (size[0] > size[1]) and size[0] != size[1]:
            raise MediaError(f"Blender shows {clip.name} sideways.", "Save it upright to see it behind the head.")
        background = data.background_images.new()
        transaction.on_failure(lambda: data.background_images.remove(background))
        background.image = image
        user: Any = background.image_user
        user.frame_start = first_frame
        user.frame_offset = numbers[0] - 1 if numbers else 0
        user.frame_duration = frames or (numbers[-1] - numbers[0] + 1 if numbers else image.frame_duration)
        user.use_cyclic, user.use_auto_refresh = False, True
        background.alpha, background.display_depth, background.frame_method = 1.0, "BACK", "FIT"
    for other in list(data.background_images)[:-1]:
        if other.image is not None and other.image.source in ("MOVIE", "SEQUENCE"):
            data.background_images.remove(other)
        else:
            other.show_background_image = False
    data.show_background_images = True
    return image


def _load(path: Path) -> bpy.types.Image:
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError as error:
        raise MediaError(f"Blender cannot read {path}.", "Choose another file, or convert it to MP4.") from error
    if image.size[0] == 0:
        bpy.data.images.remove(image)
        raise MediaError(f"Blender cannot read {path}.", "Choose another file, or convert it to MP4.")
    return image


def _first_picture(clip: Path) -> tuple[Path, list[int]]:
    """The file to load, and the numbers from its own on where it is one of numbered pictures."""
    if clip.is_dir():
        pictures = sorted(path for path in clip.iterdir() if path.suffix.lower() in PICTURES)
        if not pictures:
            raise MediaError(f"There are no pictures in {clip}.", "Choose the folder with the footage's frames.")
        clip = pictures[0]
    if clip.suffix.lower() not in PICTURES:
        return clip, []
    stem = clip.stem.rstrip("0123456789")
    siblings = (path.stem for path in clip.parent.glob("*") if path.suffix == clip.suffix)
    numbers = sorted(int(name[len(stem) :]) for name in siblings if _is_numbered(name, stem))
    if not _is_numbered(clip.stem, stem):
        return clip, []
    return clip, [number for number in numbers if number >= int(clip.stem[len(stem) :])]


def _is_numbered(name: str, stem: str) -> bool:
    return name.startswith(stem) and name[len(stem) :].isdecimal()


def add_sound(scene: bpy.types.Scene, clip: Path, first_frame: float, name: str) -> Any:
    """Put a clip's sound in the sequencer, on a free channel.

    Args:
        first_frame: scene frame of the clip's beginning, to fractions of a frame.
    Returns:
        The sound strip; None where the clip is silent or Blender cannot hear it, and then nothing is changed.
    """
    if clip.is_dir() or clip.suffix.lower() in PICTURES or not clip.is_file():
        return None
    had_editor, sounds = scene.sequence_editor is not None, set(bpy.data.sounds)
    editor: Any = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # before Blender 4.4
    strip, whole = None, math.floor(first_frame)
    try:
        channel = 1 + max((item.channel for item in strips), default=0)
        strip = strips.new_sound(name, str(clip), channel, whole)
        if strip.sound is not None and strip.sound.channels != "INVALID":
            if hasattr(strip, "sound_offset"):  # strips lie on whole frames
                strip.sound_offset = (first_frame - whole) / scene_rate(scene)
            return strip
    except RuntimeError:  # built without sound, or none in the file
        pass
    if strip is not None:
        strips.remove(strip)
    bpy.data.batch_remove(list(set(bpy.data.sounds) - sounds))
    if not had_editor:
        scene.sequence_editor_clear()
    return None


def set_scene_rate(scene: bpy.types.Scene, fps: float, first: int, last: int) -> None:
    """Give the scene a clip's rate, 29.97 as 30 / 1.001, and its frames.

    Raises:
        ValueError: no such rate.
    """
    if not 0.5 <= fps <= 10000:
        raise ValueError(f"{fps} frames a second")
    whole = max(round(fps), 1)
    base = whole / fps
    near = next((usual for usual in (1.0, NTSC) if abs(base - usual) < 1e-4), base)
    scene.render.fps, scene.render.fps_base = whole, near
    scene.frame_start, scene.frame_end = first, max(first, last)


def build_clip_camera(
    scene: bpy.types.Scene,
    head: bpy.types.Object,
    take: Take,
    name: str,
    home: Matrix,
    level: bool,
    transaction: Transaction,
) -> bpy.types.Object:
    """A still camera that sees the head where the footage has it in the middle of the take.

    Args:
        home: world matrix of what carries the head (its armature, or itself without one) before it moves.
        level: the camera stands upright before the head, for a head that moves as an object and turns as in the
            footage; otherwise it looks at the head at rest as the footage's camera does in the middle, for a head that
            turns its bones only.
    """
    space, middle = scene_space(scene), _middle(take)
    rest = to_matrix(take.neck[middle]).T
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = take.head_rotation[middle] @ rest
    world_to_camera[:3, 3] = take.head_translation[middle]
    camera = replace(take.camera, world_to_camera=world_to_camera)
    frame, collection = render_frame(scene), head.users_collection[0]
    view = build_camera(collection, camera, space, name, head, frame, transaction)
    view.parent = None
    place, turn, _ = home.decompose()
    if level:
        away = LEVEL @ FLIP_CAMERA[:3, :3] @ (take.head_translation[middle].astype(np.float64) * space.scale)
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = LEVEL, np.array(place) - away
        view.matrix_basis = Matrix(matrix.tolist())
    else:
        view.matrix_basis = Matrix.LocRotScale(place, turn, None) @ view.matrix_basis
    return view


def _middle(take: Take) -> int:
    """The frame nearest the middle in which a face was seen."""
    seen = np.flatnonzero(take.confidence > 0)
    half = len(take) // 2
    return int(seen[np.argmin(np.abs(seen - half))]) if len(seen) else half
