"""Latents are learnt from pictures, a stopped run goes on to the bit, and inversions take what comes of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.eg3d.config import TINY
from engine.eg3d.generator import TriplaneGenerator
from engine.eg3d.load import save_generator
from engine.eg3d.regression import LatentTransformer, LatentUnet, load_regressor
from engine.errors import ModelFileError
from engine.media.write import write_png
from engine.training.__main__ import main
from engine.training.eg3d.shards import read_set
from engine.training.latents.recipe import LatentRecipe, prepare_latents, read_latent_recipe
from engine.training.latents.task import LatentLearning, LatentTask, as_input, fitted
from engine.training.perception.checkpoints import find, load
from engine.training.perception.loop import TrainingConfig, train

UNET = {"side": 192, "base": 2}
VIT = {"side": 48, "patch": 12, "width": 16, "blocks": 1, "heads": 2}
RECIPE = """network = "latents"
architecture = "vit"
[settings]
side = 48
patch = 12
width = 16
blocks = 1
heads = 2
[learning]
batch = 2
[loop]
steps = {steps}
final = 1.0
warm_up = 1
average = 0.9
log_every = 1
validate_every = 100
"""


def loop(steps: int, **more) -> TrainingConfig:
    return TrainingConfig(steps, learning_rate=3e-3, warm_up=1, average=0.5, log_every=1, **more)


def prepared(heads: Path, out: Path, kind: str, **learning) -> LatentTask:
    settings = UNET if kind == "unet" else VIT
    return prepare_latents(LatentRecipe(kind, loop(1), settings, LatentLearning(**learning)), heads, out, "cpu")


@pytest.mark.parametrize("kind", ["unet", "vit"])
def test_it_learns_the_latents_of_two_pictures(heads: Path, tmp_path: Path, kind: str, monkeypatch):
    """The same batch at every step: the loss must fall."""
    task = prepared(heads, tmp_path, kind, batch=2)
    always = task.batch(0)
    monkeypatch.setattr(task, "batch", lambda step: always)
    train(task, loop(25 if kind == "unet" else 40), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["kind"] == "training"]
    assert losses[-1] < 0.6 * losses[0]


def test_a_batch_is_pictures_with_their_latents(heads: Path, tmp_path: Path):
    task = prepared(heads, tmp_path, "vit", batch=4)
    part = read_set(heads / "train")[1][0]
    batch = task.batch(7)
    for image, ws in zip(batch.images, batch.ws, strict=True):
        same = [n for n in range(len(part)) if torch.equal(ws, torch.from_numpy(part.ws[n]))]
        assert torch.equal(image, torch.tensor(part.image(same[0]).copy()))
    again = task.batch(7)
    assert torch.equal(batch.images, again.images)


def test_a_cameras_faults_leave_size_and_latent_alone(heads: Path, tmp_path: Path):
    plain, spoilt = (prepared(heads, tmp_path, "unet", batch=1, spoilt=share).batch(7) for share in (0.0, 1.0))
    assert torch.equal(spoilt.ws, plain.ws)
    assert spoilt.images.shape == plain.images.shape == (1, 192, 192, 3)
    assert not torch.equal(spoilt.images, plain.images)


def test_pictures_become_the_networks_input():
    image = torch.tensor([0, 255, 51], dtype=torch.uint8).expand(1, 8, 8, 3)
    assert as_input(image)[0, :, 3, 3].tolist() == pytest.approx([-1, 1, -0.6])
    assert fitted(image[0].numpy(), 4).shape == (4, 4, 3)


def test_it_begins_at_the_mean_and_says_how_far_that_is(heads: Path, tmp_path: Path):
    task = prepared(heads, tmp_path, "vit")
    figures = task.validate()
    held_out = read_set(heads / "held_out")[1][0]
    mean = read_set(heads / "train")[1][0].ws.mean((0, 1))
    assert figures["l1_of_the_mean"] == pytest.approx(abs(held_out.ws - mean).mean(), rel=1e-5)
    with torch.no_grad():
        task.model.head.weight.zero_()  # type: ignore[union-attr, operator]
    assert task.validate()["l1"] == pytest.approx(figures["l1_of_the_mean"], rel=1e-5)


def test_a_stopped_run_goes_on_to_the_bit_and_serves_inversions(
    heads: Path, generator_file: Path, tmp_path: Path, capsys
):
    from engine.eg3d.files import EG3D_LATENTS, find_regressor

    recipe = tmp_path / "recipe.toml"
    for name, stops in (("whole", (4,)), ("parts", (2, 4))):
        for steps in stops:
            recipe.write_text(RECIPE.format(steps=steps))
            command = ["latents", "--config", str(recipe), "--data", str(heads), "--out", str(tmp_path / name)]
            assert main([*command, "--resume"]) == 0
    ends = [load(find(tmp_path / name)[-1]) for name in ("whole", "parts")]
    for state in ("model", "average"):
        first, second = (getattr(end, state) for end in ends)
        assert all(torch.equal(value, second[name]) for name, value in first.items())

    path = tmp_path / "models" / EG3D_LATENTS.files[0]
    assert main(["export", str(tmp_path / "whole"), "--out", str(path)]) == 0
    assert find_regressor(path.parent, needed=True) == path
    network = load_regressor(path)
    assert isinstance(network, LatentTransformer)
    trained = ends[0].average["head.bias"]
    torch.testing.assert_close(network.head.bias, trained)
    on = ["latents", "--config", str(recipe), "--data", str(heads), "--weights", str(path)]
    assert main([*on, "--out", str(tmp_path / "on"), "--generator", str(generator_file)]) == 0
    assert Image.open(tmp_path / "on" / "sheet.jpg").size == (3 * 48, 2 * 48)
    torch.manual_seed(12)
    save_generator(TriplaneGenerator(TINY), tmp_path / "other.safetensors")
    other = ["--out", str(tmp_path / "other"), "--generator", str(tmp_path / "other.safetensors")]
    assert main([*on, *other]) == 1
    assert "not of the generator" in capsys.readouterr().err


def test_inverted_photos_are_learnt_from_and_measured_on(heads: Path, tmp_path: Path):
    """An evaluation set stands where samples could: here the held-out heads, as if they were photos."""
    index, (part,) = read_set(heads / "held_out")
    data = tmp_path / "data"
    (data / "train").mkdir(parents=True)
    entries = [{"folder": f"photo{number}"} for number in range(len(part))]
    for number, entry in enumerate(entries):
        place = data / "train" / entry["folder"]
        place.mkdir()
        write_png(place / "photo.png", part.image(number).copy())
        np.savez(place / "latent.npz", w=part.ws[number], label=part.labels[number])
    stored = {"kind": "likeness evaluation set", "generator": index["generator"], "photos": entries}
    (data / "train" / "index.json").write_text(json.dumps(stored))
    (data / "held_out").symlink_to(data / "train")
    task, usual = prepared(data, tmp_path / "run", "vit"), prepared(heads, tmp_path / "usual", "vit")
    usual.model.load_state_dict(task.model.state_dict())
    assert task.validate()["l1"] == pytest.approx(usual.validate()["l1"], rel=1e-5)
    np.testing.assert_array_equal(task.train[0].labels, part.labels)
    (data / "train" / "photo1" / "latent.npz").write_bytes(b"")
    with pytest.raises(ModelFileError, match="photo1"):
        prepared(data, tmp_path / "run", "vit")
    (data / "train" / "index.json").write_text(json.dumps(stored | {"photos": []}))
    with pytest.raises(ModelFileError, match="no latents"):
        prepared(data, tmp_path / "run", "vit")


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."), MemoryError()])
def test_running_out_of_memory_is_said(error: Exception, heads: Path, tmp_path: Path, monkeypatch, capsys):
    def out_of_memory(*_):
        raise error

    monkeypatch.setattr(LatentTask, "loss", out_of_memory)
    (tmp_path / "recipe.toml").write_text(RECIPE.format(steps=1))
    command = ["latents", "--config", str(tmp_path / "recipe.toml"), "--data", str(heads)]
    assert main([*command, "--out", str(tmp_path / "run")]) == 1
    assert "smaller batch" in capsys.readouterr().err


def test_the_generator_says_how_large_latents_are(heads: Path, tmp_path: Path):
    network = prepared(heads, tmp_path, "unet").model
    assert isinstance(network, LatentUnet)
    assert (network.sizes.layers, network.sizes.width) == (6, 16)
    description = json.loads((tmp_path / "recipe.json").read_text())["description"]
    assert description["generator"] == read_set(heads / "train")[0]["generator"]


def test_what_is_wrong_is_said(heads: Path, tmp_path: Path, capsys):
    recipe = tmp_path / "recipe.toml"
    for text, reason in (
        (RECIPE.format(steps=1).replace("vit", "resnet"), "unet, vit"),
        (RECIPE.format(steps=1).replace('"latents"', '"points"'), "points"),
        (RECIPE.format(steps=1).replace("batch", "badge"), "badge"),
        (RECIPE.format(steps=1).replace("batch = 2", "batch = 0"), "batch"),
    ):
        recipe.write_text(text)
        with pytest.raises(ModelFileError, match=rf"recipe\.toml.*{reason}"):
            read_latent_recipe(recipe)
    for kind, settings, reason in (("unet", {"side": 96}, "96 pixels"), ("vit", VIT, "48 pixels are too small")):
        wrong = LatentRecipe(kind, loop(1), settings, LatentLearning(spoilt=1.0))
        with pytest.raises(ModelFileError, match=reason):
            prepare_latents(wrong, heads, tmp_path / "run", "cpu")
    recipe.write_text(RECIPE.format(steps=1))
    assert main(["latents", "--config", str(recipe), "--data", str(tmp_path), "--out", str(tmp_path / "x")]) == 1
    assert "no samples of EG3D" in capsys.readouterr().err


def test_the_bundled_recipes_can_be_read():
    folder = Path(__file__).parents[4] / "engine" / "training" / "configs"
    recipes = {path.stem: read_latent_recipe(path) for path in folder.glob("latents_*.toml")}
    assert sorted(recipes) == ["latents_cpu", "latents_unet", "latents_vit"]
    published = recipes["latents_unet"]
    assert (published.learning.batch, published.settings) == (5, {})  # the thesis' sizes
