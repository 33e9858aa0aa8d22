"""What recognition says about shape, as a prior of the fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.fitting.points import Coefficients, identity_points
from engine.fitting.recognised import ShapeRegression, load_regression, recognised_shape, together
from engine.heads.loader import load_head


@pytest.fixture
def regression() -> ShapeRegression:
    """Two features, three coefficients."""
    weights = np.array([[1.0, 0.0, 0.5], [0.0, 2.0, 0.0]], np.float32)
    return ShapeRegression(
        renders=np.array([0.0, 0.0], np.float32),
        photos=np.array([10.0, 0.0], np.float32),
        scale=np.array([2.0, 1.0], np.float32),
        weights=weights,
        mean=np.array([0.0, 0.1, 0.0], np.float32),
        covariance=np.diag([0.5, 0.25, 1.0]).astype(np.float32),
    )


def test_a_face_is_judged_from_the_mean_of_its_kind(regression: ShapeRegression) -> None:
    photo, render = regression(np.array([12.0, 1.0])), regression(np.array([2.0, 1.0]), "renders")

    np.testing.assert_allclose(photo.mean, [1.0, 2.1, 0.5])
    np.testing.assert_allclose(render.mean, photo.mean)


def test_what_the_regression_leaves_is_the_priors_width(regression: ShapeRegression) -> None:
    np.testing.assert_allclose(regression(np.zeros(2)).precision, np.diag([2.0, 4.0, 1.0]))


def test_a_file_holds_all_of_it(regression: ShapeRegression, tmp_path) -> None:
    regression.write(tmp_path / "shape.npz")

    again = load_regression(tmp_path / "shape.npz")

    np.testing.assert_array_equal(again(np.ones(2)).mean, regression(np.ones(2)).mean)


def test_a_damaged_file_is_named(tmp_path) -> None:
    path = tmp_path / "shape.npz"
    path.write_bytes(b"no archive")

    with pytest.raises(ModelFileError, match=r"shape\.npz holds no shape regression"):
        load_regression(path)


def test_several_pictures_are_averaged() -> None:
    first, second = (Coefficients.normal(np.full(2, 0.5), np.full(2, mean)) for mean in (1.0, 3.0))

    both = together([first, second])

    np.testing.assert_allclose(both.mean, 2.0)
    np.testing.assert_allclose(both.precision, first.precision)


def test_the_bundled_regression_fits_the_bundled_head() -> None:
    """Its coefficients are the head's; a picture of noise, which is nobody, is near the mean head."""
    head = load_head()
    rng = np.random.default_rng(0)
    points = rng.uniform(60, 140, (478, 2))

    belief = recognised_shape(head, rng.integers(0, 255, (200, 200, 3), np.uint8), points)

    assert belief is not None
    assert len(belief) == len(head.identity_basis)
    assert np.linalg.eigvalsh(belief.precision).min() > 0
    assert len(identity_points(head, prior=belief).prior) == len(belief)


def test_another_head_model_is_left_alone() -> None:
    head = replace(load_head(), name="other")

    assert recognised_shape(head, np.zeros((9, 9, 3), np.uint8), np.zeros((478, 2))) is None
