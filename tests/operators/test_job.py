"""Jobs through a real process: success, every kind of failure, cancel at every stage, and what is left behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from likeness.engine.errors import DeviceError, EngineError, FaceError, OutputError, WorkerError
from likeness.operators.job import State


def run(job) -> None:
    job.run(0.005)


def step_until(job, stage: str, seconds: float = 20.0) -> None:
    """Step a job until it shows a stage."""
    end = time.monotonic() + seconds
    while job.stage != stage:
        assert not job.step(), f"ended as {job.state} with {job.error}"
        assert time.monotonic() < end, f"still at {job.stage}"
        time.sleep(0.005)


def gone(pid: int, seconds: float = 3.0) -> bool:
    """Whether a process that is not our child any more ended within `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_success_builds_from_the_result_folder(make_job, tmp_path):
    job = make_job("good")
    run(job)
    assert job.state is State.DONE
    assert job.fraction == 1.0
    assert job.built == [tmp_path / "result" / "head.npz"]
    assert job.result["options"]["texture_size"] == 2048


@pytest.mark.parametrize(
    ("act", "stage", "fraction"), [("stubborn", "Reading the photo", 0.1), ("slow", "Fitting the head", 0.5)]
)
def test_stages_and_fractions_reach_the_owner(make_job, act, stage, fraction):
    job = make_job(act)
    step_until(job, stage)
    assert job.fraction == pytest.approx(fraction * 0.95)
    job.cancel(wait=True)


def test_building_is_a_step_of_its_own(make_job):
    job = make_job("good")
    step_until(job, "Building the head")
    assert job.state is State.BUILDING
    assert job.built is None
    assert job.step()
    assert job.built


def test_process_stays_warm_between_jobs(make_job):
    first, second = make_job("good"), None
    run(first)
    second = make_job("good-again")
    run(second)
    assert first.result["pid"] == second.result["pid"]


def test_library_noise_does_not_disturb_the_messages(make_job, process):
    job = make_job("noisy")
    run(job)
    assert job.state is State.DONE
    assert "library noise" in process.log_tail(20)


@pytest.mark.parametrize(
    ("act", "kind", "message", "cure"),
    [
        ("noface", FaceError, "No face was found", "face is larger"),
        ("memory", DeviceError, "not enough memory", "smaller texture"),
        ("full", OutputError, "No space left", "free space"),
        ("notorch", WorkerError, "has no package “torch”", "-m pip install torch"),
        ("bug", EngineError, "unexpected error: KeyError", "The details are in "),
        ("killed", WorkerError, "SIGKILL", "out of memory"),
        ("exits", WorkerError, "exit code 3). the last words", "engine.log"),
    ],
)
def test_failure_is_told_and_leaves_nothing(make_job, tmp_path, act, kind, message, cure):
    job = make_job(act)
    run(job)
    assert job.state is State.FAILED
    assert type(job.error) is kind
    assert message in job.error.message
    assert cure in job.error.cure
    assert not (tmp_path / "result").exists()


@pytest.mark.parametrize("act", ["killed", "exits"])
def test_next_job_after_a_crash_starts_a_new_process(make_job, act):
    run(make_job(act))
    job = make_job("good")
    run(job)
    assert job.state is State.DONE


def test_failure_keeps_the_process_and_logs_the_traceback(make_job, process):
    run(make_job("bug"))
    pid = process.pid
    assert "KeyError" in process.log_tail()
    job = make_job("good")
    run(job)
    assert job.result["pid"] == pid


def test_build_that_fails_is_a_failure_of_the_job(make_job, tmp_path):
    def build(folder: Path) -> None:
        raise ZeroDivisionError("a bug in the builder")

    job = make_job("good", build)
    run(job)
    assert job.state is State.FAILED
    assert "a bug in the builder" in job.error.message
    assert not (tmp_path / "result").exists()


def test_cancel_is_obeyed_within_half_a_second_and_keeps_the_process(make_job, process, tmp_path):
    job = make_job("slow")
    step_until(job, "Fitting the head")
    pid, since = process.pid, time.monotonic()
    job.cancel(wait=True)
    assert time.monotonic() - since < 0.5
    assert job.state is State.CANCELLED
    assert process.pid == pid
    assert not (tmp_path / "result").exists()


def test_job_that_does_not_obey_is_ended(make_job, process, tmp_path):
    job = make_job("stubborn")
    step_until(job, "Reading the photo")
    pid, since = process.pid, time.monotonic()
    job.cancel(wait=True)
    assert time.monotonic() - since < 1.0
    assert job.state is State.CANCELLED
    assert gone(pid)
    assert not (tmp_path / "result").exists()


def test_cancel_before_the_engine_has_started(make_job):
    job = make_job("good")
    job.cancel(wait=True)
    assert job.state is State.CANCELLED


def test_cancel_while_the_build_waits(make_job, tmp_path):
    job = make_job("good")
    step_until(job, "Building the head")
    job.cancel()
    assert job.state is State.CANCELLED
    assert job.built is None
    assert not (tmp_path / "result").exists()


def test_cancel_of_a_finished_job_changes_nothing(make_job):
    job = make_job("good")
    run(job)
    job.cancel()
    assert job.state is State.DONE


def test_interrupt_cancels_and_is_passed_on(make_job, process):
    class Interrupted(BaseException):
        pass

    job = make_job("slow")
    step_until(job, "Fitting the head")
    real_poll = process.poll

    def poll():
        process.poll = real_poll
        raise Interrupted

    process.poll = poll
    with pytest.raises(Interrupted):
        job.run(0.005)
    assert job.state is State.CANCELLED
