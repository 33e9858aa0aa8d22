"""Fewer keyframes within a stated error."""

import numpy as np
import pytest
from likeness.operators.build.reduction import kept_frames


def error(values, kept):
    return np.abs(np.interp(np.arange(len(values)), kept, values[kept]) - values).max()


@pytest.mark.parametrize("allowed", [0.001, 0.01, 0.1, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_the_error_is_never_more_than_allowed(allowed, seed):
    rng = np.random.default_rng(seed)
    smooth = np.convolve(rng.random(600), np.ones(30) / 30, "same").astype(np.float32)
    noisy = rng.random(300).astype(np.float32)
    for values in (smooth, noisy):
        kept = kept_frames(values, allowed)
        assert error(values, kept) <= allowed
        assert (np.diff(kept) > 0).all()
        assert (kept[0], kept[-1]) == (0, len(values) - 1)


def test_straight_pieces_keep_their_corners_only():
    ramp = np.interp(np.arange(101), [0, 20, 50, 100], [0, 1, 1, 0])
    assert kept_frames(ramp, 1e-4).tolist() == [0, 20, 50, 100]


def test_nothing_allowed_keeps_all_and_rest_needs_one():
    assert kept_frames(np.zeros(5), 0.0).tolist() == [0, 1, 2, 3, 4]
    assert kept_frames(np.full(5, 0.3), 0.1).tolist() == [0]
    assert kept_frames(np.zeros(1), 0.1).tolist() == [0]
    assert kept_frames(np.array([0.0, 1.0]), 0.1).tolist() == [0, 1]


def test_a_single_spike_stays():
    values = np.zeros(1000)
    values[500] = 1.0
    assert kept_frames(values, 0.01).tolist() == [0, 499, 500, 501, 999]
