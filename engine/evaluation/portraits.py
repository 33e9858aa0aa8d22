"""Real portraits, which have no labels: are people told apart, do the networks agree with MediaPipe and themselves?"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..devices import single_threaded_torch
from ..errors import EngineError
from ..fitting.recognised import recognised_shape
from ..fitting.solve import describe
from ..heads.loader import load_head
from ..heads.model import HeadModel
from ..media.photo import Photo
from ..media.read import read_photo
from ..perception.crop import Window
from ..perception.dense import DensePoints, see_points, window_of_mesh
from ..perception.landmarks import find_face
from ..perception.observation import FaceObservation
from ..perception.topology import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from ..training.perception.real_set import RealPictures, read_real
from ..training.synthetic.lens import spoil
from .dense_errors import PLACES, point_places
from .metrics import discrimination
from .sources import DENSE, FUSED, MESH, RECOGNISED, Networks, believed_face, neutral_shape, solve_sighting
from .tables import Table, mean

LISTED = "same_person_pairs.csv"
FITTED = (MESH, DENSE, FUSED)
TITLES = {"raw": "MediaPipe's raw points", RECOGNISED: "shape by recognition alone"}
CONTOURS = {"right eye": RIGHT_EYE, "left eye": LEFT_EYE, "outer lips": OUTER_LIPS, "inner lips": INNER_LIPS}
LOOKS = (
    ((0.0, 0.0), 1.0, 0.0, False), ((0.05, 0.02), 1.0, 0.0, True), ((-0.04, 0.03), 1.12, 0.12, False),
    ((0.02, -0.05), 0.9, -0.12, True), ((0.0, 0.0), 1.05, 0.2, False), ((-0.03, -0.03), 0.95, -0.2, True),
)  # fmt: skip
"""Shift in sides, scale, roll and mirroring of the windows that a portrait is looked at through."""
FAULTS = 0.7
"""Strength of the camera's faults put on each look; see `engine.training.synthetic.lens`."""
BELOW = 1.2
"""Heights of the face, from its middle to that of a crop without a face: collar and chest."""


@dataclass(frozen=True)
class Portrait:
    """A real picture: a photo's file, or a number in a file of `engine.training.perception.real_set`."""

    name: str
    path: Path
    number: int | None = None

    def open(self) -> tuple[Photo, FaceObservation]:
        """The picture and its face.

        Raises:
            EngineError: it cannot be read, or shows no usable face.
        """
        if self.number is None:
            photo = read_photo(self.path)
            return photo, find_face(photo)
        real = _real(self.path)
        marks = real.landmarks[self.number]
        box = np.concatenate([marks[:, :2].min(0), marks[:, :2].max(0)])
        return Photo(Path(self.name), real.image(self.number)), FaceObservation(marks, box.astype(np.float32), 1.0)


@dataclass
class PortraitSight:
    """What was measured on one portrait; lengths as shares of the inter-ocular distance.

    Attributes:
        portrait: which.
        shapes: by source, the face's vertices; "raw" has MediaPipe's points. Empty where nothing was fitted.
        beside: by source, mean distance of the fitted head's points in the picture to MediaPipe's.
        contours: mean distance of the dense contour points to MediaPipe's contour, by name.
        spread: (N,) of each dense point between looks, root mean square. stated: (N,) its stated deviation.
        face: confidence. chest: confidence below the face, NaN where the picture ends before.
        points: as seen.
    """

    portrait: Portrait
    shapes: dict[str, NDArray] = field(default_factory=dict)
    beside: dict[str, float] = field(default_factory=dict)
    contours: dict[str, float] = field(default_factory=dict)
    spread: NDArray = field(default_factory=lambda: np.zeros(0))
    stated: NDArray = field(default_factory=lambda: np.zeros(0))
    face: float = 0.0
    chest: float = float("nan")
    points: DensePoints | None = None


def find_portraits(source: Path, most: int) -> tuple[list[Portrait], list[list[int]]]:
    """Portraits, first those of people who are seen more than once, and the numbers of each such person's.

    Args:
        source: a folder with `same_person_pairs.csv`, or a file that `python -m engine.training portraits` wrote.
        most: so many portraits, but all of people seen more than once.
    """
    if source.is_dir():
        places = {path.relative_to(source).as_posix(): path for path in sorted(source.rglob("*.jpg"))}
        pairs = read_pairs(source / LISTED)
        named = {name: Portrait(name, path) for name, path in places.items()}
    else:
        real = _real(source)
        names = [str(name) for name in real.names]
        pairs = [(names[first], names[second]) for first, second in real.pairs]
        named = {names[n]: Portrait(names[n], source, int(n)) for n in np.argsort(~real.validation, kind="stable")}
    people = [[name for name in person if name in named] for person in together(pairs)]
    people = [person for person in people if len(person) > 1]
    order = [name for person in people for name in person]
    rest = [name for name in named if name not in set(order)]
    chosen = [*order, *rest][: max(most, len(order))]
    place = {name: number for number, name in enumerate(chosen)}
    return [named[name] for name in chosen], [[place[name] for name in person] for person in people]


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Names of two portraits of one person each; none where there is no such file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["first"], row["second"]) for row in csv.DictReader(file)]


def together(pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Names by person: what is paired is one person's, through others too."""
    people: list[list[str]] = []
    for pair in pairs:
        touched = [person for person in people if set(person) & set(pair)]
        merged = list(dict.fromkeys([name for person in touched for name in person] + list(pair)))
        people = [person for person in people if person not in touched] + [merged]
    return people


def measure_portrait(portrait: Portrait, networks: Networks, fitted: bool, seed: int = 0) -> PortraitSight | None:
    """Look at a portrait, and fit it if asked for. None where it shows no usable face."""
    head = load_head()
    try:
        photo, face = portrait.open()
    except EngineError:
        return None
    with single_threaded_torch():
        sight = PortraitSight(portrait, points=networks.see(photo.pixels, face))
        assert sight.points is not None
        sight.face = sight.points.face
        sight.contours = contour_distances(head, sight.points, face)
        sight.spread, sight.stated = steadiness(photo, face, networks, np.random.default_rng(seed))
        sight.chest = _chest(photo, face, networks)
        if fitted:
            region = head.regions["face"]
            sight.shapes["raw"] = face.landmarks
            belief = recognised_shape(head, photo.pixels, face.landmarks)
            if belief is not None:
                sight.shapes[RECOGNISED] = believed_face(head, belief)
            for source in FITTED:
                sighting = networks.sighting(head, source, face, sight.points)
                size = photo.width, photo.height
                solved = solve_sighting(head, sighting, *size, photo.focal_length_px, belief)
                sight.shapes[source] = neutral_shape(head, solved)[region]
                sight.beside[source] = describe(head, face, photo, *solved).errors["mean"]
    return sight


def contour_distances(head: HeadModel, dense: DensePoints, face: FaceObservation) -> dict[str, float]:
    """Mean distance of the dense points next to each contour to MediaPipe's contour, over the inter-ocular distance."""
    found = {}
    for name, loop in CONTOURS.items():
        points = dense.points[_beside(head, dense.vertices, loop), :2]
        found[name] = float(to_loop(points, face.landmarks[list(loop), :2]).mean()) / face.interocular
    return found


def vertex_distances(head: HeadModel, vertices: NDArray) -> dict[str, float]:
    """The same of the vertices themselves on the mean head: they are beside the contours, not on them."""
    marks = head.embeddings["mediapipe"].positions(head.vertices, head.faces)
    unit = float(np.linalg.norm(marks[RIGHT_EYE[0]] - marks[LEFT_EYE[0]]))
    found = {}
    for name, loop in CONTOURS.items():
        places = head.vertices[vertices[_beside(head, vertices, loop)], :2]
        found[name] = float(to_loop(places, marks[list(loop), :2]).mean()) / unit
    return found


def _beside(head: HeadModel, vertices: NDArray, loop: Sequence[int]) -> list[int]:
    """Which of the dense points stand next to a contour's points: the corners with most weight in their embedding."""
    embedding = head.embeddings["mediapipe"]
    marks = np.array(loop)[embedding.valid[list(loop)]]
    corners = head.faces[embedding.faces[marks]][np.arange(len(marks)), embedding.barycentrics[marks].argmax(1)]
    place = {int(vertex): number for number, vertex in enumerate(vertices)}
    return [place[vertex] for vertex in dict.fromkeys(corners.tolist()) if vertex in place]


def to_loop(points: NDArray, loop: NDArray) -> NDArray[np.float64]:
    """(N,) distance of points (N,2) to a closed polyline (M,2)."""
    start, way = loop.astype(np.float64), np.roll(loop, -1, axis=0) - loop
    from_start = points[:, None] - start
    length = np.maximum(np.sum(way**2, axis=1), 1e-12)
    share = np.clip(np.sum(from_start * way, axis=2) / length, 0.0, 1.0)
    return np.linalg.norm(from_start - share[..., None] * way, axis=2).min(axis=1)


def steadiness(
    photo: Photo, face: FaceObservation, networks: Networks, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far dense points move between spoilt looks through other windows, and how far the network says they err.

    Returns:
        (N,) each, over the inter-ocular distance: root mean square distance from the mean of the looks, and the stated
        deviation of x and y as a distance (times the root of two).
    """
    window = window_of_mesh(face.landmarks)
    seen = []
    for look in LOOKS:
        crop = window.varied((0.0, 0.0), 1.6, 0.0, False)
        side = 512
        pixels = spoil(np.asarray(crop.cut(photo.pixels, side), np.uint8), rng, FAULTS)
        inside = Window(np.full(2, side / 2), side / 1.6).varied(*look)
        points = see_points(pixels, inside, networks.points)
        scale = crop.side / side
        seen.append((points.points[:, :2] * scale, points.deviation[:, 0] * scale))
    places = np.stack([points for points, _ in seen])
    spread = np.sqrt(np.mean(np.sum((places - places.mean(0)) ** 2, axis=2), axis=0))
    stated = np.sqrt(2 * np.mean([deviation**2 for _, deviation in seen], axis=0))
    return spread / face.interocular, stated / face.interocular


def _chest(photo: Photo, face: FaceObservation, networks: Networks) -> float:
    """Confidence of a face where there is none, below it; NaN where the picture ends before."""
    low, high = face.box[:2], face.box[2:]
    size = float((high - low).max())
    middle = (low + high) / 2 + np.array([0.0, BELOW * size])
    if middle[1] + size / 2 > photo.height:
        return float("nan")
    return see_points(photo.pixels, Window(middle.astype(np.float64), size), networks.points).face


def consistency_table(sights: Sequence[PortraitSight], people: Sequence[Sequence[int]]) -> Table:
    """Distances of shapes within people over those between people, by what gave the shapes."""
    chosen = [number for person in people for number in person]
    owner = {number: who for who, person in enumerate(people) for number in person}
    rows: list[tuple[str | int | float, ...]] = []
    for name in ("raw", RECOGNISED, *FITTED):
        if any(name not in sights[number].shapes for number in chosen):
            continue
        shapes = [sights[number].shapes[name] for number in chosen]
        found = discrimination(shapes, [owner[number] for number in chosen])
        title = TITLES.get(name, f"fitted shape, {name}")
        beside = mean([sights[number].beside.get(name, float("nan")) for number in chosen])
        rows.append((title, found.ratio, 100 * found.first, 100 * beside, found.count))
    note = (
        f"{len(people)} people with two or more portraits. Mean distance between shapes of one person over that between"
        " people, after the best similarity; 1 knows nothing. Nearest: share whose nearest shape is the same person's."
        " Beside: how far the fitted head's points lie from MediaPipe's in the picture, % of the inter-ocular distance."
    )
    columns = ("shape", "within / between", "nearest %", "beside %", "portraits")
    return Table("Real portraits, consistency", columns, rows, note)


def agreement_table(sights: Sequence[PortraitSight], head: HeadModel) -> Table:
    """Distance of dense contour points to MediaPipe's contours."""
    first = sights[0].points
    assert first is not None
    floor = vertex_distances(head, first.vertices)
    rows: list[tuple[str | float, ...]] = []
    for name in CONTOURS:
        values = 100 * np.array([sight.contours[name] for sight in sights])
        rows.append((name, mean(values), float(np.median(values)), float(np.percentile(values, 95)), 100 * floor[name]))
    columns = ("contour", "mean", "median of portraits", "95 %", "the vertices' own, mean head")
    note = f"% of the inter-ocular distance in the picture, {len(sights)} portraits."
    return Table("Real portraits, agreement with MediaPipe's contours", columns, rows, note)


def steadiness_table(sights: Sequence[PortraitSight], head: HeadModel) -> Table:
    """How far points move between looks, by place, beside what the network says of its errors."""
    first = sights[0].points
    assert first is not None
    place = point_places(head, first.vertices)
    spread, stated = (np.stack([getattr(sight, name) for sight in sights]) for name in ("spread", "stated"))
    rows: list[tuple[str | float, ...]] = [("all points", 100 * mean(spread), 100 * mean(stated))]
    for number, name in enumerate(PLACES):
        rows.append((name, 100 * mean(spread[:, place == number]), 100 * mean(stated[:, place == number])))
    note = (
        f"% of the inter-ocular distance, {len(sights)} portraits, {len(LOOKS)} looks each through shifted, turned,"
        " scaled and mirrored windows, with a camera's faults. Stated: the distance the network itself expects to err."
    )
    return Table("Real portraits, steadiness", ("place", "moves", "stated"), rows, note)


def confidence_table(sights: Sequence[PortraitSight]) -> Table:
    """Confidence at faces, and below them where there is none."""
    rows: list[tuple[str | int | float, ...]] = []
    kinds = (("portraits", [s.face for s in sights], 1), ("below the face", [s.chest for s in sights], -1))
    for name, values, sign in kinds:
        known = np.array(values)[np.isfinite(values)]
        if len(known):
            worst = known.min() if sign > 0 else known.max()
            rows.append((name, len(known), 100 * mean(sign * known > sign * 0.5), mean(known), float(worst)))
    columns = ("crop", "count", "right %", "mean confidence", "worst confidence")
    return Table("Real portraits, face or no face", columns, rows)


@lru_cache(maxsize=1)
def _real(path: Path) -> RealPictures:
    return read_real(path)
