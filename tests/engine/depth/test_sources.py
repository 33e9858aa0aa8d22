"""Depth by each method, on the bundled head seen by a known camera."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.depth.compose import calmed_border, drawn_to, fitted_line, sharpened
from engine.depth.head import head_depth
from engine.depth.inflate import EDGE, inflated, relief_of, square_of
from engine.depth.sources import measure
from engine.depth.view import View
from engine.errors import FaceError, ModelFileError

from .conftest import network_view


def face_core(view: View) -> np.ndarray:
    """(H,W) where the head is trusted fully."""
    return head_depth(view).trust > 0.95


def nose_length(view: View, depth: np.ndarray) -> float:
    """Metres from the tip of the nose back to the rest of the face's middle."""
    rows, columns = np.nonzero(face_core(view))
    middle = depth[rows, columns]
    return float(np.median(middle) - middle.min())


def test_the_heads_own_depth_is_what_the_camera_sees(view: View, bare: np.ndarray) -> None:
    found = measure(view, "head").depth
    same = found.mask & np.isfinite(bare)
    assert same.sum() > 0.97 * np.isfinite(bare).sum()
    assert np.median(np.abs(found.depth - bare)[same]) < 1e-5
    assert found.confidence[face_core(view)].min() > 0.95


@pytest.mark.parametrize("method", ["inflate", "unet"])
def test_the_face_is_the_heads_and_hair_stands_off_it(view: View, bare: np.ndarray, method: str) -> None:
    if method == "unet":
        view = replace(view, parts=network_view(np.nan_to_num(bare - 1.1, posinf=0.15), view.person))
    found = measure(view, method).depth  # type: ignore[arg-type]
    core = face_core(view)
    apart = np.abs(found.depth - bare)[core]
    assert np.percentile(apart, 97) < 0.001
    assert apart.max() < 0.005  # at the jaw, which is the outline and is smoothed
    assert found.mask[view.mask].all()
    assert not found.mask[~view.mask].any()
    scalp = (view.hair > 0.5) & np.isfinite(bare) & (head_depth(view).facing > 0.5)
    assert np.median((bare - found.depth)[scalp]) > (0.002 if method == "inflate" else -0.005)


def test_there_is_no_step_where_skin_becomes_hair(view: View) -> None:
    found = measure(view, "inflate").depth.depth
    trust = head_depth(view).trust
    rim = (trust > 0.02) & (trust < 0.9) & (view.skin > 0.5)
    rim[:-1] &= np.isfinite(found[1:])
    rim[np.nonzero(face_core(view))[0].min() + 8 :] = False  # below are the ears and the chin, which do step
    down = np.abs(np.diff(found, axis=0))[rim[:-1]]
    assert np.percentile(down, 95) < 0.012


def test_a_long_nose_is_corrected(view: View, bare: np.ndarray) -> None:
    """A network that doubles the face's relief ends with the head's nose."""
    behind = np.nan_to_num(bare - 1.1, posinf=0.15)
    rows, columns = np.nonzero(face_core(view))
    tip = np.argmin(bare[rows, columns])
    away = np.hypot(*(np.mgrid[: view.shape[0], : view.shape[1]] - np.array([rows[tip], columns[tip]])[:, None, None]))
    long = behind - 0.03 * np.exp(-((away * view.metres / 0.015) ** 2))
    found = measure(replace(view, parts=network_view(long, view.person)), "unet").depth.depth
    true = nose_length(view, bare)
    assert nose_length(view, long) > true + 0.02
    assert nose_length(view, found) == pytest.approx(true, abs=0.002)


def test_the_networks_hair_is_kept(view: View, bare: np.ndarray) -> None:
    """A tuft that only the network knows comes through where it is confident."""
    behind = np.where(np.isfinite(bare), bare, 1.25) - 1.1
    rows, columns = np.nonzero((view.hair > 0.5) & np.isfinite(bare))
    middle = np.array([np.percentile(rows, 25), np.median(columns)])
    away = np.hypot(*(np.mgrid[: view.shape[0], : view.shape[1]] - middle[:, None, None])) * view.metres
    tuft = 0.03 * np.exp(-((away / 0.02) ** 2))
    plain, tufted = (
        measure(replace(view, parts=network_view(values, view.person)), "unet").depth.depth
        for values in (behind, behind - tuft)
    )
    at = tuple(np.round(middle).astype(int))
    assert (plain - tufted)[at] > 0.015


def test_auto_takes_what_is_there(view: View, bare: np.ndarray, tmp_path: Path) -> None:
    parts = network_view(np.nan_to_num(bare - 1.1, posinf=0.15), view.person)
    assert measure(view, "auto", tmp_path).method == "inflate"
    assert measure(replace(view, parts=parts), "auto", tmp_path).method == "unet"
    assert measure(replace(view, parts=replace(parts, confidence=0.1)), "auto", tmp_path).method == "inflate"
    with pytest.raises(FaceError, match="cannot be used"):
        measure(view, "unet")
    with pytest.raises(ModelFileError, match="DPT-Large"):
        measure(view, "dpt", tmp_path)


def test_a_relief_survives_its_square() -> None:
    relief = np.linspace(0, 0.3, 7)
    assert np.allclose(relief_of(square_of(relief)), relief)
    slope = relief_of(np.array([0, 1e-8]))
    assert (slope[1] - slope[0]) / 1e-8 == pytest.approx(1 / (2 * EDGE), rel=1e-3)  # finite at the outline


def test_the_outline_lies_at_the_bodys_middle(view: View, bare: np.ndarray) -> None:
    found = inflated(view, head_depth(view))
    ring = view.mask & ~np.roll(view.mask, 2, 0) & (np.arange(view.shape[0]) < 60)[:, None]
    joint = view.joints[view.head.joint_names.index("head")].astype(np.float64)
    assert np.median(found[ring]) == pytest.approx(float(view.camera.to_camera(joint)[2]), abs=0.03)
    assert np.nanmin(found[view.mask]) > np.min(bare) - 0.03


def test_a_drawn_depth_meets_the_other_and_forgets_it_far_away() -> None:
    flat = np.full((96, 96), 2.0, np.float32)
    trust = np.zeros((96, 96), np.float32)
    trust[40:56, 40:56] = 1
    found = drawn_to(flat, flat + 0.1, trust, 0.3, 6.0)
    assert np.abs(found[44:52, 44:52] - 2.1).max() < 0.005
    assert np.abs(found[:, :4] - 2.0).max() < 0.001
    assert np.abs(np.diff(found, axis=0)).max() < 0.04


def test_a_line_is_found_among_outliers() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(-1, 1, 500)
    wanted = 0.3 * values + 2 + rng.normal(0, 0.001, 500)
    wanted[:100] += rng.uniform(1, 5, 100)
    assert fitted_line(values, wanted, np.ones(500)) == pytest.approx((0.3, 2.0), abs=0.002)
    assert fitted_line(values, -values, np.ones(500))[0] == 1.0  # upside down: not believed


def test_edges_follow_the_picture() -> None:
    """A step that the small map has only roughly comes to lie where the picture's edge is."""
    guide = np.zeros((64, 64, 3), np.uint8)
    guide[:, 35:] = 200
    coarse = np.where(np.arange(16) < 9, 1.0, 2.0)[None].repeat(16, 0).astype(np.float32)
    found = sharpened(coarse, np.ones((16, 16)), guide)
    assert found[32, 34] < 1.25
    assert found[32, 36] > 1.75


def test_the_border_is_calmed_and_the_middle_is_not() -> None:
    rng = np.random.default_rng(0)
    inside = np.hypot(*(np.mgrid[:64, :64] - 31.5)) < 28
    rough = (1 + 0.01 * rng.normal(size=(64, 64))).astype(np.float32)
    found = calmed_border(rough, inside, 0.001)
    ring = inside & (np.hypot(*(np.mgrid[:64, :64] - 31.5)) > 26.5)
    assert found[ring].std() < 0.5 * rough[ring].std()
    assert np.array_equal(found[28:36, 28:36], rough[28:36, 28:36])
