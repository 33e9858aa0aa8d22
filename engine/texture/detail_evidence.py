"""What in a skin's picture looks like relief: fine brightness, in lines, without change of hue."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .project import smoothstep

FLOOR = 0.005
"""Added to linear colours before logarithms are taken."""
HALF = float(np.sqrt(np.log(2) / 2) / np.pi)
"""Standard deviation of a Gaussian, in wavelengths, that lets half of a wave's amplitude through."""

DIRECTIONS = 8
"""In which averages along lines are taken."""


@dataclass(frozen=True)
class EvidenceOptions:
    """Where relief begins and where it ends. Lengths in millimetres, brightness in natural logarithms.

    Attributes:
        coarsest: wavelength of which half is kept; broader changes are the mesh's, the light's or the albedo's.
        hue: change of hue over change of brightness between which darker skin counts as pigment: wrinkles redden a
            little, freckles change hue two thirds as much as brightness.
        hue_window: over which both are compared; a photo's colour is coarser than its brightness.
        lines: share of the gradients' direction that agrees (coherence of the structure tensor, Weickert 1998,
            "Anisotropic Diffusion in Image Processing", section 2.2) between which texture counts as wrinkles: moles,
            stubble and noise have no direction.
        line_window: over which directions are compared.
        line_length, line_width: of the averages that are taken along lines, against grain; standard deviations.
        dots: what is left of texture without direction.
        steps: slope of the brightness at `step_scale`, in logs a millimetre, between which it is the border of a shadow
            or of a stain. Lines, dark between two equal sides, have none at that scale.
        noise_share: share of the contrast that averages along lines do not keep, which is taken to be left in them:
            grain is correlated, and lines are chosen where it happens to agree. noise_floor: at least this contrast.
        noise_window: over which contrast is measured.
    """

    coarsest: float = 6.0
    hue: tuple[float, float] = (0.3, 0.6)
    hue_window: float = 1.1
    lines: tuple[float, float] = (0.25, 0.5)
    line_window: float = 1.5
    line_length: float = 1.2
    line_width: float = 0.2
    dots: float = 0.1
    steps: tuple[float, float] = (0.06, 0.12)
    step_scale: float = 3.0
    noise_share: float = 0.25
    noise_floor: float = 0.006
    noise_window: float = 2.0


def relief_residual(
    color: NDArray[np.float32], trust: NDArray[np.float32], texel: float, options: EvidenceOptions | None = None
) -> NDArray[np.float32]:
    """The fine brightness of a skin without light that may be relief.

    Args:
        color: (S,S,3) linear RGB, the light on the smooth mesh divided out.
        trust: (S,S) 0..1, where it is skin that was seen.
        texel: millimetres that a texel covers, about.
    Returns:
        (S,S) log brightness over the surroundings', shrunk towards 0 where it looks like anything else; 0 where
        nothing is trusted.
    """
    options = options or EvidenceOptions()
    logs = np.log(np.maximum(color, 0) + FLOOR).astype(np.float32)
    fine = logs - smooth_within(logs, trust, HALF * options.coarsest / texel)
    fine *= (trust > 0)[..., None]
    bright = channel_mean(fine)
    kept = _like_shading(fine, bright, options.hue_window / texel, options.hue)
    kept *= _no_step(channel_mean(logs), trust, texel, options)
    lines = _along_lines(bright, texel, options)
    kept *= _above_noise(lines, bright - lines, trust, texel, options)
    return lines * kept * smoothstep(trust, 0.1, 0.6)


def channel_mean(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """(S,S) means over the channels of (S,S,3): many times faster than along the short axis."""
    return (picture[..., 0] + picture[..., 1] + picture[..., 2]) / np.float32(3)


def smooth_within(values: NDArray[np.float32], trust: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Values (S,S[,C]) averaged over trusted neighbours by a Gaussian, `sigma` texels wide; as they are where alone."""
    # Tiny trust everywhere keeps the quotient defined far from what is trusted.
    weight = trust + np.float32(1e-6)
    total = cv2.GaussianBlur(weight, (0, 0), sigma)
    many = weight if values.ndim == 2 else weight[..., None]
    blurred = cv2.GaussianBlur(values * many, (0, 0), sigma)
    return blurred / (total if values.ndim == 2 else total[..., None])


def _like_shading(fine: NDArray, bright: NDArray, window: float, limits: tuple[float, float]) -> NDArray[np.float32]:
    """(S,S) 1 where red, green and blue change alike, 0 where pigment explains the change better (the third component
    of Tsumura et al. 2003, "Image-Based Skin Color and Texture Analysis/Synthesis", is what all channels share)."""
    red, green, blue = ((fine[..., channel] - bright) ** 2 for channel in range(3))
    both = np.sqrt(cv2.GaussianBlur(cv2.merge([red + green + blue, bright**2]), (0, 0), window))
    return 1 - smoothstep(both[..., 0] / (both[..., 1] + 0.02), *limits)


def _along_lines(bright: NDArray, texel: float, options: EvidenceOptions) -> NDArray[np.float32]:
    """(S,S) brightness averaged along the lines it forms; `dots` of it where there are none.

    The average is the mix of a few fixed directions' that suits the structure tensor's (Freeman and Adelson 1991, "The
    Design and Use of Steerable Filters", in spirit: these are narrower than what is exactly steerable).
    """
    dx, dy = cv2.Sobel(bright, cv2.CV_32F, 1, 0), cv2.Sobel(bright, cv2.CV_32F, 0, 1)
    products = cv2.merge([dx * dx - dy * dy, 2 * dx * dy, dx * dx + dy * dy])
    a, b, total = cv2.split(cv2.GaussianBlur(products, (0, 0), options.line_window / texel))
    size = np.hypot(a, b) + 1e-9
    angles = np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    mixed, shares = np.zeros_like(bright), np.zeros_like(bright)
    for angle in angles:
        # The tensor's doubled angle is the gradient's; a line runs across it.
        share = np.maximum(-(a * np.float32(np.cos(2 * angle)) + b * np.float32(np.sin(2 * angle))) / size, 0)
        share = np.square(np.square(np.square(share)))
        mixed += share * cv2.filter2D(bright, -1, _stroke(angle, texel, options))
        shares += share
    line = smoothstep(size / (total + 1e-5), *options.lines)
    return line * mixed / np.maximum(shares, 1e-6) + (1 - line) * np.float32(options.dots) * bright


def _stroke(angle: float, texel: float, options: EvidenceOptions) -> NDArray[np.float32]:
    """A long Gaussian in one direction, sum 1."""
    length, width = options.line_length / texel, max(options.line_width / texel, 0.4)
    reach = int(np.ceil(2.5 * length))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-0.5 * ((along / length) ** 2 + (across / width) ** 2))
    return (kernel / kernel.sum()).astype(np.float32)


def _no_step(level: NDArray, trust: NDArray, texel: float, options: EvidenceOptions) -> NDArray[np.float32]:
    """(S,S) 0 at the borders between broad areas of unlike brightness."""
    broad = smooth_within(level.astype(np.float32), trust, options.step_scale / texel)
    slope = np.hypot(cv2.Sobel(broad, cv2.CV_32F, 1, 0), cv2.Sobel(broad, cv2.CV_32F, 0, 1)) / (8 * texel)
    return 1 - smoothstep(slope, *options.steps)


def _above_noise(
    lines: NDArray, rest: NDArray, trust: NDArray, texel: float, options: EvidenceOptions
) -> NDArray[np.float32]:
    """(S,S) Wiener's gain: share of the lines' contrast that is more than what grain leaves in them."""
    squares = np.stack([lines * lines, rest * rest], -1).astype(np.float32)
    contrast, grain = np.moveaxis(smooth_within(squares, trust, options.noise_window / texel), -1, 0)
    noise = options.noise_share * grain + options.noise_floor**2
    return (np.maximum(contrast - noise, 0) / np.maximum(contrast, 1e-12)).astype(np.float32)
