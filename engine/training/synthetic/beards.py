"""Beards: a thin shell and short strands on chin, cheeks and lip. Stubble is the skin texture's business."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ...heads.model import HeadModel
from .groom import Growth, Roots, at, grow, ribbons, scatter
from .hair import GREYS, smooth_noise
from .propmesh import Mesh, cut, follow, join, make_prop, split_edges, used, vertex_normals
from .scalp import smooth_skin
from .scene import Prop

KINDS = ("full", "boxed", "goatee", "moustache", "circle", "chin strap", "long", "chops")
EDGE = 0.003
MOUTH = np.array([0.0, -0.031, 0.1])
SIDEBURN = -0.005
"""Beards reach back to here, metres along the depth axis."""


@dataclass(frozen=True)
class Beard:
    """One beard: its kind, length in metres, share of skin that it covers, and number of strands."""

    kind: str
    length: float
    density: float
    strands: int


def beard_styles(head: HeadModel, rng: np.random.Generator) -> list[Prop]:
    """One beard of each of `KINDS`."""
    return [beard(head, rng, kind) for kind in KINDS]


def beard(head: HeadModel, rng: np.random.Generator, kind: str | None = None) -> Prop:
    """A beard on the mean head, grey with mean 1, that goes along with jaw and lips.

    Args:
        kind: one of `KINDS`, None for a random one.
    """
    style = draw_beard(rng, kind)
    skin = _face_skin(head)
    inside = cover(head, skin.vertices, style.kind, rng)
    shell = _shell(skin, inside, style, rng)
    strands, roots = _strands(head, skin, inside, style, rng)
    mesh = join([shell, strands])
    mesh = mesh.with_values(np.clip(mesh.values / mesh.values.mean(), *GREYS))
    anchors, weights = follow(head, np.concatenate([shell.vertices, roots]), _bearded(head))
    return make_prop(f"beard:{style.kind}", "hair", mesh, anchors, weights, gloss=0.1)


def draw_beard(rng: np.random.Generator, kind: str | None = None) -> Beard:
    """Random measures of a kind."""
    kind = str(rng.choice(KINDS)) if kind is None else kind
    length = {"long": rng.uniform(0.04, 0.09), "full": rng.uniform(0.01, 0.03)}.get(kind, rng.uniform(0.004, 0.014))
    strands = {"moustache": 500, "goatee": 900, "circle": 1100, "long": 2200}.get(kind, 1800)
    return Beard(kind, float(length), float(rng.uniform(0.75, 1.0)), strands)


@lru_cache(maxsize=2)
def _face_skin(head: HeadModel) -> Mesh:
    """The lower face and throat in triangles of `EDGE`, with normals as values."""
    mesh = smooth_skin(head)
    low = mesh.vertices[mesh.faces]
    mesh = used(mesh, ((low[..., 1] < 0.045) & (low[..., 1] > -0.12) & (low[..., 2] > SIDEBURN - 0.01)).all(axis=1))
    for _ in range(3):
        corners = mesh.vertices[mesh.faces]
        mesh = split_edges(mesh, np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2) > 1.35 * EDGE)
    return mesh.with_values(vertex_normals(mesh.vertices, mesh.faces))


@lru_cache(maxsize=2)
def _bearded(head: HeadModel) -> NDArray[np.int64]:
    """Skin vertices that a beard may go along with."""
    hidden = head.regions["eye_sockets"] | head.regions["inner_mouth"] | head.regions["lips"] | head.regions["ears"]
    return np.flatnonzero(head.regions["skin"] & ~hidden & (head.vertices[:, 1] < 0.06))


def cover(head: HeadModel, points: NDArray, kind: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """(N,) metres that points of the skin lie inside the beard, negative outside."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    to_lips, _ = KDTree(_filled(head, "lips")).query(points)
    lower = rng.normal(0, 0.004)
    cheek_line = np.interp(x, [0.0, 0.022, 0.034, 0.048, 0.06, 0.067], [-0.018, -0.018, -0.024, -0.02, -0.004, 0.016])
    throat = np.interp(z, [-0.01, 0.0, 0.02, 0.05, 0.08], [-0.03, -0.042, -0.066, -0.094, -0.1])
    beard_area = np.minimum(np.minimum(cheek_line - lower - y, y - throat), z - SIDEBURN)
    corner = np.maximum(x - 0.02, 0)
    upper_lip = np.minimum(np.minimum(-0.0055 - 0.3 * x - y, y + 0.031 + 1.2 * corner), 0.033 - x)
    chin = np.minimum(0.027 - x, beard_area)
    around = np.minimum(np.minimum(0.034 - x, beard_area), 0.02 - to_lips)
    jaw = np.minimum(beard_area, np.minimum(y - throat, throat + 0.028 - y + 0.25 * np.maximum(z - 0.05, 0)))
    ways = {
        "full": np.maximum(beard_area, upper_lip),
        "long": np.maximum(beard_area, upper_lip),
        "boxed": np.maximum(np.minimum(beard_area - 0.004, y - throat - 0.012), upper_lip),
        "goatee": np.minimum(chin, -0.044 - y),
        "moustache": upper_lip,
        "circle": np.maximum(np.maximum(around, np.minimum(chin, -0.044 - y)), upper_lip),
        "chin strap": jaw,
        "chops": np.maximum(np.minimum(beard_area, x - 0.036), upper_lip if rng.random() < 0.5 else -1),
    }
    to_mouth = np.hypot(np.maximum(x - 0.02, 0), y - MOUTH[1])
    inside = np.minimum(ways[kind], np.minimum(to_lips - 0.0018, to_mouth - 0.007))
    return inside + 0.001 * smooth_noise(points, 0.006, rng) + 0.0008 * smooth_noise(points, 0.0025, rng)


def _filled(head: HeadModel, region: str) -> NDArray[np.float64]:
    """(N,3) points all over a region's faces, no more than some 2 mm apart."""
    corners = head.vertices[head.faces[head.regions[region][head.faces].all(axis=1)]].astype(np.float64)
    shares = np.array([(i, j, 4 - i - j) for i in range(5) for j in range(5 - i)]) / 4
    return np.einsum("sc,fck->fsk", shares, corners).reshape(-1, 3)


def _shell(skin: Mesh, inside: NDArray, style: Beard, rng: np.random.Generator) -> Mesh:
    """Closed towards the middle, broken by noise towards the edge."""
    thick = min(0.35 * style.length, 0.009)
    rim = np.clip(inside / ((0.002 if style.kind == "moustache" else 0.004) + thick), 0, 1)
    patchy = smooth_noise(skin.vertices, 0.0022, rng) + 0.6 * smooth_noise(skin.vertices, 0.005, rng)
    lift = 0.0005 + thick * np.sqrt(1 - (1 - rim) ** 2)
    grey = 0.85 * np.exp(0.22 * smooth_noise(skin.vertices, 0.003, rng) + 0.12 * rng.standard_normal(len(inside)))
    raised = Mesh(skin.vertices + skin.values * lift[:, None], skin.faces, grey[:, None])
    thin = 3.2 * rim - 0.9 + 1.5 * (style.density - 0.9) + 0.6 * patchy
    return cut(raised, np.minimum(np.where(rim >= 1, 1.0 if style.density > 0.85 else thin, thin), inside * 400))


def _strands(
    head: HeadModel, skin: Mesh, inside: NDArray, style: Beard, rng: np.random.Generator
) -> tuple[Mesh, NDArray[np.float64]]:
    """Strands, and the root (V,3) of the strand that each vertex belongs to."""
    pieces = 7 if style.length > 0.03 else 3
    growth = Growth(
        lift=0.35, stiffness=0.6, gravity=0.15, press=0.1, stray=0.22, pieces=pieces,
        width=0.0014 if style.length < 0.03 else 0.0026, curl=0.002 if style.length > 0.012 else 0.0, wave=0.02,
    )  # fmt: skip
    count = style.strands if pieces < 5 else style.strands * 2 // 3
    face, share = scatter(skin, (inside[skin.faces] > 0.0005).all(axis=1), count, rng)
    places, normals = at(skin.vertices, skin, face, share), at(skin.values, skin, face, share)
    depth = np.clip(at(inside, skin, face, share) / 0.012, 0.25, 1)
    chin = np.clip(1 - np.abs(places[:, 0]) / 0.06, 0.35, 1) * np.where(places[:, 1] > MOUTH[1], 0.6, 1)
    length = style.length * depth * chin * rng.uniform(0.6, 1.15, count)
    roots = Roots(places, normals, _combed, length, np.minimum(0.4 * length, 0.01))
    line = grow(head, roots, growth, rng)
    return ribbons(line, normals, growth, rng), np.repeat(places, 2 * (pieces + 1), axis=0)


def _combed(places: NDArray) -> NDArray[np.float64]:
    """(N,3) away from the middle of the mouth, and down."""
    out = places - MOUTH
    out = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
    return out * [0.7, 0.0, 0.1] + [0, -0.9, 0]
