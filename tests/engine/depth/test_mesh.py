"""depth2mesh: as published, and as used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from engine.depth.boundary import border_edges
from engine.depth.depth_map import Depth, unproject
from engine.depth.export import as_trimesh
from engine.depth.mesh import DepthMesh, MeshOptions, grid_mesh, mesh_of
from engine.errors import EngineError

from .toy_depth import ball, depth_of, plane, rays, toy_camera

ALL = MeshOptions(faces=None, border=0)


def plain_loop(depth: np.ndarray, mask: np.ndarray, threshold: float) -> list[tuple[int, int, int]]:
    """Algorithm 3 as it is written down."""
    height, width = depth.shape
    faces = []
    for row in range(height - 1):
        for column in range(width - 1):
            patch, inside = depth[row : row + 2, column : column + 2], mask[row : row + 2, column : column + 2]
            steps = [abs(patch[0, 1] - patch[0, 0]), abs(patch[1, 1] - patch[1, 0])]
            steps += [abs(patch[1, 0] - patch[0, 0]), abs(patch[1, 1] - patch[0, 1])]
            if inside.all() and max(steps) < threshold:
                here = row * width + column
                faces += [(here, here + width, here + 1), (here + width, here + width + 1, here + 1)]
    return faces


def test_the_published_algorithm_face_for_face() -> None:
    rng = np.random.default_rng(0)
    depth = rng.uniform(-0.1, 0.1, (17, 23)).astype(np.float32)
    mask = rng.random((17, 23)) > 0.1
    vertices, faces = grid_mesh(depth, mask, 0.12)
    assert [tuple(face) for face in faces.tolist()] == plain_loop(depth, mask, 0.12)
    assert len(vertices) == 17 * 23
    assert np.allclose(vertices[3 * 23 + 5], (5 / 23, 3 / 17, depth[3, 5]))


def test_the_published_threshold() -> None:
    step = np.zeros((4, 6), np.float32)
    step[:, 3:] = 0.1
    assert len(grid_mesh(step + 0.0)[1]) == 2 * 3 * 4  # a step of 0.1 is not less than 0.1
    assert len(grid_mesh(0.99 * step)[1]) == 2 * 3 * 5


def test_depth_without_squares_is_refused() -> None:
    with pytest.raises(EngineError, match="two pixels or more"):
        grid_mesh(np.zeros((1, 5)))
    with pytest.raises(EngineError, match="two pixels or more"):
        grid_mesh(np.zeros((5, 5)), np.ones((4, 5), bool))


def test_a_plane_lies_where_the_camera_saw_it() -> None:
    depth = plane(40, 0.4, turned=True)
    mesh = mesh_of(depth, ALL)
    seen = depth.camera.to_camera(mesh.vertices.astype(np.float64))
    assert np.abs(seen[:, 2] - (1 + 0.4 * seen[:, 0])).max() < 1e-6
    assert len(mesh.faces) == mesh.front == 2 * 39 * 39
    towards = depth.camera.world_to_camera[:3, :3] @ mesh.normals.T.astype(np.float64)
    assert np.allclose(towards.T, np.array([0.4, 0, -1]) / np.hypot(0.4, 1), atol=1e-3)


def test_a_plane_needs_few_faces() -> None:
    mesh = mesh_of(plane(129, 0.4), replace(ALL, faces=50))
    assert len(mesh.faces) <= 50
    area = as_trimesh(mesh).area
    assert area == pytest.approx(as_trimesh(mesh_of(plane(129, 0.4), ALL)).area, rel=1e-5)


@pytest.mark.parametrize("faces", [None, 2000])
def test_a_ball_is_round_and_seen_from_outside(faces: int | None) -> None:
    depth = ball(160, 0.15, turned=True)
    centre = unproject(depth.camera, np.array([80.0, 80.0]), np.array(1.0))
    mesh = mesh_of(depth, replace(ALL, faces=faces))
    out = mesh.vertices - centre
    assert np.abs(np.linalg.norm(out, axis=1) - 0.15).max() < 1e-5
    inner = np.setdiff1d(np.arange(len(out)), border_edges(mesh.faces))
    cosine = (out * mesh.normals).sum(1)[inner] / 0.15
    assert np.percentile(cosine, 2) > 0.97
    assert cosine.min() > 0


def step_on_slope(jump: float) -> Depth:
    camera = toy_camera(40)
    x, _ = rays(camera)
    return depth_of(1 + 2.0 * x + np.where(np.arange(40) < 20, 0, jump)[None], camera)


def test_a_jump_is_cut_and_a_slope_is_not() -> None:
    options = replace(ALL, pieces="all", jump=0.02)
    slope = step_on_slope(0.0)
    assert np.abs(np.diff(slope.depth, axis=1)).min() > 0.02  # the published rule would cut everywhere
    assert len(mesh_of(slope, options).faces) == 2 * 39 * 39
    assert len(mesh_of(step_on_slope(0.03), options).faces) == 2 * 39 * 38
    assert len(mesh_of(step_on_slope(0.01), options).faces) == 2 * 39 * 39


def test_the_largest_piece_is_kept() -> None:
    values = np.full((30, 30), np.nan)
    values[2:20, 2:20], values[22:28, 22:28] = 1.0, 1.0
    depth = depth_of(values, toy_camera(30))
    assert len(mesh_of(depth, ALL).faces) == 2 * 17 * 17
    assert len(mesh_of(depth, replace(ALL, pieces="all")).faces) == 2 * (17 * 17 + 5 * 5)


def test_small_holes_are_filled_and_large_ones_are_not() -> None:
    depth = plane(60, 0.3)
    values = depth.depth.copy()
    values[10:13, 10:13], values[25:50, 25:50] = np.nan, np.nan
    mesh = mesh_of(depth_of(values, depth.camera), ALL)
    assert len(mesh.faces) == 2 * (59 * 59 - 26 * 26)
    seen = depth.camera.to_camera(mesh.vertices.astype(np.float64))
    assert np.abs(seen[:, 2] - (1 + 0.3 * seen[:, 0])).max() < 0.002


def border_roughness(mesh: DepthMesh, side: int) -> float:
    """Deviation of the border's distance from the middle of the picture, pixels."""
    place = mesh.uv[np.unique(border_edges(mesh.faces))] * side - side / 2
    return float(np.linalg.norm(place, axis=1).std())


def test_the_border_is_smooth_and_stays_where_it_is() -> None:
    camera = toy_camera(120)
    x, y = rays(camera)
    depth = depth_of(np.where(np.hypot(x, y) < 0.2, 1.0, np.nan), camera)
    rough, smooth = (mesh_of(depth, replace(ALL, border=rounds)) for rounds in (0, 30))
    assert border_roughness(smooth, 120) < 0.75 * border_roughness(rough, 120)
    assert np.abs(smooth.uv - rough.uv).max() * 120 <= 0.45 + 1e-4
    one, two = (np.diff(smooth.uv[smooth.faces][:, [0, k]], axis=1)[:, 0] for k in (1, 2))
    assert (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] > 0).all()  # none is turned over


def test_texture_coordinates_are_the_pixels_themselves() -> None:
    depth = plane(20)
    mesh = mesh_of(depth, ALL)
    pixels = depth.camera.project(mesh.vertices.astype(np.float64))
    assert np.allclose(mesh.uv[:, 0] * 20, pixels[:, 0], atol=1e-3)
    assert np.allclose((1 - mesh.uv[:, 1]) * 20, pixels[:, 1], atol=1e-3)
    assert np.allclose([mesh.uv.min(0), mesh.uv.max(0)], [[0.025, 0.025], [0.975, 0.975]])
    assert np.array_equal(mesh.uv_faces, mesh.faces)


@pytest.mark.parametrize("faces", [None, 1500])
def test_a_closed_back_is_watertight(faces: int | None) -> None:
    mesh = mesh_of(ball(120), replace(ALL, faces=faces, border=30, close_back=True))
    solid = as_trimesh(mesh)
    assert solid.is_watertight
    assert solid.is_winding_consistent
    half = 2 / 3 * np.pi * 0.15**3
    assert 0.5 * half < solid.volume < 2.2 * half
    # The front keeps the photo, the back and the wall between have a picture of their own.
    front, rest = mesh.uv[mesh.uv_faces[: mesh.front]], mesh.uv[mesh.uv_faces[mesh.front :]]
    assert front[..., 0].max() < 1 < rest[..., 0].min()


def test_pieces_that_touch_at_a_corner_close_too() -> None:
    values = np.full((40, 40), np.nan)
    values[5:20, 5:20], values[19:35, 19:35] = 1.0, 1.0
    mesh = mesh_of(depth_of(values, toy_camera(40)), replace(ALL, close_back=True))
    edges = np.sort(mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] % 2 == 0).all()


def test_a_budget_too_small_for_the_grid_is_met_on_a_coarser_one() -> None:
    camera = toy_camera(200)
    x, y = rays(camera)
    angle = np.arctan2(y, x)
    depth = depth_of(np.where(np.hypot(x, y) < 0.15 + 0.05 * np.sin(20 * angle), 1.0, np.nan), camera)
    mesh = mesh_of(depth, MeshOptions(faces=600, largest_hole=0))
    assert 100 < len(mesh.faces) <= 600
    assert isinstance(as_trimesh(mesh), trimesh.Trimesh)


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(EngineError, match="shows no surface"):
        mesh_of(depth_of(np.full((20, 20), np.nan), toy_camera(20)))


def test_four_million_pixels_fit_into_memory() -> None:
    """In a process of its own, libraries included; scripts/benchmark_depth.py has 4096 pixels a side."""
    import subprocess
    import sys

    code = (
        "from engine.depth.mesh import MeshOptions, mesh_of;"
        "from tests.engine.depth.toy_depth import plane;"
        "d = plane(2048);"
        "m = mesh_of(d, MeshOptions(faces=20000));"
        "from engine.evaluation.machine import peak_memory;"
        "print(len(m.faces), peak_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    faces, peak = done.stdout.split()
    if peak == "nan":
        pytest.skip("the system does not say what a process held")
    assert 0 < int(faces) <= 20000
    assert float(peak) < 1.2
