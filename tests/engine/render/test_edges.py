"""Blended silhouettes: exact for straight edges, and with gradients that move contours."""

from __future__ import annotations

import math

import pytest
import torch
import trimesh

from engine.render.edges import blend_edges, list_edges
from engine.render.rasterize import get_rasterizer

SQUARE = torch.tensor([[0, 2, 1], [0, 3, 2]])
"""Counter-clockwise seen, of corners upper left, upper right, lower right, lower left."""
CORNERS = 90


def square(left: float, top: float, right: float, bottom: float, depth: float = 1.0) -> torch.Tensor:
    """(4,3) screen-space corners, clockwise from the upper left."""
    return torch.tensor(
        [[left, top, depth], [right, top, depth], [right, bottom, depth], [left, bottom, depth]], dtype=torch.float64
    )


def disc(x: torch.Tensor, y: torch.Tensor, radius: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Screen vertices (CORNERS+1,3) and faces of a fan."""
    angle = torch.arange(CORNERS, dtype=torch.float64) * (2 * math.pi / CORNERS)
    rim = torch.stack([x + radius * angle.cos(), y + radius * angle.sin()], -1)
    flat = torch.cat([torch.stack([x, y])[None], rim])
    index = torch.arange(CORNERS)
    faces = torch.stack([torch.zeros_like(index), 1 + (index + 1) % CORNERS, 1 + index], -1)
    return torch.cat([flat, torch.ones(CORNERS + 1, 1, dtype=torch.float64)], -1), faces


def coverage(screen: torch.Tensor, faces: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(H,W) soft mask."""
    raster = get_rasterizer()(screen[faces], size)
    mask = raster.mask.to(screen.dtype)[..., None]
    return blend_edges(mask, screen, faces, list_edges(faces), raster.depth)[..., 0]


def painted(screen: torch.Tensor, faces: torch.Tensor, shades: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(H,W) one shade (F,) per face, black behind, blended."""
    raster = get_rasterizer()(screen[faces], size)
    colour = torch.where(raster.mask, shades[raster.face.clamp_min(0).long()], torch.zeros_like(raster.depth))
    return blend_edges(colour[..., None].to(screen.dtype), screen, faces, list_edges(faces), raster.depth)[..., 0]


def test_every_edge_of_a_closed_mesh_has_two_faces() -> None:
    ball = trimesh.creation.icosphere(2)
    edges = list_edges(torch.tensor(ball.faces))
    assert torch.equal(edges.ends.unique(dim=0), torch.tensor(ball.edges_unique).sort(1).values.unique(dim=0))
    assert len(edges.ends) == len(ball.edges_unique)
    assert (edges.faces >= 0).all()
    for face, opposite in zip(edges.faces.T, edges.opposite.T, strict=True):
        corners = torch.cat([edges.ends, opposite[:, None]], 1).sort(1).values
        assert torch.equal(corners, torch.tensor(ball.faces)[face].sort(1).values)


def test_edges_of_a_rim_and_of_three_faces() -> None:
    edges = list_edges(torch.tensor([[0, 1, 2], [1, 0, 3], [0, 1, 4]]))
    shared = (edges.ends == torch.tensor([0, 1])).all(1)
    assert edges.faces[shared].tolist() == [[0, 1], [1, 2]]
    assert edges.opposite[shared].tolist() == [[2, 3], [3, 4]]
    assert (edges.faces[~shared][:, 1] == -1).all()
    assert len(edges.ends) == 8
    assert not len(list_edges(torch.zeros((0, 3), dtype=torch.int64)).ends)


def test_straight_edges_cover_pixels_by_area() -> None:
    """Left, right and upper edges within pixels: the covered share of each pixel, the lower edge off the picture."""
    found = coverage(square(2.3, 1.6, 6.9, 20.0), SQUARE, (8, 10))
    row = torch.tensor([0, 0, 0.7, 1, 1, 1, 0.9, 0, 0, 0], dtype=torch.float64)
    assert torch.allclose(found[3:], row.expand(5, -1))
    assert torch.allclose(found[1, 3:6], torch.tensor(0.4, dtype=torch.float64))
    assert not found[0].any()


def test_coverage_of_a_disc_is_its_area() -> None:
    """The polygon's area to 0.2 %, wherever its centre is; without blending it is off by more."""
    for shift in (0.0, 0.31, 0.77):
        radius = torch.tensor(9.3, dtype=torch.float64)
        screen, faces = disc(torch.tensor(15 + shift).double(), torch.tensor(14.6).double(), radius)
        area = CORNERS / 2 * radius**2 * math.sin(2 * math.pi / CORNERS)
        found = coverage(screen, faces, (30, 32))
        assert abs(found.sum() / area - 1) < 2e-3
        assert found.min() >= 0
        assert found.max() <= 1


def test_gradient_of_the_area_is_the_perimeter() -> None:
    radius = torch.tensor(9.3, dtype=torch.float64, requires_grad=True)
    screen, faces = disc(torch.tensor(15.2).double(), torch.tensor(14.6).double(), radius)
    (slope,) = torch.autograd.grad(coverage(screen, faces, (30, 32)).sum(), radius)
    assert abs(slope / (2 * math.pi * 9.3) - 1) < 0.02


def test_gradients_agree_with_differences() -> None:
    """Straight, slanted and crossing edges; a second square behind the first."""
    generator = torch.Generator().manual_seed(0)
    tilt = torch.randn((8, 3), generator=generator, dtype=torch.float64) * torch.tensor([0.7, 0.7, 0.1])
    screen = (torch.cat([square(2.2, 2.4, 7.7, 7.1), square(4.3, 0.9, 10.6, 5.2, 2.0)]) + tilt).requires_grad_()
    faces = torch.cat([SQUARE, SQUARE + 4])
    shades = torch.tensor([0.9, 0.9, 0.4, 0.4])
    assert torch.autograd.gradcheck(lambda s: painted(s, faces, shades, (9, 12)), screen)


@pytest.mark.parametrize(("near", "far"), [(4.8, 4.6), (4.6, 4.8)])
def test_of_several_edges_between_two_pixels_the_outermost_counts(near: float, far: float) -> None:
    """Whichever surface reaches further, the background begins at 4.8."""
    screen = torch.cat([square(-5, -5, near, 20), square(-5, -5, far, 20, 2.0)])
    found = coverage(screen, torch.cat([SQUARE, SQUARE + 4]), (6, 9))
    assert torch.allclose(found[3], torch.tensor([1, 1, 1, 1, 0.8, 0, 0, 0, 0], dtype=torch.float64))


def test_hidden_edges_leave_no_trace() -> None:
    screen = torch.cat([square(-5, -5, 20, 20), square(2.3, 1.6, 6.9, 4.4, 2.0)])
    faces = torch.cat([SQUARE, SQUARE + 4])
    assert torch.equal(painted(screen, faces, torch.tensor([1.0, 1, 0, 0]), (6, 9)), torch.ones(6, 9).double())


def test_an_occluding_contour_is_blended_with_what_is_behind() -> None:
    screen = torch.cat([square(-5, -5, 4.8, 20), square(-5, -5, 20, 20, 2.0)])
    faces = torch.cat([SQUARE, SQUARE + 4])
    found = painted(screen, faces, torch.tensor([1.0, 1.0, 0.5, 0.5]), (6, 9))
    assert torch.allclose(found[3, 3:6], torch.tensor([1, 0.9, 0.5], dtype=torch.float64))


def test_turned_faces_have_silhouettes_too() -> None:
    """The rim of an open surface seen from its inside."""
    found = coverage(square(2.3, -9, 6.9, 20), SQUARE.flip(1), (3, 9))
    assert torch.allclose(found[1], torch.tensor([0, 0, 0.7, 1, 1, 1, 0.9, 0, 0], dtype=torch.float64))


def test_several_edges_never_take_more_than_the_whole_pixel() -> None:
    """A square that holds a single pixel's centre and ends just beside it on all sides."""
    found = coverage(square(2.45, 2.45, 2.55, 2.55), SQUARE, (5, 5))
    assert found.min() >= 0
    assert found.sum() < 1


def test_behind_the_camera_and_without_size_nothing_is_blended() -> None:
    mask = torch.zeros(4, 4, 1)
    screen = torch.tensor([[0.0, 0, -1], [3, 0, -1], [0, 3, -1], [1, 1, 1], [torch.nan, 0, 1]])
    faces = torch.tensor([[0, 1, 2], [3, 3, 3], [1, 2, 4]])
    depth = torch.full((4, 4), torch.inf)
    assert torch.equal(blend_edges(mask, screen, faces, list_edges(faces), depth), mask)


def test_descent_on_the_coverage_alone_brings_a_disc_back() -> None:
    """Three pixels off and a pixel too small, it finds its place and size to a hundredth of a pixel."""
    wanted = torch.tensor([15.3, 14.6, 8.0], dtype=torch.float64)
    screen, faces = disc(*wanted.unbind())
    target = coverage(screen, faces, (32, 32))
    state = (wanted + torch.tensor([2.4, -1.8, -1.0])).requires_grad_()
    optimiser = torch.optim.Adam([state], lr=0.2)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.95)
    for _ in range(80):
        optimiser.zero_grad()
        (coverage(disc(*state.unbind())[0], faces, (32, 32)) - target).square().sum().backward()
        optimiser.step()
        schedule.step()
    assert (state - wanted).abs().max() < 0.01
