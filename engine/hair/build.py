"""The hair stage: head, mask and photo in, a hair object out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..heads.model import HeadModel
from .crop import hair_photo
from .envelope import DepthMap, hair_envelope
from .grain import take_grain
from .grid import COLUMNS, ROWS, scalp_centre, scalp_grid
from .locks import BANDS, grow_locks, lay_out, paint_locks, slots
from .mesh import join, sheet, strips
from .outline import sure_mask
from .paint import SHELL, UNDER, atlas_shape, paint_shell, paint_under, to_atlas
from .shell import HairShell

LEAST_HAIR = 0.05
"""Hair that covers less than this share of the skull's disc in the photo is none."""
UNDER_DEPTH = 0.70
"""Where the layer under the shell lies between the skull and the shell."""
THINNED = 2
"""It has every so many rows and columns of the shell."""


def make_hair(
    head: HeadModel,
    vertices: NDArray,
    camera: Camera,
    pixels: NDArray[np.uint8],
    hair: NDArray[np.float32],
    illumination: NDArray[np.float32],
    texture_size: int = 2048,
    depth: DepthMap | None = None,
    seed: int = 0,
) -> HairShell | None:
    """Make the hair that a photo shows.

    Args:
        vertices: (V,3) metres, the person's head as it stands before the camera.
        pixels: (H,W,3) uint8 sRGB. hair: (H,W) soft mask 0..1, without brows and beard.
        illumination: (9,3) of the photo; see `engine.render.lighting`.
        texture_size: of the skin; the hair's texture has three quarters of its width, and half that height.
        depth: of face and hair, where a network gives it; shapes the hair inside its outline.
    Returns:
        The hair, or None for a bald or cropped head.
    """
    mask = sure_mask(hair)
    centre = scalp_centre(vertices, head)
    if not _has_hair(mask, camera, centre, vertices[head.regions["scalp"]]):
        return None
    rng = np.random.default_rng(seed)
    photo = hair_photo(pixels, mask, camera, centre)
    grain = take_grain(photo.linear, photo.core, photo.scale, rng)
    if grain is None:
        return None
    grid = scalp_grid(head)
    envelope = hair_envelope(head, grid, vertices, camera, mask, grain.curl, rng, depth)
    shape = atlas_shape(texture_size)
    shell_rows, under_rows = round(SHELL * shape[0]), round(UNDER * shape[0])
    painted = paint_shell(envelope, photo, grain, illumination, (shell_rows, shape[1]), rng)
    under = paint_under(painted, envelope, (under_rows, shape[1]))
    rgba = np.concatenate([painted.color, painted.opacity[..., None]], -1)
    parts = [rgba, under]
    height = (shape[0] - shell_rows - under_rows) // BANDS
    locks = grow_locks(envelope, BANDS * slots(shape[1])[1], grain.curl, rng)
    if locks is not None:
        locks = lay_out(locks, shape, shell_rows + under_rows, height)
        parts.append(paint_locks(locks, painted, (ROWS, COLUMNS), shape[1], height, grain.contrast, grain.curl, rng))
    inner = envelope.close + UNDER_DEPTH * (envelope.full - envelope.close)
    pieces = [
        sheet(grid, envelope.close, envelope.full, painted.opacity, (0.0, shell_rows / shape[0])),
        sheet(grid, envelope.close, inner, under[..., 3], (shell_rows / shape[0], under_rows / shape[0]), THINNED),
    ]
    if locks is not None:
        pieces.append(strips(grid, locks))
    return join(pieces, to_atlas(parts, shape))


def _has_hair(mask: NDArray[np.float32], camera: Camera, centre: NDArray, scalp: NDArray) -> bool:
    """Whether there is enough hair around the skull."""
    middle = camera.project(centre)
    radius = float(np.linalg.norm(camera.project(scalp) - middle, axis=1).max())
    x0, y0 = np.maximum(np.floor(middle - 1.5 * radius), 0).astype(int)
    x1, y1 = np.maximum(np.ceil(middle + 1.5 * radius), 0).astype(int)
    return float((mask[y0:y1, x0:x1] > 0.5).sum()) > LEAST_HAIR * np.pi * radius**2
