"""The head's shapes as tensors, as the regressor means them: identity changes the shape and not the size."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ...fitting.detector import load_detector
from ...fitting.size import growth
from ...heads.model import HeadModel
from ...render.differentiable import Topology

MILLIMETRES = 1000.0


class Shapes:
    """A head model for training.

    Attributes:
        topology: of all that is drawn.
        points_error: (478,3) metres, where MediaPipe puts the head's points on photos, less where they are.
        weights: (478,) how much each point is believed, 1 for the surest.
    """

    def __init__(self, head: HeadModel, device: str = "cpu") -> None:
        def tensor(values: np.ndarray) -> Tensor:
            return torch.tensor(np.asarray(values, np.float32), device=device)

        places, triangles = head.embeddings["mediapipe"], head.faces
        identity = head.identity_basis - growth(head).basis(head.vertices)
        self.mean, self.mean_points = tensor(head.vertices), tensor(_finite(places.positions(head.vertices, triangles)))
        self.identity = tensor(identity.reshape(len(identity), -1))
        self.expression = tensor(head.expression_basis.reshape(len(head.expression_basis), -1))
        self.identity_points = tensor(_finite(places.positions(identity, triangles)).reshape(len(identity), -1))
        moved = _finite(places.positions(head.expression_basis, triangles))
        self.expression_points = tensor(moved.reshape(len(moved), -1))
        face = head.regions["face"]
        self.identity_gram = tensor(_gram(identity[:, face]))
        self.expression_gram = tensor(_gram(head.expression_basis[:, face]))
        self.topology = Topology.of(head, device)
        detector = load_detector()
        known = places.valid & (len(detector.bias) == len(places.faces))
        self.points_error = tensor(np.where(known[:, None], detector.bias, 0.0) if known.any() else 0.0 * detector.bias)
        deviation = np.where(np.isfinite(detector.deviation[:, 0]), detector.deviation[:, 0], np.inf)
        self.weights = tensor(np.where(places.valid, (deviation.min() / deviation) ** 2, 0.0))

    def posed(self, identity: Tensor, expression: Tensor) -> Tensor:
        """(B,V,3) metres, of (B,K) and (B,E)."""
        return self.mean + (identity @ self.identity + expression @ self.expression).unflatten(1, (-1, 3))

    def points(self, identity: Tensor, expression: Tensor) -> Tensor:
        """(B,478,3) metres: the landmarks alone."""
        moved = identity @ self.identity_points + expression @ self.expression_points
        return self.mean_points + moved.unflatten(1, (-1, 3))


def _finite(points: np.ndarray) -> np.ndarray:
    return np.nan_to_num(points)


def _gram(basis: np.ndarray) -> np.ndarray:
    """(P,P) so that c·G·c is the mean squared displacement in mm² of a coefficient vector c, of (P,N,3) metres."""
    flat = basis.reshape(len(basis), -1).astype(np.float64) * (MILLIMETRES / math.sqrt(basis.shape[1]))
    return flat @ flat.T
