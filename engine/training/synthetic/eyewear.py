"""Glasses of many shapes, and sunglasses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...heads.model import HeadModel
from .propmesh import Mesh, coloured, join, make_prop, tube
from .scalp import height, lifted
from .scene import Prop

SHAPES = ("round", "rectangular", "cat-eye", "aviator", "square", "rimless", "browline")
SHARES = (0.17, 0.24, 0.09, 0.12, 0.2, 0.08, 0.1)
SUNGLASSES = 0.25
"""Share of glasses that hide the eyes."""
AIR = 0.0008
"""Metres between a frame and the skin."""
HIGHEST = 0.0605
"""Metres in head space: frames end at the brows."""
OUTLINE = 40
"""Points round a lens."""
PLASTIC = np.array([
    [0.008, 0.008, 0.008], [0.010, 0.009, 0.010], [0.060, 0.025, 0.010], [0.120, 0.050, 0.018], [0.025, 0.030, 0.060],
    [0.200, 0.012, 0.015], [0.450, 0.420, 0.380], [0.020, 0.045, 0.030], [0.300, 0.170, 0.080], [0.700, 0.690, 0.680],
])  # fmt: skip
METAL = np.array([[0.350, 0.340, 0.330], [0.500, 0.330, 0.120], [0.040, 0.038, 0.038], [0.520, 0.270, 0.200]])
DARK_LENS = np.array([[0.004, 0.004, 0.004], [0.020, 0.010, 0.004], [0.006, 0.012, 0.008], [0.010, 0.014, 0.030]])


@dataclass(frozen=True)
class Frame:
    """The measures of one pair, metres. A lens has its own coordinates: outwards and up from its middle.

    Attributes:
        half: half width and half height of a lens.
        power: of the outline: 2 is an ellipse, more is squarer.
        taper: how much wider a lens is above than below.
        lift: how far the upper outer corner is drawn up.
        sag: how far the lower outside is drawn down.
        gap: between the lenses. middle: height of their middle in head space.
        tilt, wrap: radians of lean and curvature per metre squared.
        thickness: of the rim, in the lens's plane and across; 0 where there is none below.
        plastic: broad bridge and temples.
    """

    shape: str
    half: tuple[float, float]
    power: float
    taper: float
    lift: float
    sag: float
    gap: float
    middle: float
    tilt: float
    wrap: float
    thickness: tuple[float, float]
    plastic: bool

    def outline(self, angle: NDArray, inset: float = 0.0) -> NDArray[np.float64]:
        """(N,2) points of the lens's edge at angles from straight outwards."""
        a, b = self.half[0] - inset, self.half[1] - inset
        u = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / self.power)
        v = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / self.power)
        x = a * u * (1 + self.taper * v)
        y = b * v + self.lift * np.maximum(u, 0) ** 2 * (v + 1) / 2 - self.sag * np.maximum(-v, 0) * (0.4 + u)
        return np.stack([x, y], axis=1)

    def place(self, points: NDArray, side: int) -> NDArray[np.float64]:
        """(N,3) points (N,2) of a lens on the face, 0 in depth at the bridge."""
        x = self.gap / 2 + self.half[0] + points[:, 0]
        depth = np.sin(self.tilt) * points[:, 1] - self.wrap * x**2
        return np.stack([side * x, self.middle + np.cos(self.tilt) * points[:, 1], depth], axis=1)


def glasses(head: HeadModel, rng: np.random.Generator) -> tuple[Prop, ...]:
    """A pair of glasses: the frame, and the lenses as a sheer prop of their own.

    The rims go along with the nose, the temples' ends with the ears.
    """
    frame = draw_frame(rng)
    dark = rng.random() < SUNGLASSES
    colour = _colour(frame, rng)
    depth = _depth(head, frame)
    shift = np.array([0, 0, depth])
    parts, pulls = [], []
    for mesh, at_ear in _front(frame, shift) + _temples(head, frame, shift):
        parts.append(coloured(mesh, colour))
        pulls.append(np.broadcast_to(at_ear, len(mesh.vertices)))
    name = f"glasses:{'sun-' if dark else ''}{frame.shape}"
    body = _worn(head, name, join(parts), np.concatenate(pulls), gloss=float(rng.uniform(0.2, 0.8)))
    lens_colour, opacity, gloss = _lens_look(dark, rng)
    lens = coloured(_lenses(frame, shift), lens_colour)
    return body, _worn(head, f"{name}:lens", lens, np.zeros(len(lens.vertices)), gloss, opacity)


def draw_frame(rng: np.random.Generator, shape: str | None = None) -> Frame:
    """Random measures of a shape, or of a random one of `SHAPES`."""
    shape = str(rng.choice(SHAPES, p=SHARES)) if shape is None else shape
    width = rng.uniform(0.045, 0.056)
    ratio = {
        "round": rng.uniform(0.88, 1.0), "rectangular": rng.uniform(0.5, 0.66), "cat-eye": rng.uniform(0.62, 0.78),
        "aviator": rng.uniform(0.78, 0.88), "square": rng.uniform(0.72, 0.85), "rimless": rng.uniform(0.5, 0.75),
        "browline": rng.uniform(0.68, 0.8),
    }[shape]  # fmt: skip
    if shape == "round":
        width *= rng.uniform(0.84, 1.0)
    plastic = shape in ("cat-eye", "square", "browline") or (shape in ("round", "rectangular") and rng.random() < 0.55)
    rim = float(rng.uniform(0.0012, 0.0026) if plastic else rng.uniform(0.0005, 0.0009))
    return Frame(
        shape=shape,
        half=(width / 2, width * ratio / 2),
        power={"round": 2.0, "aviator": 2.3, "cat-eye": 2.6, "browline": 2.8}.get(shape, float(rng.uniform(3, 5))),
        taper={"round": 0.0, "aviator": 0.1, "rectangular": 0.02}.get(shape, float(rng.uniform(0.03, 0.1))),
        lift=float(rng.uniform(0.003, 0.007)) if shape == "cat-eye" else 0.0,
        sag=float(rng.uniform(0.002, 0.005)) if shape == "aviator" else 0.0,
        gap=float(rng.uniform(0.016, 0.021)),
        middle=float(min(rng.uniform(0.033, 0.043), HIGHEST - width * ratio / 2)),
        tilt=float(rng.uniform(0.06, 0.18)),
        wrap=float(rng.uniform(1.0, 2.6)),
        thickness=(0.0003, 0.0004) if shape == "rimless" else (rim, float(rim * rng.uniform(0.8, 1.1))),
        plastic=plastic,
    )


def _colour(frame: Frame, rng: np.random.Generator) -> NDArray[np.float64]:
    palette = PLASTIC if frame.plastic else METAL
    return np.clip(palette[rng.integers(len(palette))] * np.exp(rng.normal(0, 0.25, 3)), 0.003, 0.85)


def _lens_look(dark: bool, rng: np.random.Generator) -> tuple[NDArray[np.float64], float, float]:
    """Colour, opacity and gloss."""
    if dark:
        return DARK_LENS[rng.integers(len(DARK_LENS))], float(rng.uniform(0.75, 0.97)), float(rng.uniform(0.3, 1.0))
    tint = rng.uniform(0.02, 0.5) * np.exp(rng.normal(0, 0.15, 3))
    return np.clip(tint, 0, 0.8), float(rng.uniform(0.03, 0.16)), float(rng.uniform(0.2, 1.0))


def _depth(head: HeadModel, frame: Frame) -> float:
    """How far forward the frame must sit to be clear of brows, nose and cheeks, metres."""
    angle = np.linspace(0, 2 * np.pi, OUTLINE, endpoint=False)
    rims = np.concatenate([frame.place(frame.outline(angle, -frame.thickness[0]), side) for side in (-1, 1)])
    eye = head.vertices[head.regions["eye"]]
    depth = float(eye[:, 2].max()) + 0.009
    for _ in range(20):
        above, _ = height(head, rims + np.array([0, 0, depth]))
        if np.quantile(above, 0.04) > frame.thickness[1] + AIR:
            break
        depth += 0.001
    return depth


def _front(frame: Frame, shift: NDArray) -> list[tuple[Mesh, float | NDArray]]:
    """Rims and bridge, and how much each goes along with the ears: not at all."""
    angle = np.linspace(0, 2 * np.pi, OUTLINE, endpoint=False)
    size = np.tile(frame.thickness, (OUTLINE, 1))
    if frame.shape == "browline":
        size *= np.where(np.sin(angle) > 0.25, 1.0, 0.25)[:, None]
    if frame.plastic:
        size[:, 0] *= 1 + 0.35 * np.sin(angle)
    parts: list[tuple[Mesh, float | NDArray]] = []
    for side in (-1, 1):
        rim = frame.place(frame.outline(angle, -frame.thickness[0]), side) + shift
        parts.append((tube(rim, size, 8, closed=True, up=rim[0] - rim.mean(axis=0)), 0.0))
    for up, rise in ((0.35, 0.003), (0.85, 0.001)) if frame.shape == "aviator" else ((0.3, 0.004),):
        radius = (frame.thickness[0] * 1.1, frame.thickness[1]) if frame.plastic else (0.0007, 0.0007)
        parts.append((tube(_bridge(frame, up, rise) + shift, np.tile(radius, (9, 1)), 6, up=np.array([0, 1, 0])), 0.0))
    if not frame.plastic:
        parts += [(mesh, 0.0) for side in (-1, 1) for mesh in _pad(frame, side, shift)]
    return parts


def _bridge(frame: Frame, up: float, rise: float) -> NDArray[np.float64]:
    """(9,3) an arch between the rims at a share `up` of a lens's half height."""
    angle = np.pi - np.arcsin(min(up, 0.95) ** (frame.power / 2))
    end = frame.place(frame.outline(np.array([angle])), 1)[0]
    across = np.linspace(-1, 1, 9)
    arch = 1 - across**2
    return np.stack([end[0] * across, end[1] + rise * arch, end[2] + 0.0015 * arch], axis=1)


def _pad(frame: Frame, side: int, shift: NDArray) -> list[Mesh]:
    """A nose pad and the wire that holds it."""
    inner = frame.place(frame.outline(np.array([np.pi * 1.03])), side)[0] + shift
    pad = inner + np.array([-side * 0.0015, -0.004, -0.0065])
    length = np.linspace(-0.005, 0.005, 6)
    shape = np.stack([side * 0.3 * -length, length, np.zeros(6)], axis=1) + pad
    size = np.sqrt(np.maximum(1 - (length / 0.0056) ** 2, 0.05))[:, None] * [0.0008, 0.0022]
    wire = np.linspace(inner, pad, 4)
    return [tube(shape, size, 6, up=np.array([1.0, 0, 0])), tube(wire, 0.0004, 4)]


def _temples(head: HeadModel, frame: Frame, shift: NDArray) -> list[tuple[Mesh, float | NDArray]]:
    """Both temples from the hinge over the ear, and how much each vertex goes along with the ears."""
    angle = np.pi * 0.22 if frame.shape != "rimless" else np.pi * 0.1
    rest: list[tuple[Mesh, float | NDArray]] = []
    for side, ear in ((-1, head.regions["ear.R"]), (1, head.regions["ear.L"])):
        points = head.vertices[ear]
        top = points[np.argmax(points[:, 1])]
        rim = frame.place(frame.outline(np.array([angle]), -frame.thickness[0]), side)[0] + shift
        hinge = np.array([side * max(abs(rim[0]) + 0.003, abs(top[0]) - 0.014), rim[1], rim[2] - 0.002])
        over = np.array([top[0] - side * 0.006, top[1] - 0.003, top[2] + 0.004])
        bend = over + np.array([0, -0.004, -0.014])
        end = bend + np.array([-side * 0.004, -0.026, -0.012])
        straight = np.linspace(hinge, over, 12)
        hook = _curve(np.stack([over, bend, end]), 8)
        path = np.concatenate([rim[None], straight, hook[1:]])
        path[2:] = lifted(head, path[2:], 0.0015)
        size = np.array([0.0024, 0.0011]) if frame.plastic else np.array([0.0008, 0.0006])
        taper = np.linspace(1.25, 0.9, len(path))[:, None]
        at_ear = np.clip((hinge[2] - path[:, 2]) / (hinge[2] - over[2]), 0, 1)
        mesh = tube(path, size * taper, 6, up=np.array([0, 1.0, 0]))
        rest.append((mesh, np.concatenate([np.repeat(at_ear, 6), at_ear[[0, -1]]])))
    return rest


def _curve(points: NDArray, count: int) -> NDArray[np.float64]:
    """(count,3) a quadratic curve through the first and last of three points."""
    t = np.linspace(0, 1, count)[:, None]
    return points[0] * (1 - t) ** 2 + points[1] * 2 * t * (1 - t) + points[2] * t**2


def _lenses(frame: Frame, shift: NDArray) -> Mesh:
    """Both lenses as slightly domed fans."""
    angle = np.linspace(0, 2 * np.pi, OUTLINE, endpoint=False)
    edge = frame.outline(angle)
    rings = np.concatenate([np.zeros((1, 2)), edge * 0.35, edge * 0.7, edge])
    number = 1 + np.arange(3 * OUTLINE).reshape(3, OUTLINE)
    after = np.roll(number, -1, axis=1)
    faces = [np.stack([np.zeros(OUTLINE, int), number[0], after[0]], 1)]
    for ring in range(2):
        faces.append(np.stack([number[ring], number[ring + 1], after[ring + 1]], 1))
        faces.append(np.stack([number[ring], after[ring + 1], after[ring]], 1))
    triangles = np.concatenate(faces)
    dome = 0.001 * (1 - (np.repeat([0, 0.35, 0.7, 1], [1, OUTLINE, OUTLINE, OUTLINE])) ** 2)
    sides = []
    for side in (-1, 1):
        places = frame.place(rings, side) + shift
        places[:, 2] += dome
        sides.append(Mesh(places, triangles[:, ::side], np.zeros((len(places), 0))))
    return join(sides)


def _worn(head: HeadModel, name: str, mesh: Mesh, at_ear: NDArray, gloss: float = 0.0, opacity: float = 1.0) -> Prop:
    """A prop that goes along with the bridge of the nose, and by `at_ear` (V,) with the ear of its side."""
    bridge = [_nearest(head, [side * 0.004, 0.037, 0.0985]) for side in (-1, 1)]
    ears = [_top(head, head.regions["ear.R"]), _top(head, head.regions["ear.L"])]
    left = (mesh.vertices[:, 0] > 0).astype(int)
    anchors = np.stack([np.full(len(left), bridge[0]), np.full(len(left), bridge[1]), np.array(ears)[left]], axis=1)
    weights = np.stack([(1 - at_ear) / 2, (1 - at_ear) / 2, at_ear], axis=1)
    return make_prop(name, "glasses", mesh, anchors, weights, gloss, opacity)


def _nearest(head: HeadModel, place: list[float]) -> int:
    skin = np.flatnonzero(head.regions["skin"] & ~head.regions["inner_mouth"] & ~head.regions["eye_sockets"])
    return int(skin[np.argmin(np.linalg.norm(head.vertices[skin] - place, axis=1))])


def _top(head: HeadModel, mask: NDArray[np.bool_]) -> int:
    rows = np.flatnonzero(mask)
    return int(rows[np.argmax(head.vertices[rows, 1])])
