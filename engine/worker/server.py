"""The worker's two threads: one listens, the main one works."""

from __future__ import annotations

import logging
import os
import platform
import queue
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import BinaryIO

from .. import __version__
from ..errors import JobCancelled
from ..progress import Progress
from .failures import failure
from .jobs import JOBS, JobFunction
from .protocol import PROTOCOL, Cancel, Done, Hello, Message, Quit, Run, Stage, decode, encode

log = logging.getLogger(__name__)
LAST_WORDS = 0.5  # seconds a job has to end by itself once the owner is gone


class Server:
    """Runs jobs one after the other, and hears `Cancel` and the owner's death while one runs."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO, jobs: Mapping[str, JobFunction], bundled: bool) -> None:
        self.reader, self.writer, self.jobs, self.bundled = reader, writer, jobs, bundled
        self.requests: queue.Queue[Run | None] = queue.Queue()
        self.cancelled: set[int] = set()
        self.closing = threading.Event()
        self.speech = threading.Lock()

    def serve(self) -> None:
        """Work until told to quit or until the owner is gone."""
        self.say(Hello(PROTOCOL, platform.python_version(), sys.executable, __version__))
        threading.Thread(target=self.listen, name="listener", daemon=True).start()
        while (request := self.requests.get()) is not None:
            self.run(request)

    def listen(self) -> None:
        """Sort what the owner says. The end of the stream means that the owner quit, crashed or was killed."""
        for line in self.reader:
            try:
                message = decode(line)
            except ValueError as error:
                log.error("%s", error)
                continue
            if isinstance(message, Run):
                self.requests.put(message)
            elif isinstance(message, Cancel):
                self.cancelled.add(message.job)
            elif isinstance(message, Quit):
                break
        self.closing.set()
        self.requests.put(None)
        time.sleep(LAST_WORDS)
        os._exit(0)  # the main thread sits in a long computation that does not look up

    def run(self, request: Run) -> None:
        """Run one job to its `Done` or `Failed`."""
        progress = Progress(
            listener=lambda stage, fraction: self.say(Stage(request.job, stage, fraction)),
            cancelled=lambda: self.closing.is_set() or request.job in self.cancelled,
        )
        try:
            if request.kind not in self.jobs:
                raise ValueError(f"this engine knows no job “{request.kind}”")
            progress.check()
            self.say(Done(request.job, self.jobs[request.kind](request.arguments, progress)))
        except (Exception, SystemExit) as error:
            failed = failure(request.job, error, self.bundled)
            if not isinstance(error, JobCancelled):
                log.error("job %d (%s) failed\n%s", request.job, request.kind, failed.detail)
            self.say(failed)
        self.cancelled.discard(request.job)

    def say(self, message: Message) -> None:
        """Write one line at once."""
        with self.speech:
            try:
                self.writer.write(encode(message))
                self.writer.flush()
            except OSError:
                self.closing.set()  # nobody listens any more; the listener ends the process


def serve(reader: BinaryIO, writer: BinaryIO, jobs: Mapping[str, JobFunction] = JOBS, bundled: bool = False) -> None:
    """Be a worker on two byte streams.

    Args:
        jobs: what can be run, by kind.
        bundled: this is Blender's own Python with the extension's wheels.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in Blender's terminal is Blender's; its end is ours
    Server(reader, writer, jobs, bundled).serve()
