"""Progress and cancellation, passed down to every long step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

from .errors import JobCancelled


@dataclass
class Progress:
    """Reports stages to a listener, times them, and raises `JobCancelled` when asked to stop.

    Attributes:
        listener: called with (stage title, fraction of the whole job in 0..1).
        cancelled: polled at each report; True ends the job.
        seconds: wall time spent in each finished stage, by title.
    """

    listener: Callable[[str, float], None] = lambda stage, fraction: None
    cancelled: Callable[[], bool] = lambda: False
    seconds: dict[str, float] = field(default_factory=dict)
    _stage: str = ""
    _since: float = 0.0

    def stage(self, title: str, fraction: float) -> None:
        """Enter a stage. `fraction` of the whole job is done at this moment."""
        self.finish()
        self._stage, self._since = title, perf_counter()
        self.check()
        self.listener(title, min(max(fraction, 0.0), 1.0))

    def finish(self) -> None:
        """Close the running stage's stopwatch."""
        if self._stage:
            elapsed = perf_counter() - self._since
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + elapsed
            self._stage = ""

    def check(self) -> None:
        """Raise `JobCancelled` if the user asked to stop. Cheap: call it in inner loops."""
        if self.cancelled():
            raise JobCancelled
