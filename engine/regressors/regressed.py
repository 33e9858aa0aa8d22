"""What a regressor says of a face: all parameters of GANFit's picture, in plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..fitting.result import HeadFit
from ..fitting.size import growth
from ..heads.model import HeadModel
from ..render.lighting import ambient, directional
from .crop import SIDE, FaceCrop, centred

FRONTAL = np.diag([1.0, -1.0, -1.0])
"""Rotation of a head that faces the camera: x right, y down, z forward."""
HARMONICS, PHONG = 27, 9
"""How many numbers describe the light."""


@dataclass(frozen=True, eq=False)
class Regressed:
    """A face's parameters (Fast-GANFIT, section 4: p_s, p_e, p_t, p_c, p_l), its camera as the crop has it.

    As in the fit (`engine.fitting.size`), identity changes the shape and not the size: every face has the mean face's.

    Attributes:
        identity: (K,) standard deviations.
        expression: (E,) weights 0..1.
        texture: (*latent_shape) of the texture model, see `engine.texture.models`; (0,) without one.
        rotation: (3,) axis times angle, radians, in the crop camera's axes: how the head is turned from facing it.
        translation: (3,) metres, the head's origin from the crop's camera (x right, y down, z forward).
        log_focal: natural logarithm of the focal length over the crop's side.
        light: (27,) illumination (9,3) of `engine.render.lighting`, row after row, in the head's frame; or (9,)
            GANFit's point light (`engine.render.lights.PhongLight`).
        crop: where in which photo.
    """

    identity: NDArray[np.float32]
    expression: NDArray[np.float32]
    texture: NDArray[np.float32]
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    log_focal: float
    light: NDArray[np.float32]
    crop: FaceCrop

    @property
    def crop_camera(self) -> Camera:
        """The camera of the crop, `SIDE` pixels square."""
        view = np.eye(4)
        view[:3, :3], view[:3, 3] = rotation_matrix(self.rotation) @ FRONTAL, self.translation
        return Camera(centred(SIDE * float(np.exp(self.log_focal)), SIDE, SIDE), view, SIDE, SIDE)

    def camera(self, focal: float | None = None) -> Camera:
        """The camera of the whole photo; with a known focal length in its pixels, the head as large as without."""
        return self.crop.to_photo(self.crop_camera, focal)

    def neutral(self, head: HeadModel) -> NDArray[np.float32]:
        """(V,3) metres, the neutral head."""
        return (head.shape(self.identity) - growth(head).of(self.identity, head.vertices)).astype(np.float32)

    def posed(self, head: HeadModel) -> NDArray[np.float32]:
        """(V,3) metres, with the expression, not turned."""
        return (self.neutral(head) + np.tensordot(self.expression, head.expression_basis, 1)).astype(np.float32)

    @classmethod
    def of_fit(cls, fit: HeadFit, crop: FaceCrop, texture: NDArray, light: NDArray) -> Regressed:
        """A solved head, for supervision. What the fit refined beyond the model's own shapes is left out.

        Args:
            texture: latent. light: (9,3), (27,) or (9,).
        """
        return cls.of_camera(fit.camera, crop, fit.identity, fit.expression, texture, light)

    @classmethod
    def of_camera(
        cls, camera: Camera, crop: FaceCrop, identity: NDArray, expression: NDArray, texture: NDArray, light: NDArray
    ) -> Regressed:
        """Known parameters, the camera the photo's."""
        seen = crop.to_crop(camera)
        return cls(
            identity=np.asarray(identity, np.float32),
            expression=np.asarray(expression, np.float32),
            texture=np.asarray(texture, np.float32),
            rotation=rotation_vector(seen.world_to_camera[:3, :3] @ FRONTAL),
            translation=seen.world_to_camera[:3, 3].copy(),
            log_focal=float(np.log(seen.K[0, 0] / SIDE)),
            light=np.asarray(light, np.float32).reshape(-1),
            crop=crop,
        )


def rotation_matrix(vector: NDArray) -> NDArray[np.float64]:
    """(3,3) turn about a vector (3,) by its length, radians."""
    from ..fitting.solver import rotation_matrix as turned

    return turned(np.asarray(vector, np.float64))


def rotation_vector(matrix: NDArray) -> NDArray[np.float64]:
    """(3,) the reverse of `rotation_matrix`, up to half a turn long."""
    skew = 0.5 * np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    sine, cosine = float(np.linalg.norm(skew)), 0.5 * (float(np.trace(matrix)) - 1.0)
    angle = float(np.arctan2(sine, cosine))
    if sine > 1e-6:
        return skew * (angle / sine)
    if cosine > 0:
        return skew
    symmetric = 0.5 * (matrix + np.eye(3))  # half a turn: axis times axis
    axis = symmetric[int(np.argmax(np.diag(symmetric)))]
    return axis * (np.pi / np.linalg.norm(axis))


def same_size(camera: Camera, head: HeadModel, identity: NDArray) -> Camera:
    """The camera in which the head, brought to the mean face's size, looks as it did at the identity's own.

    Args:
        camera: in which the identity's own size is seen.
        identity: (K,).
    """
    sizes = growth(head)
    grown = float(sizes.rates @ identity)
    view = camera.world_to_camera.copy()
    view[:3, 3] = (view[:3, 3] - grown * (view[:3, :3] @ sizes.center)) / (1.0 + grown)
    return Camera(camera.K, view, camera.width, camera.height)


def usual_light(kind: int = HARMONICS) -> NDArray[np.float32]:
    """Light as in most portraits: room light, and more from above in front. `HARMONICS` or `PHONG` numbers."""
    if kind == PHONG:
        return np.array([0.0, 0.85, 1.8, 0.5, 0.5, 0.5, 0.45, 0.45, 0.45], np.float32)
    return (ambient(0.45) + directional(np.array([0.0, 0.85, 1.8]), 0.5)).reshape(-1)
