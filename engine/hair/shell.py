"""The finished hair: a mesh that stands over the scalp, its texture, and how it follows the head."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class HairShell:
    """Hair over a head, in head space (metres).

    Attributes:
        vertices: (N,3) float32, as full as the photo shows it.
        close: (N,3) float32, the same vertices lying close to the skull: volume 0.
        faces: (F,3) int32 triangles, counter-clockwise seen from outside.
        uv: (T,2) float32, origin lower left. uv_faces: (F,3) int32.
        albedo: (H,W,4) uint8 sRGB and opacity, row 0 on top. Colour runs on where it is transparent.
        anchors: (N,3) int32 vertices of the head that each vertex follows; anchor_weights: (N,3) float32, sum 1.
    """

    vertices: NDArray[np.float32]
    close: NDArray[np.float32]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32]
    uv_faces: NDArray[np.int32]
    albedo: NDArray[np.uint8]
    anchors: NDArray[np.int32]
    anchor_weights: NDArray[np.float32]

    def at_volume(self, volume: float) -> NDArray[np.float32]:
        """(N,3) the vertices at a volume: 0 close to the skull, 1 as in the photo, more stands further off."""
        return self.close + np.float32(volume) * (self.vertices - self.close)

    def moved(self, displacement: NDArray) -> HairShell:
        """The hair on a head whose vertices have moved by (V,3), metres."""
        step = self.follow(displacement)
        return replace(self, vertices=self.vertices + step, close=self.close + step)

    def follow(self, per_vertex: NDArray) -> NDArray[np.float32]:
        """What the head's vertices carry (V,C), for example displacements or skinning weights, at the hair: (N,C)."""
        return np.einsum("nk,nkc->nc", self.anchor_weights, per_vertex[self.anchors]).astype(np.float32)
