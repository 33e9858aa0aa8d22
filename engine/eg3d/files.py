"""The model files of EG3D's users beside the generator, and how they are read. Imports nothing heavy by itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ModelFileError
from ..models.registry import EG3D, EG3D_LATENTS, LPIPS, VGG16

if TYPE_CHECKING:
    from .generator import TriplaneGenerator
    from .perceptual import Perceptual
    from .regression import Regressor


def missing(model_folder: Path | None, inversion: str) -> str:
    """What the method lacks, for a panel's one line; empty where it lacks nothing."""
    if EG3D.find(model_folder) is None:
        return "EG3D's file is not in the model folder"
    if inversion == "regress" and EG3D_LATENTS.find(model_folder) is None:
        return "Regress needs a trained regressor in the model folder"
    return ""


def find_regressor(model_folder: Path | None, needed: bool) -> Path | None:
    """The file of the regressor; None where there is none.

    Args:
        needed: nothing can be done without.
    Raises:
        ModelFileError: it is needed and missing.
    """
    path = EG3D_LATENTS.find(model_folder)
    if path is None and needed:
        place = model_folder or "the model folder, which is not set"
        raise ModelFileError(
            f"The inversion “regress” needs a trained regressor, and {EG3D_LATENTS.files[0]} is not in {place}.",
            "Train one with “python -m engine.training latents”, or choose the inversion “optimise”.",
        )
    return path


def regressor_of(path: Path, network: TriplaneGenerator) -> Regressor:
    """A regressor that fits a generator.

    Raises:
        ModelFileError: the file is missing, damaged, another network's, or gives latents of another size.
    """
    from .regression import load_regressor

    found = load_regressor(path)
    layers, width = found.sizes.layers, found.sizes.width
    if (layers, width) != (network.layers, network.config.w):
        raise ModelFileError(
            f"The regressor {path} gives latents of {layers} x {width} numbers; the generator wants "
            f"{network.layers} x {network.config.w}.",
            "Choose the one that was trained with this generator.",
        )
    return found


def perceptual_of(model_folder: Path | None) -> Perceptual:
    """LPIPS where its files are there, else VGG16 alone, else the bundled network in their place.

    Raises:
        ModelFileError: a file is damaged or another network's.
    """
    from .perceptual import load_lpips, substitute

    vgg = VGG16.find(model_folder)
    return substitute() if vgg is None else load_lpips(vgg, LPIPS.find(model_folder))
