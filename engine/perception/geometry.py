"""Where skin, hair and clothes are to be expected around a face, from its landmarks alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import topology as topo

SUBPIXEL_BITS = 4
SUPERSAMPLING = 4  # OpenCV draws outlines with their border pixels: finer pixels, thinner border


def smooth_loop(points: NDArray, steps: int = 6) -> NDArray[np.float64]:
    """(N,2) closed polygon to (N*steps,2) closed Catmull-Rom spline through the same points."""
    before, here, after, beyond = points, np.roll(points, -1, 0), np.roll(points, -2, 0), np.roll(points, -3, 0)
    t = (np.arange(steps) / steps)[:, None, None]
    curve = 2 * here + (after - before) * t + (2 * before - 5 * here + 4 * after - beyond) * t**2
    curve += (3 * here - before - 3 * after + beyond) * t**3
    return 0.5 * curve.transpose(1, 0, 2).reshape(-1, 2)


def fill(points: NDArray, height: int, width: int) -> NDArray[np.float32]:
    """(H,W) 0..1, antialiased inside of a closed polygon (N,2), pixel centres at .5."""
    import cv2

    filled = np.zeros((height, width), np.float32)
    x0, y0 = np.clip(np.floor(points.min(axis=0)).astype(int), 0, [width, height])
    x1, y1 = np.clip(np.ceil(points.max(axis=0)).astype(int), 0, [width, height])
    if x1 <= x0 or y1 <= y0:
        return filled
    canvas = np.zeros(((y1 - y0) * SUPERSAMPLING, (x1 - x0) * SUPERSAMPLING), np.uint8)
    fine = (points - [x0, y0]) * SUPERSAMPLING - 0.5
    cv2.fillPoly(canvas, [np.round(fine * (1 << SUBPIXEL_BITS)).astype(np.int32)], (255,), shift=SUBPIXEL_BITS)
    small = cv2.resize(canvas, (int(x1 - x0), int(y1 - y0)), interpolation=cv2.INTER_AREA)
    filled[y0:y1, x0:x1] = small.astype(np.float32) / 255.0
    return filled


def ramp(values: NDArray, low: float | NDArray, high: float | NDArray) -> NDArray[np.float32]:
    """0 below `low`, 1 above `high`, smooth between; `high` may be the smaller one, for a falling ramp."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return (t * t * (3.0 - 2.0 * t)).astype(np.float32)


@dataclass(frozen=True)
class FaceFrame:
    """An upright square crop's pixels in face coordinates.

    Attributes:
        across: (S,S) 0 on the midline, -1 and 1 at the sides of the face oval.
        down: (S,S) 0 at the eyes, 1 at the chin.
        inside: (S,S) signed distance to the face oval in face heights, positive inside.
        oval: (S,S) 0..1 face oval.
        points: (478,2) landmarks in crop pixels.
        unit: pixels a face height (eyes to chin, twice).
    """

    across: NDArray[np.float32]
    down: NDArray[np.float32]
    inside: NDArray[np.float32]
    oval: NDArray[np.float32]
    points: NDArray[np.float64]
    unit: float

    @classmethod
    def build(cls, points: NDArray, pixels: int) -> FaceFrame:
        """points: (478,2) landmarks in crop pixels; pixels: the crop's side."""
        import cv2

        eyes = points[list(topo.EYE_CORNERS)].mean(axis=0)
        chin = points[topo.CHIN]
        depth = max(float(chin[1] - eyes[1]), 1.0)
        outline = points[list(topo.FACE_OVAL)]
        left, right = outline[:, 0].min(), outline[:, 0].max()
        rows, columns = np.mgrid[0:pixels, 0:pixels].astype(np.float32) + 0.5
        oval = fill(smooth_loop(outline), pixels, pixels)
        solid = (oval > 0.5).astype(np.uint8)
        distance = cv2.distanceTransform(solid, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - solid, cv2.DIST_L2, 5)
        return cls(
            across=((columns - (left + right) / 2) / ((right - left) / 2)).astype(np.float32),
            down=((rows - eyes[1]) / depth).astype(np.float32),
            inside=(distance / (2 * depth)).astype(np.float32),
            oval=oval,
            points=points,
            unit=2 * depth,
        )

    def region(self, loop: tuple[int, ...], grow: float = 0.0) -> NDArray[np.float32]:
        """A landmark loop, filled; grown by a fraction of the face height."""
        import cv2

        filled = fill(smooth_loop(self.points[list(loop)]), *self.oval.shape)
        if grow > 0.0:
            size = 2 * max(1, round(grow * self.unit)) + 1
            filled = cv2.dilate(filled, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
        return np.asarray(filled, np.float32)


def core_face(frame: FaceFrame) -> NDArray[np.float32]:
    """(S,S) 0..1, the part of the oval that is skin (or beard) unless something covers it: brows to chin."""
    return frame.oval * ramp(frame.inside, -0.01, 0.05) * ramp(frame.down, -0.45, -0.25)


def ears(frame: FaceFrame) -> NDArray[np.float32]:
    """(S,S) 0..1, where an ear is if hair does not cover it."""
    side, outside = np.abs(frame.across), ramp(frame.inside, 0.02, -0.02)
    return outside * ramp(side, 1.4, 1.25) * ramp(frame.down, -0.3, -0.1) * ramp(frame.down, 0.75, 0.55)


def neck(frame: FaceFrame) -> NDArray[np.float32]:
    """(S,S) 0..1, where the neck is if clothes do not cover it."""
    outside = ramp(frame.inside, 0.02, -0.02)
    return outside * ramp(frame.down, 0.7, 0.95) * ramp(np.abs(frame.across), 0.95, 0.6) * ramp(frame.down, 1.9, 1.2)


def priors(frame: FaceFrame) -> dict[str, NDArray[np.float32]]:
    """(S,S) 0..1 unnormalised: how much skin, hair and clothes are to be expected at each pixel of a person."""
    side, down, inside = np.abs(frame.across), frame.down, frame.inside
    within, outside = ramp(inside, -0.02, 0.02), ramp(inside, 0.02, -0.02)
    above = ramp(down, 0.3, -0.2)
    below = ramp(down, 0.85, 1.15)
    ear, throat = ears(frame), neck(frame)
    forehead = within * ramp(down, -0.25, -0.55)
    under_chin = ramp(down, 0.8, 1.0) * ramp(side, 0.9, 0.6) * ramp(down, 1.7, 1.3)
    near = ramp(inside, -0.9, -0.3)

    skin = within * (1.0 - 0.45 * forehead) + outside * (0.05 + 0.1 * below) + 0.6 * ear + 0.6 * throat
    hair = outside * (0.1 + near * (0.5 * above + 0.35 * (1 - above))) * (1 - 0.9 * under_chin) * (1 - 0.4 * ear)
    hair += within * (0.02 + 0.3 * forehead + 0.1 * ramp(inside, 0.06, 0.0) * ramp(down, 0.6, 0.2))
    clothes = 0.01 + outside * (below * (0.3 + 0.5 * ramp(side, 0.5, 1.0)) + ramp(down, 1.3, 1.8))
    brows = np.maximum(frame.region(topo.RIGHT_BROW, 0.02), frame.region(topo.LEFT_BROW, 0.02))
    return {"skin": skin, "hair": hair * (1.0 - 0.97 * brows), "clothes": clothes * (1.0 - 0.9 * brows)}
