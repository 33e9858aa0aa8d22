"""Depth is learnt from EG3D's heads and from synthetic faces; what comes of it takes the bundled network's place."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.camera import Camera
from engine.depth.dpt import DPT, DptShape, load_dpt
from engine.eg3d.camera import METRES, camera_of
from engine.errors import ModelFileError
from engine.heads.loader import load_head
from engine.perception.crop import Window
from engine.perception.depth_scale import SPAN, encode_depth
from engine.perception.parts import see_parts
from engine.perception.regions import REGIONS
from engine.training.__main__ import main
from engine.training.depth.losses import aligned_l1, as_taught, inverse_depth, published_error
from engine.training.depth.recipe import DepthRecipe, prepare_depth, read_depth_recipe
from engine.training.depth.sources import (
    Example,
    GeneratedHeads,
    SyntheticFaces,
    eyes_in_generator,
    open_source,
    plain_crop,
    varied_crop,
)
from engine.training.depth.task import DepthLearning, DptDepthTask, UnetDepthTask, as_grey
from engine.training.eg3d.shards import read_set
from engine.training.perception.checkpoints import find, load
from engine.training.perception.loop import TrainingConfig, train
from engine.training.perception.parts import UNKNOWN
from engine.training.synthetic.raster import Picture
from engine.training.synthetic.shards import write_shard

NARROW = DptShape(
    width=16, depth=4, heads=2, side=64, hooks=(0, 1, 2, 3), features=(8, 8, 8, 8), fused=8, classes=2
)  # fmt: skip
RECIPE = """network = "depth"
architecture = "unet"
[learning]
width = 2
batch = 2
[loop]
steps = {steps}
final = 1.0
warm_up = 1
average = 0.9
log_every = 1
validate_every = 100
"""


def loop(steps: int, rate: float = 3e-3) -> TrainingConfig:
    return TrainingConfig(steps, learning_rate=rate, warm_up=1, average=0.5, log_every=1)


def losses_of(run: Path, name: str = "loss") -> list[float]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line[name] for line in lines if line["kind"] == "training"]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic shards, two pictures to learn from and one held out: a head of known depth before nothing."""
    folder = tmp_path_factory.mktemp("faces")
    head = load_head()
    K = np.array([[600.0, 0, 128], [0, 600, 128], [0, 0, 1]])
    view = np.diag([1.0, -1, -1, 1])
    view[2, 3] = 1.0
    scene = SimpleNamespace(
        camera=Camera(K, view, 256, 256), identity=np.zeros(len(head.identity_basis), np.float32),
        expression=np.zeros(len(head.expression_names), np.float32), angles=np.zeros(3), names={},
    )  # fmt: skip
    rows, columns = np.mgrid[:256, :256]
    inside = np.hypot(rows - 128, columns - 128) < 80
    depth = np.where(inside, 0.9, np.inf).astype(np.float32)
    image = np.where(inside[..., None], (200, 150, 120), 40).astype(np.uint8)
    picture = Picture(image, np.where(inside, 1, 0).astype(np.uint8), depth, np.ones(len(head.vertices), bool))
    for name, count in (("train", 2), ("held_out", 1)):
        (folder / name).mkdir()
        write_shard(folder / name / "0.npz", [scene] * count, [picture] * count, range(count))  # type: ignore[list-item]
    return folder


def test_inverse_depth_is_of_metres_and_not_of_what_was_clipped():
    found = inverse_depth(torch.tensor([[[0.0, 1.0], [-0.5, -1.0]]]), torch.tensor([0.8]))
    assert found[0, 0, 0].item() == pytest.approx(1 / 0.8)
    assert found[0, 1, 0].item() == pytest.approx(1 / (0.8 - 0.5 * SPAN))
    assert found[0].isnan().tolist() == [[False, True], [False, True]]


def test_scale_and_offset_do_not_count():
    wanted = torch.tensor([[[1.0, 2.0], [4.0, torch.nan]], [[torch.nan] * 2] * 2])
    found = torch.cat([3 * wanted[:1].nan_to_num(50.0) - 7, torch.randn(1, 2, 2)])
    assert aligned_l1(found, wanted).item() == pytest.approx(0, abs=1e-6)
    # Medians 2 and 0, mean deviations 1 and 1: (-1, 0, 2) and (0, 0, 3) become themselves.
    other = torch.tensor([[[0.0, 0.0], [3.0, 9.0]]])
    assert aligned_l1(other, wanted[:1]).item() == pytest.approx((1 + 0 + 1) / 3)
    assert aligned_l1(found[1:], wanted[1:]).item() == 0


def test_the_published_error_is_in_units_of_each_picture():
    wanted = torch.tensor([[[0.0, 0.5]], [[-1.0, 1.0]]])
    assert published_error(wanted + 0.1, wanted).item() == pytest.approx((0.4 + 0.1) / 2)


def test_taught_regions_are_least_wrong_where_they_agree():
    teacher = torch.tensor([0.7, 0.2, 0.1]).view(1, 3, 1, 1)
    entropy = -(teacher * teacher.log()).sum().item()
    assert as_taught(teacher.log(), teacher).item() == pytest.approx(entropy)
    assert as_taught(torch.zeros(1, 3, 1, 1), teacher).item() == pytest.approx(np.log(3))


def test_generated_depth_is_encoded_about_the_eyes(heads: Path):
    """The example's depth, taken back to metres from the camera, is where the label's camera sees the points."""
    source = open_source(load_head(), heads / "train")
    assert isinstance(source, GeneratedHeads)
    assert not source.regions
    part = read_set(heads / "train")[1][0]
    eyes = METRES * eyes_in_generator(load_head())
    assert (np.abs(eyes) < 0.1).all()  # a head's eyes, the generator's origin inside it
    for number in range(len(part)):
        example = source.example(number)
        camera = camera_of(part.labels[number], 48)
        assert example.away == pytest.approx(camera.to_camera(eyes)[2])
        inside = part.mask[number]
        origin = camera.to_camera(np.zeros(3))[2]
        metres = origin + METRES * part.depth[number][inside].astype(float)
        np.testing.assert_allclose(example.depth[inside], encode_depth(metres, example.away), atol=1e-5)
        assert (example.depth[~inside] == 1).all()
        assert (example.regions == UNKNOWN).all()


def test_synthetic_depth_is_that_of_the_parts_network(faces: Path):
    source = open_source(load_head(), faces / "train")
    assert isinstance(source, SyntheticFaces)
    assert source.regions
    example = source.example(1)
    assert example.depth.shape == (128, 128)
    assert 0.85 < example.away < 1  # the eyes stand before the origin, which is a metre away
    assert example.depth[64, 64] == pytest.approx((0.9 - example.away) / SPAN, abs=0.005)  # half precision
    assert example.depth[0, 0] == 1
    assert (example.regions[64, 64], example.regions[0, 0]) == (1, 0)


@pytest.mark.parametrize("maps", [16, 64])
def test_picture_and_depth_move_together(maps: int):
    """A picture whose grey is its depth, at other sizes: after the same motion they still agree."""
    slope = np.linspace(-0.9, 0.9, 64)
    grey = np.round(127.5 * (1 + slope)).astype(np.uint8)
    depth = np.linspace(-0.9, 0.9, 2 * maps + 1)[1::2]
    example = Example(
        np.broadcast_to(grey[:, None], (64, 64, 3)[:2])[..., None].repeat(3, 2).copy(),
        np.broadcast_to(depth[:, None], (maps, maps)).astype(np.float32), np.zeros((maps, maps), np.int64), 1.0,
    )  # fmt: skip
    for crop in (plain_crop(example), *(varied_crop(example, np.random.default_rng(k), 0.0) for k in range(4))):
        assert crop.image.shape == (256, 256, 3)
        assert crop.depth.shape == crop.regions.shape == (128, 128)
        shown = crop.image[::2, ::2, 0].astype(float) / 127.5 - 1
        assert np.abs(shown - crop.depth).mean() < 1.3 / maps
        np.testing.assert_array_equal(crop.image, crop.clean)


@pytest.mark.parametrize("source", ["heads", "faces"])
def test_it_learns_the_depth_of_two_pictures(source: str, tmp_path: Path, request, monkeypatch):
    """The same batch at every step: every loss must fall."""
    data = request.getfixturevalue(source)
    recipe = DepthRecipe("unet", loop(1), DepthLearning(width=4, batch=2))
    task = prepare_depth(recipe, data, tmp_path, "cpu")
    assert isinstance(task, UnetDepthTask)
    assert (task.teacher is not None) == (source == "heads")
    always = task.batch(0)
    monkeypatch.setattr(task, "batch", lambda step: always)
    train(task, loop(12, 3e-2), tmp_path)
    losses = losses_of(tmp_path)
    assert losses[-1] < 0.8 * losses[0]
    others = ("depth", "taught") if source == "heads" else ("depth", "entropy")
    for name in others:
        assert losses_of(tmp_path, name)[-1] < 0.95 * losses_of(tmp_path, name)[0]
    assert (tmp_path / "sheet.jpg").stat().st_size > 1000


def test_a_stopped_run_goes_on_to_the_bit_and_is_used(heads: Path, tmp_path: Path):
    recipe = tmp_path / "recipe.toml"
    for name, stops in (("whole", (3,)), ("parts", (2, 3))):
        for steps in stops:
            recipe.write_text(RECIPE.format(steps=steps))
            command = ["depth", "--config", str(recipe), "--data", str(heads), "--out", str(tmp_path / name)]
            assert main([*command, "--resume"]) == 0
    ends = [load(find(tmp_path / name)[-1]) for name in ("whole", "parts")]
    for state in ("model", "average"):
        first, second = (getattr(end, state) for end in ends)
        assert all(torch.equal(value, second[name]) for name, value in first.items())
    weights = tmp_path / "parts.safetensors"
    assert main(["export", str(tmp_path / "whole"), "--out", str(weights)]) == 0
    picture = read_set(heads / "train")[1][0].image(0)
    seen = see_parts(picture, Window(np.array([24.0, 24.0]), 48.0), weights)
    assert seen.regions.shape == (len(REGIONS), 128, 128)
    assert np.isfinite(seen.depth).all()
    on = ["depth", "--config", str(recipe), "--data", str(heads), "--weights", str(weights)]
    assert main([*on, "--out", str(tmp_path / "on")]) == 0


def test_dpt_is_tuned_and_its_file_read_as_before(faces: Path, tmp_path: Path, monkeypatch):
    torch.manual_seed(0)
    before = tmp_path / "dpt.pt"
    torch.save(DPT(NARROW).state_dict(), before)
    head, learning = load_head(), DepthLearning(batch=2, side=64, spoilt=0.0)
    sources = [open_source(head, faces / name) for name in ("train", "held_out")]
    task = DptDepthTask(*sources, learning, before, shape=NARROW)
    always = task.batch(0)
    always.depth[:, 40:90, 40:90] = torch.linspace(-0.5, 0.5, 50)  # a slope, for a plane has no shape to learn
    monkeypatch.setattr(task, "batch", lambda step: always)
    train(task, loop(15, 1e-2), tmp_path / "run")
    losses = losses_of(tmp_path / "run")
    assert losses[-1] < 0.8 * losses[0]
    (tmp_path / "run" / "recipe.json").write_text(json.dumps({"description": {"network": "dpt_large"}}))
    after = tmp_path / "dpt.safetensors"
    assert main(["export", str(tmp_path / "run"), "--out", str(after)]) == 0
    network = load_dpt(after, NARROW)
    average = load(find(tmp_path / "run")[-1]).average
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, average[name], atol=1e-3, rtol=1e-3)  # half precision


def test_near_is_white_and_nothing_black():
    np.testing.assert_array_equal(as_grey(np.array([[-1.0, 0.0, 1.0, 3.0]]))[..., 0], [[255, 128, 0, 0]])


def test_what_is_wrong_is_said(heads: Path, tmp_path: Path, capsys):
    recipe = tmp_path / "recipe.toml"
    for text, reason in (
        (RECIPE.format(steps=1).replace("unet", "resnet"), "unet, dpt"),
        (RECIPE.format(steps=1).replace("width = 2", "side = 100"), "32"),
        (RECIPE.format(steps=1) + "[learning.losses]\nlength = 1\n", "length"),
    ):
        recipe.write_text(text)
        with pytest.raises(ModelFileError, match=rf"recipe\.toml.*{reason}"):
            read_depth_recipe(recipe)
    with pytest.raises(ModelFileError, match="--weights"):
        prepare_depth(DepthRecipe("dpt", loop(1)), heads, tmp_path / "run", "cpu")
    recipe.write_text(RECIPE.format(steps=1))
    assert main(["depth", "--config", str(recipe), "--data", str(tmp_path), "--out", str(tmp_path / "x")]) == 1
    assert "no pictures with depth" in capsys.readouterr().err


def test_the_bundled_recipes_can_be_read():
    folder = Path(__file__).parents[4] / "engine" / "training" / "configs"
    recipes = {path.stem: read_depth_recipe(path) for path in folder.glob("depth_*.toml")}
    assert sorted(recipes) == ["depth_cpu", "depth_dpt", "depth_gpu"]
    start = recipes["depth_cpu"].start
    assert start is not None
    assert start.is_file()
    assert recipes["depth_gpu"].learning.width == 64
