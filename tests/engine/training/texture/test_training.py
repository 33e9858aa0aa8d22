"""Training of the texture generator: it learns, goes on to the bit where it stopped, and its weights can be used."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engine.errors import EngineError, ModelFileError, OutputError
from engine.texture.models.small import SmallGeneratorTexture
from engine.training.__main__ import main
from engine.training.perception import checkpoints
from engine.training.perception.log import read_log
from engine.training.texture import loop
from engine.training.texture.loop import train_textures
from engine.training.texture.recipe import Run, TextureRecipe, read_texture_recipe
from engine.training.texture.trainer import Learning, Size, Trainer

SIZE = Size(z_dim=4, w_dim=8, side=32, channel_base=128, channel_max=16)
LEARNING = Learning(batch=4, warm=2, warm_batch=2, lazy=2, channel_base=64, channel_max=8)
RECIPE = TextureRecipe(Run(steps=5, log_every=1, save_every=2, sample_every=5), SIZE, LEARNING)
TOML = """network = "texture"
[run]
steps = {steps}
textures = 6
log_every = 1
[size]
z_dim = 4
w_dim = 8
side = 32
channel_base = 128
channel_max = 16
[learning]
batch = 4
warm = 1
warm_batch = 2
"""


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def textures() -> np.ndarray:
    """Sixty skins of different complexion, with lips."""
    rng = np.random.default_rng(1)
    tones = rng.uniform(60, 200, (60, 1, 1, 1)) * np.array([1.0, 0.8, 0.7])
    made = np.broadcast_to(tones, (60, 32, 32, 3)).copy()
    made[:, 22:26, 10:22, 1:] *= rng.uniform(0.5, 0.9, (60, 1, 1, 1))
    return made.astype(np.uint8)


def test_the_warm_part_learns_to_paint_components(textures: np.ndarray):
    """Without the linear part, which would leave nothing to learn of such simple skins."""
    trainer = Trainer(textures, SIZE, replace(LEARNING, warm=60, warm_batch=8, rate_warm=0.02))
    trainer.network.linear.zero_()
    trainer.network.detail.zero_()
    trainer.network.spread.fill_(0.5)
    lost = [float(trainer.step(number)["difference"]) for number in range(60)]
    assert np.mean(lost[-10:]) < 0.6 * np.mean(lost[:5])


def test_what_a_step_learns_from_depends_on_its_number(textures: np.ndarray):
    first, second = (Trainer(textures, SIZE, LEARNING) for _ in range(2))
    for number in range(4):
        figures = [trainer.step(number) for trainer in (first, second)]
        assert figures[0] == figures[1]
    assert set(first.step(4)) == {"telling", "fooling", "coarse", "r1"}
    assert set(first.step(5)) == {"telling", "fooling", "coarse"}  # R1 is lazy


def test_the_discriminator_learns_to_tell(textures: np.ndarray):
    """Against a generator whose skins are too dark, and which hardly moves."""
    trainer = Trainer(textures, SIZE, replace(LEARNING, warm=0, rate_generator=1e-9, rate_discriminator=0.01))
    trainer.network.mean.add_(1.5)
    told = [float(trainer.step(number)["telling"]) for number in range(50)]
    assert np.mean(told[-10:]) < 0.7 * np.mean(told[:3])


def test_both_learn_and_neither_teaches_the_other_directly(textures: np.ndarray):
    """The generator's step leaves the discriminator alone."""
    trainer = Trainer(textures, SIZE, replace(LEARNING, warm=0, rate_discriminator=0.0))
    before = {name: value.clone() for name, value in trainer.pair.state_dict().items()}
    trainer.step(0)
    after = trainer.pair.state_dict()
    same = {name for name, value in after.items() if torch.equal(value, before[name])}
    assert {name for name in after if name.startswith("discriminator.")} <= same
    assert "network.generator.synthesis.b16.conv1.weight" not in same


def test_a_run_that_stopped_goes_on_to_the_bit(textures: np.ndarray, tmp_path: Path):
    whole = train_textures(RECIPE, textures, tmp_path / "whole")
    for steps in (3, 5):
        part = train_textures(
            replace(RECIPE, run=replace(RECIPE.run, steps=steps)), textures, tmp_path / "b", steps > 3
        )
    a, b = checkpoints.load(whole.checkpoint), checkpoints.load(part.checkpoint)
    assert a.step == b.step == 5
    for name, value in a.model.items():
        assert torch.equal(value, b.model[name]), name
    for name, value in a.average.items():
        assert torch.equal(value, b.average[name]), name
    figures = [[line.get("fooling") for line in read_log(tmp_path / run)] for run in ("whole", "b")]
    assert [value for value in figures[0] if value] == [value for value in figures[1] if value]
    assert (tmp_path / "whole" / "samples" / "00000005.jpg").read_bytes() == (
        tmp_path / "b" / "samples" / "00000005.jpg"
    ).read_bytes()


def test_time_can_be_up_and_folders_are_not_overwritten(textures: np.ndarray, tmp_path: Path):
    stopped = train_textures(replace(RECIPE, run=replace(RECIPE.run, max_seconds=0.0)), textures, tmp_path)
    assert (stopped.step, stopped.finished) == (0, False)
    with pytest.raises(OutputError, match="already holds"):
        train_textures(RECIPE, textures, tmp_path)
    other = replace(RECIPE, size=replace(SIZE, w_dim=16))
    with pytest.raises(ModelFileError, match="another network"):
        train_textures(other, textures, tmp_path, resume=True)


def test_a_run_that_diverges_says_so(textures: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop.Trainer, "step", lambda self, number: {"fooling": torch.tensor(float("nan"))})
    with pytest.raises(EngineError, match="diverged"):
        train_textures(RECIPE, textures, tmp_path)


def test_wrong_recipes_are_named(tmp_path: Path):
    path = tmp_path / "recipe.toml"
    for text, said in (
        ("steps = ", "cannot be read"),
        ('network = "points"\n', "not for the texture generator"),
        ('network = "texture"\n[run]\nsteps = 1\nspeed = 2\n', "speed"),
        ('network = "texture"\n[run]\nsteps = 0\n', "at least 1"),
        ('network = "texture"\n[run]\nsteps = 1\n[learning]\nbatch = 3\n', "even"),
        ('network = "texture"\n', "run"),
    ):
        path.write_text(text)
        with pytest.raises(ModelFileError, match=said):
            read_texture_recipe(path)


def test_the_recipes_in_the_repository_are_right(repo_root: Path):
    files = sorted((repo_root / "engine" / "training" / "configs").glob("texture_*.toml"))
    assert files
    for file in files:
        recipe = read_texture_recipe(file)
        assert recipe.run.steps >= recipe.learning.warm


def test_from_own_textures_to_a_model_by_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Train on pictures of one's own, stop, go on, export, use."""
    data, out, weights = tmp_path / "data", tmp_path / "run", tmp_path / "own.safetensors"
    data.mkdir()
    for number in range(6):
        assert cv2.imwrite(str(data / f"{number}.png"), np.full((64, 64, 3), 60 + 25 * number, np.uint8))
    config = tmp_path / "recipe.toml"
    command = ["texture", "--config", str(config), "--out", str(out), "--data", str(data)]
    config.write_text(TOML.format(steps=2))
    assert main(command) == 0
    assert main(command) == 1  # it is there already
    assert "already holds" in capsys.readouterr().err
    config.write_text(TOML.format(steps=3))
    assert main([*command, "--resume"]) == 0
    assert "3 steps, finished" in capsys.readouterr().out
    assert main(["export", str(out), "--out", str(weights)]) == 0
    model = SmallGeneratorTexture(weights, size=64)
    assert model.latent_shape == (8,)
    assert "own textures" in model.provenance["source"]
    with torch.no_grad():
        albedo = model.albedo(model.start(2)[None])
    assert albedo.shape == (1, 3, 64, 64)
    stored = json.loads((out / "recipe.json").read_text())
    assert stored["description"]["size"]["side"] == 32
