"""Hats, scarves and bands on the head."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial import KDTree

from ...heads.model import HeadModel
from .clothing import cloth_colour, shoulders
from .hair import CENTRE, smooth_noise
from .propmesh import Mesh, coloured, cut, follow, grid_faces, join, make_prop, tube, used
from .scalp import height, outer_skin
from .scene import Prop
from .solids import ellipsoid

KINDS = ("beanie", "cap", "brimmed hat", "headscarf", "turban", "headband", "hood")
SHARES = (0.24, 0.28, 0.12, 0.14, 0.06, 0.08, 0.08)
ROWS, COLUMNS = 60, 96
COVERED = 0.04
"""Radians about each of a hat's vertices in which hair is beneath it."""
LEAST_LEFT = 0.03
"""Share of a style's triangles worth keeping under a hat."""


def hat(head: HeadModel, rng: np.random.Generator, kind: str | None = None) -> Prop:
    """Something worn on the mean head; scarf and hood are "clothes", the rest is "other".

    Args:
        kind: one of `KINDS`, None for a random one.
    """
    kind = str(rng.choice(KINDS, p=SHARES)) if kind is None else kind
    makers = {
        "beanie": _beanie, "cap": _cap, "brimmed hat": _brimmed, "headscarf": _headscarf, "turban": _turban,
        "headband": _headband, "hood": _hood,
    }  # fmt: skip
    mesh = join(makers[kind](head, rng))
    creases = np.exp(0.06 * smooth_noise(mesh.vertices, 0.015, rng) + 0.02 * rng.standard_normal(len(mesh.vertices)))
    mesh = mesh.with_values(np.clip(mesh.values * creases[:, None], 0.003, 0.85))
    region = "clothes" if kind in ("headscarf", "hood") else "other"
    return make_prop(f"hat:{kind}", region, mesh, *follow(head, mesh.vertices))


def tucked(hair: Prop, worn: Prop) -> Prop | None:
    """Hair without what would stick out through a hat, or None where nothing of note is left.

    Args:
        hair, worn: both at rest on the mean head.
    """
    directions, radii = _directions(hair.vertices)
    hat_directions, hat_radii = _directions(worn.vertices)
    distance, nearest = KDTree(hat_directions).query(directions, 3, distance_upper_bound=COVERED)
    # Of a brim's two sides and folds the inmost counts.
    inmost = np.append(hat_radii, np.inf)[nearest].min(axis=1)
    outside = np.isfinite(distance[:, 0]) & (radii > inmost - 0.003)
    keep = ~outside[hair.faces].any(axis=1)
    if worn.name == "hat:headscarf" or keep.mean() < LEAST_LEFT:
        return None
    index = np.unique(hair.faces[keep])
    number = np.zeros(len(hair.vertices), np.int32)
    number[index] = np.arange(len(index))
    return replace(
        hair,
        vertices=hair.vertices[index],
        faces=number[hair.faces[keep]],
        colour=hair.colour[index],
        anchors=hair.anchors[index],
        weights=hair.weights[index],
    )


def _directions(points: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,3) unit directions and (N,) distances from `CENTRE`."""
    offset = points - CENTRE
    radii = np.maximum(np.linalg.norm(offset, axis=1), 1e-9)
    return offset / radii[:, None], radii


@lru_cache(maxsize=2)
def _hull_radii(head: HeadModel) -> NDArray[np.float64]:
    """(ROWS,COLUMNS) metres from `CENTRE` to the head's smoothed outside, ears pressed in a little."""
    skin = outer_skin(head).vertices
    offset = skin - CENTRE
    radius = np.linalg.norm(offset, axis=1)
    row = (np.arccos(offset[:, 1] / radius) / np.pi * (ROWS - 1)).round().astype(int)
    column = (np.arctan2(offset[:, 0], offset[:, 2]) / (2 * np.pi) * COLUMNS).round().astype(int) % COLUMNS
    radii = np.zeros((ROWS, COLUMNS))
    above = skin[:, 1] > -0.1
    np.maximum.at(radii, (row[above], column[above]), radius[above])
    filled = maximum_filter1d(maximum_filter1d(radii, 4, axis=0, mode="nearest"), 5, axis=1, mode="wrap")
    smooth = gaussian_filter1d(gaussian_filter1d(filled, 2.0, axis=0, mode="nearest"), 2.5, axis=1, mode="wrap")
    return smooth + 0.001


def hull(head: HeadModel, lift: float) -> Mesh:
    """A closed surface `lift` metres over head and ears, with radians from straight up and around as values."""
    down = np.linspace(0, np.pi, ROWS)[:, None]
    around = np.linspace(0, 2 * np.pi, COLUMNS, endpoint=False)[None]
    ray = np.stack(np.broadcast_arrays(np.sin(down) * np.sin(around), np.cos(down), np.sin(down) * np.cos(around)), -1)
    places = CENTRE + ray * (_hull_radii(head) + lift)[..., None]
    values = np.stack(np.broadcast_arrays(down, around), axis=-1).reshape(-1, 2)
    return Mesh(places.reshape(-1, 3), grid_faces(ROWS, COLUMNS, wrap_columns=True), values)


def _rim(mesh: Mesh, front: float, back: float, sides: float | None = None) -> NDArray[np.float64]:
    """(V,) height of a rim that falls from the forehead to the nape."""
    z = np.clip((mesh.vertices[:, 2] + 0.1) / 0.2, 0, 1)
    line = back + (front - back) * z
    if sides is not None:
        line = line + (sides - (front + back) / 2) * 4 * z * (1 - z)
    return line


def _rim_line(surface: Mesh, level: NDArray, around: NDArray) -> NDArray[np.float64]:
    """(N,3) the lowest places of a `hull` where a level (V,) is above zero, at angles (N,) around."""
    places, above = surface.vertices.reshape(ROWS, COLUMNS, 3), level.reshape(ROWS, COLUMNS)
    row = np.clip(np.argmax(above < 0, axis=0), 1, ROWS - 1)
    column = np.arange(COLUMNS)
    inner, outer = above[row - 1, column], above[row, column]
    share = np.clip(inner / np.maximum(inner - outer, 1e-9), 0, 1)[:, None]
    line = places[row - 1, column] * (1 - share) + places[row, column] * share
    angle = surface.values.reshape(ROWS, COLUMNS, 2)[0, :, 1]
    return np.stack([np.interp(around, angle, line[:, k], period=2 * np.pi) for k in range(3)], axis=1)


def _beanie(head: HeadModel, rng: np.random.Generator) -> list[Mesh]:
    colour = cloth_colour(rng)
    front, back = float(rng.uniform(0.075, 0.105)), float(rng.uniform(-0.005, 0.03))
    top = hull(head, 0.006)
    loose = float(rng.uniform(0, 0.035)) * np.clip((top.vertices[:, 1] - 0.1) / 0.05, 0, 1) ** 2
    top = Mesh(top.vertices + loose[:, None] * np.array([0, 0.7, -0.7]), top.faces, top.values)
    ribs = 1 + 0.12 * np.sin(48 * top.values[:, 1:])
    level = top.vertices[:, 1] - _rim(top, front, back)
    body = cut(top.with_values(colour * ribs), level)
    cuff = hull(head, 0.0095)
    level = cuff.vertices[:, 1] - _rim(cuff, front, back)
    cuff = cut(cuff.with_values(np.concatenate([cuff.values, level[:, None]], axis=1)), level)
    cuff = cut(cuff, float(rng.uniform(0.02, 0.04)) - cuff.values[:, 2])
    return [body, coloured(cuff, colour * (1 + 0.15 * np.sin(48 * cuff.values[:, 1:2])))]


def _cap(head: HeadModel, rng: np.random.Generator) -> list[Mesh]:
    colour = cloth_colour(rng)
    second = colour if rng.random() < 0.6 else cloth_colour(rng)
    front, back = float(rng.uniform(0.088, 0.105)), float(rng.uniform(0.02, 0.045))
    crown = hull(head, 0.009)
    high = np.clip((crown.vertices[:, 1] - 0.09) / 0.05, 0, 1) * np.clip(crown.vertices[:, 2] / 0.08, 0, 1)
    crown = Mesh(crown.vertices + high[:, None] * [0, 0.012, 0.01], crown.faces, crown.values)
    panel = np.cos(crown.values[:, 1:]) > 0.55
    seams = 1 - 0.3 * (np.abs(np.sin(3 * crown.values[:, 1:])) < 0.06)
    body = cut(
        crown.with_values(np.where(panel, colour, second) * seams), crown.vertices[:, 1] - _rim(crown, front, back)
    )
    backwards = rng.random() < 0.15
    visor = _visor(head, front, back, float(rng.uniform(0.06, 0.08)), rng, second)
    button = coloured(ellipsoid(crown.vertices[0], np.array([0.007, 0.004, 0.007]), 12), second)
    parts = [body, visor, button]
    if backwards:
        parts = [body, button]
    return parts


def _visor(
    head: HeadModel, front: float, back: float, length: float, rng: np.random.Generator, colour: NDArray
) -> Mesh:
    """The peak of a cap, upper and lower side."""
    surface = hull(head, 0.009)
    rows, columns = 8, 25
    angle = np.linspace(-1.15, 1.15, columns)
    rim = _rim_line(surface, surface.vertices[:, 1] - _rim(surface, front, back), angle)
    rim = rim + np.array([0, 0.001, 0])
    out = np.linspace(0, 1, rows)[:, None, None]
    reach = length * np.sqrt(np.clip(np.cos(angle / 1.15 * np.pi / 2), 0, 1))
    bend, droop = rng.uniform(0.2, 0.5), rng.uniform(0.1, 0.45)
    step = np.stack([0.15 * np.sin(angle) * reach, -droop * reach, reach], axis=1)
    places = rim + out * step
    places[..., 1] -= bend * 0.02 * (out[..., 0] * (angle / 1.15) ** 2 * 1.5)
    below = places - [0, 0.002, 0]
    faces = grid_faces(rows, columns)
    sides = [
        Mesh(p.reshape(-1, 3), f, np.zeros((p.size // 3, 0))) for p, f in ((places, faces), (below, faces[:, ::-1]))
    ]
    return join([coloured(sides[0], colour), coloured(sides[1], colour * 0.8)])


def _brimmed(head: HeadModel, rng: np.random.Generator) -> list[Mesh]:
    colour = cloth_colour(rng)
    front, back = float(rng.uniform(0.09, 0.105)), float(rng.uniform(0.04, 0.06))
    crown = hull(head, 0.01)
    tall = float(rng.uniform(0.01, 0.045)) * np.clip((crown.vertices[:, 1] - 0.09) / 0.03, 0, 1)
    crown = Mesh(crown.vertices + tall[:, None] * [0, 1, 0], crown.faces, crown.values)
    level = crown.vertices[:, 1] - _rim(crown, front, back)
    body = cut(crown.with_values(level), level)
    ribbon = float(rng.uniform(0.012, 0.032))
    band = coloured(cut(body, ribbon - body.values[:, 0]), cloth_colour(rng))
    body = coloured(cut(body, body.values[:, 0] - ribbon), colour)
    around = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    rim = gaussian_filter1d(_rim_line(crown, level, around), 2, axis=0, mode="wrap")
    out = np.linspace(0, 1, 8)[:, None, None] * float(rng.uniform(0.045, 0.11))
    away = np.stack([np.sin(around), np.full(72, rng.uniform(-0.5, 0.1)), np.cos(around)], axis=1)
    wave = rng.uniform(0, 0.35) * np.abs(np.sin(around)) * np.linspace(0, 1, 8)[:, None] ** 2 * out[..., 0]
    brim = rim + out * away
    brim[..., 1] += wave
    faces = grid_faces(8, 72, wrap_columns=True)
    return [body, band, coloured(Mesh(brim.reshape(-1, 3), faces, np.zeros((8 * 72, 0))), colour * 0.93)]


def _face_opening(mesh: Mesh, width: float, top: float, bottom: float) -> NDArray[np.float64]:
    """(V,) metres outside of an oval that frees the face; what is behind the ears is always outside."""
    middle, half = (top + bottom) / 2, (top - bottom) / 2
    x, y, z = mesh.vertices.T
    oval = (np.sqrt((x / width) ** 2 + ((y - middle) / half) ** 2) - 1) * width
    return np.where(z > 0.0, oval, np.maximum(oval, 0.004))


def _headscarf(head: HeadModel, rng: np.random.Generator) -> list[Mesh]:
    colour = cloth_colour(rng)
    opening = float(rng.uniform(0.058, 0.068)), float(rng.uniform(0.08, 0.105)), float(rng.uniform(-0.082, -0.07))
    parts = []
    cover = hull(head, float(rng.uniform(0.006, 0.014)))
    cover = cut(cover, np.minimum(_face_opening(cover, *opening), cover.vertices[:, 1] + 0.11))
    parts.append(coloured(cover, colour))
    drape = shoulders(head, 0.016, rng, top=-0.086)
    drape = cut(drape, drape.vertices[:, 1] + float(rng.uniform(0.2, 0.3)))
    folds = 1 + 0.15 * np.sin(drape.values[:, 1:] * 9 + drape.values[:, :1] * 60)
    parts.append(coloured(drape, colour * folds))
    return [*parts, coloured(_throat(head, opening[2]), colour * 0.92)]


def _throat(head: HeadModel, bottom: float) -> Mesh:
    """Cloth from below the chin to the neck."""
    angle = np.linspace(-np.pi, np.pi, 72, endpoint=False)
    ahead = np.clip(np.cos(angle), 0, 1)
    rows = []
    for share in np.linspace(0, 1, 8):
        # From an oval round jaw and nape to one round the neck's foot.
        width = 0.079 * (1 - share) + 0.085 * share
        front = 0.092 * (1 - share) ** 1.3 + 0.05 * share
        behind = -0.098 * (1 - share) - 0.1 * share
        y = (bottom - 0.004) * ahead + (-0.07) * (1 - ahead)
        y = y * (1 - share) - 0.13 * share
        z = np.where(np.cos(angle) > 0, front * np.cos(angle), -behind * np.cos(angle))
        rows.append(np.stack([width * np.sin(angle), y, z], axis=1))
    return Mesh(np.concatenate(rows), grid_faces(8, 72, wrap_columns=True), np.zeros((8 * 72, 0)))


def _hood(head: HeadModel, rng: np.random.Generator) -> list[Mesh]:
    colour = cloth_colour(rng)
    cover = hull(head, float(rng.uniform(0.016, 0.03)))
    opening = float(rng.uniform(0.075, 0.088)), float(rng.uniform(0.105, 0.13)), -0.13
    cover = cut(cover, np.minimum(_face_opening(cover, *opening), cover.vertices[:, 1] + 0.11))
    return [coloured(cover, colour), coloured(shoulders(head, 0.014, rng, top=-0.086), colour)]


def _turban(head: HeadModel, rng: np.random.Generator) -> list[Mesh]:
    colour = cloth_colour(rng)
    front, back = float(rng.uniform(0.085, 0.1)), float(rng.uniform(0.015, 0.04))
    cap = hull(head, 0.014)
    parts = [coloured(cut(cap, cap.vertices[:, 1] - _rim(cap, front, back)), colour * 0.9)]
    around = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    for turn in range(7):
        tilt = rng.normal(0, 0.012) + (0.012 if turn % 2 else -0.012)
        slant = 0.012 + 0.008 * turn + tilt * np.sin(cap.values[:, 1])
        line = _rim_line(cap, cap.vertices[:, 1] - _rim(cap, front, back) - slant, around)
        line = gaussian_filter1d(line, 2, axis=0, mode="wrap")
        roll = tube(line, np.tile([0.011, 0.007], (72, 1)), 8, closed=True, up=np.array([0, 1.0, 0]))
        parts.append(coloured(roll, colour * rng.uniform(0.85, 1.1)))
    return parts


def _headband(head: HeadModel, rng: np.random.Generator) -> list[Mesh]:
    """A band round forehead and nape, or over the head from ear to ear."""
    colour = cloth_colour(rng)
    band = hull(head, float(rng.uniform(0.006, 0.012)))
    width = float(rng.uniform(0.008, 0.035))
    if rng.random() < 0.5:
        # The hull goes over the ears; a band lies against the head.
        above, normal = height(head, band.vertices)
        band = Mesh(
            band.vertices - normal * (above - float(rng.uniform(0.01, 0.015)))[:, None], band.faces, band.values
        )
        middle = band.vertices[:, 2] - float(rng.uniform(0.0, 0.03)) - 0.15 * (band.vertices[:, 1] - 0.1)
        return [coloured(cut(band, np.minimum(width / 2 - np.abs(middle), band.vertices[:, 1] - 0.045)), colour)]
    level = band.vertices[:, 1] - _rim(band, float(rng.uniform(0.085, 0.11)), float(rng.uniform(0.0, 0.04)))
    return [coloured(used(cut(band, np.minimum(level, width - level))), colour)]
