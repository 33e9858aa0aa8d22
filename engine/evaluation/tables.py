"""Figures as tables: Markdown to read, plain lists to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Cell = str | int | float | None
DIGITS = 3


@dataclass(frozen=True)
class Table:
    """Named figures.

    Attributes:
        title: what is measured.
        columns: headings; the first is of the rows' names.
        rows: each as long as the columns. None and NaN stand for "nothing to measure".
        note: how it was measured: units, what was left out.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def markdown(self) -> str:
        """Heading, note and table."""
        lines = [f"### {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        lines += [_line(self.columns), _line(["---"] * len(self.columns))]
        return "\n".join([*lines, *(_line([shown(cell) for cell in row]) for row in self.rows), ""])

    def packed(self) -> dict[str, Any]:
        """For JSON; NaN becomes null."""
        rows = [[_plain(cell) for cell in row] for row in self.rows]
        return {"title": self.title, "note": self.note, "columns": list(self.columns), "rows": rows}


def shown(cell: Cell) -> str:
    """A cell for people: three significant digits, none of them after the point from 100 on."""
    if cell is None or (isinstance(cell, (float, np.floating)) and not np.isfinite(cell)):
        return "–"
    if isinstance(cell, (float, np.floating)):
        return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:#.{DIGITS}g}".rstrip(".")
    return str(cell)


def mean(values: Any) -> float:
    """The mean of any number of values; NaN of none."""
    flat = np.asarray(values, np.float64).ravel()
    return float(flat.mean()) if len(flat) else float("nan")


def _plain(cell: Cell) -> Cell:
    if isinstance(cell, (float, np.floating)):
        return float(cell) if np.isfinite(cell) else None
    return int(cell) if isinstance(cell, np.integer) else cell


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
