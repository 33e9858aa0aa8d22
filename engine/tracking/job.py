"""Animate from Video: from a clip's path to a folder with a take, the head that acts, and a preview."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..devices import single_threaded_torch
from ..errors import FaceError, JobCancelled, MediaError
from ..heads.loader import load_head
from ..media.clip import Clip, Frame
from ..progress import Progress
from ..result import Reconstruction
from ..staging import staged_folder
from .actor import find_performer, footage_name, load_result, paint
from .chunks import FRAMES, Chunk, Chunks
from .flame_take import write_flame
from .follow import Follower, Sight
from .livelink import write_livelink
from .motion import MotionOptions, make_take
from .options import TrackOptions
from .perform import FrameState, perform
from .person import Performer
from .regressed import Batches, ClipRegressor, open_regressor
from .report import take_report

AHEAD = 8
"""Frames decoded ahead of the one that is looked at."""
FASTEST = 1000.0
"""Frames a second."""
OFTEN = 25
"""Frames between two looks at whether the job is to end."""


@dataclass(frozen=True)
class Followed:
    """What was seen, T frames from the first tick to the last.

    Attributes:
        landmarks: (T,478,3) pixels, NaN where no face was seen. confidence: (T,) 0 there.
        strangers: seconds at which only somebody else was seen.
        resumed: frames that were taken over from an earlier run.
        regressed: (T,C) rows of `regressed.Batches`, NaN where no face was seen; None where no regressor was asked.
    """

    landmarks: NDArray[np.float32]
    confidence: NDArray[np.float32]
    strangers: NDArray[np.float64]
    resumed: int
    regressed: NDArray[np.float32] | None = None


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
    if options.start_from != "points" or options.flame or options.head_model != "open":
        progress.stage("Loading the models", 0.01)
    regressor = open_regressor(options)  # likewise
    heads = {"flame"} if options.flame else set()
    for name in heads | (set() if actor is not None else {options.head_model}):
        load_head(name, options.model_folder)
    fps = options.fps or footage.info.fps
    told = () if regressor is None else (options.start_from, *regressor.source)
    chunks = Chunks(out, clip, (options.start, options.end, fps, options.face_index, *told))
    with single_threaded_torch():
        try:
            progress.stage("Following the face", 0.02)
            followed = follow(footage, options, fps, chunks, progress, regressor)
            with staged_folder(out) as scratch:
                report = _finish(footage, followed, fps, actor, options, scratch, progress, started, regressor)
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


def follow(
    footage: Clip,
    options: TrackOptions,
    fps: float,
    chunks: Chunks,
    progress: Progress,
    regressor: ClipRegressor | None = None,
) -> Followed:
    """Landmarks of the person in every frame, and a regressor's answers; saved on the way, and gone on with from what
    an earlier run saved.

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
    with Batches(regressor.network) if regressor else nullcontext() as batches:
        held = _Held(chunks, done, follower, batches)
        start = options.start + first / fps
        finished = total and first >= total
        for frame in () if finished else ahead(footage.frames(start, options.end, fps)):
            if frame.index % OFTEN == 0:
                share = (first + frame.index) / total if total else 0.5
                progress.listener("Following the face", 0.02 + 0.5 * min(share, 1.0))
            progress.check()
            held.add(first + frame.index, frame.pixels, follower(frame.pixels, frame.time))
            if len(held.index) == FRAMES:
                held.flush()
        held.flush()
    return _joined(done, resumed, footage.info.path)


@dataclass
class _Held:
    """Frames that are followed and not yet saved."""

    chunks: Chunks
    done: list[Chunk]
    follower: Follower
    batches: Batches | None
    index: list[int] = field(default_factory=list)
    points: list[NDArray] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)

    def add(self, index: int, pixels: NDArray[np.uint8], sight: Sight | None) -> None:
        """The next frame, and what was seen in it."""
        self.index.append(index)
        self.points.append(np.full((478, 3), np.nan) if sight is None else sight.points)
        self.confidence.append(0.0 if sight is None else sight.confidence)
        if self.batches is not None:
            self.batches.add(pixels, None if sight is None else sight.points)

    def flush(self) -> None:
        """Save them as a chunk."""
        if not self.index:
            return
        rows = () if self.batches is None else (self.batches.rows(),)
        chunk = Chunk(
            np.array(self.index), np.array(self.points, np.float32), np.array(self.confidence, np.float32),
            self.follower.looks, np.array(self.follower.strangers), *rows,
        )  # fmt: skip
        self.chunks.save(len(self.done), chunk)
        self.done.append(chunk)
        self.index, self.points, self.confidence = [], [], []


def _joined(chunks: Sequence[Chunk], resumed: int, path: Path) -> Followed:
    """All chunks on one row of ticks."""
    count = int(chunks[-1].index[-1]) + 1 if chunks else 0
    landmarks = np.full((count, 478, 3), np.nan, np.float32)
    confidence = np.zeros(count, np.float32)
    regressed = None
    if chunks and chunks[0].regressed.size:
        regressed = np.full((count, chunks[0].regressed.shape[1]), np.nan, np.float32)
    for chunk in chunks:
        landmarks[chunk.index], confidence[chunk.index] = chunk.points, chunk.confidence
        if regressed is not None:
            regressed[chunk.index] = chunk.regressed
    if not (confidence > 0).any():
        raise FaceError(
            f"No face was found in {path.name}.",
            "Use a clip in which one face is seen from the front, sharp and evenly lit; check the start and end times.",
        )
    return Followed(landmarks, confidence, chunks[-1].strangers, resumed, regressed)


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
    regressor: ClipRegressor | None,
) -> dict[str, Any]:
    """Head, take and files."""
    info = footage.info
    size = info.width, info.height
    name = options.head_model if actor is None else actor.report.get("head_model", "open")
    head = load_head(name, options.model_folder)
    progress.stage("Solving the head", 0.54)
    performer, pictures = find_performer(footage, followed, fps, head, actor, options, progress, regressor)
    progress.stage("Solving the performance", 0.62)
    told = None
    if regressor is not None and followed.regressed is not None:
        told = regressor.weights(followed.regressed, performer.expression_names)
    alone = options.start_from == "fast"
    frames = solve_frames(performer, followed.landmarks, followed.confidence, size, progress, told, alone)
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
    if options.flame or head.name == "flame":
        write_flame(folder, take, result, options.model_folder)
    progress.finish()
    report = take_report(footage, followed, take, frames, progress, result, options)
    report["warnings"] += [] if regressor is None else regressor.warnings()
    report["seconds_total"] = round(perf_counter() - since, 3)
    report["frames_per_second"] = round(len(take) / max(report["seconds_total"], 1e-9), 2)
    replace(result, report=result.report | report).save(folder)
    return report


def solve_frames(
    performer: Performer,
    landmarks: NDArray,
    confidence: NDArray,
    size: tuple[int, int],
    progress: Progress,
    told: NDArray | None = None,
    alone: bool = False,
) -> list[FrameState | None]:
    """Pose and expression in every frame that shows the face; `told` (T,E) and `alone` as for `perform`."""
    frames: list[FrameState | None] = []
    before: FrameState | None = None
    for t in range(len(landmarks)):
        if t % OFTEN == 0:
            progress.check()
            progress.listener("Solving the performance", 0.62 + 0.14 * t / len(landmarks))
        said = None if told is None else told[t]
        before = perform(performer, landmarks[t], size, before, said, alone) if confidence[t] > 0 else None
        frames.append(before)
    return frames
