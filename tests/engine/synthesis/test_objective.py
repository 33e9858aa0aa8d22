"""The losses of one photo: nearly nothing at the truth, more beside it, and they lead back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.render.differentiable import Topology
from engine.synthesis.objective import Objective, Weights
from engine.synthesis.skin import SkinTexture
from engine.synthesis.target import make_target
from engine.synthesis.unknowns import Body, Unknowns, unchanged


@pytest.fixture(scope="module")
def objective(world) -> Objective:
    """Of the true head under the true light."""
    target = make_target(world.head, world.fit, world.pixels, world.masks, world.recogniser, 128)
    skin = SkinTexture(world.head, world.model)
    light = torch.tensor(world.light)
    return Objective(Body(world.head, world.fit), Topology.of(world.head), skin, target, light, world.recogniser)


def losses(objective: Objective, unknowns: Unknowns) -> dict[str, float]:
    with torch.no_grad():
        return {name: float(value) for name, value in objective.terms(unknowns, np.random.default_rng(0)).items()}


def test_the_truth_is_the_photo(objective: Objective, world) -> None:
    at_truth = losses(objective, unchanged(world.head, world.latent))

    assert at_truth["pixel"] < 0.02 * Weights().pixel
    assert at_truth["identity"] < 0.02
    assert at_truth["landmark"] < 1e-6
    assert at_truth["shape"] == 0
    assert at_truth["light"] == 0


@pytest.mark.parametrize(
    ("name", "amount", "seen_by"),
    [
        ("latent", 1.0, ("pixel", "content")),
        ("light", 0.3, ("pixel", "light")),
        ("turn", 2.0, ("pixel", "landmark", "content")),
        ("shift", 2.0, ("pixel", "landmark", "content")),
        ("expression", 0.5, ("landmark", "shape")),
    ],
)
def test_what_is_wrong_is_seen(objective: Objective, world, name: str, amount: float, seen_by: tuple[str, ...]) -> None:
    truth = unchanged(world.head, world.latent)
    at_truth = losses(objective, truth)
    wrong = truth.copy()
    getattr(wrong, name).add_(amount)

    beside = losses(objective, wrong)

    for loss in seen_by:
        assert beside[loss] > at_truth[loss] + 1e-4, loss


def test_gradients_reach_all_unknowns(objective: Objective, world) -> None:
    unknowns = unchanged(world.head, world.latent + 0.3).free()

    terms = objective.terms(unknowns, np.random.default_rng(0))
    torch.stack(list(terms.values())).sum().backward()

    for tensor in unknowns.tensors():
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
        assert tensor.grad.abs().max() > 0


def test_a_loss_of_weight_zero_is_left_out(world) -> None:
    target = make_target(world.head, world.fit, world.pixels, world.masks, world.recogniser, 96)
    weights = Weights(identity=0, content=0, random_identity=0, landmark=0, frequency=1.0)
    parts = Body(world.head, world.fit), Topology.of(world.head), SkinTexture(world.head, world.model)
    objective = Objective(*parts, target, torch.tensor(world.light), world.recogniser, weights)

    assert set(losses(objective, unchanged(world.head, world.latent))) == {
        "pixel",
        "frequency",
        "shape",
        "light",
        "texture",
    }


def test_hair_in_front_of_the_face_stays_the_photos(world) -> None:
    hair = np.zeros_like(world.masks.skin)
    hair[:70] = 1
    masks = world.masks.__class__(**vars(world.masks) | {"hair": hair})
    target = make_target(world.head, world.fit, world.pixels, masks, world.recogniser, 96)
    parts = Body(world.head, world.fit), Topology.of(world.head), SkinTexture(world.head, world.model)
    objective = Objective(*parts, target, torch.tensor(world.light), world.recogniser)

    drawn = objective.draw(unchanged(world.head, torch.full((3,), -3.0))).image[0]

    covered = target.front > 0.99
    assert covered.any()
    assert (drawn - target.image)[:, covered].abs().max() < 0.02
    assert target.mask[covered].max() < 0.02
