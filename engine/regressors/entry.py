"""One door to all regressors, for pipelines that build on the engine: `engine.regressors.load`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..devices import choose_device
from ..errors import EngineError, ModelFileError
from ..options import DeviceName
from .crop import SIDE
from .deca import load_deca
from .deep3d import load_deep3d
from .image_regressor import CHUNK, Arrays, ImageRegressor
from .smirk import load_smirk
from .trained import LoadedRegressor, load_regressor

Brought = Literal["smirk", "deca", "deca-detail", "deep3d"]
"""Regressors whose files users bring."""
LOADERS: dict[str, Callable[[Path, str], ImageRegressor]] = {
    "smirk": load_smirk,
    "deca": load_deca,
    "deca-detail": lambda path, device: load_deca(path, device, detail=True),
    "deep3d": load_deep3d,
}
OWN: Literal["fastganfit"] = "fastganfit"


@dataclass(frozen=True, eq=False)
class PointsRegressor:
    """FastGANFit, which looks at a face's points as well as at its crop.

    Attributes:
        loaded: the network and what it belongs to.
        kind: its name in `engine.regressors.load`. head: the head model that its coefficients are for.
    """

    loaded: LoadedRegressor
    kind: str = OWN

    @property
    def head(self) -> str:
        """Name of the head model."""
        return self.loaded.head

    @torch.inference_mode()
    def predict(self, images: NDArray[np.uint8], landmarks: NDArray, chunk: int = CHUNK) -> Arrays:
        """Coefficients of faces.

        Args:
            images: (N,224,224,3) sRGB, crops of `engine.regressors.crop.face_crop`.
            landmarks: (N,478,2+) MediaPipe's points, pixels of the crops.
            chunk: how many are looked at together.
        Returns:
            (N,...) float32 by the names of `engine.regressors.regressed.Regressed`, whose docstring has shapes and
            units; the camera is the crop's.
        Raises:
            EngineError: images or landmarks have another shape or type, or there is none.
        """
        points = np.asarray(landmarks, np.float32)[..., :2]
        if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE, 3) or not len(images):
            raise EngineError(
                f"The crops are {images.dtype} {images.shape}.", f"They must be uint8 (N,{SIDE},{SIDE},3)."
            )
        if points.shape != (len(images), 478, 2):
            raise EngineError(f"The landmarks are {points.shape}.", f"They must be ({len(images)},478,2).")
        parts = [self._look(images[n : n + chunk], points[n : n + chunk]) for n in range(0, len(images), chunk)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _look(self, images: NDArray[np.uint8], points: NDArray[np.float32]) -> Arrays:
        network = self.loaded.network
        batch = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
        found = network(network.see(self.loaded.recogniser, batch, "photos"), torch.from_numpy(points))
        names = ("identity", "texture", "rotation", "translation", "log_focal", "light")
        result = {name: getattr(found, name).float().numpy() for name in names}
        return result | {"expression": found.expression.clamp(0, 1).float().numpy()}


def load(kind: str, path: Path | str | None = None, device: DeviceName = "cpu") -> ImageRegressor | PointsRegressor:
    """A regressor, ready for use.

    Args:
        kind: "smirk", "deca", "deca-detail" or "deep3d", whose files users bring; or "fastganfit", the engine's own.
        path: of the file; None only for "fastganfit", whose bundled file is then taken.
        device: of torch. "fastganfit" stays on the CPU.
    Raises:
        ModelFileError: the file is missing, damaged, or another network's.
        EngineError: there is no such regressor. DeviceError: there is no such device.
    """
    if kind == OWN:
        return PointsRegressor(load_regressor(None if path is None else Path(path)))
    if kind not in LOADERS:
        raise EngineError(f"There is no regressor “{kind}”.", f"Choose one of {', '.join([*LOADERS, OWN])}.")
    if path is None:
        raise ModelFileError(f"The regressor “{kind}” has no bundled file.", "Choose the file that you obtained.")
    return LOADERS[kind](Path(path), choose_device(device))
