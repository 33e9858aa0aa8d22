"""The commands in a row: draw pictures, train both networks a few steps, stop, go on, export, use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.heads.loader import load_head
from engine.perception.crop import Window
from engine.perception.dense import see_points
from engine.perception.parts import see_parts
from engine.training.__main__ import main
from engine.training.perception import points
from engine.training.synthetic.shards import read_shard
from engine.training.synthetic.skin_bank import build_skin_bank
from engine.training.synthetic.wardrobe import COUNTS, Wardrobe, save_wardrobe

RECIPE = """network = "{network}"
{start}
[learning]
batch = 2
real = 0.0
[loop]
steps = {steps}
warm_up = 1
log_every = 1
validate_every = 100
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wardrobe of the bundled skin alone, four pictures to learn from and two to measure on."""
    folder = tmp_path_factory.mktemp("data")
    nothing = {kind: [] for kind in ("hair", "beard", *COUNTS)}
    save_wardrobe(folder / "wardrobe.npz", Wardrobe(build_skin_bank(load_head(), None, 128, drawn_brows=1), nothing))
    common = ["synthesize", "--wardrobe", str(folder / "wardrobe.npz")]
    sheet = str(folder / "sheet.jpg")
    assert main([*common, "--out", str(folder / "train"), "--count", "4", "--each", "2", "--sheet", sheet]) == 0
    assert main([*common, "--out", str(folder / "held_out"), "--count", "2", "--first", "900", "--held-out"]) == 0
    return folder


def test_pictures_are_drawn_once(data: Path) -> None:
    import cv2

    path = data / "train" / "00000000.npz"
    shard, written = read_shard(path), path.stat().st_mtime_ns
    assert len(shard) == 4
    np.testing.assert_array_equal(shard.identity[0], shard.identity[1])
    assert not np.array_equal(shard.identity[1], shard.identity[2])
    assert main(["synthesize", "--wardrobe", "none.npz", "--out", str(data / "train"), "--count", "4"]) == 0
    assert path.stat().st_mtime_ns == written
    assert cv2.imread(str(data / "sheet.jpg")).shape == (6 * 256, 8 * 256, 3)


@pytest.mark.parametrize("network", ["points", "parts"])
def test_a_run_goes_on_and_its_weights_are_used(
    data: Path, tmp_path: Path, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for looked_at, few in (("STATISTICS_OF", 150), ("MESH_FITTED_TO", 8)):  # before the first step, minutes otherwise
        monkeypatch.setattr(points, looked_at, few)
    recipe, run, weights = tmp_path / "recipe.toml", tmp_path / "run", tmp_path / f"{network}.safetensors"
    train = ["perception", "--config", str(recipe), "--data", str(data), "--out", str(run)]
    recipe.write_text(RECIPE.format(network=network, steps=1, start=""))
    assert main(train) == 0
    recipe.write_text(RECIPE.format(network=network, steps=2, start=""))
    assert main(train) == 1  # it would write over a run
    assert main([*train, "--resume"]) == 0
    steps = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in steps if line["kind"] == "training"] == [1, 2]
    assert main(["export", str(run), "--out", str(weights)]) == 0

    picture = read_shard(data / "held_out" / "00000900.npz").image(0)
    window = Window(np.array([128.0, 128.0]), 256.0)
    if network == "points":
        assert np.isfinite(see_points(picture, window, weights).points).all()
    else:
        assert see_parts(picture, window, weights).regions.shape == (12, 128, 128)

    again = tmp_path / "again"
    recipe.write_text(RECIPE.format(network=network, steps=1, start=f'start = "{weights.name}"'))
    assert main([*train[:-1], str(again)]) == 0
    weights.write_bytes(weights.read_bytes()[:1000])
    assert main([*train[:-1], str(tmp_path / "third")]) == 1


def test_what_is_wrong_is_said(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(network="points", steps=1, start=""))
    common = ["perception", "--config", str(recipe), "--out", str(tmp_path / "run"), "--data"]
    assert main([*common, str(tmp_path)]) == 1
    assert "no synthetic pictures" in capsys.readouterr().err
    recipe.write_text("network = 'points'\n[loop]\nsteps = 1\nspeed = 3\n")
    assert main([*common, str(data)]) == 1
    assert "speed" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "nothing"), "--out", str(tmp_path / "x")]) == 1
    assert "holds no training run" in capsys.readouterr().err
