"""Recognition networks ready for use, whichever they are: pictures and faces' points in, embeddings out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..errors import ModelFileError
from ..models.registry import ARCFACE, FACE_RECOGNITION, REINSTALL
from . import arcface, small
from .align import arcface_points, corner_points, crop, similarity

ARCFACE_DIFFERENT = 1.18
"""Distance of unit embeddings at a cosine of 0.3, the usual threshold; not measured here."""
MANIFEST = "face_recognition_model-weights_manifest.json"


@dataclass(frozen=True, eq=False)
class Recogniser:
    """A recognition network with its crop.

    Attributes:
        name: for reports.
        network: (B,3,S,S) RGB 0..1 to embeddings (B,D) and activations, one list entry a stage.
        side: S, pixels. template: (5,2) pixels of the crop where the five points belong.
        points: MediaPipe's points (478,2+) to the five of the template.
        different: Euclidean distance of unit embeddings (`embed`) above which two pictures show two people.
    """

    name: str
    network: nn.Module
    side: int
    template: NDArray[np.float64]
    points: Callable[[NDArray], NDArray[np.float64]]
    different: float

    def matrix(self, landmarks: NDArray) -> NDArray[np.float64]:
        """(2,3) from pixels of a picture, centres at whole numbers, to the crop's.

        Args:
            landmarks: (478,2+) MediaPipe's points, pixel centres at .5 as everywhere in the engine.
        Raises:
            EngineError: the points lie in one place.
        """
        return similarity(self.points(landmarks) - 0.5, self.template)

    def features(self, images: Tensor, matrices: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Embeddings (B,D), as the network gives them, and activations; gradients reach the images.

        Args:
            images: (B,3,H,W) sRGB 0..1. matrices: (B,2,3), see `matrix`.
        """
        return self.network(crop(images, matrices, self.side))

    @torch.no_grad()
    def look(self, pixels: NDArray[np.uint8], landmarks: NDArray) -> tuple[Tensor, list[Tensor]]:
        """Embedding (1,D), as the network gives it, and activations of one face in a picture, on the CPU.

        Args:
            pixels: (H,W,3) sRGB. landmarks: (478,2+) MediaPipe's points.
        Raises:
            EngineError: the points lie in one place.
        """
        device = next(self.network.parameters()).device
        part, landmarks = _around(pixels, np.asarray(landmarks, np.float64)[:, :2])
        image = torch.tensor(part, device=device).permute(2, 0, 1)[None].float() / 255
        matrix = torch.tensor(self.matrix(landmarks), device=device).float()[None]
        embedding, activations = self.features(image, matrix)
        return embedding.cpu(), [activation.cpu() for activation in activations]

    def embed(self, pixels: NDArray[np.uint8], landmarks: NDArray) -> NDArray[np.float32]:
        """(D,) embedding of length 1 of a face, see `look`."""
        return nnf.normalize(self.look(pixels, landmarks)[0])[0].numpy()

    def to(self, device: str) -> Recogniser:
        """The same, its network on a device."""
        self.network.to(device)
        return self


@lru_cache(maxsize=1)
def load_small() -> Recogniser:
    """The bundled network, on the CPU.

    Raises:
        ModelFileError: its file is missing or damaged.
    """
    path = FACE_RECOGNITION.require()
    FACE_RECOGNITION.check(path)
    network = small.SmallRecognition()
    try:
        entries = json.loads((path.parent / MANIFEST).read_text(encoding="utf-8"))[0]["weights"]
        network.load_state_dict(small.from_face_api(entries, path.read_bytes()))
    except (OSError, ValueError, KeyError, IndexError, RuntimeError) as error:
        raise ModelFileError(f"The face recognition network {path} is damaged ({error}).", REINSTALL) from error
    network.eval().requires_grad_(False)
    return Recogniser("small", network, small.SIDE, small.TEMPLATE, corner_points, small.DIFFERENT)


def load_own(model_folder: Path | None) -> Recogniser | None:
    """ArcFace from the user's model folder, on the CPU; None where there is none.

    Raises:
        ModelFileError: the file is of another kind or damaged.
    """
    path = ARCFACE.find(model_folder)
    if path is None:
        return None
    network = arcface.load_arcface(path).eval().requires_grad_(False)
    return Recogniser("ArcFace", network, arcface.SIDE, arcface.TEMPLATE, arcface_points, ARCFACE_DIFFERENT)


def _around(pixels: NDArray[np.uint8], points: NDArray) -> tuple[NDArray[np.uint8], NDArray]:
    """The part of a picture in which the face lies with room, reduced where it is much larger than any crop."""
    import cv2

    height, width = pixels.shape[:2]
    low, high = points.min(0), points.max(0)
    reach = 0.5 * (high - low).max()
    x0, y0 = np.clip(np.floor(low - reach), 0, [width - 1, height - 1]).astype(int)
    x1, y1 = np.clip(np.ceil(high + reach), [x0 + 1, y0 + 1], [width, height]).astype(int)
    part, points = pixels[y0:y1, x0:x1], points - [x0, y0]
    step = int(reach // small.SIDE)
    if step > 1:
        size = max(1, (x1 - x0) // step), max(1, (y1 - y0) // step)
        points = points * np.array(size) / [x1 - x0, y1 - y0]
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(part), points
