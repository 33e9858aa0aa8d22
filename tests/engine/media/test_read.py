"""Pictures of every kind arrive upright, in sRGB; broken ones give a sentence with a cure."""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from engine.errors import MediaError
from engine.media.read import MAX_PIXELS, read_photo, read_png

ORIENTATION, EXIF, FOCAL, FOCAL_35 = 0x0112, 0x8769, 0x920A, 0xA405


def quadrants(width: int = 48, height: int = 32) -> np.ndarray:
    """Red, green, blue and grey quarters: every turn and mirroring of it looks different."""
    picture = np.zeros((height, width, 3), np.uint8)
    half_y, half_x = height // 2, width // 2
    picture[:half_y, :half_x], picture[:half_y, half_x:] = (200, 30, 30), (30, 180, 40)
    picture[half_y:, :half_x], picture[half_y:, half_x:] = (30, 40, 190), (120, 120, 120)
    return picture


def difference(photo_pixels: np.ndarray, expected: np.ndarray) -> float:
    assert photo_pixels.shape == expected.shape
    return float(np.abs(photo_pixels.astype(int) - expected.astype(int)).mean())


@pytest.mark.parametrize(
    ("suffix", "options", "tolerance"),
    [
        (".png", {}, 0), (".bmp", {}, 0), (".tif", {}, 0), (".tif", {"compression": "tiff_lzw"}, 0),
        (".webp", {"lossless": True}, 0), (".jpg", {"quality": 98, "subsampling": 0}, 2),
    ],
)  # fmt: skip
def test_formats(tmp_path: Path, suffix: str, options: dict, tolerance: float) -> None:
    path = tmp_path / f"Müller 写真 ó{suffix}"
    Image.fromarray(quadrants()).save(path, **options)
    photo = read_photo(path)
    assert difference(photo.pixels, quadrants()) <= tolerance
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.flags["C_CONTIGUOUS"]
    assert (photo.width, photo.height, photo.alpha, photo.reduction) == (48, 32, None, 1.0)
    assert photo.warnings == ()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_exif_rotation(tmp_path: Path, orientation: int, suffix: str) -> None:
    stored = Image.fromarray(quadrants())
    stored.getexif()[ORIENTATION] = orientation
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"turned{suffix}"
    stored.save(path, exif=exif.tobytes())
    expected = np.asarray(ImageOps.exif_transpose(stored))
    assert difference(read_photo(path).pixels, expected) < 8
    assert expected.shape[:2] == ((48, 32) if orientation >= 5 else (32, 48))


def test_rotation_of_six_is_clockwise(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(quadrants()).save(tmp_path / "a.png", exif=exif.tobytes())
    assert (read_photo(tmp_path / "a.png").pixels == np.rot90(quadrants(), -1)).all()


def with_exif(path: Path, size: tuple[int, int], **tags: float) -> Path:
    exif = Image.Exif()
    exif[ORIENTATION] = int(tags.pop("orientation", 1))
    directory = exif.get_ifd(EXIF)
    directory.update({int(name[1:], 16): value for name, value in tags.items()})
    Image.fromarray(quadrants(*size)).save(path, exif=exif.tobytes())
    return path


def test_focal_length(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    assert read_photo(with_exif(path, (60, 40))).focal_length_px is None
    film = read_photo(with_exif(path, (60, 40), xA405=50, orientation=6))
    assert film.focal_length_px == pytest.approx(50 / 36 * 60)  # 3:2, where width and diagonal agree
    sensor = {"x920A": 85.0, "xA20E": 2000.0, "xA210": 3, "xA002": 6000, "xA003": 4000}  # 200 pixels a millimetre
    assert read_photo(with_exif(path, (60, 40), **sensor)).focal_length_px == pytest.approx(85 * 200 / 100)
    assert read_photo(with_exif(path, (600, 400), xA405=50), 300).focal_length_px == pytest.approx(50 / 36 * 300)
    assert read_photo(with_exif(path, (60, 40), xA405=0, x920A=50.0)).focal_length_px is None
    assert read_photo(with_exif(path, (60, 40), xA405=60000)).focal_length_px is None


def test_focal_length_of_a_crop_is_not_trusted(tmp_path: Path) -> None:
    photo = read_photo(with_exif(tmp_path / "a.jpg", (40, 40), xA405=50, x920A=50.0, xA002=6000, xA003=4000))
    assert photo.focal_length_px is None
    assert "cropped" in photo.warnings[0]


def test_alpha_goes_over_grey(tmp_path: Path) -> None:
    alpha = np.zeros((32, 48), np.uint8)
    alpha[:, 12:], alpha[:, 24:] = 128, 255
    Image.fromarray(np.dstack([quadrants(), alpha])).save(tmp_path / "cut.png")
    photo = read_photo(tmp_path / "cut.png")
    assert photo.alpha is not None
    assert (photo.alpha == alpha).all()
    assert (photo.pixels[:, :12] == 128).all()
    assert (photo.pixels[:, 24:] == quadrants()[:, 24:]).all()
    assert photo.pixels[0, 15].tolist() == [164, 79, 79]
    Image.fromarray(np.dstack([quadrants(), np.full((32, 48), 255, np.uint8)])).save(tmp_path / "solid.png")
    assert read_photo(tmp_path / "solid.png").alpha is None


def test_grey_palette_and_bilevel(tmp_path: Path) -> None:
    grey = quadrants()[..., 0]
    Image.fromarray(grey).save(tmp_path / "l.png")
    assert (read_photo(tmp_path / "l.png").pixels == grey[..., None]).all()
    Image.fromarray(quadrants()).quantize(8).save(tmp_path / "p.png")
    assert difference(read_photo(tmp_path / "p.png").pixels, quadrants()) < 1
    Image.fromarray(quadrants()).quantize(8).save(tmp_path / "t.png", transparency=0)
    transparent = read_photo(tmp_path / "t.png")
    assert transparent.alpha is not None
    assert (transparent.alpha == 0).sum() == 48 * 32 // 4
    Image.fromarray(grey).convert("1", dither=Image.Dither.NONE).save(tmp_path / "b.png")
    assert (read_photo(tmp_path / "b.png").pixels[0] == ([[255] * 3] * 24 + [[0] * 3] * 24)).all()
    Image.fromarray(np.dstack([grey, 255 - grey]), "LA").save(tmp_path / "la.png")
    assert (read_photo(tmp_path / "la.png").alpha == 255 - grey).all()


def test_sixteen_bits(tmp_path: Path) -> None:
    import tifffile

    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (4, 1))
    expected = np.tile(np.arange(256), (4, 1))[..., None]
    Image.fromarray(ramp).save(tmp_path / "grey.png")
    tifffile.imwrite(tmp_path / "rgb.tif", np.dstack([ramp] * 3), photometric="rgb")
    tifffile.imwrite(tmp_path / "float.tif", (ramp / 65535).astype(np.float32))
    (tmp_path / "rgb.png").write_bytes(png(256, 4, 16, np.dstack([ramp] * 3).astype(">u2").tobytes()))
    for name in ("grey.png", "rgb.tif", "rgb.png"):
        pixels = read_photo(tmp_path / name).pixels.astype(int)
        assert np.abs(pixels - expected).max() <= 1, name
    linear = read_photo(tmp_path / "float.tif").pixels
    assert linear[0, [0, 55, 255], 0].tolist() == [0, 128, 255]  # 0.2157 linear is middle grey


def test_cmyk_and_profiles(tmp_path: Path) -> None:
    Image.fromarray(quadrants()).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=98)
    assert difference(read_photo(tmp_path / "cmyk.jpg").pixels, quadrants()) < 8
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(quadrants()).save(tmp_path / "same.png", icc_profile=profile)
    assert difference(read_photo(tmp_path / "same.png").pixels, quadrants()) < 1
    Image.fromarray(quadrants()).save(tmp_path / "odd.png", icc_profile=b"not a profile")
    odd = read_photo(tmp_path / "odd.png")
    assert (odd.pixels == quadrants()).all()
    assert "colour profile" in odd.warnings[0]


def test_wide_profile_is_converted(tmp_path: Path) -> None:
    """A profile whose red and green swap places turns red into green."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    entries = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * profile[131], 12)}
    red, green = entries[b"rXYZ"] + 4, entries[b"gXYZ"] + 4
    profile[red : red + 4], profile[green : green + 4] = profile[green : green + 4], profile[red : red + 4]
    Image.fromarray(quadrants()).save(tmp_path / "swapped.png", icc_profile=bytes(profile))
    assert difference(read_photo(tmp_path / "swapped.png").pixels, quadrants()[..., [1, 0, 2]]) < 2


def png(width: int, height: int, bits: int, rows: bytes) -> bytes:
    """An RGB PNG by hand."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    stride = len(rows) // height
    raw = b"".join(b"\0" + rows[y * stride : (y + 1) * stride] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def test_large_pictures_are_reduced(tmp_path: Path) -> None:
    big = np.kron(quadrants(), np.ones((20, 20, 1), np.uint8))
    for suffix in (".jpg", ".png"):
        Image.fromarray(big).save(tmp_path / f"big{suffix}", quality=95)
        photo = read_photo(tmp_path / f"big{suffix}", max_side=240)
        assert photo.reduction == pytest.approx(4.0)
        assert difference(photo.pixels, np.kron(quadrants(), np.ones((5, 5, 1), np.uint8))) < 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="measures memory by /proc")
def test_hundred_megapixels_in_bounded_memory(tmp_path: Path) -> None:
    import subprocess

    path = tmp_path / "huge.jpg"
    Image.new("RGB", (12000, 8500), (90, 120, 60)).save(path, quality=60)
    code = (
        "import re, sys; from pathlib import Path; from engine.media.read import read_photo\n"
        "photo = read_photo(Path(sys.argv[1])); print(photo.pixels.shape, photo.pixels[9, 9])\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) / 1024)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=root, check=True)
    shape, megabytes = done.stdout.splitlines()
    assert shape.startswith("(2901, 4096, 3)")
    assert float(megabytes) < 450  # decoded whole it would be over 700


def test_broken_files(tmp_path: Path) -> None:
    good = io.BytesIO()
    Image.fromarray(quadrants(480, 320)).save(good, "JPEG")
    files = {
        "none.jpg": (None, "There is no file"),
        "folder.jpg": (..., "is a folder"),
        "zero.png": (b"", "is empty"),
        "text.jpg": ("Liebe Grüße, kein Bild\n".encode(), "it holds text"),
        "noise.jpg": (bytes(range(1, 256)), "not a picture"),
        "half.jpg": (good.getvalue()[: len(good.getvalue()) // 2], "damaged or incomplete"),
        "head.jpg": (good.getvalue()[:30], "damaged or incomplete"),
        "half.png": (png(9, 9, 8, bytes(range(243)))[:-120], "damaged or incomplete"),
        "bomb.png": (png(30000, 30000, 8, b"\0" * 30000), "30000 x 30000 pixels"),
    }
    for name, (content, message) in files.items():
        path = tmp_path / name
        if content is ...:
            path.mkdir()
        elif isinstance(content, bytes):
            path.write_bytes(content)
        with pytest.raises(MediaError, match=message) as caught:
            read_photo(path)
        assert name in caught.value.message
        assert caught.value.cure
    assert MAX_PIXELS < 30000 * 30000
    with pytest.raises(MediaError, match="cannot be opened"):
        read_photo(Path("nul\0byte.png"))


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.png"
    Image.fromarray(quadrants()).save(path)

    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refuse)  # root, who runs tests in containers, may read everything
    with pytest.raises(MediaError, match=r"secret\.png may not be read"):
        read_photo(path)


def test_heic_without_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "phone.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(MediaError, match="HEIC") as caught:
        read_photo(path)
    assert "pillow-heif" in caught.value.cure


def test_openexr(tmp_path: Path) -> None:
    import os

    os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
    import cv2

    path = tmp_path / "linear é.exr"
    values = np.zeros((8, 16, 4), np.float32)
    values[..., :3], values[..., 3] = (0.0, 0.21586, 2.0), 1.0  # blue, green, red
    values[:, 8:] = 0
    done, data = cv2.imencode(".exr", values)
    assert done
    path.write_bytes(data.tobytes())
    photo = read_photo(path)
    assert photo.pixels[0, 0].tolist() == [255, 128, 0]
    assert photo.pixels[0, 12].tolist() == [128, 128, 128]
    assert photo.alpha is not None
    path.write_bytes(data.tobytes()[:40])
    with pytest.raises(MediaError, match="OpenEXR"):
        read_photo(path)


def test_read_png(tmp_path: Path) -> None:
    Image.fromarray(quadrants()).quantize(4).save(tmp_path / "p.png")
    assert read_png(tmp_path / "p.png").shape == (32, 48, 4)
    (tmp_path / "bad.png").write_bytes(b"nothing")
    with pytest.raises(MediaError, match=r"bad\.png"):
        read_png(tmp_path / "bad.png")
