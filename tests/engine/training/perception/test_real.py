"""Real portraits as training material."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.camera import Camera
from engine.errors import MediaError, ModelFileError
from engine.fitting.deform import smooth_deformation
from engine.fitting.result import HeadFit
from engine.fitting.size import growth
from engine.heads.loader import load_head
from engine.perception.crop import Window
from engine.perception.observation import FaceObservation, Masks
from engine.training.perception.real import (
    NETWORK,
    PAIRS,
    RealPicture,
    assemble,
    crop_masks,
    crop_window,
    list_pictures,
    look_at,
    prepare_real,
    read_pairs,
)
from engine.training.perception.real_set import CROP_SIDE, MASK_SIDE, MASKS, read_real

HEAD = load_head()


def photo_camera() -> Camera:
    view = np.diag([1.0, -1.0, -1.0, 1.0])
    view[2, 3] = 1.3
    return Camera(np.array([[900.0, 0, 170], [0, 900.0, 205], [0, 0, 1]]), view, 340, 410)


def toy_picture(seed: int) -> tuple[RealPicture, np.ndarray]:
    """A picture with a fit whose vertices are known."""
    rng = np.random.default_rng(seed)
    smooth = smooth_deformation(HEAD)
    identity = rng.normal(0, 1, len(HEAD.identity_basis)).astype(np.float32)
    expression = rng.uniform(0, 0.3, len(HEAD.expression_names)).astype(np.float32)
    amounts = rng.normal(0, 1, len(smooth.basis))
    refinement = np.tensordot(amounts, smooth.basis, 1) - growth(HEAD).of(identity, HEAD.vertices)
    neutral = HEAD.shape(identity) + refinement
    posed = (neutral + np.tensordot(expression, HEAD.expression_basis, 1)).astype(np.float32)
    camera = photo_camera()
    fit = HeadFit(
        camera, identity, expression, refinement.astype(np.float32), neutral.astype(np.float32), posed,
        HEAD.joints, np.zeros((478, 2), np.float32), {"mean": 0.01},
    )  # fmt: skip
    window = Window(np.array([170.0, 205.0]), 300.0, 0.1)
    pixels = cv2.resize(rng.integers(0, 255, (5, 5, 3), np.uint8), (CROP_SIDE, CROP_SIDE))
    jpeg = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].reshape(-1)
    picture = RealPicture(
        jpeg, window, (340, 410), window.camera(camera, CROP_SIDE), fit, np.zeros((478, 3), np.float32),
        np.full((len(MASKS), MASK_SIDE, MASK_SIDE), seed, np.uint8),
    )  # fmt: skip
    return picture, pixels


def test_the_crops_camera_sees_what_the_photos_sees() -> None:
    camera = photo_camera()
    window = Window(np.array([150.0, 190.0]), 260.0, np.radians(17))
    matrix = window.matrix(CROP_SIDE)
    expected = camera.project(HEAD.vertices) @ matrix[:, :2].T + matrix[:, 2]
    assert window.camera(camera, CROP_SIDE).project(HEAD.vertices) == pytest.approx(expected)


def test_the_window_stands_upright_around_the_face() -> None:
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    box = np.array([[-40, -50], [40, -50], [40, 50], [-40, 50], [0, 0]]) @ turn.T + [100, 120]
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[33, :2], landmarks[263, :2] = np.array([[-20, 0], [20, 0]]) @ turn.T + [100, 120]
    window = crop_window(FaceObservation(landmarks, np.zeros(4, np.float32), 1.0), box)
    assert window.centre == pytest.approx([100, 120])
    assert window.roll == pytest.approx(angle)
    assert window.side == pytest.approx(100 / 0.40)


def test_masks_are_zero_beyond_the_photo() -> None:
    ones = np.ones((100, 80), np.float32)
    masks = Masks(ones, ones, ones * 0.5, ones * 0, ones * 0)
    window = Window(np.array([40.0, 50.0]), 160.0)
    found = crop_masks(masks, window, np.full((512, 512), 0.25, np.float32))
    inside = found[MASKS.index("inside")]
    assert found.shape == (len(MASKS), MASK_SIDE, MASK_SIDE)
    assert (inside > 0).mean() == pytest.approx(80 * 100 / 160**2, abs=0.01)
    assert found[MASKS.index("hair")][80, 80] == 128
    assert found[MASKS.index("teacher_hair")][80, 80] == 64
    assert found[:, inside == 0].max() == 0


def test_what_is_stored_comes_back(tmp_path: Path) -> None:
    names = ["photos/A1.jpg", "portraits/x/A1.jpg", "portraits/x/B2.jpg", "portraits/x/C3.jpg", "portraits/x/D4.jpg"]
    toys = [toy_picture(seed) for seed in range(len(names))]
    pairs = [("portraits/x/B2.jpg", "portraits/x/C3.jpg"), ("portraits/x/D4.jpg", "portraits/x/missing.jpg")]
    assemble(HEAD, names, [toy[0] for toy in toys], pairs).write(tmp_path / "deep" / "real.npz")
    real = read_real(tmp_path / "deep" / "real.npz")
    assert len(real) == 5
    assert real.validation.tolist() == [True, True, True, True, True]
    assert real.pairs.tolist() == [[2, 3]]
    for number, (picture, pixels) in enumerate(toys):
        assert np.abs(real.image(number).astype(int) - pixels).mean() < 3
        assert np.abs(real.posed(HEAD, number) - picture.fit.posed).max() < 2e-6
        assert real.masks[number].max() == number
        assert real.camera(number).project(HEAD.vertices[:9]) == pytest.approx(
            picture.camera.project(HEAD.vertices[:9])
        )


def test_people_seen_once_are_for_training() -> None:
    names = ["portraits/x/B2.jpg", "photos/A1.jpg"]
    real = assemble(HEAD, names, [toy_picture(0)[0], toy_picture(1)[0]], [])
    assert real.validation.tolist() == [False, True]


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", names=np.array(["a"]))
    for name in ("other.npz", "missing.npz"):
        with pytest.raises(ModelFileError, match=name):
            read_real(tmp_path / name)


def test_a_real_portrait(shared: Path, tmp_path: Path) -> None:
    from engine.training.perception.hair_teacher import HairTeacher

    folder = shared / "data"
    path = list_pictures(folder)[-1]
    picture = look_at(HEAD, path, HairTeacher(folder / NETWORK))
    own = picture.camera.project(HEAD.embeddings["mediapipe"].positions(picture.fit.posed, HEAD.faces))
    eyes = np.linalg.norm(picture.landmarks[33, :2] - picture.landmarks[263, :2])
    assert np.nanmean(np.linalg.norm(own - picture.landmarks[:, :2], axis=1)) / eyes < 0.03
    first, second = read_pairs(folder)[0]
    assert (folder / first).is_file()
    assert (folder / second).is_file()


def test_pictures_that_cannot_be_used_are_named(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "nets").symlink_to(shared / "data" / "nets")
    (tmp_path / "portraits").mkdir()
    cv2.imwrite(str(tmp_path / "portraits" / "wall.jpg"), np.full((200, 200, 3), 90, np.uint8))
    with (tmp_path / PAIRS).open("w", newline="") as file:
        csv.writer(file).writerow(["first", "second"])
    with pytest.raises(MediaError, match="could be used"):
        prepare_real(HEAD, tmp_path, tmp_path / "out.npz")
