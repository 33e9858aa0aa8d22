"""Hair without assets: cuts grown on the scalp, beards, and the colours that hair has."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ...heads.model import HeadModel
from .groom import Growth, Roots, at, grow, ribbons, scatter
from .propmesh import Mesh, cut, follow, join, make_prop, split_edges, used, vertex_normals
from .scalp import smooth_skin
from .scene import Prop
from .solids import ellipsoid

CENTRE = np.array([0.0, 0.045, 0.0])
"""About the middle of the skull, metres."""
CROWN = np.array([0.012, 0.142, -0.045])
"""Whorl of the hair."""
FRONT = np.array([0.0, 0.12, 0.07])
"""Middle of the hairline."""
SHELL_EDGE = 0.0038
TRIANGLES = 34_000
GREYS = (0.3, 2.2)
"""Range of the vertices' grey."""
HAIR_COLOURS = (
    ("black", 0.30, (0.010, 0.008, 0.007), (0.022, 0.016, 0.013)),
    ("dark brown", 0.24, (0.025, 0.015, 0.010), (0.055, 0.030, 0.018)),
    ("brown", 0.16, (0.060, 0.032, 0.018), (0.140, 0.075, 0.038)),
    ("blond", 0.12, (0.200, 0.125, 0.060), (0.480, 0.350, 0.190)),
    ("red", 0.04, (0.130, 0.038, 0.014), (0.330, 0.120, 0.045)),
    ("grey", 0.08, (0.120, 0.115, 0.110), (0.320, 0.310, 0.295)),
    ("white", 0.04, (0.450, 0.440, 0.420), (0.680, 0.670, 0.640)),
    ("dyed", 0.02, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
)
"""Name, share, and linear albedo from the darkest to the fairest."""
HAIR_TOTAL = sum(colour[1] for colour in HAIR_COLOURS)


@dataclass(frozen=True)
class Cut:
    """A way to wear the hair.

    Attributes:
        top, side, back: metres, lengths.
        comb: "whorl", "back", "forward", "part" or "up".
        parting: metres to the side.
        lie: metres above the skin that hair comes to lie at: its volume.
        growth: how it behaves.
        line: metres by which the hairline is moved into the scalp: front, temples, sides, nape.
        bald: metres, half width of what is bare from the crown to the forehead.
        cover: share of `lie` that the closed shell beneath the ribbons fills.
        bumps: metres, lumps of the shell.
        count: of ribbons at most.
    """

    name: str
    top: float
    side: float
    back: float
    comb: str = "whorl"
    parting: float = 0.0
    lie: float = 0.004
    growth: Growth = field(default_factory=Growth)
    line: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    bald: float = 0.0
    cover: float = 0.6
    bumps: float = 0.0
    count: int = 2600


def _short(lift: float, stiffness: float = 0.75, **more) -> Growth:
    return Growth(lift=lift, stiffness=stiffness, gravity=0.05, press=0.25, stray=0.25, pieces=4, **more)


_LONG = Growth(lift=0.35, stiffness=0.45, gravity=0.5, press=0.5, stray=0.07, width=0.0045, pieces=10)
CUTS = (
    Cut("buzz", 0.004, 0.003, 0.003, "up", lie=0.003, growth=_short(0.9, width=0.0014), count=3500),
    Cut("crop", 0.022, 0.009, 0.009, "forward", lie=0.006, growth=_short(0.55)),
    Cut("fade", 0.03, 0.003, 0.003, "whorl", lie=0.009, growth=_short(0.6)),
    Cut("side part", 0.055, 0.02, 0.018, "part", 0.03, lie=0.009, growth=Growth(0.45, 0.55, 0.12, 0.4, stray=0.1)),
    Cut("slick back", 0.07, 0.04, 0.03, "back", lie=0.005, growth=Growth(0.25, 0.4, 0.05, 0.6, stray=0.05, pieces=7)),
    Cut("quiff", 0.055, 0.01, 0.01, "back", lie=0.018, growth=Growth(0.75, 0.7, 0.0, 0.15, stray=0.12)),
    Cut("spikes", 0.026, 0.012, 0.012, "up", lie=0.006, growth=_short(0.85, 0.9, width=0.004), cover=0.8),
    Cut("fringe", 0.075, 0.05, 0.04, "forward", lie=0.008, growth=Growth(0.3, 0.4, 0.25, 0.5, stray=0.08, pieces=8)),
    Cut(
        "curls", 0.05, 0.03, 0.03, "whorl", lie=0.016, bumps=0.004, cover=0.75,
        growth=Growth(0.7, 0.6, 0.1, 0.2, curl=0.005, wave=0.022, stray=0.3, pieces=9, width=0.004), count=1800,
    ),
    Cut(
        "afro", 0.075, 0.06, 0.06, "up", lie=0.045, bumps=0.006, cover=0.92,
        growth=Growth(0.95, 0.9, 0.02, 0.0, curl=0.004, wave=0.014, stray=0.35, pieces=9, width=0.004), count=1800,
    ),
    Cut(
        "short curls", 0.02, 0.012, 0.012, "up", lie=0.009, bumps=0.0025, cover=0.85,
        growth=Growth(0.8, 0.7, 0.0, 0.1, curl=0.003, wave=0.012, stray=0.4, pieces=6, width=0.003), count=2400,
    ),
    Cut("bob", 0.2, 0.15, 0.13, "part", 0.02, lie=0.012, growth=_LONG, count=1600),
    Cut("shoulder", 0.3, 0.25, 0.22, "part", 0.0, lie=0.012, growth=replace(_LONG, pieces=12), count=1350),
    Cut(
        "waves", 0.3, 0.26, 0.24, "part", -0.025, lie=0.016,
        growth=replace(_LONG, pieces=13, curl=0.007, wave=0.075, width=0.006), count=1250,
    ),
    Cut(
        "long curls", 0.26, 0.22, 0.2, "part", 0.015, lie=0.024, bumps=0.004,
        growth=replace(_LONG, pieces=16, curl=0.008, wave=0.045, width=0.006, stray=0.2), count=1050,
    ),
    Cut("horseshoe", 0.012, 0.01, 0.01, lie=0.004, growth=_short(0.5), line=(0.02, 0.02, 0, 0), bald=0.055),
    Cut("bun", 0.1, 0.09, 0.08, "tie", lie=0.004, growth=Growth(0.1, 0.2, 0, 0.8, stray=0.03, pieces=8), count=1600),
)  # fmt: skip


def shell_style(head: HeadModel, rng: np.random.Generator, name: str | None = None) -> Prop:
    """A cut grown on the mean head, grey with mean about 1, of up to some 40,000 triangles.

    Args:
        rng: of all lengths, lines and strands.
        name: one of `CUTS`, None for a random one.
    """
    style = varied(next(c for c in CUTS if c.name == name) if name else CUTS[rng.integers(len(CUTS))], rng)
    skin = _fine_skin(head)
    inside = hairline(head, skin.vertices, style, rng)
    length = lengths(style, skin.vertices)
    tie = _tie(head, rng) if style.comb == "tie" else None
    parts = [_shell(skin, inside, length, style, rng), _ribbons(head, skin, inside, length, style, rng, tie)]
    if tie is not None:
        radius = rng.uniform(0.022, 0.036)
        parts.append(_bun(tie + 0.6 * radius * (tie - CENTRE) / np.linalg.norm(tie - CENTRE), radius, rng))
    mesh = join(parts)
    mesh = mesh.with_values(np.clip(mesh.values / mesh.values.mean(), *GREYS))
    return make_prop(
        f"cut:{style.name}", "hair", mesh, *follow(head, mesh.vertices), gloss=float(rng.uniform(0.05, 0.3))
    )


def _tie(head: HeadModel, rng: np.random.Generator) -> NDArray[np.float64]:
    """(3,) a place at the back of the head, between the nape and the top."""
    angle = rng.uniform(0.05, 1.1)
    ray = np.array([0, np.sin(angle), -np.cos(angle)])
    skin = smooth_skin(head).vertices
    offset = skin - CENTRE
    return CENTRE + ray * float((offset @ ray)[np.linalg.norm(np.cross(offset, ray), axis=1) < 0.015].max())


def varied(style: Cut, rng: np.random.Generator) -> Cut:
    """The style with lengths, lines and parting of one person."""
    longer = np.exp(rng.normal(0, 0.22))
    recede = max(0.0, rng.normal(-0.002, 0.008))
    line = np.array(
        [rng.normal(0, 0.004) + recede, rng.normal(0, 0.004) + 2 * recede, rng.normal(0, 0.002), rng.normal(0, 0.004)]
    )
    return replace(
        style,
        top=style.top * longer,
        side=style.side * longer,
        back=style.back * longer,
        parting=style.parting * rng.choice([-1, 1]) + rng.normal(0, 0.004),
        lie=style.lie * np.exp(rng.normal(0, 0.25)),
        line=tuple((np.array(style.line) + line).tolist()),
        growth=replace(style.growth, width=style.growth.width * np.exp(rng.normal(0, 0.12))),
    )


def hairline(head: HeadModel, points: NDArray, style: Cut, rng: np.random.Generator) -> NDArray[np.float64]:
    """(N,) metres that points of the skin lie inside the hair, negative outside."""
    inside = _scalp_depth(head, points)
    offset = points - CENTRE
    around = np.abs(np.degrees(np.arctan2(offset[:, 0], offset[:, 2])))
    front, temple, side, nape = style.line
    # The line's places: middle of the forehead, corners above the temples, sideburns, nape.
    moved = np.interp(
        around, [0, 18, 38, 62, 85, 125, 180], [front, front, temple, temple / 2 + side / 2, side, nape, nape]
    )
    low = np.clip((0.02 - points[:, 1]) / 0.02, 0, 1) * (around < 115)
    inside = inside - moved - low * max(0.0, float(rng.normal(0.004, 0.008)))
    if style.bald:
        to_front = FRONT - CROWN
        share = np.clip((points - CROWN) @ to_front / (to_front @ to_front), 0, 1)[:, None]
        bare = np.linalg.norm((points - CROWN - share * to_front) * [1, 0.6, 1], axis=1) - style.bald
        inside = np.minimum(inside, bare)
    return inside + 0.0012 * smooth_noise(points, 0.008, rng) + 0.0012 * smooth_noise(points, 0.0035, rng)


def _scalp_depth(head: HeadModel, points: NDArray) -> NDArray[np.float64]:
    """(N,) metres to the edge of the head's scalp, positive inside it."""
    scalp = head.regions["scalp"]
    rest = head.regions["skin"] & ~scalp & ~head.regions["ears"]
    rest &= ~head.regions["inner_mouth"] & ~head.regions["eye_sockets"]
    edges = np.concatenate([head.faces[:, [0, 1]], head.faces[:, [1, 2]], head.faces[:, [2, 0]]])
    edges = edges[scalp[edges[:, 0]] & rest[edges[:, 1]]]
    distance, _ = KDTree(head.vertices[edges].mean(axis=1)).query(points)
    to_scalp, _ = KDTree(head.vertices[scalp]).query(points)
    to_rest, _ = KDTree(head.vertices[rest]).query(points)
    return np.where(to_scalp <= to_rest, distance, -distance)


def lengths(style: Cut, points: NDArray) -> NDArray[np.float64]:
    """(N,) metres of hair at points of the scalp: long above, short at the sides and behind, with a fade between."""
    offset = points - CENTRE
    around = np.abs(np.degrees(np.arctan2(offset[:, 0], offset[:, 2])))
    below = np.interp(around, [40, 80, 120, 170], [style.side, style.side, style.back, style.back])
    rise = np.clip((points[:, 1] - 0.07) / 0.04, 0, 1)
    rise = np.maximum(rise * rise * (3 - 2 * rise), np.clip((50 - around) / 15, 0, 1))
    return below + (style.top - below) * rise


def _fine_skin(head: HeadModel) -> Mesh:
    """The upper skin in triangles of `SHELL_EDGE`, with normals as values."""
    mesh = smooth_skin(head)
    mesh = used(mesh, mesh.vertices[mesh.faces][..., 1].max(axis=1) > -0.06)
    for _ in range(2):
        corners = mesh.vertices[mesh.faces]
        mesh = split_edges(mesh, np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2) > 1.35 * SHELL_EDGE)
    return mesh.with_values(vertex_normals(mesh.vertices, mesh.faces))


def _shell(skin: Mesh, inside: NDArray, length: NDArray, style: Cut, rng: np.random.Generator) -> Mesh:
    """A closed surface over the scalp beneath the ribbons, thin at its edge."""
    thick = np.minimum(style.lie * style.cover, 0.6 * length)
    bumps = style.bumps * smooth_noise(skin.vertices, 0.012, rng) + 0.5 * style.bumps * smooth_noise(
        skin.vertices, 0.006, rng
    )
    rim = np.clip(inside / (0.004 + 1.3 * thick), 0, 1)
    rim = np.sqrt(1 - (1 - rim) ** 2)
    lift = 0.0006 + np.maximum(thick + bumps, 0.2 * thick) * rim
    grey = 0.78 * np.exp(0.2 * smooth_noise(skin.vertices, 0.004, rng) + 0.12 * rng.standard_normal(len(inside)))
    raised = Mesh(skin.vertices + skin.values * lift[:, None], skin.faces, grey[:, None])
    return cut(raised, inside)


def _ribbons(
    head: HeadModel,
    skin: Mesh,
    inside: NDArray,
    length: NDArray,
    style: Cut,
    rng: np.random.Generator,
    tie: NDArray | None,
) -> Mesh:
    """Strands over the shell; their roots are spread evenly."""
    growth = style.growth
    count = min(style.count, int(TRIANGLES * 0.7 / (2 * growth.pieces)))
    face, share = scatter(skin, (inside[skin.faces] > 0).all(axis=1), count, rng)
    places, normals = at(skin.vertices, skin, face, share), at(skin.values, skin, face, share)
    depth = at(inside, skin, face, share)
    long = at(length, skin, face, share) * rng.uniform(0.75, 1.1, count)
    lie = np.minimum(style.lie * rng.uniform(0.55, 1.15, count), 0.8 * long) * np.clip(0.35 + depth / 0.02, 0, 1)
    if tie is not None:
        long = np.linalg.norm(places - tie, axis=1) * 1.08
    roots = Roots(places, normals, partial(combing, style, tie=tie), long, lie)
    return ribbons(grow(head, roots, growth, rng), normals, growth, rng)


def combing(style: Cut, places: NDArray, tie: NDArray | None = None) -> NDArray[np.float64]:
    """(N,3) the way hair is combed at places on and around the head.

    Args:
        tie: where all hair is drawn to, for the comb "tie".
    """
    if style.comb == "tie" and tie is not None:
        return tie - places
    whorl = places - CROWN
    whorl = whorl / np.maximum(np.linalg.norm(whorl, axis=1, keepdims=True), 1e-6) + [0, -0.3, 0]
    if style.comb in ("whorl", "up"):
        return whorl if style.comb == "whorl" else 0.4 * whorl
    # Above, hair goes the way it is combed; on the sides it falls.
    high = np.clip((places[:, 1:2] - 0.075) / 0.045, 0, 1)
    side = np.tanh((places[:, :1] - style.parting) / 0.004)
    above, below = {
        "back": (np.array([0, 0.1, -1.0]), np.array([0, -0.5, -0.8])),
        "forward": (np.array([0, -0.2, 1.0]), np.array([0, -1.0, 0.15])),
        "part": (side * np.array([1.0, 0, 0]) + np.array([0, 0, -0.25]), np.array([0, -1.0, -0.12])),
    }[style.comb]
    return above * high + below * (1 - high)


def _bun(middle: NDArray, radius: float, rng: np.random.Generator) -> Mesh:
    """A wound knot of hair."""
    ball = ellipsoid(middle, radius * np.array([1, 0.9, 0.85]), 40)
    offset = ball.vertices - middle
    turn = np.arctan2(offset[:, 1], offset[:, 0])
    wound = np.sin(turn * 2 + offset[:, 2] / radius * 5 + 9 * np.hypot(offset[:, 0], offset[:, 1]) / radius)
    grey = np.exp(0.22 * wound + rng.normal(0, 0.12, len(turn)))
    return Mesh(middle + offset * (1 + 0.05 * wound)[:, None], ball.faces, grey[:, None])


def smooth_noise(points: NDArray, size: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(N,) noise of unit deviation with lumps of about `size` metres, the same at the same place."""
    waves = rng.normal(0, 1 / size, (24, 3))
    return np.sqrt(2 / 24) * np.cos(points @ waves.T + rng.uniform(0, 2 * np.pi, 24)).sum(axis=1)


def hair_colour(rng: np.random.Generator) -> NDArray[np.float64]:
    """(3,) linear albedo of a head of hair: black, brown, blond, red, grey, white, rarely dyed."""
    kind = HAIR_COLOURS[rng.choice(len(HAIR_COLOURS), p=np.array([c[1] for c in HAIR_COLOURS]) / HAIR_TOTAL)]
    if kind[0] == "dyed":
        hue = np.clip(np.abs((rng.random() * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
        return np.clip((0.25 + 0.75 * hue) * rng.uniform(0.1, 0.5), 0.01, 0.7)
    low, high = np.array(kind[2]), np.array(kind[3])
    shade = np.exp(np.log(low) + (np.log(high) - np.log(low)) * rng.random())
    return np.clip(shade * np.exp(rng.normal(0, 0.08)) * np.exp(rng.normal(0, 0.03, 3)), 0.005, 0.75)


def brow_colour(hair: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
    """(3,) linear albedo of brows that go with hair (3,): darker than fair hair, seldom grey, never dyed."""
    hair = np.asarray(hair, np.float64)
    bright, vivid = float(hair.mean()), float(np.ptp(hair) / max(hair.max(), 1e-6))
    unnatural = hair[2] > 1.05 * hair[0] or hair[1] > 1.05 * hair[0] or (vivid > 0.9 and bright > 0.08)
    if unnatural:
        return np.array([0.045, 0.026, 0.016]) * np.exp(rng.normal(0, 0.5))
    darker = np.clip((0.05 / max(bright, 0.02)) ** 0.45, 0.3, 1.0)
    return np.clip(hair * darker * np.exp(rng.normal(0, 0.2)), 0.006, 0.45)


def beard_colour(hair: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
    """(3,) linear albedo of a beard that goes with hair (3,): near it, often redder, sometimes greyer."""
    near = brow_colour(hair, rng) if rng.random() < 0.4 else np.clip(hair, 0.006, 0.5)
    if hair[2] > 1.05 * hair[0]:
        near = brow_colour(hair, rng)
    redder = np.array([1.12, 1.0, 0.85]) ** rng.uniform(-0.3, 1.5)
    grey = rng.uniform(0.2, 0.9) if rng.random() < 0.15 else 0.0
    return np.clip(near * redder * (1 - grey) + 0.3 * grey, 0.006, 0.6)
