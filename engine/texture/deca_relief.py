"""Wrinkles by DECA's networks, which the user brings, in place of those that the photo's shading tells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..fitting.result import HeadFit
from ..heads.model import HeadModel
from ..models.registry import DECA, FLAME_TEMPLATE
from ..options import ReconstructOptions
from .detail import DetailMaps


def deca_maps(
    head: HeadModel, fit: HeadFit, pixels: NDArray[np.uint8], size: int, options: ReconstructOptions
) -> DetailMaps:
    """The relief that DECA (Feng et al., SIGGRAPH 2021, section 4.2) sees in a photo; nothing is taken off the albedo.

    Args:
        head: FLAME with its published texture layout, in which the displacement lies.
        fit: of the photo, whose pixels (H,W,3) these are.
        size: side of the maps, texels.
        options: `model_folder` and `device` are used.
    Raises:
        ModelFileError: the head is another or in another layout; DECA's file is missing, damaged or another network's.
    """
    from ..regressors import load
    from ..regressors.deca_detail import relief_maps
    from ..regressors.published_crop import cut, deca_matrix

    template = FLAME_TEMPLATE.files[0]
    if head.name != "flame" or template not in head.provenance.get("files", ""):
        raise ModelFileError(
            "DECA's wrinkles lie in FLAME's own texture layout, which this head does not have.",
            f"Choose the head model FLAME, and put {template} beside its file; or take the wrinkles from the photo.",
        )
    network = load("deca-detail", DECA.require(options.model_folder), options.device)
    points = fit.camera.project(head.embeddings["ibug"].positions(fit.posed, head.faces))
    displacement = network.predict(cut(pixels, deca_matrix(points))[None])["displacement"][0]
    maps = relief_maps(displacement, head, fit.posed, size)
    return DetailMaps(
        maps.height, maps.normal, np.full((size, size), 255, np.uint8), np.zeros((size, size), np.float16)
    )
