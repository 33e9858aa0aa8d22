"""The points network: shapes, where it starts, and that its backbone is MediaPipe's to the last digit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.perception.networks.points import MESH_SIDE, SCALE, SIDE, Backbone, MeshHead, PointsNetwork
from engine.training.perception.start import fit_mesh, start_network

COUNT = 12


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return PointsNetwork(COUNT, rank=3, wide=128)


def test_one_answer_per_crop_and_point(network):
    seen = network(torch.rand(2, 3, SIDE, SIDE))
    assert seen.points.shape == seen.coarse.shape == (2, COUNT, 3)
    assert seen.log_deviation.shape == (2, COUNT, 2)
    assert seen.visible.shape == (2, COUNT)
    assert seen.face.shape == (2,)


def test_starts_at_the_mean(network):
    mean = torch.rand(COUNT, 3) * 100
    network.set_statistics(mean, torch.zeros(3, COUNT, 3))
    seen = network(torch.rand(1, 3, SIDE, SIDE))
    torch.testing.assert_close(seen.points[0], mean, atol=1e-3, rtol=0)


def test_components_move_all_points_together(network):
    components = torch.zeros(3, COUNT, 3)
    components[0, :, 0] = 10.0
    network.set_statistics(torch.full((COUNT, 3), SCALE), components)
    with torch.no_grad():
        network.amounts.weight.zero_()
        network.amounts.bias.copy_(torch.tensor([2.0, 0.0, 0.0]))
        coarse = network(torch.rand(1, 3, SIDE, SIDE)).coarse
    torch.testing.assert_close(coarse[0, :, 0], torch.full((COUNT,), SCALE + 20.0))
    torch.testing.assert_close(coarse[0, :, 1], torch.full((COUNT,), SCALE))


def test_every_weight_learns(network):
    seen = network(torch.rand(2, 3, SIDE, SIDE))
    total = seen.points.square().mean() + seen.log_deviation.mean() + seen.visible.mean() + seen.face.mean()
    total.backward()
    without = [name for name, weight in network.named_parameters() if weight.grad is None]
    assert without == []


def test_mesh_is_mediapipes():
    """The middle of the crop, looked at by MediaPipe's own graph, has the depths that backbone and end give."""
    pytest.importorskip("skimage")
    import cv2
    import skimage.data

    from engine.perception import runtime

    backbone, mesh = Backbone().requires_grad_(False), MeshHead().requires_grad_(False)
    start_network(backbone, mesh)
    crop = cv2.resize(skimage.data.astronaut()[20:220, 125:325], (MESH_SIDE, MESH_SIDE), interpolation=cv2.INTER_AREA)
    picture = torch.tensor(crop / 255.0, dtype=torch.float32).permute(2, 0, 1)[None]
    found = (mesh(backbone(picture)[5]) + 1).reshape(468, 3).numpy() * (MESH_SIDE / 2)
    seen = runtime.face_mesh(crop)
    assert seen is not None
    np.testing.assert_allclose(found[:, 2], seen[:468, 2], atol=1e-3)  # eyes and lips are refined across the view


def test_mesh_is_turned_into_the_coarse_answer():
    """Where the true points are a linear map of MediaPipe's, the regression finds it."""
    torch.manual_seed(1)
    network = PointsNetwork(COUNT, rank=2, wide=128)
    start_network(network.backbone, network.mesh)
    crops = torch.rand(48, 3, SIDE, SIDE)
    with torch.no_grad():
        mesh = network.see_mesh(network.backbone(crops)[4])
        amounts = (mesh - mesh.mean(0))[:, [0, 500]] / mesh.std(0)[[0, 500]]
        components = torch.zeros(2, COUNT, 3)
        components[0, :, 0], components[1, :, 1] = 5.0, 3.0
        mean = torch.full((COUNT, 3), 100.0)
        network.set_statistics(mean, components)
        truth = mean + torch.tensordot(amounts, components, 1)
        fit_mesh(network, [crops], truth.numpy(), ridge=1e-3)
        coarse = network(crops).coarse
    assert (coarse - truth).abs().mean() < 0.5
