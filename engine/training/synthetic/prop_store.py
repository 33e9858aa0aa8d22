"""Props as compact arrays for the wardrobe file, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelFileError
from .scene import REGIONS, Prop

STEPS = 65535
"""Places are kept to the 65535th part of the prop's extent: 15 micrometres in a metre."""
TEXT = "props"


def props_to_arrays(props: Sequence[Prop], prefix: str = "") -> dict[str, NDArray]:
    """Arrays by name: some 25 bytes a vertex and 6 a triangle.

    Args:
        prefix: of the names, so that several lists fit in one file.
    """
    described = [{"name": p.name, "region": p.region, "gloss": p.gloss, "opacity": p.opacity} for p in props]
    arrays: dict[str, NDArray] = {f"{prefix}{TEXT}": np.frombuffer(json.dumps(described).encode(), np.uint8)}
    for number, prop in enumerate(props):
        for part, array in _pack(prop).items():
            arrays[f"{prefix}{number:03d}.{part}"] = array
    return arrays


def props_from_arrays(arrays: Mapping[str, NDArray], prefix: str = "") -> list[Prop]:
    """The props that `props_to_arrays` packed.

    Raises:
        ModelFileError: arrays are missing or damaged.
    """
    try:
        described = json.loads(np.asarray(arrays[f"{prefix}{TEXT}"]).tobytes())
        return [_unpack(text, arrays, f"{prefix}{number:03d}.") for number, text in enumerate(described)]
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ModelFileError(
            f"The wardrobe's props are damaged ({error}).", "Run `python -m engine.training prepare` again."
        ) from error


def _pack(prop: Prop) -> dict[str, NDArray]:
    low, high = prop.vertices.min(axis=0), prop.vertices.max(axis=0)
    size = np.maximum(high - low, 1e-9)
    grey = bool((prop.colour == prop.colour[:, :1]).all())
    small = len(prop.vertices) <= STEPS + 1
    return {
        "box": np.stack([low, high]).astype(np.float32),
        "vertices": np.round((prop.vertices - low) / size * STEPS).astype(np.uint16),
        "faces": prop.faces.astype(np.uint16 if small else np.int32),
        "colour": (prop.colour[:, :1] if grey else prop.colour).astype(np.float16),
        "anchors": prop.anchors.astype(np.uint16 if prop.anchors.max(initial=0) <= STEPS else np.int32),
        "weights": prop.weights.astype(np.float16),
    }


def _unpack(text: dict, arrays: Mapping[str, NDArray], start: str) -> Prop:
    low, high = arrays[f"{start}box"]
    vertices = low + arrays[f"{start}vertices"] * (np.maximum(high - low, 1e-9) / STEPS)
    colour = np.broadcast_to(arrays[f"{start}colour"].astype(np.float32), (len(vertices), 3))
    weights = arrays[f"{start}weights"].astype(np.float32)
    total = weights.sum(axis=1, keepdims=True)
    if text["region"] not in REGIONS:
        raise ValueError(f"no region '{text['region']}'")
    return Prop(
        name=text["name"],
        region=text["region"],
        vertices=vertices.astype(np.float32),
        faces=arrays[f"{start}faces"].astype(np.int32),
        colour=np.ascontiguousarray(colour),
        anchors=arrays[f"{start}anchors"].astype(np.int32),
        weights=np.where(total > 0, weights / np.maximum(total, 1e-6), weights),
        gloss=float(text["gloss"]),
        opacity=float(text["opacity"]),
    )
