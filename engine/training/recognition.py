"""Learning what recognition says about shape, from synthetic people whose shape is known.

A ridge regression from features to identity coefficients, its strength chosen on people that a part of the data leaves
out, its residuals on them the covariance. Renders differ from photos in all faces alike; so portraits give the mean
features of photos, and are believed to show the mean face on average.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError, ModelFileError
from ..fitting.recognised import ShapeRegression, face_features
from ..heads.model import HeadModel
from .perception.real_set import RealPictures
from .synthetic.lens import spoil
from .synthetic.shards import Shard, read_shard

MOST_YAW = 60.0
"""Degrees; faces turned further are not fitted from one photo."""
FOLDS = 4
STRENGTHS = (1.5e3, 3e3, 6e3, 1.2e4, 2.4e4, 4.8e4)
"""Of the ridge, for features of unit variance."""
LEAST = 200
"""Pictures."""
JITTER = 0.004
"""Share of the picture's side by which the points are off, as MediaPipe's are."""
SPOILT = 0.5
FLOOR = 1e-3
"""Added to the covariance's diagonal."""


@dataclass(frozen=True)
class Examples:
    """N faces: features (N,F) and identity (N,K)."""

    features: NDArray[np.float32]
    identity: NDArray[np.float32]


def learn_shape(
    head: HeadModel, shards: Sequence[Path], portraits: RealPictures, seed: int = 0
) -> tuple[ShapeRegression, float]:
    """The regression, and the share of the coefficients' variance that it leaves on people it has not seen.

    Args:
        shards: files of synthetic pictures to learn from.
        portraits: real ones.
        seed: of the camera's faults and of the points' errors.
    Raises:
        ModelFileError: there are too few pictures.
    """
    rng = np.random.default_rng(seed)
    pairs = [pair for path in shards for pair in _examples(head, read_shard(path), rng)]
    if len(pairs) < LEAST:
        raise ModelFileError(f"{len(pairs)} pictures are too few to learn from.", f"Draw {LEAST} at least.")
    examples = Examples(*(np.stack(part).astype(np.float32) for part in zip(*pairs, strict=True)))
    photos = [face_features(portraits.image(n), portraits.landmarks[n]) for n in range(len(portraits))]
    return fit_regression(examples, np.mean(photos, axis=0))


def _examples(head: HeadModel, shard: Shard, rng: np.random.Generator) -> Iterator[tuple[NDArray, NDArray]]:
    """Features and identity of the faces that are not turned too far."""
    places = head.embeddings["mediapipe"]
    for number in np.flatnonzero(np.abs(shard.angles[:, 0]) <= MOST_YAW):
        camera = shard.cameras[number]
        points = camera.project(places.positions(shard.vertices(int(number), head), head.faces))
        points += rng.normal(0.0, JITTER * camera.width, points.shape)
        try:
            features = face_features(spoil(shard.image(int(number)), rng, SPOILT), points)
        except EngineError:  # a face of no size
            continue
        yield features, shard.identity[number]


def fit_regression(examples: Examples, photos: NDArray) -> tuple[ShapeRegression, float]:
    """Choose the strength on folds left out, then fit to all; see `learn_shape`. photos: (F,) their mean features."""
    features, identity = examples.features.astype(np.float64), examples.identity.astype(np.float64)
    centre, scale = features.mean(0), features.std(0) + 1e-6
    whitened, mean = (features - centre) / scale, identity.mean(0)
    fold = _folds(identity)
    left = {strength: _left_over(whitened, identity, fold, strength) for strength in STRENGTHS}
    best = min(left, key=lambda strength: float(np.square(left[strength]).mean()))
    covariance = np.cov(left[best].T) + FLOOR * np.eye(identity.shape[1])
    weights = _ridge(whitened, identity - mean, best)
    single = [value.astype(np.float32) for value in (centre, photos, scale, weights, mean, covariance)]
    return ShapeRegression(*single), float(np.square(left[best]).mean() / np.square(identity - mean).mean())


def _folds(identity: NDArray) -> NDArray[np.intp]:
    """(N,) which fold each picture is in; a person's pictures share theirs."""
    _, person = np.unique(identity.round(5), axis=0, return_inverse=True)
    return person.reshape(-1) % FOLDS


def _left_over(features: NDArray, identity: NDArray, fold: NDArray[np.intp], strength: float) -> NDArray:
    """(N,K) errors on the folds that were left out."""
    error = np.empty_like(identity)
    for number in range(FOLDS):
        out = fold == number
        mean = identity[~out].mean(0)
        weights = _ridge(features[~out], identity[~out] - mean, strength * (1 - 1 / FOLDS))
        error[out] = identity[out] - mean - features[out] @ weights
    return error


def _ridge(features: NDArray, wanted: NDArray, strength: float) -> NDArray:
    """(F,K) weights of features (N,F) for (N,K)."""
    normal = features.T @ features
    normal[np.diag_indices_from(normal)] += strength
    return np.linalg.solve(normal, features.T @ wanted)
