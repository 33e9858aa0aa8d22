"""Files with performances in FLAME's numbers: our own `flame.npz`, and dicts as DECA, SMIRK and EMOCA keep them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import MediaError
from .flame_take import FILE, FlameTake

Array = NDArray[np.float64]
NAMES = {
    "expression": ("expression", "exp", "expression_params", "expr"),
    "shape": ("shape", "shape_params"),
    "jaw_pose": ("jaw_pose", "jaw", "jaw_params"),
    "neck_pose": ("neck_pose", "neck"),
    "global_pose": ("global_pose", "global_orient", "pose_params"),
    "left_eye_pose": ("left_eye_pose",),
    "right_eye_pose": ("right_eye_pose",),
    "eyes": ("eyes_pose", "eye_pose", "eyes"),
    "eyelids": ("eyelids", "eyelid", "eyelid_params"),
    "translation": ("translation", "transl", "trans"),
    "pose": ("pose",),
    "confidence": ("confidence",),
    "times": ("times",),
    "fps": ("fps", "frame_rate"),
}
"""What arrays are called, ours first. `pose` is the head's turn, then the jaw's, as in DECA."""
WIDTHS = {"eyelids": (2,), "eyes": (6,), "pose": (3, 6)}
"""Numbers in a row; other turns and places have 3."""
FREE = ("expression", "shape")
SINGLE = ("confidence", "times")
META = ("version", "K", "size")
CURE = "Choose a file with arrays like those of flame.npz, or of DECA, SMIRK or EMOCA: one row for each frame."
FASTEST = 1000.0


def holds_flame(path: Path) -> bool:
    """Whether a file, or `flame.npz` in a folder without a take, holds FLAME's numbers and not a take."""
    from .take import FILE as TAKE

    if path.is_dir():
        return (path / FILE).is_file() and not (path / TAKE).is_file()
    if path.suffix.lower() != ".npz":
        return path.suffix.lower() != ".csv"
    try:
        with np.load(path, allow_pickle=False) as stored:
            return "expression_names" not in stored.files
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return True


def read_flame(path: Path, fps: float | None = None) -> FlameTake:
    """A performance in FLAME's numbers.

    Args:
        path: `.npz`, or a pickled dict of arrays (`.pkl`), or a folder with `flame.npz`.
        fps: frames a second; None takes the file's own.
    Raises:
        MediaError: it is missing, damaged, empty, has no expression, arrays that do not fit, or no rate.
        ModelFileError: a pickle is damaged, or asks for what arrays do not need.
    """
    path = path / FILE if path.is_dir() else path
    found = _named(path, _stored(path))
    if "expression" not in found:
        raise MediaError(f"{path} has no array of expressions.", CURE)
    rows = {name: _rows(path, name, values) for name, values in found.items() if name not in ("fps", *META)}
    count = len(rows["expression"])
    if not count:
        raise MediaError(f"{path} has no frames.", CURE)
    shape = _shape(rows.pop("shape", np.zeros((0, 0))))
    for name, values in rows.items():
        if len(values) != count:
            raise MediaError(f"{path} has {count} frames of expressions but {len(values)} of “{name}”.", CURE)
    rate = _rate(path, found, fps)
    own = fps is None or "fps" not in found or abs(_own_rate(found) - rate) < 1e-6
    times = rows["times"][:, 0] if own and "times" in rows else np.arange(count) / rate
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise MediaError(f"“times” in {path} are not the seconds of frames in a row.", CURE)
    still = np.zeros((count, 3))
    pose = rows.get("pose", np.zeros((count, 6)))
    eyes = rows.get("eyes", np.zeros((count, 6)))
    jaw = pose[:, 3:] if pose.shape[1] == 6 else still
    return FlameTake(
        expression=rows["expression"],
        shape=shape,
        jaw_pose=rows.get("jaw_pose", jaw),
        neck_pose=rows.get("neck_pose", still),
        global_pose=rows.get("global_pose", pose[:, :3]),
        left_eye_pose=rows.get("left_eye_pose", eyes[:, :3]),
        right_eye_pose=rows.get("right_eye_pose", eyes[:, 3:]),
        eyelids=rows.get("eyelids"),
        translation=rows.get("translation"),
        confidence=rows["confidence"][:, 0] if "confidence" in rows else np.ones(count),
        times=times,
        fps=rate,
        version=str(found.get("version", "")),
        camera=_camera(path, found),
    )


def _stored(path: Path) -> dict[str, Any]:
    """Whatever arrays a file has, by name."""
    from ..models.safe_load import load_array_pickle

    if not path.is_file():
        raise MediaError(f"There is no file {path}.", "Check the path, or choose the file again.")
    if path.suffix.lower() == ".pkl":
        return load_array_pickle(path)
    if path.suffix.lower() != ".npz":
        raise MediaError(f"{path} is neither .npz nor .pkl.", CURE)
    try:
        with np.load(path, allow_pickle=False) as stored:
            known = {name for names in NAMES.values() for name in names} | set(META)
            return {name: stored[name] for name in stored.files if name in known}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise MediaError(f"{path} cannot be read ({error}).", CURE) from error


def _named(path: Path, stored: dict[str, Any]) -> dict[str, Any]:
    """The same under our names."""
    found = {name: stored[name] for name in META if name in stored}
    for name, others in NAMES.items():
        given = next((other for other in others if other in stored), None)
        if given is not None:
            found[name] = stored[given]
    return found


def _rows(path: Path, name: str, values: Any) -> Array:
    """(T,C) of an array, whose axes of length 1 that batches leave are dropped."""
    array = _numbers(path, name, values)
    if name in SINGLE:
        return array.reshape(-1, 1)
    while array.ndim > 2 and 1 in array.shape[:-1]:
        array = array.squeeze(array.shape.index(1))
    array = array[None] if array.ndim == 1 else array
    widths = WIDTHS.get(name, (3,))
    if array.ndim != 2 or (name not in FREE and array.shape[1] not in widths):
        wanted = "any number" if name in FREE else " or ".join(str(width) for width in widths)
        raise MediaError(f"“{name}” in {path} has the shape {array.shape}; it must be (frames, {wanted}).", CURE)
    return array


def _numbers(path: Path, name: str, values: Any) -> Array:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise MediaError(f"“{name}” in {path} holds no numbers.", CURE) from error


def _shape(rows: Array) -> Array:
    """(S,) the mean of the frames (T,S) that have one; zeros where none has."""
    known = rows[np.isfinite(rows).all(1)]
    return known.mean(0) if len(known) else np.zeros(rows.shape[1])


def _rate(path: Path, found: dict[str, Any], fps: float | None) -> float:
    """Frames a second."""
    if fps is None and "fps" not in found:
        raise MediaError(
            f"{path} does not say how many frames a second it has.",
            "Give its rate (--fps, or Rate in Blender's file browser).",
        )
    rate = _own_rate(found) if fps is None else float(fps)
    if not 0 < rate <= FASTEST:
        raise MediaError(f"{rate:g} frames a second is no rate for {path}.", "Give one between 1 and 240.")
    return rate


def _own_rate(found: dict[str, Any]) -> float:
    """The file's own rate; 0 where what stands there is none."""
    try:
        return float(np.ravel(found["fps"])[0])
    except (TypeError, ValueError, IndexError):
        return 0.0


def _camera(path: Path, found: dict[str, Any]) -> Camera | None:
    if "K" not in found or "size" not in found:
        return None
    K, size = _numbers(path, "K", found["K"]), np.ravel(_numbers(path, "size", found["size"]))
    if K.shape != (3, 3) or len(size) != 2 or not np.isfinite(size).all():
        raise MediaError(f"“K” in {path} has the shape {K.shape}, “size” {size.shape}.", CURE)
    return Camera(K, np.eye(4), int(size[0]), int(size[1]))
