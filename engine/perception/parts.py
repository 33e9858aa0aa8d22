"""What is where in a picture of a face, and how deep it lies: the parts network at work."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..devices import single_threaded_torch
from ..models.registry import PARTS_NETWORK
from .crop import Window
from .depth_scale import decode_depth
from .regions import REGIONS, members

if TYPE_CHECKING:
    from .networks.attention_unet import AttentionUNet

LEAST_FACE = 0.06  # of the crop's area; a face seen in less of it is hardly believed (a profile fills 0.1 and more)


@dataclass(frozen=True)
class PartsObservation:
    """Parts and depth of what one window shows, S x S pixels of it.

    Attributes:
        window: where in the picture; a flipped window's maps are mirrored, as the window is.
        regions: (R,S,S) float32, how probable each of `regions.REGIONS` is; they sum to 1.
        depth: (S,S) float32 metres along the optical axis behind the eyes' midpoint, see `depth_scale`; the background
            has `depth_scale.SPAN`.
        confidence: 0..1 that the window shows a face: how sure the network is of the face's pixels, less where they
            cover less than `LEAST_FACE` of the window.
    """

    window: Window
    regions: NDArray[np.float32]
    depth: NDArray[np.float32]
    confidence: float

    def labels(self) -> NDArray[np.uint8]:
        """(S,S) the most probable region's index."""
        return self.regions.argmax(axis=0).astype(np.uint8)

    def group(self, name: str) -> NDArray[np.float32]:
        """(S,S) how probable one of the regions of a group is; see `regions.GROUPS`."""
        return np.minimum(self.regions[members(name)].sum(axis=0), 1.0)

    def region(self, name: str) -> NDArray[np.float32]:
        """(S,S) how probable a region is."""
        return self.regions[REGIONS.index(name)]

    def on_picture(self, values: NDArray, height: int, width: int, outside: float = 0.0) -> NDArray[np.float32]:
        """A map of the window, laid on the picture.

        Args:
            values: (S,S).
            height, width: of the picture, pixels.
            outside: value where the window does not reach.
        Returns:
            (height,width).
        """
        return self._seen_from(np.eye(3), values, (width, height), outside)

    def on_window(self, values: NDArray, window: Window, pixels: int, outside: float = 0.0) -> NDArray[np.float32]:
        """A map of this window as another window of the same picture shows it.

        Args:
            values: (S,S).
            window: not flipped. pixels: its side.
            outside: value where this window does not reach.
        Returns:
            (pixels,pixels).
        """
        there = np.vstack([window.matrix(pixels), [0.0, 0.0, 1.0]])
        return self._seen_from(np.linalg.inv(there), values, (pixels, pixels), outside)

    def _seen_from(
        self, to_picture: NDArray, values: NDArray, size: tuple[int, int], outside: float
    ) -> NDArray[np.float32]:
        """A map (S,S) on a canvas (width, height) whose places `to_picture` (3,3) takes to the picture."""
        import cv2

        matrix = (np.vstack([self.window.matrix(values.shape[0]), [0.0, 0.0, 1.0]]) @ to_picture)[:2]
        shift = 0.5 * (matrix[:, 0] + matrix[:, 1]) - 0.5  # OpenCV counts pixel centres from 0
        matrix = np.column_stack([matrix[:, :2], matrix[:, 2] + shift])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(
            values.astype(np.float32), matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=(outside,)
        )


def see_parts(
    pixels: NDArray[np.uint8], window: Window, weights: Path | None = None, mirrored: bool = True
) -> PartsObservation:
    """Parts and depth in a window of a picture.

    Args:
        pixels: (H,W,3) uint8 sRGB, the picture.
        window: square, the face upright and about half as high as the window.
        weights: file of the network; None takes the bundled one.
        mirrored: look at the mirror image too and take the mean: steadier, twice the time.
    Raises:
        ModelFileError: the network's file is missing, damaged, or another network's.
    """
    import torch

    from .networks.parts import SIDE, network_input, split_output

    network = load_parts_network(weights)
    crop = window.cut(pixels, SIDE)
    looks = np.stack([crop, crop[:, ::-1]]) if mirrored else crop[None]
    with torch.inference_mode(), single_threaded_torch():
        depth, logits = split_output(network(network_input(torch.from_numpy(looks))))
        probabilities = logits.softmax(dim=1)
    mean_depth, mean_regions = _unmirrored(depth.numpy()), _unmirrored(probabilities.numpy())
    return PartsObservation(window, mean_regions, decode_depth(mean_depth), face_confidence(mean_regions))


def face_confidence(regions: NDArray[np.float32]) -> float:
    """How sure it is that a window shows a face, 0..1, from its region probabilities (R,S,S)."""
    face = regions[members("face")].sum(axis=0)
    won = face > 0.5
    if not won.any():
        return 0.0
    area = min(1.0, float(won.mean()) / LEAST_FACE)
    return float(np.clip(2.0 * face[won].mean() - 1.0, 0.0, 1.0)) * area


def load_parts_network(weights: Path | None = None) -> AttentionUNet:
    """The network, read once and shared.

    Args:
        weights: its file; None takes the bundled one, and verifies it.
    Raises:
        ModelFileError: the file is missing, damaged, or another network's.
    """
    from .networks.weights import file_version

    path = weights or PARTS_NETWORK.require()
    return _load(path, weights is None, file_version(path))


@lru_cache(maxsize=2)
def _load(path: Path, bundled: bool, version: tuple[int, int]) -> AttentionUNet:
    """`version` tells a file that was replaced from the one that was read."""
    del version
    from .networks.parts import parts_network_from
    from .networks.weights import channels_last, load_network

    if bundled:
        PARTS_NETWORK.check(path)
    return channels_last(load_network(path, parts_network_from))


def _unmirrored(looks: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of a look (.., S, S) and its mirrored one, if there are two."""
    return looks[0] if len(looks) == 1 else 0.5 * (looks[0] + looks[1][..., ::-1])
