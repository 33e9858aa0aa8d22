"""The points network: shapes, where it starts, and that its backbone is MediaPipe's to the last digit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d, prelu

from engine.perception.networks.points import SCALE, SIDE, Backbone, PointsNetwork
from engine.training.perception.start import MESH_FILE, start_backbone

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


def test_backbone_is_mediapipes():
    """The rest of MediaPipe's network, run on our backbone's features, gives MediaPipe's own depths."""
    pytest.importorskip("skimage")
    import cv2
    import skimage.data

    from engine.perception import runtime
    from engine.training.perception.start import _stored, read_graph

    backbone = Backbone().requires_grad_(False)
    start_backbone(backbone)
    crop = cv2.resize(skimage.data.astronaut()[20:220, 125:325], (192, 192), interpolation=cv2.INTER_AREA)
    picture = torch.tensor(crop / 255.0, dtype=torch.float32).permute(2, 0, 1)[None]
    graph = read_graph(next(iter(_mediapipe_folder().glob(MESH_FILE))))
    blocks = sum(len(stage) for stage in backbone.stages)  # type: ignore[arg-type]
    weights = list(_stored(graph, ("CONV_2D", "DEPTHWISE_CONV_2D")))[1 + 2 * blocks :]
    slopes = [torch.tensor(s[0].reshape(-1)) for s in _stored(graph, ("PRELU",))][1 + blocks :]

    def apply(x, number, groups=1, padding=0):
        weight, bias = weights[number]
        order = (3, 0, 1, 2) if groups > 1 else (0, 3, 1, 2)
        kernel = torch.tensor(np.ascontiguousarray(weight.transpose(order)))
        return conv2d(x, kernel, torch.tensor(bias), padding=padding, groups=groups)

    x = prelu(apply(backbone(picture)[5], 0), slopes[0])
    x = prelu(x + apply(apply(x, 1, 32, 1), 2), slopes[1])
    depth = apply(x, 3).reshape(468, 3)[:, 2].numpy()
    seen = runtime.face_mesh(crop)
    assert seen is not None
    np.testing.assert_allclose(depth, seen[:468, 2], atol=1e-3)


def _mediapipe_folder():
    import importlib.util
    from pathlib import Path

    found = importlib.util.find_spec("mediapipe")
    assert found is not None and found.submodule_search_locations
    return Path(found.submodule_search_locations[0])
