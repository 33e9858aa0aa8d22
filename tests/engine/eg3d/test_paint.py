"""A texture made of views: triangles lie in the view that sees them, at the place where it sees them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.eg3d.camera import METRES, Register, orbit_label
from engine.eg3d.config import Rendering
from engine.eg3d.depth import depth_of, rendered_depth
from engine.eg3d.extras import angles_of, write_views
from engine.eg3d.mesh import VolumeMesh
from engine.eg3d.paint import ANGLES, labels_around, painted
from engine.eg3d.surface import MarchingCubes
from engine.eg3d.views import View, project

SIDE, RADIUS = 64, 0.25
REGISTER = Register(np.diag([METRES, METRES, METRES, 1.0]))


@pytest.fixture(scope="module")
def sphere() -> VolumeMesh:
    steps = np.linspace(-0.35, 0.35, 29)
    # Slabs lie along y, rows along z, columns along x.
    march = MarchingCubes(0.0)
    for y in steps:
        march.add((RADIUS - np.sqrt(steps[None] ** 2 + steps[:, None] ** 2 + y**2)).astype(np.float32))
    voxels, faces = march.mesh()
    vertices = (np.asarray(voxels)[:, [2, 0, 1]] * 0.025 - 0.35).astype(np.float32)
    return VolumeMesh(vertices, faces, np.zeros((len(vertices), 3), np.uint8))


def view_of(label: np.ndarray, colour: int) -> View:
    """What a camera sees of the ball: one grey, and the exact distance along each ray."""
    rows, columns = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE
    pose, inner = label[:16].reshape(4, 4).astype(float), label[16:].reshape(3, 3).astype(float)
    rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(inner).T
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True) @ pose[:3, :3].T
    toward = rays @ pose[:3, 3]
    inside = toward**2 - pose[:3, 3] @ pose[:3, 3] + RADIUS**2
    depth = np.where(inside > 0, -toward - np.sqrt(np.maximum(inside, 0)), 3.3).astype(np.float32)
    return View(np.full((SIDE, SIDE, 3), colour, np.uint8), depth, (inside > 0).astype(np.float32), label)


@pytest.fixture(scope="module")
def seen() -> list[View]:
    return [view_of(label, 40 * (number + 1)) for number, label in enumerate(labels_around(orbit_label(), Rendering()))]


def test_views_go_round_the_head() -> None:
    labels = labels_around(orbit_label(5, 3), Rendering())
    np.testing.assert_allclose([angles_of(label) for label in labels], [(5, 3), *ANGLES], atol=1e-3)


def test_triangles_lie_in_the_view_that_sees_them(sphere: VolumeMesh, seen: list[View]) -> None:
    made = painted(sphere, seen)
    assert made.picture.shape == (2 * SIDE, 3 * SIDE, 3)
    place = made.uv[made.uv_faces].mean(1) * [3 * SIDE, 2 * SIDE]
    x, y = place[:, 0].astype(int), 2 * SIDE - 1 - place[:, 1].astype(int)
    number = made.picture[y, x, 0] // 40 - 1
    middle = sphere.vertices[sphere.faces].mean(1)
    for index, view in enumerate(seen):
        toward = view.label[[3, 7, 11]] / np.linalg.norm(view.label[[3, 7, 11]])
        towards = middle @ toward > 0.97 * RADIUS
        assert towards.sum() > 20
        share = (number[towards] == index).mean()
        assert share == 1 if index == 0 else share > 0.6  # the photo's own, the first, is preferred


def test_they_lie_where_it_sees_them(sphere: VolumeMesh, seen: list[View]) -> None:
    made = painted(sphere, seen[:1])  # one picture: all in it
    place, _ = project(seen[0].label, sphere.vertices)
    found = made.uv[made.uv_faces.ravel()] * [1, -1] + [0, 1]
    np.testing.assert_allclose(found, place[sphere.faces.ravel()], atol=1e-6)


def test_pictures_are_not_cut_into_crumbs(sphere: VolumeMesh, seen: list[View]) -> None:
    """Few edges lie between two pictures: each of six is about a ring of its own."""
    made = painted(sphere, seen)
    assert len(made.uv) < 1.25 * len(made.vertices)


def test_a_placed_mesh_is_in_metres_with_normals_outwards(sphere: VolumeMesh, seen: list[View]) -> None:
    turn = np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = METRES * turn, (0.1, 0.2, 0.3)
    mesh = painted(sphere, seen).placed(Register(matrix))
    away = mesh.vertices - [0.1, 0.2, 0.3]
    np.testing.assert_allclose(np.linalg.norm(away, axis=1), RADIUS * METRES, atol=2e-4)
    assert ((away * mesh.normals).sum(1) > 0.98 * RADIUS * METRES).all()


def test_depth_is_that_of_the_ball_and_believed_where_both_agree(sphere: VolumeMesh, seen: list[View]) -> None:
    made = painted(sphere, seen)
    depth = depth_of(made, seen[0], REGISTER, 96)
    exact = METRES * (np.linalg.norm(seen[0].label[[3, 7, 11]]) - RADIUS)
    assert depth.depth[depth.mask].min() == pytest.approx(exact, abs=1e-3)
    assert depth.confidence[48, 48] == pytest.approx(0.6, abs=0.03)
    np.testing.assert_allclose(np.linalg.norm(depth.points[depth.mask], axis=1), RADIUS * METRES, atol=1e-3)
    thin = replace(seen[0], depth=seen[0].depth + np.float32(0.015 / METRES))
    assert depth_of(made, thin, REGISTER, 96).confidence[48, 48] == pytest.approx(0.3, abs=0.03)
    far = replace(seen[0], depth=seen[0].depth + np.float32(0.05 / METRES))
    assert depth_of(made, far, REGISTER, 96).confidence[48, 48] == 0


def test_rendered_depth_lies_along_the_axis() -> None:
    """Rays to the corners of a wall are longer than the wall is far."""
    label = orbit_label()
    rows, columns = (np.mgrid[:32, :32] + 0.5) / 32 - 0.5
    along = 2.0 * np.sqrt(1 + (rows**2 + columns**2) / label[16] ** 2)
    wall = View(np.zeros((32, 32, 3), np.uint8), along.astype(np.float32), np.ones((32, 32), np.float32), label)
    np.testing.assert_allclose(rendered_depth(wall, METRES, 32), 2.0 * METRES, rtol=1e-5)


def test_views_are_written_by_their_angles(seen: list[View], tmp_path) -> None:
    from PIL import Image

    write_views(tmp_path / "views", seen)
    names = sorted(path.name for path in (tmp_path / "views").iterdir())
    assert len(names) == 12
    assert "1_yaw-60_pitch+00.png" in names
    depth = np.asarray(Image.open(tmp_path / "views" / "1_yaw-60_pitch+00_depth.png"))
    assert depth.dtype in (np.uint16, np.int32)
    assert depth[32, 32] > depth[0, 0] == 0  # near is light
