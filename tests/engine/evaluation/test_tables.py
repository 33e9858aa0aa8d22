"""Figures as people and programs read them."""

from __future__ import annotations

import json
from time import sleep

import numpy as np

from engine.evaluation.machine import describe_machine, milliseconds
from engine.evaluation.tables import Table, mean, shown

TABLE = Table("Points", ("place", "error", "count"), [("eyes", 1.23456, 3), ("ears", float("nan"), None)], "In %.")


def test_markdown_has_a_heading_a_note_and_aligned_rows():
    lines = TABLE.markdown().splitlines()
    assert lines[0] == "### Points"
    assert lines[2] == "In %."
    assert lines[4:] == ["| place | error | count |", "| --- | --- | --- |", "| eyes | 1.23 | 3 |", "| ears | – | – |"]


def test_cells_have_three_digits():
    assert [shown(v) for v in (0.12345, 12.345, 99.96, 1234.5, -250.4, 7)] == [
        "0.123",
        "12.3",
        "100",
        "1234",
        "-250",
        "7",
    ]


def test_json_has_no_nan():
    packed = json.loads(json.dumps(TABLE.packed(), allow_nan=False))
    assert packed["rows"] == [["eyes", 1.23456, 3], ["ears", None, None]]
    assert packed["columns"] == ["place", "error", "count"]


def test_numbers_of_numpy_are_plain_in_json():
    table = Table("", ("a", "b"), [(np.float32(0.5), np.int64(2))])  # type: ignore[list-item]
    assert json.loads(json.dumps(table.packed()))["rows"] == [[0.5, 2]]


def test_the_mean_of_nothing_is_nothing():
    assert np.isnan(mean([]))
    assert mean(np.array([[1.0, 3.0]])) == 2.0


def test_only_calls_after_the_first_are_timed():
    calls = []

    def call() -> None:
        calls.append(1)
        sleep(0.2 if len(calls) <= 2 else 0.02)

    by_clock, by_work = milliseconds(call, times=5, before=2)
    assert len(calls) == 7
    assert 20 <= by_clock < 150
    assert by_work < 0.5 * by_clock  # sleeping is no work


def test_the_machine_is_described_without_its_name():
    import platform

    found = describe_machine()
    assert len(found["date"].split("-")) == 3
    assert found["versions"]["numpy"] == np.__version__
    assert platform.node() not in {str(value) for value in found.values()}
