"""Locks: where they run, and where they end."""

import numpy as np

from engine.hair.cover import MAP
from engine.hair.envelope import Envelope
from engine.hair.grid import COLUMNS, ROWS
from engine.hair.locks import paths


def tube(trust: float) -> Envelope:
    """Hair down to half the height of an upright tube, 2 mm a row."""
    angle = np.linspace(0, 2 * np.pi, COLUMNS, endpoint=False)
    rows = -0.002 * np.arange(ROWS)[:, None]
    points = np.stack(np.broadcast_arrays(0.1 * np.sin(angle), rows, 0.1 * np.cos(angle)), -1)
    cover = np.zeros(MAP, np.float32)
    cover[: MAP[0] // 2] = 1
    nodes = np.full((ROWS, COLUMNS), 0.02)
    return Envelope(points, points, cover, np.full(MAP, trust, np.float32), nodes, np.zeros_like(nodes), nodes)


def test_locks_hang_over_an_edge_that_was_not_seen_and_end_at_one_that_was():
    row, column = np.full(5, ROWS / 2 - 4), np.linspace(3, COLUMNS - 4, 5)
    length, reach = np.full(5, 0.04), np.full(5, 0.01)

    hanging = paths(tube(0.0), row, column, length, reach)[2]
    ending = paths(tube(1.0), row, column, length, reach)[2]

    np.testing.assert_allclose(hanging[:, -1], 0.01)
    assert not ending.any()
