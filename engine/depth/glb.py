"""Reads the mesh that `export` wrote. Imports nothing heavy: Blender's builder uses it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MediaError
from ..export import read_glb

TYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
GROUPS = ("skin", "hair", "cloth", "glasses", "eyes", "mouth")
"""What parts of a depth mesh can be; see `groups`."""
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}


@dataclass(frozen=True)
class StoredMesh:
    """A textured mesh, in the head's frame.

    Attributes:
        vertices: (V,3) float32 metres. faces: (F,3) int64. uv: (V,2) float32, origin lower left.
        picture: the texture, a JPEG file's bytes.
        groups: (V,) weights 0..1 of vertices by name, see `groups`.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int64]
    uv: NDArray[np.float32]
    picture: bytes
    groups: dict[str, NDArray[np.float32]] = field(default_factory=dict)


def attribute_of(group: str) -> str:
    """The name under which the file keeps a group's weights: glTF wants an underscore before names of one's own."""
    return f"_{group.upper()}"


def read_mesh(path: Path) -> StoredMesh:
    """The one mesh of a GLB with its picture.

    Raises:
        MediaError: the file is missing, damaged or another's.
    """
    try:
        tree, binary = read_glb(path.read_bytes())
        primitive = tree["meshes"][0]["primitives"][0]
        names = primitive["attributes"]
        uv = _array(tree, binary, names["TEXCOORD_0"]).astype(np.float32)
        faces = _array(tree, binary, primitive["indices"]).reshape(-1, 3).astype(np.int64)
        picture = _part(tree, binary, tree["bufferViews"][tree["images"][0]["bufferView"]])
        groups = {
            name[1:].lower(): _array(tree, binary, place).astype(np.float32).ravel()
            for name, place in names.items()
            if name.startswith("_")
        }
        return StoredMesh(_array(tree, binary, names["POSITION"]), faces, uv * [1, -1] + [0, 1], picture, groups)
    except (OSError, ValueError, KeyError, IndexError, TypeError, struct.error) as error:
        raise MediaError(f"{path} holds no depth mesh ({error}).", "Make it again from its photo.") from error


def _array(tree: dict[str, Any], binary: bytes, number: int) -> NDArray:
    """(N,C) of an accessor."""
    accessor = tree["accessors"][number]
    kind, width = np.dtype(TYPES[accessor["componentType"]]), WIDTHS[accessor["type"]]
    data = _part(tree, binary, tree["bufferViews"][accessor.get("bufferView", 0)])[accessor.get("byteOffset", 0) :]
    return np.frombuffer(data, kind, accessor["count"] * width).reshape(-1, width)


def _part(tree: dict[str, Any], binary: bytes, view: dict[str, int]) -> bytes:
    start = view.get("byteOffset", 0)
    return binary[start : start + view["byteLength"]]
