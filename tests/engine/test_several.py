"""Two photos of one astronaut, the second cropped, darker and warmer, make one head."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import several
from engine.camera import Camera
from engine.errors import MediaError
from engine.heads.loader import load_head
from engine.media.read import read_photo
from engine.media.write import write_png
from engine.options import ReconstructOptions
from engine.perception.landmarks import find_face
from engine.photos import Look, Selection, select
from engine.render.lighting import srgb_to_linear
from engine.result import Reconstruction

QUICK = ReconstructOptions(quality="draft", texture_size=512, device="cpu", hair="bald", identity_keys=0)
WARMER = np.array([0.75, 0.65, 0.5])


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    data = pytest.importorskip("skimage.data")
    folder, whole = tmp_path_factory.mktemp("photos"), data.astronaut()
    pictures = {"wide": whole, "near": (whole[:330, 60:400] * WARMER).astype(np.uint8)}
    for name, picture in pictures.items():
        write_png(folder / f"{name}.png", np.ascontiguousarray(picture))
    (folder / "letter.png").write_text("no picture at all, only words")
    return [folder / f"{name}.png" for name in (*pictures, "letter")]


@pytest.fixture(scope="module")
def looks() -> list[Look]:
    """What the reconstruction saw of its photos."""
    return []


@pytest.fixture(scope="module")
def result(
    photos: list[Path], looks: list[Look], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Reconstruction, Path]:
    def remember(*arguments: Any) -> Selection:
        chosen = select(*arguments)
        looks.extend(chosen.looks)
        return chosen

    out = tmp_path_factory.mktemp("result") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(several, "select", remember)
        return several.reconstruct_several(photos, out, QUICK), out


def test_report_tells_of_each_photo(photos, result):
    found, out = result
    entries = json.loads((out / "report.json").read_text(encoding="utf-8"))["photos"]
    assert [entry["file"] for entry in entries] == ["wide.png", "near.png", "letter.png"]
    assert [entry["used"] for entry in entries] == [True, True, False]
    assert sum(entry["main"] for entry in entries) == 1
    assert "letter.png is not a picture" in entries[2]["reason"]
    assert any(text.startswith("letter.png is left out") for text in found.report["warnings"])
    assert found.report["combined"] == "mean"


def test_folder_has_the_files_of_one_photo_and_a_copy_of_the_other(photos, result):
    found, out = result
    names = {path.name for path in out.iterdir()}
    main = next(entry for entry in found.report["photos"] if entry["main"])
    other = next(entry for entry in found.report["photos"] if entry["used"] and not entry["main"])
    assert found.name == Path(main["file"]).stem
    assert {"head.npz", "albedo.png", "confidence.png", "preview.png", "head.glb", "photo.jpg"} <= names
    assert other["picture"] in names
    assert (main["picture"], main["yaw"]) == ("photo.jpg", pytest.approx(other["yaw"], abs=6.0))
    assert read_photo(out / other["picture"]).pixels.shape[:2][::-1] == tuple(other["image_size"])


def test_each_camera_sees_the_same_head_where_its_photo_does(photos, result):
    found, _ = result
    head_points = _landmarks(found)
    for path, entry in zip(photos[:2], found.report["photos"], strict=False):
        width, height = entry["image_size"]
        camera = Camera(np.array(entry["K"]), np.array(entry["world_to_camera"]), width, height)
        face = find_face(read_photo(path))
        apart = np.linalg.norm(camera.project(head_points) - face.landmarks[:, :2], axis=1) / face.interocular
        assert np.nanmedian(apart) < 0.04


def _landmarks(found: Reconstruction) -> np.ndarray:
    """(478,3) with the main photo's expression, which is the other's too."""
    return load_head("open").embeddings["mediapipe"].positions(found.posed_vertices, found.faces)


def test_colours_are_brought_to_the_main_photos(photos, result):
    found, _ = result
    main, other = sorted((e for e in found.report["photos"] if e["used"]), key=lambda entry: not entry["main"])
    assert main["gain"] == [1.0, 1.0, 1.0]
    skin = [_cheek(photo) for photo in photos[:2]]
    expected = skin[0] / skin[1] if main["file"] == "wide.png" else skin[1] / skin[0]
    tint = np.array(other["gain"]) / np.mean(other["gain"])  # the level is light, and gone
    np.testing.assert_allclose(tint, expected / expected.mean(), rtol=0.08)


def _cheek(photo: Path) -> np.ndarray:
    """(3,) linear RGB between eyes and mouth."""
    read = read_photo(photo)
    points = find_face(read).landmarks[:, :2]
    low, high = points[[50, 280]].min(0).astype(int), points[[50, 280]].max(0).astype(int)
    return np.median(srgb_to_linear(read.pixels[low[1] - 5 : high[1] + 5, low[0] : high[0]]).reshape(-1, 3), axis=0)


def test_all_reasons_are_named_where_no_photo_is_left(photos, tmp_path):
    with pytest.raises(MediaError, match=r"(?s)None of the 2 photos.*letter\.png.*gone\.jpg"):
        several.reconstruct_several([photos[2], tmp_path / "gone.jpg"], tmp_path / "out", QUICK)
    assert not (tmp_path / "out").exists()


def test_both_ways_to_combine_give_one_shape_for_all_photos(looks, result):
    found, _ = result
    shapes = {}
    for way in ("mean", "joint"):
        first, second = several.combined_fits(load_head("open"), looks, way)
        np.testing.assert_array_equal(first.neutral, second.neutral)
        assert max(first.errors["mean"], second.errors["mean"]) < 0.06
        shapes[way] = first.neutral
    np.testing.assert_allclose(shapes["mean"], found.vertices, atol=1e-6)
    apart = np.linalg.norm(shapes["joint"] - shapes["mean"], axis=1)[found.face_region]
    assert 1e-5 < apart.mean() < 1e-2


def test_copies_are_small_and_keep_their_shape(tmp_path):
    several._write_copy(tmp_path / "copy.jpg", np.zeros((2000, 4000, 3), np.uint8))
    assert read_photo(tmp_path / "copy.jpg").pixels.shape == (several.COPY_SIDE // 2, several.COPY_SIDE, 3)
