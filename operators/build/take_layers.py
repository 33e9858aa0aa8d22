"""Changes to a take before it moves a head: how strong each region is, left and right changed over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...engine.tracking.take import Take

REGIONS = {
    "brow": "brows", "eye": "eyes",
    "jaw": "mouth", "mouth": "mouth", "cheek": "mouth", "nose": "mouth", "tongue": "mouth",
}  # fmt: skip


def region_of(unit: str) -> str:
    """ "brows", "eyes" or "mouth", by the beginning of an ARKit name; empty for any other."""
    return next((region for start, region in REGIONS.items() if unit.lower().startswith(start)), "")


def strengthened(take: Take, brows: float = 1.0, eyes: float = 1.0, mouth: float = 1.0) -> Take:
    """The take with each region's units times a factor, within 0..1, and eyes and jaw turned by as much."""
    factors = {"brows": brows, "eyes": eyes, "mouth": mouth}
    columns = np.array([factors.get(region_of(name), 1.0) for name in take.expression_names], np.float32)
    return replace(
        take,
        expression=np.clip(take.expression * columns, 0.0, 1.0),
        left_eye=take.left_eye * np.float32(eyes),
        right_eye=take.right_eye * np.float32(eyes),
        jaw=take.jaw * np.float32(mouth),
    )


def mirrored_name(unit: str) -> str:
    """The unit on the other side; itself where it has no side."""
    if "Left" in unit:
        return unit.replace("Left", "Right")
    return unit.replace("Right", "Left")


def mirrored(take: Take) -> Take:
    """The performance in a mirror: units, eyes and every turn change sides. The landmarks stay the footage's."""
    turn = np.array([1.0, -1.0, -1.0], np.float32)
    across = np.array([-1.0, 1.0, 1.0], np.float32)
    return replace(
        take,
        expression_names=tuple(mirrored_name(name) for name in take.expression_names),
        jaw=take.jaw * turn,
        neck=take.neck * turn,
        left_eye=take.right_eye * turn,
        right_eye=take.left_eye * turn,
        head_rotation=take.head_rotation * np.outer(across, across),
        head_translation=take.head_translation * across,
    )
