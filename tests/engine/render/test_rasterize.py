"""The rasteriser against analytic cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.camera import Camera
from engine.errors import EngineError
from engine.render import pytorch3d, zbuffer
from engine.render.rasterize import (
    get_rasterizer,
    interpolate,
    project,
    rasterize_mesh,
    rasterize_uv,
    screen_triangles,
    surface_barycentrics,
)

CAMERA = Camera(
    np.array([[90.0, 0, 32], [0, 90, 24], [0, 0, 1]]),
    np.array([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2], [0, 0, 0, 1]]),
    64,
    48,
)


@pytest.fixture(params=["torch", "pytorch3d"])
def backend(request: pytest.FixtureRequest) -> str:
    """Every rasteriser there is; on the CPU."""
    if request.param == "pytorch3d" and not pytorch3d.available():
        pytest.skip("needs PyTorch3D")
    return request.param


def random_triangles(count: int, size: int, seed: int = 0) -> torch.Tensor:
    """(count,3,3) small and large triangles, some partly off the picture."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand((count, 1, 2), generator=generator) * size * 1.2 - size * 0.1
    reach = size * 0.5 * torch.rand((count, 1, 1), generator=generator) ** 3
    corners = centre + torch.randn((count, 3, 2), generator=generator) * reach
    return torch.cat([corners, 1 + torch.rand((count, 3, 1), generator=generator)], -1)


def brute_force(triangles: torch.Tensor, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Face and depth by testing every pixel against every triangle in double precision."""
    y, x = np.mgrid[0:size, 0:size] + 0.5
    best, depth = np.full((size, size), -1), np.full((size, size), np.inf)
    for index, corners in enumerate(triangles.double().numpy()):
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = corners
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        second = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
        third = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
        here = 1 / ((1 - second - third) / az + second / bz + third / cz)
        nearer = (second >= 0) & (third >= 0) & (second + third <= 1) & (here < depth)
        best[nearer], depth[nearer] = index, here[nearer]
    return best, depth


def test_agrees_with_brute_force(backend: str) -> None:
    triangles = random_triangles(60, 96)
    raster = get_rasterizer(backend)(triangles, (96, 96))
    face, depth = brute_force(triangles, 96)
    same = raster.face.numpy() == face
    assert same.mean() > 0.999
    assert np.allclose(raster.depth.numpy()[same & (face >= 0)], depth[same & (face >= 0)], rtol=1e-4)


def awkward_triangles(size: int) -> torch.Tensor:
    """(F,3,3) random ones, the same ones again (ties), slivers, lines, points, and what lies off the picture."""
    some = random_triangles(60, size, seed=4)
    slivers = random_triangles(20, size, seed=5)
    slivers[:, 2, :2] = slivers[:, 1, :2] + 0.02
    lines, points, level = some[:5].clone(), some[5:10].clone(), some[10:15].clone()
    lines[:, 2] = (lines[:, 0] + lines[:, 1]) / 2
    points[:, 1:] = points[:, :1]
    level[:, 1, 1] = level[:, 0, 1] = level[:, :2, 1].mean(1).round() + 0.5  # an edge along a row of pixel centres
    beside, above, behind, endless = (some[15:20].clone() for _ in range(4))
    beside[..., 0] += 2 * size
    above[..., 1] -= 2 * size
    behind[:, 0, 2] = -1
    endless[:, 1, 0] = torch.inf
    endless[1, 0, 1] = torch.nan
    whole = torch.tensor([[[-size, -size, 1.7], [4.0 * size, 0, 1.9], [0, 4 * size, 1.8]]])
    return torch.cat([some, level, lines, points, some.flip(1), beside, above, behind, endless, slivers, whole])


def one_by_one(triangles: torch.Tensor, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Face and inverse depth, triangle after triangle, row after row, with the rasteriser's own arithmetic."""
    best, nearest = np.full((size, size), -1), np.zeros((size, size), np.float32)
    number = np.float32
    half, none, one_more, side = number(0.5), number(0), number(1), number(size)
    for index, triangle in enumerate(triangles.numpy()):
        with np.errstate(all="ignore"):
            (ax, ay, _), (bx, by, _), (cx, cy, _) = triangle
            area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
            if not np.isfinite(triangle).all() or triangle[:, 2].min() <= 0 or area == 0:
                continue
            top, middle, bottom = triangle[np.argsort(triangle[:, 1], kind="stable")]
            one, two = middle - top, bottom - top
            inverse = 1 / np.stack([top, middle, bottom])[:, 2]
            rise_1, rise_2 = inverse[1] - inverse[0], inverse[2] - inverse[0]
            area = one[0] * two[1] - one[1] * two[0]
            right, down = (rise_1 * two[1] - rise_2 * one[1]) / area, (rise_2 * one[0] - rise_1 * two[0]) / area
            rows = np.clip(np.ceil(triangle[:, 1] - half), 0, size)
            for row in range(int(rows.min()), int(rows.max())):
                centre = number(row) + half
                start, end = (top, middle) if centre < middle[1] else (middle, bottom)
                ends = [
                    np.clip(np.ceil(x - half), none, side)
                    for x in (
                        top[0] + (centre - top[1]) * ((bottom[0] - top[0]) / (bottom[1] - top[1])),
                        start[0] + (centre - start[1]) * ((end[0] - start[0]) / (end[1] - start[1])),
                    )
                ]
                first, last = min(ends), max(ends)
                level = inverse[0] + down * (centre - top[1])
                begin, stop = (
                    np.clip(level + right * (x - top[0]), inverse.min(), inverse.max())
                    for x in (first + half, last - half)
                )
                step = (stop - begin) / max(last - first - one_more, one_more)
                for k, column in enumerate(range(int(first), int(last))):
                    here = begin + step * number(k)
                    if here > nearest[row, column]:
                        best[row, column], nearest[row, column] = index, here
    return best, nearest


@pytest.mark.parametrize("few", [1, 24, 10**9])
@pytest.mark.parametrize("at_once", [1 << 19, 300])
def test_however_it_is_cut_the_picture_is_that_of_one_triangle_after_the_other(
    few: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`FEW` of 1 cuts all part by part, a large one all by repetition."""
    size = 48
    triangles = awkward_triangles(size)
    face, nearest = one_by_one(triangles, size)
    monkeypatch.setattr(zbuffer, "FEW", few)
    monkeypatch.setattr(zbuffer, "PARTS_AT_ONCE", at_once)
    monkeypatch.setattr(zbuffer, "RESOLVE_AT_ONCE", at_once)
    raster = get_rasterizer()(triangles, (size, size))
    assert np.array_equal(raster.face.numpy(), face)
    seen = face >= 0
    assert seen.sum() > size * size // 2
    assert len(np.unique(face)) > 30
    assert np.allclose(1 / raster.depth.numpy()[seen], nearest[seen], rtol=2e-3)
    assert torch.isinf(raster.depth[~raster.mask]).all()
    assert not raster.barycentrics[~raster.mask].any()


def test_triangles_of_more_rows_and_columns_than_are_told_apart() -> None:
    """Above `LARGEST` parts the order is any; 200 large triangles are still cut whole."""
    size = zbuffer.LARGEST + 60
    step = torch.arange(200) * 1e-3
    triangle = torch.tensor([[-1.0, -1, 1], [3 * size, -1, 1], [-1, 3 * size, 1]])
    triangles = triangle.repeat(200, 1, 1)
    triangles[:, :, 2] += step.flip(0)[:, None]
    raster = get_rasterizer()(triangles, (size, size))
    assert (raster.face == 199).all()
    assert torch.allclose(raster.depth, torch.ones(()))


def test_pictures_of_a_batch_are_those_of_each_alone() -> None:
    triangles = torch.stack([random_triangles(90, 40, seed=seed) for seed in range(3)])
    together = get_rasterizer()(triangles, (40, 33))
    for index, alone in enumerate(triangles):
        raster = get_rasterizer()(alone, (40, 33))
        assert torch.equal(together.face[index], raster.face)
        assert torch.equal(together.barycentrics[index], raster.barycentrics)
        assert torch.equal(together.depth[index], raster.depth)


def test_two_pass_buffer_for_devices_without_64_bit_scatter(monkeypatch: pytest.MonkeyPatch) -> None:
    triangles = random_triangles(80, 64, seed=2)
    packed = get_rasterizer()(triangles, (64, 64))
    monkeypatch.setattr(zbuffer, "_new_buffer", zbuffer._TwoPassBuffer)
    monkeypatch.setattr(zbuffer, "PARTS_AT_ONCE", 500)
    assert torch.equal(get_rasterizer()(triangles, (64, 64)).face, packed.face)


def test_neighbours_leave_no_gap_and_never_overlap(backend: str) -> None:
    """A jittered grid, at one depth and in any order, covers each pixel exactly once; PyTorch3D may take one twice."""
    generator = torch.Generator().manual_seed(3)
    side, size = 13, 100
    y, x = torch.meshgrid(torch.linspace(0, size, side), torch.linspace(0, size, side), indexing="ij")
    points = torch.stack([x, y], -1)
    points[1:-1, 1:-1] += (torch.rand((side - 2, side - 2, 2), generator=generator) - 0.5) * 7
    flat = torch.cat([points.reshape(-1, 2), torch.ones(side * side, 1)], -1)
    corner = (torch.arange(side - 1)[:, None] * side + torch.arange(side - 1)).reshape(-1)
    faces = torch.cat(
        [
            torch.stack([corner, corner + 1, corner + side], -1),
            torch.stack([corner + side, corner + 1, corner + side + 1], -1),
        ]
    )
    alone = get_rasterizer(backend)(flat[faces][:, None], (size, size))
    times = alone.mask.sum(0)
    assert (times == 1).all() if backend == "torch" else (times >= 1).all()


def test_nearest_wins_and_ties_go_to_the_lower_face(backend: str) -> None:
    near = torch.tensor([[[0.0, 0, 1], [8, 0, 1], [0, 8, 1]]])
    far = near + torch.tensor([0.0, 0, 1])
    raster = get_rasterizer(backend)(torch.cat([far, near, near]), (8, 8))
    assert set(raster.face[raster.mask].tolist()) == {1}
    assert torch.allclose(raster.depth[raster.mask], torch.tensor(1.0))
    assert torch.isinf(raster.depth[~raster.mask]).all()


def test_perspective_correct_depth_of_a_slanted_plane(backend: str) -> None:
    """The plane z = x in the world, seen from the front: the ray through a pixel meets it at a known depth."""
    vertices = torch.tensor([[-0.4, -0.6, -0.4], [0.4, -0.6, 0.4], [0.0, 0.8, 0.0]])
    raster = rasterize_mesh(vertices, torch.tensor([[0, 1, 2]]), CAMERA, backend=backend)
    y, x = raster.mask.nonzero(as_tuple=True)
    slope = (x + 0.5 - 32) / 90
    # A world point (X, Y, X) has depth 2 - X and sits at column 32 + 90 X / (2 - X), so depth = 2 / (1 + slope).
    assert len(x) > 300
    assert torch.allclose(raster.depth[y, x], 2 / (1 + slope), rtol=1e-5)


def test_barycentrics_sum_to_one_and_give_back_the_pixel(backend: str) -> None:
    triangles = random_triangles(40, 64, seed=4)
    raster = get_rasterizer(backend)(triangles, (64, 64))
    at = raster.mask.nonzero(as_tuple=True)
    weights, corners = raster.barycentrics[at], triangles[raster.face[at].long()]
    assert torch.allclose(weights.sum(-1), torch.ones(len(weights)), atol=1e-5)
    assert weights.min() >= 0
    # Undo the perspective.
    screen = weights * corners[..., 2] / raster.depth[at][:, None]
    back = (corners[..., :2] * screen[..., None]).sum(1)
    error = (back - torch.stack([at[1], at[0]], -1) - 0.5).abs()
    assert error.quantile(0.99) < 1e-3


def test_culling_and_the_near_side(backend: str) -> None:
    front = torch.tensor([[1.0, 1, 1], [1, 7, 1], [7, 1, 1]])  # counter-clockwise seen, y down on the screen
    both = torch.stack([front, front[[0, 2, 1]]])
    assert (get_rasterizer(backend)(both, (8, 8), "back").face.unique() == torch.tensor([-1, 0])).all()
    assert not get_rasterizer(backend)(both[1:], (8, 8), "back").mask.any()
    assert not get_rasterizer(backend)(both - torch.tensor([0.0, 0, 1]), (8, 8)).mask.any()


def test_front_faces_of_a_mesh_survive_culling(backend: str) -> None:
    faces = torch.tensor([[0, 1, 2]])
    vertices = torch.tensor([[-0.3, -0.3, 0.0], [0.3, -0.3, 0], [0, 0.3, 0]])
    assert rasterize_mesh(vertices, faces, CAMERA, "back", backend=backend).mask.any()
    assert not rasterize_mesh(vertices, faces[:, [0, 2, 1]], CAMERA, "back", backend=backend).mask.any()


def test_batches_are_separate_pictures(backend: str) -> None:
    triangles = torch.stack([random_triangles(20, 32, seed) for seed in (5, 6, 7)])
    batch = get_rasterizer(backend)(triangles, (32, 40))
    assert batch.face.shape == (3, 32, 40)
    for index in range(3):
        alone = get_rasterizer(backend)(triangles[index], (32, 40))
        assert torch.equal(batch.face[index], alone.face)
        assert torch.equal(batch.depth[index], alone.depth)


def test_nothing_to_draw(backend: str) -> None:
    assert not get_rasterizer(backend)(torch.zeros(0, 3, 3), (4, 5)).mask.any()
    assert not get_rasterizer(backend)(torch.full((2, 3, 3), torch.nan), (4, 5)).mask.any()
    assert not get_rasterizer(backend)(torch.ones(2, 3, 3), (4, 5)).mask.any()


def test_a_triangle_far_larger_than_the_picture_covers_it(backend: str) -> None:
    huge = torch.tensor([[[-1e6, -1e6, 1.0], [1e6, -1e6, 1], [0, 1e6, 1]]])
    assert get_rasterizer(backend)(huge, (50, 70)).mask.all()


def test_uv_raster_has_v_pointing_up_and_covers_the_square(backend: str) -> None:
    uv = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    raster = rasterize_uv(uv, torch.tensor([[0, 1, 2], [0, 2, 3]]), 16, backend=backend)
    assert raster.mask.all()
    assert raster.face[0, 0] == 1  # upper left
    assert raster.face[-1, -1] == 0  # lower right
    found = interpolate(raster, uv, torch.tensor([[0, 1, 2], [0, 2, 3]]))
    assert torch.allclose(found[0, 3], torch.tensor([3.5 / 16, 15.5 / 16]), atol=1e-6)


def test_projection_agrees_with_the_camera() -> None:
    points = np.random.default_rng(0).normal(size=(20, 3)) * 0.2
    found = project(torch.tensor(points), CAMERA).numpy()
    assert np.allclose(found[:, :2], CAMERA.project(points), atol=1e-9)
    assert np.allclose(found[:, 2], CAMERA.to_camera(points)[:, 2])


def test_interpolate_reproduces_world_positions(backend: str) -> None:
    vertices = torch.tensor([[-0.4, -0.3, 0.2], [0.4, -0.3, -0.1], [0.1, 0.4, 0.3]])
    faces = torch.tensor([[0, 1, 2]])
    raster = rasterize_mesh(vertices, faces, CAMERA, backend=backend)
    seen = interpolate(raster, vertices, faces)[raster.mask].double().numpy()
    y, x = raster.mask.nonzero(as_tuple=True)
    assert np.abs(CAMERA.project(seen) - np.stack([x, y], -1) - 0.5).max() < 1e-3
    assert not interpolate(raster, vertices, faces)[~raster.mask].any()


def test_gradients_of_interpolation(backend: str) -> None:
    vertices = torch.tensor(
        [[-0.4, -0.3, 0.2], [0.4, -0.3, -0.1], [0.1, 0.4, 0.3], [0.5, 0.5, 0.0]],
        dtype=torch.float64,
        requires_grad=True,
    )
    colours = torch.rand((4, 2), dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    faces = torch.tensor([[0, 1, 2], [2, 1, 3]])
    raster = rasterize_mesh(vertices, faces, CAMERA.scaled(0.2), backend=backend)
    assert raster.mask.sum() > 10

    def picture(points: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        return interpolate(raster, values, faces, screen_triangles(points, faces, CAMERA.scaled(0.2)))

    assert torch.autograd.gradcheck(picture, (vertices, colours))


def test_surface_barycentrics_at_corners() -> None:
    corners = torch.tensor([[[1.0, 2, 1], [5, 2, 2], [2, 6, 3]]]).expand(3, -1, -1)
    weights, depth = surface_barycentrics(corners, corners[0, :, :2])
    assert torch.allclose(weights, torch.eye(3), atol=1e-6)
    assert torch.allclose(depth, torch.tensor([1.0, 2, 3]))


def test_unknown_backend() -> None:
    with pytest.raises(EngineError, match="voxel"):
        get_rasterizer("voxel")
