"""Wavefront OBJ files of head templates: vertices, polygons, texture coordinates and materials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError

MOST_BYTES = 512 << 20
"""The largest OBJ file that is read."""
NUMBERS = b"0123456789+-.eE \t\r\n"
"""What plain numbers in lines are written with."""
CURE = "Get the file again from its owner."
NO_FILE = "Choose a file that is there and that you may read."


@dataclass(frozen=True)
class ObjMesh:
    """A template.

    Attributes:
        vertices: (V,3) float64, the file's unit.
        polygons: (P,4) int32, triangles end with -1; larger polygons are cut into triangles.
        uv: (T,2) float32. uv_polygons: (P,4) int32 into `uv`, or (0,2) and all -1 where the file has none.
        material_names: in the order of their first use. polygon_materials: (P,) int32.
    """

    vertices: NDArray[np.float64]
    polygons: NDArray[np.int32]
    uv: NDArray[np.float32]
    uv_polygons: NDArray[np.int32]
    material_names: tuple[str, ...]
    polygon_materials: NDArray[np.int32]


def read_obj(path: Path) -> ObjMesh:
    """Read a template.

    Raises:
        ModelFileError: it is missing, too large, no OBJ, cut off, or has faces without vertices.
    """
    lines = _bytes(path).split(b"\n")
    try:
        vertices, uv = _numbers(lines, b"v ", 3), _numbers(lines, b"vt ", 2)
        corners, materials, names = _faces(lines)
    except (ValueError, IndexError) as error:
        raise ModelFileError(f"The file {path} is no OBJ file ({str(error)[:80]}).", CURE) from error
    if not len(vertices) or not len(corners):
        raise ModelFileError(f"The file {path} has {len(vertices)} vertices and {len(corners)} faces.", CURE)
    place, texture = corners[..., 0], corners[..., 1]
    if place.max() >= len(vertices) or texture.max() >= len(uv):
        raise ModelFileError(
            f"The file {path} has {len(vertices)} vertices and {len(uv)} texture coordinates, but faces with numbers "
            f"{place.max() + 1} and {texture.max() + 1}: it is cut off.",
            CURE,
        )
    whole = (texture >= 0) | (place < 0)
    if not whole.all():
        uv, texture = uv[:0], np.full_like(texture, -1)
    return ObjMesh(vertices, place, uv.astype(np.float32), texture, names, materials)


def read_obj_vertices(path: Path, count: int) -> NDArray[np.float64]:
    """(count,3) only the vertices: for files of one topology.

    Raises:
        ModelFileError: it is missing, too large, no OBJ, or has another number of vertices.
    """
    data = _bytes(path)
    ends = [place for kind in (b"\nvt", b"\nvn", b"\nf ") if (place := data.find(kind)) >= 0]
    block = data[max(data.find(b"\nv "), 0) : min(ends, default=len(data))]
    try:
        if len(block.translate(None, NUMBERS)) == block.count(b"\nv ") == count:  # nothing but plain lines: fast
            return np.fromstring(block.replace(b"v", b" "), np.float64, sep=" ").reshape(count, 3)
        vertices = _numbers(data.split(b"\n"), b"v ", 3)
    except (ValueError, IndexError) as error:
        raise ModelFileError(f"The file {path} is no OBJ file ({str(error)[:80]}).", CURE) from error
    if len(vertices) != count:
        raise ModelFileError(f"The file {path} has {len(vertices)} vertices; expected {count}.", CURE)
    return vertices


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ModelFileError(f"The file {path} has {size / 1e9:.1f} GB, more than any head.", "Choose another.")
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"The file {path} cannot be read ({error.strerror}).", NO_FILE) from error


def _numbers(lines: list[bytes], kind: bytes, width: int) -> NDArray[np.float64]:
    """(N,width) the first numbers of each line of a kind.

    Raises:
        ValueError: a line has too few, or what is no finite number.
    """
    rows = [line for line in lines if line.startswith(kind)]
    if not rows:
        return np.zeros((0, width))
    flat = np.array(b" ".join(rows).replace(kind, b"").split(), np.float64)
    if flat.size % len(rows) or flat.size < width * len(rows) or not np.isfinite(flat).all():
        raise ValueError(f"a line “{kind.decode().strip()}” without {width} numbers")
    return flat.reshape(len(rows), -1)[:, :width]


def _faces(lines: list[bytes]) -> tuple[NDArray[np.int32], NDArray[np.int32], tuple[str, ...]]:
    """Corners (P,4,2) of vertex and texture coordinate, -1 for none; material of each polygon, and their names."""
    names: list[str] = []
    found: list[list[int]] = []
    materials: list[int] = []
    current = 0
    for line in lines:
        if line.startswith(b"usemtl"):
            name = line[6:].strip().decode("utf-8", "replace")
            if name not in names:
                names.append(name)
            current = names.index(name)
        elif line.startswith(b"f "):
            for polygon in _split(_corners(line)):
                found.append(polygon)
                materials.append(current)
    corners = np.array(found, np.int32).reshape(-1, 4, 2)
    return corners, np.array(materials, np.int32), tuple(names) or ("skin",)


def _corners(line: bytes) -> list[tuple[int, int]]:
    """Vertex and texture coordinate of each corner of a face, from zero; -1 for no texture coordinate.

    Raises:
        ValueError: a number is none, or counts from the end.
    """
    corners = []
    for corner in line[2:].split():
        place, _, rest = corner.partition(b"/")
        texture = rest.partition(b"/")[0]
        pair = (int(place) - 1, int(texture) - 1 if texture else -1)
        if pair[0] < 0 or pair[1] < -1:
            raise ValueError(f"a face “{line[:40].decode(errors='replace')}”")
        corners.append(pair)
    if len(corners) < 3:
        raise ValueError(f"a face “{line[:40].decode(errors='replace')}”")
    return corners


def _split(corners: list[tuple[int, int]]) -> list[list[int]]:
    """Quads as they are; anything else as triangles that end with -1."""
    if len(corners) == 4:
        return [[number for corner in corners for number in corner]]
    fans = ([corners[0], corners[k], corners[k + 1], (-1, -1)] for k in range(1, len(corners) - 1))
    return [[number for corner in fan for number in corner] for fan in fans]


def triangles_of(polygons: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Polygons (P,4) as triangles (F,3) in their order, and the polygon of each."""
    quad = polygons[:, 3] >= 0
    counts = 1 + quad
    source = np.repeat(np.arange(len(polygons)), counts)
    second = np.zeros(len(source), bool)
    second[np.cumsum(counts)[quad] - 1] = True
    picked = np.where(second[:, None], [0, 2, 3], [0, 1, 2])
    return np.take_along_axis(polygons[source], picked, 1).astype(np.int32), source
