"""Seeing dense points of the head's surface: the project's own network, its crop settled by its own points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..devices import single_threaded_torch
from ..models.registry import POINTS_NETWORK
from .crop import Window, window_holding

if TYPE_CHECKING:
    from .networks.points import PointsNetwork

FILL = 0.51
"""Of the window's side that the longer side of the face's box takes, as in training."""
SETTLING = 2
"""Looks before the window is taken as settled."""
LOOKS = (((0.0, 0.0), 1.0, 0.0, False), ((0.0, 0.0), 1.0, 0.0, True))
"""Shift in sides, scale, roll and mirroring of the looks whose mean is taken."""
SURE = 0.5
"""Less than this, the network does not believe that it sees a face."""
MESH_TOP, MESH_CHIN = 10, 152
"""MediaPipe's points in the middle of the forehead and of the chin."""


@dataclass(frozen=True)
class DensePoints:
    """Points of a head model's surface as seen in a picture, N of them.

    Attributes:
        vertices: (N,) int32, which of the head's vertices they are.
        points: (N,3) float32 pixels of the picture: x, y, and relative depth in the same pixels, smaller is nearer,
            zero at the head's origin.
        deviation: (N,2) float32 pixels, expected error across the view and along it.
        visible: (N,) float32 0..1, how likely it is that nothing hides the point.
        face: 0..1, how sure the network is that it sees a face.
        window: what it looked at last.
    """

    vertices: NDArray[np.int32]
    points: NDArray[np.float32]
    deviation: NDArray[np.float32]
    visible: NDArray[np.float32]
    face: float
    window: Window


@dataclass(frozen=True)
class PointSet:
    """Which points a network sees, N of them; part of the description in its file.

    Attributes:
        vertices: (N,) of the head.
        mirror: (N,) where the mirror image of each stands.
        face: (N,) bool, points whose box frames the face.
        upper, lower: (N,) bool, points above and below, whose middles give the upright direction.
    """

    vertices: NDArray[np.int32]
    mirror: NDArray[np.int64]
    face: NDArray[np.bool_]
    upper: NDArray[np.bool_]
    lower: NDArray[np.bool_]

    def packed(self) -> dict[str, list[int]]:
        """As JSON keeps it: the indices of each."""
        named = {"face": self.face, "upper": self.upper, "lower": self.lower}
        masks = {name: np.flatnonzero(mask).tolist() for name, mask in named.items()}
        return {"vertices": self.vertices.tolist(), "mirror": self.mirror.tolist(), **masks}

    @staticmethod
    def unpacked(stored: dict[str, list[int]]) -> PointSet:
        """What `packed` gave.

        Raises:
            KeyError, ValueError: it is something else.
        """
        count = len(stored["vertices"])

        def mask(name: str) -> NDArray[np.bool_]:
            return np.isin(np.arange(count), stored[name])

        vertices, mirror = np.array(stored["vertices"], np.int32), np.array(stored["mirror"], np.int64)
        if sorted(mirror) != list(range(count)):
            raise ValueError("its points have no mirror images")
        return PointSet(vertices, mirror, mask("face"), mask("upper"), mask("lower"))


def see_points(pixels: NDArray[np.uint8], window: Window, weights: Path | None = None) -> DensePoints:
    """Dense points of the face in a window of a picture.

    Args:
        pixels: (H,W,3) uint8 sRGB.
        window: around the face, see `window_of_mesh`; it is settled by the network's own points.
        weights: file of the network; None takes the bundled one.
    Raises:
        ModelFileError: the network's file is missing, damaged, or another network's.
    """
    network, which = load_points_network(weights)
    for _ in range(SETTLING - 1):
        window = window_of_points(_look(network, which, pixels, [window])[0][0], which)
    windows = [window.varied(*look) for look in LOOKS]
    points, deviation, visible, face = _look(network, which, pixels, windows)
    return DensePoints(
        which.vertices,
        points.mean(0).astype(np.float32),
        np.sqrt((deviation**2).mean(0)).astype(np.float32),
        visible.mean(0).astype(np.float32),
        float(face.mean()),
        window,
    )


def window_of_mesh(landmarks: NDArray) -> Window:
    """The window to begin with, around MediaPipe's points (478,2+): its roll is that of forehead over chin."""
    return _window(landmarks[:468, :2], landmarks[MESH_TOP, :2] - landmarks[MESH_CHIN, :2])


def window_of_points(points: NDArray, which: PointSet) -> Window:
    """The window around dense points (N,2+)."""
    upright = points[which.upper, :2].mean(0) - points[which.lower, :2].mean(0)
    return _window(points[which.face, :2], upright)


def _window(points: NDArray, upright: NDArray) -> Window:
    return window_holding(points, float(np.arctan2(upright[0], -upright[1])), 1.0 / FILL)


def _look(
    network: PointsNetwork, which: PointSet, pixels: NDArray[np.uint8], windows: list[Window]
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Points (L,N,3) and deviations (L,N,2) in pixels of the picture, visibility (L,N) and faces (L,), 0..1."""
    import torch

    from .networks.points import SIDE

    crops = np.stack([window.cut(pixels, SIDE) for window in windows])
    pictures = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode(), single_threaded_torch():
        seen = network(pictures)
    visible, face = seen.visible.sigmoid().numpy(), seen.face.sigmoid().numpy()
    points, deviation = seen.points.numpy().astype(np.float64), seen.log_deviation.exp().numpy()
    for number, window in enumerate(windows):
        points[number] = window.unmapped(points[number], SIDE)
        deviation[number] *= window.side / SIDE
        if window.flipped:
            for values in (points, deviation, visible):
                values[number] = values[number][which.mirror]
    return points, deviation, visible, face


def load_points_network(weights: Path | None = None) -> tuple[PointsNetwork, PointSet]:
    """The network and the points it sees, read once and shared.

    Args:
        weights: its file; None takes the bundled one, and verifies it.
    Raises:
        ModelFileError: the file is missing, damaged, or another network's.
    """
    from .networks.weights import file_version

    path = weights or POINTS_NETWORK.require()
    return _load(path, weights is None, file_version(path))


@lru_cache(maxsize=2)
def _load(path: Path, bundled: bool, version: tuple[int, int]) -> tuple[PointsNetwork, PointSet]:
    """`version` tells a file that was replaced from the one that was read."""
    del version
    from .networks.points import PointsNetwork
    from .networks.weights import channels_last, load_network

    if bundled:
        POINTS_NETWORK.check(path)
    found: list[PointSet] = []

    def build(description: dict[str, Any]) -> PointsNetwork:
        if description["network"] != "points":
            raise ValueError(f"it is the network “{description['network']}”, not “points”")
        found.append(PointSet.unpacked(description["points"]))
        return PointsNetwork(len(found[0].vertices), **description["size"])

    network = load_network(path, build)
    return channels_last(network), found[0]
