"""What the depth network's numbers mean.

    d = clip((z - z_ref) / SPAN, -1, 1)

z is a point's depth in metres along the camera's optical axis, as `Camera.to_camera` gives it (not its distance from
the lens), and z_ref that of the midpoint between the centres of the eyeballs. So d = 0 is as far away as the eyes, the
tip of a nose seen from the front has about -0.3, and what lies 15 cm behind the eyes or further has 1, as the
background has. Turning a picture about the optical axis, cropping, scaling and mirroring leave d alone. The published
regression had depth between -1 and 1 too, but normalised; here one unit is always `SPAN`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..heads.model import HeadModel

SPAN = 0.15
"""Metres a unit of d: from the eyes, a head turned anywhere and its hair mostly stay within."""
BACKGROUND = 1.0
"""d where there is nothing, and the furthest it can be."""


def reference_depth(camera: Camera, eye_centres: NDArray) -> float:
    """z_ref in metres.

    Args:
        eye_centres: (2,3) metres, world space, of the posed or fitted head.
    """
    return float(camera.to_camera(np.asarray(eye_centres, np.float64).mean(axis=0))[2])


def eye_centres(head: HeadModel, vertices: NDArray) -> NDArray[np.float64]:
    """(2,3) metres, left and right: centres of the spheres that fit the eyeballs of a posed head best.

    Args:
        vertices: (V,3) of that head.
    """
    centres = []
    for region in ("eye.L", "eye.R"):
        ball = np.asarray(vertices, np.float64)[head.regions[region]]
        middle = ball.mean(axis=0)
        ball = ball - middle
        system = np.column_stack([2.0 * ball, np.ones(len(ball))])
        centres.append(middle + np.linalg.lstsq(system, (ball**2).sum(axis=1), rcond=None)[0][:3])
    return np.array(centres)


def encode_depth(depth: NDArray, reference: float) -> NDArray[np.float32]:
    """d of depths in metres along the optical axis; infinite ones are background. Any shape."""
    return np.clip((depth - reference) / SPAN, -BACKGROUND, BACKGROUND).astype(np.float32)


def decode_depth(encoded: NDArray, reference: float = 0.0) -> NDArray[np.float32]:
    """Metres along the optical axis, relative to the eyes or, with a reference, to the camera. Any shape.

    What was clipped, the background too, comes back as `SPAN` metres behind (or before) the eyes.
    """
    return (np.clip(encoded, -BACKGROUND, BACKGROUND) * SPAN + reference).astype(np.float32)
