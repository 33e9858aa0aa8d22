"""The fit finds what the photo was made from, ends when it should, and can be stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import EngineError, JobCancelled
from engine.options import ReconstructOptions
from engine.progress import Progress
from engine.synthesis import solve
from engine.synthesis.appearance import View, synthesize
from engine.synthesis.objective import Weights
from engine.synthesis.solve import Schedule
from engine.synthesis.unknowns import SHARED, average, unchanged

QUICK = Schedule(side=96, texture=128, steps=30)
BY_PIXELS = Weights(identity=0, content=0, random_identity=0, texture=0.001)
"""The rest is quick, and enough for colours."""


def seen(world, **wrong) -> View:
    return View(world.pixels, world.masks, world.shifted(**wrong), world.light, np.full(3, 0.3, np.float32))


def fitted(world, views, **choices):
    choices = {"schedule": QUICK, "weights": BY_PIXELS, "progress": Progress()} | choices
    progress = choices.pop("progress")
    return synthesize(world.head, views, world.model, world.recogniser, ReconstructOptions(), progress, **choices)


def test_the_skins_colour_is_found(world) -> None:
    found = fitted(world, [seen(world)], schedule=replace(QUICK, steps=80))

    ratio = found.latent - found.latent.mean()
    truth = (world.latent - world.latent.mean()).numpy()
    assert float(ratio @ truth) > 0.9 * np.linalg.norm(ratio) * np.linalg.norm(truth)
    assert found.report["steps"] == 80
    assert found.albedo.shape == (256, 256, 3)


def test_the_same_seed_gives_the_same_head(world) -> None:
    quick = replace(QUICK, steps=3)
    first, second = (fitted(world, [seen(world)], schedule=quick, weights=Weights()) for _ in range(2))

    np.testing.assert_array_equal(first.latent, second.latent)
    np.testing.assert_array_equal(first.fits[0].neutral, second.fits[0].neutral)


def test_several_photos_share_shape_and_texture(world) -> None:
    found = fitted(world, [seen(world), seen(world)], schedule=replace(QUICK, steps=4), weights=Weights())

    np.testing.assert_allclose(found.fits[0].neutral, found.fits[1].neutral, atol=1e-7)
    assert len(found.illuminations) == 2


def test_averaging_leaves_alone_what_is_each_photos_own(world) -> None:
    first, second = unchanged(world.head, torch.zeros(3)), unchanged(world.head, torch.ones(3))
    second.identity.add_(2.0)
    second.expression.add_(1.0)

    average([first, second])

    for name in SHARED:
        torch.testing.assert_close(getattr(first, name), getattr(second, name))
    assert first.latent[0] == 0.5
    assert first.expression.max() == 0
    assert second.expression.min() == 1


def test_lost_numbers_end_the_fit_at_the_last_good_state(world, monkeypatch) -> None:
    terms = solve.Objective.terms
    calls = 0

    def sometimes(self, unknowns, rng):
        nonlocal calls
        calls += 1
        found = terms(self, unknowns, rng)
        return found | {"pixel": found["pixel"] * float("nan")} if calls > 3 else found

    monkeypatch.setattr(solve.Objective, "terms", sometimes)

    found = fitted(world, [seen(world)])

    assert "lost its numbers after 3 steps" in found.warnings[0]
    assert np.isfinite(found.latent).all()
    assert np.isfinite(found.fits[0].neutral).all()


def test_a_user_can_stop_it(world) -> None:
    asked = iter([False] * 8 + [True] * 1000)

    with pytest.raises(JobCancelled):
        fitted(world, [seen(world)], progress=Progress(cancelled=lambda: next(asked)))


def test_of_several_starts_the_best_goes_on(world) -> None:
    found = fitted(world, [seen(world)], schedule=replace(QUICK, steps=5, restarts=1, trial=3))

    assert found.report["steps"] == 8


def test_without_a_photo_there_is_nothing_to_fit(world) -> None:
    with pytest.raises(EngineError, match="no photo"):
        fitted(world, [])


def test_the_camera_comes_back_to_where_it_was(world) -> None:
    """From 3 mm beside, by pixels and contours alone."""
    camera = world.fit.camera
    view = camera.world_to_camera.copy()
    view[0, 3] += 0.003
    wrong = replace(camera, world_to_camera=view)
    weights = replace(BY_PIXELS, landmark=0.0)

    found = fitted(world, [seen(world, camera=wrong)], schedule=replace(QUICK, steps=60), weights=weights)

    offset = found.fits[0].camera.project(world.fit.posed) - camera.project(world.fit.posed)
    before = wrong.project(world.fit.posed) - camera.project(world.fit.posed)
    assert np.linalg.norm(offset, axis=1).mean() < 0.5 * np.linalg.norm(before, axis=1).mean()
