"""What one synthetic picture is made of, before any renderer sees it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...camera import Camera
from ...perception.regions import REGIONS as REGIONS


@dataclass(frozen=True)
class Prop:
    """A mesh that goes with a head: hair, glasses, a hat, a collar, or something in front of the face.

    Attributes:
        name: of the style, for hold-out and reports.
        region: one of `REGIONS`.
        vertices: (V,3) float32 metres, at rest on the mean head.
        faces: (F,3) int32, both sides are seen.
        colour: (V,3) float32 linear albedo.
        anchors: (V,A) int32 head vertices that each vertex goes along with.
        weights: (V,A) float32, how much with each; rows sum to 1, or to 0 for what stays where it is.
        gloss: strength of the highlight, 0..1.
        opacity: 0..1; below 1 it is laid over what is behind it, like a lens.
    """

    name: str
    region: str
    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    colour: NDArray[np.float32]
    anchors: NDArray[np.int32]
    weights: NDArray[np.float32]
    gloss: float = 0.0
    opacity: float = 1.0

    def placed(self, rest: NDArray, posed: NDArray) -> Prop:
        """The prop on a head whose vertices (V,3) are `posed` and on the mean head `rest`."""
        moved = (posed - rest)[self.anchors] * self.weights[..., None]
        return replace(self, vertices=(self.vertices + moved.sum(axis=1)).astype(np.float32))


@dataclass(frozen=True)
class Lamp:
    """A distant light that casts shadows, in the head's frame.

    Attributes:
        direction: (3,) unit, towards the light.
        colour: (3,) linear; a white surface that faces it squarely gets this bright.
        softness: radians, the lamp's apparent radius.
    """

    direction: NDArray[np.float32]
    colour: NDArray[np.float32]
    softness: float = 0.03


@dataclass(frozen=True)
class Scene:
    """One picture. World space is the head's: metres, Y up, face to +Z.

    Attributes:
        vertices: (V,3) float32, the posed head.
        albedo: (T,T,3) float16 linear, the head's texture, row 0 is v = 1; an array or a torch tensor on any device.
        classes: (T,T) uint8, the region of each texel, likewise.
        props: in place.
        illumination: (9,3) soft light, see `engine.render.lighting`.
        lamps: further lights, with shadows.
        background: (H,W,3) uint8 sRGB.
        camera: of the square picture.
        lashes: how dense the lashes are, 0..1.
        identity: (K,) standard deviations. expression: (E,) weights.
        angles: (3,) yaw, pitch, roll of the head, degrees.
        names: what it was made of ("skin", "hair", ...), for hold-out and reports.
    """

    vertices: NDArray[np.float32]
    albedo: Any
    classes: Any
    props: tuple[Prop, ...]
    illumination: NDArray[np.float32]
    lamps: tuple[Lamp, ...]
    background: NDArray[np.uint8]
    camera: Camera
    lashes: float
    identity: NDArray[np.float32]
    expression: NDArray[np.float32]
    angles: NDArray[np.float64]
    names: dict[str, str] = field(default_factory=dict)
