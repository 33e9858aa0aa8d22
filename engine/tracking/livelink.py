"""Live Link Face CSV, Epic's table of ARKit performances: what its iPhone app records and Unreal's importer reads.

One row a frame: a time code, the number of values, 52 ARKit weights 0..1 and nine angles. Epic documents no units for
the angles. Taken here as the programs that feed Unreal through the same 61 values take them: radians, about ARKit's
axes of the face (X to the person's left, Y up, Z forwards; ARFaceAnchor), so that positive yaw turns to the person's
left, positive pitch nods down, and positive roll lowers the right ear. The turn is yaw, then pitch, then roll, each
about axes that turned along; the head's is from looking straight into the camera, the eyes' from straight ahead.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import MediaError
from ..media.write import whole_file
from .take import Take
from .turns import mean_rotation, to_axis_angle, to_matrix

Array = NDArray[np.float64]
UNITS = (
    "EyeBlinkLeft", "EyeLookDownLeft", "EyeLookInLeft", "EyeLookOutLeft", "EyeLookUpLeft", "EyeSquintLeft",
    "EyeWideLeft", "EyeBlinkRight", "EyeLookDownRight", "EyeLookInRight", "EyeLookOutRight", "EyeLookUpRight",
    "EyeSquintRight", "EyeWideRight", "JawForward", "JawRight", "JawLeft", "JawOpen", "MouthClose", "MouthFunnel",
    "MouthPucker", "MouthRight", "MouthLeft", "MouthSmileLeft", "MouthSmileRight", "MouthFrownLeft",
    "MouthFrownRight", "MouthDimpleLeft", "MouthDimpleRight", "MouthStretchLeft", "MouthStretchRight",
    "MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper", "MouthPressLeft", "MouthPressRight",
    "MouthLowerDownLeft", "MouthLowerDownRight", "MouthUpperUpLeft", "MouthUpperUpRight", "BrowDownLeft",
    "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight", "CheekPuff", "CheekSquintLeft",
    "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut",
)  # fmt: skip
"""In the app's order, which is not Unreal's: jaw and mouth go right before left."""
ANGLES = tuple(part + turn for part in ("Head", "LeftEye", "RightEye") for turn in ("Yaw", "Pitch", "Roll"))
HEADER = ("Timecode", "BlendShapeCount", *UNITS, *ANGLES)
NAMES = tuple(name[0].lower() + name[1:] for name in UNITS)
RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 120.0)
APP_RATE = 60.0  # the app's own
FACING = np.diag([1.0, -1.0, -1.0])  # head to camera (OpenCV axes) of a head that looks into the camera
DISTANCE = 1.0  # metres
WIDTH, HEIGHT, FOCAL = 1280, 720, 1280.0  # pixels; the CSV tells nothing of the camera
SNAP = 0.01  # of a frame: rounding in the time code
DAY, HALF_DAY = 24 * 3600, 12 * 3600
GAP = 3600  # seconds without a row that are believed
AGAIN = "Export it again from Live Link Face."


def read_take(path: Path, fps: float | None = None) -> Take:
    """A take from a `take.npz`, its folder, or a Live Link CSV.

    Args:
        fps: of a CSV; None tells it from the time codes.
    Raises:
        MediaError: it is missing or damaged.
    """
    return read_livelink(path, fps) if path.suffix.lower() == ".csv" else Take.load(path)


def write_livelink(path: Path, take: Take) -> None:
    """Write a take as Live Link Face CSV, whole or not at all.

    Time codes count `round(fps)` frames a second, as SMPTE's without dropped numbers do. Units that ARKit does not have
    are left out, ARKit's that the take does not have are 0; neck, jaw and the head's place have no columns.

    Raises:
        OutputError: the folder is missing or read-only, or the disk is full.
    """
    path = Path(path)
    columns = {name.lower(): take.expression[:, index] for index, name in enumerate(take.expression_names)}
    zero = np.zeros(len(take))
    turns = (FACING @ take.head_rotation, to_matrix(take.left_eye), to_matrix(take.right_eye))
    values = [np.clip(columns.get(name.lower(), zero), 0.0, 1.0) for name in UNITS]
    values += [angle for turn in turns for angle in _angles(turn).T]
    table = np.stack(values, axis=1) if len(take) else np.zeros((0, len(values)))
    with whole_file(path, "w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for time, row in zip(take.times, table, strict=True):
            writer.writerow([timecode(float(time), take.fps), len(row), *(f"{value:.8f}" for value in row)])


def read_livelink(path: Path, fps: float | None = None) -> Take:
    """Read a Live Link Face CSV as a take that begins at 0 s.

    Rows are brought to even times; where the app skipped frames or saw no face, the gap is bridged by straight lines
    and its confidence is 0. The head stands one metre before a plausible camera, the jaw bone is at rest, the landmarks
    are not a number. Columns may come in any order and case, further ones are ignored.

    Args:
        path: comma, semicolon or tab separated.
        fps: frames a second, of the time codes and of the take. None: the lowest usual rate (24 ... 60, 120) that the
            frame numbers allow, or the app's 60 where they cannot tell, in less than a second.

    Raises:
        MediaError: missing, unreadable, empty, damaged, without any of the app's columns, or of a higher rate than fps.
        ValueError: the rate is not positive.
    """
    if fps is not None and not fps > 0:
        raise ValueError(f"fps must be positive, not {fps}.")
    path = Path(path)
    sheet = _read(path)
    fps = fps or _rate(sheet)
    values, confidence = _evenly(path, sheet, fps)
    frames = len(values)
    weights = np.clip(values[:, : len(UNITS)], 0.0, 1.0)
    head, *eyes = (_turns(values[:, column : column + 3]) for column in range(len(UNITS), len(HEADER) - 2, 3))
    rotation = FACING @ head
    middle = mean_rotation(rotation[confidence > 0])
    still = np.zeros((frames, 3), np.float32)
    return Take(
        times=np.arange(frames) / fps,
        fps=fps,
        expression=weights.astype(np.float32),
        expression_names=NAMES,
        head_rotation=rotation.astype(np.float32),
        head_translation=np.tile(np.array([0.0, 0.0, DISTANCE], np.float32), (frames, 1)),
        jaw=still,
        neck=to_axis_angle(middle.T @ rotation).astype(np.float32),
        left_eye=to_axis_angle(eyes[0]).astype(np.float32),
        right_eye=to_axis_angle(eyes[1]).astype(np.float32),
        confidence=confidence,
        landmarks_2d=np.full((frames, 478, 2), np.nan, np.float32),
        camera=Camera(np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]]), np.eye(4), WIDTH, HEIGHT),
    )


def timecode(seconds: float, fps: float) -> str:
    """`HH:MM:SS:FF.mmm`: frame numbers below round(fps), thousandths of a frame behind the point."""
    frame, thousandths = divmod(round(seconds * fps * 1000), 1000)
    second, frame = divmod(frame, round(fps))
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}:{frame:02d}.{thousandths:03d}"


# Angles --------------------------------------------------------------------------------------------------------------


def _angles(turns: NDArray) -> Array:
    """(T,3) yaw, pitch, roll, radians, of rotations (T,3,3) = Ry(yaw) Rx(pitch) Rz(roll)."""
    turns = np.asarray(turns, np.float64)
    pitch = np.arcsin(np.clip(-turns[:, 1, 2], -1.0, 1.0))
    yaw = np.arctan2(turns[:, 0, 2], turns[:, 2, 2])
    return np.stack([yaw, pitch, np.arctan2(turns[:, 1, 0], turns[:, 1, 1])], axis=1)


def _turns(angles: NDArray) -> Array:
    """The reverse of `_angles`."""
    yaw, pitch, roll = (to_matrix(angles[:, [n]] * np.eye(3)[axis]) for n, axis in enumerate((1, 0, 2)))
    return yaw @ pitch @ roll


# Reading -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sheet:
    """What the file says: (N,2) whole seconds and frames of each row with a face, (N,61) values, and the (2,) seconds
    and frames of the first and last row, face or not."""

    clock: Array
    values: Array
    ends: Array


def _read(path: Path) -> _Sheet:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise MediaError(f"There is no file {path}.", "Check the path, or choose the CSV again.") from error
    except UnicodeDecodeError as error:
        raise MediaError(f"{path} is no CSV: it holds no text.", "Choose the CSV that Live Link Face wrote.") from error
    except (OSError, ValueError) as error:
        raise MediaError(f"{path} cannot be read ({error}).", "Choose the CSV that Live Link Face wrote.") from error
    header, rows = _table(path, text)
    columns = [header.get(name.lower()) for name in HEADER]
    if columns[0] is None or all(column is None for column in columns[2:]):
        raise MediaError(
            f"{path} is no Live Link Face CSV: its first line names no Timecode and face columns.",
            "Choose the CSV that Live Link Face wrote, in the folder of the take.",
        )
    clock, values, ends = [], [], []
    for number, row in rows:
        cells = ["0" if column is None else row[column] for column in columns]
        try:
            ends.append(_clock(cells[0]))
            if any(row[column].strip() for column in columns[2:] if column is not None):  # else no face was seen
                clock.append(ends[-1])
                values.append([_number(cell) for cell in cells[2:]])
        except ValueError as error:
            raise MediaError(f"{path} is damaged in line {number} ({error}).", AGAIN) from error
    if not clock:
        raise MediaError(f"{path} holds no frame with a face.", AGAIN)
    return _Sheet(np.array(clock), np.array(values), np.array([ends[0], ends[-1]]))


def _table(path: Path, text: str) -> tuple[dict[str, int], list[tuple[int, list[str]]]]:
    """Columns by name in lower case, and the lines that are not blank, with their numbers, as long as the first."""
    lines = text.splitlines()
    separator = max(",;\t", key=lines[0].count) if lines else ","
    try:
        table = [(number, row) for number, row in enumerate(csv.reader(lines, delimiter=separator), 1) if any(row)]
    except csv.Error as error:
        raise MediaError(f"{path} is no readable CSV ({error}).", AGAIN) from error
    names = [name.strip().lower() for name in table[0][1]] if table else []
    rows = []
    for number, row in table[1:]:
        if 2 < len(row) < len(names):
            if number == table[-1][0]:
                break  # the recording was interrupted in this line
            raise MediaError(f"{path} is damaged in line {number} ({len(row)} of {len(names)} values).", AGAIN)
        rows.append((number, row + [""] * (len(names) - len(row))))
    return {name: column for column, name in reversed(list(enumerate(names)))}, rows


def _number(cell: str) -> float:
    value = float(cell.strip().replace(",", "."))
    if not math.isfinite(value):
        raise ValueError(f"{cell.strip()} is no value")
    return value


def _clock(cell: str) -> tuple[float, float]:
    """Whole seconds and frames of `HH:MM:SS:FF.mmm`."""
    parts = cell.strip().split(":")
    if len(parts) != 4:
        raise ValueError(f'"{cell.strip()}" is no time code')
    hours, minutes, seconds = (int(part) for part in parts[:3])
    return float((hours * 60 + minutes) * 60 + seconds), _number(parts[3])


def _rate(sheet: _Sheet) -> float:
    """The lowest usual rate above all frame numbers; the app's at least where no second was seen to end."""
    most = math.floor(sheet.clock[:, 1].max())
    least = APP_RATE if len(np.unique(sheet.clock[:, 0])) < 2 else 0.0
    return next((rate for rate in RATES if rate > most and rate >= least), RATES[-1])


def _evenly(path: Path, sheet: _Sheet, fps: float) -> tuple[Array, NDArray[np.float32]]:
    """(T,61) values and (T,) confidence at even times, from the first row to the last."""

    most = math.floor(sheet.clock[:, 1].max())
    if most >= round(fps):
        raise MediaError(
            f"{path} counts frames up to {most} in a second, more than {fps:g} frames a second have.",
            "Give the rate it was recorded at, or none.",
        )

    def frames(clock: Array) -> Array:
        seconds = clock[:, 0] - sheet.ends[0, 0]
        seconds = np.where(seconds < -HALF_DAY, seconds + DAY, seconds)  # recorded over midnight
        return seconds * round(fps) + clock[:, 1] - sheet.ends[0, 1]

    at, last = frames(sheet.clock), float(frames(sheet.ends)[1])
    whole = np.round(at)
    at = np.where(np.abs(at - whole) < SNAP, whole, at)
    forward = np.concatenate([[True], np.diff(np.maximum.accumulate(at)) > 0])
    at, values = at[forward], sheet.values[forward]
    if last < 0 or last > len(at) + GAP * fps:
        raise MediaError(f"The time codes of {path} run backwards or jump by hours.", AGAIN)
    ticks = np.arange(round(last) + 1)
    values = np.stack([np.interp(ticks, at, column) for column in values.T], axis=1)
    after = np.searchsorted(at, ticks)
    before, after = np.maximum(after - 1, 0), np.minimum(after, len(at) - 1)
    nearest = np.minimum(np.abs(ticks - at[before]), np.abs(ticks - at[after]))
    return values, (nearest < 1.0).astype(np.float32)
