"""Densities on a grid are those at its points; meshes stand where the pictures show them; memory is asked for first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.eg3d.camera import Register, orbit_label
from engine.eg3d.config import PLANE_AXES
from engine.eg3d.decoder import Decoder
from engine.eg3d.grid import EMPTY, Grid, density_grid, predicted_bytes
from engine.eg3d.memory import check_memory, told_of_memory
from engine.eg3d.mesh import LEVEL, extract_mesh, head_mesh, vertex_colours
from engine.eg3d.planes import Planes
from engine.eg3d.views import coloured_by_views, project, turntable, vertex_normals, views
from engine.errors import DeviceError, EngineError, JobCancelled
from engine.progress import Progress


@pytest.fixture(params=[PLANE_AXES, ((0, 1), (0, 2), (2, 1)), ((0, 1), (1, 2), (2, 0))], ids=str)
def axes(request):
    return request.param


def ball_planes(side=32) -> Planes:
    """Features x² + y² and 2 z², so that their sum, over three planes, is a ball's."""
    steps = (torch.arange(side) + 0.5) / side - 0.5
    square = steps.square()
    first = (square[None] + square[:, None])[None]
    second = square[None].expand(side, -1)[None]  # columns of the third plane are z
    return Planes.of(torch.stack([first, torch.zeros_like(first), second]))


class BallDecoder(Decoder):
    """Raw density 19 - softplus(100 r²): 10 at a distance of 0.3 from the origin. One colour everywhere."""

    def __init__(self) -> None:
        super().__init__(1, 2, 3)
        for value in self.parameters():
            value.data.zero_()
        first, second = self.net[0], self.net[2]
        first.weight.data[0] = 300.0  # type: ignore[union-attr, operator, index]
        second.weight.data[0] = torch.tensor([-(2**0.5), 0.0])  # type: ignore[union-attr, operator, index]
        second.bias.data[:] = torch.tensor([19.0, 3.0, 0.0, -3.0])  # type: ignore[union-attr, operator, index]


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_the_grid_has_the_densities_at_its_points(tiny, latent, axes, scale):
    """Also where products of exponentials would overflow."""
    planes = tiny.planes(latent)[0]
    planes = replace(planes, table=planes.table * scale, axes=axes)
    grid = Grid(36)
    volume = density_grid(planes, tiny.decoder, grid)
    line = np.linspace(-0.5, 0.5, 36)
    places = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3).astype(np.float32)
    wanted = tiny.decoder.densities(planes, torch.tensor(places)).numpy().reshape(36, 36, 36)
    inner = slice(grid.margin, 36 - grid.margin)
    np.testing.assert_allclose(volume[inner, inner, inner], wanted[inner, inner, inner], atol=3e-6 * scale)
    assert grid.margin == 4
    border = np.ones((36, 36, 36), bool)
    border[inner, inner, inner] = False
    assert (volume[border] == EMPTY).all()


def test_the_published_border():
    assert [Grid(side).margin for side in (512, 256, 128, 100)] == [60, 30, 15, 11]
    assert LEVEL == 10.0


def test_the_mesh_stands_where_the_density_is():
    mesh = extract_mesh(ball_planes(64), BallDecoder(), Grid(64, border=2))
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), 0.3, atol=0.005)
    normal = vertex_normals(mesh.vertices, mesh.faces)
    assert ((normal * mesh.vertices).sum(1) > 0.28).all()  # outwards
    up, down = mesh.colours[mesh.vertices[:, 1].argmax()], mesh.colours[mesh.vertices[:, 1].argmin()]
    np.testing.assert_array_equal(up, down)
    np.testing.assert_allclose(up, 255 / (1 + np.exp([-3.0, 0.0, 3.0])), atol=1.5)


def test_the_mesh_lies_where_a_camera_sees_it():
    """Along the middle of a picture taken from anywhere the ball begins 0.3 before the origin."""
    mesh = extract_mesh(ball_planes(64), BallDecoder(), Grid(96, border=2))
    label = orbit_label(25, 10)
    place, distance = project(label, mesh.vertices)
    middle, _ = project(label, np.zeros((1, 3)))
    front = distance < 2.7
    nearest = distance[front][np.linalg.norm(place[front] - middle, axis=1).argmin()]
    assert nearest == pytest.approx(2.4, abs=0.005)


def test_a_level_nothing_reaches_is_an_error():
    with pytest.raises(EngineError, match="nowhere as dense as 1000") as caught:
        extract_mesh(ball_planes(), BallDecoder(), Grid(24), level=1000)
    assert "lower" in caught.value.cure


def test_fewer_triangles_and_colours_for_all(tiny, latent):
    volume = density_grid(tiny.planes(latent)[0], tiny.decoder, Grid(40))
    level = float(np.quantile(volume[volume > EMPTY], 0.7))
    stages: list[str] = []
    mesh = head_mesh(tiny, latent, Grid(40), level, 800, Progress(lambda stage, fraction: stages.append(stage)))
    assert 0 < len(mesh.faces) <= 800
    assert mesh.colours.shape == mesh.vertices.shape
    assert mesh.colours.dtype == np.uint8
    colour = tiny.decoder.query(tiny.planes(latent)[0], torch.tensor(mesh.vertices))[1][:, :3]
    np.testing.assert_allclose(mesh.colours, colour.clamp(0, 1).numpy() * 255, atol=0.51)
    assert list(dict.fromkeys(stages)) == ["Measuring the volume", "Finding the surface", "Colouring the surface"]
    placed = mesh.placed(Register(np.diag([0.37, 0.37, 0.37, 1.0])))
    np.testing.assert_allclose(placed.vertices, 0.37 * mesh.vertices, atol=1e-6)


def test_a_mesh_can_be_cancelled():
    with pytest.raises(JobCancelled):
        extract_mesh(ball_planes(), BallDecoder(), Grid(32), progress=Progress(cancelled=lambda: True))


def test_a_grid_that_does_not_fit_is_refused_before_it_starts_and_a_smaller_one_offered():
    limit = predicted_bytes(256, 64) + 1
    with pytest.raises(DeviceError, match="512 voxels") as caught:
        extract_mesh(ball_planes(), Decoder(1, 64, 3), Grid(512), limit=limit)
    assert "256" in caught.value.cure
    with pytest.raises(DeviceError, match=r"0\.[0-9] GB of memory, and there are 0\.1 GB"):
        density_grid(ball_planes(), Decoder(1, 64, 3), Grid(512), limit=100_000_000)
    with pytest.raises(DeviceError) as caught:
        check_memory(lambda n: 10**9, 512, 1, "a grid of {}")
    assert caught.value.cure == "Close other programs and try again."
    check_memory(lambda n: 10**9, 512, None, "a grid of {}")


def test_a_picture_that_does_not_fit_is_refused_before_it_starts(tiny, latent):
    with pytest.raises(DeviceError, match="picture of 4096 pixels") as caught:
        next(views(tiny, latent, [orbit_label()], 4096, limit=1 << 30))
    assert "1024" in caught.value.cure


def test_running_out_of_memory_is_said_plainly():
    with pytest.raises(DeviceError, match="not enough memory for the inversion"), told_of_memory("the inversion"):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
    with pytest.raises(ZeroDivisionError), told_of_memory("the inversion"):
        raise ZeroDivisionError


def test_the_prediction_holds_the_whole_grid():
    assert predicted_bytes(512, 64, whole=True) - predicted_bytes(512, 64) == 4 * 512**3
    assert predicted_bytes(512, 64) < 1 << 28  # slab by slab it stays small


def test_views_are_those_of_the_generator(tiny, latent):
    labels = turntable(tiny, 4)
    found = list(views(tiny, latent, labels))
    np.testing.assert_array_equal(found[1].label, labels[1])
    picture = tiny.synthesis(latent, torch.tensor(labels[1])[None])
    image = (picture.image[0].permute(1, 2, 0) * 127.5 + 128).clamp(0, 255).numpy()
    np.testing.assert_allclose(found[1].image, image, atol=1.01)
    np.testing.assert_allclose(found[1].depth, picture.depth[0, 0].numpy(), atol=1e-6)
    grey = found[1].depth_picture(2.25, 3.3)
    assert grey.dtype == np.uint16
    np.testing.assert_allclose(grey / 65535, (3.3 - found[1].depth) / 1.05, atol=1e-4)


def test_a_turntable_swings_and_comes_back(tiny):
    labels = np.stack(turntable(tiny, 8, 30, 10))
    side = labels[:, 3]  # x of the camera
    assert side[0] == pytest.approx(0, abs=1e-6)
    assert side[2] == pytest.approx(2.7 * 0.5, abs=1e-5)
    np.testing.assert_allclose(side[6], -side[2], atol=1e-5)
    assert side[4] == pytest.approx(0, abs=1e-6)


def test_vertices_take_the_colours_of_the_views_that_see_them(tiny):
    mesh = extract_mesh(ball_planes(64), BallDecoder(), Grid(48, border=2))
    front = next(views(tiny, tiny.mapping(torch.zeros(1, 16), torch.zeros(1, 25)), [orbit_label()]))
    depth = np.full((12, 12), 3.0, np.float32)
    painted = replace(front, image=np.full((48, 48, 3), (10, 200, 30), np.uint8), depth=depth)
    colours = coloured_by_views(mesh, [painted])
    facing = vertex_normals(mesh.vertices, mesh.faces)[:, 2]
    assert (colours[facing > 0.5] == [10, 200, 30]).all()
    assert np.array_equal(colours[facing < -0.1], mesh.colours[facing < -0.1])
    hidden = replace(painted, depth=depth - 1)  # something stands before it
    assert np.array_equal(coloured_by_views(mesh, [hidden]), mesh.colours)


def test_colours_of_no_points():
    assert vertex_colours(ball_planes(), BallDecoder(), np.zeros((0, 3))).shape == (0, 3)
