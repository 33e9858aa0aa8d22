"""Bad photos and a good one through the real engine, from Blender. The engine's process stays warm between them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from likeness.operators import addon
from likeness.operators.session import SESSION
from likeness.ui import registration

from tests.blender_fixtures import counts


@pytest.fixture(scope="module")
def interpreter(repo_root: Path) -> Path:
    """A Python with torch: this one, or the clone's own environment."""
    import importlib.util

    if importlib.util.find_spec("torch"):
        return Path(sys.executable)
    python = repo_root / ".venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.is_file():
        pytest.skip("needs a Python with torch in .venv")
    return python


@pytest.fixture(scope="module")
def portrait(repo_root: Path) -> Path:
    """scikit-image's public-domain astronaut."""
    places = [Path(entry) for entry in sys.path] + list((repo_root / ".venv").glob("[lL]ib/**/site-packages"))
    found = (place / "skimage" / "data" / "astronaut.png" for place in places)
    path = next((path for path in found if path.is_file()), None)
    if path is None:
        pytest.skip("needs scikit-image's astronaut")
    return path


@pytest.fixture(scope="module")
def extension(interpreter: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The extension registered, with the real engine. Gives its cache folder."""
    home = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(addon, "user_folder", lambda name: home / name)
        launch = replace(addon.launch(interpreter), environment={"OMP_NUM_THREADS": "2"})
        patch.setattr(SESSION, "make_launch", lambda: launch)
        bpy.ops.wm.read_factory_settings(use_empty=True)
        registration.register()
        yield home / "cache"
        registration.unregister()


def save_picture(path: Path, pixels: np.ndarray) -> Path:
    """Write (H,W,3) 0..1, row 0 on top, as PNG with Blender."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new("picture", width, height)
    rgba = np.concatenate([pixels[::-1], np.ones((height, width, 1))], -1)
    image.pixels.foreach_set(rgba.astype(np.float32).ravel())
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return path


def expect_failure(photo: Path, cache: Path, message: str) -> None:
    """The photo fails with a message, and nothing is left."""
    before = counts()
    with pytest.raises(RuntimeError, match=message) as caught:
        bpy.ops.likeness.reconstruct(filepath=str(photo))
    assert "unexpected" not in str(caught.value)
    assert counts() == before
    assert list((cache / "results").glob("*")) == []


def test_no_face(extension, tmp_path):
    noise = np.random.default_rng(0).uniform(0.3, 0.7, (300, 400, 3))
    expect_failure(save_picture(tmp_path / "wall.png", noise), extension, "(?i)no face")


def test_truncated_file(extension, portrait, tmp_path):
    photo = tmp_path / "half.png"
    photo.write_bytes(portrait.read_bytes()[:20000])
    expect_failure(photo, extension, "half.png")


@pytest.mark.parametrize(
    ("name", "content"),
    [("notes.jpg", b"Dear diary, this is no picture."), ("empty.png", b""), ("zeros.jpg", bytes(5000))],
)
def test_file_that_is_no_picture(extension, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    expect_failure(tmp_path / name, extension, name)


def test_missing_file(extension, tmp_path):
    expect_failure(tmp_path / "nobody.jpg", extension, r"no photo at .*nobody\.jpg")


def test_folder_instead_of_a_file(extension, tmp_path):
    expect_failure(tmp_path, extension, "no photo at")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root and Windows read everything")
def test_photo_that_may_not_be_read(extension, portrait, tmp_path):
    photo = tmp_path / "secret.png"
    photo.write_bytes(portrait.read_bytes())
    photo.chmod(0)
    expect_failure(photo, extension, "secret.png")


def test_face_that_is_not_there(extension, portrait):
    before = counts()
    with pytest.raises(RuntimeError, match="face"):
        bpy.ops.likeness.reconstruct(filepath=str(portrait), face="SIXTH")
    assert counts() == before


def test_check_engine(extension):
    assert bpy.ops.likeness.check_engine() == {"FINISHED"}
    report = SESSION.engine_report
    assert report is not None
    assert report["versions"]["torch"] != "missing"
    assert report["versions"]["mediapipe"] != "missing"
    assert "cpu" in report["devices"]
    assert report["device"] in report["devices"]


@pytest.mark.slow
def test_portrait_becomes_a_head(extension, portrait):
    bpy.ops.ed.undo_push(message="Before")
    before = counts()
    assert bpy.ops.likeness.reconstruct(
        "EXEC_DEFAULT", True, filepath=str(portrait), texture_size="512", quality="DRAFT"
    ) == {"FINISHED"}
    head = bpy.context.view_layer.objects.active
    assert head.name == "astronaut"
    keys = head.data.shape_keys.key_blocks
    assert [key.name for key in keys[:2]] == ["Basis", "eyeBlinkLeft"]
    assert sum(key.name.startswith("identity_") for key in keys) == 20
    assert len(keys) == 1 + 52 + 20
    assert set(head.parent.data.bones.keys()) >= {"neck", "head", "jaw", "eye.L", "eye.R"}
    assert tuple(bpy.data.images["astronaut Albedo"].size) == (512, 512)
    assert 0.2 < max(head.dimensions) < 0.5
    bpy.ops.ed.undo()
    assert counts() == before
