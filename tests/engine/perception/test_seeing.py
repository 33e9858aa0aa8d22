"""The bundled networks on a real portrait, on what is no face, and when their files are missing or damaged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.media.photo import Photo
from engine.perception import dense, parts
from engine.perception.landmarks import find_face
from engine.perception.seeing import see_face
from engine.perception.topology import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE


@pytest.fixture(scope="module")
def astronaut():
    data = pytest.importorskip("skimage.data")
    from pathlib import Path

    return Photo(Path("astronaut.png"), data.astronaut())


@pytest.fixture(scope="module")
def face(astronaut):
    return find_face(astronaut)


@pytest.fixture(scope="module")
def view(astronaut, face):
    return see_face(astronaut.pixels, face)


def test_both_networks_see_the_portrait(view):
    assert view.notices == ()
    assert view.points.face > 0.9
    assert view.parts.confidence > 0.5


def test_points_agree_with_mediapipe_where_both_mean_the_same(view, face):
    """The vertices next to MediaPipe's contours of eyes and lips, within 5 % of the inter-ocular distance."""
    from engine.heads.loader import load_head

    head = load_head()
    embedding = head.embeddings["mediapipe"]
    contour = np.array([*RIGHT_EYE, *LEFT_EYE, *OUTER_LIPS, *INNER_LIPS])
    corners = head.faces[embedding.faces[contour]]
    nearest = corners[np.arange(len(contour)), embedding.barycentrics[contour].argmax(1)]
    place = {int(vertex): index for index, vertex in enumerate(view.points.vertices)}
    seen = view.points.points[[place[int(vertex)] for vertex in nearest], :2]
    apart = np.linalg.norm(seen - face.landmarks[contour, :2], axis=1) / face.interocular
    assert np.median(apart) < 0.05


def test_regions_are_where_they_are(view, face, astronaut):
    size = astronaut.pixels.shape[:2]
    hair = view.parts.on_picture(view.parts.group("hair"), *size)
    skin = view.parts.on_picture(view.parts.group("skin"), *size)
    nose = tuple(face.landmarks[4, [1, 0]].astype(int))
    above = tuple((face.landmarks[10, [1, 0]] * 1.25 - face.landmarks[152, [1, 0]] * 0.25).astype(int))
    assert skin[nose] > 0.8
    assert hair[above] > 0.5 > skin[above]


def test_the_nose_is_nearer_than_the_ears(view, face, astronaut):
    depth = view.parts.on_picture(view.parts.depth, *astronaut.pixels.shape[:2])
    nose, left, right = (depth[tuple(face.landmarks[n, [1, 0]].astype(int))] for n in (4, 454, 234))
    assert nose < min(left, right) - 0.02


def test_where_there_is_no_face_the_network_says_so(face):
    noise = np.random.default_rng(0).integers(0, 255, (600, 600, 3)).astype(np.uint8)
    found = see_face(noise, face)
    assert found.points is None
    assert any("not sure of this face" in notice for notice in found.notices)


@pytest.mark.parametrize("content", [None, b"", b"not weights at all"])
def test_without_weights_mediapipe_serves_alone(tmp_path, monkeypatch, astronaut, face, content):
    for module, name in ((dense, "POINTS_NETWORK"), (parts, "PARTS_NETWORK")):
        model = replace(getattr(module, name), bundled=tmp_path)
        if content is not None:
            (tmp_path / model.files[0]).write_bytes(content)
        monkeypatch.setattr(module, name, model)
    found = see_face(astronaut.pixels, face)
    assert found.points is None
    assert found.parts is None
    assert len(found.notices) == 2
    assert all("cannot be used" in notice for notice in found.notices)
