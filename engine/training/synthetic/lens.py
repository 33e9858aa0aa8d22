"""What a camera, a program and a web site do to a picture between the light and the file.

Order as in life: things in front of the lens, the lens (blur, vignetting), exposure, the sensor (noise), the camera's
processing (white balance, tone, saturation, sharpening), then sizes and JPEG. Each happens only to some pictures.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .background import random_patch

Bytes = NDArray[np.uint8]

LEAST_FACE = 40.0  # pixels; the smallest face a picture is reduced to
FACE_SHARE = 0.5  # of the side, usually
GREY_SHARE = 0.10
COVERED_SHARE = 0.08


def spoil(image: Bytes, rng: np.random.Generator, strength: float = 1.0) -> Bytes:
    """A picture as a camera would have taken it.

    Args:
        image: (H,W,3) uint8 sRGB.
        strength: 0 leaves it nearly as it is, 1 is what training wants; between, both chances and amounts shrink.
    Returns:
        (H,W,3) uint8, a new array.
    """
    image = image.copy()

    def chance(share: float) -> bool:
        return rng.random() < share * min(strength, 1.0)

    if chance(COVERED_SHARE):
        cover(image, rng)
    if chance(0.55):
        image = blur(image, rng, strength)
    if chance(0.8):
        image = develop(image, rng, strength)
    low = np.exp(rng.uniform(np.log(LEAST_FACE / FACE_SHARE), np.log(image.shape[0]))) if chance(0.35) else None
    noisy_before = rng.random() < 0.5
    if low is None or noisy_before:
        image = noise(image, rng, strength)
    if low is not None:
        image = reduced(image, int(low), rng, noisy=not noisy_before, strength=strength)
    if chance(0.12):
        image = sharpen(image, rng.uniform(0.3, 1.5 * strength + 0.3), rng.uniform(0.6, 2.0))
    if chance(0.7):
        image = jpeg(image, int(97 - 72 * strength * rng.beta(1.1, 1.8)))
    return image


def blur(image: Bytes, rng: np.random.Generator, strength: float) -> Bytes:
    """Out of focus (a disc), shaken (a line), or simply soft (a Gaussian), in shares of the side."""
    import cv2

    side = image.shape[0]
    amount = side / 256 * strength
    kind = rng.random()
    if kind < 0.6:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), max(amount * rng.uniform(0.3, 1.4), 0.2)), np.uint8)
    if kind < 0.8:
        kernel = disc(round(float(amount * (0.6 + rng.exponential(1.1))), 1))
    else:
        kernel = line(round(float(amount * (1.5 + rng.exponential(3.0))), 1), int(rng.integers(0, 180)))
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)


@lru_cache(maxsize=64)
def disc(radius: float) -> NDArray[np.float32]:
    """An antialiased disc that sums to 1; radius in pixels, at most 7."""
    radius = float(np.clip(radius, 0.5, 7.0))
    reach = int(np.ceil(radius))
    grid = np.arange(-reach, reach + 1)
    kernel = np.clip(radius + 0.5 - np.hypot(*np.meshgrid(grid, grid)), 0.0, 1.0)
    return (kernel / kernel.sum()).astype(np.float32)


@lru_cache(maxsize=256)
def line(length: float, degrees: int) -> NDArray[np.float32]:
    """A straight path through the middle that sums to 1; length in pixels, at most 15."""
    length = float(np.clip(length, 1.0, 15.0))
    reach = int(np.ceil(length / 2))
    grid = np.arange(-reach, reach + 1)
    x, y = np.meshgrid(grid, grid)
    angle = np.radians(degrees)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.clip(1.0 - np.abs(across), 0.0, 1.0) * np.clip(length / 2 + 0.5 - np.abs(along), 0.0, 1.0)
    return (kernel / kernel.sum()).astype(np.float32)


def develop(image: Bytes, rng: np.random.Generator, strength: float) -> Bytes:
    """Exposure, white balance, tone curve (a table for each channel), saturation or grey, and vignetting."""
    import cv2

    amount = strength
    values = np.linspace(0.0, 1.0, 256)[:, None]
    linear = values**2.2 * 2.0 ** rng.normal(0, 0.35 * amount)  # exposure, stops
    cast = rng.normal(0, 0.5) * np.array([1.0, 0.15, -1.0]) + rng.normal(0, 0.3) * np.array([-0.5, 1.0, -0.5])
    linear = linear * np.exp(0.22 * amount * cast)
    tone = np.clip(linear, 0.0, 1.0) ** (np.exp(rng.normal(0, 0.15 * amount)) / 2.2)
    contrast = np.exp(rng.normal(0, 0.18 * amount))
    tone = 0.5 + (tone - 0.5) * contrast + rng.normal(0, 0.03 * amount)
    if rng.random() < 0.15 * amount:  # faded: black is grey
        low = rng.uniform(0, 0.2)
        tone = low + (1 - low) * tone
    table = np.round(np.clip(tone, 0.0, 1.0) * 255).astype(np.uint8)
    image = np.asarray(cv2.LUT(image, table.reshape(1, 256, 3)), np.uint8)

    kind = rng.random()
    if kind < GREY_SHARE / 0.8 * amount:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        warmth = rng.normal(0.06, 0.06) if rng.random() < 0.3 else 0.0  # sepia, or cold
        tint = np.exp(warmth * np.array([1.0, 0.0, -1.0]))
        table = np.clip(np.arange(256)[:, None] * tint, 0, 255).astype(np.uint8).reshape(1, 256, 3)
        image = np.asarray(cv2.LUT(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), table), np.uint8)
    elif kind < 0.6:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        saturation = float(np.exp(rng.normal(-0.05, 0.3 * amount)))
        image = np.asarray(cv2.addWeighted(image, saturation, grey, 1 - saturation, 0), np.uint8)
    if rng.random() < 0.2 * amount:
        image = vignette(image, rng)
    return image


def vignette(image: Bytes, rng: np.random.Generator) -> Bytes:
    """Darker away from a point near the middle."""
    import cv2

    height, width = image.shape[:2]
    x = (np.arange(width, dtype=np.float32) / width - rng.uniform(0.2, 0.8)) ** 2
    y = (np.arange(height, dtype=np.float32) / height - rng.uniform(0.2, 0.8)) ** 2
    shade = 255.0 / (1.0 + rng.uniform(0.4, 2.5) * np.add.outer(y, x))
    shade = cv2.cvtColor(shade.astype(np.uint8), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.multiply(image, shade, scale=1 / 255), np.uint8)


@lru_cache(maxsize=4)
def _grain(side: int) -> NDArray[np.int16]:
    """A large sheet of Gaussian noise, deviation 256, to cut pieces from; drawing it anew each time is slow."""
    return (256 * np.random.default_rng(side).standard_normal((side, side, 3), np.float32)).astype(np.int16)


def noise(image: Bytes, rng: np.random.Generator, strength: float) -> Bytes:
    """Shot and read noise, sometimes coarse as film grain or denoised pictures have it; deviation up to 20 of 255."""
    import cv2

    height, width = image.shape[:2]
    read = min(strength * rng.exponential(2.2), 16.0) + 0.5 * min(strength, 1.0)
    shot = strength * rng.exponential(2.5)
    sheet = _grain(1 << int(np.ceil(np.log2(max(height, width) + 128))))
    y, x = rng.integers(0, len(sheet) - height + 1), rng.integers(0, len(sheet) - width + 1)
    grain = sheet[y : y + height, x : x + width]
    if rng.random() < 0.3:  # the same in all channels
        grain = np.repeat(grain[..., :1], 3, axis=2)
    if rng.random() < 0.2 * strength:
        grain = np.asarray(cv2.GaussianBlur(np.ascontiguousarray(grain), (3, 3), 0.8))
    levels = np.arange(256) / 255.0
    deviation = np.sqrt(read**2 + shot**2 * 4 * levels).clip(0, 20).astype(np.float32) / 256
    return np.asarray(
        cv2.add(image, cv2.multiply(grain, deviation[image], dtype=cv2.CV_16S), dtype=cv2.CV_8U), np.uint8
    )


def reduced(image: Bytes, side: int, rng: np.random.Generator, noisy: bool, strength: float) -> Bytes:
    """A low-resolution version, enlarged again; the noise and compression of the small one grow with it."""
    import cv2

    ways = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
    side = max(side, 16)
    small = np.asarray(
        cv2.resize(image, (side, side), interpolation=ways[rng.choice(3, p=(0.6, 0.25, 0.15))]), np.uint8
    )
    if noisy:
        small = noise(small, rng, strength)
    if rng.random() < 0.5:
        small = jpeg(small, int(rng.integers(40, 97)))
    up = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)[rng.choice(3, p=(0.6, 0.35, 0.05))]
    return np.asarray(cv2.resize(small, image.shape[1::-1], interpolation=up), np.uint8)


def sharpen(image: Bytes, amount: float, sigma: float) -> Bytes:
    """Unsharp masking; strong amounts leave halos."""
    import cv2

    soft = cv2.GaussianBlur(image, (0, 0), sigma)
    return np.asarray(cv2.addWeighted(image, 1 + amount, soft, -amount, 0), np.uint8)


def jpeg(image: Bytes, quality: int) -> Bytes:
    """Through a JPEG file of a quality, 1..100."""
    import cv2

    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(np.clip(quality, 20, 97))])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], np.uint8)


def cover(image: Bytes, rng: np.random.Generator) -> None:
    """Lay a patch over some part of the picture, in place: a rectangle, a bar from a side, or a disc."""
    import cv2

    height, width = image.shape[:2]
    patch = random_patch(max(height, width), rng)[:height, :width]
    mask = np.zeros((height, width), np.uint8)
    kind = rng.integers(3)
    if kind == 0:
        centre, size = rng.uniform(0.1, 0.9, 2) * [width, height], rng.uniform(0.06, 0.35, 2) * [width, height]
        corners = cv2.boxPoints((centre.tolist(), size.tolist(), float(rng.uniform(0, 90))))
        cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 1)
    elif kind == 1:
        share = rng.uniform(0.08, 0.38)
        turned = np.rot90(mask, rng.integers(4))
        turned[: int(share * len(turned))] = 1
    else:
        centre = rng.uniform(0.1, 0.9, 2) * [width, height]
        cv2.circle(mask, np.round(centre).astype(int).tolist(), int(rng.uniform(0.04, 0.16) * width), 1, -1)
    inside = mask > 0
    image[inside] = patch[inside]
