"""Takes in FLAME's own numbers, and performances in FLAME's numbers as takes.

FLAME (Li et al., SIGGRAPH Asia 2017, section 3) turns vertices v about its root joint: G (v - J) + J + t. A take turns
the head about its own origin, before the footage's camera. Both are brought to one space: that of the camera with Y up
and Z towards the viewer, in which a head that looks into the camera has no turn, as SMIRK's and DECA's have none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import MediaError, ModelFileError
from ..fitting.brought import BLINKS
from ..heads.arkit_names import ARKIT_NAMES
from ..heads.model import HeadModel
from ..media.write import whole_file
from .livelink import DISTANCE, FACING, FOCAL, HEIGHT, WIDTH
from .motion import bridged
from .take import Take
from .turns import mean_rotation, to_axis_angle, to_matrix

if TYPE_CHECKING:
    from ..heads.retarget import Performance
    from ..result import Reconstruction

Array = NDArray[np.float64]
FILE = "flame.npz"
POSES = ("jaw_pose", "neck_pose", "global_pose", "left_eye_pose", "right_eye_pose")
TURNED = {"jaw": ("jaw",), "left_eye": ("eyeLook", "Left"), "right_eye": ("eyeLook", "Right")}
"""Starts and ends of the units that say what a take's bones say."""


@dataclass(frozen=True)
class FlameTake:
    """T frames in the arguments of FLAME's layers. Angles are axis-angle, radians; lengths are metres.

    Attributes:
        expression: (T,E). shape: (S,) standard deviations.
        jaw_pose, neck_pose, global_pose, left_eye_pose, right_eye_pose: (T,3).
        eyelids: (T,2) left, right, how far shut, 0..1, added after skinning as SMIRK does; None where not known.
        translation: (T,3) after all turns, before a camera at the origin that looks along -Z, Y up; None where not
            known.
        confidence: (T,) 0 where nothing was seen.
        times: (T,) seconds. fps: frames a second, 0 where not known.
        version: of FLAME, "" where not known.
        camera: of the footage, or None.
    """

    expression: Array
    shape: Array
    jaw_pose: Array
    neck_pose: Array
    global_pose: Array
    left_eye_pose: Array
    right_eye_pose: Array
    eyelids: Array | None
    translation: Array | None
    confidence: Array
    times: Array
    fps: float
    version: str = ""
    camera: Camera | None = None

    def __len__(self) -> int:
        return len(self.expression)

    def save(self, path: Path) -> None:
        """Write it as `.npz` without pickles, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        names = ("expression", "shape", *POSES, "eyelids", "translation", "confidence")
        arrays = {
            name: np.asarray(getattr(self, name), np.float32) for name in names if getattr(self, name) is not None
        }
        more: dict[str, Any] = {"times": self.times, "fps": np.float64(self.fps), "version": np.array(self.version)}
        if self.camera is not None:
            more |= {"K": self.camera.K, "size": np.array([self.camera.width, self.camera.height])}
        with whole_file(path) as file:
            np.savez_compressed(file, **arrays, **more)


@dataclass(frozen=True)
class Seat:
    """Where a head sits in FLAME's space: v becomes `rotation` v + `shift`. (3,3), (3,) metres."""

    rotation: Array
    shift: Array


def seat_of(head: HeadModel, neutral: NDArray, flame: HeadModel, shape: NDArray) -> Seat:
    """How a neutral head (V,3) of some model lies best on FLAME of a shape (S,), by the points of their faces."""
    from ..fitting.pose import rigid

    if head.name == flame.name and head.vertices.shape == flame.vertices.shape:
        return Seat(np.eye(3), np.zeros(3))
    mine, other = head.embeddings["mediapipe"], flame.embeddings["mediapipe"]
    both = mine.valid & other.valid
    source = mine.positions(np.asarray(neutral, np.float64), head.faces)[both]
    target = other.positions(flame.shape(_filled(shape, flame)).astype(np.float64), flame.faces)[both]
    return Seat(*rigid(source, target))


def version_name(flame: HeadModel) -> str:
    """Of the user's file, "" where its name does not tell."""
    title = flame.provenance.get("model", "").partition(" (")[0]
    return "" if "not known" in title else title


# To FLAME ------------------------------------------------------------------------------------------------------------


def to_flame(
    take: Take, flame: HeadModel, head: HeadModel, neutral: NDArray | None = None, shape: NDArray | None = None
) -> FlameTake:
    """A take in FLAME's numbers.

    Where FLAME's file has SMIRK's eyelids beside it, blinks are theirs; else they are in the expression. All turning is
    the global one: footage of a face shows no shoulders.

    Args:
        flame: the user's FLAME, completed (`load_head("flame")`).
        head: the model of the head that acts. neutral: (V,3) that head, None for its mean.
        shape: (S,) FLAME's, of a FLAME head that acts; None for the mean.
    """
    shape = _filled(np.zeros(0) if shape is None else shape, flame)
    seat = seat_of(head, head.vertices if neutral is None else neutral, flame, shape)
    weights = np.zeros((len(take), len(ARKIT_NAMES)))
    for column, name in enumerate(ARKIT_NAMES):
        if name in take.expression_names:
            weights[:, column] = take.unit(name)
    lids = None
    if flame.eyelid_basis is not None:
        blinks = [ARKIT_NAMES.index(name) for name in BLINKS]
        lids = weights[:, blinks].copy()
        weights[:, blinks] = 0.0
    acted = _acted(take, weights, flame)
    turn = FACING @ take.head_rotation.astype(np.float64) @ seat.rotation.T
    place = take.head_translation.astype(np.float64) @ FACING - turn @ seat.shift
    root = joints_of(flame, shape, acted.expression)[:, 0]
    still = np.zeros((len(take), 3))
    return FlameTake(
        expression=acted.expression,
        shape=shape,
        jaw_pose=acted.jaw,
        neck_pose=still,
        global_pose=to_axis_angle(turn),
        left_eye_pose=acted.left_eye,
        right_eye_pose=acted.right_eye,
        eyelids=lids,
        translation=place + _turned(turn, root) - root,
        confidence=take.confidence.astype(np.float64),
        times=take.times,
        fps=take.fps,
        version=version_name(flame),
        camera=take.camera,
    )


def write_flame(folder: Path, take: Take, actor: Reconstruction, model_folder: Path | None) -> None:
    """Write `flame.npz` beside a take.

    Args:
        actor: the head that acts.
    Raises:
        ModelFileError: FLAME's file is missing. OutputError: it cannot be written.
    """
    from ..heads.loader import load_head

    flame = load_head("flame", model_folder)
    head = load_head(actor.report.get("head_model", "open"), model_folder)
    shape = actor.identity if head is flame else None
    to_flame(take, flame, head, actor.vertices, shape).save(folder / FILE)


def _acted(take: Take, weights: Array, flame: HeadModel) -> Performance:
    """The units in FLAME's coefficients; where units say nothing of jaw or eyes, the take's bones do."""
    from ..heads.retarget import retarget_of

    acted = retarget_of(flame).to_model(weights)
    for part, (start, *end) in TURNED.items():
        saying = [n for n, name in enumerate(ARKIT_NAMES) if name.startswith(start) and name.endswith(tuple(end) or "")]
        if not weights[:, saying].any():
            acted = replace(acted, **{part: getattr(acted, part) + getattr(take, part)})
    return acted


# From FLAME ----------------------------------------------------------------------------------------------------------


def from_flame(given: FlameTake, flame: HeadModel, head: HeadModel) -> tuple[Take, Array]:
    """A performance in FLAME's numbers as a take of another head, or of FLAME's own with ARKit's units.

    Frames that are not numbers are gaps, bridged as those of footage. Without a translation the head stays a metre
    before the camera.

    Args:
        flame: the user's FLAME, completed. head: the model that is to act.
    Returns:
        The take, and (T,) root mean square millimetres by which its units miss FLAME's face.
    Raises:
        ModelFileError: the numbers are of another version of FLAME. MediaError: no frame has any.
    """
    from ..heads.retarget import Performance, retarget_of

    check_version(given, flame)
    given = _whole(given)
    if not (given.confidence > 0).any():
        raise MediaError("The parameters have no frame whose numbers are numbers.", "Choose another file.")
    retarget = retarget_of(flame)
    expression = np.zeros((len(given), len(retarget.units[0]) - 9))
    expression[:, : given.expression.shape[1]] = given.expression
    acted = Performance(expression, given.jaw_pose, given.left_eye_pose, given.right_eye_pose)
    found = retarget.to_arkit(acted)
    missed = retarget.missed(acted, found)
    if given.eyelids is not None:
        blinks = [ARKIT_NAMES.index(name) for name in BLINKS]
        found[:, blinks] = np.maximum(found[:, blinks], np.clip(given.eyelids, 0.0, 1.0))
    columns = [ARKIT_NAMES.index(name) for name in head.expression_names]
    rotation, place = _placed(given, flame, head, expression)
    return _take(given, head, found[:, columns], rotation, place), missed


def check_version(given: FlameTake, flame: HeadModel) -> None:
    """Whether numbers are of the user's FLAME.

    Raises:
        ModelFileError: they are not, by the version's name or by how many there are.
    """
    mine, count = version_name(flame), len((flame.published or flame).expression_basis)
    if given.version and mine and given.version != mine:
        raise ModelFileError(
            f"The parameters are those of {given.version}; your file is {mine}, on which they make other faces.",
            f"Put {given.version} into the model folder instead.",
        )
    for what, has, most in (
        ("expression", given.expression.shape[1], count),
        ("shape", len(given.shape), len(flame.identity_basis)),
    ):
        if has > most:
            raise ModelFileError(
                f"The parameters have {has} numbers of {what}; your {mine or 'FLAME'} has {most}.",
                "Put the version of FLAME that they are for into the model folder.",
            )


def _whole(given: FlameTake) -> FlameTake:
    """Gaps bridged by straight lines."""
    names = ("expression", *POSES, "eyelids", "translation")
    values = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    seen = given.confidence > 0
    for array in values.values():
        seen &= np.isfinite(array).all(1)
    bridging = {name: bridged(array, seen) for name, array in values.items()}
    return replace(given, confidence=np.where(seen, given.confidence, 0.0), **bridging)


def _placed(given: FlameTake, flame: HeadModel, head: HeadModel, expression: Array) -> tuple[Array, Array]:
    """Turn (T,3,3) and place (T,3) of the head before the camera, OpenCV's axes."""
    seat = seat_of(head, head.vertices, flame, given.shape)
    turn, nod = to_matrix(given.global_pose), to_matrix(given.neck_pose)
    rotation = FACING @ turn @ nod @ seat.rotation
    if given.translation is None:
        return rotation, np.tile([0.0, 0.0, DISTANCE], (len(given), 1))
    root, neck = np.moveaxis(joints_of(flame, given.shape, expression)[:, :2], 1, 0)
    place = _turned(turn, neck - _turned(nod, neck) - root) + root + given.translation
    return rotation, (place + turn @ nod @ seat.shift) @ FACING


def _take(given: FlameTake, head: HeadModel, weights: Array, rotation: Array, place: Array) -> Take:
    from ..fitting.detector import load_detector
    from .motion import part_turns
    from .person import performer

    basis, names = head.expression_basis.astype(np.float32), head.expression_names
    actor = performer(head.vertices, head.faces, basis, names, head.embeddings["mediapipe"], load_detector(), FOCAL)
    middle = mean_rotation(rotation[given.confidence > 0])
    K = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
    parts = part_turns(head, actor, weights)
    return Take(
        times=given.times,
        fps=given.fps,
        expression=weights.astype(np.float32),
        expression_names=names,
        head_rotation=rotation.astype(np.float32),
        head_translation=place.astype(np.float32),
        neck=to_axis_angle(middle.T @ rotation).astype(np.float32),
        confidence=given.confidence.astype(np.float32),
        landmarks_2d=np.full((len(given), 478, 2), np.nan, np.float32),
        camera=given.camera or Camera(K, np.eye(4), WIDTH, HEIGHT),
        **{name: turns.astype(np.float32) for name, turns in parts.items()},
    )


def joints_of(flame: HeadModel, shape: NDArray, expression: NDArray) -> Array:
    """(T,J,3) rest joints of a shape (S,) with expressions (T,E), which move FLAME's too."""
    still = flame.joint_positions(_filled(shape, flame)).astype(np.float64)
    moves = (flame.published or flame).joint_expression_basis
    if moves is None:
        return np.tile(still, (len(expression), 1, 1))
    return still + np.tensordot(expression, moves[: expression.shape[1]], 1)


def _filled(shape: NDArray, flame: HeadModel) -> Array:
    """(K,) with zeros for what is not given."""
    return np.pad(np.asarray(shape, np.float64), (0, len(flame.identity_basis) - len(shape)))


def _turned(turns: Array, points: Array) -> Array:
    """(T,3) points, each by its own turn (T,3,3)."""
    return np.einsum("tij,tj->ti", turns, points)
