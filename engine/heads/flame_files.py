"""FLAME's files as their owner hands them out: the model, and what lies beside it under its official names.

Nothing in them is run: see `engine.models.safe_load`. What is wrong is told with the file, what was found, what was
expected, and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..models import safe_load
from .model import LandmarkEmbedding, SlidingContour

KEYS = ("f", "J_regressor", "kintree_table", "weights", "posedirs", "v_template", "shapedirs")
"""Arrays of a model file; the others in it are not needed."""
SHAPES, COLUMNS = 300, 400
"""Identity columns of `shapedirs`, and all: the rest are expressions."""
PARENTS = (-1, 0, 1, 1, 1)
NAMED = 5
"""Missing arrays that are named."""
CURE = "Download FLAME again from flame.is.tue.mpg.de and choose its .pkl, or an .npz with the same arrays."


@dataclass(frozen=True)
class FlameArrays:
    """A model file's arrays.

    Attributes:
        faces: (F,3) int32. template: (V,3) metres. shapes: (V,3,300). expressions: (V,3,E).
        correctives: (V,3,36). regressor: (5,V). weights: (V,5).
    """

    faces: NDArray[np.int32]
    template: NDArray[np.float64]
    shapes: NDArray[np.float32]
    expressions: NDArray[np.float32]
    correctives: NDArray[np.float32]
    regressor: NDArray[np.float64]
    weights: NDArray[np.float64]


def read_flame(path: Path) -> FlameArrays:
    """Read a model file: pickle, `.npz`, or safetensors with the same names; told apart by content.

    Raises:
        ModelFileError: it cannot be read, is of another kind, lacks arrays, or they are of wrong shape.
    """
    found = _arrays(path)
    missing = [name for name in KEYS if not isinstance(found.get(name), np.ndarray)]
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        has = ", ".join(list(map(str, found))[:NAMED]) or "nothing"
        raise ModelFileError(
            f"The file {path} is no FLAME model: it lacks {', '.join(missing[:NAMED])}{more}; it has {has}.", CURE
        )
    return _checked(found, path)


def _arrays(path: Path) -> dict[str, Any]:
    """Whatever arrays a file holds."""
    head = first_bytes(path)
    if head[:4] == b"PK\x03\x04":
        names = safe_load.names_in(path)
        wanted = [name for name in KEYS if name in names]
        return {**dict.fromkeys(names), **safe_load.load_arrays(path, wanted)}
    if head[8:9] == b"{" and head[6:8] == b"\0\0":
        return {name: tensor.numpy() for name, tensor in safe_load.load_safetensors(path).items()}
    if head[:1] != b"\x80":
        what = "empty" if not head else "neither a pickle nor an .npz nor safetensors"
        raise ModelFileError(f"The file {path} is {what}.", CURE)
    return safe_load.load_array_pickle(path)


def first_bytes(path: Path) -> bytes:
    """The beginning of a file, enough to tell its kind.

    Raises:
        ModelFileError: it is missing or may not be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise ModelFileError(
            f"The file {path} cannot be read ({error.strerror}).",
            "Choose it again where it is now, and see that you may read it.",
        ) from error


def _checked(found: dict[str, NDArray], path: Path) -> FlameArrays:
    count = found["v_template"].shape[0] if found["v_template"].ndim else 0
    columns = found["shapedirs"].shape[-1] if found["shapedirs"].ndim == 3 else COLUMNS
    joints = len(PARENTS)
    expected = {
        "v_template": (count, 3), "f": (len(np.atleast_1d(found["f"])), 3), "weights": (count, joints),
        "J_regressor": (joints, count), "kintree_table": (2, joints), "posedirs": (count, 3, 9 * (joints - 1)),
        "shapedirs": (count, 3, max(columns, SHAPES + 1)),
    }  # fmt: skip
    for name, shape in expected.items():
        if found[name].shape != shape or 0 in shape:
            told = (count, 3, COLUMNS) if name == "shapedirs" else shape
            raise ModelFileError(
                f"The file {path} is not FLAME's: its {name} is {_times(found[name].shape)}; expected {_times(told)}.",
                "A model of the whole body, of hands or of another version of the head does not fit. " + CURE,
            )
    for name in KEYS:
        if found[name].dtype.kind not in "fiu" or not np.isfinite(found[name].astype(np.float64)).all():
            raise ModelFileError(f"The file {path} has a damaged array {name}: it holds what is no number.", CURE)
    parents = tuple(-1 if parent >= 2**32 - 1 else int(parent) for parent in found["kintree_table"][0].tolist())
    if parents != PARENTS:
        raise ModelFileError(f"The file {path} has joints with the parents {parents}; expected {PARENTS}.", CURE)
    faces = found["f"].astype(np.int64)
    if faces.min() < 0 or faces.max() >= count:
        raise ModelFileError(f"The file {path} has faces up to vertex {faces.max()}, but {count} vertices.", CURE)
    shapes = found["shapedirs"].astype(np.float32)
    return FlameArrays(
        faces.astype(np.int32), found["v_template"].astype(np.float64), shapes[..., :SHAPES], shapes[..., SHAPES:],
        found["posedirs"].astype(np.float32), found["J_regressor"].astype(np.float64),
        found["weights"].astype(np.float64),
    )  # fmt: skip


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "one number"


@dataclass(frozen=True)
class Companions:
    """What lies beside a model file.

    Attributes:
        embeddings: by the names of `HeadModel.embeddings`. contour: the sliding one, or None.
        masks: vertices by region, as FLAME_masks.pkl has them. eyelids: (2,V,3) or None.
        template: head_template.obj where it is, or None.
        files: names of those found.
    """

    embeddings: dict[str, LandmarkEmbedding]
    contour: SlidingContour | None
    masks: dict[str, NDArray[np.int64]]
    eyelids: NDArray[np.float32] | None
    template: Path | None
    files: tuple[str, ...]


def read_companions(folder: Path, vertices: int, faces: int) -> Companions:
    """Read what there is of FLAME's further files in a folder; a missing one is no error.

    Args:
        vertices, faces: of the model, which the files must fit.
    Raises:
        ModelFileError: a file that is there is damaged or of another mesh.
    """
    reader = _Beside(folder, vertices, faces)
    embeddings, contour = reader.landmarks()
    mediapipe = reader.mediapipe()
    return Companions(
        embeddings | mediapipe, contour, reader.masks(), reader.eyelids(), reader.find("head_template.obj"),
        tuple(reader.files),
    )  # fmt: skip


class _Beside:
    """Reads the files of one folder, and remembers which there were."""

    def __init__(self, folder: Path, vertices: int, faces: int) -> None:
        self._folder, self._vertices, self._faces = folder, vertices, faces
        self.files: list[str] = []

    def find(self, name: str) -> Path | None:
        path = self._folder / name
        if not path.is_file():
            return None
        self.files.append(name)
        return path

    def landmarks(self) -> tuple[dict[str, LandmarkEmbedding], SlidingContour | None]:
        """The 51, the 68 and the contour, from DECA's one file or FLAME's own two."""
        found: dict[str, LandmarkEmbedding] = {}
        contour = None
        if path := self.find("flame_static_embedding.pkl"):
            held = safe_load.load_array_pickle(path)
            found["ibug51"] = self._embedding(path, held, "lmk_face_idx", "lmk_b_coords", (51,))
        if path := self.find("flame_dynamic_embedding.npy"):
            held = _dict_of(path)
            contour = self._contour(path, held, "lmk_face_idx", "lmk_b_coords")
        if path := self.find("landmark_embedding.npy"):
            held = _dict_of(path)
            found["ibug51"] = self._embedding(path, held, "static_lmk_faces_idx", "static_lmk_bary_coords", (51,))
            contour = self._contour(path, held, "dynamic_lmk_faces_idx", "dynamic_lmk_bary_coords")
            found["ibug"] = self._embedding(path, held, "full_lmk_faces_idx", "full_lmk_bary_coords", (1, 68))
        elif contour is not None and "ibug51" in found:
            inner = found["ibug51"]
            found["ibug"] = LandmarkEmbedding(
                np.concatenate([contour.faces[0], inner.faces]),
                np.concatenate([contour.barycentrics[0], inner.barycentrics]),
            )
        return found, contour

    def mediapipe(self) -> dict[str, LandmarkEmbedding]:
        """The 105 in the file's order, and all 478 with the others missing."""
        path = self.find("mediapipe_landmark_embedding.npz")
        if path is None:
            return {}
        held = safe_load.load_arrays(path, ("lmk_face_idx", "lmk_b_coords", "landmark_indices"))
        numbers = held["landmark_indices"].astype(np.int64).ravel()
        some = self._embedding(path, held, "lmk_face_idx", "lmk_b_coords", (len(numbers),))
        if not len(numbers) or numbers.min() < 0 or numbers.max() >= 478 or len(set(numbers.tolist())) < len(numbers):
            raise self._wrong(path, "landmark_indices that are not numbers of MediaPipe's 478 points, each once")
        faces, weights = np.full(478, -1, np.int32), np.zeros((478, 3), np.float32)
        faces[numbers], weights[numbers] = some.faces, some.barycentrics
        return {"mediapipe105": some, "mediapipe": LandmarkEmbedding(faces, weights)}

    def masks(self) -> dict[str, NDArray[np.int64]]:
        """Vertices of each region."""
        path = self.find("FLAME_masks.pkl")
        if path is None:
            return {}
        masks = {}
        for name, value in safe_load.load_array_pickle(path).items():
            numbers = np.asarray(value)
            if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or (numbers >= self._vertices).any():
                raise self._wrong(path, f"a region “{name}” that does not fit {self._vertices} vertices")
            masks[str(name)] = numbers.astype(np.int64)
        return masks

    def eyelids(self) -> NDArray[np.float32] | None:
        """Left and right."""
        paths = [self.find(f"{side}_eyelid.npy") for side in "lr"]
        if paths[0] is None or paths[1] is None:
            return None
        return np.stack([self._eyelid(path) for path in paths if path])

    def _eyelid(self, path: Path) -> NDArray[np.float32]:
        held = safe_load.load_object_npy(path)
        if not isinstance(held, np.ndarray) or held.dtype.kind != "f":
            raise self._wrong(path, "no array of numbers")
        if held.squeeze().shape != (self._vertices, 3) or not np.isfinite(held).all():
            raise self._wrong(path, f"{_times(held.shape)} numbers, not {self._vertices}x3")
        return held.reshape(self._vertices, 3).astype(np.float32)

    def _contour(self, path: Path, held: dict[str, Any], faces: str, weights: str) -> SlidingContour:
        flat = self._embedding(path, held, faces, weights, (79, 17))
        return SlidingContour(flat.faces.reshape(79, 17), flat.barycentrics.reshape(79, 17, 3))

    def _embedding(
        self, path: Path, held: dict[str, Any], faces: str, weights: str, shape: tuple[int, ...]
    ) -> LandmarkEmbedding:
        """An embedding, flattened to rows, checked against the mesh."""
        try:
            number = np.array([np.asarray(row) for row in held[faces]])
            weight = np.array([np.asarray(row) for row in held[weights]], np.float32)
        except (KeyError, ValueError, TypeError) as error:
            raise self._wrong(path, f"no {faces} and {weights}") from error
        if number.shape != shape or weight.shape != (*shape, 3) or number.dtype.kind not in "iuf":
            raise self._wrong(path, f"{faces} of {_times(number.shape)}; expected {_times(shape)}")
        if (number < 0).any() or (number >= self._faces).any() or not np.isfinite(weight).all():
            raise self._wrong(path, f"points on face {int(number.max())}, where the model has {self._faces} faces")
        return LandmarkEmbedding(number.astype(np.int32).ravel(), weight.reshape(-1, 3))

    def _wrong(self, path: Path, what: str) -> ModelFileError:
        return ModelFileError(
            f"The file {path} has {what}.", "Take it from the same download as the model, or move it out of the folder."
        )


def _dict_of(path: Path) -> dict[str, Any]:
    held = safe_load.load_object_npy(path)
    if not isinstance(held, dict):
        raise ModelFileError(f"The file {path} holds no landmarks.", "Take it from the same download as the model.")
    return held
