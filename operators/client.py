"""The owner's end of the engine's process. Knows nothing of Blender."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ..engine.errors import EngineError, WorkerError
from ..engine.worker.protocol import PROTOCOL, Cancel, Hello, Message, Quit, Run, Unfit, decode, encode

CHOOSE_PYTHON = "Choose a Python 3.11 or newer in the add-on's preferences, or leave the field empty."


@dataclass(frozen=True)
class Launch:
    """How to start the engine's process.

    Attributes:
        interpreter: the Python to run.
        root: folder that holds the package `engine`.
        log: file for the process's standard error; the one before is kept beside it as *.old.
        paths: further import folders (the extension's wheels, for Blender's own Python).
        bundled: Blender's own Python with the extension's wheels, kept apart from the user's site-packages.
        module: what to run.
        environment: further variables.
    """

    interpreter: Path
    root: Path
    log: Path
    paths: tuple[Path, ...] = ()
    bundled: bool = False
    module: str = "engine.worker"
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self) -> list[str]:
        """The command line."""
        isolation, flags = (["-s"], ["--bundled"]) if self.bundled else ([], [])
        return [str(self.interpreter), *isolation, "-m", self.module, *flags]

    def variables(self) -> dict[str, str]:
        """The process's environment: ours, with an import path of its own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        path = os.pathsep.join(str(folder) for folder in (self.root, *self.paths))
        return {**kept, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", **self.environment}


class EngineProcess:
    """Starts the engine's process when a job needs it, and keeps it warm between jobs. One job at a time."""

    patience = 60.0  # seconds until the process must have said hello; a cold disk is slow

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.hello: Hello | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._messages: queue.Queue[Message | EngineError | None] = queue.Queue()
        self._started = 0.0
        self._job = 0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process's number while it runs."""
        return self._process.pid if self._process is not None and self.alive else None

    def run(self, kind: str, arguments: dict) -> int:
        """Start a job, and the process if need be. Returns the job's number.

        Raises:
            WorkerError: the interpreter cannot be started.
        """
        if not self.alive:
            self._start()
        self._job += 1
        self._say(Run(self._job, kind, arguments))
        return self._job

    def poll(self) -> list[Message]:
        """What the process said since the last call. Never waits.

        Raises:
            WorkerError: the process could not be started, died, or spoke nonsense. It is gone then.
        """
        heard = []
        while not self._messages.empty():
            message = self._messages.get()
            if message is None:
                raise self._ended()
            if isinstance(message, EngineError):
                self.kill()
                raise message
            if isinstance(message, Unfit):
                self.kill()
                raise WorkerError(
                    f"The engine's interpreter {message.executable} is Python {message.python}; "
                    f"the engine needs {message.needs} or newer.",
                    CHOOSE_PYTHON,
                )
            if isinstance(message, Hello):
                self.hello = message
                if message.protocol != PROTOCOL:
                    self.kill()
                    raise WorkerError("The engine is of another version than the add-on.", "Restart Blender.")
            else:
                heard.append(message)
        if self.hello is None and self.alive and time.monotonic() - self._started > self.patience:
            self.kill()
            raise WorkerError(
                f"{self.launch.interpreter} did not start the engine within {self.patience:.0f} seconds.", CHOOSE_PYTHON
            )
        return heard

    def cancel(self, job: int) -> None:
        """Ask a job to stop. Its answer comes through `poll`, if it comes at all."""
        self._say(Cancel(job))

    def close(self, patience: float = 1.0) -> None:
        """Ask the process to leave, and end it if it does not within `patience` seconds."""
        if self._process is None:
            return
        self._say(Quit())
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        self.kill()

    def kill(self) -> None:
        """End the process at once, and forget what it said."""
        process, self._process, self.hello = self._process, None, None
        self._messages = queue.Queue()
        if process is None:
            return
        process.kill()
        process.wait()
        if process.stdin is not None:
            _close_quietly(process.stdin)  # the other stream is closed by its listener

    def log_tail(self, lines: int = 1) -> str:
        """The last non-empty lines of the process's log."""
        try:
            text = self.launch.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])

    def _start(self) -> None:
        self.kill()
        interpreter = self.launch.interpreter
        if not interpreter.is_file():
            raise WorkerError(f"There is no engine interpreter at {interpreter}.", CHOOSE_PYTHON)
        try:
            self.launch.log.parent.mkdir(parents=True, exist_ok=True)
            if self.launch.log.exists():
                os.replace(self.launch.log, self.launch.log.with_suffix(".old"))
            with self.launch.log.open("wb") as log:
                self._process = subprocess.Popen(
                    self.launch.command(),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=self.launch.variables(),
                    cwd=self.launch.log.parent,
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            raise WorkerError(
                f"The engine cannot be started with {interpreter}: {error.strerror or error}.", CHOOSE_PYTHON
            ) from error
        self._started = time.monotonic()
        assert self._process.stdout is not None
        threading.Thread(
            target=_listen, args=(self._process.stdout, self._messages), name="likeness engine", daemon=True
        ).start()

    def _say(self, message: Message) -> None:
        """Write one line. A dead process is no error here: `poll` tells what became of it."""
        if self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(OSError):
            self._process.stdin.write(encode(message))
            self._process.stdin.flush()

    def _ended(self) -> WorkerError:
        """The error for a process that ended by itself or was killed."""
        assert self._process is not None
        greeted, code = self.hello is not None, self._process.wait()
        self.kill()
        last_line = self.log_tail()
        if not greeted:
            return WorkerError(
                f"{self.launch.interpreter} does not run the engine ({describe_exit(code)}). {last_line}".strip(),
                CHOOSE_PYTHON,
            )
        if code < 0:
            return WorkerError(
                f"The engine's process was ended from outside ({describe_exit(code)}).",
                "Often the machine ran out of memory: choose a smaller texture, close other programs, and try again.",
            )
        return WorkerError(
            f"The engine's process ended unexpectedly ({describe_exit(code)}). {last_line}".strip(),
            f"Try again; the details are in {self.launch.log}.",
        )


def describe_exit(code: int) -> str:
    """An exit status in words: the signal's name, or the exit code."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _listen(stream: IO[bytes], messages: queue.Queue[Message | EngineError | None]) -> None:
    """Queue what the process says; None when it says no more."""
    with stream:
        for line in stream:
            try:
                messages.put(decode(line))
            except ValueError:
                text = line.decode("utf-8", errors="replace").strip()[:80]
                messages.put(WorkerError(f"The interpreter does not speak as an engine: “{text}”.", CHOOSE_PYTHON))
                return
    messages.put(None)


def _close_quietly(stream: IO[bytes]) -> None:
    """Close a pipe that may be broken: what is still buffered for a dead process cannot be flushed."""
    with contextlib.suppress(OSError):
        stream.close()
