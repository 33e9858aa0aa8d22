"""The regressors before any training answer with what is usual, and every part of them learns."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from engine.heads.loader import load_head
from engine.perception.crop import Window
from engine.recognition import arcface
from engine.recognition.align import arcface_points
from engine.recognition.load import Recogniser, load_small
from engine.regressors.crop import SIDE, FaceCrop, face_crop
from engine.regressors.networks import FastganfitNetwork, PooledNetwork, reduced
from engine.regressors.parameters import DISTANCE, Layout, Usual
from engine.regressors.regressed import FRONTAL, PHONG, usual_light
from engine.regressors.trained import build_regressor, describe_regressor
from engine.render.differentiable import Topology, render_mesh

from .toy import HEIGHT, WIDTH, landmarks_of, portrait_camera

KINDS = ["pooled", "fastganfit"]


class TinyArcFace(torch.nn.Module):
    """Activations of ArcFace's resolutions, few channels."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.ModuleList(torch.nn.Conv2d(a, 4, 3, 2, 1) for a in (3, 4, 4, 4))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        activations = []
        for layer in self.layers:
            x = torch.relu(layer(x))
            activations.append(x)
        return x.flatten(1)[:, :16], activations


def recogniser_of(name: str) -> Recogniser:
    if name == "small":
        return load_small()
    return Recogniser(name, TinyArcFace().eval(), arcface.SIDE, arcface.TEMPLATE, arcface_points, 1.2)


@pytest.mark.parametrize(
    ("kind", "name", "light"),
    [("pooled", "small", 27), ("pooled", "tiny", PHONG), ("fastganfit", "small", 27), ("fastganfit", "tiny", PHONG)],
)
def test_untrained_it_answers_with_the_mean_head_in_the_usual_view(kind: str, name: str, light: int):
    head, recogniser = load_head(), recogniser_of(name)
    description = describe_regressor(kind, head, recogniser, None, light)
    network = build_regressor(json.loads(json.dumps(description))).eval()
    points = landmarks_of(head, portrait_camera())
    crop = face_crop(recogniser, points, WIDTH, HEIGHT)
    images = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = network(network.see(recogniser, images), torch.tensor(crop.points(points)).float()[None])
    answer = found.regressed(0, crop)
    assert not answer.identity.any()
    assert not answer.expression.any()
    assert not answer.rotation.any()
    np.testing.assert_array_equal(answer.light, usual_light(light))
    np.testing.assert_array_equal(answer.posed(head), head.vertices)
    np.testing.assert_array_equal(answer.crop_camera.world_to_camera[:3, :3], FRONTAL)
    assert answer.translation[2] == pytest.approx(DISTANCE, rel=1e-6)
    shift = tuple(float(value) for value in answer.translation)
    frontal = landmarks_of(head, portrait_camera(turn=(0, 0, 0), place=shift))
    own = face_crop(recogniser, frontal, WIDTH, HEIGHT)
    np.testing.assert_allclose(own.window.centre, [WIDTH / 2, HEIGHT / 2], atol=1e-3)
    upright = FaceCrop(Window(own.window.centre, own.window.side), WIDTH, HEIGHT)  # dlib's template leans a little
    assert abs(own.window.roll) < 0.01
    np.testing.assert_allclose(landmarks_of(head, answer.crop_camera), upright.points(frontal), atol=1e-3)


def test_untrained_it_draws_a_face_inside_the_crop():
    head, recogniser = load_head(), load_small()
    network = build_regressor(describe_regressor("pooled", head, recogniser, None, 27)).eval()
    with torch.no_grad():
        found = network((torch.zeros(1, len(network.get_buffer("spread"))),), torch.zeros(1, 478, 2))
    seen = found.project(torch.tensor(landmarks_of_mean(head)).float()[None])[0]
    assert float(seen.min()) > 0.0
    assert float(seen.max()) < 1.0
    side = 64
    picture = render_mesh(
        torch.tensor(head.vertices),
        Topology.of(head),
        torch.full((3, 8, 8), 0.5),
        found.lighting(0),
        found.pinhole(0, side),
        (side, side),
    )
    assert float(picture.coverage[side // 4 : 3 * side // 4, side // 4 : 3 * side // 4].min()) > 0.99
    middle = picture.image[side // 2, side // 2]
    assert 0.2 < float(middle.mean()) < 0.6


def landmarks_of_mean(head) -> np.ndarray:
    return head.embeddings["mediapipe"].positions(head.vertices, head.faces)


def test_activations_of_arcface_join_at_their_own_resolution():
    layout, usual = Layout(4, 3), Usual((0.0, 0.0), 1.6)
    stages = [(64, 56), (128, 28), (256, 14), (512, 7)]
    network = FastganfitNetwork(layout, usual, 512, stages)
    assert network.joined == [0, 1, 2, 3]
    assert [join.weight.shape[:2] for join in network.joins] == [
        (256, 320), (512, 640), (1024, 1280), (2048, 2560),
    ]  # fmt: skip


def test_the_trunk_has_the_names_and_sizes_of_resnet_50():
    network = FastganfitNetwork(Layout(4, 3), Usual((0.0, 0.0), 1.6), 8, [(4, 56)])
    state = network.trunk.state_dict()
    assert len([name for name in state if not name.endswith("num_batches_tracked")]) == 265  # 267 less the classifier's
    assert sum(weight.numel() for weight in network.trunk.parameters()) == 25_557_032 - 2_049_000
    assert state["layer3.5.conv3.weight"].shape == (1024, 256, 1, 1)
    assert state["layer4.0.downsample.0.weight"].shape == (2048, 1024, 1, 1)


def test_the_small_one_is_small():
    head, recogniser = load_head(), load_small()
    network = build_regressor(describe_regressor("pooled", head, recogniser, None, 27, width=256))
    assert isinstance(network, PooledNetwork)
    assert sum(weight.numel() for weight in network.parameters()) < 3_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_all_of_it_learns(kind: str):
    """The heads start at zero; after one step on them, gradients reach everything before them."""
    torch.manual_seed(0)
    layout, usual, stages = Layout(4, 3, (2, 5)), Usual((0.0, 0.0), 1.6), [(4, 56), (6, 7)]
    network = (PooledNetwork if kind == "pooled" else FastganfitNetwork)(layout, usual, 8, stages)
    recogniser = Recogniser("none", _TwoStages(), 112, arcface.TEMPLATE, arcface_points, 1.0)
    images, points = torch.rand(1, 3, SIDE, SIDE), torch.rand(1, 478, 2) * SIDE
    for _ in range(2):
        network.zero_grad()
        found = network(network.see(recogniser, images), points)
        parts = (found.identity, found.expression, found.texture, found.rotation, found.translation, found.log_focal)
        (sum((part - 1).square().sum() for part in parts) + (found.light_change - 1).square().sum()).backward()
        with torch.no_grad():
            for weight in network.parameters():
                weight -= 0.1 * weight.grad
    assert found.texture.shape == (1, 2, 5)
    silent = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert silent == []


class _TwoStages(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        first = torch.cat([reduced(x, 56), x[:, :1, ::2, ::2]], 1) * self.scale
        return x.mean((2, 3)).repeat(1, 3)[:, :8], [first, torch.cat([reduced(x, 7)] * 2, 1)]


def test_photos_and_renders_are_each_counted_from_their_own_mean():
    network = PooledNetwork(Layout(4, 3), Usual((0.0, 0.0), 1.6), 8, [(2, 4)])
    rng = torch.Generator().manual_seed(0)
    renders = torch.rand(500, 40, generator=rng) * 3 + 5
    network.standardise(renders, renders + 7, torch.rand(500, 478, 2, generator=rng) * SIDE)
    standard = network.standard(renders, "renders")
    np.testing.assert_allclose(network.standard(renders + 7, "photos"), standard, atol=1e-5)
    np.testing.assert_allclose(standard.mean(0), np.zeros(40), atol=1e-5)
    np.testing.assert_allclose(standard.std(0), np.ones(40), atol=1e-5)
