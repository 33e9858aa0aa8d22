"""Cameras come in the published mix, and the same ones every time."""

from __future__ import annotations

import numpy as np
import pytest

from engine.eg3d.camera import FOCAL, parts_of
from engine.eg3d.config import Rendering
from engine.training.eg3d.poses import HELD_OUT, KINDS, NECK_FOCAL, TRAINING, Mix, Pose, pose_of

HOW = Rendering()


def poses(count: int, stream: int = TRAINING, seed: int = 0, jitter: float = 0.0) -> list[Pose]:
    return [pose_of(number, seed, stream, HOW, jitter) for number in range(count)]


def test_every_hundred_have_the_published_shares():
    """Thesis, table 4.1: 70, 12, 6 and 12 in a hundred to learn from, 80, 5, 5 and 10 to validate on."""
    for stream, shares in ((TRAINING, (70, 12, 6, 12)), (HELD_OUT, (80, 5, 5, 10))):
        kinds = [pose.kind for pose in poses(300, stream)]
        for first in (0, 100, 200):
            assert tuple(np.bincount(kinds[first : first + 100])) == shares
        assert kinds[:100] != kinds[100:200]


def test_each_kind_looks_from_where_it_should():
    for pose in poses(200):
        turned, kind = abs(pose.yaw), KINDS[pose.kind]
        assert pose.pitch == 0
        assert (turned == 0) == (kind in ("frontal", "neck"))
        assert kind != "side" or turned < 70
        assert kind != "profile" or 70 <= turned <= 90
        matrix, inner = parts_of(pose.label)
        assert inner[0, 0] == pytest.approx(NECK_FOCAL if kind == "neck" else FOCAL)
        place = 2.7 * np.array([np.sin(np.radians(pose.yaw)), 0, np.cos(np.radians(pose.yaw))])
        np.testing.assert_allclose(matrix[:3, 3], place, atol=1e-6)
    sides = [pose.yaw for pose in poses(500) if KINDS[pose.kind] == "profile"]
    assert min(sides) < -70
    assert max(sides) > 70


def test_a_camera_depends_on_seed_stream_and_number_alone():
    first, again = poses(150), pose_of(149, 0, TRAINING, HOW)
    assert np.array_equal(first[149].label, again.label)
    for other in (poses(150, seed=1), poses(150, HELD_OUT)):
        assert [pose.yaw for pose in other] != [pose.yaw for pose in first]


def test_jitter_is_added_to_all():
    plain, moved = poses(100), poses(100, jitter=4.0)
    yaws = [b.yaw - a.yaw for a, b in zip(plain, moved, strict=True)]
    assert np.std(yaws) == pytest.approx(4.0, rel=0.25)
    assert np.std([pose.pitch for pose in moved]) == pytest.approx(4.0, rel=0.25)


def test_shares_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="100"):
        Mix(70, 12, 6, 11)
