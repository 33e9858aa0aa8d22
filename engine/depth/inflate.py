"""Depth without a network: the fitted head where it is seen, hair and shoulders blown up inside the person's outline.

Where the outline is, the surface turns away from the camera at the depth of the body's middle. Inside, the square of
the relief over that depth is a membrane under even load, which over a disc is a ball and over a strip a cylinder. The
head holds it where the photo shows skin, and more loosely where hair or clothes cover it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .fill import membrane
from .head import HeadDepth
from .view import View, resized

Floats = NDArray[np.float32]
SIDE = 256
"""Pixels of the longer side of the grid it is solved on."""
ROUND_HEAD, ROUND_BODY = 6.0, 0.7
"""Load: 4 makes a ball of a disc, and hair stands off between face and outline; a trunk is half as deep as wide (a
strip's cylinder has 2, half its depth 0.5)."""
EDGE = 0.012
"""Metres: rounds the outline, where a ball would be infinitely steep."""
HAIR, CLOTHES = 0.012, 0.015
"""Metres that they stand off the head and the bust at least."""
SEEN, COVERED = 30.0, 0.02
"""How firmly the head holds the membrane where it is seen, and where it is covered; see `fill.membrane`."""


def inflated(view: View, head: HeadDepth) -> Floats:
    """(h,w) metres along the optical axis; defined everywhere, meant inside `View.mask`."""
    factor = min(1.0, SIDE / max(view.shape))
    size = max(2, round(view.shape[0] * factor)), max(2, round(view.shape[1] * factor))
    inside = resized(view.mask.astype(np.float32), size) > 0.5
    trust = resized(head.trust, size)
    known = np.isfinite(head.depth).astype(np.float32)
    share = resized(known, size)
    depth = resized(np.nan_to_num(head.depth), size) / np.maximum(share, 1e-6)
    hair = resized(view.hair, size)
    rim, body = _middle(view, size)
    cover = HAIR + body * (CLOTHES - HAIR)
    seen = trust > 0.05
    relief = rim - depth + np.where(seen, 0, np.where(hair > 0.5, HAIR, cover))
    weight = np.where(seen, SEEN * trust, COVERED) * (share > 0.6)
    metres = view.metres / factor
    load = (ROUND_HEAD + body * (ROUND_BODY - ROUND_HEAD)) * metres**2
    solved = relief_of(membrane(inside, square_of(np.maximum(relief, 0)), weight, load))
    return resized((rim - solved).astype(np.float32), view.shape)


def square_of(relief: NDArray) -> NDArray:
    """What the membrane's height is for a relief in metres."""
    return relief * (relief + 2 * EDGE)


def relief_of(height: NDArray) -> NDArray:
    """Undoes `square_of`."""
    return np.sqrt(np.maximum(height, 0) + EDGE**2) - EDGE


def _middle(view: View, size: tuple[int, int]) -> tuple[NDArray, NDArray]:
    """(h,w) depth of the body's middle, between the ears at the head, at the root of the neck below; and 0..1 from the
    one to the other."""
    names = view.head.joint_names
    upper = view.joints[names.index("head")]
    lower = view.joints[names.index("root")] if "root" in names else upper - (0, 0.1, 0)
    ends = np.stack([upper, lower]).astype(np.float64)
    (x0, y0), (x1, y1) = view.camera.project(ends)
    z0, z1 = view.camera.to_camera(ends)[:, 2]
    rows, columns = np.indices(size)
    y, x = (rows + 0.5) * view.shape[0] / size[0], (columns + 0.5) * view.shape[1] / size[1]
    along = np.array([x1 - x0, y1 - y0])
    share = ((x - x0) * along[0] + (y - y0) * along[1]) / max(float(along @ along), 1e-9)
    share = np.clip(share, 0, 1)
    share = share * share * (3 - 2 * share)
    return z0 + share * (z1 - z0), share
