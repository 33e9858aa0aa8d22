"""What research regressors have in common: aligned crops in, arrays by their published names out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import EngineError
from .mobilenet import folded
from .published_crop import SIDE

CHUNK = 16
"""Pictures that a network looks at together; more bring nothing on a CPU."""
Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class ImageRegressor:
    """A regressor of aligned crops, ready for use.

    Attributes:
        kind: its name in `engine.regressors.load`.
        network: (B,3,224,224) RGB 0..1 to a dict of tensors (B,...), on `device`, in evaluation mode.
        path: of its file.
        head: the head model that its coefficients are for; they mean nothing on another.
        device: of torch.
    """

    kind: str
    network: nn.Module
    path: Path
    head: str
    device: str = "cpu"

    def predict(
        self, images: NDArray[np.uint8], chunk: int = CHUNK, check: Callable[[], None] = lambda: None
    ) -> Arrays:
        """Coefficients of faces.

        Args:
            images: (N,H,W,3) sRGB, crops as the network was trained on (see `published_crop`); another size than
                224 is resized.
            chunk: how many are looked at together.
            check: called before each chunk; may raise to cancel.
        Returns:
            (N,...) float32 by the published names.
        Raises:
            EngineError: the images have another shape or type, or there is none.
        """
        _check(images, chunk)
        parts = []
        for start in range(0, len(images), chunk):
            check()
            parts.append(self._look(images[start : start + chunk]))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def follow(self, frames: Iterable[NDArray[np.uint8]], chunk: int = CHUNK) -> Iterator[Arrays]:
        """`predict` of a clip whose crops (H,W,3) come one by one: the answers (...) of each, in order.

        At most `chunk` frames are held.
        """
        held: list[NDArray[np.uint8]] = []
        for frame in frames:
            held.append(_sized(frame))
            if len(held) == chunk:
                yield from _each(self.predict(np.stack(held), chunk))
                held.clear()
        if held:
            yield from _each(self.predict(np.stack(held), chunk))

    @torch.inference_mode()
    def _look(self, images: NDArray[np.uint8]) -> Arrays:
        sized = np.stack([_sized(image) for image in images])
        batch = torch.from_numpy(sized).to(self.device).permute(0, 3, 1, 2).float() / 255
        return {name: value.float().cpu().numpy() for name, value in self.network(batch).items()}


def ready(kind: str, network: nn.Module, path: Path, head: str, device: str) -> ImageRegressor:
    """A network for use: batch normalisation folded into the convolutions, channels last, as pictures come."""
    moved = folded(network.eval()).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return ImageRegressor(kind, moved, path, head, device)


def named_parts(numbers: Tensor, counts: dict[str, int]) -> dict[str, Tensor]:
    """Consecutive parts of (B,N), by name."""
    return dict(zip(counts, numbers.split(list(counts.values()), 1), strict=True))


def _check(images: Any, chunk: int) -> None:
    shape = getattr(images, "shape", ())
    if getattr(images, "dtype", None) != np.uint8 or len(shape) != 4 or shape[3] != 3 or 0 in shape:
        raise EngineError(
            f"The crops are {getattr(images, 'dtype', type(images).__name__)} {tuple(shape)}.",
            "They must be uint8 (N,H,W,3), at least one.",
        )
    if chunk < 1:
        raise EngineError(f"The chunk is {chunk}.", "Choose 1 or more.")


def _sized(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(224,224,3), bilinear as published; by area where much would be skipped."""
    if image.shape[:2] == (SIDE, SIDE):
        return image
    how = cv2.INTER_AREA if min(image.shape[:2]) >= 2 * SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=how), np.uint8)


def _each(found: Arrays) -> Iterator[Arrays]:
    for number in range(len(next(iter(found.values())))):
        yield {name: values[number] for name, values in found.items()}
