"""What a picture is compared with: the photo around the face, made small, and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import Camera
from ..fitting.result import HeadFit
from ..heads.model import HeadModel
from ..losses.photometric import RegionWeights, region_map
from ..perception.crop import Window
from ..perception.observation import Masks
from ..recognition.load import Recogniser

MARGIN = 1.7
"""Side of the window over the longer side of the projected face: recognition crops reach beyond it."""
IBUG_EYES = (slice(36, 42), slice(42, 48))
IBUG_MOUTH = (slice(48, 68),)
IBUG_NOSE = (slice(27, 36),)
HULL_GROWTH = 1.25


@dataclass(frozen=True)
class Target:
    """One photo as the solver sees it, S pixels square.

    Attributes:
        image: (3,S,S) sRGB 0..1.
        camera: of this window, as the landmark fit left it.
        mask: (S,S) 0..1, skin, lips and eyes that the photo shows bare: what may be compared.
        behind: (3,S,S) sRGB, the photo without its face, which would show through where the head is too small.
        front: (S,S) 0..1, hair, glasses, clothes: they stay the photo's, for recognition looks at them too.
        weights: (S,S) what each pixel counts, by region (joint-domain paper, equation 4).
        landmarks: (68,2) pixels, where the aligned head has the iBUG points; detectors' habits are out of them.
        embedding: (1,D) of the photo. activations: of the photo, a stage each.
        matrix: (1,2,3) from this window's pixels to the recogniser's crop.
    """

    image: Tensor
    camera: Camera
    mask: Tensor
    behind: Tensor
    front: Tensor
    weights: Tensor
    landmarks: Tensor
    embedding: Tensor
    activations: list[Tensor]
    matrix: Tensor

    @property
    def side(self) -> int:
        """S."""
        return self.image.shape[-1]


@torch.no_grad()
def make_target(
    head: HeadModel,
    fit: HeadFit,
    pixels: NDArray[np.uint8],
    masks: Masks,
    recogniser: Recogniser,
    side: int,
    device: str = "cpu",
) -> Target:
    """Cut a photo for the solver.

    Args:
        fit: the rough alignment (section 3.4 of Fast-GANFIT aligns by landmarks first).
        pixels: (H,W,3) sRGB, the photo. masks: of the photo.
        recogniser: on the device.
        side: S, pixels.
    """
    window = _window(head, fit)
    camera = window.camera(fit.camera, side)
    image = torch.tensor(np.ascontiguousarray(window.cut(pixels, side)), device=device).permute(2, 0, 1).float() / 255
    mask, behind, front = _layers(image, _bare_and_front(masks, window, side))
    landmarks = camera.project(head.embeddings["ibug"].positions(fit.posed, head.faces))
    points = camera.project(head.embeddings["mediapipe"].positions(fit.posed, head.faces))
    matrix = torch.tensor(recogniser.matrix(points), device=device).float()[None]
    embedding, activations = recogniser.features(image[None], matrix)
    return Target(
        image,
        camera,
        mask,
        behind,
        front,
        _weights(landmarks, side).to(device),
        torch.tensor(landmarks, device=device).float(),
        embedding,
        activations,
        matrix,
    )


def _bare_and_front(masks: Masks, window: Window, side: int) -> tuple[NDArray[np.float32], ...]:
    """(S,S) 0..1: what shows the face bare, the whole face, and what lies before it."""
    face = np.clip(masks.skin + masks.eyes + masks.inner_mouth, 0, 1)
    frames = np.zeros_like(face) if masks.frames is None else masks.frames
    front = np.clip(np.maximum.reduce([masks.person - face, masks.hair, frames]), 0, 1)
    bare = np.clip(masks.skin + 0.5 * masks.eyes, 0, 1) * (1 - front) * (1 - masks.inner_mouth)
    cut = [window.cut(np.ascontiguousarray(layer, np.float32), side) for layer in (bare, face, front)]
    return tuple(np.clip(layer, 0, 1) for layer in cut)


def _layers(image: Tensor, layers: Sequence[NDArray]) -> tuple[Tensor, Tensor, Tensor]:
    """`mask`, `behind` and `front` of a target, from what `_bare_and_front` gives."""
    bare, face, front = (torch.tensor(layer, device=image.device) for layer in layers)
    seen = image[:, bare > 0.5]
    plain = seen.median(1).values if seen.shape[1] else image.mean((1, 2))
    behind = image + face * (plain[:, None, None] - image)
    return bare, behind, front


def _window(head: HeadModel, fit: HeadFit) -> Window:
    seen = fit.camera.project(fit.posed[head.regions["face"]])
    low, high = seen.min(axis=0), seen.max(axis=0)
    return Window((low + high) / 2, float((high - low).max()) * MARGIN)


def _weights(landmarks: NDArray, side: int) -> Tensor:
    """(S,S) see `RegionWeights`: hulls of the eyes, the mouth and the nose, a little grown."""
    eyes, mouth, nose = (_hulls([landmarks[s] for s in part], side) for part in (IBUG_EYES, IBUG_MOUTH, IBUG_NOSE))
    return region_map(eyes, mouth, nose, RegionWeights())


def _hulls(groups: Sequence[NDArray], side: int) -> Tensor:
    """(S,S) 1 inside the grown convex hull of any group (N,2) of pixels."""
    import cv2

    canvas = np.zeros((side, side), np.uint8)
    for group in groups:
        centre = group.mean(0)
        hull = cv2.convexHull((centre + HULL_GROWTH * (group - centre)).astype(np.float32))
        cv2.fillConvexPoly(canvas, hull.round().astype(np.int32), 1)
    return torch.tensor(canvas, dtype=torch.float32)
