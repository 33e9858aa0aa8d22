"""Takes to FLAME's numbers and back, on a toy in FLAME's format that acts as the open head does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.__main__ import main
from engine.errors import FaceError, MediaError, ModelFileError
from engine.heads.arkit_names import ARKIT_NAMES
from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from engine.heads.skinning import Controls, pose
from engine.tracking.flame_take import FlameTake, check_version, from_flame, seat_of, to_flame, write_flame
from engine.tracking.livelink import FACING
from engine.tracking.take import Take
from engine.tracking.turns import to_matrix
from tests.engine.heads.flame_toy import write_toy_flame
from tests.engine.toy_result import box_head
from tests.engine.tracking.toy_take import toy_take

FRAMES = 12
OPEN = load_head()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_flame(tmp_path_factory.mktemp("models")).parent


@pytest.fixture(scope="module")
def flame(folder: Path) -> HeadModel:
    return load_head("flame", folder)


def played(seed: int = 0) -> Take:
    """Random weights, as faces act, before a camera."""
    rng = np.random.default_rng(seed)
    turns = FACING @ to_matrix(rng.normal(0, 0.25, (FRAMES, 3)))
    places = np.array([0.0, 0.0, 0.8]) + rng.normal(0, 0.05, (FRAMES, 3))
    return replace(
        toy_take(FRAMES, 25.0, OPEN.expression_names),
        expression=rng.gamma(0.4, 0.35, (FRAMES, 52)).clip(0, 1).astype(np.float32),
        head_rotation=turns.astype(np.float32),
        head_translation=places.astype(np.float32),
    )


def silenced(take: Take) -> Take:
    """The same turns and places of a face at rest."""
    still = {name: np.zeros((FRAMES, 3), np.float32) for name in ("jaw", "left_eye", "right_eye")}
    return replace(take, expression=np.zeros((FRAMES, 52), np.float32), **still)


def acted(flame: HeadModel, numbers: FlameTake, placed: bool) -> np.ndarray:
    """(T,V,3) FLAME's own layer on the numbers, with turn and place or without."""
    where = {"global_pose": numbers.global_pose, "neck_pose": numbers.neck_pose, "translation": numbers.translation}
    names = ("expression", "jaw_pose", "left_eye_pose", "right_eye_pose")
    arguments = {name: getattr(numbers, name) for name in names} | (where if placed else {})
    controls = Controls(shape=numbers.shape[None], **arguments)
    return pose(flame.published or flame, controls).vertices.numpy().astype(np.float64)


def test_there_and_back_the_open_head_acts_the_same(flame: HeadModel) -> None:
    take = played()
    back, missed = from_flame(to_flame(take, flame, OPEN), flame, OPEN)
    assert back.expression_names == take.expression_names
    wrong = np.abs(back.expression - take.expression)
    seen = [n for n, name in enumerate(OPEN.expression_names) if name != "tongueOut"]  # FLAME has no tongue
    assert wrong[:, seen].mean() < 0.01
    opposed = [n for n in seen if not OPEN.expression_names[n].startswith("eyeLook")]  # in and out cancel each other
    assert wrong[:, opposed].max() < 0.1
    basis = OPEN.expression_basis[:, OPEN.regions["face"]]
    moved = 1e3 * np.linalg.norm(np.tensordot(back.expression - take.expression, basis, 1), axis=2)
    assert np.sqrt((moved**2).mean()) < 0.03  # millimetres
    assert moved.max() < 0.3
    assert missed.max() < 0.05
    np.testing.assert_allclose(back.head_rotation, take.head_rotation, atol=1e-6)
    np.testing.assert_allclose(back.head_translation, take.head_translation, atol=1e-6)
    np.testing.assert_allclose(back.times, take.times)
    assert back.camera.K[0, 0] == take.camera.K[0, 0]


def test_flames_layer_shows_the_take_where_it_was(flame: HeadModel) -> None:
    """The layer's head, turned and moved by the numbers, is the still one turned and moved by the take."""
    take, shape = played(1), np.random.default_rng(2).normal(0, 1, 300)
    numbers = to_flame(take, flame, flame, shape=shape)
    here = acted(flame, numbers, placed=True)
    still = acted(flame, numbers, placed=False)
    there = np.einsum("tij,tvj->tvi", take.head_rotation, still) + take.head_translation[:, None]
    assert 1e3 * np.abs(here - there @ FACING).max() < 1e-3  # millimetres
    assert (numbers.version, numbers.expression.shape) == ("FLAME 2023 Open", (FRAMES, 100))


def test_an_open_heads_face_is_where_flames_is(flame: HeadModel) -> None:
    """The heads differ, but their eyes and mouths lie on each other in the footage."""
    take = played(3)
    numbers = to_flame(silenced(take), flame, OPEN)
    here = acted(flame, numbers, placed=True)
    there = take.head_rotation @ OPEN.vertices.T.astype(np.float64)
    there = (np.swapaxes(there, 1, 2) + take.head_translation[:, None]) @ FACING
    mine, other = (head.embeddings["mediapipe"] for head in (OPEN, flame))
    apart = mine.positions(there, OPEN.faces) - other.positions(here, flame.faces)
    assert 1e3 * np.sqrt((apart[:, mine.valid & other.valid] ** 2).sum(2).mean()) < 5


def test_a_neck_that_turns_moves_the_head_as_flames_does(flame: HeadModel) -> None:
    rng = np.random.default_rng(4)
    numbers = replace(to_flame(played(), flame, flame), neck_pose=rng.normal(0, 0.2, (FRAMES, 3)), shape=np.zeros(300))
    take, _ = from_flame(numbers, flame, flame)
    still = acted(flame, numbers, placed=False)
    there = (np.einsum("tij,tvj->tvi", take.head_rotation, still) + take.head_translation[:, None]) @ FACING
    scalp = flame.regions["scalp"] & (flame.skin_weights[:, 1] > 0.999)
    assert 1e3 * np.abs(acted(flame, numbers, placed=True) - there)[:, scalp].max() < 0.1


def test_lids_blink_by_themselves_where_they_are_known(flame: HeadModel) -> None:
    take = silenced(played())
    take.expression[:, OPEN.expression_names.index("eyeBlinkLeft")] = 0.7
    numbers = to_flame(take, flame, OPEN)
    np.testing.assert_allclose(numbers.eyelids, np.tile([0.7, 0.0], (FRAMES, 1)), atol=1e-6)
    np.testing.assert_allclose(numbers.expression, 0, atol=1e-9)
    without = to_flame(take, replace(flame, eyelid_basis=None), OPEN)
    assert without.eyelids is None
    assert np.abs(without.expression).max() > 0.1
    for given in (numbers, without):
        back, _ = from_flame(given, flame, OPEN)
        np.testing.assert_allclose(back.unit("eyeBlinkLeft"), 0.7, atol=0.03)


def test_bones_speak_where_units_are_silent(flame: HeadModel) -> None:
    """As takes read from a scene whose jaw and eyes are moved by bones."""
    silent = replace(played(), expression=np.zeros((FRAMES, 52), np.float32))
    numbers = to_flame(silent, flame, OPEN)
    np.testing.assert_allclose(numbers.jaw_pose, silent.jaw, atol=1e-6)
    np.testing.assert_allclose(numbers.left_eye_pose, silent.left_eye, atol=1e-6)
    silent.expression[0, OPEN.expression_names.index("jawOpen")] = 0.5
    speaking = to_flame(silent, flame, OPEN)
    np.testing.assert_allclose(speaking.jaw_pose[1:], 0, atol=1e-9)
    np.testing.assert_allclose(speaking.left_eye_pose, silent.left_eye, atol=1e-6)


def test_a_few_expressions_without_a_place_become_a_take(flame: HeadModel) -> None:
    """Numbers as SMIRK gives them: 50 expressions, no translation; frames without a face are bridged."""
    units = to_flame(played(), flame, OPEN)
    short = replace(units, expression=units.expression[:, :50].copy(), translation=None, camera=None)
    short.expression[4:6] = np.nan
    take, missed = from_flame(short, flame, OPEN)
    assert take.gaps == [(4, 6)]
    assert np.isfinite(take.expression).all()
    np.testing.assert_allclose(take.head_translation, np.tile([0, 0, 1.0], (FRAMES, 1)))
    assert missed.mean() < 1.5  # millimetres


def test_numbers_of_another_version_are_refused_by_name(flame: HeadModel) -> None:
    numbers = to_flame(played(), flame, OPEN)
    check_version(numbers, flame)
    check_version(replace(numbers, version=""), flame)
    with pytest.raises(ModelFileError, match=r"FLAME 2020; your file is FLAME 2023 Open") as caught:
        from_flame(replace(numbers, version="FLAME 2020"), flame, OPEN)
    assert "Put FLAME 2020" in caught.value.cure
    with pytest.raises(ModelFileError, match=r"120 numbers of expression; your FLAME 2023 Open has 100"):
        from_flame(replace(numbers, expression=np.zeros((FRAMES, 120))), flame, OPEN)
    with pytest.raises(ModelFileError, match="400 numbers of shape"):
        from_flame(replace(numbers, shape=np.zeros(400)), flame, OPEN)
    with pytest.raises(MediaError, match="no frame"):
        from_flame(replace(numbers, expression=np.full((FRAMES, 100), np.nan)), flame, OPEN)


def test_a_head_sits_on_its_own_model_as_it_is(flame: HeadModel) -> None:
    same = seat_of(flame, flame.vertices, flame, np.zeros(0))
    np.testing.assert_array_equal(same.rotation, np.eye(3))
    np.testing.assert_array_equal(same.shift, np.zeros(3))
    other = seat_of(OPEN, OPEN.vertices + np.array([0, 0.1, 0]), flame, np.zeros(0))
    usual = seat_of(OPEN, OPEN.vertices, flame, np.zeros(0))
    np.testing.assert_allclose(usual.shift - other.shift, other.rotation @ [0, 0.1, 0], atol=1e-6)


# From file to file ---------------------------------------------------------------------------------------------------


def test_a_take_of_a_flame_head_has_its_shape(flame: HeadModel, folder: Path, tmp_path: Path) -> None:
    shape = np.linspace(-1, 1, 300).astype(np.float32)
    vertices = flame.shape(shape)
    actor = replace(box_head(), vertices=vertices, identity=shape, report={"head_model": "flame"})
    write_flame(tmp_path, played(), actor, folder)
    with np.load(tmp_path / "flame.npz", allow_pickle=False) as stored:
        np.testing.assert_allclose(stored["shape"], shape, atol=1e-6)
        assert stored["expression"].shape == (FRAMES, 100)
        assert float(stored["fps"]) == 25.0


def test_the_command_goes_both_ways(
    flame: HeadModel, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> tuple[int, dict]:
        code = main(["retarget", *words, "--model-folder", str(folder), "--json"])
        return code, json.loads(capsys.readouterr().out)["results"][0]

    played().save(tmp_path)
    code, there = run(str(tmp_path), "--out", str(tmp_path))
    assert code == 0
    assert there["report"]["version"] == "FLAME 2023 Open"
    code, back = run(str(tmp_path / "flame.npz"), "--out", str(tmp_path / "open"))
    assert code == 0
    assert back["report"]["missed_mm"]["max"] < 0.05
    found = Take.load(tmp_path / "open")
    open_ = found.expression_names.index("jawOpen")
    assert np.abs(found.expression - played().expression)[:, open_].max() < 0.05
    assert (tmp_path / "open" / "livelink.csv").is_file()
    code, own = run(str(tmp_path / "flame.npz"), "--out", str(tmp_path / "own"), "--head-model", "flame")
    assert code == 0
    assert own["report"]["head_model"] == "flame"
    assert Take.load(tmp_path / "own").expression_names == ARKIT_NAMES
    np.savez(tmp_path / "rateless.npz", exp=np.zeros((3, 50)))
    code, refused = run(str(tmp_path / "rateless.npz"), "--out", str(tmp_path / "none"))
    assert code == MediaError.exit_code
    assert "frames a second" in refused["error"]
    assert "--fps" in refused["cure"]
    assert not (tmp_path / "none").exists()
    assert run(str(tmp_path / "rateless.npz"), "--out", str(tmp_path / "none"), "--fps", "25")[0] == 0
    assert run(str(tmp_path / "nothing.npz"), "--out", str(tmp_path / "none"))[0] == MediaError.exit_code


def test_blenders_job_does_the_same(flame: HeadModel, folder: Path, tmp_path: Path) -> None:
    from engine.progress import Progress
    from engine.tracking.options import RetargetOptions
    from engine.tracking.retarget_job import retarget_arguments, run

    def job(file: Path, **choices: Any) -> dict[str, Any]:
        options = RetargetOptions(model_folder=folder, **choices)
        arguments = json.loads(json.dumps(retarget_arguments(file, tmp_path / "job", options)))
        stages: list[str] = []
        result = run(arguments, Progress(lambda stage, fraction: stages.append(stage)))
        assert "Retargeting" in stages
        return result

    head = tmp_path / "head"
    names = ("vertices", "faces", "expression_names")
    values = {name: getattr(OPEN, name) for name in names} | {"vertices": OPEN.vertices + np.float32(0.01)}
    replace(box_head(), expression_basis=OPEN.expression_basis.astype(np.float16), **values).save(head)
    played().save(tmp_path)
    assert job(tmp_path / "take.npz", head=head)["frames"] == FRAMES
    with np.load(tmp_path / "job" / "flame.npz") as stored:
        moved = stored["translation"] - to_flame(played(), flame, OPEN).translation
    turned = FACING @ played().head_rotation.astype(np.float64) @ np.full(3, 0.01)
    np.testing.assert_allclose(moved, turned, atol=1e-5)  # its vertices lie a centimetre off the mean head's
    assert job(tmp_path / "job" / "flame.npz")["head_model"] == "open"
    box_head().save(tmp_path / "box")
    with pytest.raises(FaceError, match="is not of the head model “open”"):
        job(tmp_path / "take.npz", head=tmp_path / "box")
    assert len(Take.load(tmp_path / "job")) == FRAMES


def test_without_flame_it_is_asked_for(tmp_path: Path) -> None:
    from engine.tracking.options import RetargetOptions
    from engine.tracking.retarget_job import retarget

    played().save(tmp_path)
    with pytest.raises(ModelFileError, match="FLAME was asked for"):
        retarget(tmp_path, tmp_path, RetargetOptions(model_folder=tmp_path / "none"))
    assert not (tmp_path / "flame.npz").exists()
