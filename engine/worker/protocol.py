"""What the engine's process and its owner say to each other: one JSON object a line, in UTF-8.

The owner says `Run`, `Cancel` and `Quit`; the worker says `Hello` (or `Unfit`) once, then `Stage`, and `Done` or
`Failed` for every job. Arrays and pictures never travel here: they lie in the job's folder.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from .. import errors
from ..errors import EngineError, JobCancelled

PROTOCOL = 1


@dataclass(frozen=True)
class Hello:
    """The worker is ready. `python` is its version, `executable` its interpreter."""

    protocol: int
    python: str
    executable: str
    engine: str


@dataclass(frozen=True)
class Unfit:
    """The interpreter cannot run the engine at all: its Python is older than `needs`."""

    python: str
    executable: str
    needs: str


@dataclass(frozen=True)
class Run:
    """Start a job of a kind in the worker's table, with JSON-ready arguments."""

    job: int
    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cancel:
    """Stop a job, whether it runs or waits."""

    job: int


@dataclass(frozen=True)
class Quit:
    """Leave."""


@dataclass(frozen=True)
class Stage:
    """A job entered a stage, with `fraction` (0..1) of the whole job done."""

    job: int
    stage: str
    fraction: float


@dataclass(frozen=True)
class Done:
    """A job succeeded."""

    job: int
    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """A job ended with an error of the class named `error`; `detail` is the traceback, for the log."""

    job: int
    error: str
    message: str
    cure: str = ""
    detail: str = ""

    def to_error(self) -> EngineError:
        """The error as one of the engine's own classes."""
        if self.error == JobCancelled.__name__:
            return JobCancelled()
        kind = getattr(errors, self.error, None)
        if not (isinstance(kind, type) and issubclass(kind, EngineError)):
            kind = EngineError
        return kind(self.message, self.cure)


Message = Hello | Unfit | Run | Cancel | Quit | Stage | Done | Failed
KINDS: dict[str, type] = {
    kind.__name__.lower(): kind for kind in (Hello, Unfit, Run, Cancel, Quit, Stage, Done, Failed)
}


def encode(message: Message) -> bytes:
    """One line, plain ASCII, with its newline."""
    return (json.dumps({"say": type(message).__name__.lower(), **asdict(message)}) + "\n").encode("ascii")


def decode(line: bytes) -> Message:
    """Read one line.

    Raises:
        ValueError: the line is not a message of this protocol.
    """
    try:
        fields = json.loads(line)
        return KINDS[fields.pop("say")](**fields)
    except (AttributeError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"not a message: {line[:200]!r}") from error
