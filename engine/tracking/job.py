"""Animate from Video: from a clip's path to a folder with a take, the head that acts, and a preview."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..devices import single_threaded_torch, versions
from ..errors import FaceError, JobCancelled, MediaError
from ..fitting.solve import camera_of, head_fit
from ..heads.model import HeadModel
from ..media.clip import Clip, Frame
from ..media.photo import Photo
from ..options import ReconstructOptions
from ..perception.observation import FaceObservation
from ..progress import Progress
from ..result import Reconstruction
from ..staging import staged_folder
from .chunks import FRAMES, Chunk, Chunks
from .follow import Follower
from .livelink import write_livelink
from .motion import MotionOptions, make_take
from .options import TrackOptions
from .perform import FrameState, perform
from .person import Performer, performer_from_frames, performer_from_result, spread_frames
from .take import Take

AHEAD = 8
"""Frames decoded ahead of the one that is looked at."""
FASTEST = 1000.0
"""Frames a second."""
FEW = 0.25
"""Share of frames with a face below which the report warns."""
OFTEN = 25
"""Frames between two looks at whether the job is to end."""


@dataclass(frozen=True)
class Followed:
    """What was seen, T frames from the first tick to the last.

    Attributes:
        landmarks: (T,478,3) pixels, NaN where no face was seen. confidence: (T,) 0 there.
        strangers: seconds at which only somebody else was seen.
        resumed: frames that were taken over from an earlier run.
    """

    landmarks: NDArray[np.float32]
    confidence: NDArray[np.float32]
    strangers: NDArray[np.float64]
    resumed: int


def track(
    clip: Path, out: Path, options: TrackOptions | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Track the face in a clip and write the result's folder.

    Args:
        clip: video file, GIF, or numbered pictures, see `engine.media.clip.Clip`.
        out: folder for take.npz, head.npz and what else a reconstruction holds, livelink.csv, preview.mp4 and
            report.json. Written whole or, when anything fails, not at all; what was followed by then stays in a hidden
            folder there if `options.keep_partial`, and the same job goes on from it.
    Returns:
        The report.
    Raises:
        EngineError: every expected failure, with a message for the user.
    """
    options, progress = options or TrackOptions(), progress or Progress()
    started = perf_counter()
    progress.stage("Opening the clip", 0.0)
    footage = Clip(clip, options.sequence_fps)
    check_range(footage, options)
    actor = None if options.head is None else load_result(options.head)  # what is wrong with it is said at once
    fps = options.fps or footage.info.fps
    choices = (options.start, options.end, fps, options.face_index)
    chunks = Chunks(out, clip, choices)
    with single_threaded_torch():
        try:
            progress.stage("Following the face", 0.02)
            followed = follow(footage, options, fps, chunks, progress)
            with staged_folder(out) as scratch:
                report = _finish(footage, followed, fps, actor, options, scratch, progress, started)
        except JobCancelled:
            if not options.keep_partial:
                chunks.discard()
            raise
        except FaceError:
            chunks.discard()
            raise
    chunks.discard()
    return report


def check_range(footage: Clip, options: TrackOptions) -> None:
    """Whether there is anything between start and end.

    Raises:
        MediaError: there is not.
    """
    info = footage.info
    if options.fps is not None and not 0 < options.fps <= FASTEST:
        raise MediaError(
            f"{options.fps:g} frames a second is no rate for {info.path.name}.", "Choose one between 1 and 240."
        )
    if options.start < 0 or (options.end is not None and options.end <= options.start):
        raise MediaError(
            f"The part of {info.path.name} to track ends at {options.end} s, before it starts at {options.start} s.",
            "Choose an end after the start, both from the clip's beginning.",
        )
    if info.seconds and options.start >= info.seconds:
        raise MediaError(
            f"The part to track starts at {options.start:g} s, but {info.path.name} is {info.seconds:.2f} s long.",
            "Choose an earlier start.",
        )


def follow(footage: Clip, options: TrackOptions, fps: float, chunks: Chunks, progress: Progress) -> Followed:
    """Landmarks of the person in every frame; saved on the way, and gone on with from what an earlier run saved.

    Raises:
        FaceError: there is no face in any frame.
    """
    done = chunks.load()
    follower = Follower(options.face_index)
    first = 0
    if done:
        last = done[-1]
        first = int(last.index[-1]) + 1
        seen = last.points[-1].astype(np.float64) if last.confidence[-1] > 0 else None
        time = options.start + (first - 1) / fps
        follower.go_on(last.looks, seen, time, last.strangers)
    resumed = sum(len(chunk.index) for chunk in done)
    total = footage.count(options.start, options.end, fps)
    index: list[int] = []
    points: list[NDArray] = []
    confidence: list[float] = []

    def flush() -> None:
        if index:
            chunk = Chunk(
                np.array(index), np.array(points, np.float32), np.array(confidence, np.float32),
                follower.looks, np.array(follower.strangers),
            )  # fmt: skip
            chunks.save(len(done), chunk)
            done.append(chunk)
            for values in (index, points, confidence):
                values.clear()

    start = options.start + first / fps
    finished = total and first >= total
    for frame in () if finished else ahead(footage.frames(start, options.end, fps)):
        if frame.index % OFTEN == 0:
            share = (first + frame.index) / total if total else 0.5
            progress.listener("Following the face", 0.02 + 0.5 * min(share, 1.0))
        progress.check()
        sight = follower(frame.pixels, frame.time)
        index.append(first + frame.index)
        points.append(np.full((478, 3), np.nan) if sight is None else sight.points)
        confidence.append(0.0 if sight is None else sight.confidence)
        if len(index) == FRAMES:
            flush()
    flush()
    return _joined(done, resumed, footage.info.path)


def _joined(chunks: Sequence[Chunk], resumed: int, path: Path) -> Followed:
    """All chunks on one row of ticks."""
    count = int(chunks[-1].index[-1]) + 1 if chunks else 0
    landmarks = np.full((count, 478, 3), np.nan, np.float32)
    confidence = np.zeros(count, np.float32)
    for chunk in chunks:
        landmarks[chunk.index], confidence[chunk.index] = chunk.points, chunk.confidence
    if not (confidence > 0).any():
        raise FaceError(
            f"No face was found in {path.name}.",
            "Use a clip in which one face is seen from the front, sharp and evenly lit; check the start and end times.",
        )
    return Followed(landmarks, confidence, chunks[-1].strangers, resumed)


def ahead(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The same frames, decoded in a thread of their own a few ahead."""
    with ThreadPoolExecutor(1, thread_name_prefix="decoder") as pool:
        waiting: deque[Future[Frame | None]] = deque(pool.submit(next, frames, None) for _ in range(AHEAD))
        while (frame := waiting.popleft().result()) is not None:
            waiting.append(pool.submit(next, frames, None))
            yield frame


def _finish(
    footage: Clip,
    followed: Followed,
    fps: float,
    actor: Reconstruction | None,
    options: TrackOptions,
    folder: Path,
    progress: Progress,
    since: float,
) -> dict[str, Any]:
    """Head, take and files."""
    from ..heads.loader import load_head

    info = footage.info
    size = info.width, info.height
    name = options.head_model if actor is None else actor.report.get("head_model", "open")
    head = load_head(name, options.model_folder)
    progress.stage("Solving the head", 0.54)
    performer, pictures = find_performer(footage, followed, fps, head, actor, options, progress)
    progress.stage("Solving the performance", 0.62)
    frames = solve_frames(performer, followed.landmarks, followed.confidence, size, progress)
    progress.stage("Smoothing", 0.76)
    times = options.start + np.arange(len(frames)) / fps
    motion = MotionOptions(options.smoothing, options.smooth_amount, options.calibrate, options.contacts)
    take = make_take(
        head, performer, frames, followed.landmarks, followed.confidence, times, fps, size, motion
    )  # fmt: skip
    result = actor
    if result is None:
        progress.stage("Painting the head", 0.78)
        result = paint(footage_name(info.path), head, performer, pictures, options, progress)
    if options.preview:
        from .preview import write_preview

        progress.stage("Drawing the preview", 0.86)
        write_preview(folder / "preview.mp4", footage, result, take, progress)
    progress.stage("Writing the result", 0.98)
    take.save(folder)
    write_livelink(folder / "livelink.csv", take)
    progress.finish()
    report = _report(footage, followed, take, frames, progress, result)
    report["seconds_total"] = round(perf_counter() - since, 3)
    report["frames_per_second"] = round(len(take) / max(report["seconds_total"], 1e-9), 2)
    replace(result, report=result.report | report).save(folder)
    return report


def find_performer(
    footage: Clip,
    followed: Followed,
    fps: float,
    head: HeadModel,
    actor: Reconstruction | None,
    options: TrackOptions,
    progress: Progress,
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
    return performer_from_frames(head, faces, size, focal, progress), pictures


def load_result(folder: Path) -> Reconstruction:
    """A reconstruction from its folder.

    Raises:
        FaceError: there is none.
    """
    try:
        return Reconstruction.load(folder)
    except (OSError, KeyError, ValueError) as error:
        raise FaceError(
            f"There is no reconstructed head in {folder} ({error}).",
            "Choose the result folder of “Reconstruct from Image”, with head.npz and report.json in it.",
        ) from error


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


def solve_frames(
    performer: Performer, landmarks: NDArray, confidence: NDArray, size: tuple[int, int], progress: Progress
) -> list[FrameState | None]:
    """Pose and expression in every frame that shows the face."""
    frames: list[FrameState | None] = []
    before: FrameState | None = None
    for t in range(len(landmarks)):
        if t % OFTEN == 0:
            progress.check()
            progress.listener("Solving the performance", 0.62 + 0.14 * t / len(landmarks))
        before = perform(performer, landmarks[t], size, before) if confidence[t] > 0 else None
        frames.append(before)
    return frames


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


def _report(
    footage: Clip,
    followed: Followed,
    take: Take,
    frames: Sequence[FrameState | None],
    progress: Progress,
    result: Reconstruction,
) -> dict[str, Any]:
    """What happened, for people and for programs."""
    info = footage.info
    errors = np.array([frame.error for frame in frames if frame is not None])
    return {
        "name": result.name,
        "clip": str(info.path),
        "frames": len(take),
        "fps": round(take.fps, 6),
        "start": float(take.times[0]),
        "size": [info.width, info.height],
        "frames_with_face": int((followed.confidence > 0).sum()),
        "frames_resumed": followed.resumed,
        "gaps": [
            [round(float(take.times[a]), 4), round(float(take.times[b - 1]) + 1 / take.fps, 4)] for a, b in take.gaps
        ],
        "confidence": [round(float(value), 3) for value in take.confidence],
        "reprojection": {"mean": round(float(errors.mean()), 5), "p95": round(float(np.percentile(errors, 95)), 5)},
        "seconds": {title: round(value, 3) for title, value in progress.seconds.items()},
        "versions": versions(),
        "warnings": [*footage.warnings, *_warnings(followed, take)],
    }


def _warnings(followed: Followed, take: Take) -> list[str]:
    """Sentences about what was not seen."""
    found = []
    share = float((followed.confidence > 0).mean())
    if share < FEW:
        found.append(f"Only {share:.0%} of the frames show the face; the rest is filled in between.")
    for first, last in _runs(followed.strangers, 2.5 / take.fps):
        if last - first > 0.5:
            found.append(
                f"From {first:.1f} to {last:.1f} s another person is seen, or the same one beyond recognition; "
                f"to track that part by itself, start at {first:.1f} s and end at {last:.1f} s."
            )
    return found


def _runs(times: NDArray, apart: float) -> list[tuple[float, float]]:
    """First and last of every stretch of times (N,) that are no farther apart than that."""
    if not len(times):
        return []
    parts = np.split(times, np.flatnonzero(np.diff(times) > apart) + 1)
    return [(float(part[0]), float(part[-1])) for part in parts]
