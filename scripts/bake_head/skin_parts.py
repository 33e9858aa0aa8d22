"""Colours everything but the outer skin: eyes from MakeHuman's eye texture, mouth, teeth, tongue and lashes by rule."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from engine.heads.model import HeadModel
from engine.render.lighting import srgb_to_linear
from engine.texture.surface import UvSurface

from .eyes import IRIS_DISC
from .opening import boundary_loops

EYE_FILE = "eyes/materials/brownlight_eye.png"
EYE_CENTRE, EYE_IRIS, EYE_RIM = (724.0, 304.0), 117.0, 280.0
"""In that picture, texels: centre of the upper eye, radius of its iris and of its painted ball."""
WHITE = (0.60, 0.545, 0.50)
"""Linear albedo of the sclera beside the iris."""
IRIS = (0.115, 0.062, 0.034)
"""Mean linear albedo of the iris: mid-brown."""
CORNER = (0.46, 0.22, 0.19)
MOUTH, THROAT = (0.26, 0.075, 0.062), (0.045, 0.009, 0.007)
LID = (0.42, 0.235, 0.16)
INNER_LIP = (0.34, 0.115, 0.10)
LIP_ROWS, LID_ROWS = (1.0, 3.0), (3.0, 5.0)
"""Rows of vertices from the opening up to which lips and lids are wholly wet, and from which not at all."""
FARTHEST = 6
SOCKET = (0.36, 0.16, 0.13)
TONGUE = (0.40, 0.15, 0.135)
TOOTH_EDGE, TOOTH_BODY, TOOTH_NECK = (0.60, 0.58, 0.54), (0.70, 0.635, 0.53), (0.60, 0.49, 0.36)
GUM, GUM_DEEP = (0.42, 0.165, 0.155), (0.27, 0.075, 0.07)
GLOOM_START, GLOOM_END, GLOOM = 0.004, 0.034, 0.42
"""Light that reaches the inside of a mouth: all, until so far behind the teeth, metres, then down to a share."""
LASH = (0.012, 0.009, 0.008)


def paint_parts(
    linear: NDArray[np.float32],
    head: HeadModel,
    surface: UvSurface,
    tones: NDArray[np.float32],
    materials: Path,
) -> NDArray[np.float32]:
    """The picture with everything but the outer skin painted.

    Args:
        linear: (S,S,3) linear albedo with the skin painted.
        head: the baked head.
        surface: its UV square.
        tones: (V,2) of `Part.tone`.
        materials: folder of MakeHuman's materials.
    """
    places = surface.gather(head.vertices, head.faces)
    tone = surface.gather(tones, head.faces)
    flat = linear[surface.mask]
    slots = head.face_materials[surface.faces]
    for number, name in enumerate(head.material_names):
        chosen = slots == number
        if name.startswith("eye"):
            flat[chosen] = _eye(disc_places(head, surface, name, chosen), materials / EYE_FILE)
        elif name == "lashes":
            flat[chosen] = LASH
        elif name == "tongue":
            flat[chosen] = _tongue(head, places[chosen])
        elif name == "teeth":
            flat[chosen] = _teeth(tone[chosen], _gloom(head, places[chosen]))
    inner = (slots == head.material_names.index("skin")) & ~outer_triangles(head)[surface.faces]
    flat[inner] = _lining(head, places[inner])
    return surface.picture(flat)


def paint_rims(linear: NDArray[np.float32], head: HeadModel, surface: UvSurface) -> NDArray[np.float32]:
    """The picture with wet lid margins and inner lips: MakeHuman's skins show painted eyes and teeth there.

    Args:
        linear: (S,S,3) linear albedo of the skin.
        head: the baked head.
        surface: its UV square.
    """
    outer = outer_triangles(head)
    triangles = head.faces[outer].astype(np.int64)
    holes = sorted(boundary_loops(triangles), key=lambda loop: np.ptp(head.vertices[loop, 0]))[:-1]  # not the collar
    flat = linear[surface.mask]
    on_outer = outer[surface.faces][:, None]
    for hole in holes:
        lips = np.ptp(np.sign(head.vertices[hole, 0])) == 2
        rows, color = (LIP_ROWS, INNER_LIP) if lips else (LID_ROWS, LID)
        share = np.clip((rows[1] - _rows_from(hole, triangles, len(head.vertices))) / (rows[1] - rows[0]), 0, 1)
        weight = surface.gather(share[:, None], head.faces) * on_outer
        flat += weight * (np.array(color, np.float32) - flat)
    return surface.picture(flat)


def _rows_from(hole: NDArray[np.int64], triangles: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """(count,) edges from the nearest vertex of a hole's rim, at most `FARTHEST`."""
    edges = np.concatenate([triangles[:, [i, (i + 1) % 3]] for i in range(3)])
    rows = np.full(count, float(FARTHEST))
    rows[hole] = 0
    for row in range(FARTHEST):
        for near, far in ((0, 1), (1, 0)):
            reached = edges[rows[edges[:, near]] == row, far]
            rows[reached] = np.minimum(rows[reached], row + 1)
    return rows


def points_on_texture(head: HeadModel, numbers: tuple[int, ...], size: int) -> NDArray[np.int32]:
    """(n,2) texel columns and rows of MediaPipe points.

    Raises:
        ValueError: the head has not got one of them.
    """
    points = head.embeddings["mediapipe"]
    chosen = list(numbers)
    if not points.valid[chosen].all():
        raise ValueError("The head lacks landmarks that the base skin is painted by: measure them first.")
    uv = np.einsum("nkc,nk->nc", head.uv[head.uv_faces[points.faces[chosen]]], points.barycentrics[chosen])
    return np.round(uv * [size, -size] + [0, size]).astype(np.int32)


def disc_places(head: HeadModel, surface: UvSurface, name: str, chosen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(n,2) place of an eyeball's texels in its unit disc, pupil at 0, seen from in front with +x to the right.

    Args:
        chosen: (N,) texels of the eyeball.
    """
    first = int(np.flatnonzero(head.regions[name])[0])
    triangles = head.face_materials == head.material_names.index(name)
    corners = head.uv[head.uv_faces[triangles]]
    centre = corners[head.faces[triangles] == first][0]
    radius = np.linalg.norm(corners - centre, axis=-1).max()
    rows, columns = np.nonzero(surface.mask)
    place = np.stack([(columns[chosen] + 0.5) / surface.size, 1 - (rows[chosen] + 0.5) / surface.size], axis=1)
    return ((place - centre) / radius).astype(np.float32)


def outer_triangles(head: HeadModel) -> NDArray[np.bool_]:
    """(F,) triangles of the largest UV island: the skin that is seen from outside."""
    edges = head.uv_faces[:, [0, 1, 1, 2]].reshape(-1, 2)
    count = len(head.uv)
    graph = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    label = connected_components(graph, directed=False)[1][head.uv_faces[:, 0]]
    return label == np.bincount(label).argmax()


def _eye(place: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    """(n,3) linear albedo at places of the disc."""
    picture = srgb_to_linear(cv2.imread(str(path))[..., ::-1]).astype(np.float32)
    radius = np.linalg.norm(place, axis=1)
    there = np.interp(radius, [0, IRIS_DISC, 1], [0, EYE_IRIS, EYE_RIM]) / np.maximum(radius, 1e-6)
    at = (place * [1, -1] * there[:, None] + EYE_CENTRE).astype(np.float32)
    color = _sample(picture, at)
    inside = radius < IRIS_DISC * 0.96
    ring = inside & (radius > 0.4 * IRIS_DISC)
    beside = (radius > 1.15 * IRIS_DISC) & (radius < 1.5 * IRIS_DISC)
    blend = np.clip((radius / IRIS_DISC - 0.96) / 0.08, 0, 1)[:, None]
    iris = color * (np.array(IRIS) / color[ring].mean(axis=0))
    white = color * (np.array(WHITE) / color[beside].mean(axis=0))
    pink = np.clip((np.abs(place[:, 0]) - 0.62) / 0.3, 0, 1)[:, None] ** 1.5 * 0.75
    white = (white + pink * (np.array(CORNER) - white)) * (1 - _lid_shade(place))
    return np.clip(iris + blend * (white - iris), 0.002, 1).astype(np.float32)


def _lid_shade(place: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,1) share of the light that the lids keep off the white: most above, some in the corners."""
    above = np.clip((place[:, 1:] - 0.12) / 0.5, 0, 1)
    beside = np.clip((np.abs(place[:, :1]) - 0.55) / 0.35, 0, 1)
    return (0.3 * above + 0.3 * beside).astype(np.float32)


def _sample(picture: NDArray[np.float32], at: NDArray[np.float32], width: int = 512) -> NDArray[np.float32]:
    """(n,3) the picture at (n,2) places x, y. In rows of `width`, since OpenCV's maps are limited in size."""
    rows = -(-len(at) // width)
    grid = np.zeros((rows * width, 2), np.float32)
    grid[: len(at)] = at
    return cv2.remap(picture, grid.reshape(rows, width, 2), None, cv2.INTER_CUBIC).reshape(-1, 3)[: len(at)]


def _gloom(head: HeadModel, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,1) share of the light that reaches places (n,3) between the lips, by their depth."""
    depth = head.vertices[head.regions["teeth"], 2].max() - places[:, 2:3]
    share = np.clip((depth - GLOOM_START) / (GLOOM_END - GLOOM_START), 0, 1)
    return (1 - (1 - GLOOM) * share * share * (3 - 2 * share)).astype(np.float32)


def _teeth(tone: NDArray[np.float32], gloom: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,3) linear albedo of enamel and gum from their tones, see `teeth` and `tooth`."""
    level, beside = tone[:, :1], tone[:, 1:]
    edge = np.clip(1 - level / 0.22, 0, 1)
    neck = np.clip((level - 0.55) / 0.5, 0, 1) ** 1.3
    enamel = np.array(TOOTH_BODY) * (1 - edge - neck) + np.array(TOOTH_EDGE) * edge + np.array(TOOTH_NECK) * neck
    enamel = enamel * (1 - 0.45 * np.clip(beside, 0, 1) ** 2)
    gum = np.array(GUM) + np.clip(beside, 0, 1) ** 0.7 * (np.array(GUM_DEEP) - np.array(GUM))
    return (np.where(level >= 1.5, gum, enamel) * gloom).astype(np.float32)


def _tongue(head: HeadModel, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,3) pink, with a furrow along the middle and fine papillae."""
    furrow = np.exp(-((places[:, :1] / 0.0016) ** 2))
    grain = np.sin(places * [9100.0, 8300.0, 7700.0] + [0.3, 1.7, 4.1]).prod(axis=1, keepdims=True)
    return (np.array(TONGUE) * (1 - 0.22 * furrow + 0.05 * grain) * _gloom(head, places)).astype(np.float32)


def _lining(head: HeadModel, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,3) of the mouth's inside, darker towards the throat, and of the eye sockets.

    Args:
        places: (n,3) metres.
    """
    lips = head.vertices[head.regions["lips"]]
    socket = places[:, 1] > lips[:, 1].max() + 0.02
    depth = np.clip((lips[:, 2].mean() - 0.004 - places[:, 2]) / 0.035, 0, 1)[:, None]
    lining = np.array(MOUTH) * (1 - depth) + np.array(THROAT) * depth
    return np.where(socket[:, None], np.array(SOCKET), lining).astype(np.float32)
