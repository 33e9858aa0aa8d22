"""From a photo to the folder, through the command."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from engine.__main__ import main
from engine.depth import cli
from engine.depth.depth_map import Depth
from engine.depth.job import FILES, depth_mesh, refined
from engine.depth.mesh import MeshOptions, mesh_of
from engine.depth.options import BYTES_A_FACE, DepthOptions, bytes_needed, check_memory
from engine.errors import DeviceError, FaceError, MediaError
from engine.heads.loader import load_head
from engine.media.write import write_png

from .toy_depth import ball


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_depth_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture(scope="module")
def astronaut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = pytest.importorskip("skimage.data")
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    write_png(path, data.astronaut())
    return path


@pytest.fixture(scope="module")
def folder(astronaut: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "depth"
    words = (str(astronaut), "-o", str(out), "--resolution", "256", "--faces", "8000", "--close-back", "--json")
    assert main(["depth", *words, "--device", "cpu"]) == 0
    return out


def test_the_folder_holds_what_is_promised(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["method"] == "unet"
    assert report["closed"] is True
    assert report["head_model"] == "open"
    assert max(report["depth_size"]) == 256
    assert report["seconds_total"] > 0


def test_depth_lies_in_register_with_the_head(folder: Path) -> None:
    """The fitted head's face, seen through the depth's camera, has the depth's values."""
    depth = Depth.load(folder / "depth.npz")
    with np.load(folder / "depth.npz") as stored:
        head = stored["head_vertices"].astype(np.float64)
        assert set(stored.files) >= {"depth", "mask", "confidence", "K", "world_to_camera", "head_faces"}
        assert np.isnan(stored["depth"][~stored["mask"]]).all()
    pixels, z = depth.camera.project(head), depth.camera.to_camera(head)[:, 2]
    x, y = np.clip(pixels.astype(int), 0, np.array(depth.mask.shape)[::-1] - 1).T
    sure = load_head().regions["face"] & (depth.confidence[y, x] > 0.99)
    assert sure.sum() > 200
    assert np.median(np.abs(depth.depth[y, x] - z)[sure]) < 0.002
    assert 0.8 < np.linalg.norm(depth.points[depth.mask].mean(0) - head.mean(0)) + 0.8 < 1.0


def test_the_mesh_is_closed_textured_and_in_the_heads_frame(folder: Path) -> None:
    scene = trimesh.load(folder / "mesh.glb")
    assert isinstance(scene, trimesh.Scene)
    mesh = scene.geometry["depth"]
    with np.load(folder / "depth.npz") as stored:
        head = stored["head_vertices"]
    assert (mesh.bounds[0] < head.min(0) + 0.1).all()
    assert (mesh.bounds[1] > head.max(0) - 0.1).all()
    assert 8000 < len(mesh.faces) <= 2.6 * 8000
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True, merge_norm=True, merge_tex=True)
    assert solid.is_watertight
    picture = mesh.visual.material.baseColorTexture
    assert picture.width > 1.8 * picture.height  # front and back side by side
    assert mesh.visual.uv.min() >= 0
    assert mesh.visual.uv.max() <= 1
    assert Image.open(folder / "preview.png").width > 1000


def test_the_texture_can_be_refined() -> None:
    """Render and compare takes away what a wrong start has."""
    depth = ball(48, 0.2)
    mesh = mesh_of(depth, MeshOptions(faces=None))
    photo = np.full((48, 48, 3), 150, np.uint8)
    start = np.full((48, 48, 3), 90, np.uint8)
    texture, told = refined(mesh, start, photo, depth, DepthOptions(), "cpu")
    assert told["l1_before"] == pytest.approx(60 / 255, abs=0.005)
    assert told["l1_after"] < 0.02
    assert np.abs(texture[16:32, 16:32].astype(int) - 150).max() < 8


def test_photos_without_a_person_leave_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3)).astype(np.uint8)
    write_png(tmp_path / "noise.png", noise)
    out = tmp_path / "out"
    assert main(["depth", str(tmp_path / "noise.png"), "-o", str(out), "--json"]) == FaceError.exit_code
    assert not out.exists()
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert "noise.png" in told["results"][0]["error"]
    with pytest.raises(MediaError, match=r"missing\.png"):
        depth_mesh(tmp_path / "missing.png", out)


def test_memory_is_reckoned_before_starting() -> None:
    options = DepthOptions(resolution=4096, faces=100_000)
    needed = bytes_needed(4096, 3072, options.faces, "auto")
    check_memory(4096, 3072, options, needed)
    check_memory(4096, 3072, options, None)
    with pytest.raises(DeviceError, match="3072 x 4096") as caught:
        check_memory(4096, 3072, options, 0.75 * needed)
    side = int(caught.value.cure.split("of ")[1].split()[0])
    assert 1024 < side < 4096
    check_memory(side, side * 3 // 4, options, 0.75 * needed)
    with pytest.raises(DeviceError, match="GB are free") as caught:
        check_memory(512, 512, options, BYTES_A_FACE)
    assert "Close other programs" in caught.value.cure


def test_the_commands_options() -> None:
    found = cli.chosen_depth_options(parsed("a.jpg", "-o", "out", "--method", "inflate", "--resolution", "2048"))
    assert found == DepthOptions(method="inflate", resolution=2048)
    for words in (("--resolution", "9"), ("--faces", "3"), ("--method", "magic")):
        with pytest.raises(SystemExit):
            parsed("a.jpg", "-o", "out", *words)
