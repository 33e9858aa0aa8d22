"""Real portraits as material for training: upright crops with what the engine itself sees and fits in them.

Nobody has labelled these pictures. What is stored are opinions of teachers, each right about some things: MediaPipe's
478 points, the head fitted to them and to what recognition says of its shape, the engine's masks, and a hair
segmentation network. What to believe is decided where they are used.

`python -m engine.training portraits --out FILE.npz` makes the file anew from the pictures in the shared folder.
"""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...camera import Camera
from ...errors import EngineError, MediaError
from ...fitting.deform import smooth_deformation
from ...fitting.result import HeadFit
from ...fitting.size import growth
from ...heads.model import HeadModel
from ...looking import look_at_face
from ...media.read import read_photo
from ...options import ReconstructOptions
from ...perception.crop import OUTER_CORNERS, Window
from ...perception.observation import FaceObservation, Masks
from ...progress import Progress
from .hair_teacher import SIDE as TEACHER_SIDE
from .hair_teacher import HairTeacher
from .real_set import CROP_SIDE, MASK_SIDE, RealPictures

FACE_SHARE = 0.40
"""Of the crop's side that the longer side of the fitted face takes: where the network's own crops leave least room."""
QUALITY = 95  # of the crops' JPEG
PAIRS = Path("portraits", "same_person_pairs.csv")
NETWORK = Path("nets", "hair_segmentation.tflite")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RealPicture:
    """One picture as it is stored.

    Attributes:
        jpeg: the crop, a JPEG file's bytes.
        window: where it was cut from the photo.
        photo_size: (2,) width, height of the photo.
        camera: fitted, of the crop.
        fit: with pixels of the photo.
        landmarks: (478,3) pixels of the crop, depth too.
        masks: (M,S,S) uint8, see `MASKS`.
    """

    jpeg: NDArray[np.uint8]
    window: Window
    photo_size: tuple[int, int]
    camera: Camera
    fit: HeadFit
    landmarks: NDArray[np.float32]
    masks: NDArray[np.uint8]


def find_pictures() -> Path | None:
    """The folder with portraits and photos beside the clone (or in LIKENESS_SHARED), or None."""
    shared = Path(os.environ.get("LIKENESS_SHARED", Path(__file__).parents[4] / "shared"))
    return shared / "data" if (shared / "data" / PAIRS).is_file() else None


def prepare_real(head: HeadModel, folder: Path, out: Path, most: int | None = None) -> RealPictures:
    """Look at every picture, fit every head, and store all in one file. About two seconds a picture on one core.

    Args:
        head: the model.
        folder: with `portraits`, `photos` and `nets`, see `find_pictures`.
        out: the npz file to write.
        most: stop after so many pictures.
    Raises:
        MediaError: no picture could be used.
        ModelFileError: a network is missing.
    """
    teacher = HairTeacher(folder / NETWORK)
    names, pictures = [], []
    for path in list_pictures(folder)[:most]:
        try:
            picture = look_at(head, path, teacher)
        except EngineError as error:
            log.warning("%s is left out: %s", path.name, error)
            continue
        names.append(path.relative_to(folder).as_posix())
        pictures.append(picture)
        log.info("%d %s", len(names), names[-1])
    if not pictures:
        raise MediaError(f"No picture in {folder} could be used.", "Look into the log for why.")
    real = assemble(head, names, pictures, read_pairs(folder))
    real.write(out)
    return real


def list_pictures(folder: Path) -> list[Path]:
    """All portraits and photos, sorted."""
    return sorted([*(folder / "portraits").rglob("*.jpg"), *(folder / "photos").glob("*.jpg")])


def read_pairs(folder: Path) -> list[tuple[str, str]]:
    """Names of portraits that show one person."""
    with (folder / PAIRS).open(encoding="utf-8", newline="") as file:
        return [(f"portraits/{row['first']}", f"portraits/{row['second']}") for row in csv.DictReader(file)]


def look_at(head: HeadModel, path: Path, teacher: HairTeacher) -> RealPicture:
    """Everything there is to know about one picture.

    Raises:
        MediaError, FaceError: the picture cannot be used.
    """
    import cv2

    photo = read_photo(path)
    look = look_at_face(head, photo, ReconstructOptions(), networks=False)
    face, masks, fit = look.face, look.masks, look.fit(Progress())
    window = crop_window(face, fit.camera.project(fit.posed[head.regions["face"]]))
    crop = np.ascontiguousarray(window.cut(photo.pixels, CROP_SIDE))
    encoded, jpeg = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert encoded
    matrix = window.matrix(CROP_SIDE)
    landmarks = face.landmarks.astype(np.float64)
    landmarks[:, :2] = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    landmarks[:, 2] *= CROP_SIDE / window.side
    return RealPicture(
        jpeg.reshape(-1).astype(np.uint8),
        window,
        (photo.width, photo.height),
        window.camera(fit.camera, CROP_SIDE),
        fit,
        landmarks.astype(np.float32),
        crop_masks(masks, window, teacher(window.cut(photo.pixels, TEACHER_SIDE))),
    )


def crop_window(face: FaceObservation, seen: NDArray) -> Window:
    """The upright square around the face region's projected vertices (N,2): its roll is that of the eye corners."""
    across = face.landmarks[OUTER_CORNERS[1], :2] - face.landmarks[OUTER_CORNERS[0], :2]
    roll = float(np.arctan2(across[1], across[0]))
    axes = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    turned = seen @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return Window(axes.T @ ((low + high) / 2), float((high - low).max()) / FACE_SHARE, roll)


def crop_masks(masks: Masks, window: Window, teacher_hair: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(M,S,S) uint8 in the order of `MASKS`; zero where the crop reaches beyond the photo."""
    import cv2

    height, width = masks.person.shape
    frames = np.zeros((height, width), np.float32) if masks.frames is None else masks.frames
    layers = [masks.person, masks.skin, masks.hair, masks.eyes, masks.inner_mouth, frames]
    size = (MASK_SIDE, MASK_SIDE)
    cut = [np.asarray(window.cut(np.ascontiguousarray(layer), MASK_SIDE)) for layer in layers]
    cut.append(np.asarray(cv2.resize(teacher_hair, size, interpolation=cv2.INTER_AREA)))
    inside = _inside(window, width, height)
    stack = np.stack([*(layer * inside for layer in cut), inside])
    return np.round(np.clip(stack, 0, 1) * 255).astype(np.uint8)


def _inside(window: Window, width: int, height: int) -> NDArray[np.float32]:
    """(S,S) 1 where the crop shows the photo, 0 beyond it."""
    matrix = window.matrix(MASK_SIDE)
    grid = np.arange(MASK_SIDE) + 0.5
    places = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2)
    back = (places - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    found = ((back >= 0) & (back <= [width, height])).all(axis=1)
    return found.reshape(MASK_SIDE, MASK_SIDE).astype(np.float32)


def assemble(
    head: HeadModel, names: list[str], pictures: list[RealPicture], pairs: list[tuple[str, str]]
) -> RealPictures:
    """All pictures in arrays. What shows a person of a photo or of a pair is for validation."""
    place = {name: number for number, name in enumerate(names)}
    known = [(place[first], place[second]) for first, second in pairs if first in place and second in place]
    people = {Path(name).stem for name in names if name.startswith("photos/")}
    paired = {name for pair in pairs for name in pair}
    amounts = np.stack(list(_deformations(head, [picture.fit for picture in pictures])))
    return RealPictures(
        names=np.array(names),
        validation=np.array([name in paired or Path(name).stem in people for name in names]),
        pairs=np.array(known, np.int32).reshape(-1, 2),
        jpeg=np.concatenate([picture.jpeg for picture in pictures]),
        ends=np.cumsum([len(picture.jpeg) for picture in pictures]),
        windows=np.array([[*p.window.centre, p.window.side, p.window.roll] for p in pictures]),
        photo_sizes=np.array([picture.photo_size for picture in pictures], np.int32),
        K=np.stack([picture.camera.K for picture in pictures]),
        views=np.stack([picture.camera.world_to_camera for picture in pictures]),
        identity=np.stack([picture.fit.identity for picture in pictures]),
        expression=np.stack([picture.fit.expression for picture in pictures]),
        deformation=amounts,
        errors=np.array([picture.fit.errors["mean"] for picture in pictures], np.float32),
        landmarks=np.stack([picture.landmarks for picture in pictures]),
        masks=np.stack([picture.masks for picture in pictures]),
    )


def _deformations(head: HeadModel, fits: list[HeadFit]) -> Iterator[NDArray[np.float32]]:
    """(D,) amounts of the smooth deformation in each fit, read back from its refinement."""
    smooth, size = smooth_deformation(head).basis, growth(head)
    flat = smooth.reshape(len(smooth), -1)
    gram = flat @ flat.T
    gram += 1e-9 * np.trace(gram) / len(gram) * np.eye(len(gram))
    for fit in fits:
        offset = fit.refinement + size.of(fit.identity, head.vertices)
        yield np.linalg.solve(gram, flat @ offset.reshape(-1)).astype(np.float32)
