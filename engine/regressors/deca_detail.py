"""DECA's wrinkles: from codes to displacements in FLAME's UV square, and from these to maps for a material.

Feng et al., "Learning an Animatable Detailed 3D Face Model from In-The-Wild Images", SIGGRAPH 2021, section 4.2,
equation 6: detail depends on the person's own code, on expression and on the jaw, so it moves with the face.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import EngineError
from ..heads.model import HeadModel
from ..texture.detail_frame import MILLIMETRES, frame_of, normal_picture
from ..texture.surface import uv_surface

CODES = 3 + 50 + 128
"""Jaw, expression, the person's own."""
START, WIDTHS = 8, (128, 128, 64, 64, 32, 16)
"""Side of the first feature map; channels as it is doubled, five times, to 256."""
GREATEST = 0.01
"""Metres: displacements lie between this and its negative."""
MOMENT = 0.8
"""What DECA's code hands to batch normalisation as epsilon; the networks were trained so."""


class DetailDecoder(nn.Module):
    """(B,181) codes of jaw, expression and person to (B,1,256,256) metres: DECA's D_detail."""

    def __init__(self) -> None:
        super().__init__()
        self.l1 = nn.Sequential(nn.Linear(CODES, WIDTHS[0] * START**2))
        self.conv_blocks = nn.Sequential(nn.BatchNorm2d(WIDTHS[0]), *_doublings())
        self.conv_blocks.extend([nn.Conv2d(WIDTHS[-1], 1, 3, padding=1), nn.Tanh()])

    def forward(self, codes: Tensor) -> Tensor:
        return self.conv_blocks(self.l1(codes).reshape(-1, WIDTHS[0], START, START)) * GREATEST

    def displacement(self, jaw: Tensor, expression: Tensor, detail: Tensor) -> Tensor:
        """(B,256,256) metres, of (B,3) radians, (B,50) and (B,128)."""
        return self(torch.cat([jaw, expression, detail], 1))[:, 0]


def _doublings() -> Iterator[nn.Module]:
    for inputs, outputs in pairwise(WIDTHS):
        yield nn.Upsample(scale_factor=2, mode="bilinear")
        yield nn.Conv2d(inputs, outputs, 3, padding=1)
        yield nn.BatchNorm2d(outputs, MOMENT)
        yield nn.LeakyReLU(0.2, inplace=True)


@dataclass(frozen=True)
class ReliefMaps:
    """Relief in a head's UV square, row 0 on top, as `engine.texture.detail.DetailMaps` has it.

    Attributes:
        height: (S,S) float16 metres above the mesh.
        normal: (S,S,3) uint8 tangent-space normals, OpenGL (+Y up), of that height.
    """

    height: NDArray[np.float16]
    normal: NDArray[np.uint8]


def relief_maps(
    displacement: NDArray,
    head: HeadModel,
    vertices: NDArray,
    size: int = 1024,
    mask: NDArray | None = None,
    fixed: NDArray | None = None,
) -> ReliefMaps:
    """A displacement of DECA as maps for a material.

    Args:
        displacement: (256,256) metres, see `DecaDetail`.
        head: FLAME, whose UV square it lies in.
        vertices: (V,3) metres, of the person; normals depend on how large texels are on it.
        size: S, of the maps.
        mask: (256,256) 0..1, where it counts: DECA's `uv_face_eye_mask.png`; all of it without.
        fixed: (256,256) metres, added everywhere: DECA's `fixed_displacement_256.npy`, which pulls in eyelids.
    Raises:
        EngineError: a map has another shape or holds values that are no numbers.
    """
    height = _square("displacement", displacement).astype(np.float64)
    if mask is not None:
        height = height * _square("mask", mask, len(height))
    if fixed is not None:
        height = height + _square("fixed displacement", fixed, len(height))
    height = cv2.resize(height.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    frame = frame_of(head, np.asarray(vertices), uv_surface(head, size))
    return ReliefMaps(height.astype(np.float16), normal_picture(height * MILLIMETRES, frame))


def _square(name: str, values: NDArray, side: int | None = None) -> NDArray:
    values = np.asarray(values)
    wanted = (side, side) if side else values.shape[:1] * 2
    if values.ndim != 2 or values.shape != wanted or not np.isfinite(values).all():
        raise EngineError(
            f"The {name} is {values.dtype} {values.shape}, or holds values that are no numbers.",
            f"It must be {wanted if side else 'square'}, of plain numbers.",
        )
    return values
