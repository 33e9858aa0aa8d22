"""A head brought to a surface whose distance is known."""

from __future__ import annotations

import numpy as np
import pytest

from engine.camera import Camera
from engine.depth.boundary import vertex_normals
from engine.depth.wrap import STEEPEST, Surface, WrapOptions, displacement, hair_of
from engine.errors import EngineError
from engine.heads.model import HeadModel

OUT = 0.004
"""Metres that the surface lies outside the head."""
NARROW = 0.001
"""Metres of falloff, so that most vertices take the whole displacement."""


@pytest.fixture(scope="module")
def skin(head: HeadModel) -> np.ndarray:
    slot = head.material_names.index("skin")
    found = np.zeros(len(head.vertices), bool)
    found[head.faces[head.face_materials == slot]] = True
    return found


@pytest.fixture(scope="module")
def normals(head: HeadModel) -> np.ndarray:
    return vertex_normals(head.vertices, head.faces)


def surface(head: HeadModel, moving: np.ndarray, vertices: np.ndarray, **groups: np.ndarray) -> Surface:
    """The head's skin in other places; without that of mouth and sockets, which would come out of the cheeks."""
    outside = moving & ~head.regions["inner_mouth"] & ~head.regions["eye_sockets"]
    return Surface(vertices, head.faces[outside[head.faces].all(1)], groups)


def wrapped(head: HeadModel, skin: np.ndarray, depth: Surface, camera: Camera, **options: float) -> np.ndarray:
    chosen = WrapOptions(**{"falloff": NARROW, **options})
    return displacement(head.vertices, head.vertices, head.faces, skin, depth, camera, chosen)


@pytest.fixture(scope="module")
def middle(head: HeadModel) -> np.ndarray:
    """Cheeks, chin and forehead: the face without what lies in folds."""
    away = np.linalg.norm(head.vertices - head.vertices[head.regions["face"]].mean(0), axis=1)
    folded = np.logical_or.reduce([head.regions[name] for name in ("lips", "eyelids", "eye_sockets", "nose")])
    return head.regions["face"] & (away < 0.06) & ~folded


@pytest.mark.parametrize("out", [OUT, -OUT])
def test_the_face_moves_to_the_surface(
    head: HeadModel, skin: np.ndarray, normals: np.ndarray, middle: np.ndarray, camera: Camera, out: float
) -> None:
    found = wrapped(head, skin, surface(head, skin, head.vertices + out * normals), camera)
    along = (found * normals).sum(1)
    assert np.median(along[middle]) == pytest.approx(out, abs=3e-4)
    assert np.abs(found - along[:, None] * normals).max() < 1e-6
    assert np.abs(found[~skin]).max() == 0


def test_a_head_that_is_the_surface_stays(head: HeadModel, skin: np.ndarray, camera: Camera) -> None:
    found = wrapped(head, skin, surface(head, skin, head.vertices), camera)
    assert np.linalg.norm(found, axis=1).max() < 1.5e-3
    assert np.linalg.norm(found, axis=1).mean() < 1e-4


def test_what_the_camera_does_not_see_stays_and_the_border_is_smooth(
    head: HeadModel, skin: np.ndarray, normals: np.ndarray, camera: Camera
) -> None:
    found = wrapped(head, skin, surface(head, skin, head.vertices + OUT * normals), camera, falloff=0.008)
    moved = np.linalg.norm(found, axis=1)
    towards = ((camera.position - head.vertices) * normals).sum(1)
    assert moved[towards < 0].max() == 0
    edges = head.faces[:, [0, 1]]
    length = np.linalg.norm(head.vertices[edges[:, 0]] - head.vertices[edges[:, 1]], axis=1)
    rise = np.abs(moved[edges[:, 0]] - moved[edges[:, 1]]) / np.maximum(length, 1e-3)
    assert rise.max() < 2 * STEEPEST


def test_eyes_mouth_and_clothes_leave_the_skin_alone(
    head: HeadModel, skin: np.ndarray, normals: np.ndarray, middle: np.ndarray, camera: Camera
) -> None:
    """Only where the photo shows skin, and hair if that is wanted: here the one on the left, the other on the right."""
    left = head.vertices[:, 0] > 0
    grown = head.vertices + OUT * normals
    depth = surface(head, skin, grown, hair=left.astype(float), cloth=(~left).astype(float))
    moved = np.linalg.norm(wrapped(head, skin, depth, camera), axis=1)
    assert np.median(moved[middle & left]) > 0.7 * OUT
    assert moved[middle & (head.vertices[:, 0] < -0.004)].max() == 0
    with pytest.raises(EngineError, match="sees no part"):
        wrapped(head, skin, depth, camera, hair=False)
    for name in ("eyes", "mouth", "glasses"):
        with pytest.raises(EngineError, match="sees no part"):
            wrapped(head, skin, surface(head, skin, grown, **{name: np.ones(len(grown))}), camera)


def test_the_other_half_follows_if_it_may(
    head: HeadModel, skin: np.ndarray, normals: np.ndarray, middle: np.ndarray, camera: Camera
) -> None:
    left = head.vertices[:, 0] > 0
    depth = surface(head, skin, head.vertices + OUT * normals, skin=left.astype(float))
    alone, both = (np.linalg.norm(wrapped(head, skin, depth, camera, mirror=m), axis=1) for m in (False, True))
    right = middle & (head.vertices[:, 0] < -0.02)
    assert alone[right].max() == 0
    assert np.median(both[right]) == pytest.approx(np.median(alone[middle & (head.vertices[:, 0] > 0.02)]), rel=0.05)


def test_no_vertex_moves_further_than_the_limit(
    head: HeadModel, skin: np.ndarray, normals: np.ndarray, middle: np.ndarray, camera: Camera
) -> None:
    found = wrapped(head, skin, surface(head, skin, head.vertices + 0.01 * normals), camera, limit=0.003)
    moved = np.linalg.norm(found, axis=1)
    assert moved.max() < 0.003 + 1e-9
    assert np.median(moved[middle]) > 0.0028


def test_the_amount_is_that_of_the_posed_head(
    head: HeadModel, skin: np.ndarray, middle: np.ndarray, camera: Camera
) -> None:
    """With the photo's expression the surface is met; the neutral head takes the amount along its own normals."""
    posed = head.vertices + 0.8 * head.expression_basis[head.expression_names.index("browInnerUp")]
    grown = posed + OUT * vertex_normals(posed, head.faces)
    found = displacement(
        posed, head.vertices, head.faces, skin, surface(head, skin, grown), camera, WrapOptions(falloff=NARROW)
    )
    assert np.median(np.linalg.norm(found[middle], axis=1)) == pytest.approx(OUT, abs=3e-4)


def test_hair_is_cut_out_without_crumbs() -> None:
    """Sixty faces of hair in a strip, one that hangs with nothing, and cloth."""
    row = np.arange(32.0)
    strip = np.concatenate([np.stack([row, 0 * row, 0 * row], 1), np.stack([row, 1 + 0 * row, 0 * row], 1)])
    first = np.arange(31)
    faces = np.concatenate(
        [np.stack([first, first + 1, first + 32], 1), np.stack([first + 1, first + 33, first + 32], 1)]
    )
    vertices = np.concatenate([strip, strip[:3] + 90, strip[:3] + 200])
    faces = np.concatenate([faces, [[64, 65, 66], [67, 68, 69]]])
    weight = np.concatenate([np.ones(67), np.zeros(3)])
    uv = vertices[:, :2] / 300
    found, triangles, places = hair_of(Surface(vertices, faces, {"hair": weight}), uv)
    assert np.array_equal(found, strip)
    assert len(triangles) == 62
    assert np.array_equal(places, uv[:64])
    with pytest.raises(EngineError, match="shows no hair"):
        hair_of(Surface(vertices, faces, {"skin": weight}), uv)
    with pytest.raises(EngineError, match="does not say") as caught:
        hair_of(Surface(vertices, faces, {}), uv)
    assert "another method than EG3D" in caught.value.cure
