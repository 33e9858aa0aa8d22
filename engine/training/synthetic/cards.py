"""MakeHuman's CC0 hair, put on this head and turned from alpha-textured cards into plain triangles.

The training renderer draws opaque triangles only, so strands are cut out of the cards along the texture's alpha, and
what the texture shows of light and dark becomes the vertices' grey, by which a hair colour is multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelFileError
from ...heads.model import HeadModel
from .grain import strand_picture
from .propmesh import Mesh, cut, edge_lengths, follow, make_prop, split_edges, used
from .scalp import lifted
from .scene import Prop

FIGURE = Path(__file__).parent / "data" / "figure.npz"
"""Places of the MakeHuman figure's vertices on the mean head, written by `scripts/bake_head/figure_places.py`."""
TRIANGLES = 40_000
FINE = 0.0024
"""Metres: how finely the cut edge of a strand is followed."""
COARSE = 0.0048
"""Metres: edges of what lies inside."""
OPAQUE = 0.45
LEAST_LIFT = 0.0012
"""Metres of air between the scalp and the hair."""
CONTRAST = 0.7
"""Power by which a texture's light and dark is tamed: painted highlights are not the hair's colour."""
GREYS = (0.35, 2.0)
"""Range of the vertices' grey."""
LOWEST = -0.30
"""Metres: hair that hangs lower is cut off, no portrait shows it."""


@dataclass(frozen=True)
class HairMesh:
    """Cards as they are in MakeHuman's files.

    Attributes:
        corners: (V,3) figure vertices that each vertex hangs on.
        shares: (V,3) of them.
        offsets: (V,3) away from there, in units of the figure.
        scales: per axis two figure vertices and their distance on the figure.
        faces: (F,3) triangles into the cards' own vertices.
        uv: (U,2), lower-left origin; uv_faces: (F,3) into it.
    """

    corners: NDArray[np.int64]
    shares: NDArray[np.float64]
    offsets: NDArray[np.float64]
    scales: tuple[tuple[int, int, float], ...]
    faces: NDArray[np.int64]
    uv: NDArray[np.float64]
    uv_faces: NDArray[np.int64]


def build_card_styles(head: HeadModel, folder: Path) -> list[Prop]:
    """All styles of a folder, as grey props of about `TRIANGLES` triangles.

    Args:
        head: the mean head they are put on.
        folder: has a folder per style with its .obj, .mhclo and perhaps _diffuse.png.
    Raises:
        ModelFileError: a file is damaged.
    """
    return [build_style(head, path) for path in sorted(folder.iterdir()) if (path / f"{path.name}.obj").is_file()]


def build_style(head: HeadModel, folder: Path) -> Prop:
    """One style of MakeHuman's hair. Arguments and errors as for `build_card_styles`."""
    hair = read_hair(folder)
    places = lifted(head, placed_on_head(hair, folder), LEAST_LIFT)
    corner_uv, corners = _unsewn(hair)
    cards = Mesh(places[corners[:, 0]], corner_uv, hair.uv[corners[:, 1]])
    cards = cut(cards, cards.vertices[:, 1] - LOWEST)
    grey, alpha = _texture(folder, cards)
    coarse = COARSE
    while True:
        mesh = cut_out(cards, grey, alpha, coarse)
        if len(mesh.faces) <= TRIANGLES:
            break
        coarse *= max(1.08, (len(mesh.faces) / TRIANGLES) ** 0.4)
    return make_prop(f"cards:{folder.name}", "hair", mesh, *follow(head, mesh.vertices), gloss=0.15)


def read_hair(folder: Path) -> HairMesh:
    """The mesh of one style and what it hangs on.

    Raises:
        ModelFileError: a file is missing or damaged.
    """
    try:
        faces, uv, uv_faces = _read_obj(folder / f"{folder.name}.obj")
        scales, rows = _read_binding(folder / f"{folder.name}.mhclo")
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise ModelFileError(
            f"The hair {folder} is damaged ({error}).", "Fetch MakeHuman's CC0 assets again."
        ) from error
    if not len(faces) or faces.max() >= len(rows):
        raise ModelFileError(
            f"The hair {folder} has parts that hang on nothing.", "Fetch MakeHuman's CC0 assets again."
        )
    return HairMesh(rows[:, :3].astype(np.int64), rows[:, 3:6], rows[:, 6:], scales, faces, uv, uv_faces)


def _read_obj(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    uv, polygons = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        key, *fields = line.split() or [""]
        if key == "vt":
            uv.append([float(value) for value in fields[:2]])
        elif key == "f":
            corners = [[int(value) - 1 for value in corner.split("/")[:2]] for corner in fields]
            polygons += [[corners[0], corners[i], corners[i + 1]] for i in range(1, len(corners) - 1)]
    triangles = np.array(polygons, np.int64).reshape(-1, 3, 2)
    return triangles[..., 0], np.array(uv), triangles[..., 1]


def _read_binding(path: Path) -> tuple[tuple[tuple[int, int, float], ...], NDArray[np.float64]]:
    """Scales by axis, and rows of three figure vertices, their shares and an offset."""
    scales: dict[str, tuple[int, int, float]] = {}
    rows: list[list[float]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[0] in ("x_scale", "y_scale", "z_scale"):
            scales[fields[0][0]] = (int(fields[1]), int(fields[2]), float(fields[3]))
        elif len(fields) == 9 and fields[0].isdigit():
            rows.append([float(value) for value in fields])
        elif len(fields) == 1 and fields[0].isdigit():
            rows.append([float(fields[0])] * 3 + [1, 0, 0, 0, 0, 0])
        elif fields[:1] == ["delete_verts"]:
            break
    return (scales["x"], scales["y"], scales["z"]), np.array(rows)


def placed_on_head(hair: HairMesh, folder: Path) -> NDArray[np.float64]:
    """(V,3) metres, the cards' vertices on the mean head."""
    with np.load(FIGURE) as file:
        index, places = file["index"], file["places"].astype(np.float64)
    rows = np.full(index.max() + 1, -1)
    rows[index] = np.arange(len(index))
    needed = np.concatenate([hair.corners.ravel(), [vertex for pair in hair.scales for vertex in pair[:2]]])
    if needed.max() > index.max() or (rows[needed] < 0).any():
        raise ModelFileError(f"The hair {folder} hangs on more than the head.", "Use hair made for the figure hm08.")
    metre = [
        abs(places[rows[start], axis] - places[rows[end], axis]) / length
        for axis, (start, end, length) in enumerate(hair.scales)
    ]
    return (places[rows[hair.corners]] * hair.shares[..., None]).sum(axis=1) + hair.offsets * metre


def _unsewn(hair: HairMesh) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(F,3) faces, and (N,2) the vertex and the texture vertex of each corner that differs."""
    pairs = np.stack([hair.faces, hair.uv_faces], axis=-1).reshape(-1, 2)
    corners, faces = np.unique(pairs, axis=0, return_inverse=True)
    return faces.reshape(-1, 3), corners


def _texture(folder: Path, cards: Mesh) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(S,S) grey with mean 1 where it is opaque, and alpha 0..1."""
    import cv2

    path = folder / f"{folder.name}_diffuse.png"
    if not path.is_file():
        return strand_picture(folder.name, cards)
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ModelFileError(f"The picture {path} is damaged.", "Fetch MakeHuman's CC0 assets again.")
    linear = (picture[..., :3].astype(np.float32) / 255) ** 2.2
    luminance = linear @ np.array([0.0722, 0.7152, 0.2126], np.float32)
    alpha = picture[..., 3].astype(np.float32) / 255 if picture.shape[2] == 4 else np.ones_like(luminance)
    solid = alpha > OPAQUE
    # The same light on all parts: what is painted in broad strokes is light, and the renderer has its own.
    broad = cv2.GaussianBlur(luminance * solid, (0, 0), 60) / np.maximum(
        cv2.GaussianBlur(solid.astype(np.float32), (0, 0), 60), 1e-3
    )
    detail = np.clip(luminance / np.maximum(broad, 0.2 * float(luminance[solid].mean()) + 1e-5), 0.05, 4) ** CONTRAST
    return detail / float(detail[solid].mean()), alpha


def cut_out(cards: Mesh, grey: NDArray, alpha: NDArray, coarse: float) -> Mesh:
    """What is opaque of cards with texture coordinates, as a finer mesh with one grey value a vertex."""
    footprint = _texels(cards, len(alpha)) * FINE / 2
    soft_alpha, soft_grey = _blurred(alpha, footprint), _blurred(grey, footprint)
    fine = max(FINE, coarse / 2.5)
    mesh = cards
    for _ in range(12):
        lengths = edge_lengths(mesh)
        inside = _sample(soft_alpha, mesh.values)
        ends = np.stack([inside[mesh.faces], np.roll(inside[mesh.faces], -1, 1)], -1)
        middle_uv = (mesh.values[mesh.faces] + mesh.values[np.roll(mesh.faces, -1, 1)]) / 2
        middle = _sample(soft_alpha, middle_uv.reshape(-1, 2)).reshape(-1, 3)
        mixed = (np.minimum(ends.min(-1), middle) < OPAQUE + 0.15) & (np.maximum(ends.max(-1), middle) > OPAQUE - 0.15)
        split = (lengths > coarse) & (np.maximum(ends.max(-1), middle) > OPAQUE - 0.3) | (lengths > fine) & mixed
        split |= lengths > 4 * coarse
        if not split.any():
            break
        mesh = split_edges(mesh, split)
        seen = _sample(soft_alpha, mesh.values)[mesh.faces].max(axis=1) > OPAQUE / 3
        mesh = used(mesh, seen | (edge_lengths(mesh).max(axis=1) > coarse))
    mesh = cut(mesh, _sample(soft_alpha, mesh.values) - OPAQUE)
    seen = _sample(soft_grey, mesh.values)
    return mesh.with_values(np.clip(seen / seen.mean(), *GREYS))


def _texels(cards: Mesh, size: int) -> float:
    """Texels per metre of the texture, in the median."""
    corners, uv = cards.vertices[cards.faces], cards.values[cards.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    one, two = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    return size * float(
        np.sqrt(np.median(np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / np.maximum(area, 1e-12)))
    )


def _blurred(picture: NDArray, radius: float) -> NDArray[np.float32]:
    import cv2

    return np.asarray(cv2.GaussianBlur(picture.astype(np.float32), (0, 0), max(radius / 2, 0.3)))


def _sample(picture: NDArray, uv: NDArray) -> NDArray[np.float64]:
    """(N,) bilinear values at texture coordinates (N,2)."""
    import cv2

    size = len(picture)
    x = (uv[:, 0] * picture.shape[1] - 0.5).astype(np.float32)
    y = ((1 - uv[:, 1]) * size - 0.5).astype(np.float32)
    parts = [
        cv2.remap(
            picture, x[i : i + 32_000, None], y[i : i + 32_000, None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        for i in range(0, len(uv), 32_000)
    ]
    return np.concatenate(parts)[:, 0].astype(np.float64)
