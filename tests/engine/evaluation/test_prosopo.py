"""Evaluation sets: which photos are chosen, what is made of them, and that nothing is made twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.depth.depth_map import Depth
from engine.eg3d.config import TINY
from engine.eg3d.generator import TriplaneGenerator
from engine.eg3d.load import save_generator
from engine.errors import EngineError, FaceError, MediaError, ModelFileError, OutputError
from engine.evaluation import prosopo
from engine.evaluation.prosopo import SetOptions, build_set
from engine.evaluation.prosopo_choice import Candidate, Criteria, choose, photos_in, refusal
from engine.media.write import write_png
from engine.training.__main__ import main
from engine.training.latents.photos import pictures_with_latents

FRONTAL = Candidate(Path("a.jpg"), "a", (500, 500), 2.0, -3.0, 0.0, 0.03, 0.15, 100.0)
FACE = 40.0
"""Pixels: the astronaut's eyes are 60 apart."""


def candidate(name: str, yaw: float, sharp: float = 0.15) -> Candidate:
    return replace(FRONTAL, path=Path(f"{name}.jpg"), sha256=name, yaw=yaw, sharpness=sharp)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"yaw": -71.0}, "turned by 71 degrees"),
        ({"pitch": 40.0}, "tilted by 40"),
        ({"covered": 0.4}, "40% of the face"),
        ({"face": 20.0}, "too small: 20 pixels"),
        ({"sharpness": 0.01}, "not sharp"),
    ],
)
def test_what_a_photo_must_be(change: dict, reason: str):
    assert refusal(FRONTAL, Criteria()) == ""
    assert refusal(replace(FRONTAL, covered=None), Criteria()) == ""
    assert reason in refusal(replace(FRONTAL, **change), Criteria())


def test_poses_are_taken_in_turn_and_the_sharpest_first():
    photos = [candidate(f"front{n}", n, 0.1 + 0.01 * n) for n in range(4)]
    photos += [candidate("left", -50, 0.06), candidate("right", 25, 0.07), candidate("profile", 80)]
    chosen = choose(photos, Criteria(), 5)
    assert [photo.path.stem for photo in chosen.photos] == ["left", "front3", "right", "front2", "front1"]
    assert dict((path.stem, reason) for path, reason in chosen.left_out) == {
        "profile": "The head is turned by 80 degrees.",
        "front0": "There are 5 others already.",
    }
    assert choose(photos, Criteria(), 3).photos == chosen.photos[:3]


def test_the_same_picture_is_taken_once():
    chosen = choose([FRONTAL, replace(FRONTAL, path=Path("b.jpg"))], Criteria(), 5)
    assert chosen.photos == (FRONTAL,)
    assert chosen.left_out == ((Path("b.jpg"), "It is the same picture as a.jpg."),)


def test_a_candidate_comes_back_from_json():
    assert Candidate.of(FRONTAL.path, json.loads(json.dumps(FRONTAL.stored()))) == FRONTAL


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One photo that suits, four that do not, each for another reason."""
    data = pytest.importorskip("skimage.data")
    folder = tmp_path_factory.mktemp("photos")
    astronaut = data.astronaut()[:320, 60:380]
    write_png(folder / "astronaut.png", np.ascontiguousarray(astronaut))
    covered = astronaut.copy()
    covered[118:175, 130:200] = (40, 90, 160)
    write_png(folder / "covered.png", covered)
    write_png(folder / "two.png", np.ascontiguousarray(np.hstack([astronaut[:260, 40:280]] * 2)))
    write_png(folder / "wall.png", np.full((64, 64, 3), 128, np.uint8))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def looked_at(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set by the engine's own depth, built by the command."""
    out = tmp_path_factory.mktemp("set") / "own"
    command = ["evaluation-set", str(photos), "--out", str(out), "--face", str(FACE)]
    command += ["--method", "inflate", "--resolution", "128"]
    assert main(command) == 0
    return out


def test_a_set_by_the_engines_own_depth(looked_at: Path, photos: Path):
    index = json.loads((looked_at / "index.json").read_text(encoding="utf-8"))
    assert "not the truth" in index["truth"]
    (entry,) = index["photos"]
    assert entry["file"] == "astronaut.png"
    assert entry["method"] == "inflate"
    assert abs(entry["yaw"]) < 10
    assert entry["covered"] < 0.1
    place = looked_at / entry["folder"]
    assert entry["files"] == ["depth.npz", "mesh.glb", "photo.png", "preview.png", "report.json"]
    depth = Depth.load(place / "depth.npz")
    assert 0.2 < depth.mask.mean() < 0.9
    reasons = {entry["file"]: entry["reason"] for entry in index["left_out"]}
    assert reasons.keys() == {"covered.png", "two.png", "wall.png", "broken.jpg"}
    assert "hides" in reasons["covered.png"]
    assert "several faces" in reasons["two.png"]
    assert "No face" in reasons["wall.png"]
    assert len(photos_in(photos)) == 5


def test_nothing_is_made_twice_and_sets_are_not_mixed(looked_at: Path, photos: Path, monkeypatch):
    def again(*_):
        raise AssertionError("made again")

    monkeypatch.setattr(prosopo.Maker, "make", again)
    monkeypatch.setattr(prosopo, "examine", again)
    options = SetOptions(method="inflate", resolution=128, criteria=Criteria(face=FACE))
    assert len(build_set(photos, looked_at, options)["photos"]) == 1
    with pytest.raises(OutputError, match="method"):
        build_set(photos, looked_at, replace(options, method="head"))


def test_a_set_by_eg3d_has_latents_and_goes_on(looked_at: Path, photos: Path, tmp_path: Path, monkeypatch):
    torch.manual_seed(11)
    network = TriplaneGenerator(TINY).eval()
    network.state_dict()["decoder.net.2.bias"][0] += 4.0
    save_generator(network, tmp_path / "tiny.safetensors")
    out = tmp_path / "set"
    out.mkdir()
    (out / "looked_at.json").write_bytes((looked_at / "looked_at.json").read_bytes())  # the same looks
    options = SetOptions(
        tmp_path / "tiny.safetensors", steps=2, tuning_steps=1, grid=32, level=4.0, resolution=64,
        criteria=Criteria(face=FACE),
    )  # fmt: skip
    (entry,) = build_set(photos, out, options)["photos"]
    assert entry["files"] == ["depth.npz", "latent.npz", "mesh.glb", "photo.png", "preview.png", "report.json"]
    assert entry["inversion"]["steps"] == 2
    assert len(entry["label"]) == 25
    _, (samples,) = pictures_with_latents(out)  # as `latents` reads them
    assert samples.ws.shape == (1, 6, 16)
    assert samples.labels[0].tolist() == pytest.approx(entry["label"])
    assert samples.image(0).shape == (48, 48, 3)
    assert not list(out.glob("*.pt"))
    with pytest.raises(OutputError, match="steps"):
        build_set(photos, out, replace(options, steps=3))


def test_a_photo_that_fails_does_not_stop_the_others(looked_at: Path, photos: Path, tmp_path: Path, monkeypatch):
    def fails(*_):
        raise FaceError("The person cannot be told from the background.")

    monkeypatch.setattr(prosopo.Maker, "make", fails)
    (tmp_path / "looked_at.json").write_bytes((looked_at / "looked_at.json").read_bytes())
    said: list[str] = []
    index = build_set(photos, tmp_path, SetOptions(criteria=Criteria(face=FACE)), said.append)
    assert index["photos"] == []
    assert {"file": "astronaut.png", "reason": "The person cannot be told from the background."} in index["left_out"]
    assert said == ["astronaut.png: The person cannot be told from the background."]


def test_what_would_fail_for_every_photo_ends_the_job(looked_at: Path, photos: Path, tmp_path: Path):
    (tmp_path / "looked_at.json").write_bytes((looked_at / "looked_at.json").read_bytes())
    options = SetOptions(method="dpt", criteria=Criteria(face=FACE), model_folder=tmp_path)
    with pytest.raises(ModelFileError, match="DPT"):
        build_set(photos, tmp_path, options)
    assert not (tmp_path / "index.json").exists()
    with pytest.raises(EngineError, match="No photos were asked for"):
        build_set(photos, tmp_path, replace(options, count=0))


def test_folders_without_photos_are_named(looked_at: Path, photos: Path, tmp_path: Path, capsys):
    with pytest.raises(MediaError, match="empty"):
        build_set(tmp_path / "empty", tmp_path / "out", SetOptions())
    (tmp_path / "looked_at.json").write_bytes((looked_at / "looked_at.json").read_bytes())
    with pytest.raises(FaceError, match="None of the 5 photos"):
        build_set(photos, tmp_path, SetOptions(criteria=Criteria(face=500.0)))
    (tmp_path / "looked_at.json").write_text("{", encoding="utf-8")
    assert main(["evaluation-set", str(photos), "--out", str(tmp_path)]) == 1
    assert "looked_at.json is damaged" in capsys.readouterr().err
