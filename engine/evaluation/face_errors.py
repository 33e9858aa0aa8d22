"""Face error in millimetres on synthetic people, from one photo and from several, for each way of seeing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..devices import single_threaded_torch
from ..errors import EngineError
from ..fitting.detector import DetectorModel
from ..fitting.points import Coefficients
from ..fitting.pose import similarity
from ..fitting.recognised import face_features, load_regression
from ..fitting.recognised import together as believed_together
from ..fitting.several import fit_several
from ..fitting.sighting import DENSE_FOCAL_DEVIATION, Sighting, at_vertices
from ..heads.loader import load_head
from ..heads.model import HeadModel
from ..media.photo import Photo
from ..perception.dense import SURE, DensePoints
from ..perception.landmarks import find_face
from .held_out import HeldOut, true_points
from .metrics import ShapeError, shape_error
from .sources import (
    DENSE,
    FUSED,
    MESH_RENDERS,
    RECOGNISED,
    SOURCES,
    Networks,
    Solved,
    believed_face,
    neutral_shape,
    solve_sighting,
)
from .tables import Table, mean

MEAN_HEAD, SIZE_ONLY, EXACT = "mean head", "true shape at the mean size", "exact points"
ALONE = ", without recognition"
KNOWN = ", focal length known"
WITH_FOCAL = (DENSE, FUSED, EXACT)
"""What is also fitted with the true focal length, from one photo."""
WITHOUT = (MESH_RENDERS, DENSE)
"""What is also fitted with any head as likely as any other, from one photo."""
OF_SEVERAL = (MESH_RENDERS, DENSE, FUSED)
"""The ways of seeing that are tried on several photos."""
PHOTOS = 5
"""Of one person."""
WAYS = {"one": "first photo alone", "averaged": "mean of the fits", "joint": "all together"}
COLUMNS = (
    "shape",
    "rigid mm",
    "rigid, % of mean head",
    "with scale mm",
    "with scale, % of mean head",
    "better than mean head %",
)
EXACT_DEVIATION = 2e-4
"""Metres, of the true points that are given to the fit to see what else than seeing limits it."""


@dataclass
class PersonErrors:
    """Errors on one person, by way of seeing.

    Attributes:
        one: from the first photo. joint: from all together. averaged: of the mean of all fits.
        photos: how many were used. missed: how many showed no usable face.
    """

    one: dict[str, ShapeError] = field(default_factory=dict)
    joint: dict[str, ShapeError] = field(default_factory=dict)
    averaged: dict[str, ShapeError] = field(default_factory=dict)
    photos: int = 0
    missed: int = 0


def measure_person(
    pictures: Sequence[HeldOut], networks: Networks, photos: int = 1, known_focal: bool = False
) -> PersonErrors:
    """Fit a person's pictures.

    Args:
        pictures: of one person; those without a usable face are passed over.
        photos: use so many; with more than one, `OF_SEVERAL` alone are tried and combined.
        known_focal: tell all fits the focal length. With one photo, some are tried with it in any case.
    """
    head = load_head()
    result, solved, beliefs = PersonErrors(), [], []
    with single_threaded_torch():
        for picture in pictures:
            found = _fits(head, picture, networks, photos == 1, known_focal)
            if found is None:
                result.missed += 1
                continue
            solved.append(found[0])
            beliefs.append(found[1])
            if len(solved) == photos:
                break
    result.photos = len(solved)
    if not solved:
        return result
    face = head.regions["face"]
    truth = head.shape(pictures[0].identity)[face]
    mean_face = head.vertices[face]
    result.one[MEAN_HEAD] = shape_error(mean_face, truth)
    result.one[SIZE_ONLY] = shape_error(truth * similarity(truth, mean_face)[0], truth)
    result.one[RECOGNISED] = shape_error(believed_face(head, beliefs[0]), truth)
    if photos > 1:
        result.averaged[RECOGNISED] = shape_error(believed_face(head, believed_together(beliefs)), truth)
    for source in solved[0]:
        fits = [neutral_shape(head, found[source])[face] for found in solved]
        result.one[source] = shape_error(fits[0], truth)
        if photos > 1:
            together = fit_several(head, [found[source] for found in solved])[face]
            result.joint[source] = shape_error(together, truth)
            result.averaged[source] = shape_error(np.mean(fits, axis=0), truth)
    return result


def _fits(
    head: HeadModel, picture: HeldOut, networks: Networks, alone: bool, known_focal: bool
) -> tuple[dict[str, Solved], Coefficients] | None:
    """A fit for each way of seeing, and what recognition believes; None where one of them sees no face."""
    try:
        face = find_face(Photo(Path(picture.name), picture.image))
    except EngineError:
        return None
    dense = networks.see(picture.image, face)
    if dense.face < SURE:
        return None
    sightings = {name: networks.sighting(head, name, face, dense) for name in (SOURCES if alone else OF_SEVERAL)}
    if alone:
        sightings[EXACT] = exact_sighting(head, picture, dense)
    size, place = whole_photo(picture)
    placed = {name: replace(seen, observed=seen.observed + np.append(place, 0.0)) for name, seen in sightings.items()}
    focal = float(picture.camera.K[0, 0])
    guess = focal if known_focal else None
    belief = load_regression()(face_features(picture.image, face.landmarks), "renders")
    found = {name: solve_sighting(head, seen, *size, guess, belief) for name, seen in placed.items()}
    if alone and not known_focal:
        found |= {name + KNOWN: solve_sighting(head, placed[name], *size, focal, belief) for name in WITH_FOCAL}
        found |= {name + ALONE: solve_sighting(head, placed[name], *size) for name in WITHOUT}
    return found, belief


def whole_photo(picture: HeldOut) -> tuple[tuple[int, int], NDArray[np.float64]]:
    """Width and height of the smallest photo that the picture can be a part of, its middle being the camera's principal
    point; and where (2,) in it the picture begins."""
    middle = picture.camera.K[:2, 2]
    reach = np.ceil(np.maximum(middle, [picture.camera.width, picture.camera.height] - middle))
    width, height = (2 * reach).astype(int).tolist()
    return (width, height), reach - middle


def exact_sighting(head: HeadModel, picture: HeldOut, dense: DensePoints) -> Sighting:
    """The true places of the dense points, nearly certain."""
    count = len(dense.vertices)
    none = np.zeros((0, count, 3))
    deviation = np.full((count, 3), EXACT_DEVIATION)
    detector = DetectorModel(np.zeros((count, 3)), np.zeros((5, count, 3)), none, none, none, deviation)
    observed = true_points(head, picture, dense.vertices)
    return Sighting(at_vertices(head, dense.vertices), observed, detector, DENSE_FOCAL_DEVIATION)


def one_photo_table(people: Sequence[PersonErrors]) -> Table:
    """Errors from one photo of each person, all ways of seeing on the same people."""
    used = [person for person in people if person.photos]
    others = (*(name + ALONE for name in WITHOUT), *(name + KNOWN for name in WITH_FOCAL))
    names = (MEAN_HEAD, SIZE_ONLY, RECOGNISED, *SOURCES, EXACT, *others)
    rows = [_row(n, [(p.one[n], p.one[MEAN_HEAD]) for p in used if n in p.one]) for n in names if _any(used, n)]
    missed = sum(person.missed for person in people)
    note = (
        f"Mean distance of the face region's vertices, mm, {len(used)} people; {missed} pictures without a face that"
        " every way of seeing could use are left out. The principal point is in the photo's middle, as the fit"
        " believes; the focal length is not told, as in a photo without EXIF, unless said."
    )
    return Table("Face error from one photo", COLUMNS, rows, note)


def several_photos_table(people: Sequence[PersonErrors]) -> Table:
    """Errors from several photos of each person."""
    used = [person for person in people if person.photos > 1]
    rows = [_row(name, [(p.one[name], p.one[MEAN_HEAD]) for p in used]) for name in (MEAN_HEAD, SIZE_ONLY, RECOGNISED)]
    rows.append(_row(f"{RECOGNISED}, mean", [(p.averaged[RECOGNISED], p.one[MEAN_HEAD]) for p in used]))
    for source in OF_SEVERAL:
        for way in ("one", "averaged", "joint"):
            rows.append(_row(f"{source}, {WAYS[way]}", [(getattr(p, way)[source], p.one[MEAN_HEAD]) for p in used]))
    photos = mean([person.photos for person in used])
    note = f"As from one photo; {len(used)} people, {photos:.1f} photos of each on average."
    return Table("Face error from several photos", COLUMNS, rows, note)


def _any(people: Sequence[PersonErrors], name: str) -> bool:
    return any(name in person.one for person in people)


def _row(name: str, pairs: Sequence[tuple[ShapeError, ShapeError]]) -> tuple[str | float, ...]:
    """Errors of one way of seeing, each with the mean head's on the same person."""
    found = np.array([(e.rigid, e.scaled) for e, _ in pairs]).reshape(-1, 2)
    usual = np.array([(m.rigid, m.scaled) for _, m in pairs]).reshape(-1, 2)
    cells: list[float] = []
    for axis in range(2):
        own, mean_head = mean(found[:, axis]), mean(usual[:, axis])
        cells += [own, 100 * own / mean_head]
    return (name, *cells, 100 * mean(found[:, 1] < usual[:, 1]))
