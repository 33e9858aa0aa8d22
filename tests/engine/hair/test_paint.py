"""Colour and opacity of hair on its surface."""

import numpy as np

from engine.hair.paint import without_specks


def test_bits_that_hang_on_nothing_are_left_out():
    opacity = np.zeros((40, 60), np.float32)
    opacity[:20], opacity[20:26, 10] = 1, 0.6  # hair, and a strand of it
    opacity[33:35, 30:32] = 1

    cleaned = without_specks(opacity)

    assert not cleaned[30:].any()
    assert np.array_equal(cleaned[:30], opacity[:30])
    assert not without_specks(np.zeros((4, 4), np.float32)).any()
