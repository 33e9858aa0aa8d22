"""The detector's calibration: what is stored comes back, the pose turns the bias, shapes are answered faintly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.evaluation.calibration import save_detector
from engine.fitting.detector import DetectorModel, load_detector, pose_terms


def some_detector(count: int = 7, seed: int = 0) -> DetectorModel:
    rng = np.random.default_rng(seed)
    return DetectorModel(
        bias=1e-3 * rng.standard_normal((count, 3)),
        turn=1e-3 * rng.standard_normal((5, count, 3)),
        answer=1e-3 * rng.standard_normal((2, count, 3)),
        cause=10 * rng.standard_normal((2, count, 3)),
        modes=1e-3 * rng.standard_normal((4, count, 3)),
        deviation=1e-3 * (1 + rng.random((count, 3))),
        usual=1e-3 * (1 + rng.random((count, 2))),
    )


def test_saved_and_loaded_alike(tmp_path):
    model = some_detector()
    save_detector(tmp_path / "a.npz", model)
    save_detector(tmp_path / "b.npz", model)
    found = load_detector(tmp_path / "a.npz")
    for name, value in vars(model).items():
        np.testing.assert_allclose(getattr(found, name), value, rtol=1e-3, atol=1e-7)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_bias_turns_with_the_pose():
    model = some_detector()
    np.testing.assert_array_equal(model.offset(0, 0), model.bias)
    np.testing.assert_allclose(model.offset(30, 0) - model.bias, model.turn[0] + model.turn[1])
    np.testing.assert_array_equal(pose_terms(90, 0), pose_terms(60, 0))  # no extrapolation beyond what was seen


def test_answer_is_linear_in_the_displacement():
    model = some_detector()
    moved = np.random.default_rng(1).standard_normal((3, 7, 3))
    found = model.response(moved)
    expected = sum(
        a[None] * np.sum(c * moved, axis=(1, 2))[:, None, None] for a, c in zip(model.answer, model.cause, strict=True)
    )
    np.testing.assert_allclose(found, expected)


def test_a_detector_without_doubts_of_its_own_stays_without(tmp_path):
    save_detector(tmp_path / "a.npz", replace(some_detector(), usual=None))
    assert load_detector(tmp_path / "a.npz").usual is None


def test_detectors_side_by_side_err_as_each_does_alone():
    first, second = some_detector(7), some_detector(5, seed=1)
    both = first.beside(second)
    np.testing.assert_allclose(both.offset(20, -10), np.concatenate([first.offset(20, -10), second.offset(20, -10)]))
    moved = np.random.default_rng(2).standard_normal((3, 12, 3))
    apart = np.concatenate([first.response(moved[:, :7]), second.response(moved[:, 7:])], axis=1)
    np.testing.assert_allclose(both.response(moved), apart)
    covariance = np.einsum("mnk,mpk->np", both.modes, both.modes)
    assert np.abs(covariance[:7, 7:]).max() == 0
    np.testing.assert_array_equal(both.deviation[7:], second.deviation)


@pytest.mark.parametrize(("content", "named"), [(None, "missing"), (b"no archive", "damaged"), (b"", "damaged")])
def test_unusable_files_are_named(tmp_path, content, named):
    path = tmp_path / "calibration.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match=named) as caught:
        load_detector(path)
    assert "calibrate_landmarks" in caught.value.cure
