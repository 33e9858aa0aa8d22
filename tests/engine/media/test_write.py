"""Pictures are written whole or not at all."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.errors import OutputError
from engine.media.read import read_png
from engine.media.write import write_jpeg, write_png

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4)])
def test_round_trip(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    write_png(tmp_path / "größe.png", array)
    write_png(tmp_path / "größe.png", array[:, ::-1])  # over an earlier one, from a view that is not contiguous
    assert (read_png(tmp_path / "größe.png") == array[:, ::-1]).all()
    assert [path.name for path in tmp_path.iterdir()] == ["größe.png"]


@pytest.mark.parametrize("array", [np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4)), np.zeros((0, 4), np.uint8)])
def test_wrong_arrays(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="write_png wants"):
        write_png(tmp_path / "a.png", array)


def test_jpeg_is_close_and_colours_are_not_smeared(tmp_path: Path) -> None:
    from PIL import Image

    array = np.zeros((32, 32, 3), np.uint8)
    array[:, 16:] = (250, 20, 60)
    write_jpeg(tmp_path / "a.jpg", array)
    seen = np.asarray(Image.open(tmp_path / "a.jpg"))
    assert np.abs(seen.astype(int) - array).max() < 12
    with pytest.raises(ValueError, match="write_jpeg wants"):
        write_jpeg(tmp_path / "b.jpg", array[..., 0])


def test_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for folder in ("missing", "file"):
        with pytest.raises(OutputError, match=r"Cannot write .*a\.png") as caught:
            write_png(tmp_path / folder / "a.png", np.zeros((4, 4), np.uint8))
        assert "free space" in caught.value.cure


@pytest.mark.skipif(sys.platform == "win32", reason="limits file size by setrlimit")
def test_disk_full_leaves_the_earlier_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_png(path, np.zeros((4, 4), np.uint8))
    code = (
        "import resource, sys, numpy as np; from pathlib import Path; from engine.media.write import write_png\n"
        "from engine.errors import OutputError\n"
        "noise = np.random.default_rng(0).integers(0, 256, (99, 99), dtype=np.uint8)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "try: write_png(Path(sys.argv[1]), noise)\n"
        "except OutputError as error: print(error)\n"
    )
    command = [sys.executable, "-B", "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert "Cannot write" in done.stdout
    assert [item.name for item in tmp_path.iterdir()] == ["a.png"]
    assert (read_png(path) == 0).all()
