"""Smooth deformations of a head beyond its identity basis: a Gaussian process over the surface.

The kernel is the covariance of the offset at two places. It plays the part that a bi-Laplacian plays in mesh
refinement (both penalise bending), but it says in millimetres how far people deviate, so the solver weighs it against
the landmarks' noise like any other prior. Left and right share most of an offset: what a sideways view shows of one
cheek is believed of the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel

Array = NDArray[np.float64]
SCALES = ((0.035, 1.0), (0.015, 0.55))
"""(correlation length in metres, standard deviation in millimetres) of the kernel's two parts."""
ASYMMETRY = 0.35  # standard deviation of the asymmetric part, as a share of the symmetric one's
INDUCING = 44  # places on one half of the face that carry the process
FADE = 0.045  # metres from the nearest landmark at which offsets have faded out
CARRIERS = {"jaw": "teeth.lower"}  # joints that go with a part of another name
RIGID_PARTS = ("eye.L", "eye.R", "teeth.upper", "teeth.lower")


@dataclass(frozen=True)
class Deformation:
    """A basis of smooth offsets.

    Attributes:
        basis: (D,V,3) metres for one standard deviation of each coefficient.
        joints: (D,J,3) the same at the rest joints.
    """

    basis: Array
    joints: Array


_cache: dict[int, tuple[HeadModel, Deformation]] = {}


def smooth_deformation(head: HeadModel) -> Deformation:
    """The deformation basis of a head model, made once per model."""
    found = _cache.get(id(head))
    if found is None or found[0] is not head:
        _cache.clear()
        _cache[id(head)] = found = (head, _build(head))
    return found[1]


def _build(head: HeadModel) -> Deformation:
    vertices = head.vertices.astype(np.float64)
    landmarks = head.embeddings["mediapipe"]
    anchors = landmarks.positions(vertices, head.faces)[landmarks.valid]
    inducing = _spread(anchors[anchors[:, 0] >= -1e-3], INDUCING)
    places = np.concatenate([vertices, head.joints.astype(np.float64)])
    even, odd = _half_bases(places, inducing, 1.0), _half_bases(places, inducing, -1.0)
    window = _window(places, anchors)[:, None]
    fields = []
    for share, across, along in ((1.0, odd, even), (ASYMMETRY, even, odd)):
        for axis, scalar in ((0, across), (1, along), (2, along)):
            block = np.zeros((scalar.shape[1], len(places), 3))
            block[:, :, axis] = (share * scalar * window).T
            fields.append(block)
    basis = np.concatenate(fields)
    count = len(vertices)
    joints = basis[:, count:].copy()
    surface = basis[:, :count].copy()
    for part in RIGID_PARTS:
        if part in head.regions and head.regions[part].any():
            surface[:, head.regions[part]] = surface[:, head.regions[part]].mean(axis=1, keepdims=True)
    for i, name in enumerate(head.joint_names):
        part = CARRIERS.get(name, name)
        if part in head.regions and head.regions[part].any():  # an eye's joint goes with its ball
            joints[:, i] = surface[:, head.regions[part]].mean(axis=1)
    return Deformation(surface, joints)


def _spread(points: Array, count: int) -> Array:
    """Farthest-point sampling: (count,3) of the given points, well spread."""
    chosen = [int(np.argmax(points[:, 2]))]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return points[chosen]


def _kernel(a: Array, b: Array) -> Array:
    """(A,B) covariance, square metres."""
    square = np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1) - 2.0 * a @ b.T
    return sum(  # type: ignore[return-value]
        (size * 1e-3) ** 2 * np.exp(-0.5 * np.maximum(square, 0.0) / length**2) for length, size in SCALES
    )


def _half_bases(places: Array, inducing: Array, parity: float) -> Array:
    """(P,D) scalar fields, mirrored with the given sign, whose unit-variance sums have the kernel's covariance."""
    flip = np.array([-1.0, 1.0, 1.0])
    cross = (_kernel(places, inducing) + parity * _kernel(places, inducing * flip)) / np.sqrt(2.0)
    inner = _kernel(inducing, inducing) + parity * _kernel(inducing, inducing * flip)
    values, vectors = np.linalg.eigh(inner)
    keep = values > 1e-3 * values.max()  # drops what bends faster than the landmarks could show
    return cross @ (vectors[:, keep] / np.sqrt(values[keep]))


def _window(places: Array, anchors: Array) -> Array:
    """(P,) 1 at the landmarks, smoothly 0 far from them."""
    near = np.full(len(places), np.inf)
    for block in np.array_split(anchors, 8):
        near = np.minimum(near, np.linalg.norm(places[:, None] - block, axis=2).min(axis=1))
    t = np.clip(1.0 - near / FADE, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
