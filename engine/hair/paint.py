"""The hair's texture: the photo where it shows hair squarely, elsewhere its grain combed from the whorl downwards.

One atlas for all: the shell, unrolled, on top; the layer under it; the locks in rows at the bottom.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..render.hair import ROUNDNESS
from ..render.lighting import irradiance, linear_to_bytes
from .crop import HairPhoto
from .envelope import Envelope, row_length
from .field import blurred, closed, normals, resized, smoothstep
from .grain import FLOOR, WIDTH, Grain

SHELL, UNDER = 0.5, 0.125
"""Shares of the atlas's height; locks take the rest."""
SQUARE = (0.25, 0.6)
"""Cosines of the view angle between which the photo's colour is taken."""
DARKEST_LIGHT = 0.4
"""The photo is lightened by at most the inverse of this where it is in its own shade."""
SPREAD, EVEN = (14.0, 24.0), 0.02
"""How far seen colours spread (rows, columns at `SLOW_MAP`), and the weight of the mean colour against them."""
SLOW_MAP = (64, 256)
STRANDS = (0.6, 0.3)
"""Deviation of the finest strands of straight and of curly hair, as a share of the grain's: few photos show them."""
SLEEK = 0.7
"""Contrast that straight hair keeps of its grain where it was not seen: combed hair lies smoother than a fringe."""
CLOSE_CROPPED = (0.004, 0.02)
"""Thicknesses between which hair gets from half its grain's contrast, as of single short hairs, to all of it."""
RAGGED = 0.30
"""How far single strands move the hairline, in shares of cover."""
GAPS = (-2.7, -1.9)
"""Deviations of brightness below which the shell opens to the layer below it."""
DEEP = 0.42
"""Brightness of the layer under the shell."""
SPECK = (0.2, 0.01)
"""Opacity that belongs to a patch of hair, and the share of the largest patch below which one is a speck."""
ENDS = 0.05
"""Share of the rows over which hanging hair thins out at its end."""


@dataclass(frozen=True)
class Painted:
    """The shell's picture before it goes into the atlas.

    Attributes:
        color: (h,w,3) linear RGB. opacity: (h,w) 0..1.
        strands: (h,w) of mean 0 and deviation 1, the finest strands.
    """

    color: NDArray[np.float32]
    opacity: NDArray[np.float32]
    strands: NDArray[np.float32]


def atlas_shape(width: int) -> tuple[int, int]:
    """Height and width of the atlas for a skin texture of that width: few photos show more of hair."""
    return width * 3 // 8, width * 3 // 4


def paint_shell(
    envelope: Envelope,
    photo: HairPhoto,
    grain: Grain,
    illumination: NDArray[np.float32],
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> Painted:
    """Colour and opacity of the unrolled shell.

    Args:
        illumination: (9,3) of the photo; see `engine.render.lighting`.
        shape: height and width in texels.
    """
    direct, trust = _photographed(envelope, photo, illumination, shape)
    slow = _slow_color(direct, trust, grain)
    slow = cv2.resize(slow, shape[::-1], interpolation=cv2.INTER_LINEAR)
    strands = _strands(rng, shape, grain.curl)
    texture = _quilt(envelope, grain, shape, rng)
    fine = STRANDS[0] + grain.curl * (STRANDS[1] - STRANDS[0])
    texture += (fine * grain.contrast * strands)[..., None]
    thick = cv2.resize(envelope.thickness.astype(np.float32), shape[::-1])
    calm = SLEEK + grain.curl * (1 - SLEEK)
    texture *= (calm * (0.5 + 0.5 * smoothstep(thick, *CLOSE_CROPPED)))[..., None]
    combed = np.exp(slow + texture - 0.5 * grain.contrast**2)
    color = combed + trust[..., None] * (direct - combed)
    light = texture.mean(-1) / max(grain.contrast, 1e-3)
    gaps = smoothstep(light, *GAPS)
    gaps += np.maximum(trust, 1 - smoothstep(thick, 0.004, 0.01)) * (1 - gaps)
    return Painted(color, without_specks(_cover(envelope, photo, strands, shape)) * gaps, strands)


def _photographed(
    envelope: Envelope, photo: HairPhoto, illumination: NDArray, shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The photo on the shell without its light (h,w,3), and how far it is to be believed (h,w)."""
    normal = normals(blurred(envelope.full, (1.5, 1.5)))
    whole = envelope.full - (envelope.full.min((0, 1)) + envelope.full.max((0, 1))) / 2
    whole /= np.linalg.norm(whole, axis=-1, keepdims=True)
    bent = normal + ROUNDNESS * (whole - normal)
    bent = bent / np.linalg.norm(bent, axis=-1, keepdims=True)
    view = photo.camera.position - envelope.full
    facing = (normal * view).sum(-1) / np.linalg.norm(view, axis=-1)
    light = np.maximum(irradiance(bent, illumination), 0)
    level = max(float(light[facing > 0.3].mean()), 1e-3) if (facing > 0.3).any() else 1.0
    light = np.maximum(light, DARKEST_LIGHT * level)
    homogeneous = photo.camera.to_camera(envelope.full) @ photo.camera.K.T
    # One field of nodes, sampled once: pixels, what divides the colour, and the angle.
    fields = resized(np.concatenate([homogeneous, light, facing[..., None]], -1), shape)
    pixels = fields[..., :2] / fields[..., 2:3] - 0.5
    values = np.concatenate([photo.linear, photo.core[..., None]], -1)
    found = cv2.remap(values, pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return found[..., :3] / fields[..., 3:6], found[..., 3] * smoothstep(fields[..., 6], *SQUARE)


def _slow_color(direct: NDArray, trust: NDArray, grain: Grain) -> NDArray[np.float32]:
    """(SLOW_MAP,3) logarithm of the hair's colour, seen colours carried over to what was not seen."""
    logs = np.log(direct + FLOOR) * trust[..., None]
    both = np.concatenate([logs, trust[..., None]], -1)
    small = cv2.resize(both, SLOW_MAP[::-1], interpolation=cv2.INTER_AREA)
    total = small[..., 3].sum()
    mean = small[..., :3].sum((0, 1)) / total if total > 1 else np.log(grain.mean + FLOOR)
    near, far = blurred(small, (2.0, 4.0)), blurred(small, SPREAD)
    far = (far[..., :3] + EVEN * mean) / (far[..., 3:] + EVEN)
    return ((near[..., :3] + 0.1 * far) / (near[..., 3:] + 0.1)).astype(np.float32)


def _strands(rng: np.random.Generator, shape: tuple[int, int], curl: float) -> NDArray[np.float32]:
    """(h,w) strands along the columns, of mean 0 and deviation 1; wavy by `curl`."""
    height, width = shape
    rows = round(4 + 8 * curl)
    coarse = rng.standard_normal((rows, width)).astype(np.float32)
    coarse += 0.8 * np.repeat(rng.standard_normal((rows, width // 4)).astype(np.float32), 4, 1)[:, :width]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    phase = cv2.resize(rng.standard_normal((8, 28)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    bend = (0.002 + 0.008 * curl) * width * np.sin(y * (2 * np.pi * (3 + 7 * curl) / height) + 3 * phase)
    margin = width // 16
    field = cv2.remap(
        closed(coarse, margin), x + bend + margin, y * ((rows - 1) / height), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip
    return field / field.std()


def _quilt(envelope: Envelope, grain: Grain, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """(h,w,3) pieces of the photo's grain in their own size on the surface, overlapping by half; at half the texels."""
    height, width = shape[0] // 2, shape[1] // 2
    total = np.zeros((height, width, 3), np.float32)
    power = np.zeros((height, width), np.float32)
    ahead = envelope.full[::4]
    per_row = max(float(np.median(row_length(envelope.full))), 1e-4) * (len(envelope.full) - 1) / height
    girth = np.linalg.norm(ahead - np.roll(ahead, 1, 1), axis=-1).sum(1)
    tall = max(4, round(grain.length / per_row))
    for top in range(-tall // 2, height, max(tall // 2, 1)):
        middle = np.clip((top + tall / 2) / height, 0, 1) * (len(girth) - 1)
        around = float(np.interp(middle, np.arange(len(girth)), girth))
        count = int(np.clip(round(2 * around / WIDTH), 6, 64))
        wide = 2 * width // count
        window = np.outer(np.hanning(tall + 2)[1:-1], np.hanning(wide + 2)[1:-1]).astype(np.float32)
        first, last = max(top, 0), min(top + tall, height)
        rows = slice(first - top, last - top)
        shift = int(rng.integers(width))
        for index, piece in enumerate(rng.choice(len(grain.pieces), count)):
            cut = cv2.resize(grain.pieces[piece], (wide, tall), interpolation=cv2.INTER_LINEAR)[rows]
            left = (shift + index * width // count) % width
            for start, part in _wrapped(left, wide, width):
                stretch = slice(start, start + part.stop - part.start)
                total[first:last, stretch] += cut[:, part] * window[rows, part, None]
                power[first:last, stretch] += window[rows, part] ** 2
    total /= np.sqrt(np.maximum(power, 1e-4))[..., None]
    return cv2.resize(total, shape[::-1], interpolation=cv2.INTER_LINEAR)


def _wrapped(left: int, wide: int, width: int) -> list[tuple[int, slice]]:
    """Where the parts of a piece go that may run over the right edge: (column, part of the piece)."""
    inside = min(wide, width - left)
    return [(left, slice(0, inside))] + ([(0, slice(inside, wide))] if inside < wide else [])


def _cover(envelope: Envelope, photo: HairPhoto, strands: NDArray, shape: tuple[int, int]) -> NDArray[np.float32]:
    """(h,w) opacity at the hairline: strand by strand, and thinning out at the end of what hangs."""
    cover = resized(envelope.cover, shape)
    hanging = resized(envelope.hanging, shape)
    left = 1 - (np.arange(shape[0], dtype=np.float32)[:, None] + 0.5) / shape[0]
    cover = cover * (1 - hanging * (1 - np.clip(left / ENDS, 0, 1)))
    ragged = RAGGED * (1 - 0.6 * resized(envelope.trust, shape))
    return smoothstep(cover + 0.5 * ragged * strands, 0.42, 0.62)


def without_specks(opacity: NDArray[np.float32]) -> NDArray[np.float32]:
    """The opacity without bits of strands that hang on nothing: on the skin they are dirt."""
    _, label, stats, _ = cv2.connectedComponentsWithStats((opacity > SPECK[0]).astype(np.uint8))
    area = stats[:, cv2.CC_STAT_AREA]
    kept = area >= SPECK[1] * area[1:].max(initial=0)
    kept[0] = True
    return opacity * kept[label]


def paint_under(painted: Painted, envelope: Envelope, shape: tuple[int, int]) -> NDArray[np.float32]:
    """(h,w,4) linear RGBA of the layer under the shell: darker, drawn in from the hairline, where there is room."""
    color = DEEP * cv2.resize(painted.color, shape[::-1], interpolation=cv2.INTER_AREA)
    opacity = smoothstep(resized(blurred(envelope.cover, (1.5, 2.0)), shape), 0.6, 0.8)
    opacity *= smoothstep(resized(envelope.thickness, shape), *CLOSE_CROPPED) > 0.1
    return np.concatenate([color, opacity[..., None]], -1)


def to_atlas(parts: list[NDArray[np.float32]], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """(H,W,4) uint8 sRGB of linear RGBA parts (h,W,4), stacked from the top."""
    atlas = np.zeros((*shape, 4), np.uint8)
    top = 0
    for part in parts:
        rows = slice(top, top + len(part))
        atlas[rows, :, :3] = linear_to_bytes(part[..., :3])
        atlas[rows, :, 3] = np.round(np.clip(part[..., 3], 0, 1) * 255).astype(np.uint8)
        top += len(part)
    return atlas
