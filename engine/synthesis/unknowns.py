"""What is solved for, in units in which one step of Adam (0.01) is a small change of anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from ..camera import Camera
from ..fitting.result import HeadFit
from ..fitting.size import growth
from ..heads.model import HeadModel
from ..render.pinhole import Pinhole, axis_angle_matrix

TURN = 0.05
"""Radians."""
SHIFT = 0.01
"""Of the camera's distance, across the view; three times as much along it."""
ZOOM = 0.03
"""Of the focal length's logarithm."""


@dataclass(frozen=True)
class Unknowns:
    """Of one photo. Identity and latent are the person's: with several photos, each has a copy of them.

    Attributes:
        identity: (K,) standard deviations, the change from the landmark fit's.
        expression: (E,) weights, the change.
        latent: of the texture model.
        turn: (3,) in `TURN`, in the camera's axes. shift: (3,) in `SHIFT`. zoom: () in `ZOOM`.
        light: (9,3) order-2 harmonics, the change.
    """

    identity: Tensor
    expression: Tensor
    latent: Tensor
    turn: Tensor
    shift: Tensor
    zoom: Tensor
    light: Tensor

    @classmethod
    def names(cls) -> list[str]:
        """Of all of them."""
        return [entry.name for entry in fields(cls)]

    def tensors(self) -> list[Tensor]:
        """All of them."""
        return [getattr(self, name) for name in self.names()]

    def copy(self) -> Unknowns:
        """The same numbers, cut off from these."""
        return Unknowns(*(tensor.detach().clone() for tensor in self.tensors()))

    def free(self) -> Unknowns:
        """The same numbers, to be optimised."""
        return Unknowns(*(tensor.detach().clone().requires_grad_() for tensor in self.tensors()))


def unchanged(head: HeadModel, latent: Tensor) -> Unknowns:
    """The landmark fit as it is, with a texture."""
    none = latent.new_zeros
    count, expressions = len(head.identity_basis), len(head.expression_basis)
    return Unknowns(none(count), none(expressions), latent, none(3), none(3), none(()), none((9, 3)))


SHARED = ("identity", "latent")


@torch.no_grad()
def average(views: Sequence[Unknowns]) -> None:
    """Let all photos of a person have one shape and texture, the mean of theirs (Fast-GANFIT, eq. 14). In place."""
    for name in SHARED:
        mean = torch.stack([getattr(view, name) for view in views]).mean(0)
        for view in views:
            getattr(view, name).copy_(mean)


class Body:
    """A head as tensors: what the unknowns move.

    Args:
        head: the model.
        fit: the landmark fit that the unknowns are changes of.
        device: where torch runs.
    """

    def __init__(self, head: HeadModel, fit: HeadFit, device: str = "cpu") -> None:
        self.head, self.fit = head, fit
        shape = head.identity_basis - growth(head).basis(head.vertices).astype(np.float32)
        self.neutral = torch.tensor(fit.neutral, device=device)
        self.identity = torch.tensor(shape.reshape(len(shape), -1), device=device)
        expressions = head.expression_basis.astype(np.float32)
        self.expression = torch.tensor(expressions.reshape(len(expressions), -1), device=device)
        self.weights = torch.tensor(fit.expression, device=device)

    def expressed(self, unknowns: Unknowns) -> Tensor:
        """(E,) expression weights, 0..1."""
        return (self.weights + unknowns.expression).clamp(0, 1)

    def posed(self, unknowns: Unknowns, expression: Tensor | None = None) -> Tensor:
        """(V,3) metres, with the photo's expression or another (E,)."""
        weights = self.expressed(unknowns) if expression is None else expression
        return self.neutral + (unknowns.identity @ self.identity + weights @ self.expression).reshape(-1, 3)

    def pinhole(self, unknowns: Unknowns, camera: Camera) -> Pinhole:
        """A camera that saw the landmark fit, turned, moved and zoomed."""
        first = Pinhole.of(camera, self.neutral.device)
        turn = axis_angle_matrix(TURN * unknowns.turn)
        unit = SHIFT * first.translation[2] * first.translation.new_tensor([1.0, 1.0, 3.0])
        focal = first.focal * (ZOOM * unknowns.zoom).exp()
        return Pinhole(turn @ first.rotation, first.translation + unit * unknowns.shift, focal, first.centre)

    def described(self, unknowns: Unknowns) -> HeadFit:
        """The unknowns as the fit of the whole photo; its errors are still the landmark fit's."""
        head, fit = self.head, self.fit
        with torch.no_grad():
            change = unknowns.identity.cpu().numpy()
            neutral = fit.neutral + (unknowns.identity @ self.identity).reshape(-1, 3).cpu().numpy()
            expression = self.expressed(unknowns).cpu().numpy()
            camera = self.pinhole(unknowns, fit.camera).camera(fit.camera.width, fit.camera.height)
        identity = fit.identity + change
        posed = neutral + np.tensordot(expression, head.expression_basis, 1)
        moved = _moved_joints(head, change)
        landmarks = camera.project(head.embeddings["mediapipe"].positions(posed, head.faces))
        return HeadFit(
            camera=camera,
            identity=identity.astype(np.float32),
            expression=expression.astype(np.float32),
            refinement=(neutral - head.shape(identity)).astype(np.float32),
            neutral=neutral.astype(np.float32),
            posed=posed.astype(np.float32),
            joints=(fit.joints + moved).astype(np.float32),
            landmarks_model=landmarks.astype(np.float32),
            errors=fit.errors,
            warnings=fit.warnings,
        )


def _moved_joints(head: HeadModel, change: np.ndarray) -> np.ndarray:
    """(J,3) metres by which a change of identity (K,) moves the joints."""
    return np.tensordot(change, head.joint_identity_basis, 1) - growth(head).of(change, head.joints)
