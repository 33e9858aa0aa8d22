"""Synthetic portraits and their truth."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.evaluation import skins
from engine.evaluation.synthetic import (
    YAW_LIMIT,
    head_rotation,
    random_background,
    random_camera,
    random_expression,
    random_identity,
    random_light,
    sample_head,
)
from engine.heads.loader import load_head
from engine.render.lighting import C0, irradiance, sphere_directions
from engine.render.occlusion import ambient_occlusion

FACE = np.array([[x, y, 0.1] for x in (-0.07, 0.07) for y in (-0.09, 0.09)])


@pytest.fixture(scope="module")
def sample():
    return sample_head(3, size=192, texture_size=512, skins=[])


def test_same_seed_same_portrait(sample) -> None:
    again = sample_head(3, size=192, texture_size=512, skins=[])
    assert np.array_equal(sample.image, again.image)
    assert np.array_equal(sample.identity, again.identity)
    other = sample_head(4, size=192, texture_size=512, skins=[])
    assert not np.array_equal(sample.identity, other.identity)


def test_truth_belongs_to_the_picture(sample) -> None:
    head = load_head()
    assert sample.image.shape == (192, 192, 3)
    assert np.allclose(sample.posed, head.shape(sample.identity, sample.expression))
    assert np.allclose(sample.neutral, head.shape(sample.identity))
    face = sample.camera.project(sample.posed[head.regions["face"]].astype(np.float64))
    assert face.min() > 0
    assert face.max() < 192
    # The pixels under the face differ from those of the same place without a head.
    x, y = face.mean(0).astype(int)
    assert sample.image[y - 3 : y + 3, x - 3 : x + 3].std() < 60


def test_a_person_can_be_drawn_again() -> None:
    identity = random_identity(load_head(), np.random.default_rng(9))
    two = [sample_head(seed, size=64, texture_size=256, skins=[], identity=identity) for seed in (1, 2)]
    assert np.allclose(two[0].neutral, two[1].neutral)
    assert not np.allclose(two[0].camera.world_to_camera, two[1].camera.world_to_camera)


def test_cameras_hold_the_face_and_the_angles() -> None:
    for seed in range(20):
        camera, (yaw, pitch, roll) = random_camera(FACE, 200, np.random.default_rng(seed))
        assert abs(yaw) <= YAW_LIMIT
        tall = np.ptp(camera.project(FACE)[:, 1]) / 200
        assert 0.2 < tall < 0.75
        turned = camera.world_to_camera[:3, :3] @ [0, 0, 1]
        assert np.allclose(turned, np.diag([1, -1, -1]) @ head_rotation(yaw, pitch, roll)[:, 2])


def test_positive_yaw_turns_the_head_to_its_left() -> None:
    assert np.allclose(head_rotation(90, 0, 0) @ [0, 0, 1], [1, 0, 0])
    assert (head_rotation(0, 20, 0) @ [0, 0, 1])[1] < 0


def test_expressions_are_weights_and_gaze_agrees() -> None:
    names = load_head().expression_names
    drawn = np.array([random_expression(names, np.random.default_rng(seed)) for seed in range(60)])
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    left, right = names.index("eyeLookOutLeft"), names.index("eyeLookInLeft")
    assert not (drawn[:, left] * drawn[:, right]).any()
    assert 0.2 < (drawn[:, names.index("jawOpen")] > 0).mean() < 0.6


def test_light_is_a_usual_exposure() -> None:
    for seed in range(20):
        light = random_light(np.random.default_rng(seed))
        assert 0.5 < light[0].mean() * C0 < 1.0
        assert irradiance(sphere_directions(100), light).mean() > 0.5


def test_background_is_smooth() -> None:
    picture = random_background(64, np.random.default_rng(0)).astype(int)
    assert np.abs(np.diff(picture, axis=0)).max() < 40


def test_makehuman_layout_belongs_to_the_bundled_head(monkeypatch: pytest.MonkeyPatch) -> None:
    head = load_head()
    triangles = skins.makehuman_triangles(head)
    on_skin = head.face_materials == head.material_names.index("skin")
    assert (triangles[on_skin] > 0).all()
    assert not triangles[~on_skin].any()

    # Triangles stay whole: a wrong order of polygons would tear them across the square.
    assert np.ptp(triangles[on_skin], axis=1).max() < 0.08
    monkeypatch.setattr(skins, "_corners", lambda: (np.zeros((5, 4, 2), np.float32), 1))
    with pytest.raises(ModelFileError, match="makehuman_uv"):
        skins.makehuman_triangles(head)


def test_brows_are_above_both_eyes_alike() -> None:
    head = load_head()
    place = skins.canvas(head, 512)
    cover = skins.brow_cover(head, place, np.random.default_rng(0))
    brow = place.rest[cover > 0.3]
    eye = head.joints[head.joint_names.index("eye.L")]
    assert (brow[:, 1] > eye[1] + 0.008).all()
    assert (brow[:, 1] < eye[1] + 0.035).all()
    assert abs(brow[:, 0].mean()) < 0.002


def test_real_skins_differ(shared) -> None:
    paths = skins.find_skins()
    if not paths:
        pytest.skip("needs MakeHuman's skins in the shared data")
    place = skins.canvas(load_head(), 512)
    face = place.makehuman[:, 0] > 0
    dark, light = (
        skins.skin_albedo(place, next(path for path in paths if name in path.name))[face].mean()
        for name in ("darkskinned", "lightskinned")
    )
    assert dark < 0.6 * light


def test_occlusion_of_a_box_with_a_lid_inside() -> None:
    """A floor below a close, large lid sees little; the lid's upper side sees everything."""
    square = np.array([[-1.0, 0, -1], [-1, 0, 1], [1, 0, 1], [1, 0, -1], [0, 0, 0]]) * 0.1
    faces = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    vertices = np.vstack([square * 0.9, square + np.array([0, 0.02, 0])])
    seen = ambient_occlusion(vertices, np.vstack([faces, faces + 5]))
    assert seen[4] < 0.3
    assert seen[9] > 0.95
