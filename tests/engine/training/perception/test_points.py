"""What the points network learns by, on cases worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.heads.loader import load_head
from engine.perception.networks.points import PointsOutput
from engine.training.perception.pictures import PointLabels, moved, pixel_centred
from engine.training.perception.point_set import point_set
from engine.training.perception.points import PointsBatch, PointsConfig, points_loss

ONLY = PointsConfig(coarse=0, absolute=0, visible=0, face=0, agree=0)


def batch_of(points: torch.Tensor, doubt: float = 0.0) -> PointsBatch:
    count, number = points.shape[:2]
    return PointsBatch(
        images=torch.zeros(count, 4, 4, 3, dtype=torch.uint8),
        points=points,
        doubt=torch.full((count, number, 2), doubt),
        visible=torch.ones(count, number),
        face=torch.ones(count),
        back=torch.zeros(0, 2, 3),
        order=torch.zeros(0, number, dtype=torch.int64),
    )


def output_of(points: torch.Tensor, log_deviation: float = 0.0) -> PointsOutput:
    count, number = points.shape[:2]
    deviation = torch.full((count, number, 2), log_deviation)
    return PointsOutput(points, points, deviation, torch.zeros(count, number), torch.zeros(count))


def test_likelihood_is_the_gaussians():
    truth = torch.zeros(1, 1, 3)
    seen = output_of(torch.tensor([[[3.0, 4.0, 2.0]]]), math.log(5.0))
    total, _ = points_loss(seen, batch_of(truth), ONLY)
    across = 25 / (2 * 25) + 2 * math.log(5)
    along = 4 / (2 * 25) + math.log(5)
    assert total.item() == pytest.approx((across + along) / 2)


def test_the_labels_doubt_adds_to_the_networks():
    truth = torch.zeros(1, 1, 3)
    total, _ = points_loss(output_of(truth, math.log(3.0)), batch_of(truth, doubt=4.0), ONLY)
    assert total.item() == pytest.approx((2 * math.log(5) + math.log(5)) / 2)


def test_without_a_label_nothing_is_learnt():
    points = torch.full((1, 2, 3), 100.0, requires_grad=True)
    batch = batch_of(torch.zeros(1, 2, 3), doubt=math.inf)
    batch = replace(batch, visible=torch.full((1, 2), math.nan))
    total, _ = points_loss(output_of(points), batch, replace(PointsConfig(), face=0.0))
    total.backward()
    assert points.grad is not None
    assert points.grad.abs().max() == 0


def test_two_crops_of_a_portrait_must_agree():
    """The second crop is mirrored and twice as large; its points are given in the network's order for mirror images."""
    first = torch.tensor([[10.0, 20.0, 0.0], [30.0, 20.0, 0.0]])
    second = torch.tensor([[100 - 60.0, 40.0, 0.0], [100 - 20.0, 40.0, 0.0]])
    back = torch.tensor([[[1.0, 0, 0], [0, 1, 0]], [[-0.5, 0, 50], [0, 0.5, 0]]])
    order = torch.tensor([[0, 1], [1, 0]])
    points = torch.stack([first, second])
    batch = replace(batch_of(points), back=back, order=order)
    _, figures = points_loss(output_of(points), batch, PointsConfig())
    assert figures["agree"].item() == pytest.approx(0, abs=2e-3)
    shifted = output_of(points + torch.tensor([[[3.0, 4.0, 0]], [[0, 0, 0]]]))
    _, figures = points_loss(shifted, batch, PointsConfig())
    assert figures["agree"].item() == pytest.approx(5, abs=2e-3)


def test_points_are_spread_and_symmetric():
    head = load_head()
    which = point_set(head)
    assert 600 < len(which.vertices) < 850
    assert len(np.unique(which.vertices)) == len(which.vertices)
    np.testing.assert_array_equal(which.mirror[which.mirror], np.arange(len(which.vertices)))
    flipped = head.vertices[which.vertices][which.mirror] * np.array([-1, 1, 1])
    np.testing.assert_allclose(flipped, head.vertices[which.vertices], atol=1e-3)
    for region in ("ears", "scalp", "neck", "lips", "eyelids", "eye", "nose"):
        assert head.regions[region][which.vertices].sum() >= 20, region
    assert which.upper.any()
    assert which.lower.any()


def test_labels_are_what_the_camera_shows():
    head = load_head()
    labels = PointLabels(head, point_set(head))
    rng = np.random.default_rng(0)
    identity = rng.standard_normal(len(head.identity_basis)).astype(np.float32)
    expression = rng.random(len(head.expression_names)).astype(np.float32) * 0.3
    from .test_pictures import front

    camera = front()
    seen = labels.seen(identity, expression, camera.K, camera.world_to_camera)
    places = head.shape(identity, expression)[labels.points]
    np.testing.assert_allclose(seen[:, :2], camera.project(places), atol=1e-2)
    nearer = places[:, 2] > 0
    assert (seen[nearer, 2] < 0).all()
    assert (seen[~nearer, 2] >= 0).all()


def test_motion_moves_pixels_and_points_alike():
    import cv2

    picture = np.zeros((64, 64), np.uint8)
    picture[20, 40] = 255  # its centre is at (40.5, 20.5)
    matrix = np.array([[0.0, -2.0, 100.0], [2.0, 0.0, -30.0]])
    point = moved(np.array([[40.5, 20.5, 3.0]]), matrix)[0]
    cut = np.asarray(cv2.warpAffine(picture, pixel_centred(matrix), (128, 128)), float)
    rows, columns = np.mgrid[:128, :128] + 0.5
    centre = np.array([(columns * cut).sum(), (rows * cut).sum()]) / cut.sum()
    np.testing.assert_allclose(centre, point[:2], atol=0.05)
    assert point[2] == pytest.approx(6.0)
