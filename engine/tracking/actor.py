"""The head that acts in a clip: a reconstruction's, or one that is solved and painted from frames of the clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import FaceError
from ..fitting.solve import camera_of, head_fit
from ..heads.model import HeadModel
from ..media.clip import Clip
from ..media.photo import Photo
from ..options import ReconstructOptions
from ..perception.observation import FaceObservation
from ..progress import Progress
from ..result import Reconstruction
from .options import TrackOptions
from .person import Performer, performer_from_frames, performer_from_result, spread_frames

if TYPE_CHECKING:
    from .job import Followed
    from .regressed import ClipRegressor


def load_result(folder: Path, pictures: bool = True) -> Reconstruction:
    """A reconstruction from its folder, with its pictures or without.

    Raises:
        FaceError: there is none.
    """
    try:
        return Reconstruction.load(folder, pictures)
    except (OSError, KeyError, ValueError) as error:
        raise FaceError(
            f"There is no reconstructed head in {folder} ({error}).",
            "Choose the result folder of “Reconstruct from Image”, with head.npz and report.json in it.",
        ) from error


def find_performer(
    footage: Clip,
    followed: Followed,
    fps: float,
    head: HeadModel,
    actor: Reconstruction | None,
    options: TrackOptions,
    progress: Progress,
    regressor: ClipRegressor | None = None,
) -> tuple[Performer, list[tuple[Photo, FaceObservation]]]:
    """The head that acts: the actor's, else one solved from frames of the clip, which are returned with it, the frontal
    one first."""
    info = footage.info
    size = info.width, info.height
    focal = options.focal_length_px
    chosen = spread_frames(followed.landmarks, followed.confidence)
    if actor is not None:
        seen = [followed.landmarks[t] for t in chosen]
        return performer_from_result(actor, head, seen, size, focal), []
    pictures = look_again(footage, followed.landmarks, chosen, options.start, fps)
    faces = [face for _, face in pictures]
    starts = () if regressor is None else regressor.starts(pictures, head)
    alone = options.start_from == "fast"
    return performer_from_frames(head, faces, size, focal, progress, starts, alone), pictures


def look_again(
    footage: Clip, landmarks: NDArray, chosen: Sequence[int], start: float, fps: float
) -> list[tuple[Photo, FaceObservation]]:
    """Some frames again, each looked at as patiently as a photo."""
    from ..perception.crop import window_around
    from ..perception.landmarks import observe

    found: dict[int, tuple[Photo, FaceObservation]] = {}
    for t in sorted(chosen):
        frame = next(footage.frames(start + t / fps, start + (t + 1) / fps, fps), None)
        face = None if frame is None else observe(frame.pixels, window_around(landmarks[t].astype(np.float64)), 1.0)
        if frame is not None and face is not None:
            found[t] = Photo(footage.info.path, np.ascontiguousarray(frame.pixels)), face
    if not found:
        raise FaceError(
            f"No frame of {footage.info.path.name} shows the face well enough to solve a head from.",
            "Use a sharper clip, or give it a head that was reconstructed from a photo.",
        )
    return [found[t] for t in chosen if t in found]


def footage_name(path: Path) -> str:
    """What a result is called: the file without its ending, or the folder of pictures."""
    return (path.stem if path.suffix else path.name) or "clip"


def paint(
    name: str,
    head: HeadModel,
    performer: Performer,
    pictures: Sequence[tuple[Photo, FaceObservation]],
    options: TrackOptions,
    progress: Progress,
) -> Reconstruction:
    """The head with skin and hair, from the frontal frame."""
    from ..pipeline import solve_face

    photo, face = pictures[0]
    fit = performer.fit
    assert fit is not None
    camera = camera_of(fit.states[0], photo.width, photo.height)
    found = head_fit(head, face, camera, fit.identity, fit.amounts, np.clip(fit.expressions[0], 0.0, 1.0))
    chosen = ReconstructOptions(
        texture_size=options.texture_size, device=options.device, model_folder=options.model_folder, seed=options.seed
    )
    within = Progress(lambda stage, fraction: None, progress.cancelled)
    return solve_face(name, head, photo, face, chosen, within, found)
