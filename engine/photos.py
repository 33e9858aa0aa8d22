"""Which of several photos can be used for one head: each is looked at once, and why one cannot is said by name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import EngineError, FaceError, MediaError
from .fitting.pose import yaw_pitch_roll
from .fitting.solve import ITERATIONS, Problem, Solution, run_stages
from .heads.model import HeadModel
from .looking import look_at_face
from .media.photo import Photo
from .media.read import read_photo
from .options import ReconstructOptions
from .perception.observation import FaceObservation
from .perception.same_person import company, distances, sharpness
from .perception.seeing import NetworkView
from .progress import Progress

SOFTNESS_COST = 15.0
"""Degrees of turn that count as much as half the sharpness, where the main photo is chosen."""
PITCH_COST = 0.7
"""Of a degree of turn to the side, for one up or down."""
MOST_FACES = 6
"""How many faces of a group photo are compared with the person."""
NOT_COMPARED = "Whether the photos show one person was not checked: {}"


@dataclass(frozen=True)
class Look:
    """One photo as it was found and fitted by itself; its pixels are not kept.

    Attributes:
        number: its place among the photos given.
        width, height: pixels.
        view: what the engine's networks saw.
        problem, solution: of the fit.
        sharpness: see `engine.perception.same_person.sharpness`.
        embedding: (D,) of the face, None where there is no recognition network.
        warnings: sentences about this photo.
    """

    number: int
    path: Path
    width: int
    height: int
    face: FaceObservation
    view: NetworkView
    problem: Problem
    solution: Solution
    sharpness: float
    embedding: NDArray[np.float32] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def yaw(self) -> float:
        """Degrees, positive with the nose to the picture's right."""
        return yaw_pitch_roll(self.solution.state.rotation)[0]

    @property
    def pitch(self) -> float:
        """Degrees, positive upwards."""
        return yaw_pitch_roll(self.solution.state.rotation)[1]

    def read(self) -> Photo:
        """The photo once more."""
        return read_photo(self.path)


@dataclass
class Selection:
    """The photos that are used, and what is said of the others.

    Attributes:
        looks: at the photos that are used, in the order given.
        main: which of them shows the face best from the front.
        left_out: place among the photos given, and the report's entry, of each photo that is not used.
        warnings: sentences for the report.
    """

    looks: list[Look] = field(default_factory=list)
    main: int = 0
    left_out: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def leave_out(self, number: int, path: Path, reason: str, shown: str = "") -> None:
        """Say why a photo is not used."""
        entry = {"file": path.name, "path": str(path), "used": False, "main": False, "reason": reason}
        self.left_out.append((number, entry))
        self.warnings.append(shown or f"{path.name} is left out: {reason}")


def select(photos: Sequence[Path], head: HeadModel, options: ReconstructOptions, progress: Progress) -> Selection:
    """Look at every photo, and leave out those that cannot be used.

    Raises:
        FaceError, MediaError: none is left.
    """
    chosen, kinds = Selection(), []
    first: dict[str, str] = {}
    for number, path in enumerate(photos):
        progress.stage(f"Looking at photo {number + 1} of {len(photos)}", 0.04 + 0.4 * number / max(len(photos), 1))
        try:
            content = _content(path)
            if content in first:
                chosen.leave_out(number, path, f"It is the same picture as {first[content]}.")
                continue
            chosen.looks.append(look_at(number, path, head, options, progress))
            first[content] = path.name
        except (MediaError, FaceError) as error:
            chosen.leave_out(number, path, str(error))
            kinds.append(type(error))
    if not chosen.looks:
        raise _nothing_left(chosen, kinds)
    keep_one_person(chosen, head, options, progress)
    chosen.main = main_of(chosen.looks)
    return chosen


def look_at(number: int, path: Path, head: HeadModel, options: ReconstructOptions, progress: Progress) -> Look:
    """Find and fit one photo's face.

    Raises:
        MediaError, FaceError: it cannot be used.
    """
    photo = read_photo(path)
    look = look_at_face(head, photo, options)
    face, view, known, problem = look.face, look.view, look.known, look.problem()
    solution = run_stages(problem, ITERATIONS[options.quality], progress)
    return Look(
        number, path, photo.width, photo.height, face, view, problem, solution, sharpness(photo.pixels, face),
        known.embedding, (*photo.warnings, *face.warnings, *view.notices, *known.notices),
    )  # fmt: skip


def keep_one_person(chosen: Selection, head: HeadModel, options: ReconstructOptions, progress: Progress) -> None:
    """Leave out photos of other people where most show one person; where none is shown by most, only say so.

    In a group photo the largest face may be another's: where the caller did not choose, the person's own is looked for.
    """
    embeddings = [look.embedding for look in chosen.looks if look.embedding is not None]
    if len(embeddings) < len(chosen.looks):
        chosen.warnings.append(NOT_COMPARED.format("the recognition network cannot be used."))
        return
    from .recognition.load import load_small

    different = load_small().different
    found = company(distances(embeddings), different)
    odd = [index for index in range(len(embeddings)) if index not in found.together]
    if odd and not found.majority:
        chosen.warnings.append(_not_alike(chosen.looks, distances(embeddings), different))
        return
    own = [embeddings[index] for index in found.together]
    kept = [chosen.looks[index] for index in found.together]
    for look in (chosen.looks[index] for index in odd):
        other = None
        if options.face_index is None:
            other = _other_face(look, own, different, head, options, progress)
        if other is not None:
            kept.append(other)
        else:
            chosen.leave_out(look.number, look.path, "It seems to show another person than most of the photos.")
    chosen.looks[:] = sorted(kept, key=lambda look: look.number)


def main_of(looks: Sequence[Look]) -> int:
    """Which photo shows the face best: from the front, and sharp."""
    sharpest = max(look.sharpness for look in looks)

    def cost(look: Look) -> float:
        softness = np.log2(max(sharpest, 1e-9) / max(look.sharpness, 1e-9))
        return float(np.hypot(look.yaw, PITCH_COST * look.pitch) + SOFTNESS_COST * softness)

    return min(range(len(looks)), key=lambda index: cost(looks[index]))


def _other_face(
    look: Look,
    own: Sequence[NDArray],
    different: float,
    head: HeadModel,
    options: ReconstructOptions,
    progress: Progress,
) -> Look | None:
    """The person's face among the smaller ones of a photo, if it is there."""
    for index in range(1, MOST_FACES):
        try:
            found = look_at(look.number, look.path, head, replace(options, face_index=index), progress)
        except (MediaError, FaceError):
            return None
        if found.embedding is not None and np.mean(np.linalg.norm(own - found.embedding, axis=1) < different) >= 0.5:
            return found
    return None


def _not_alike(looks: Sequence[Look], apart: NDArray, different: float) -> str:
    pairs = [(a, b) for a in range(len(looks)) for b in range(a + 1, len(looks)) if apart[a, b] >= different]
    named = ", ".join(f"{looks[a].path.name} and {looks[b].path.name}" for a, b in pairs)
    return f"The photos may show different people, and all were used: {named} differ. Leave out those of others."


def _content(path: Path) -> str:
    """A fingerprint of a file; its path where it cannot be read, which `read_photo` then says."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return str(path)


def _nothing_left(chosen: Selection, kinds: Sequence[type[EngineError]]) -> EngineError:
    kind = MediaError if kinds and all(issubclass(each, MediaError) for each in kinds) else FaceError
    if not chosen.left_out:
        return MediaError("No photo was chosen.", "Choose one or more photos of one person.")
    if len(chosen.left_out) == 1:
        return kind(chosen.left_out[0][1]["reason"])
    reasons = " ".join(f"{entry['file']}: {entry['reason']}" for _, entry in chosen.left_out)
    return kind(
        f"None of the {len(chosen.left_out)} photos can be used. {reasons}",
        "Use photos in which the face is seen from the front or turned by less than 65 degrees, sharp and not covered.",
    )
