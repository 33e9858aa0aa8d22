"""The open head's base skin: a plain albedo and named regions, in the head's own UV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from .loader import DATA_FOLDER

BASE_SKIN = "base_skin.jpg"
REGION_MAP = "base_regions.png"
REGION_NAMES = ("brow", "lips", "iris", "sclera", "scalp", "beard", "nostril")
"""Region k of the map has the grey level k + 1; 0 is none of them. The iris does not include the pupil."""
CURE = "Install the add-on again; developers run `python -m scripts.bake_head.skin`."


class Regions(Mapping[str, NDArray[np.float32]]):
    """Masks by name, (S,S) float32 from 0 to 1 with soft edges. Each is made when it is asked for."""

    def __init__(self, numbers: NDArray[np.uint8], size: int) -> None:
        self._numbers = numbers
        self._size = size

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        import cv2

        if name not in REGION_NAMES:
            raise KeyError(name)
        mask = (self._numbers == REGION_NAMES.index(name) + 1).astype(np.float32)
        smaller = self._size < len(mask)
        return cv2.resize(mask, (self._size, self._size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)

    def __iter__(self) -> Iterator[str]:
        return iter(REGION_NAMES)

    def __len__(self) -> int:
        return len(REGION_NAMES)


@dataclass(frozen=True)
class BaseSkin:
    """What an unpainted head looks like.

    Attributes:
        albedo: (S,S,3) uint8 sRGB, row 0 is v = 1; islands are padded.
        regions: masks of `REGION_NAMES`, (S,S) float32 0..1.
    """

    albedo: NDArray[np.uint8]
    regions: Mapping[str, NDArray[np.float32]]


def load_base_skin(size: int) -> BaseSkin:
    """The base skin at a texture size. Do not write into its arrays.

    Args:
        size: side of the square, texels.
    Raises:
        ModelFileError: its files are missing or damaged.
    """
    return _load(size)


@lru_cache(maxsize=2)
def _load(size: int) -> BaseSkin:
    import cv2

    albedo = _read(BASE_SKIN, cv2.IMREAD_COLOR)[..., ::-1]
    numbers = _read(REGION_MAP, cv2.IMREAD_GRAYSCALE)
    if size != len(albedo):
        how = cv2.INTER_AREA if size < len(albedo) else cv2.INTER_CUBIC
        albedo = cv2.resize(np.ascontiguousarray(albedo), (size, size), interpolation=how)
    albedo = np.ascontiguousarray(albedo)
    albedo.setflags(write=False)
    return BaseSkin(albedo, Regions(numbers, size))


def _read(name: str, flags: int) -> NDArray[np.uint8]:
    import cv2

    path = DATA_FOLDER / name
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise ModelFileError(f"The base skin {path} cannot be read ({error.strerror}).", CURE) from error
    picture = cv2.imdecode(data, flags) if len(data) else None
    if picture is None:
        raise ModelFileError(f"The base skin {path} is damaged.", CURE)
    return picture.astype(np.uint8)
