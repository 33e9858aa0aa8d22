"""Which photos of a folder belong into an evaluation set: one face, whole, sharp, not in profile; poses of all kinds.

The criteria are those of "prosopo" (thesis "eg3d_supervised", section 4.1), which was chosen by hand: no profiles, no
hands, microphones or people before the face; hats, glasses and headscarves are welcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceError
from ..fitting.pose import yaw_pitch_roll
from ..fitting.result import HeadFit
from ..heads.model import HeadModel
from ..looking import look_at_face
from ..media.read import read_photo
from ..options import ReconstructOptions
from ..perception.landmarks import find_faces
from ..perception.parts import PartsObservation
from ..perception.regions import REGIONS
from ..perception.same_person import sharpness
from ..progress import Progress

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic")
COVERS = ("other", "clothes", "background")
"""What a network sees where something is before the face; hair, glasses and beards belong to it."""
YAW_EDGES = (-60.0, -35.0, -15.0, 15.0, 35.0, 60.0)
"""Degrees between the bins that photos are taken from in turn; the outer ones are the bounds."""
BESIDE = 0.5
"""A second face counts where it is at least this high, in heights of the largest."""


@dataclass(frozen=True)
class Criteria:
    """What a photo must be.

    Attributes:
        yaw, pitch: degrees at most, either way.
        covered: most of the face that may be hidden, 0..1.
        sharpness: least, see `perception.same_person.sharpness`.
        face: pixels, least distance of the outer corners of the eyes; the published crop is 2.6 times as wide.
    """

    yaw: float = 60.0
    pitch: float = 30.0
    covered: float = 0.15
    sharpness: float = 0.05
    face: float = 80.0


@dataclass(frozen=True)
class Candidate:
    """A photo that could be chosen.

    Attributes:
        sha256: of the file. size: width and height, pixels.
        yaw, pitch, roll: degrees, of the fitted head; see `fitting.pose.yaw_pitch_roll`.
        covered: share of the face hidden; None where the network could not be used.
        sharpness, face: see `Criteria`.
    """

    path: Path
    sha256: str
    size: tuple[int, int]
    yaw: float
    pitch: float
    roll: float
    covered: float | None
    sharpness: float
    face: float

    def stored(self) -> dict[str, Any]:
        """Everything but the path, for JSON."""
        values = asdict(self)
        del values["path"]
        return values

    @classmethod
    def of(cls, path: Path, stored: Mapping[str, Any]) -> Candidate:
        """What `stored` gave."""
        width, height = stored["size"]
        return cls(path, **{**stored, "size": (int(width), int(height))})


@dataclass(frozen=True)
class Choice:
    """What became of a folder's photos.

    Attributes:
        photos: in the order in which they are worth having. left_out: path and reason of each other.
    """

    photos: tuple[Candidate, ...] = ()
    left_out: tuple[tuple[Path, str], ...] = field(default=())


def photos_in(folder: Path) -> list[Path]:
    """Files that by their endings may be photos, in order, folders inside included."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())


def examine(path: Path, sha256: str, head: HeadModel, options: ReconstructOptions, progress: Progress) -> Candidate:
    """Look at a photo.

    Raises:
        MediaError: it cannot be read. FaceError: it has no usable face, or several.
    """
    photo = read_photo(path)
    faces = find_faces(photo, options.model_folder)
    heights = [float(face.box[3] - face.box[1]) for face in faces]
    if len([height for height in heights if height > BESIDE * heights[0]]) > 1:
        raise FaceError(f"{path.name} shows several faces.", "Cut it to one.")
    look = look_at_face(head, photo, options)
    fit = look.fit(progress)
    yaw, pitch, roll = yaw_pitch_roll(fit.camera.world_to_camera[:3, :3])
    return Candidate(
        path, sha256, (photo.width, photo.height), yaw, pitch, roll,
        None if look.view.parts is None else covered_share(look.view.parts, head, fit),
        sharpness(photo.pixels, look.face), look.face.interocular,
    )  # fmt: skip


def covered_share(parts: PartsObservation, head: HeadModel, fit: HeadFit) -> float:
    """Share of the fitted face's outline in which the parts network sees something else than the person's head."""
    import cv2

    side = parts.depth.shape[0]
    face = fit.camera.project(fit.posed[head.regions["face"]].astype(np.float64))
    places = np.column_stack([face, np.ones(len(face))]) @ parts.window.matrix(side).T
    outline = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(outline, cv2.convexHull(np.round(places).astype(np.int32)), 1)
    hidden = parts.regions[[REGIONS.index(name) for name in COVERS]].sum(0)
    return float(hidden[outline > 0].mean()) if outline.any() else 1.0


def refusal(photo: Candidate, criteria: Criteria) -> str:
    """Why a photo is not wanted; empty where it is."""
    if abs(photo.yaw) > criteria.yaw:
        return f"The head is turned by {abs(photo.yaw):.0f} degrees."
    if abs(photo.pitch) > criteria.pitch:
        return f"The head is tilted by {abs(photo.pitch):.0f} degrees."
    if photo.covered is not None and photo.covered > criteria.covered:
        return f"Something hides {photo.covered:.0%} of the face."
    if photo.face < criteria.face:
        return f"The face is too small: {photo.face:.0f} pixels between the corners of the eyes."
    if photo.sharpness < criteria.sharpness:
        return "The face is not sharp."
    return ""


def choose(
    candidates: Sequence[Candidate], criteria: Criteria, count: int, edges: tuple[float, ...] = YAW_EDGES
) -> Choice:
    """The photos that suit, sharpest first out of each bin of yaw in turn, and why others are left out.

    Args:
        count: most photos. A larger count adds to the photos of a smaller one.
    """
    left_out, suitable, seen = [], [], {}
    for photo in candidates:
        reason = refusal(photo, criteria)
        if photo.sha256 in seen:
            reason = f"It is the same picture as {seen[photo.sha256]}."
        seen.setdefault(photo.sha256, photo.path.name)
        if reason:
            left_out.append((photo.path, reason))
        else:
            suitable.append(photo)
    bins = np.digitize([photo.yaw for photo in suitable], edges)
    sharp = sorted(range(len(suitable)), key=lambda n: (-suitable[n].sharpness, suitable[n].sha256))
    turns, taken = {}, Counter()
    for n in sharp:
        turns[n] = taken[bins[n]]
        taken[bins[n]] += 1
    order = sorted(sharp, key=lambda n: (turns[n], bins[n]))
    left_out += [(suitable[n].path, f"There are {count} others already.") for n in order[count:]]
    return Choice(tuple(suitable[n] for n in order[:count]), tuple(left_out))
