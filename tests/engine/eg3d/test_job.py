"""From a photo to the folder, with a tiny generator whose heads are balls in the model folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from safetensors.torch import save_file

from engine.__main__ import main
from engine.camera import Camera
from engine.depth.depth_map import Depth
from engine.depth.options import DepthOptions
from engine.eg3d import invert_photo, job
from engine.eg3d.camera import METRES, orbit_label, origin_in_head
from engine.eg3d.config import FULL, TINY, Configuration
from engine.eg3d.extras import OPTIONAL
from engine.eg3d.invert_photo import Way, check_room, predicted_bytes, state_file_of
from engine.eg3d.job import FILES, Seen, eg3d_mesh
from engine.eg3d.load import load_generator
from engine.eg3d.options import Eg3dOptions
from engine.eg3d.photo import align_photo
from engine.eg3d.pivot import PivotOptions, latent_statistics
from engine.eg3d.regression import LatentUnet, Sizes
from engine.eg3d.views import project
from engine.errors import DeviceError, JobCancelled, MediaError, ModelFileError, OutputError
from engine.heads.loader import load_head
from engine.media.photo import Photo
from engine.media.write import write_png
from engine.perception.networks.weights import save_network
from engine.progress import Progress
from engine.render.rasterize import rasterize_mesh

from .ball import RADIUS, model_folder

QUICK = Eg3dOptions(inversion="optimise", steps=4, tuning_steps=2, grid=64)


@pytest.fixture(scope="module")
def models(ball, tmp_path_factory) -> Path:
    return model_folder(ball, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def astronaut(tmp_path_factory) -> Path:
    data = pytest.importorskip("skimage.data")
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    write_png(path, data.astronaut())
    return path


@pytest.fixture(scope="module")
def folder(astronaut: Path, models: Path, tmp_path_factory) -> Path:
    """What the command makes of a real photo."""
    out = tmp_path_factory.mktemp("out") / "head"
    words = ["--inversion", "tune", "--steps", "3", "--tuning-steps", "2", "--grid", "128", "--turntable", "3"]
    words += ["--views", "--faces", "3000", "--device", "cpu", "--model-folder", str(models)]
    assert main(["depth", str(astronaut), "-o", str(out), "--method", "eg3d", *words]) == 0
    return out


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture whose head is known, so that no face need be found in it: the mean head, a metre before the camera."""
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    path = tmp_path / "photo.png"
    write_png(path, pixels)
    head, view = load_head(), np.eye(4)
    view[:3, :3], view[:3, 3] = np.diag([1.0, -1.0, -1.0]), (0.08, -0.03, 1.0)
    camera = Camera(np.array([[800.0, 0, 320], [0, 800, 240], [0, 0, 1]]), view, 640, 480)

    def look(path: Path, options: DepthOptions, side: int, progress: Progress) -> Seen:
        progress.stage("Fitting the head", 0.1)
        aligned = align_photo(pixels, camera, *job.anchors(head, head.vertices), side=side)
        return Seen(Photo(path, pixels), head, head.vertices, aligned, ())

    monkeypatch.setattr(job, "look", look)
    monkeypatch.setattr(job, "preview", lambda *parts: np.zeros((8, 8, 3), np.uint8))  # a second each
    return path


def options_of(models: Path, **eg3d) -> DepthOptions:
    """A quick job on the CPU."""
    return DepthOptions(method="eg3d", model_folder=models, device="cpu", faces=900, eg3d=replace(QUICK, **eg3d))


def mesh_of(folder: Path) -> trimesh.Trimesh:
    """The mesh of a result."""
    scene = trimesh.load(folder / "mesh.glb")
    assert isinstance(scene, trimesh.Scene)
    return scene.geometry["depth"]


def stopping(title: str, count: int) -> Progress:
    """Cancels at the report after `count` of that title."""
    seen: list[str] = []
    return Progress(lambda stage, fraction: seen.append(stage), lambda: seen.count(title) >= count)


def test_the_folder_holds_what_is_promised(folder: Path, models: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {*FILES, "tuned.safetensors", "views", *(names & {"turntable.mp4", "turntable"})}
    assert names & {"turntable.mp4", "turntable"}
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["method"] == "eg3d"
    assert set(report["files"]) == names
    assert report["inversion"]["steps"] == 3
    assert report["inversion"]["tuning_steps"] == 2
    assert report["inversion"]["complete"] is True
    assert "EG3D" in report["provenance"]
    assert report["faces"] <= 3000
    assert len(list((folder / "views").glob("*_depth.png"))) == 6
    with np.load(folder / "latent.npz") as stored:
        assert stored["w"].shape == (TINY.layers, TINY.w)
        assert stored["label"].shape == (25,)
        assert str(stored["generator_sha256"]) == report["generator"]["sha256"]
        assert len(stored["latent_losses"]) == 3
        np.testing.assert_allclose(stored["label"][[16, 18, 20, 21]], [4.2647, 0.5, 4.2647, 0.5], atol=1e-4)
    tuned, original = load_generator(folder / "tuned.safetensors"), load_generator(next(models.iterdir()))
    assert tuned.config == TINY
    weights = original.state_dict()
    assert not all(torch.equal(value, weights[name]) for name, value in tuned.state_dict().items())


def test_the_mesh_stands_where_the_photos_head_stands(folder: Path) -> None:
    """The generator's ball lies around the place that its origin has in the fitted head, as large as its unit is."""
    with np.load(folder / "depth.npz") as stored:
        head = load_head()
        vertices = stored["head_vertices"].astype(np.float64)
    origin = origin_in_head(vertices[head.regions["face"]].mean(0))
    mesh = mesh_of(folder)
    away = np.linalg.norm(mesh.vertices - origin, axis=1)
    assert np.median(away) == pytest.approx(RADIUS * METRES, abs=0.006)
    assert np.abs(mesh.vertices.mean(0) - origin).max() < 0.008
    face = np.linalg.norm(vertices[head.regions["face"]] - origin, axis=1)
    assert 0.03 < face.min() < np.median(face) < face.max() < 0.14  # the head is where the ball is


def test_depth_and_mesh_are_one_surface(folder: Path) -> None:
    """The mesh of the file, seen through the camera of the other file, has that one's depth."""
    depth, mesh = Depth.load(folder / "depth.npz"), mesh_of(folder)
    vertices, faces = (torch.tensor(np.asarray(values)) for values in (mesh.vertices, mesh.faces))
    seen = rasterize_mesh(vertices.float(), faces.int(), depth.camera).depth.numpy()
    assert (np.isfinite(seen) == depth.mask).mean() > 0.999
    both = np.isfinite(seen) & depth.mask
    assert np.abs(seen - depth.depth)[both].max() < 1e-3
    assert 0.3 < depth.mask.mean() < 0.95
    assert depth.confidence[depth.mask].max() <= 0.6


def test_pictures_and_texture_agree(folder: Path) -> None:
    """Texture coordinates lie where the views see the vertices: one picture of three by two."""
    mesh = mesh_of(folder)
    picture = mesh.visual.material.baseColorTexture
    assert picture.size == (3 * 48, 2 * 48)
    tiles = np.floor(np.asarray(mesh.visual.uv) * [3, 2]).astype(int)
    assert len(np.unique(tiles, axis=0)) >= 3
    corners = np.asarray(mesh.faces)
    assert (tiles[corners] == tiles[corners[:, :1]]).all()  # no triangle lies in two pictures


def test_a_known_points_pixel(photo: Path, models: Path, tmp_path: Path) -> None:
    """The result's camera sees points of the head where the generator's label sees them in the generator's space."""
    options = options_of(models)
    seen = job.look(photo, options, TINY.image_side, Progress())
    eg3d_mesh(photo, tmp_path / "out", options)
    depth = Depth.load(tmp_path / "out" / "depth.npz")
    points = np.random.default_rng(1).uniform(-0.3, 0.3, (50, 3))
    place, _ = project(seen.aligned.label, points)
    found = depth.camera.project(seen.aligned.register.points(points))
    np.testing.assert_allclose(found, place * depth.camera.width, atol=1e-2)
    # The photo's own lens is another than the generator's: it sees the origin there, and the rest nearly.
    origin, wanted = seen.aligned.register.points(np.zeros((1, 3))), project(seen.aligned.label, np.zeros((1, 3)))[0]
    np.testing.assert_allclose(seen.aligned.camera.project(origin), wanted * TINY.image_side, atol=1e-3)


def test_the_same_seed_gives_the_same(photo: Path, models: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        eg3d_mesh(photo, tmp_path / name, options_of(models))
    first, second = ((tmp_path / name / "mesh.glb").read_bytes() for name in ("a", "b"))
    assert first == second
    eg3d_mesh(photo, tmp_path / "c", replace(options_of(models), seed=1))
    latents = [np.load(tmp_path / name / "latent.npz")["w"] for name in ("a", "c")]
    assert np.abs(latents[0] - latents[1]).max() > 1e-6


def test_cancelling_leaves_nothing(photo: Path, models: Path, tmp_path: Path) -> None:
    with pytest.raises(JobCancelled):
        eg3d_mesh(photo, tmp_path / "out", options_of(models), stopping("Finding the latent", 4))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png"]


@pytest.mark.parametrize(("stage", "steps"), [("Finding the latent", 4), ("Tuning the generator", 2)])
def test_cancelling_keeps_the_best_where_that_is_wanted(photo, models, tmp_path, stage, steps) -> None:
    options = options_of(models, inversion="tune", keep_best=True)
    report = eg3d_mesh(photo, tmp_path / "out", options, stopping(stage, steps))
    assert report["inversion"]["complete"] is False
    taken = report["inversion"]["steps"] + report["inversion"]["tuning_steps"]
    assert 0 < taken < 6
    assert any("stopped early" in warning for warning in report["warnings"])
    assert {path.name for path in (tmp_path / "out").iterdir()} >= set(FILES)


def test_before_the_inversion_a_cancelled_job_ends_whatever_is_kept(photo, models, tmp_path) -> None:
    with pytest.raises(JobCancelled):
        eg3d_mesh(photo, tmp_path / "out", options_of(models, keep_best=True), stopping("Fitting the head", 1))
    assert not (tmp_path / "out").exists()


def test_a_resumed_job_ends_as_one_that_was_never_stopped(photo: Path, models: Path, tmp_path: Path) -> None:
    states = tmp_path / "states"
    states.mkdir()
    options = options_of(models, inversion="tune", resume=str(states))
    eg3d_mesh(photo, tmp_path / "whole", replace(options, eg3d=replace(options.eg3d, resume="")))
    with pytest.raises(JobCancelled):
        eg3d_mesh(photo, tmp_path / "out", options, stopping("Tuning the generator", 3))
    assert [path.suffix for path in states.iterdir()] == [".pt"]
    report = eg3d_mesh(photo, tmp_path / "out", options)
    assert (tmp_path / "out" / "mesh.glb").read_bytes() == (tmp_path / "whole" / "mesh.glb").read_bytes()
    assert report["inversion"]["steps"] == 4
    assert not list(states.iterdir())  # done: the state has served


def test_auto_resumes_beside_the_result(photo: Path, models: Path, tmp_path: Path) -> None:
    options = options_of(models, resume="auto")
    with pytest.raises(JobCancelled):
        eg3d_mesh(photo, tmp_path / "results" / "out", options, stopping("Finding the latent", 4))
    assert [path.name.endswith(".eg3d.pt") for path in (tmp_path / "results").iterdir()] == [True]
    eg3d_mesh(photo, tmp_path / "results" / "out", options)
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["out"]


def test_states_of_other_jobs_have_other_names(photo: Path, with_regressor: Path, tmp_path: Path) -> None:
    """A regressor that was trained again gives another start: its job does not trip over the former one's state."""
    options = options_of(with_regressor, resume=str(tmp_path))

    def name(options: DepthOptions) -> str:
        path = state_file_of(tmp_path / "out", photo, "sha", options, Way.of(options.eg3d, with_regressor))
        assert path is not None
        return path.name

    before = name(options)
    assert name(options) == before
    assert name(replace(options, seed=1)) != before
    regressor = with_regressor / "eg3d_latents.safetensors"
    regressor.write_bytes(regressor.read_bytes() + b" ")
    assert name(options) != before


def test_a_state_that_cannot_be_written_is_said_before_anything_is_done(models: Path, photo: Path, tmp_path) -> None:
    with pytest.raises(OutputError, match=r"no folder .*gone"):
        eg3d_mesh(photo, tmp_path / "out", options_of(models, resume=str(tmp_path / "gone" / "state.pt")))
    assert not (tmp_path / "out").exists()


def test_what_an_earlier_job_left_is_taken_away(photo: Path, models: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    eg3d_mesh(photo, out, options_of(models, inversion="tune", steps=1, tuning_steps=1, views=True))
    (out / "turntable").mkdir()
    assert {path.name for path in out.iterdir()} == {*FILES, "tuned.safetensors", "turntable", "views"}
    (out / "mine.txt").write_text("kept")
    eg3d_mesh(photo, out, options_of(models, steps=1, views=True))
    assert {path.name for path in out.iterdir()} == {*FILES, "views", "mine.txt"}
    assert [name for name in OPTIONAL if (out / name).exists()] == ["views"]


def mean_latent(network) -> torch.Tensor:
    return latent_statistics(network, torch.tensor(orbit_label())[None], 200)[0]


@pytest.fixture
def with_regressor(ball, models: Path, tmp_path: Path) -> Path:
    """A model folder with a regressor that says one latent whatever it sees."""
    folder = model_folder(ball, tmp_path / "with regressor")
    unet = LatentUnet(192, 2, Sizes(TINY.layers, TINY.w))
    unet.head[-1].weight.data.zero_()
    unet.start_at(mean_latent(ball).flatten())
    said = {"network": "latents", "architecture": "unet", "settings": {"side": 192, "base": 2}}
    said |= {"layers": TINY.layers, "width": TINY.w}
    save_network(folder / "eg3d_latents.safetensors", unet.state_dict(), said)
    return folder


def test_a_regressors_latent_is_taken_as_it_is(photo, with_regressor: Path, ball, tmp_path: Path) -> None:
    report = eg3d_mesh(photo, tmp_path / "out", options_of(with_regressor, inversion="regress"))
    latent = np.load(tmp_path / "out" / "latent.npz")["w"]
    np.testing.assert_allclose(latent, mean_latent(ball)[0].expand(TINY.layers, -1), atol=1e-5)
    assert report["inversion"]["start"] == "eg3d_latents.safetensors"
    assert report["inversion"]["steps"] == 0


def test_an_inversion_starts_from_the_regressor(with_regressor: Path, models: Path) -> None:
    assert Way.of(Eg3dOptions(), models) == Way(500, 0, None)
    warm = Way.of(Eg3dOptions(inversion="tune"), with_regressor)
    assert (warm.steps, warm.tuning_steps) == (200, 350)
    assert warm.regressor == with_regressor / "eg3d_latents.safetensors"


def test_regressors_of_other_generators_are_refused(with_regressor: Path, photo: Path, tmp_path: Path) -> None:
    unet = LatentUnet(192, 2, Sizes(TINY.layers, 8))
    said = {"network": "latents", "architecture": "unet", "settings": {"side": 192, "base": 2}}
    path = with_regressor / "eg3d_latents.safetensors"
    save_network(path, unet.state_dict(), said | {"layers": TINY.layers, "width": 8})
    with pytest.raises(ModelFileError, match=rf"eg3d_latents.*{TINY.layers} x 8 numbers.*{TINY.layers} x {TINY.w}"):
        eg3d_mesh(photo, tmp_path / "out", options_of(with_regressor, inversion="regress"))
    save_network(path, unet.state_dict(), said | {"network": "points", "layers": TINY.layers, "width": 8})
    with pytest.raises(ModelFileError, match="another network"):
        eg3d_mesh(photo, tmp_path / "out", options_of(with_regressor, inversion="regress"))


def test_missing_files_are_named_before_anything_is_done(models: Path, tmp_path: Path) -> None:
    """Even before the photo, which is missing too."""
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelFileError, match=r"EG3D.*ffhqrebalanced512-128") as caught:
        eg3d_mesh(tmp_path / "no.png", tmp_path / "out", options_of(empty))
    assert "nvlabs" in caught.value.cure.lower()
    with pytest.raises(ModelFileError, match=r"eg3d_latents\.safetensors") as caught:
        eg3d_mesh(tmp_path / "no.png", tmp_path / "out", options_of(models, inversion="regress"))
    assert "optimise" in caught.value.cure
    with pytest.raises(MediaError, match=r"no\.png"):
        eg3d_mesh(tmp_path / "no.png", tmp_path / "out", options_of(models))
    assert not (tmp_path / "out").exists()


def test_networks_of_cats_are_refused(published, ball, tmp_path: Path) -> None:
    kwargs = {"c_dim": 25, "rendering_kwargs": {"avg_camera_pivot": [0, 0, -0.06]}}
    path = published(ball.state_dict(), kwargs)
    path.rename(tmp_path / "ffhqrebalanced512-128.pkl")
    with pytest.raises(ModelFileError, match="an EG3D network of cats, not of heads"):
        eg3d_mesh(tmp_path / "no.png", tmp_path / "out", options_of(tmp_path))


def test_other_networks_in_its_place_are_refused(tmp_path: Path) -> None:
    save_file({"backbone.synthesis.b4.const": torch.zeros(4)}, tmp_path / "ffhqrebalanced512-128.safetensors")
    with pytest.raises(ModelFileError, match="entries are missing"):
        eg3d_mesh(tmp_path / "no.png", tmp_path / "out", options_of(tmp_path))


def test_too_large_a_grid_is_refused_before_starting(photo, models, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(job, "available_bytes", lambda device: 20_000_000)
    monkeypatch.setattr(job, "check_room", lambda *rest: None)
    with pytest.raises(DeviceError, match="512 voxels") as caught:
        eg3d_mesh(photo, tmp_path / "out", options_of(models, grid=512))
    assert "Choose 256" in caught.value.cure or "Choose 128" in caught.value.cure
    assert not (tmp_path / "out").exists()


def test_an_inversion_that_does_not_fit_is_refused_with_a_lighter_one() -> None:
    """Measured with the full generator: 5.0 GB for the latent's steps, 10.3 GB for those that tune it."""
    assert predicted_bytes(FULL, False) == pytest.approx(5.0e9, rel=0.1)
    assert predicted_bytes(FULL, True) == pytest.approx(10.3e9, rel=0.1)
    tune, look = Way(500, 350, None), Way(500, 0, Path("r.safetensors"))
    check_room(FULL, tune, 12 * 10**9)
    check_room(FULL, tune, None)
    check_room(FULL, Way(0, 0, Path("r.safetensors")), 1)
    for way, limit, cure in ((tune, 6e9, "“optimise”"), (look, 2e9, "“regress”"), (tune, 2e9, "Close other")):
        with pytest.raises(DeviceError, match="GB of memory") as caught:
            check_room(FULL, way, int(limit))
        assert cure in caught.value.cure


def test_running_out_of_memory_all_the_same_is_said(photo, models, tmp_path, monkeypatch) -> None:
    def full(self) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate")

    monkeypatch.setattr(invert_photo.invert.__globals__["Pivot"], "advance", full)
    with pytest.raises(DeviceError, match="not enough memory for the inversion"):
        eg3d_mesh(photo, tmp_path / "out", options_of(models))
    assert not (tmp_path / "out").exists()


def test_configurations_survive_the_files_header(ball, tmp_path: Path) -> None:
    assert load_generator(model_folder(ball, tmp_path) / "ffhqrebalanced512-128.safetensors").config == TINY
    assert isinstance(TINY, Configuration)
    assert PivotOptions().steps == Way.of(Eg3dOptions(), None).steps
