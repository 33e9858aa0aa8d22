"""The shell around a job in a window, with a pretended window: events in, operator results out."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from likeness.engine.errors import FaceError
from likeness.operators import modal
from likeness.operators.job import State

ESC = SimpleNamespace(type="ESC", value="PRESS")
TIMER = SimpleNamespace(type="TIMER", value="NOTHING")
MOUSE = SimpleNamespace(type="MOUSEMOVE", value="NOTHING")


class Job:
    """A job that ends as told after some steps, or when cancelled."""

    title = "portrait.jpg"

    def __init__(self, steps=3, state=State.DONE, error=None):
        self.steps, self.outcome, self.error = steps, state, error
        self.state, self.waited = State.RUNNING, False

    def step(self):
        self.steps -= 1
        if self.steps <= 0:
            self.state = self.outcome
        return self.steps <= 0

    def cancel(self, wait=False):
        self.steps, self.outcome, self.waited = 1, State.CANCELLED, wait


class Shell(modal.ModalJob):
    """The operator."""

    def __init__(self):
        self.reports = []

    def report(self, kind, text):
        self.reports.append((next(iter(kind)), text))


class Manager:
    """A window manager with one 3D view."""

    def __init__(self):
        self.timers = []
        self.redraws = 0
        area = SimpleNamespace(type="VIEW_3D", tag_redraw=self.redraw)
        other = SimpleNamespace(type="TEXT_EDITOR", tag_redraw=pytest.fail)
        self.windows = [SimpleNamespace(screen=SimpleNamespace(areas=[area, other]))]

    def redraw(self):
        self.redraws += 1

    def event_timer_add(self, interval, window):
        self.timers.append(interval)
        return interval

    def event_timer_remove(self, timer):
        self.timers.remove(timer)

    def modal_handler_add(self, operator):
        self.handler = operator


@pytest.fixture
def run(monkeypatch):
    """run(job): an operator in a window that looks after the job, its context."""
    monkeypatch.setattr(modal, "bpy", SimpleNamespace(app=SimpleNamespace(background=False)))

    def run(job):
        monkeypatch.setattr(modal, "SESSION", SimpleNamespace(job=job))
        shell, context = Shell(), SimpleNamespace(window="window", window_manager=Manager())
        assert shell.run_job(context, wait=False) == {"RUNNING_MODAL"}
        assert context.window_manager.handler is shell
        assert len(context.window_manager.timers) == 1
        return shell, context

    return run


def test_timer_steps_until_done_and_other_events_pass(run):
    shell, context = run(Job(steps=2))
    assert shell.modal(context, MOUSE) == {"PASS_THROUGH"}
    assert shell.modal(context, TIMER) == {"PASS_THROUGH"}
    assert shell.modal(context, MOUSE) == {"PASS_THROUGH"}
    assert shell.modal(context, TIMER) == {"FINISHED"}
    assert context.window_manager.timers == []
    assert context.window_manager.redraws >= 3


def test_escape_cancels_at_the_next_tick_without_blocking(run):
    job = Job(steps=100)
    shell, context = run(job)
    assert shell.modal(context, ESC) == {"RUNNING_MODAL"}
    assert not job.waited
    assert shell.modal(context, TIMER) == {"CANCELLED"}
    assert shell.reports == [("INFO", "portrait.jpg: cancelled, nothing was changed")]
    assert context.window_manager.timers == []


def test_failure_is_reported(run):
    shell, context = run(Job(steps=1, state=State.FAILED, error=FaceError("No face.", "Another photo.")))
    assert shell.modal(context, TIMER) == {"CANCELLED"}
    assert shell.reports == [("ERROR", "No face. \nAnother photo.")]


def test_blender_ends_the_operator(run):
    """Another file is loaded, or the window is closed: nobody will step the job any more."""
    job = Job(steps=100)
    shell, context = run(job)
    shell.cancel(context)
    assert job.waited
    assert context.window_manager.timers == []


def test_session_closed_under_a_running_operator(run, monkeypatch):
    shell, context = run(Job(steps=100))
    monkeypatch.setattr(modal, "SESSION", SimpleNamespace(job=None))
    assert shell.modal(context, TIMER) == {"CANCELLED"}
    assert context.window_manager.timers == []
