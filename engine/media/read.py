"""Reading pictures: any common format, upright, sRGB, of bounded size."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import MediaError
from .focal import focal_length_pixels
from .photo import Photo

FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP", "BMP", "GIF", "AVIF", "HEIF")  # none that runs other programs
READABLE = "Use a JPEG, PNG, TIFF, WebP or BMP picture."
MAX_PIXELS = 300_000_000  # decoded at once: 1.2 GB as RGBA
EXIF_DIRECTORY, EXIF_ORIENTATION = 0x8769, 0x0112
GREY = 128  # behind transparent pixels
BROKEN = (OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError, struct.error, zlib.error)
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
OPENEXR_MAGIC = b"\x76\x2f\x31\x01"


def read_photo(path: Path, max_side: int = 4096) -> Photo:
    """Read a picture as upright 8-bit sRGB, its longer side at most `max_side` pixels.

    Rotation and focal length come from EXIF; an embedded colour profile is converted to sRGB; 16-bit, grey, palette
    and CMYK pictures become RGB. Large JPEGs are decoded at a reduced size.

    Raises:
        MediaError: missing, a folder, unreadable, empty, truncated, not a picture, or too large to decode.
    """
    path = Path(path)
    with _opened(path) as file:
        head = file.read(64)
        file.seek(0)
        if head.startswith(OPENEXR_MAGIC):
            return _read_openexr(path, file.read(), max_side)
        _enable_heic(path, head)
        with _open_image(path, file, head) as image:
            return _decode(path, image, max_side)


def read_png(path: Path) -> NDArray[np.uint8]:
    """Read a PNG as it is: (H,W), (H,W,3) or (H,W,4) uint8.

    Raises:
        MediaError: missing, unreadable, damaged or not a PNG.
    """
    from PIL import Image

    path = Path(path)
    with _opened(path) as file:
        try:
            with Image.open(file, formats=("PNG",)) as image:
                modes = {"1": "L", "I;16": "L", "LA": "RGBA", "P": "RGBA"}
                return np.array(image.convert(modes.get(image.mode, image.mode)))
        except BROKEN as error:
            raise MediaError(f"{path} is not a readable PNG picture ({error}).", "Write it again.") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file, open for reading, or a `MediaError` that says why not."""
    try:
        if path.is_dir():
            raise MediaError(f"{path} is a folder, not a picture.", "Choose a picture file in it.")
        file = open(path, "rb")  # noqa: SIM115 - closed below; the try covers the opening only
    except FileNotFoundError as error:
        raise MediaError(f"There is no file {path}.", "Check the path, or choose the picture again.") from error
    except PermissionError as error:
        raise MediaError(f"{path} may not be read.", "Give yourself read permission, or copy it elsewhere.") from error
    except (OSError, ValueError) as error:
        raise MediaError(f"{path} cannot be opened ({error}).", "Check the path, or copy it elsewhere.") from error
    with file:
        if os.fstat(file.fileno()).st_size == 0:
            raise MediaError(f"{path} is empty (zero bytes).", "Copy or download it again.")
        yield file


def _open_image(path: Path, file: BinaryIO, head: bytes) -> Any:
    """Pillow's lazy image. Its own size check is replaced by ours, which knows that JPEG can decode smaller."""
    from PIL import Image, UnidentifiedImageError

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        Image.init()  # registers the formats that this build of Pillow has
        return Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN])
    except UnidentifiedImageError as error:
        kind = "text" if _looks_like_text(head) else "no picture format this add-on reads"
        raise MediaError(f"{path} is not a picture: it holds {kind}.", READABLE) from error
    except BROKEN as error:
        raise _damaged(path, error) from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _damaged(path: Path, error: BaseException) -> MediaError:
    return MediaError(f"{path} is damaged or incomplete ({error}).", "Copy or download it again, or save it anew.")


def _looks_like_text(head: bytes) -> bool:
    try:
        head[:60].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > 56  # only the cut-off last character is odd
    return b"\0" not in head


def _enable_heic(path: Path, head: bytes) -> None:
    if head[4:8] != b"ftyp" or head[8:12] not in HEIC_BRANDS:
        return
    try:
        import pillow_heif  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MediaError(
            f"{path} is a HEIC picture, and the optional package pillow-heif that reads it is not installed.",
            "Save the picture as JPEG or PNG, or install pillow-heif in the engine's Python.",
        ) from error
    pillow_heif.register_heif_opener()


def _decode(path: Path, image: Any, max_side: int) -> Photo:
    """Pixels, alpha, focal length of an opened picture."""
    from PIL import Image

    width, height = image.size
    try:
        focal, warnings = focal_length_pixels(image.getexif().get_ifd(EXIF_DIRECTORY), width, height)
    except BROKEN:  # damaged EXIF does not spoil the picture
        focal, warnings = None, ("The picture's EXIF data is damaged and was not used.",)
    try:
        if max(width, height) > max_side:
            image.draft(None, (max_side, max_side))
        if image.size[0] * image.size[1] > MAX_PIXELS:
            raise MediaError(
                f"{path} has {width} x {height} pixels, more than can be decoded safely.",
                f"Reduce it to less than {MAX_PIXELS // 1_000_000} megapixels.",
            )
        image.load()
        orientation = _orientation(image)  # asked after loading: Pillow itself turns TIFF upright
        small = _eight_bit(image)
        if max(small.size) > max_side:
            small.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=3.0)
        colour, profile_warnings = _to_srgb(small, image.info.get("icc_profile"))
        pixels, alpha = _flatten(_upright(np.asarray(colour), orientation))
    except BROKEN as error:
        raise _damaged(path, error) from error
    except MemoryError as error:
        raise MediaError(f"There is not enough memory to decode {path}.", "Reduce the picture's size.") from error
    reduction = max(width, height) / max(pixels.shape[:2])
    focal = focal / reduction if focal else None
    return Photo(path, pixels, alpha, focal, reduction, warnings + profile_warnings)


def _eight_bit(image: Any) -> Any:
    """The same picture in a mode of 8 bits a channel that can be resized: L, RGB, RGBA or CMYK."""
    from PIL import Image

    if image.mode in ("L", "RGB", "CMYK", "RGBA") and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # 16-bit grey
        values = np.asarray(image).astype(np.float32)
        top = 65535.0 if values.max(initial=0.0) > 255.0 or image.mode != "I" else 255.0
        return Image.fromarray(np.clip(values * (255.0 / top) + 0.5, 0, 255).astype(np.uint8))
    if image.mode == "F":
        return Image.fromarray(_encode_linear(np.asarray(image)))
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _orientation(image: Any) -> int:
    """EXIF orientation, 1..8; 1 when absent or senseless."""
    try:
        value = int(image.getexif().get(EXIF_ORIENTATION, 1))
    except BROKEN:
        return 1
    return value if 1 <= value <= 8 else 1


def _upright(stored: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo the camera's rotation and mirroring (Exif 2.3, tag 0x0112)."""
    if orientation >= 5:  # rows and columns change places
        stored = stored.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        stored = stored[::-1]
    if orientation in (2, 3, 6, 7):
        stored = stored[:, ::-1]
    return stored


def _to_srgb(image: Any, profile: bytes | None) -> tuple[Any, tuple[str, ...]]:
    """RGB or RGBA in sRGB, through the embedded profile when there is one that can be used."""
    from PIL import Image, ImageCms

    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    if not profile:
        return image.convert(mode), ()
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        alpha = image.getchannel("A") if mode == "RGBA" else None
        stored = image.convert("RGB") if alpha else image
        colour = ImageCms.profileToProfile(stored, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image.convert(mode), ("The picture's colour profile could not be used; its colours are taken as sRGB.",)
    if colour is None:
        return image.convert(mode), ()
    return (Image.merge("RGBA", (*colour.split(), alpha)) if alpha else colour), ()


def _flatten(array: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """(H,W,3) over mid grey and (H,W) alpha, None when nothing is transparent."""
    if array.shape[2] == 3:
        return np.ascontiguousarray(array), None
    colour, alpha = array[..., :3], np.ascontiguousarray(array[..., 3])
    if alpha.min() == 255:
        return np.ascontiguousarray(colour), None
    weight = alpha[..., None].astype(np.float32) / 255.0
    return (colour * weight + GREY * (1.0 - weight) + 0.5).astype(np.uint8), alpha


def _encode_linear(values: NDArray) -> NDArray[np.uint8]:
    """Linear light to 8-bit sRGB (IEC 61966-2-1); above 1 is clipped, not-a-number is black."""
    linear = np.clip(np.nan_to_num(values.astype(np.float32)), 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (encoded * 255.0 + 0.5).astype(np.uint8)


def _read_openexr(path: Path, data: bytes, max_side: int) -> Photo:
    """OpenEXR through OpenCV, where its build allows; values are linear light with Rec. 709 primaries."""
    unreadable = MediaError(f"{path} is an OpenEXR picture that cannot be read here.", "Save it as PNG or TIFF.")
    os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")  # OpenCV reads this at its first EXR
    try:
        import cv2
    except ImportError as error:
        raise unreadable from error
    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise unreadable from error
    if stored is None:
        raise unreadable
    if stored.ndim == 2:
        stored = np.repeat(stored[..., None], 3, axis=2)
    reduction = max(1.0, max(stored.shape[:2]) / max_side)
    if reduction > 1.0:
        size = (round(stored.shape[1] / reduction), round(stored.shape[0] / reduction))
        stored = cv2.resize(stored, size, interpolation=cv2.INTER_AREA)
    pixels, alpha = _encode_linear(stored[..., 2::-1]), None
    if stored.shape[2] == 4 and stored[..., 3].min() < 0.999:  # colours in OpenEXR are premultiplied by alpha
        alpha = (np.clip(stored[..., 3], 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
        behind = (1.0 - alpha[..., None] / 255.0) * ((GREY / 255.0 + 0.055) / 1.055) ** 2.4
        pixels = _encode_linear(stored[..., 2::-1] + behind)
    return Photo(path, np.ascontiguousarray(pixels), alpha, None, reduction)
