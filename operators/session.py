"""What lives as long as Blender runs: the warm engine, the job of the moment, and what came of the last one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..engine.errors import EngineError, WorkerError
from .addon import launch
from .client import EngineProcess, Launch
from .job import EngineJob

Job = TypeVar("Job", bound=EngineJob)


class Session:
    """One engine process and at most one job.

    Attributes:
        make_launch: how to start the engine, asked before every job, so that changed preferences count.
        job: the job that runs, or ran last.
        refusal: why the last job could not even be started, or None.
        engine_report: what "Check Engine" found, or None.
    """

    def __init__(self, make_launch: Callable[[], Launch] = launch) -> None:
        self.make_launch = make_launch
        self.process: EngineProcess | None = None
        self.job: EngineJob | None = None
        self.refusal: EngineError | None = None
        self.engine_report: dict[str, Any] | None = None

    @property
    def running(self) -> EngineJob | None:
        """The job that runs now."""
        return self.job if self.job is not None and not self.job.finished else None

    @property
    def error(self) -> EngineError | None:
        """Why the last job failed; None after a good one."""
        return self.refusal or (self.job.error if self.job is not None else None)

    def forget(self) -> None:
        """Forget the last job, unless it runs."""
        if self.running is None:
            self.job = self.refusal = None

    def start(self, make: Callable[[EngineProcess], Job]) -> Job:
        """Start a job.

        Args:
            make: gives the job on an engine process.
        Raises:
            WorkerError: another one runs, or the engine cannot be started.
        """
        if self.running is not None:
            raise WorkerError(
                f"The engine is busy with “{self.running.title}”.", "Wait until it is done, or cancel it."
            )
        self.forget()
        try:
            self.job = job = make(self._engine())
        except EngineError as error:
            self.refusal = error
            raise
        return job

    def cancel(self) -> None:
        """End the running job, if there is one, before this returns."""
        if self.running is not None:
            self.running.cancel(wait=True)

    def close(self) -> None:
        """End the job and the engine."""
        self.cancel()
        if self.process is not None:
            self.process.close()
        self.process = None
        self.forget()

    def _engine(self) -> EngineProcess:
        wanted = self.make_launch()
        if self.process is None or self.process.launch != wanted:
            if self.process is not None:
                self.process.close()
            self.process = EngineProcess(wanted)
        return self.process


SESSION = Session()
