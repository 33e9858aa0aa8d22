"""How the points network errs: learned on pictures it was not trained on, used by the fit as its covariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import ModelFileError
from ...evaluation.calibration import Sight, learn_from_renders
from ...fitting.detector import DetectorModel
from ...fitting.sighting import at_vertices
from ...heads.model import HeadModel
from ...perception.crop import Window
from ...perception.dense import SURE, load_points_network, see_points
from ..synthetic.lens import spoil
from ..synthetic.shards import read_shard

MOST_YAW = 60.0
"""Degrees; faces turned further are not fitted from one photo."""
LEAST = 100
"""Pictures."""


def calibrate_points(
    head: HeadModel, shards: Sequence[Path], weights: Path | None = None, seed: int = 0
) -> DetectorModel:
    """Bias, its turn with the pose, answer to shape, joint and single errors, and the doubt the network usually has.

    Args:
        shards: files of pictures.
        weights: file of the network; None takes the bundled one.
        seed: of the camera's faults that are added.
    Raises:
        ModelFileError: there are too few pictures, or the network cannot be read.
    """
    _, which = load_points_network(weights)
    embedding = at_vertices(head, which.vertices)
    rng = np.random.default_rng(seed)
    sights, doubts = [], []
    for path in shards:
        shard = read_shard(path)
        for number in np.flatnonzero(np.abs(shard.angles[:, 0]) <= MOST_YAW):
            camera = shard.cameras[number]
            middle, side = np.array([camera.width, camera.height]) / 2, float(camera.width)
            seen = see_points(spoil(shard.image(number), rng, 0.5), Window(middle, side), weights)
            if seen.face < SURE:
                continue
            metres = camera.world_to_camera[2, 3] / camera.K[0, 0]
            sights.append(Sight(camera, shard.identity[number], shard.expression[number], seen.points))
            doubts.append(seen.deviation * metres)
    if len(sights) < LEAST:
        raise ModelFileError(f"{len(sights)} pictures are too few to calibrate on.", f"Draw {LEAST} at least.")
    detector = learn_from_renders(head, sights, embedding)
    return replace(detector, usual=np.sqrt(np.mean(np.square(doubts), axis=0)))
