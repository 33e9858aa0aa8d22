"""Depth of a picture: metres along the optical axis, how sure each pixel is, and the camera they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import EngineError, MediaError
from ..media.write import whole_file

FIELDS = ("depth", "mask", "confidence", "K", "world_to_camera")
CURE = "Make it again from its photo."


@dataclass(frozen=True)
class Depth:
    """What a camera sees, as distances.

    Attributes:
        depth: (H,W) float32 metres along the optical axis, NaN where nothing is known.
        mask: (H,W) bool, where `depth` is known.
        confidence: (H,W) float32 0..1: 1 is measured against the fitted head, less is inferred; 0 outside the mask.
        camera: of these pixels; its world is the head's frame.
    """

    depth: NDArray[np.float32]
    mask: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    camera: Camera

    def __post_init__(self) -> None:
        """Raises EngineError where the parts do not fit each other."""
        size = (self.camera.height, self.camera.width)
        for name in ("depth", "mask", "confidence"):
            shape = getattr(self, name).shape
            if shape != size:
                raise EngineError(
                    f"The depth's “{name}” has {'x'.join(map(str, shape))} values for a picture of"
                    f" {size[0]}x{size[1]} pixels.",
                    "Use depth of the same size as the photo.",
                )
        if not (self.depth[self.mask] > 0).all():
            raise EngineError("The depth is not in front of the camera everywhere inside the mask.", CURE)

    @property
    def points(self) -> NDArray[np.float64]:
        """(H,W,3) metres, world: where each pixel's centre meets the surface; NaN outside the mask."""
        rows, columns = np.mgrid[: self.camera.height, : self.camera.width]
        return unproject(self.camera, np.stack([columns + 0.5, rows + 0.5], -1), self.depth)

    def save(self, path: Path, **more: NDArray) -> None:
        """Write `depth.npz`, whole or not at all.

        Args:
            more: further arrays to keep beside it.
        Raises:
            OutputError: it cannot be written.
        """
        with whole_file(path) as file:
            np.savez_compressed(
                file,
                depth=np.where(self.mask, self.depth, np.nan).astype(np.float32),
                mask=self.mask,
                confidence=self.confidence.astype(np.float32),
                K=self.camera.K,
                world_to_camera=self.camera.world_to_camera,
                **more,
            )

    @staticmethod
    def load(path: Path) -> Depth:
        """Read `depth.npz`.

        Raises:
            MediaError: the file is missing, damaged, or lacks an array.
            EngineError: the arrays do not fit each other.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                depth, mask, confidence, K, view = (np.asarray(stored[name]) for name in FIELDS)
        except Exception as error:  # whatever damaged bytes can bring about
            raise MediaError(f"The depth {path} cannot be read ({str(error)[:120]}).", CURE) from error
        if depth.ndim != 2 or K.shape != (3, 3) or view.shape != (4, 4):
            raise MediaError(f"The depth {path} has arrays of other shapes than expected.", CURE)
        camera = Camera(K.astype(np.float64), view.astype(np.float64), depth.shape[1], depth.shape[0])
        return Depth(depth.astype(np.float32), mask.astype(bool), confidence.astype(np.float32), camera)


def unproject(camera: Camera, pixels: NDArray, depth: NDArray) -> NDArray[np.float64]:
    """World points (...,3), metres, of pixels (...,2) at depths (...) along the optical axis; undoes `project`."""
    rays = np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1) @ np.linalg.inv(camera.K).T
    seen = rays * np.asarray(depth, np.float64)[..., None]
    return (seen - camera.world_to_camera[:3, 3]) @ camera.world_to_camera[:3, :3]
