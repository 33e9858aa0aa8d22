"""Jobs as plain state machines: a timer, a loop or a test calls `step` until they finish. Knows nothing of Blender."""

from __future__ import annotations

import enum
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.errors import EngineError, JobCancelled
from ..engine.options import ReconstructOptions
from ..engine.tracking.options import TrackOptions
from ..engine.worker.jobs import depth_arguments, reconstruct_arguments, several_arguments, track_arguments
from ..engine.worker.protocol import Done, Failed, Message, Stage
from .client import EngineProcess

if TYPE_CHECKING:
    from ..engine.depth.options import DepthOptions


class State(enum.Enum):
    """Where a job is."""

    RUNNING = enum.auto()
    BUILDING = enum.auto()
    DONE = enum.auto()
    FAILED = enum.auto()
    CANCELLED = enum.auto()


class EngineJob:
    """One job in the engine's process.

    Attributes:
        title: what the user calls it.
        state, stage, fraction: for the progress bar; `fraction` is 0..1.
        result: of a finished job.
        error: of a failed job.
    """

    grace = 0.5  # seconds the engine has to obey a cancel before its process is ended
    engine_share = 1.0  # part of the progress bar that is the engine's

    def __init__(self, process: EngineProcess, title: str, kind: str, arguments: dict[str, Any]) -> None:
        self.process = process
        self.title = title
        self.state = State.RUNNING
        self.stage = "Starting the engine"
        self.fraction = 0.0
        self.result: dict[str, Any] = {}
        self.error: EngineError | None = None
        self.started = time.monotonic()
        self.seconds = 0.0
        self._cancelled_at: float | None = None
        self._number = process.run(kind, arguments)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.state in (State.DONE, State.FAILED, State.CANCELLED)

    def step(self) -> bool:
        """Take in what the engine said, and do what is due. Returns `finished`. Never waits for the engine."""
        if self.state is State.RUNNING:
            try:
                for message in self.process.poll():
                    self._hear(message)
            except EngineError as error:
                self._end(State.FAILED, error)
        if self.state is State.RUNNING and self._cancelled_at is not None:
            self._insist()
        return self.finished

    def cancel(self, wait: bool = False) -> None:
        """Ask the job to end; it does within `grace` seconds of stepping, or before this returns if `wait`."""
        if self.finished or self._cancelled_at is not None:
            return
        self._cancelled_at = time.monotonic()
        self.stage = "Cancelling"
        if self.state is State.RUNNING:
            self.process.cancel(self._number)
        else:
            self._end(State.CANCELLED)
        while wait and not self.step():
            time.sleep(0.01)

    def run(self, interval: float = 0.02, on_stage: Callable[[str, float], object] | None = None) -> None:
        """Step to the end, for scripts and background mode. An interrupt (Ctrl+C) cancels the job and goes on.

        Args:
            interval: seconds between two steps.
            on_stage: called with every new stage and the fraction done.
        """
        shown = ""
        try:
            while not self.step():
                if on_stage is not None and self.stage != shown:
                    shown = self.stage
                    on_stage(shown, self.fraction)
                time.sleep(interval)
        except BaseException:
            self.cancel(wait=True)
            raise

    def _hear(self, message: Message) -> None:
        """One message of the engine."""
        if getattr(message, "job", None) != self._number or self.finished:
            return
        if isinstance(message, Stage) and self._cancelled_at is None:
            self.stage, self.fraction = message.stage, message.fraction * self.engine_share
        elif isinstance(message, Failed):
            self._engine_failed(message.to_error())
        elif isinstance(message, Done):
            self.result = message.result
            if self._cancelled_at is not None:
                self._end(State.CANCELLED)
            else:
                self._engine_done()

    def _engine_done(self) -> None:
        self._end(State.DONE)

    def _engine_failed(self, error: EngineError) -> None:
        if isinstance(error, JobCancelled):
            self._end(State.CANCELLED)
            return
        if type(error) is EngineError:  # a bug: only the log tells more
            error.cure = f"{error.cure} The details are in {self.process.launch.log}.".strip()
        self._end(State.FAILED, error)

    def _insist(self) -> None:
        """End the process of a job that does not obey. The next job starts a new one."""
        assert self._cancelled_at is not None
        if time.monotonic() - self._cancelled_at > self.grace:
            self.process.kill()
            self._end(State.CANCELLED)

    def _end(self, state: State, error: EngineError | None = None) -> None:
        self.state, self.error = state, error
        self.seconds = time.monotonic() - self.started
        if state is State.DONE:
            self.fraction = 1.0


class BuildJob(EngineJob):
    """Lets the engine fill a folder, then builds from it in the caller's process.

    Args:
        title: what the user calls the job.
        folder: where the result goes. Removed with all it holds unless the job succeeds, so it must be a new one.
        build: called with `folder` when the result lies there; returns what it built, leaves nothing if it raises.
        keep: leave the folder when the job is cancelled: the engine goes on from what it holds.
    """

    engine_share = 0.95
    building = "Building the head"

    def __init__(
        self,
        process: EngineProcess,
        title: str,
        kind: str,
        arguments: dict[str, Any],
        folder: Path,
        build: Callable[[Path], Any],
        keep: bool = False,
    ) -> None:
        self.folder, self.build, self.keep = folder, build, keep
        self.built: Any = None
        super().__init__(process, title, kind, arguments)

    def step(self) -> bool:
        """As `EngineJob.step`; the build is a step of its own, so that its stage is seen before it blocks."""
        if self.state is not State.BUILDING:
            return super().step()
        try:
            self.built = self.build(self.folder)
        except EngineError as error:
            self._end(State.FAILED, error)
        except Exception as error:
            failure = EngineError(f"The result could not be built: {type(error).__name__}: {error}")
            failure.__cause__ = error
            self._end(State.FAILED, failure)
        else:
            self._end(State.DONE)
        return self.finished

    def _engine_done(self) -> None:
        self.state, self.stage, self.fraction = State.BUILDING, self.building, self.engine_share

    def _end(self, state: State, error: EngineError | None = None) -> None:
        super()._end(state, error)
        if state is not State.DONE and not (self.keep and state is State.CANCELLED):
            shutil.rmtree(self.folder, ignore_errors=True)


class ReconstructJob(BuildJob):
    """Reconstructs a photo in the engine's process, then builds the head in the caller's."""

    def __init__(
        self,
        process: EngineProcess,
        photo: Path,
        folder: Path,
        options: ReconstructOptions,
        build: Callable[[Path], Any],
    ) -> None:
        self.photo = photo
        arguments = reconstruct_arguments(photo, folder, options)
        super().__init__(process, photo.name, "reconstruct", arguments, folder, build)


class SeveralJob(BuildJob):
    """Reconstructs one head from several photos in the engine's process, then builds it in the caller's."""

    def __init__(
        self,
        process: EngineProcess,
        photos: Sequence[Path],
        folder: Path,
        options: ReconstructOptions,
        build: Callable[[Path], Any],
    ) -> None:
        self.photos = tuple(photos)
        title = self.photos[0].name if len(self.photos) == 1 else f"{len(self.photos)} photos"
        arguments = several_arguments(self.photos, folder, options)
        super().__init__(process, title, "reconstruct_several", arguments, folder, build)


class DepthJob(BuildJob):
    """Makes a depth mesh in the engine's process, then builds it in the caller's."""

    building = "Building the mesh"

    def __init__(
        self, process: EngineProcess, photo: Path, folder: Path, options: DepthOptions, build: Callable[[Path], Any]
    ) -> None:
        self.photo = photo
        arguments = depth_arguments(photo, folder, options)
        super().__init__(process, photo.name, "depth", arguments, folder, build)


class TrackJob(BuildJob):
    """Tracks a clip in the engine's process, then builds the action in the caller's."""

    building = "Building the action"

    def __init__(
        self, process: EngineProcess, clip: Path, folder: Path, options: TrackOptions, build: Callable[[Path], Any]
    ) -> None:
        self.clip = clip
        arguments = track_arguments(clip, folder, options)
        super().__init__(process, clip.name, "track", arguments, folder, build, options.keep_partial)
