"""What recognition says about a face's shape before any point is looked at.

A network that tells people apart must see what is constant in a face, and much of that is its shape. MICA (Zielonka et
al. 2022, section 3) regresses the shape of a head from such features alone; here the regression is linear and gives a
Gaussian, which takes the place of the mean head as the prior of a fit. Pictures of one person get nearly the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..heads.model import HeadModel
from .points import Coefficients

if TYPE_CHECKING:
    from torch import Tensor

REGRESSION = Path(__file__).parent / "data" / "recognised_shape.npz"
GRID = 4
"""Activations are averaged in so many squares across and down: where something is matters for shape."""
NOT_RECOGNISED = "Face recognition cannot be used, the shape is found by points alone: {}"
STAGE = 2
"""Of the small recognition network: 128 channels, before what tells shapes apart is folded into who it is."""


@dataclass(frozen=True)
class ShapeRegression:
    """Linear regression from F features to K identity coefficients.

    Attributes:
        renders, photos: (F,) mean features in each. Renders differ from photos in all faces alike; seen from its own
            kind's mean, a face differs in the same way in both.
        scale: (F,) standard deviation in renders.
        weights: (F,K).
        mean: (K,) of the coefficients. covariance: (K,K) of what is left, on people the regression has not seen.
    """

    renders: NDArray[np.float32]
    photos: NDArray[np.float32]
    scale: NDArray[np.float32]
    weights: NDArray[np.float32]
    mean: NDArray[np.float32]
    covariance: NDArray[np.float32]

    def __call__(self, features: NDArray, kind: str = "photos") -> Coefficients:
        """The prior of a face with features (F,)."""
        centre = self.photos if kind == "photos" else self.renders
        mean = self.mean + ((features - centre) / self.scale) @ self.weights
        free = np.full(len(mean), np.inf)
        return Coefficients(mean.astype(np.float64), np.linalg.inv(self.covariance.astype(np.float64)), -free, free)

    def write(self, path: Path) -> None:
        """Store it, the weights in half precision."""
        halves = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        halves["weights"] = halves["weights"].astype(np.float16)
        np.savez_compressed(path, **halves)


@lru_cache(maxsize=2)
def load_regression(path: Path = REGRESSION) -> ShapeRegression:
    """Read what `ShapeRegression.write` wrote.

    Raises:
        ModelFileError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return ShapeRegression(
                **{entry.name: stored[entry.name].astype(np.float32) for entry in fields(ShapeRegression)}
            )
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise ModelFileError(f"{path} holds no shape regression ({error}).", "Install the add-on again.") from error


def face_features(pixels: NDArray[np.uint8], landmarks: NDArray) -> NDArray[np.float32]:
    """(F,) what the small recognition network says of a face: its embedding, and `STAGE` in `GRID` squares.

    Args:
        pixels: (H,W,3) sRGB. landmarks: (478,2+) MediaPipe's points.
    Raises:
        ModelFileError: the network is missing or damaged.
        EngineError: the points lie in one place.
    """
    from ..recognition.load import load_small

    return _features(*load_small().look(pixels, landmarks))


def _features(embedding: Tensor, activations: Sequence[Tensor]) -> NDArray[np.float32]:
    from torch.nn.functional import adaptive_avg_pool2d

    pooled = adaptive_avg_pool2d(activations[STAGE], GRID)
    return np.concatenate([embedding[0].numpy(), pooled[0].flatten().numpy()])


def recognised_shape(
    head: HeadModel, pixels: NDArray[np.uint8], landmarks: NDArray, kind: str = "photos"
) -> Coefficients | None:
    """Prior of a face's identity, or None for a head model that the regression does not know.

    Args:
        pixels: (H,W,3) sRGB. landmarks: (478,2+) MediaPipe's points.
        kind: "photos" or "renders".
    Raises:
        ModelFileError: the network or the regression is missing or damaged.
    """
    if head.name != "open":
        return None
    return load_regression()(face_features(pixels, landmarks), kind)


@dataclass(frozen=True)
class RecognisedFace:
    """What the small recognition network says of a face.

    Attributes:
        embedding: (D,) of length 1, who it is; None where the network cannot be used.
        belief: prior of the identity; None where it cannot be had.
        notices: sentences for the report, of what could not be used.
    """

    embedding: NDArray[np.float32] | None = None
    belief: Coefficients | None = None
    notices: tuple[str, ...] = ()


def recognise(head: HeadModel, pixels: NDArray[np.uint8], landmarks: NDArray) -> RecognisedFace:
    """Who a photo shows, and what that says of the shape, in one look. Arguments as of `recognised_shape`."""
    from ..recognition.load import load_small

    try:
        embedding, activations = load_small().look(pixels, landmarks)
    except ModelFileError as error:
        return RecognisedFace(notices=(NOT_RECOGNISED.format(error.message),))
    unit = (embedding[0] / embedding[0].norm()).numpy()
    if head.name != "open":
        return RecognisedFace(unit)
    try:
        return RecognisedFace(unit, load_regression()(_features(embedding, activations)))
    except ModelFileError as error:
        return RecognisedFace(unit, notices=(NOT_RECOGNISED.format(error.message),))


def together(beliefs: Sequence[Coefficients]) -> Coefficients:
    """One prior from several pictures of a person: their mean. What is wrong in one is mostly wrong in all."""
    means = np.mean([belief.mean for belief in beliefs], axis=0)
    first = beliefs[0]
    return Coefficients(means, first.precision, first.lower, first.upper)
