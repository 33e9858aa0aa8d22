"""How well regions and depth are seen: overlap of each region, error of the encoded depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from ..perception.depth_scale import SPAN, encode_depth, reference_depth
from ..perception.parts import PartsObservation, see_parts
from ..perception.regions import REGIONS
from .held_out import YAW_BINS, HeldOut
from .tables import Table, mean

PUBLISHED_DEPTH = 0.162
"""L1 of the published depth regression from photos with an Attention U-Net, on its own pictures and scale."""


@dataclass(frozen=True)
class PartsErrors:
    """What was seen of P pictures, R regions.

    Attributes:
        both, either: (P,R) pixels that a region truly has and was given, or that it has one way or the other.
        depth: (P,) mean absolute error of the encoded depth on the person.
        turned: (P,) index into `YAW_BINS`.
        confidence: (P,) 0..1 of there being a face.
    """

    both: NDArray[np.int64]
    either: NDArray[np.int64]
    depth: NDArray[np.float64]
    turned: NDArray[np.int64]
    confidence: NDArray[np.float64]

    def overlap(self, among: NDArray[np.bool_] | slice = slice(None)) -> NDArray[np.float64]:
        """(R,) intersection over union of all pixels of these pictures together; NaN where a region never is."""
        either = self.either[among].sum(0)
        return np.where(either > 0, self.both[among].sum(0) / np.maximum(either, 1), np.nan)


def look_at_parts(head: HeadModel, pictures: Sequence[HeldOut], weights: Path | None = None) -> PartsErrors:
    """Look at every picture in its own window."""
    return compare_parts(head, pictures, [see_parts(p.image, p.window, weights) for p in pictures])


def compare_parts(head: HeadModel, pictures: Sequence[HeldOut], seen: Sequence[PartsObservation]) -> PartsErrors:
    """What was seen against what is true."""
    both, either, depths = [], [], []
    for picture, parts in zip(pictures, seen, strict=True):
        labels = parts.labels()
        pairs = np.bincount(
            (picture.regions.astype(np.int64) * len(REGIONS) + labels).ravel(), minlength=len(REGIONS) ** 2
        )
        pairs = pairs.reshape(len(REGIONS), len(REGIONS))
        both.append(pairs.diagonal())
        either.append(pairs.sum(0) + pairs.sum(1) - pairs.diagonal())
        person = picture.regions != REGIONS.index("background")
        error = np.abs(encode_depth(parts.depth, 0.0) - true_depth(head, picture))
        depths.append(error[person].mean())
    return PartsErrors(
        np.array(both),
        np.array(either),
        np.array(depths),
        np.array([picture.yaw_bin for picture in pictures]),
        np.array([parts.confidence for parts in seen]),
    )


def true_depth(head: HeadModel, picture: HeldOut) -> NDArray[np.float32]:
    """(S,S) encoded as `engine.perception.depth_scale` says."""
    eyes = [head.joint_names.index(name) for name in ("eye.L", "eye.R")]
    centres = head.joint_positions(picture.identity)[eyes]
    reference = reference_depth(picture.camera, centres) - float(picture.camera.world_to_camera[2, 3])
    return encode_depth(picture.depth, reference)


def overlap_table(errors: PartsErrors) -> Table:
    """Intersection over union by region and turn, %."""
    columns = [np.ones(len(errors.turned), bool), *(errors.turned == number for number in range(len(YAW_BINS)))]
    values = 100 * np.stack([errors.overlap(among) for among in columns], axis=1)
    rows: list[tuple[str | float, ...]] = [(name, *map(float, row)) for name, row in zip(REGIONS, values, strict=True)]
    rows.append(("mean of the regions", *(mean(column[np.isfinite(column)]) for column in values.T)))
    note = "Intersection over union, %, of all pixels of all pictures together."
    return Table("Regions", ("region", "all", *YAW_BINS), rows, note)


def depth_table(errors: PartsErrors) -> Table:
    """L1 of the encoded depth by turn, beside the published figure."""
    turned = [errors.depth[errors.turned == number] for number in range(len(YAW_BINS))]
    columns = ("", "all", *YAW_BINS, "published")
    rows: list[tuple[str | float, ...]] = [
        ("L1, encoded", mean(errors.depth), *map(mean, turned), PUBLISHED_DEPTH),
        ("millimetres", 1e3 * SPAN * mean(errors.depth), *(1e3 * SPAN * mean(part) for part in turned), float("nan")),
    ]
    note = f"Masked to the person. One unit is {SPAN:g} m here; the published scale is each picture's own."
    return Table("Depth", columns, rows, note)
