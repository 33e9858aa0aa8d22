"""The thin shell around a job in a window: a timer steps it, Esc cancels it, the sidebar is redrawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from ..engine.errors import EngineError
from .job import EngineJob, State
from .session import SESSION

INTERVAL = 0.1  # seconds between two looks at the engine


class ModalJob(bpy.types.Operator if TYPE_CHECKING else object):
    """Mixed into an operator that runs the session's job, in a window or waiting for it."""

    _timer: bpy.types.Timer | None = None

    def run_job(self, context: bpy.types.Context, wait: bool) -> set[str]:
        """Run the session's job: in a window without blocking, else (`wait`, or no window) to its end."""
        assert SESSION.job is not None
        if not wait and not bpy.app.background and context.window is not None:
            return self._start_modal(context)
        SESSION.job.run()
        return self.finish(context, SESSION.job)

    def _start_modal(self, context: bpy.types.Context) -> set[str]:
        manager: Any = context.window_manager
        self._timer = manager.event_timer_add(INTERVAL, window=context.window)
        manager.modal_handler_add(self)
        redraw(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Called by Blender for every event while the job runs."""
        job = self.job
        if job is None:  # the session was closed
            return self._leave(context, {"CANCELLED"})
        if event.type == "ESC" and event.value == "PRESS":
            job.cancel()
            redraw(context)
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        finished = job.step()
        redraw(context)
        return self._leave(context, self.finish(context, job)) if finished else {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Called by Blender when it ends the operator itself: another file is loaded, or the window closes."""
        if self.job is not None:
            self.job.cancel(wait=True)
        self._leave(context, set())

    @property
    def job(self) -> EngineJob | None:
        """The job this operator looks after."""
        return SESSION.job

    def finish(self, context: bpy.types.Context, job: EngineJob) -> set[str]:
        """Tell the user how the job ended. Returns the operator's result."""
        if job.state is State.CANCELLED:
            self.report({"INFO"}, f"{job.title}: cancelled, nothing was changed")
            return {"CANCELLED"}
        if job.error is not None:
            return self.fail(job.error)
        return self.succeed(context, job)

    def fail(self, error: Exception) -> set[str]:
        """Report an error. In a script it is raised as a RuntimeError."""
        parts = (error.message, error.cure) if isinstance(error, EngineError) else (str(error),)
        # The pop-up breaks the line; the status bar does not, and needs the space.
        self.report({"ERROR"}, " \n".join(part for part in parts if part))
        return {"CANCELLED"}

    def succeed(self, context: bpy.types.Context, job: EngineJob) -> set[str]:
        """What an operator does with a good result."""
        return {"FINISHED"}

    def _leave(self, context: bpy.types.Context, result: set[str]) -> set[str]:
        if self._timer is not None:
            manager: Any = context.window_manager
            manager.event_timer_remove(self._timer)
            self._timer = None
        redraw(context)
        return result


def redraw(context: bpy.types.Context) -> None:
    """Redraw sidebars and preferences."""
    manager: Any = context.window_manager
    for window in manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "PREFERENCES"}:
                area.tag_redraw()


def after_browser(self: bpy.types.Operator, context: bpy.types.Context, operator: Any, **choices: Any) -> set[str]:
    """Go on when the file browser has closed: an operator that had it open cannot wait for a job itself."""
    try:
        operator("EXEC_DEFAULT" if bpy.app.background or context.window is None else "INVOKE_DEFAULT", **choices)
    except RuntimeError as error:  # what the other one reported
        self.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
        return {"CANCELLED"}
    return {"FINISHED"}
