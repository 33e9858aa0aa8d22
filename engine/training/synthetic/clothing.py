"""Clothes round the neck: T-shirts, shirts, suits, turtlenecks, hoods of jumpers, on shoulders that the bust lacks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ...heads.model import HeadModel
from .hair import smooth_noise
from .propmesh import Mesh, coloured, cut, follow, grid_faces, join, make_prop, tube
from .scalp import lifted
from .scene import Prop
from .solids import ellipsoid

KINDS = ("t-shirt", "v-neck", "shirt", "open shirt", "suit", "turtleneck", "jumper", "hoodie")
SHARES = (0.27, 0.1, 0.14, 0.12, 0.15, 0.08, 0.08, 0.06)
TORSO = np.array([
    # height, half width, half depth, middle depth
    [-0.060, 0.060, 0.062, -0.012], [-0.085, 0.066, 0.062, -0.020], [-0.100, 0.079, 0.063, -0.026],
    [-0.112, 0.104, 0.066, -0.030], [-0.124, 0.136, 0.072, -0.032], [-0.136, 0.166, 0.078, -0.034],
    [-0.150, 0.188, 0.084, -0.036], [-0.170, 0.206, 0.093, -0.037], [-0.200, 0.222, 0.106, -0.036],
    [-0.250, 0.236, 0.122, -0.032], [-0.320, 0.240, 0.130, -0.028], [-0.420, 0.236, 0.130, -0.028],
])  # fmt: skip
"""Cross-sections of neck and shoulders, metres in head space."""
AROUND = 120
SQUARE = 2.5
"""Power of the sections' outline: shoulders are squarer than an ellipse."""
NECK = 0.072
"""Half the width of a neckline, metres."""
CLOTH = np.array([
    [0.75, 0.74, 0.72], [0.60, 0.60, 0.60], [0.015, 0.015, 0.016], [0.030, 0.032, 0.036], [0.140, 0.140, 0.145],
    [0.012, 0.020, 0.060], [0.040, 0.075, 0.190], [0.200, 0.330, 0.520], [0.300, 0.018, 0.022], [0.120, 0.012, 0.025],
    [0.030, 0.090, 0.045], [0.090, 0.100, 0.050], [0.480, 0.360, 0.200], [0.230, 0.120, 0.060], [0.600, 0.420, 0.060],
    [0.520, 0.200, 0.240], [0.160, 0.060, 0.200], [0.050, 0.230, 0.230],
])  # fmt: skip


@dataclass(frozen=True)
class _Drawn:
    """What a garment is made with: the head, randomness and the width of this person's shoulders (share)."""

    head: HeadModel
    rng: np.random.Generator
    broad: float

    def surface(self, lift: float) -> Mesh:
        """A closed layer `lift` metres over neck and shoulders, with height and angle as values.

        Angles are radians from straight ahead.
        """
        table = TORSO * [1, self.broad, 1, 1]
        heights = np.concatenate([np.linspace(-0.06, -0.2, 42), np.linspace(-0.206, -0.42, 30)])
        width, depth, middle = (np.interp(heights, table[::-1, 0], table[::-1, i]) for i in (1, 2, 3))
        power = np.interp(heights, [-0.2, -0.12, -0.09], [SQUARE, 2.2, 2.0])[:, None]
        angle = np.linspace(-np.pi, np.pi, AROUND, endpoint=False)[None]
        u = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / power)
        v = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / power)
        y = np.broadcast_to(heights[:, None], u.shape)
        z = middle[:, None] + (depth[:, None] + lift) * v
        places = np.stack([(width[:, None] + lift) * u, y, z], axis=-1).reshape(-1, 3)
        near = places[:, 1] > -0.19
        raised = places.copy()
        raised[near] = lifted(self.head, places[near], lift)
        shift = (raised - places).reshape(len(heights), AROUND, 3)
        smooth = gaussian_filter1d(gaussian_filter1d(shift, 2, axis=0, mode="nearest"), 2, axis=1, mode="wrap")
        places = np.where(near[:, None], raised, places + smooth.reshape(-1, 3))
        values = np.stack([y.ravel(), np.broadcast_to(angle, u.shape).ravel()], axis=1)
        return Mesh(places, grid_faces(len(heights), AROUND, wrap_columns=True), values)

    def ring(self, height: NDArray, lift: float) -> NDArray[np.float64]:
        """(N,3) points round the neck at heights (N,), one per angle from behind the right shoulder round the front."""
        angle = np.linspace(-np.pi, np.pi, len(height), endpoint=False)
        width, depth, middle = (np.interp(height, TORSO[::-1, 0], TORSO[::-1, i]) for i in (1, 2, 3))
        places = np.stack([(width + lift) * np.sin(angle), height, middle + (depth + lift) * np.cos(angle)], axis=1)
        return lifted(self.head, places, lift)


def collar(head: HeadModel, rng: np.random.Generator, kind: str | None = None) -> Prop:
    """Clothes on neck and shoulders of the mean head.

    Args:
        kind: one of `KINDS`, None for a random one.
    """
    kind = str(rng.choice(KINDS, p=np.array(SHARES) / sum(SHARES))) if kind is None else kind
    drawn = _Drawn(head, rng, float(rng.uniform(0.92, 1.1)))
    makers = {
        "t-shirt": _t_shirt, "v-neck": _v_neck, "shirt": _shirt, "open shirt": _open_shirt, "suit": _suit,
        "turtleneck": _turtleneck, "jumper": _jumper, "hoodie": _hoodie,
    }  # fmt: skip
    mesh = join(makers[kind](drawn))
    creases = (
        1 + 0.07 * smooth_noise(mesh.vertices * [1, 0.6, 1], 0.02, rng) + 0.02 * rng.standard_normal(len(mesh.vertices))
    )
    mesh = mesh.with_values(np.clip(mesh.values * creases[:, None], 0.003, 0.85))
    return make_prop(f"collar:{kind}", "clothes", mesh, *follow(head, mesh.vertices))


def cloth_colour(rng: np.random.Generator) -> NDArray[np.float64]:
    """(3,) linear albedo of some cloth."""
    return np.clip(
        CLOTH[rng.integers(len(CLOTH))] * np.exp(rng.normal(0, 0.3)) * np.exp(rng.normal(0, 0.12, 3)), 0.004, 0.8
    )


def _pattern(mesh: Mesh, colour: NDArray, rng: np.random.Generator) -> Mesh:
    """The mesh in plain cloth, stripes, checks or a print."""
    kind = rng.choice(["plain", "stripes", "checks", "print"], p=[0.68, 0.13, 0.1, 0.09])
    x, y, z = mesh.vertices.T
    size = rng.uniform(0.025, 0.06)
    share = {
        "plain": np.zeros(len(x)),
        "stripes": np.sin(2 * np.pi * (y if rng.random() < 0.6 else x) / size) > 0.2,
        "checks": 0.5 * ((np.sin(2 * np.pi * y / size) > 0) + 0.0 + (np.sin(2 * np.pi * (x + 0.3 * z) / size) > 0)),
        "print": smooth_noise(mesh.vertices, size / 3, rng) > 0.8,
    }[str(kind)][:, None]
    return coloured(mesh, colour * (1 - share) + cloth_colour(rng) * share)


@dataclass(frozen=True)
class _Opening:
    """The edge of a neckline: its height at the sides, in front and behind; 1 makes a V of it, 2 a round."""

    sides: float
    front: float
    back: float
    power: float = 2.0

    def edge(self, mesh: Mesh) -> NDArray[np.float64]:
        """(V,) height of the edge for each vertex."""
        ahead = np.cos(mesh.values[:, 1])
        inwards = 1 - np.minimum(np.abs(mesh.vertices[:, 0]) / NECK, 1) ** self.power
        before = self.sides + (self.front - self.sides) * inwards
        return np.where(ahead > 0, before, self.sides + (self.back - self.sides) * ahead**2)

    def cut(self, cloth: Mesh) -> Mesh:
        """The cloth below the edge."""
        return cut(cloth, self.edge(cloth) - cloth.values[:, 0])

    def hem(self, cloth: Mesh, width: float, colour: NDArray) -> Mesh:
        """A band of the cloth along the edge."""
        outer = self.cut(cloth)
        # The shoulders lie flatter than chest and back: a band as wide is less high there.
        flat = 0.35 + 0.65 * np.cos(outer.values[:, 1]) ** 2
        return coloured(cut(outer, outer.values[:, 0] - self.edge(outer) + width * flat), colour)


def _t_shirt(drawn: _Drawn) -> list[Mesh]:
    rng, colour = drawn.rng, cloth_colour(drawn.rng)
    neck = _Opening(
        float(rng.uniform(-0.112, -0.103)), float(rng.uniform(-0.165, -0.135)), float(rng.uniform(-0.098, -0.09))
    )
    trim = colour * rng.uniform(0.7, 1.0) if rng.random() < 0.8 else cloth_colour(rng)
    hem = neck.hem(drawn.surface(0.006), float(rng.uniform(0.008, 0.016)), trim)
    return [_pattern(neck.cut(drawn.surface(0.004)), colour, rng), hem]


def _v_neck(drawn: _Drawn) -> list[Mesh]:
    rng, colour = drawn.rng, cloth_colour(drawn.rng)
    neck = _Opening(-0.107, float(rng.uniform(-0.24, -0.18)), -0.094, power=1.0)
    hem = neck.hem(drawn.surface(0.006), 0.014, colour * 0.85)
    return [_pattern(neck.cut(drawn.surface(0.004)), colour, rng), hem]


def _jumper(drawn: _Drawn) -> list[Mesh]:
    colour = cloth_colour(drawn.rng)
    cloth = coloured(_Opening(-0.099, -0.128, -0.088).cut(drawn.surface(0.007)), colour)
    knit = np.exp(0.1 * drawn.rng.standard_normal((len(cloth.vertices), 1)))
    heights = np.where(
        np.cos(_angles()) > 0, -0.099 - 0.027 * np.cos(_angles()) ** 2, -0.099 + 0.012 * np.cos(_angles()) ** 2
    )
    roll = tube(
        drawn.ring(heights, 0.008), np.tile([0.009, 0.006], (AROUND, 1)), 8, closed=True, up=np.array([0, 1.0, 0])
    )
    return [coloured(cloth, cloth.values * knit), coloured(roll, colour * 0.9)]


def _turtleneck(drawn: _Drawn) -> list[Mesh]:
    colour = cloth_colour(drawn.rng)
    top = float(drawn.rng.uniform(-0.092, -0.08))
    cloth = coloured(_Opening(top, top - 0.01, top + 0.012).cut(drawn.surface(0.005)), colour)
    rolls = []
    for k, row in enumerate(np.linspace(0.0, 0.024, 4)):
        heights = top - row - 0.01 * np.clip(np.cos(_angles()), 0, 1) + 0.012 * np.clip(-np.cos(_angles()), 0, 1)
        size = np.tile([0.0075, 0.0055], (AROUND, 1))
        roll = tube(drawn.ring(heights, 0.007 + 0.001 * (k % 2)), size, 6, closed=True, up=np.array([0, 1.0, 0]))
        rolls.append(coloured(roll, colour * drawn.rng.uniform(0.88, 1.05)))
    return [cloth, *rolls]


def _angles(count: int = AROUND) -> NDArray[np.float64]:
    return np.linspace(-np.pi, np.pi, count, endpoint=False)


def _shirt(drawn: _Drawn, colour: NDArray | None = None, gap: float | None = None) -> list[Mesh]:
    """A shirt whose collar stands round the neck and folds down, `gap` radians open in front."""
    rng = drawn.rng
    colour = (np.array([0.7, 0.7, 0.7]) if rng.random() < 0.4 else cloth_colour(rng)) if colour is None else colour
    plain = gap is not None
    gap = float(rng.uniform(0.12, 0.3)) if gap is None else gap
    front = -0.125 - 0.16 * max(gap - 0.25, 0)
    body = _Opening(-0.1, front, -0.09, power=1.0).cut(drawn.surface(0.004))
    cloth = coloured(body, colour) if plain else _pattern(body, colour, rng)
    return [cloth, *_folded_collar(drawn, colour, gap, front), *_buttons(drawn, colour, front)]


def _open_shirt(drawn: _Drawn) -> list[Mesh]:
    return _shirt(drawn, gap=float(drawn.rng.uniform(0.4, 0.7)))


def _folded_collar(drawn: _Drawn, colour: NDArray, gap: float, front: float) -> list[Mesh]:
    """The collar's stand and its leaf."""
    count = 64
    angle = np.linspace(gap, 2 * np.pi - gap, count)
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    around = (angle + np.pi) / (2 * np.pi) * AROUND
    ahead = np.cos(angle)
    inwards = 1 - np.minimum(np.abs(0.066 * np.sin(angle)) / NECK, 1)
    base = np.where(ahead > 0, -0.1 + (front + 0.1) * inwards, -0.1 + 0.01 * ahead**2) + 0.003
    top = base + 0.033 - 0.009 * np.clip(ahead, 0, 1)
    point = np.exp(-(((np.abs(np.pi - np.linspace(gap, 2 * np.pi - gap, count)) - (np.pi - gap)) / 0.35) ** 2))
    leaf = top - 0.036 - float(drawn.rng.uniform(0.012, 0.035)) * point

    def ring(heights: NDArray, lift: float) -> NDArray[np.float64]:
        full = np.interp(_angles(), np.sort(angle), heights[np.argsort(angle)], period=2 * np.pi)
        whole = drawn.ring(full, lift)
        return np.stack([np.interp(around, np.arange(AROUND), whole[:, k], period=AROUND) for k in range(3)], axis=1)

    stand = np.stack([ring(base, 0.0045), ring((base + top) / 2, 0.006), ring(top, 0.008)])
    leaf_rows = np.stack(
        [ring(top, 0.008), ring(top - 0.004, 0.013), ring((top + leaf) / 2, 0.014), ring(leaf, 0.0125)]
    )
    parts = []
    for rows, shade in ((stand, 0.85), (leaf_rows, 1.0)):
        faces = grid_faces(len(rows), count)
        parts.append(coloured(Mesh(rows.reshape(-1, 3), faces, np.zeros((rows.size // 3, 0))), colour * shade))
    return parts


def _buttons(drawn: _Drawn, colour: NDArray, front: float) -> list[Mesh]:
    surface = drawn.surface(0.0055)
    parts = []
    for row in np.arange(front - 0.02, -0.4, -0.075):
        nearest = np.argmin(np.abs(surface.values[:, 0] - row) + 0.2 * np.abs(surface.values[:, 1]))
        parts.append(
            coloured(ellipsoid(surface.vertices[nearest], np.array([0.005, 0.005, 0.0015]), 10), colour * 0.6 + 0.1)
        )
    return parts


def _suit(drawn: _Drawn) -> list[Mesh]:
    """A jacket over a shirt, mostly with a tie."""
    rng = drawn.rng
    white = np.array([0.68, 0.68, 0.69]) * rng.uniform(0.75, 1.1) if rng.random() < 0.7 else cloth_colour(rng)
    colour = CLOTH[rng.choice([2, 3, 4, 5, 13, 12], p=[0.3, 0.2, 0.15, 0.2, 0.1, 0.05])] * np.exp(rng.normal(0, 0.3))
    tie = rng.random() < 0.7
    parts = _shirt(drawn, white, 0.1 if tie else float(rng.uniform(0.15, 0.4)))
    depth = float(rng.uniform(-0.4, -0.3))
    neck = _Opening(-0.108, depth, -0.096, power=1.0)
    parts.append(coloured(neck.cut(drawn.surface(0.012)), colour))
    parts.append(neck.hem(drawn.surface(0.017), float(rng.uniform(0.05, 0.08)), colour * 0.82))
    return parts + (_tie(drawn) if tie else [])


def _tie(drawn: _Drawn) -> list[Mesh]:
    colour, second = cloth_colour(drawn.rng), cloth_colour(drawn.rng)
    heights = np.concatenate([np.linspace(-0.116, -0.142, 5), np.linspace(-0.145, -0.41, 30)])
    width = np.concatenate([np.linspace(0.016, 0.0115, 5), np.linspace(0.0125, 0.034, 30)])
    surface = drawn.surface(0.008)
    front = np.abs(surface.values[:, 1]) < 0.04
    order = np.argsort(surface.values[front, 0])
    depth = np.interp(heights, surface.values[front, 0][order], surface.vertices[front, 2][order])
    depth[:5] += 0.012
    depth = np.maximum.accumulate(depth) if depth[0] < depth[-1] else depth
    path = np.stack([np.zeros(35), heights, depth], axis=1)
    mesh = tube(path, np.stack([width, np.full(35, 0.003)], axis=1), 12, up=np.array([1.0, 0, 0]))
    stripes = np.sin((mesh.vertices[:, 1] + 0.8 * mesh.vertices[:, 0]) * 2 * np.pi / 0.03) > 0.5
    stripes = (stripes & (drawn.rng.random() < 0.4))[:, None]
    return [coloured(mesh, np.where(stripes, second, colour))]


def _hoodie(drawn: _Drawn) -> list[Mesh]:
    """A jumper whose hood lies round the neck."""
    colour = cloth_colour(drawn.rng)
    body = coloured(_Opening(-0.105, -0.15, -0.09).cut(drawn.surface(0.006)), colour)
    ahead = np.cos(_angles())
    size = np.stack([0.016 + 0.014 * (1 - ahead) / 2, 0.012 + 0.012 * (1 - ahead) / 2], axis=1)
    heights = -0.1 - 0.035 * np.clip(ahead, 0, 1) ** 2 + 0.004 * (1 - ahead)
    hood = tube(drawn.ring(heights, 0.014 + 0.006), size, 12, closed=True, up=np.array([0, 1.0, 0]))
    cords = []
    for side in (-1, 1):
        y = np.linspace(-0.15, drawn.rng.uniform(-0.27, -0.2), 8)
        front = drawn.surface(0.011)
        at = [np.argmin(np.abs(front.values[:, 0] - h) + 0.2 * np.abs(front.values[:, 1] - side * 0.3)) for h in y]
        cords.append(coloured(tube(front.vertices[at], 0.0025, 6), colour * 0.5 + 0.25))
    return [body, coloured(hood, colour * 0.95), *cords]


def shoulders(head: HeadModel, lift: float, rng: np.random.Generator, top: float = -0.105) -> Mesh:
    """Plain cloth over the shoulders from a height down, with height and angle as values."""
    return _Opening(top, top - 0.01, top + 0.005).cut(_Drawn(head, rng, float(rng.uniform(0.92, 1.1))).surface(lift))
