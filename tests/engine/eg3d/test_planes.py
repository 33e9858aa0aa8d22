"""Lookups in the planes are bilinear, in the published order of axes, and differentiable."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as nnf

from engine.eg3d.planes import Planes


def by_grid_sample(planes: Planes, points: torch.Tensor) -> torch.Tensor:
    places = torch.stack([points[:, list(pair)] for pair in planes.axes]) * 2 / planes.box
    return nnf.grid_sample(planes.maps, places[:, None], align_corners=False).mean(0)[:, 0].T


@pytest.mark.parametrize("box", [1.0, 1.6])
def test_features_are_those_of_grid_sample_within_and_outside_the_cube(box):
    planes = Planes.of(torch.randn(3, 5, 8, 8), box)
    points = torch.rand(500, 3) * 1.4 * box - 0.7 * box
    torch.testing.assert_close(planes.features(points), by_grid_sample(planes, points), atol=1e-5, rtol=1e-4)


def test_planes_see_x_y_then_x_z_then_z_x():
    """A plane that grows along its columns tells the coordinate that runs there; rows likewise."""
    side = 64
    ramp = (torch.arange(side) + 0.5) / side - 0.5
    columns, rows = ramp.expand(side, side), ramp[:, None].expand(side, side)
    planes = Planes.of(torch.stack([columns, rows]).expand(3, 2, -1, -1))
    x, y, z = 0.1, 0.2, -0.3
    found = [
        replace(planes, table=torch.where(torch.arange(3 * side**2)[:, None] // side**2 == k, planes.table, 0))
        .features(torch.tensor([[x, y, z]]))[0] * 3
        for k in range(3)
    ]  # fmt: skip
    expected = torch.tensor([[x, y], [x, z], [z, x]])
    torch.testing.assert_close(torch.stack(found), expected, atol=1e-6, rtol=0)


def test_maps_come_out_as_they_went_in():
    maps = torch.randn(3, 4, 6, 6)
    assert torch.equal(Planes.of(maps).maps, maps)


def test_a_plane_on_a_grid_is_the_same_as_point_by_point():
    planes = Planes.of(torch.randn(3, 4, 8, 8))
    columns, rows = torch.linspace(-0.55, 0.4, 7), torch.linspace(-0.2, 0.6, 5)
    places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1) * 2
    wanted = nnf.grid_sample(planes.maps[[1]], places[None], align_corners=False)[0].permute(1, 2, 0)
    torch.testing.assert_close(planes.sampled(1, columns, rows), wanted, atol=1e-5, rtol=1e-4)


def test_gradients_are_right():
    points = torch.rand(6, 3, dtype=torch.float64) * 0.8 - 0.4
    points.requires_grad_()
    maps = torch.randn(3, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m, p: Planes.of(m).features(p), (maps, points))


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="S,S"):
        Planes.of(torch.zeros(2, 4, 8, 8))
