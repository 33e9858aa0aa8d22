"""Known latents are found again; inversions can be stopped, gone on with, and survive numbers that are none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as nnf

from engine.eg3d.config import TINY
from engine.eg3d.descent import Descent
from engine.eg3d.inversion import InversionOptions, invert
from engine.eg3d.perceptual import Perceptual
from engine.eg3d.pivot import Pivot, PivotOptions, latent_statistics, patterns
from engine.eg3d.tuning import TuningOptions
from engine.errors import EngineError, JobCancelled, ModelFileError
from engine.progress import Progress

QUICK = InversionOptions(PivotOptions(steps=9, rate=0.05, samples=100), TuningOptions(steps=3, rate=1e-2))


@pytest.fixture
def eye() -> Perceptual:
    """A perceptual distance that costs nothing: colours at two scales."""
    return Perceptual(lambda x: [nnf.avg_pool2d(x, 2), nnf.avg_pool2d(x, 8)], name="colours")


@pytest.fixture
def target(tiny, latent, front):
    return tiny.synthesis(latent, front).image


def after(count: int) -> Progress:
    """Cancels at the report after `count` others."""
    seen = []
    return Progress(lambda stage, fraction: seen.append(fraction), lambda: len(seen) >= count)


def test_the_picture_of_a_known_latent_is_found_again(tiny, latent, front, target, eye):
    options = InversionOptions(PivotOptions(steps=40, rate=0.02, samples=300, maps=False), TuningOptions(steps=0))
    mean, _ = latent_statistics(tiny, front, 300)
    found = invert(tiny, target, front, options, perceptual=eye)
    assert found.complete
    assert found.network is tiny
    image = tiny.synthesis(found.ws, front).image
    before = tiny.synthesis(mean.expand(-1, tiny.layers, -1), front).image
    assert (image - target).square().mean() < 0.2 * (before - target).square().mean()


def test_a_start_near_the_latent_needs_fewer_steps(tiny, latent, front, target, eye):
    """Four fifths of the way from the mean, as from a regressor: better at once than 24 steps from the mean."""
    mean, _ = latent_statistics(tiny, front, 300)
    options = InversionOptions(PivotOptions(steps=24, rate=0.01, samples=300, maps=False), TuningOptions(steps=0))
    cold = invert(tiny, target, front, options, perceptual=eye)
    short = replace(options, pivot=replace(options.pivot, steps=6))
    warm = invert(tiny, target, front, short, mean.lerp(latent, 0.8), eye)
    assert min(warm.latent_losses) < 0.5 * min(cold.latent_losses)
    assert (warm.ws - latent).abs().mean() < 0.5 * (cold.ws - latent).abs().mean()


def test_tuning_brings_the_picture_to_the_photo_and_leaves_the_original(tiny, latent, front, eye):
    before = {name: value.clone() for name, value in tiny.state_dict().items()}
    photo = torch.linspace(-1, 1, 48).expand(1, 3, 48, 48)  # nothing that the generator draws
    options = replace(QUICK, pivot=replace(QUICK.pivot, steps=4), tuning=TuningOptions(steps=15, rate=1e-2))
    found = invert(tiny, photo, front, options, perceptual=eye)
    assert min(found.tuning_losses) < 0.6 * found.tuning_losses[0]
    assert all(torch.equal(value, before[name]) for name, value in tiny.state_dict().items())
    assert found.network is not tiny
    mapping = {n: v for n, v in found.network.state_dict().items() if "mapping" in n}
    assert all(torch.equal(value, before[name]) for name, value in mapping.items())
    image = found.network.synthesis(found.ws, front).image
    assert (image - photo).square().mean() < (tiny.synthesis(found.ws, front).image - photo).square().mean()


def test_locality_keeps_what_lies_around_the_pivot(tiny, front, eye):
    photo = torch.linspace(-1, 1, 48).expand(1, 3, 48, 48)
    pivot = replace(QUICK.pivot, steps=2)
    strong = TuningOptions(steps=12, rate=1e-2, locality_pixels=30.0, locality_perceptual=0.0, locality_reach=3.0)
    ends = []
    for tuning in (strong, replace(strong, locality_every=0)):
        found = invert(tiny, photo, front, InversionOptions(pivot, tuning), perceptual=eye)
        others = tiny.mapping(
            torch.randn((4, TINY.z), generator=torch.Generator().manual_seed(8)), front.expand(4, -1), 0.5
        )
        moved = others - found.ws
        ws = found.ws + 3.0 * moved / moved[:, :1].norm(dim=2, keepdim=True)
        labels = front.expand(4, -1)
        ends.append((found.network.synthesis(ws, labels).image - tiny.synthesis(ws, labels).image).square().mean())
    assert ends[0] < 0.5 * ends[1]


def test_the_same_seed_gives_the_same(tiny, front, target, eye):
    first, second = (invert(tiny, target, front, QUICK, perceptual=eye) for _ in range(2))
    assert torch.equal(first.ws, second.ws)
    assert first.tuning_losses == second.tuning_losses
    other = invert(tiny, target, front, replace(QUICK, seed=1), perceptual=eye)
    assert not torch.equal(first.ws, other.ws)


@pytest.mark.parametrize("reports", [6, 13])
def test_an_inversion_that_was_stopped_goes_on_as_if_it_had_not_been(tiny, front, target, eye, tmp_path, reports):
    """Stopped in the first stage, and in the second."""
    whole = invert(tiny, target, front, QUICK, perceptual=eye)
    path = tmp_path / "state.pt"
    with pytest.raises(JobCancelled):
        invert(tiny, target, front, QUICK, perceptual=eye, progress=after(reports), state_file=path)
    found = invert(tiny, target, front, QUICK, perceptual=eye, state_file=path)
    assert found.latent_losses == whole.latent_losses
    assert found.tuning_losses == whole.tuning_losses
    assert torch.equal(found.ws, whole.ws)
    weights = found.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in whole.network.state_dict().items())


def test_cancelling_keeps_the_best_on_request(tiny, front, target, eye):
    found = invert(tiny, target, front, replace(QUICK, keep_best=True), perceptual=eye, progress=after(6))
    assert not found.complete
    assert 0 < len(found.latent_losses) < QUICK.pivot.steps
    assert found.ws.shape == (1, tiny.layers, TINY.w)
    assert any("stopped early" in warning for warning in found.warnings)
    assert found.network is tiny


def test_the_state_of_another_photo_is_refused(tiny, front, target, eye, tmp_path):
    path = tmp_path / "state.pt"
    with pytest.raises(JobCancelled):
        invert(tiny, target, front, QUICK, perceptual=eye, progress=after(5), state_file=path)
    with pytest.raises(ModelFileError, match=r"state\.pt.*another inversion"):
        invert(tiny, target * 0.5, front, QUICK, perceptual=eye, state_file=path)
    path.write_bytes(b"no state")
    with pytest.raises(ModelFileError, match=r"state\.pt"):
        invert(tiny, target, front, QUICK, perceptual=eye, state_file=path)


def test_steps_that_end_in_no_numbers_are_taken_back():
    x = torch.tensor([1.0], requires_grad=True)
    descent = Descent({"x": x})

    def square(poison: float = 0.0):
        return lambda: ((x * x).sum() + poison * x.sum(), float(x.detach() ** 2))

    assert descent.take(square(), 0.1)
    assert descent.take(square(), 0.1)
    assert not descent.take(square(float("nan")), 0.1)
    assert x.item() == pytest.approx(0.9)  # the best whose loss is known
    assert (descent.step, descent.failures, descent.slower) == (2, 1, 0.5)
    assert descent.take(square(), 0.1)
    assert x.item() == pytest.approx(0.85)
    for _ in range(4):
        assert not descent.take(square(float("inf")), 0.1)
    with pytest.raises(EngineError, match="no numbers"):
        descent.take(square(float("inf")), 0.1)


def test_the_rate_rises_and_falls_and_the_noise_dies(tiny, front, target, eye):
    stage = Pivot(tiny, target, front, PivotOptions(steps=100, samples=50, maps=False), 0, eye)
    assert stage.rate(0) == 0
    assert stage.rate(5) == stage.rate(60) == pytest.approx(5e-3)
    assert stage.rate(2) == pytest.approx(2e-3)
    assert stage.rate(99) < 1e-4
    assert stage.spread(0) == pytest.approx(0.05 * stage.deviation)
    assert stage.spread(30) == pytest.approx(stage.spread(0) * 0.6**2)
    assert stage.spread(75) == 0
    warm = Pivot(tiny, target, front, PivotOptions(steps=100, samples=50, maps=False), 0, eye, stage.best())
    assert warm.spread(0) == 0


def test_statistics_of_the_latent_are_those_of_the_mapping(tiny, front):
    mean, deviation = latent_statistics(tiny, front, 200, 4)
    z = torch.randn((200, TINY.z), generator=torch.Generator().manual_seed(4))
    w = tiny.mapping(z, front.expand(200, -1))[:, 0]
    torch.testing.assert_close(mean[0, 0], w.mean(0))
    assert deviation == pytest.approx(float((w - w.mean(0)).square().sum(1).mean().sqrt()), rel=1e-5)


def test_noise_has_no_patterns_and_stripes_have():
    noise = torch.randn((32, 32), generator=torch.Generator().manual_seed(0))
    stripes = torch.tensor([1.0, -1.0]).repeat(16).expand(32, 32)
    assert patterns(noise) < 0.05
    assert patterns(stripes).item() == pytest.approx(
        2.0
    )  # neighbours agree down, differ across; larger scales are nought


def test_each_layer_may_have_a_latent_of_its_own(tiny, front, target, eye):
    options = replace(QUICK, pivot=replace(QUICK.pivot, space="w+"), tuning=TuningOptions(steps=0))
    found = invert(tiny, target, front, options, perceptual=eye)
    assert (found.ws[:, 0] - found.ws[:, 3]).abs().max() > 1e-4


def test_pictures_of_another_size_are_refused(tiny, front):
    with pytest.raises(ValueError, match="48"):
        invert(tiny, torch.zeros(1, 3, 64, 64), front)
