"""Frequency losses: Parseval, shifts whose phases are known, and gradients where phase has none."""

from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck

from engine.losses.frequency import (
    FLOOR,
    FrequencyWeights,
    amplitude_loss,
    frequency_loss,
    magnitude_loss,
    phase_loss,
    spectra,
)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(1)


def picture(seed: int, height: int = 6, width: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, height, width, generator=generator, dtype=torch.float64).requires_grad_()


def wave(phase: float, amplitude: float = 0.25, side: int = 8) -> torch.Tensor:
    """(1,1,side,side) one turn across the picture."""
    across = 2 * math.pi * torch.arange(side, dtype=torch.float64) / side
    return (0.5 + amplitude * torch.cos(across + phase)).expand(1, 1, side, side)


def one_bin(value: complex) -> torch.Tensor:
    """A spectrum with a single frequency."""
    return torch.tensor([[[[value]]]], dtype=torch.complex128, requires_grad=True)


def test_spectrum_is_the_orthonormal_transform():
    """Equations 8 and 9 written out, divided by sqrt(MN)."""
    image = picture(1)
    rows, columns = torch.arange(6.0, dtype=torch.float64), torch.arange(5.0, dtype=torch.float64)
    down = torch.exp(-2j * math.pi * rows[:, None] * rows / 6)
    across = torch.exp(-2j * math.pi * columns[:, None] * columns / 5)
    wanted = down @ image.to(torch.complex128) @ across / math.sqrt(30)
    torch.testing.assert_close(spectra(image, image)[0], wanted)


def test_equation_13_is_the_mean_squared_pixel_difference():
    """Parseval's theorem."""
    image, render = picture(2), picture(3)
    torch.testing.assert_close(amplitude_loss(*spectra(image, render)), (image - render).square().mean((1, 2, 3)))


def test_masks_come_before_the_transform():
    image, render, mask = picture(4), picture(5), torch.rand(2, 6, 5, dtype=torch.float64)
    wanted = ((image - render) * mask[:, None]).square().mean((1, 2, 3))
    torch.testing.assert_close(amplitude_loss(*spectra(image, render, mask)), wanted)


def test_a_shift_in_circles_changes_phases_only():
    image = picture(6)
    seen, made = spectra(image, image.roll(2, -1))
    torch.testing.assert_close(magnitude_loss(seen, made), torch.zeros(2, dtype=torch.float64))
    turns = 2 * math.pi * torch.arange(5, dtype=torch.float64) * 2 / 5
    wanted = torch.atan2(turns.sin(), turns.cos()).abs().mean().expand(2)  # the same in all rows and channels
    torch.testing.assert_close(phase_loss(seen, made, floor=1e-9), wanted)


def test_brightness_changes_magnitudes_only():
    image = picture(7)
    seen, made = spectra(image, 0.5 * image)
    torch.testing.assert_close(magnitude_loss(seen, made), 0.25 * image.square().mean((1, 2, 3)))
    assert phase_loss(seen, made).max() < 1e-7


@pytest.mark.parametrize(
    ("first", "second", "wanted"), [(3.0, -3.0, 2 * math.pi - 6), (0.2, -0.3, 0.5), (1.0, 3.1, 2.1)]
)
def test_phase_differences_go_the_short_way_round(first: float, second: float, wanted: float):
    """A wave is two frequencies, so that 2 of 64 differ. Amplitudes are 0.25 / 2 * 8 = 1 against a floor of 1/255."""
    trust = 1 / (1 + FLOOR**2)
    loss = phase_loss(*spectra(wave(first), wave(second)))
    assert loss.item() == pytest.approx(2 / 64 * wanted * trust**2, rel=1e-9)


def test_gradient_points_the_short_way_across_pi():
    """From phase 3 towards -3 the angle has to grow, past pi."""
    made = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    across = 2 * math.pi * torch.arange(8, dtype=torch.float64) / 8
    moving = (0.5 + 0.25 * torch.cos(across + made)).expand(1, 1, 8, 8)
    (slope,) = torch.autograd.grad(phase_loss(*spectra(wave(-3.0), moving)).sum(), made)
    assert slope.item() == pytest.approx(-2 / 64 / (1 + FLOOR**2) ** 2, rel=1e-9)


@pytest.mark.parametrize("made", [-1.0 + 0j, -1.0 - 1e-300j, -1.0 + 1e-12j, 1.0 + 0j, 0j, 1e-200 + 1e-200j])
def test_gradient_is_finite_at_pi_and_without_amplitude(made: complex):
    found = one_bin(made)
    loss = phase_loss(one_bin(1.0 + 0j), found) + magnitude_loss(one_bin(1.0 + 0j), found)
    (slope,) = torch.autograd.grad(loss.sum(), found)
    assert torch.view_as_real(slope).isfinite().all()
    assert slope.abs().max() <= math.pi + 2


def test_phase_counts_half_at_the_floor():
    loss = phase_loss(one_bin(1e6 + 0j), one_bin(complex(0, FLOOR)))
    assert loss.item() == pytest.approx(0.5 * math.pi / 2)


@pytest.mark.parametrize("loss", [amplitude_loss, magnitude_loss, phase_loss])
def test_gradients(loss):
    mask = torch.tensor([1.0, 0.5, 0.0, 1.0, 1.0], dtype=torch.float64).expand(3, 5)
    assert gradcheck(lambda a, b: loss(*spectra(a, b, mask)), (picture(8, height=3), picture(9, height=3)))


def test_losses_add_up_as_in_equation_15():
    image, render = picture(10), picture(11)
    seen, made = spectra(image, render)
    wanted = 0.5 * amplitude_loss(seen, made) + 0.5 * phase_loss(seen, made)
    torch.testing.assert_close(frequency_loss(image, render), wanted)
    only = frequency_loss(image, render, weights=FrequencyWeights(amplitude=2.0, phase=0.0))
    torch.testing.assert_close(only, 2 * amplitude_loss(seen, made))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_empty_masks_and_equal_pictures_give_nothing(dtype: torch.dtype):
    image, render = picture(12).detach().to(dtype), picture(13).detach().to(dtype)
    image[:, :, 0] = torch.nan
    render.requires_grad_()
    empty = frequency_loss(image, render, torch.zeros(6, 5, dtype=dtype))
    assert (empty == 0).all()
    assert (torch.autograd.grad(empty.sum(), render)[0] == 0).all()
    same = frequency_loss(render.detach().clone(), render)
    assert same.abs().max() < 1e-8, "but for rounding"
    assert torch.autograd.grad(same.sum(), render)[0].isfinite().all()


def test_descent_brings_a_shifted_wave_back():
    """Gradient descent on the phase alone finds its way over pi to the wanted phase."""
    phase = torch.tensor(2.5, dtype=torch.float64, requires_grad=True)
    across = 2 * math.pi * torch.arange(8, dtype=torch.float64) / 8
    step = 1.0
    for _ in range(120):
        moving = (0.5 + 0.25 * torch.cos(across + phase)).expand(1, 1, 8, 8)
        (slope,) = torch.autograd.grad(phase_loss(*spectra(wave(-2.5), moving)).sum(), phase)
        phase = (phase - step * slope).detach().requires_grad_()
    assert phase.item() == pytest.approx(2 * math.pi - 2.5, abs=step * 2 / 64)
