"""What a training run says about itself: always lines of JSON, and TensorBoard's files where that is installed."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import OutputError

FILE = "log.jsonl"


class RunLog:
    """The log of one run, in its folder.

    A run that goes on from a checkpoint takes back what was logged after it.

    Args:
        out: the run's folder; made when missing.
        step: of the checkpoint that the run goes on from; 0 starts a new log.
    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, out: Path, step: int = 0) -> None:
        self.path = out / FILE
        try:
            out.mkdir(parents=True, exist_ok=True)
            self._keep_until(step)
            self._file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"The log {self.path} cannot be written ({error}).", "Choose another folder.") from error
        self._board = _tensorboard(out / "tensorboard", step)

    def write(self, step: int, kind: str, values: Mapping[str, Any]) -> None:
        """Add a line: the step, what kind it is ("start", "training", "validation", "end"), the time, and values."""
        line = {"step": step, "kind": kind, "time": round(time.time(), 3), **values}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        for name, value in values.items():
            if self._board is not None and isinstance(value, int | float):
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()

    def _keep_until(self, step: int) -> None:
        lines = read_log(self.path.parent) if step else []
        kept = [json.dumps(line) + "\n" for line in lines if line["step"] <= step]
        self.path.write_text("".join(kept), encoding="utf-8")


def read_log(out: Path) -> list[dict[str, Any]]:
    """The lines of a run's log, in order; a last line that was cut off is left out. Empty when there is none."""
    path = out / FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return found


def _tensorboard(folder: Path, step: int) -> Any:
    """TensorBoard's writer, or None where TensorBoard is not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)
