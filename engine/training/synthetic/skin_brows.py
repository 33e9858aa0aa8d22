"""Pictures of brows: drawn hair by hair, and MakeHuman's CC0 ones, brought to the head's own brows.

A brow is first a picture seen from in front, over millimetres of the mean head, then texels of the head's UV.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .skin_places import Canvas, landmark_points, make_canvas

LEFT, RIGHT, BOTTOM, TOP = 0.004, 0.074, 0.044, 0.092
"""Metres of the mean head that a picture spans: x outwards from the midline, y."""
STEP = 0.0001
"""Metres a pixel."""
BROW_LINE = (107, 66, 105, 63, 70)
"""MediaPipe's points on top of one brow, from the nose outwards."""
BROW_FOOT = (55, 65, 52, 53, 46)
"""And below it."""
DECIMETRE = 0.1
"""MakeHuman's unit in metres."""
STROKES = 420


@dataclass(frozen=True)
class BrowBank:
    """Brows in the head's UV.

    Attributes:
        names: of each, for hold-out.
        alpha: (n,2,h,w) uint8 cover; the sides are the head's left and right.
        label: (n,2,h,w) bool, texels that a person would call brow.
        windows: (2,2) int32 first row and column of each side's window.
    """

    names: tuple[str, ...]
    alpha: NDArray[np.uint8]
    label: NDArray[np.bool_]
    windows: NDArray[np.int32]


def build_brows(canvas: Canvas, folder: Path | None, drawn: int = 30, seed: int = 3) -> BrowBank:
    """Draw brows and bring MakeHuman's to the head.

    Args:
        canvas: of the head, at the texture size.
        folder: MakeHuman's CC0 assets with `eyebrows`, or None: drawn ones only.
        drawn: how many to draw.
    """
    middle = _middle_line(canvas)
    rng = np.random.default_rng(seed)
    pictures = {f"drawn{number:02d}": _draw_pair(middle, rng) for number in range(drawn)}
    for path in sorted((folder / "eyebrows").glob("*/*.obj")) if folder else []:
        pictures[path.stem] = _makehuman_pair(path, middle)
    fine = make_canvas(canvas.head, 2 * len(canvas.covered))
    windows, shape = _windows(canvas)
    alpha = np.stack(
        [
            np.stack([_on_texture(fine, picture, side, windows[side], shape) for side, picture in enumerate(pair)])
            for pair in pictures.values()
        ]
    )
    label = np.stack([[_label(side) for side in pair] for pair in alpha])
    return BrowBank(tuple(pictures), alpha, label, windows)


def _middle_line(canvas: Canvas) -> NDArray[np.float32]:
    """(5,2) x, y along the middle of the head's left brow, from the nose outwards."""
    points = landmark_points(canvas.head)
    line = (points[list(BROW_LINE), :2] + points[list(BROW_FOOT), :2]) / 2
    line[:, 0] = np.abs(line[:, 0])
    return line


def _pixels(places: NDArray) -> NDArray:
    """(n,2) pixel x, y of places x, y in metres."""
    return np.stack([(places[:, 0] - LEFT) / STEP, (TOP - places[:, 1]) / STEP], 1)


def _blank() -> NDArray[np.uint8]:
    return np.zeros((round((TOP - BOTTOM) / STEP), round((RIGHT - LEFT) / STEP)), np.uint8)


def _draw_pair(middle: NDArray, rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """Both sides of one drawn brow: the same shape, other hairs."""
    shape = {
        "start": rng.normal(0.0145, 0.0018), "end": rng.normal(0.057, 0.0025), "lift": rng.normal(0.0, 0.0012),
        "arch": rng.normal(0.0, 0.0016), "peak": rng.uniform(0.5, 0.75), "half": rng.uniform(0.0016, 0.0048),
        "taper": rng.uniform(0.35, 0.85), "ragged": rng.uniform(0.3, 1.2), "dense": rng.uniform(0.35, 1.3),
    }  # fmt: skip
    return [_draw(middle, shape, rng) for _ in range(2)]


def _draw(middle: NDArray, shape: dict[str, float], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One brow, hair by hair: those near the nose stand up, the others lie outwards and meet along the middle."""
    import cv2

    picture = _blank()
    count = int(STROKES * shape["dense"] * (0.5 + shape["half"] / 0.004))
    along = rng.beta(1.1, 1.25, count)
    x = shape["start"] + along * (shape["end"] - shape["start"])
    curve = shape["lift"] + shape["arch"] * np.exp(-(((along - shape["peak"]) / 0.3) ** 2))
    half = shape["half"] * (1 - shape["taper"] * np.clip(along - 0.25, 0, 1) / 0.75) * np.minimum(1, 0.6 + 4 * along)
    across = np.clip(rng.normal(0, 0.5, count), -1, 1) * (1 + 0.15 * shape["ragged"] * rng.normal(0, 1, count))
    y = np.interp(x, middle[:, 0], middle[:, 1]) + curve + across * half
    slope = np.gradient(middle[:, 1], middle[:, 0])
    angle = np.arctan(np.interp(x, middle[:, 0], slope)) - 0.45 * across + 1.15 * np.exp(-along / 0.12)
    angle += rng.normal(0, 0.12 + 0.12 * shape["ragged"], count)
    length = rng.uniform(0.004, 0.0075, count) * (1 - 0.35 * along)
    for k in range(count):
        turn = angle[k] + np.linspace(0.12, -0.3, 5)
        steps = length[k] / 5 * np.stack([np.cos(turn), np.sin(turn)], 1)
        path = np.cumsum(steps, 0) - steps.sum(0) / 2 + np.array([x[k], y[k]])
        points = np.round(_pixels(path) * 16).astype(np.int32)
        cv2.polylines(picture, [points], False, int(rng.uniform(150, 255)), 1, cv2.LINE_AA, 4)
    return np.asarray(np.maximum(picture, cv2.dilate(picture, np.ones((2, 1), np.uint8)) // 2), np.uint8)


def _read_obj(path: Path) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Vertices (V,3), UV (T,2), and triangles of both, from a mesh of quads and triangles."""
    vertices, places, corners = [], [], []
    for line in path.read_text().splitlines():
        word, *rest = line.split() or [""]
        if word == "v":
            vertices.append([float(x) for x in rest[:3]])
        elif word == "vt":
            places.append([float(x) for x in rest[:2]])
        elif word == "f":
            polygon = [[int(x) - 1 for x in corner.split("/")[:2]] for corner in rest]
            corners += [[polygon[0], polygon[k], polygon[k + 1]] for k in range(1, len(polygon) - 1)]
    faces = np.array(corners, np.int64)
    return np.array(vertices), np.array(places), faces[..., 0], faces[..., 1]


def _makehuman_pair(path: Path, middle: NDArray) -> list[NDArray[np.uint8]]:
    """Both sides of one of MakeHuman's brows, its middle laid on the head's."""
    import cv2
    import torch

    from ...render.rasterize import rasterize_uv

    vertices, places, faces, place_faces = _read_obj(path)
    texture = cv2.imread(str(path.with_suffix(".png")), cv2.IMREAD_UNCHANGED)[..., 3]
    pair = []
    for sign in (1.0, -1.0):
        side = (np.sign(vertices[faces, 0]) == sign).all(1)
        flat = _pixels(vertices[:, :2] * DECIMETRE * [sign, 1] - [0, vertices[:, 1].mean() * DECIMETRE - 0.063])
        blank = _blank()
        height, width = blank.shape
        screen = torch.tensor(np.stack([flat[:, 0] / width, 1 - flat[:, 1] / height], 1), dtype=torch.float32)
        raster = rasterize_uv(screen, torch.tensor(faces[side]), (height, width))
        mask = raster.mask.numpy()
        corner = places[place_faces[side]][raster.face.numpy()[mask]]
        at = (corner * raster.barycentrics.numpy()[mask][..., None]).sum(1)
        at = (at * [1, -1] + [0, 1]) * texture.shape[::-1] - 0.5
        at = np.resize(at, (-(-len(at) // 512), 512, 2)).astype(np.float32)  # OpenCV's maps are limited in width
        values = cv2.remap(texture, at, None, cv2.INTER_LINEAR).reshape(-1)[: mask.sum()]
        blank[mask] = values
        pair.append(_lay_on(blank, middle))
    return pair


def _lay_on(picture: NDArray[np.uint8], middle: NDArray) -> NDArray[np.uint8]:
    """The picture shifted and sheared so that its hairs lie along the middle line, with their own arch."""
    import cv2

    rows, columns = np.nonzero(picture > 40)
    x, y = LEFT + columns * STEP, TOP - rows * STEP
    slope, off = np.polyfit(x - LEFT, np.interp(x, middle[:, 0], middle[:, 1]) - y, 1)
    shear = np.array([[1, 0, 0], [-slope, 1, -off / STEP]])
    return np.asarray(cv2.warpAffine(picture, shear, picture.shape[::-1]), np.uint8)


def _windows(canvas: Canvas) -> tuple[NDArray[np.int32], tuple[int, int]]:
    """First row and column (2,2) of each side's window, and the windows' common height and width."""
    rows, columns = np.nonzero(canvas.covered)
    spans = []
    for sign in (1, -1):
        seen = _in_reach(canvas, sign)
        spans.append([rows[seen].min(), columns[seen].min(), rows[seen].max() + 1, columns[seen].max() + 1])
    spans = np.array(spans)
    height, width = (spans[:, 2:] - spans[:, :2]).max(0)
    return spans[:, :2].astype(np.int32), (int(height), int(width))


def _in_reach(canvas: Canvas, sign: int) -> NDArray[np.bool_]:
    x, y, z = (canvas.rest * [sign, 1, 1]).T
    inside = (x > LEFT + 0.004) & (x < RIGHT - 0.004) & (y > BOTTOM + 0.006) & (y < TOP - 0.008)
    return inside & (z > 0.03) & canvas.outer


def _on_texture(
    fine: Canvas, picture: NDArray[np.uint8], side: int, window: NDArray[np.int32], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """(h,w) uint8 cover of the texels of a window, from a canvas of twice the size."""
    import cv2

    soft = cv2.GaussianBlur(picture, (0, 0), 1.5)
    sign = 1 - 2 * side
    seen = _in_reach(fine, sign)
    at = _pixels(fine.rest[seen, :2] * [sign, 1])
    column, row = np.round(at).astype(int).T
    flat = np.zeros(len(fine.rest), np.float32)
    flat[seen] = soft[np.clip(row, 0, soft.shape[0] - 1), np.clip(column, 0, soft.shape[1] - 1)]
    whole = np.zeros(fine.covered.shape, np.float32)
    whole[fine.covered] = flat
    part = whole[2 * window[0] : 2 * (window[0] + shape[0]), 2 * window[1] : 2 * (window[1] + shape[1])]
    small = cv2.resize(part, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.clip(np.round(small), 0, 255).astype(np.uint8)


def _label(alpha: NDArray[np.uint8]) -> NDArray[np.bool_]:
    import cv2

    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), 1.0)) > 56
