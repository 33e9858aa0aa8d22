"""Pictures compared by their spectra: the joint-domain paper, section 3.2.

F is the orthonormal discrete Fourier transform (equation 8 divided by sqrt(MN)) of each channel, after both pictures
are multiplied by the mask. As in the paper sums run over all M x N frequencies and are divided by MN; channels are
averaged. MN is the whole frame: a face that fills half of it gives about half the amplitude loss of one that fills it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .reduce import full_weights, safe_sqrt, same_shape

FLOOR = 1 / 255
"""Amplitude at which a phase counts half: one step of 8 bits at each pixel spreads to this at each frequency."""


@dataclass(frozen=True)
class FrequencyWeights:
    """alpha_1 and alpha_2 of equation 15."""

    amplitude: float = 0.5
    phase: float = 0.5


def frequency_loss(
    image: Tensor, render: Tensor, mask: Tensor | None = None, weights: FrequencyWeights | None = None
) -> Tensor:
    """Amplitude and phase together (equation 15).

    Args:
        image, render: (B,C,H,W), 0..1.
        mask: (B,H,W) or (H,W), 0..1; None for everywhere.
        weights: None for the paper's.
    Returns:
        (B,).
    Raises:
        ValueError: shapes do not fit.
    """
    weights = weights or FrequencyWeights()
    seen, made = spectra(image, render, mask)
    return weights.amplitude * amplitude_loss(seen, made) + weights.phase * phase_loss(seen, made)


def spectra(image: Tensor, render: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """F of both pictures (equation 8, orthonormal), (B,C,H,W) complex each; arguments as in `frequency_loss`."""
    same_shape(image, render)
    mask = full_weights(mask, image[:, 0])[:, None]
    nothing = image.new_zeros(())
    cut = [(picture.where(mask > 0, nothing) * mask) for picture in (image, render)]
    return torch.fft.fft2(cut[0], norm="ortho"), torch.fft.fft2(cut[1], norm="ortho")


def amplitude_loss(seen: Tensor, made: Tensor) -> Tensor:
    """Mean squared distance of two spectra (equations 12 and 13), as printed.

    The distance is that of the complex numbers. By Parseval's theorem the mean over all frequencies is then the mean
    squared difference of the masked pixels: the name is the paper's, the phase is part of it. `magnitude_loss` leaves
    the phase out.

    Args:
        seen, made: (B,C,H,W) complex, see `spectra`.
    Returns:
        (B,).
    """
    apart = seen - made
    return (apart.real.square() + apart.imag.square()).flatten(1).mean(1)


def magnitude_loss(seen: Tensor, made: Tensor) -> Tensor:
    """Mean squared difference of the amplitudes |F| (equation 10): what the paper says in words of equation 13.

    A picture that is shifted in circles keeps all its amplitudes. Where an amplitude of `made` is 0 its gradient is 0.

    Args:
        seen, made: (B,C,H,W) complex, see `spectra`.
    Returns:
        (B,), never above `amplitude_loss`.
    """
    return (safe_sqrt(_power(seen)) - safe_sqrt(_power(made))).square().flatten(1).mean(1)


def phase_loss(seen: Tensor, made: Tensor, floor: float = FLOOR) -> Tensor:
    """Mean difference of phases, radians (equation 14), taken on the circle and only as far as there is a phase.

    Two things differ from the paper. The arctan of equation 11 knows half the circle, and phases just above -pi and
    just below pi are neighbours; so the difference is the angle of seen * conj(made), 0..pi, whose gradient points the
    short way round. And the phase of an amplitude of nearly nothing is rounding noise with a gradient of one over the
    amplitude; so each difference counts

        a² / (a² + floor²) for a = |F_I|, times the same for |F_r|,

    which is 1 for what can be seen and 0, with gradient 0, for no amplitude. The sum is divided by MN as in the paper,
    not by these weights: with floor -> 0 it is equation 14 on the circle, with the usual one less. For a portrait of
    224 pixels, unmasked, shifted by one it is 1.36 and not 1.57; blurred by two, which leaves rounding in most
    frequencies, 0.29 and not 1.30. The weights take part in the gradient.

    Args:
        seen, made: (B,C,H,W) complex, see `spectra`.
        floor: over 0, amplitude that counts half.
    Returns:
        (B,) radians.
    """
    cross = seen * made.conj()
    angle = _angle(cross.real, cross.imag).abs()
    trust = _power(seen) / (_power(seen) + floor**2) * (_power(made) / (_power(made) + floor**2))
    return (trust * angle).flatten(1).mean(1)


def _power(spectrum: Tensor) -> Tensor:
    """|F|²."""
    return spectrum.real.square() + spectrum.imag.square()


def _angle(real: Tensor, imaginary: Tensor) -> Tensor:
    """-pi..pi; 0, and its gradient too, at the origin and wherever squares would vanish."""
    none = real.square() + imaginary.square() < torch.finfo(real.dtype).tiny
    return torch.atan2(imaginary.where(~none, torch.zeros_like(real)), real.where(~none, torch.ones_like(real)))
