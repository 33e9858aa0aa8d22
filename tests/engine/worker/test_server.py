"""The server on a pair of pipes: jobs in order, cancel of a waiting job, nonsense on the line."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.options import ReconstructOptions
from engine.worker import server as server_module
from engine.worker.jobs import options_of, reconstruct_arguments
from engine.worker.protocol import PROTOCOL, Cancel, Done, Failed, Hello, Quit, Run, Stage, decode, encode
from engine.worker.server import Server


@pytest.fixture
def converse(monkeypatch) -> Callable:
    """converse(jobs, lines): what a server with these jobs answers to these lines, until it has been told to quit."""
    left = threading.Event()
    monkeypatch.setattr(server_module, "LAST_WORDS", 0.0)
    monkeypatch.setattr(server_module.os, "_exit", lambda code: left.set())

    def converse(jobs, lines, quit_after: threading.Event | None = None) -> list:
        reading, writing = os.pipe()
        output = io.BytesIO()
        with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb", buffering=0) as owner:
            worker = threading.Thread(target=Server(reader, output, jobs, bundled=False).serve)
            worker.start()
            for line in lines:
                owner.write(line if isinstance(line, bytes) else encode(line))
            if quit_after is not None:
                assert quit_after.wait(5.0)
            owner.write(encode(Quit()))
            worker.join(5.0)
            assert left.wait(5.0)
        return [decode(line) for line in output.getvalue().splitlines()]

    return converse


def test_says_hello_first(converse):
    (hello,) = converse({}, [])
    assert isinstance(hello, Hello)
    assert hello.protocol == PROTOCOL


def test_runs_jobs_in_order_with_their_arguments(converse):
    finished = threading.Event()

    def job(arguments, progress):
        progress.stage("Halfway", 0.5)
        if arguments["last"]:
            finished.set()
        return {"answer": arguments["last"]}

    messages = [Run(1, "job", {"last": False}), b"nonsense\n", Run(2, "job", {"last": True})]
    assert converse({"job": job}, messages, finished)[1:] == [
        Stage(1, "Halfway", 0.5),
        Done(1, {"answer": False}),
        Stage(2, "Halfway", 0.5),
        Done(2, {"answer": True}),
    ]


def test_cancel_reaches_a_running_job_and_a_waiting_one(converse):
    ended = threading.Event()
    started = threading.Event()

    def patient(arguments, progress):
        started.set()
        for _ in range(1000):
            progress.check()
            threading.Event().wait(0.005)
        raise AssertionError("was not cancelled")

    def last(arguments, progress):
        ended.set()
        return {}

    messages = [Run(1, "patient"), Run(2, "patient"), Run(3, "last"), Cancel(2), Cancel(1)]
    answers = converse({"patient": patient, "last": last}, messages, ended)[1:]
    assert [(type(answer), answer.job) for answer in answers] == [(Failed, 1), (Failed, 2), (Done, 3)]
    assert [answer.error for answer in answers[:2]] == ["JobCancelled", "JobCancelled"]


def test_unknown_job(converse):
    ended = threading.Event()
    answers = converse({"end": lambda arguments, progress: ended.set() or {}}, [Run(1, "dance"), Run(2, "end")], ended)
    assert "knows no job “dance”" in answers[1].message


def test_quit_stops_a_running_job(converse):
    started = threading.Event()

    def job(arguments, progress):
        started.set()
        while True:
            progress.check()

    (answer,) = converse({"job": job}, [Run(1, "job")], started)[1:]
    assert answer.error == "JobCancelled"


def test_options_survive_the_journey():
    options = ReconstructOptions(texture_size=512, device="cpu", face_index=2, model_folder=Path("models"), seed=7)
    values = reconstruct_arguments(Path("photo.jpg"), Path("out"), options)["options"]
    assert options_of(ReconstructOptions, values) == options
    assert options_of(ReconstructOptions, values | {"from_the_future": 1}) == options
