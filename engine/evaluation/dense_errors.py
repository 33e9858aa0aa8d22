"""How well dense points are seen: errors by region and turn, honesty of the stated doubt, visibility, confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from ..perception.crop import Window
from ..perception.dense import SURE, DensePoints, see_points
from ..perception.regions import members
from ..perception.topology import FACE_OVAL
from ..training.synthetic.background import random_background
from ..training.synthetic.lens import spoil
from .held_out import SPOILT, YAW_BINS, HeldOut, interocular, true_points
from .tables import Table, mean

PLACES = (
    "eyes", "brows", "nose", "lips", "jaw and outline", "forehead and cheeks", "ears", "skull", "neck", "iris",
)  # fmt: skip
UNIT = (
    "% of the inter-ocular distance: the outer eye corners' distance in space, projected at the depth of the head's"
    " origin, so that turning the head does not shorten it"
)
EXPECTED = {"across the view": (39.3, 86.5), "along the view": (68.3, 95.4)}
"""% of Gaussian errors within one and two deviations, of a two-dimensional and a one-dimensional one."""
BINS = 8
CORNER = 0.2
"""Of the side, of the corners of pictures that serve as crops without a face."""


@dataclass(frozen=True)
class PointErrors:
    """What was seen of P pictures, N points each; lengths as shares of the inter-ocular distance.

    Attributes:
        place: (N,) index into `PLACES`.
        across, along: (P,N) distance across the view, and signed error along it.
        doubt: (P,N,2) stated standard deviation: of x and of y, and along the view.
        hidden: (P,N) bool, true. said_visible: (P,N) 0..1.
        turned: (P,) index into `YAW_BINS`.
        face: (P,) 0..1 how sure of a face.
    """

    place: NDArray[np.int64]
    across: NDArray[np.float64]
    along: NDArray[np.float64]
    doubt: NDArray[np.float64]
    hidden: NDArray[np.bool_]
    said_visible: NDArray[np.float64]
    turned: NDArray[np.int64]
    face: NDArray[np.float64]


def point_places(head: HeadModel, vertices: NDArray) -> NDArray[np.int64]:
    """(N,) index into `PLACES` of each vertex. The outline is what of the face lies next to MediaPipe's face oval."""
    found = np.full(len(vertices), PLACES.index("skull"))
    embedding = head.embeddings["mediapipe"]
    marks = embedding.positions(head.vertices, head.faces)
    nearest = np.linalg.norm(head.vertices[vertices][:, None] - marks[None], axis=2).argmin(1)
    regions = {name: head.regions[name][vertices] for name in head.regions}
    found[regions["neck"]] = PLACES.index("neck")
    found[regions["face"]] = PLACES.index("forehead and cheeks")
    found[regions["face"] & np.isin(nearest, FACE_OVAL)] = PLACES.index("jaw and outline")
    for place, *names in (
        ("ears", "ears"), ("nose", "nose"), ("brows", "brows"), ("eyes", "eyelids"), ("lips", "lips", "inner_mouth"),
        ("iris", "eye"),
    ):  # fmt: skip
        for name in names:
            found[regions[name]] = PLACES.index(place)
    return found


def look_at_points(
    head: HeadModel, pictures: Sequence[HeldOut], weights: Path | None = None
) -> tuple[PointErrors, list[DensePoints]]:
    """Look at every picture as the engine looks at a photo: from the picture's own window, settled by the points."""
    seen = [see_points(picture.image, picture.window, weights) for picture in pictures]
    return compare_points(head, pictures, seen), seen


def compare_points(head: HeadModel, pictures: Sequence[HeldOut], seen: Sequence[DensePoints]) -> PointErrors:
    """What was seen against what is true."""
    vertices = seen[0].vertices
    unit = np.array([interocular(head, picture) for picture in pictures])
    truth = np.stack([true_points(head, picture, vertices) for picture in pictures])
    error = np.stack([points.points for points in seen]) - truth
    return PointErrors(
        place=point_places(head, vertices),
        across=np.linalg.norm(error[..., :2], axis=2) / unit[:, None],
        along=error[..., 2] / unit[:, None],
        doubt=np.stack([points.deviation for points in seen]) / unit[:, None, None],
        hidden=np.stack([~picture.visible[vertices] for picture in pictures]),
        said_visible=np.stack([points.visible for points in seen]).astype(np.float64),
        turned=np.array([picture.yaw_bin for picture in pictures]),
        face=np.array([points.face for points in seen]),
    )


def error_table(errors: PointErrors) -> Table:
    """Mean error by place (rows) and turn (columns), visible and hidden points apart."""
    kinds = {"visible": ~errors.hidden, "hidden": errors.hidden}
    columns = [f"{name} {kind}" for kind in kinds for name in ("all", *YAW_BINS)]

    def row(name: str, values: NDArray, chosen: NDArray) -> tuple[str | float, ...]:
        cells = []
        for kind in kinds.values():
            where = kind & chosen
            cells.append(100 * mean(values[where]))
            cells += [100 * mean(values[where & (errors.turned == b)[:, None]]) for b in range(len(YAW_BINS))]
        return (name, *cells)

    everything = np.ones(len(errors.place), bool)
    rows = [row("all points", errors.across, everything)]
    rows += [row(name, errors.across, errors.place == number) for number, name in enumerate(PLACES)]
    rows.append(row("all points, along the view", np.abs(errors.along), everything))
    counts = [int((errors.turned == number).sum()) for number in range(len(YAW_BINS))]
    among = ", ".join(f"{count} at {name}" for count, name in zip(counts, YAW_BINS, strict=True))
    note = f"{UNIT}. Mean distance across the view; pictures: {among}."
    return Table("Dense points, mean error", ("place", *columns), rows, note)


def calibration_table(errors: PointErrors) -> Table:
    """Share of errors within one and two stated deviations, beside what is expected of Gaussian ones."""
    rows: list[tuple[str | float, ...]] = []
    sizes = {"across the view": errors.across, "along the view": np.abs(errors.along)}
    for axis, (direction, size) in enumerate(sizes.items()):
        ratio = size / errors.doubt[..., axis]
        for kind, where in (("visible", ~errors.hidden), ("hidden", errors.hidden)):
            within = [100 * mean(ratio[where] < limit) for limit in (1.0, 2.0)]
            spread = np.sqrt(mean(ratio[where] ** 2) / (2.0 if axis == 0 else 1.0))
            rows.append((f"{direction}, {kind}", within[0], EXPECTED[direction][0], within[1], EXPECTED[direction][1],
                         float(spread)))  # fmt: skip
    columns = ("points", "within 1σ %", "expected", "within 2σ %", "expected ", "error over σ, rms")
    return Table("Dense points, honesty of the variance", columns, rows)


def reliability_table(errors: PointErrors, bins: int = BINS) -> Table:
    """Points in order of their stated deviation, in equal parts: what was stated, and what came of it."""
    stated, found = errors.doubt[..., 0].ravel(), errors.across.ravel()
    order = np.argsort(stated)
    rows: list[tuple[str | float, ...]] = []
    for number, part in enumerate(np.array_split(order, bins)):
        real = np.sqrt(np.mean(found[part] ** 2) / 2)
        said = np.sqrt(np.mean(stated[part] ** 2))
        within = 100 * mean(found[part] < stated[part])
        rows.append((f"{number + 1} of {bins}", 100 * said, 100 * float(real), float(real / said), within))
    columns = ("part", "stated σ %", "found σ %", "found / stated", "within 1σ %")
    note = "All points in equal parts by the σ stated for x and y, % of the inter-ocular distance; 39.3 % expected."
    return Table("Dense points, reliability", columns, rows, note)


def visibility_table(errors: PointErrors) -> Table:
    """How often the visibility is told right, by turn; and the mean of both kinds, which guessing makes 50 %."""
    said = errors.said_visible > 0.5
    rows: list[tuple[str | float, ...]] = []
    for name, among in (("all", np.ones(len(errors.turned), bool)), *_turns(errors)):
        hidden, claimed = errors.hidden[among], said[among]
        right = [100 * mean(claimed[~hidden]), 100 * mean(~claimed[hidden])]
        rows.append((name, 100 * mean(claimed != hidden), *right, mean(right), 100 * mean(hidden)))
    columns = ("turn", "right %", "of visible %", "of hidden %", "mean of both %", "truly hidden %")
    return Table("Dense points, visibility", columns, rows)


def _turns(errors: PointErrors) -> list[tuple[str, NDArray[np.bool_]]]:
    return [(name, errors.turned == number) for number, name in enumerate(YAW_BINS)]


def crops_without_faces(pictures: Sequence[HeldOut], seed: int = 0) -> dict[str, list[NDArray[np.uint8]]]:
    """Pictures in which there is no face: invented backgrounds, and enlarged corners of pictures that show none."""
    import cv2

    rng = np.random.default_rng((seed, 77))
    found: dict[str, list[NDArray[np.uint8]]] = {"invented background": [], "corner of a picture": []}
    for picture in pictures:
        side = picture.camera.width
        found["invented background"].append(spoil(random_background(side, rng), rng, SPOILT))
        part, small = int(CORNER * side), int(CORNER * len(picture.regions))
        left, top = rng.integers(2, size=2)
        labels = _corner(picture.regions, small, left, top)
        if not np.isin(labels, members("face")).any():
            crop = _corner(picture.image, part, left, top)
            found["corner of a picture"].append(np.asarray(cv2.resize(crop, (side, side)), np.uint8))
    return found


def _corner(values: NDArray, size: int, left: int, top: int) -> NDArray:
    rows = slice(0, size) if top else slice(-size, None)
    return values[rows, :size] if left else values[rows, -size:]


def face_table(faces: NDArray, without: dict[str, list[NDArray[np.uint8]]], weights: Path | None = None) -> Table:
    """How often it is told right whether there is a face.

    Args:
        faces: (P,) how sure the network was of the faces.
        without: crops without a face, by kind.
    """
    rows: list[tuple[str | int | float, ...]] = [
        ("faces", len(faces), 100 * mean(faces > SURE), mean(faces), float(np.min(faces)))
    ]
    for kind, crops in without.items():
        if not crops:
            continue
        middle = [Window(np.array(crop.shape[1::-1]) / 2, float(crop.shape[1])) for crop in crops]
        sure = np.array([see_points(c, w, weights).face for c, w in zip(crops, middle, strict=True)])
        rows.append((kind, len(sure), 100 * mean(sure <= SURE), mean(sure), float(sure.max())))
    columns = ("crop", "count", "right %", "mean confidence", "worst confidence")
    return Table("Face or no face", columns, rows, f"A face is believed above a confidence of {SURE}.")
