"""Masks of a real portrait fall where a person would draw them; geometry and filters by analytic cases."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.media.photo import Photo
from engine.perception.colour import GuidedFilter, learn_mixture
from engine.perception.crop import Window
from engine.perception.geometry import FaceFrame, fill, ramp, smooth_loop
from engine.perception.glasses import glasses_frames
from engine.perception.landmarks import find_face
from engine.perception.masks import make_masks
from engine.perception.observation import FaceObservation, Masks
from engine.perception.parts import PartsObservation
from engine.perception.regions import REGIONS
from engine.perception.topology import LEFT_EYE, RIGHT_EYE


@pytest.fixture(scope="module")
def masks(astronaut: Photo, astronaut_face: FaceObservation) -> Masks:
    return make_masks(astronaut, astronaut_face)


def test_shape_and_range(masks: Masks) -> None:
    for name in ("person", "skin", "hair", "eyes", "inner_mouth"):
        layer = getattr(masks, name)
        assert layer.shape == (512, 512), name
        assert layer.dtype == np.float32, name
        assert 0.0 <= layer.min() <= layer.max() <= 1.0, name
    assert not masks.glasses
    assert (masks.skin + masks.hair + masks.eyes).max() < 1.05


# (x, y) in the astronaut's picture, seen by eye.
PLACES = {
    "cheek": (198, 125, "skin"), "chin": (223, 172, "skin"), "nose": (224, 125, "skin"), "neck": (240, 183, "skin"),
    "upper lip": (222, 141, "skin"), "brow": (200, 89, "skin"), "forehead": (225, 88, "skin"),
    "hair on top": (215, 35, "hair"), "hair over the left ear": (285, 95, "hair"), "fringe": (225, 72, "hair"),
    "hair over the right ear": (165, 90, "hair"), "wall": (40, 60, None), "wall beside the hair": (320, 60, None),
    "suit": (150, 320, "person"), "collar": (225, 215, "person"),
    "teeth": (222, 146, "inner_mouth"), "right pupil": (204, 101, "eyes"), "left pupil": (246, 103, "eyes"),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_places(masks: Masks, place: str) -> None:
    x, y, belongs = PLACES[place]
    values = {name: float(getattr(masks, name)[y, x]) for name in ("skin", "hair", "eyes", "inner_mouth", "person")}
    for name, value in values.items():
        expected = name == belongs or (name == "person" and belongs is not None)
        assert (value > 0.5) == expected, (name, value)


def test_large_photo_keeps_the_same_masks(astronaut: Photo, astronaut_face: FaceObservation, masks: Masks) -> None:
    large = replace(astronaut, pixels=np.ascontiguousarray(astronaut.pixels.repeat(2, axis=0).repeat(2, axis=1)))
    face = replace(astronaut_face, landmarks=astronaut_face.landmarks * 2, box=astronaut_face.box * 2)
    found = make_masks(large, face)
    for name in ("skin", "hair", "eyes", "inner_mouth"):
        reduced = getattr(found, name).reshape(512, 2, 512, 2).mean(axis=(1, 3))
        assert np.abs(reduced - getattr(masks, name)).mean() < 0.01, name


def test_the_parts_network_is_heard(astronaut: Photo, astronaut_face: FaceObservation) -> None:
    """Sure that all is hair, it makes more hair than sure that all is wall, though colour says what is what."""
    hair = []
    for name in ("hair", "background"):
        regions = np.full((len(REGIONS), 128, 128), 0.02 / len(REGIONS), np.float32)
        regions[REGIONS.index(name)] += 0.98
        parts = PartsObservation(
            Window(np.array([224.0, 120.0]), 240.0), regions, np.zeros((128, 128), np.float32), 1.0
        )
        hair.append(make_masks(astronaut, astronaut_face, parts).hair.sum())
    assert hair[0] > 1.04 * hair[1]


def test_a_highlight_at_the_hairline_is_skin(astronaut: Photo, astronaut_face: FaceObservation) -> None:
    pixels = astronaut.pixels.copy()
    y, x = np.mgrid[: astronaut.height, : astronaut.width]
    shine = np.exp(-((((x - 228) / 20.0) ** 2 + ((y - 76) / 11.0) ** 2) ** 4))[..., None]
    pixels = (pixels + shine * (np.array([236, 238, 240]) - pixels)).round().astype(np.uint8)

    found = make_masks(replace(astronaut, pixels=pixels), astronaut_face)

    middle = (slice(71, 80), slice(216, 240))
    assert found.skin[middle].mean() > 0.7
    assert found.hair[middle].mean() < 0.2
    assert found.hair[56:62, 215:240].mean() > 0.8  # above it


def test_alpha_bounds_the_person(astronaut: Photo, astronaut_face: FaceObservation) -> None:
    alpha = np.full((512, 512), 255, np.uint8)
    alpha[:, :226] = 0
    found = make_masks(replace(astronaut, alpha=alpha), astronaut_face)
    assert found.person[:, :226].max() == 0
    assert found.skin[:, :226].max() == 0
    assert found.skin[140, 250] > 0.5


def test_face_cut_by_the_border(astronaut: Photo) -> None:
    photo = Photo(Path("cut.png"), np.ascontiguousarray(astronaut.pixels[60:200, 160:300]))
    found = make_masks(photo, find_face(photo))
    assert found.skin.shape == (140, 140)
    assert found.skin[80, 40] > 0.5


def test_glasses_are_seen_and_left_out(shared: Path) -> None:
    from engine.media.read import read_photo

    folder = shared / "data" / "photos"
    if not folder.is_dir():
        pytest.skip("needs the shared photos")
    for name, wears in (("H001085", True), ("B000490", True), ("J000301", True), ("biden2", False), ("K000399", False)):
        photo = read_photo(folder / f"{name}.jpg")
        face = find_face(photo)
        found = make_masks(photo, face)
        assert found.glasses == wears, name
        assert (found.frames is not None) == wears, name
        x, y = face.landmarks[6, :2].astype(int)  # the nose bridge, where the frame crosses
        crossing = found.skin[y - 8 : y + 4, x].min()
        assert (crossing < 0.4) == wears, name


def test_painted_frames() -> None:
    points = np.zeros((478, 2))
    points[:] = [100, 100]
    lightness = np.full((200, 200), 70.0, np.float32)
    frame = face_frame(points)
    assert glasses_frames(lightness, frame).max() == 0
    lightness[98:101, 60:140] = 20.0
    rims = glasses_frames(lightness, frame)
    assert rims[99, 100] > 0.5
    assert rims[120:].max() == 0
    lightness[:, 99:102] = 70.0  # a gap at the bridge: not glasses
    assert glasses_frames(lightness, frame).max() == 0


def test_wire_frames_need_a_rim_below_both_eyes() -> None:
    points = np.zeros((478, 2))
    points[:] = [100, 90]
    for loop, x in ((RIGHT_EYE, 70), (LEFT_EYE, 130)):
        angles = np.arange(len(loop)) * 2 * np.pi / len(loop)
        points[list(loop)] = np.column_stack([x + 12 * np.cos(angles), 90 + 5 * np.sin(angles)])
    lightness = np.full((200, 200), 70.0, np.float32)
    frame = face_frame(points)
    lightness[88:91, 85:115] = 62.0  # too faint a bridge by itself
    assert glasses_frames(lightness, frame).max() == 0
    lightness[108:111, 50:90] = 35.0
    assert glasses_frames(lightness, frame).max() == 0
    lightness[108:111, 110:150] = 35.0
    rims = glasses_frames(lightness, frame)
    assert rims[109, 130] > 0.5
    assert rims[109, 70] > 0.5
    assert rims[140:].max() == 0


def face_frame(points: np.ndarray) -> FaceFrame:
    """A face 200 pixels high that fills a 200 pixel crop."""
    rows, columns = np.mgrid[0:200, 0:200].astype(np.float32)
    distance = 0.4 - np.hypot(rows - 100, columns - 100) / 200
    return FaceFrame(
        (columns - 100) / 70, (rows - 95) / 100, distance, (distance > 0).astype(np.float32), points, 200.0
    )


def test_smooth_loop_and_fill() -> None:
    angles = np.arange(12) * np.pi / 6
    circle = np.column_stack([50.5 + 30 * np.cos(angles), 40.5 + 30 * np.sin(angles)])
    loop = smooth_loop(circle)
    assert np.abs(np.hypot(*(loop - [50.5, 40.5]).T) - 30).max() < 0.15
    filled = fill(loop, 80, 100)
    assert filled.sum() == pytest.approx(np.pi * 30**2, rel=0.03)
    rows, columns = np.mgrid[0:80, 0:100] + 0.5
    assert (filled * columns).sum() / filled.sum() == pytest.approx(50.5, abs=0.1)
    assert (filled * rows).sum() / filled.sum() == pytest.approx(40.5, abs=0.1)


def test_ramp() -> None:
    assert ramp(np.array([0.0, 1.0, 1.5, 2.0, 9.0]), 1.0, 2.0).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert ramp(np.array([0.0, 1.5, 3.0]), 2.0, 1.0).tolist() == [1.0, 0.5, 0.0]


def test_guided_filter_keeps_edges_of_the_guide() -> None:
    guide = np.zeros((60, 60, 3), np.float32)
    guide[:, 30:] = [0.8, 0.5, 0.2]
    rng = np.random.default_rng(0)
    noisy = (guide[..., 0] > 0).astype(np.float32) + rng.normal(0, 0.3, (60, 60)).astype(np.float32)
    smooth = GuidedFilter(guide, 5, 1e-3)(noisy)
    assert np.abs(smooth[:, :30]).max() < 0.3
    assert np.abs(smooth[10:-10, 25:30].mean()) < 0.1
    assert smooth[10:-10, 30:35].mean() == pytest.approx(1.0, abs=0.1)
    constant = GuidedFilter(guide, 5, 1e-3)(np.full((60, 60), 0.37, np.float32))
    assert np.allclose(constant, 0.37, atol=1e-4)


def test_mixture_learns_two_colours() -> None:
    rng = np.random.default_rng(0)
    means = np.array([[30.0, 5, 5, 0], [70.0, 15, 20, 4]])
    values = np.concatenate([rng.normal(mean, [3, 2, 2, 1], (500, 4)) for mean in means]).astype(np.float32)
    model = learn_mixture(values, 2, np.ones(1000))
    assert np.abs(model.means - means).max() < 0.5
    assert model.weights == pytest.approx([0.5, 0.5], abs=0.01)
    density = model.log_density(np.array([means[0], means[1], means.mean(axis=0)], np.float32))
    assert density[2] < density[:2].min() - 10
    flat = np.array(means[0], np.float32)
    covariance = model.covariances[0]
    expected = np.log(0.5) - 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    assert model.log_density(flat[None])[0] == pytest.approx(expected, abs=0.1)


def test_window_of_masks_may_leave_the_picture() -> None:
    cut = Window(np.array([0.0, 0.0]), 40.0).cut(np.full((20, 20, 3), 77, np.uint8), 32)
    assert (cut == 77).all()
