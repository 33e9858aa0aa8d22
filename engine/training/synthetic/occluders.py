"""What is held before a face: hands, microphones, telephones, mugs; and face masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ...heads.model import HeadModel
from .clothing import cloth_colour
from .hair import smooth_noise
from .propmesh import Mesh, coloured, cut, follow, join, make_prop, split_edges, spread, tube, used
from .scalp import lifted, smooth_skin
from .scene import Prop
from .solids import ellipsoid

KINDS = ("hand", "microphone", "phone", "mug", "mask", "stick")
SHARES = (0.5, 0.12, 0.1, 0.08, 0.16, 0.04)
TOUCHED = np.array([
    # x, y, z of the place on the face, and the fingers' angle to straight up in degrees
    [0.055, -0.02, 0.06, 10], [0.02, -0.06, 0.1, 60], [0.0, -0.03, 0.105, 85], [0.05, 0.02, 0.08, 30],
    [0.03, 0.09, 0.09, 60], [0.06, 0.06, 0.05, 10], [0.035, 0.045, 0.09, 70], [0.0, -0.075, 0.09, 0],
])  # fmt: skip
"""For a right hand on the left side of the face; mirrored at random."""
BUST = -0.1
"""Height down to which things are kept out of the head."""
SKIN_TONES = np.array(
    [[0.62, 0.40, 0.30], [0.50, 0.28, 0.19], [0.36, 0.19, 0.11], [0.20, 0.095, 0.055], [0.09, 0.045, 0.028]]
)


def occluder(head: HeadModel, rng: np.random.Generator, kind: str | None = None, skin: NDArray | None = None) -> Prop:
    """Something before the mean head's face.

    Args:
        kind: one of `KINDS`, None for a random one.
        skin: (3,) linear albedo of hands; None draws one.
    """
    kind = str(rng.choice(KINDS, p=SHARES)) if kind is None else kind
    tone = SKIN_TONES[rng.integers(len(SKIN_TONES))] if skin is None else np.asarray(skin)
    if kind == "mask":
        return _mask(head, rng)
    if kind == "hand":
        mesh = _hand_on_face(head, tone, rng)
    else:
        thing = {"microphone": _microphone, "phone": _phone, "mug": _mug, "stick": _stick}[kind](rng)
        parts = [thing] if kind == "stick" or rng.random() < 0.3 else [thing, _holding(thing, tone, rng)]
        mesh = _side(join(parts), rng)
        high = mesh.vertices[:, 1] > BUST
        mesh.vertices[high] = lifted(head, mesh.vertices[high], 0.001)
    patchy = np.exp(0.05 * smooth_noise(mesh.vertices, 0.012, rng))
    mesh = mesh.with_values(np.clip(mesh.values * patchy[:, None], 0.003, 0.85))
    near = [
        int(np.argmin(np.linalg.norm(head.vertices - place, axis=1))) for place in ([0, -0.03, 0.1], [0, 0.02, 0.11])
    ]
    gloss = 0.1 if kind == "hand" else float(rng.uniform(0, 0.6))
    return make_prop(f"before:{kind}", "other", mesh, np.array(near), np.array([0.5, 0.5]), gloss)


def _side(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """The mesh or its mirror image."""
    if rng.random() < 0.5:
        return mesh
    return Mesh(mesh.vertices * [-1, 1, 1], mesh.faces[:, ::-1], mesh.values)


def hand(tone: NDArray, rng: np.random.Generator, curl: float | None = None) -> Mesh:
    """A right hand seen from its back: fingers to +Y, back to +Z, the thumb at -X, forearm to -Y; metres."""
    curl = float(rng.uniform(0.05, 0.5)) if curl is None else curl
    apart = float(rng.uniform(-0.02, 0.14))
    parts = []
    for x, length, radius in (
        (-0.032, 0.072, 0.0088),
        (-0.011, 0.08, 0.009),
        (0.011, 0.075, 0.0086),
        (0.031, 0.06, 0.0078),
    ):
        lean = x / 0.032 * apart + rng.normal(0, 0.03)
        parts += _finger(
            np.array([x, 0.042 - 4 * x * x, 0.002]), lean, length, radius, curl * rng.uniform(0.7, 1.3), tone, rng
        )
    parts += _finger(np.array([-0.034, -0.012, -0.006]), -0.75 + 0.3 * apart, 0.062, 0.0105, 0.5 * curl, tone, rng)
    palm = ellipsoid(np.array([0, 0.002, 0]), np.array([0.045, 0.053, 0.015]), 24)
    squarer = np.sign(palm.vertices) * np.abs(palm.vertices / [0.045, 0.053, 0.015]) ** 0.75 * [0.043, 0.05, 0.015]
    parts.append(coloured(Mesh(squarer, palm.faces, palm.values), tone))
    arm = np.stack([np.zeros(10), np.linspace(-0.03, -0.3, 10), np.linspace(0, -0.01, 10)], axis=1)
    width = np.interp(arm[:, 1], [-0.3, -0.12, -0.06, -0.03], [0.042, 0.034, 0.028, 0.03])
    sleeve = cloth_colour(rng) if rng.random() < 0.6 else tone
    shape = tube(arm, np.stack([width, width * 0.75], axis=1), 14, up=np.array([1.0, 0, 0]))
    parts.append(coloured(shape, np.where(shape.vertices[:, 1:2] < -0.1, sleeve, tone)))
    return join(parts)


def _finger(
    root: NDArray, lean: float, length: float, radius: float, curl: float, tone: NDArray, rng: np.random.Generator
) -> list[Mesh]:
    """Three bones with a round tip, and a nail."""
    knots = np.linspace(0, 1, 12)
    bend = (
        curl
        * 2.2
        * np.array([np.interp(k, [0, 0.1, 0.45, 0.5, 0.75, 0.8, 1], [0, 0.15, 0.25, 0.6, 0.65, 1, 1]) for k in knots])
    )
    step = length / 11 * np.stack([np.sin(lean) * np.cos(bend), np.cos(lean) * np.cos(bend), -np.sin(bend)], axis=1)
    path = root + np.concatenate([np.zeros((1, 3)), np.cumsum(step[:-1], axis=0)])
    thick = radius * np.interp(
        knots, [0, 0.4, 0.48, 0.56, 0.75, 0.8, 0.93, 1], [1.1, 0.95, 1.05, 0.95, 0.88, 0.92, 0.78, 0.35]
    )
    shape = tube(path, thick, 10, up=np.array([0, 0, 1.0]))
    knuckle = 1 - 0.18 * np.exp(-(((knots - 0.48) / 0.05) ** 2)) - 0.12 * np.exp(-(((knots - 0.78) / 0.04) ** 2))
    shade = np.concatenate([np.repeat(knuckle, 10), [1, 1]])[:, None]
    out = np.array([0, np.sin(bend[-2]), np.cos(bend[-2])])
    nail = ellipsoid(path[-2] + out * thick[-3] * 0.75, np.array([radius * 0.55, radius * 0.7, radius * 0.3]), 8)
    return [coloured(shape, tone * shade), coloured(nail, np.clip(tone * [1.15, 1.2, 1.25] + 0.03, 0, 0.8))]


def _turned(mesh: Mesh, across: NDArray, along: NDArray, out: NDArray, place: NDArray) -> Mesh:
    """The mesh with its axes laid along three directions, at a place."""
    return Mesh(mesh.vertices @ np.stack([across, along, out]) + place, mesh.faces, mesh.values)


def _hand_on_face(head: HeadModel, tone: NDArray, rng: np.random.Generator) -> Mesh:
    """A hand that touches cheek, chin, mouth, brow or eye."""
    x, y, z, angle = TOUCHED[rng.integers(len(TOUCHED))] + rng.normal(0, 1, 4) * [0.008, 0.008, 0, 14]
    skin = smooth_skin(head)
    nearest = int(np.argmin(np.linalg.norm(skin.vertices - [x, y, z], axis=1)))
    out = skin.values[nearest] * 0.6 + np.array([0.15, 0, 0.5])
    out /= np.linalg.norm(out)
    turn = np.radians(angle)
    along = np.array([-np.sin(turn), np.cos(turn), 0.0])
    along = along - out * (along @ out)
    along /= np.linalg.norm(along)
    shape = hand(tone, rng)
    distance = float(rng.uniform(0.004, 0.016)) if rng.random() < 0.75 else float(rng.uniform(0.02, 0.08))
    reach = float(rng.uniform(-0.01, 0.07))
    place = skin.vertices[nearest] + out * (0.012 + distance) - along * reach
    placed = _turned(shape, np.cross(along, out), along, out, place)
    fingers = shape.vertices[:, 1] > -0.06
    points = placed.vertices.copy()
    points[fingers] = lifted(head, points[fingers], 0.001)
    return _side(Mesh(points, placed.faces, placed.values), rng)


def _holding(thing: Mesh, tone: NDArray, rng: np.random.Generator) -> Mesh:
    """A hand closed round the lower part of a thing."""
    low = thing.vertices[:, 1].min()
    grip = thing.vertices[thing.vertices[:, 1] < low + 0.07].mean(axis=0)
    along, out = np.array([0.75, 0.6, 0.25]), np.array([-0.2, -0.1, 1.0])
    along /= np.linalg.norm(along)
    out = out - along * (along @ out)
    out /= np.linalg.norm(out)
    return _turned(hand(tone, rng, curl=0.75), np.cross(along, out), along, out, grip + out * 0.025 - along * 0.045)


def _microphone(rng: np.random.Generator) -> Mesh:
    top = np.array([rng.uniform(-0.02, 0.03), rng.uniform(-0.06, -0.035), rng.uniform(0.135, 0.16)])
    ball = coloured(ellipsoid(top, np.array([0.025, 0.027, 0.025]), 20), np.full(3, rng.uniform(0.02, 0.25)))
    end = top + np.array([rng.uniform(-0.06, 0.06), -0.2, rng.uniform(0.0, 0.08)])
    stem = tube(np.linspace(top, end, 8), np.linspace(0.018, 0.012, 8), 12)
    return join([ball, coloured(stem, np.full(3, rng.uniform(0.01, 0.06)))])


def _phone(rng: np.random.Generator) -> Mesh:
    """At the ear, or held up before the face."""
    size = np.array([0.0375, 0.076, 0.0045])
    body = ellipsoid(np.zeros(3), np.ones(3), 32)
    box = np.clip(body.vertices * 1.9, -1, 1) * size
    colour = cloth_colour(rng) * 0.6
    lens = coloured(ellipsoid(np.array([0.022, 0.058, 0.0045]), np.array([0.006, 0.006, 0.002]), 10), np.full(3, 0.01))
    phone = join([coloured(Mesh(box, body.faces, body.values), colour), lens])
    if rng.random() < 0.6:
        along, out, place = np.array([0.05, 0.93, -0.36]), np.array([0.95, 0.0, 0.25]), np.array([0.1, -0.01, 0.03])
    else:
        along, out = np.array([rng.normal(0, 0.15), 1.0, 0.1]), np.array([0, -0.1, 1.0])
        place = np.array([rng.uniform(0.0, 0.1), rng.uniform(-0.09, 0.0), 0.22])
    along = along / np.linalg.norm(along)
    out = out - along * (along @ out)
    out /= np.linalg.norm(out)
    return _turned(phone, np.cross(along, out), along, out, place)


def _mug(rng: np.random.Generator) -> Mesh:
    middle = np.array([rng.normal(0, 0.01), rng.uniform(-0.085, -0.06), 0.155])
    lean = rng.uniform(0.0, 0.5)
    axis = np.array([0, np.cos(lean), -np.sin(lean)])
    colour = cloth_colour(rng)
    wall = tube(middle + np.linspace(-0.048, 0.048, 8)[:, None] * axis, 0.04, 28, up=np.array([1.0, 0, 0]))
    bow = np.linspace(-np.pi / 2, np.pi / 2, 12)
    handle = (
        middle + np.array([0.038, 0, 0]) + 0.028 * (np.cos(bow)[:, None] * [1.0, 0, 0] + np.sin(bow)[:, None] * axis)
    )
    return join([coloured(wall, colour), coloured(tube(handle, 0.006, 8), colour)])


def _stick(rng: np.random.Generator) -> Mesh:
    """A bar, pen, straw or strap across the picture."""
    start = np.array([rng.uniform(-0.15, 0.15), rng.uniform(-0.2, 0.2), rng.uniform(0.14, 0.25)])
    end = np.array([rng.uniform(-0.15, 0.15), rng.uniform(-0.2, 0.2), rng.uniform(0.14, 0.25)])
    return coloured(tube(np.linspace(start, end, 6), float(rng.uniform(0.002, 0.02)), 10), cloth_colour(rng))


def _mask(head: HeadModel, rng: np.random.Generator) -> Prop:
    """A surgical mask from nose to chin, or worn on the chin, with its ear loops."""
    colour = [
        np.array([0.32, 0.5, 0.62]),
        np.array([0.7, 0.7, 0.7]),
        np.array([0.015, 0.015, 0.016]),
        cloth_colour(rng),
    ][rng.choice(4, p=[0.4, 0.25, 0.2, 0.15])]
    skin = smooth_skin(head)
    face = used(skin, (skin.vertices[skin.faces][..., 2] > 0.0).all(axis=1))
    for _ in range(2):
        corners = face.vertices[face.faces]
        face = split_edges(face, np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2) > 0.005)
    x, y, z = face.vertices.T
    top = float(rng.uniform(0.005, 0.025)) if rng.random() < 0.85 else -0.05
    edge = top - 0.35 * np.maximum(np.abs(x) - 0.012, 0)
    below = np.interp(z, [0.0, 0.04, 0.08], [-0.05, -0.088, -0.085])
    level = np.minimum(np.minimum(edge - y, y - below), 0.062 - np.abs(x) + 0.12 * (z - 0.05))
    cloth = cut(Mesh(face.vertices, face.faces, np.stack([x, y, z], axis=1)), level)
    # Cloth spans hollows: it lies on a smooth bulge over nose and chin.
    bulge = 0.118 - 1.15 * np.abs(cloth.vertices[:, 0]) ** 1.35 * 6 - 2.2 * (cloth.vertices[:, 1] + 0.025) ** 2 * 3
    raised = np.stack(
        [cloth.vertices[:, 0] * 1.02, cloth.vertices[:, 1], np.maximum(cloth.vertices[:, 2], bulge)], axis=1
    )
    raised = lifted(head, raised, 0.0035)
    # Room for the lips and a mouth that opens.
    from_mouth = np.hypot(raised[:, 0], raised[:, 1] + 0.035) / 0.034
    raised[:, 2] += 0.011 * np.exp(-(from_mouth**4))
    pleats = 1 - 0.12 * (np.sin(cloth.vertices[:, 1] * 2 * np.pi / 0.014) > 0.7)
    parts = [coloured(Mesh(raised, cloth.faces, cloth.values), colour * pleats[:, None])]
    for side, ear in ((-1, "ear.R"), (1, "ear.L")):
        points = head.vertices[head.regions[ear]]
        outside = raised[side * raised[:, 0] > 0.045]
        ends = outside[np.argmax(outside[:, 1])], outside[np.argmin(outside[:, 1])]
        behind = points[np.argmin(points[:, 2])] - [side * 0.012, 0.008, 0.0]
        turn = np.stack([ends[0], points[np.argmax(points[:, 1])] - [side * 0.008, 0.002, 0.0], behind, ends[1]])
        t = np.linspace(0, 3, 24)
        line = np.stack([np.interp(t, np.arange(4), turn[:, k]) for k in range(3)], axis=1)
        parts.append(coloured(tube(lifted(head, line, 0.001), 0.0012, 5), np.full(3, 0.6)))
    mesh = join(parts)
    # Few handles, none at the lips: the cloth stretches as one when the mouth opens.
    hidden = head.regions["eye_sockets"] | head.regions["inner_mouth"]
    from_mouth, _ = KDTree(head.vertices[head.regions["lips"]]).query(head.vertices)
    handles = spread(head, head.regions["skin"] & ~hidden & (from_mouth > 0.014) & (head.vertices[:, 1] > -0.12), 0.026)
    return make_prop("before:mask", "other", mesh, *follow(head, mesh.vertices, handles))
