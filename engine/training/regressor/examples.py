"""What a regressor learns from: aligned crops of synthetic people and of portraits, with what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError, ModelFileError
from ...heads.model import HeadModel
from ...perception import runtime
from ...perception.crop import Window, window_around
from ...perception.regions import members
from ...recognition.load import Recogniser
from ...regressors.crop import SIDE, FaceCrop, face_crop
from ...regressors.regressed import Regressed, same_size
from ..perception.portraits import GOOD_FIT
from ..perception.real_set import CROP_SIDE, MASKS, RealPictures
from ..synthetic.lens import spoil
from ..synthetic.shards import Shard

MOST_YAW = 60.0
"""Degrees; faces turned further are refused anyway (`engine.perception.landmarks.MAX_YAW`)."""
MASK = SIDE // 4
QUALITY = 92
FAR = 0.15
"""Of the crop's side by which MediaPipe's points may miss the true ones on average; beyond, it saw something else."""


@dataclass(frozen=True, eq=False)
class Examples:
    """N crops of faces.

    Attributes:
        jpeg: bytes of all JPEG files of (SIDE,SIDE,3) crops, one after the other. ends: (N,) where each ends.
        landmarks: (N,478,2) MediaPipe's points, pixels of the crop: what the regressor is given.
        wanted: (N,478,2) where the points of the head are, pixels of the crop. True for renders; for photos
            MediaPipe's again.
        known: (N,) bool: a render, of which everything but light and texture is known.
        identity: (N,K). expression: (N,E). rotation, translation: (N,3). log_focal: (N,). As in `Regressed`; zero where
            not known.
        masks: (N,MASK,MASK) uint8, 255 where the face is seen, hidden by nothing.
        numbers: (N,) of the picture in its file, for reports.
        angles: (N,3) degrees, true ones; zero where not known.
    """

    jpeg: NDArray[np.uint8]
    ends: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    wanted: NDArray[np.float32]
    known: NDArray[np.bool_]
    identity: NDArray[np.float32]
    expression: NDArray[np.float32]
    rotation: NDArray[np.float32]
    translation: NDArray[np.float32]
    log_focal: NDArray[np.float32]
    masks: NDArray[np.uint8]
    numbers: NDArray[np.int64]
    angles: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ends)

    def image(self, number: int) -> NDArray[np.uint8]:
        """(SIDE,SIDE,3) uint8 sRGB."""
        import cv2

        start = self.ends[number - 1] if number else 0
        pixels = cv2.imdecode(self.jpeg[start : self.ends[number]], cv2.IMREAD_COLOR)
        return np.ascontiguousarray(pixels[..., ::-1], np.uint8)

    def write(self, path: Path) -> None:
        """Store as npz, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        with open(partial, "wb") as file:
            np.savez(file, **{entry.name: getattr(self, entry.name) for entry in fields(self)})
        partial.replace(path)

    def joined(self, other: Examples) -> Examples:
        """These, then those."""
        parts = {entry.name: (getattr(self, entry.name), getattr(other, entry.name)) for entry in fields(self)}
        own, added = parts.pop("ends")
        start = len(self.jpeg)
        return Examples(ends=np.concatenate([own, added + start]), **{k: np.concatenate(v) for k, v in parts.items()})


def read_examples(path: Path) -> Examples:
    """Read what `Examples.write` wrote.

    Raises:
        ModelFileError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Examples(**{entry.name: stored[entry.name] for entry in fields(Examples)})
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise ModelFileError(f"{path} holds no examples ({error}).", "Remove it, to have it made again.") from error


@dataclass(frozen=True)
class _Example:
    """One of `Examples`."""

    image: NDArray[np.uint8]
    landmarks: NDArray
    wanted: NDArray
    truth: Regressed | None
    mask: NDArray[np.uint8]
    number: int
    angles: NDArray


def of_shards(
    head: HeadModel,
    recogniser: Recogniser,
    shards: Sequence[Shard],
    seed: int = 0,
    spoilt: float = 0.5,
    say: Callable[[int], None] = lambda _: None,
) -> Examples:
    """Synthetic people as MediaPipe sees them; those that it does not see, or that are turned too far, are left out.

    Args:
        seed: of the camera's faults. spoilt: how strong these are.
        say: told how many pictures are done.
    Raises:
        ModelFileError: no picture is left.
    """

    def all_of_them() -> Iterator[_Example]:
        done = 0
        for shard in shards:
            for number in range(len(shard)):
                done += 1
                say(done)
                if abs(float(shard.angles[number, 0])) <= MOST_YAW:
                    rng = np.random.default_rng((seed, int(shard.seeds[number])))
                    found = _render(head, recogniser, shard, number, rng, spoilt)
                    if found is not None:
                        yield found

    return _gathered(all_of_them(), head)


def _render(
    head: HeadModel, recogniser: Recogniser, shard: Shard, number: int, rng: np.random.Generator, spoilt: float
) -> _Example | None:
    image, camera = shard.image(number), shard.cameras[number]
    places = head.embeddings["mediapipe"].positions(shard.vertices(number, head), head.faces)
    true = camera.project(places)
    if not np.isfinite(true).all():
        true = np.where(np.isfinite(true), true, np.nanmean(true, axis=0))
    image = spoil(image, rng, spoilt) if spoilt > 0 else image
    seen = _looked_at(image, true, rng)
    if seen is None:
        return None
    try:
        crop = face_crop(recogniser, seen, camera.width, camera.height)
    except EngineError:
        return None
    wanted = crop.points(true)
    if np.linalg.norm(crop.points(seen) - wanted, axis=1).mean() > FAR * SIDE:
        return None
    empty = np.zeros(0, np.float32)
    identity, expression = shard.identity[number], shard.expression[number]
    camera = same_size(camera, head, identity)
    truth = Regressed.of_camera(camera, crop, identity, expression, empty, empty)
    visible = np.where(np.isin(shard.regions[number], members("face")), 255, 0).astype(np.uint8)
    mask = _cut_mask(crop.window, visible, camera.width)
    return _Example(crop.cut(image), crop.points(seen), wanted, truth, mask, number, shard.angles[number])


def _looked_at(image: NDArray[np.uint8], around: NDArray, rng: np.random.Generator) -> NDArray[np.float64] | None:
    """(478,3) where MediaPipe sees the points of a face: the mean of a look and a mirrored one, pixels.

    Args:
        around: (478,2) about where it is; MediaPipe's own windows are neither better nor worse than these, varied.
    """
    window = window_around(around)
    shift, scale, roll = rng.normal(0, 0.02, 2), float(np.exp(rng.normal(0, 0.05))), float(rng.normal(0, 0.04))
    looks = []
    for flipped in (False, True):
        view = window.varied((float(shift[0]), float(shift[1])), scale, roll, flipped)
        found = runtime.face_mesh(view.cut(image, runtime.MESH_SIDE))
        if found is None:
            return None
        looks.append(view.to_picture(found, runtime.MESH_SIDE))
    return np.mean(looks, axis=0)


def of_portraits(head: HeadModel, recogniser: Recogniser, real: RealPictures) -> Examples:
    """The portraits that may be learnt from.

    Raises:
        ModelFileError: there are none.
    """

    def all_of_them() -> Iterator[_Example]:
        for number in np.flatnonzero(~real.validation & (real.errors < GOOD_FIT)).tolist():
            landmarks = real.landmarks[number].astype(np.float64)
            crop = face_crop(recogniser, landmarks, CROP_SIDE, CROP_SIDE)
            layers = dict(zip(MASKS, real.masks[number].astype(np.float32) / 255, strict=True))
            face = np.maximum.reduce([layers["skin"], layers["eyes"], layers["inner_mouth"]])
            face = face * (1 - layers["frames"]) * (1 - layers["teacher_hair"]) * layers["inside"]
            mask = _cut_mask(crop.window, np.round(face * 255).astype(np.uint8), CROP_SIDE)
            seen = crop.points(landmarks)
            yield _Example(crop.cut(real.image(number)), seen, seen, None, mask, number, np.zeros(3))

    return _gathered(all_of_them(), head)


def _cut_mask(window: Window, mask: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(MASK,MASK) the window's part of a map (M,M) of a picture with so many pixels along its side."""
    share = mask.shape[0] / side
    smaller = Window(window.centre * share, window.side * share, window.roll)
    return np.asarray(smaller.cut(mask, MASK), np.uint8)


def _gathered(found: Iterator[_Example], head: HeadModel) -> Examples:
    import cv2

    examples, encoded = [], []
    for example in found:
        picture = np.ascontiguousarray(example.image[..., ::-1])
        encoded.append(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].ravel())
        examples.append(example)
    if not examples:
        raise ModelFileError("No face in these pictures can be learnt from.", "Draw more: see docs/training.md.")
    none = np.zeros(0, np.float32)
    nobody = Regressed(
        np.zeros(len(head.identity_basis), np.float32), np.zeros(len(head.expression_names), np.float32), none,
        np.zeros(3), np.zeros(3), 0.0, none, FaceCrop(Window(np.zeros(2), 1.0), 1, 1),
    )  # fmt: skip

    def truths(name: str) -> NDArray[np.float32]:
        return np.stack([getattr(example.truth or nobody, name) for example in examples]).astype(np.float32)

    return Examples(
        jpeg=np.concatenate(encoded),
        ends=np.cumsum([len(part) for part in encoded]),
        landmarks=np.stack([e.landmarks for e in examples]).astype(np.float32),
        wanted=np.stack([e.wanted for e in examples]).astype(np.float32),
        known=np.array([e.truth is not None for e in examples]),
        identity=truths("identity"),
        expression=truths("expression"),
        rotation=truths("rotation"),
        translation=truths("translation"),
        log_focal=truths("log_focal"),
        masks=np.stack([e.mask for e in examples]),
        numbers=np.array([e.number for e in examples]),
        angles=np.stack([e.angles for e in examples]).astype(np.float32),
    )
