"""SMIRK beside the points of a clip, with a network that says what it was told to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from engine.__main__ import chosen_track_options, parser
from engine.errors import JobCancelled, ModelFileError
from engine.heads import retarget
from engine.heads.arkit_names import ARKIT_NAMES
from engine.heads.loader import load_head
from engine.heads.retarget import Retarget
from engine.media.clip import Clip
from engine.media.write_clip import ClipWriter
from engine.progress import Progress
from engine.regressors.published_crop import cut, smirk_matrix
from engine.tracking import job
from engine.tracking.chunks import Chunks
from engine.tracking.job import follow, solve_frames, track
from engine.tracking.options import TrackOptions
from engine.tracking.regressed import BATCH, COLUMNS, Batches, ClipRegressor, face_crop
from engine.tracking.take import Take
from tests.engine.toy_result import box_head

SIZES = {"expression_params": 50, "jaw_params": 3, "eyelid_params": 2, "shape_params": 300}
SMILE = ARKIT_NAMES.index("mouthSmileLeft")
SAID = 0.1
FACE = np.random.default_rng(0).uniform(20, 80, (478, 3))


class Network:
    """Answers with how bright a crop is as the first coefficient, and that every face smiles by `SAID`.

    Attributes:
        asked: how many crops it saw together, each time.
    """

    head = "FLAME 2020"

    def __init__(self, path: Path) -> None:
        self.path, self.asked = path, []

    def predict(self, crops: np.ndarray, chunk: int = 16) -> dict[str, np.ndarray]:
        self.asked.append(len(crops))
        found = {name: np.zeros((len(crops), size), np.float32) for name, size in SIZES.items()}
        found["expression_params"][:, 0] = crops.mean(axis=(1, 2, 3)) / 255
        found["expression_params"][:, SMILE] = SAID
        found["eyelid_params"][:] = 0.0, 0.3
        return found


@pytest.fixture
def network(tmp_path: Path) -> Network:
    (tmp_path / "SMIRK_em1.pt").write_bytes(b"weights")
    return Network(tmp_path / "SMIRK_em1.pt")


@pytest.fixture
def regressor(network: Network, monkeypatch: pytest.MonkeyPatch) -> ClipRegressor:
    """The open head in FLAME's place, whose first 50 units are its expressions."""
    units = np.zeros((52, 50 + 9))
    units[np.arange(50), np.arange(50)] = 1.0
    monkeypatch.setattr(retarget, "retarget_of", lambda model: Retarget(units, np.eye(59), ridge=1e-9))
    return ClipRegressor(cast(Any, network), replace(load_head(), name="flame"))


def picture(brightness: int) -> np.ndarray:
    return np.full((100, 100, 3), brightness, np.uint8)


def test_rows_come_in_the_frames_order_and_batches_are_full(network: Network) -> None:
    with Batches(cast(Any, network)) as batches:
        for number in range(40):
            batches.add(picture(5 * number), None if number in (3, 20) else FACE)
        rows = batches.rows()
    assert network.asked == [BATCH, BATCH, 38 - 2 * BATCH]
    assert rows.shape == (40, COLUMNS)
    assert np.isnan(rows[[3, 20]]).all()
    inside = batches_mean(network)  # black outside the picture lowers all means alike
    seen = [number for number in range(40) if number not in (3, 20)]
    np.testing.assert_allclose(rows[seen, 0], inside * 5 * np.array(seen) / 255, atol=2e-3)


def batches_mean(network: Network) -> float:
    """Share of the face's crop that lies in the picture."""
    with Batches(cast(Any, network)) as batches:
        batches.add(picture(255), FACE)
        return float(batches.rows()[0, 0])


def test_a_second_look_begins_anew(network: Network) -> None:
    with Batches(cast(Any, network)) as batches:
        batches.add(picture(10), FACE)
        assert len(batches.rows()) == 1
        assert batches.rows().shape == (0, COLUMNS)


@pytest.mark.parametrize("middle", [(300, 200), (20, 30), (590, 380), (-30, 200), (300, 1000)])
def test_the_crop_is_the_whole_frames(middle: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    frame = rng.integers(0, 256, (400, 600, 3), np.uint8)
    for size in (90, 301.7):
        points = np.array(middle) + rng.uniform(-size / 2, size / 2, (478, 2))
        np.testing.assert_array_equal(face_crop(frame, points), cut(frame, smirk_matrix(points)))


def test_rows_become_weights_and_silence_stays_silence(regressor: ClipRegressor) -> None:
    rows = np.zeros((3, COLUMNS), np.float32)
    rows[0, SMILE], rows[0, 53:] = 0.6, (0.9, 0.2)
    rows[1] = np.nan
    found = regressor.weights(rows, load_head().expression_names)
    named = dict(zip(load_head().expression_names, found.T, strict=True))
    assert named["mouthSmileLeft"][0] == pytest.approx(0.6, abs=1e-3)
    assert named["eyeBlinkLeft"][0] == pytest.approx(0.9)
    assert named["eyeBlinkRight"][0] == pytest.approx(0.2)
    assert named["jawOpen"][2] == pytest.approx(0.0, abs=1e-6)
    assert np.isnan(found[1]).all()
    assert np.isnan(named["eyeLookUpLeft"]).all()  # SMIRK does not look for gaze
    assert np.isnan(named["tongueOut"]).all()


def test_another_version_of_flame_is_a_warning(regressor: ClipRegressor) -> None:
    assert replace(regressor, flame=replace(regressor.flame, provenance={})).warnings() == []
    same = replace(regressor.flame, provenance={"model": "FLAME 2020 (generic_model.pkl)"})
    assert replace(regressor, flame=same).warnings() == []
    other = replace(regressor.flame, provenance={"model": "FLAME 2023 Open (flame2023_Open.pkl)"})
    (sentence,) = replace(regressor, flame=other).warnings()
    assert "FLAME 2020" in sentence
    assert "FLAME 2023 Open" in sentence


def test_a_missing_file_is_named_before_a_frame_is_read(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Clip, "frames", lambda *arguments: pytest.fail("a frame was read"))
    for choice in ("smirk", "fast"):
        with pytest.raises(ModelFileError, match="SMIRK"):
            track(clip, tmp_path / "out", TrackOptions(start_from=choice, model_folder=tmp_path / "none"))
    with pytest.raises(ModelFileError, match="FLAME was asked for"):
        track(clip, tmp_path / "out", TrackOptions(flame=True, model_folder=tmp_path / "none"))
    with pytest.raises(ModelFileError, match="FLAME was asked for"):
        track(clip, tmp_path / "out", TrackOptions(head_model="flame", model_folder=tmp_path / "none"))
    assert not (tmp_path / "out").exists()


def test_the_command_chooses_the_start() -> None:
    given = parser().parse_args(["track", "a.mp4", "-o", "out", "--start", "2", "--start-from", "fast", "--flame"])
    options = chosen_track_options(given)
    assert (options.start, options.start_from, options.flame) == (2.0, "fast", True)
    usual = chosen_track_options(parser().parse_args(["track", "a.mp4", "-o", "out"]))
    assert (usual.start_from, usual.flame) == ("points", False)


# On footage ----------------------------------------------------------------------------------------------------------

HIDDEN = range(4, 6)
QUICK = TrackOptions(texture_size=256, preview=False, device="cpu")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut for twelve frames; in two of them a curtain hides her."""
    data = pytest.importorskip("skimage.data")
    view = np.ascontiguousarray(data.astronaut()[0:320, 60:380])
    path = tmp_path_factory.mktemp("clip") / "still.mp4"
    with ClipWriter(path, 320, 320, 25.0) as writer:
        for number in range(12):
            writer.add(np.full_like(view, 90) if number in HIDDEN else view)
    return path


@pytest.fixture(scope="module")
def actor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result folder of the mean head."""
    head, folder = load_head(), tmp_path_factory.mktemp("actor")
    names = ("vertices", "faces", "expression_names")
    basis = head.expression_basis.astype(np.float16)
    replace(box_head(), expression_basis=basis, **{name: getattr(head, name) for name in names}).save(folder)
    return folder


@pytest.fixture
def asked(regressor: ClipRegressor, monkeypatch: pytest.MonkeyPatch) -> Network:
    """Tracking with that network; how often it was asked."""
    monkeypatch.setattr(job, "open_regressor", lambda options: None if options.start_from == "points" else regressor)
    return cast(Any, regressor.network)


def test_taken_alone_the_answer_is_the_expression(clip: Path, actor: Path, asked: Network, tmp_path: Path) -> None:
    options = replace(QUICK, head=actor, start_from="fast", contacts=False, calibrate=False, smoothing="none")
    report = track(clip, tmp_path / "take", options)
    assert report["start_from"] == "fast"
    assert sum(asked.asked) == 10
    take = Take.load(tmp_path / "take")
    np.testing.assert_allclose(take.unit("mouthSmileLeft"), SAID, atol=1e-3)  # bridged behind the curtain
    np.testing.assert_allclose(take.unit("eyeBlinkRight"), 0.3, atol=1e-3)
    np.testing.assert_allclose(take.unit("mouthSmileRight"), 0.0, atol=1e-3)
    assert take.gaps == [(HIDDEN.start, HIDDEN.stop)]
    assert report["reprojection"]["mean"] < 0.1  # the pose is the points'


def test_beside_the_points_it_is_believed_in_part(clip: Path, actor: Path, asked: Network, tmp_path: Path) -> None:
    """The network says that hardly anything moves; the points say that she smiles, and on sharp frames they weigh more:
    see `test_perform` for what the network can do where they say little."""
    smile, moved = {}, {}
    for choice in ("points", "smirk"):
        options = replace(QUICK, head=actor, start_from=choice, contacts=False, calibrate=False, end=0.16)
        track(clip, tmp_path / choice, options)
        take = Take.load(tmp_path / choice)
        heard = [n for n, name in enumerate(take.expression_names) if not name.startswith(("eyeLook", "eyeBlink"))]
        smile[choice], moved[choice] = take.unit("mouthSmileLeft").mean(), take.expression[:, heard].mean()
    assert SAID < smile["smirk"] < smile["points"]
    assert moved["smirk"] < 0.99 * moved["points"]


def test_a_cancelled_take_goes_on_with_the_same_start_alone(
    clip: Path, actor: Path, asked: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "FRAMES", 3)
    options = replace(QUICK, head=actor, start_from="fast")
    polled = iter(range(1000))
    with pytest.raises(JobCancelled):
        track(clip, tmp_path / "take", options, Progress(cancelled=lambda: next(polled) > 9))
    before = sum(asked.asked)
    footage, regressor = Clip(clip), job.open_regressor(options)
    assert regressor is not None
    for choice, resumed in (("smirk", 0), ("points", 0), ("fast", before)):
        told = () if choice == "points" else (choice, *regressor.source)
        chunks = Chunks(tmp_path / "take", clip, (0.0, None, footage.info.fps, 0, *told))
        assert sum((chunk.confidence > 0).sum() for chunk in chunks.load()) == resumed
    again = track(clip, tmp_path / "take", options)
    assert again["frames_resumed"] >= before
    assert sum(asked.asked) == 10  # no frame twice


def test_frames_without_an_answer_are_solved_from_their_points(
    clip: Path, actor: Path, regressor: ClipRegressor, tmp_path: Path
) -> None:
    from engine.tracking.actor import find_performer, load_result

    footage = Clip(clip)
    followed = follow(footage, replace(QUICK, end=0.1), 25.0, Chunks(tmp_path, clip, ()), Progress())
    performer, _ = find_performer(footage, followed, 25.0, load_head(), load_result(actor), QUICK, Progress())
    silent = np.full((len(followed.landmarks), len(performer.expression_names)), np.nan)
    both = [
        solve_frames(performer, followed.landmarks, followed.confidence, (320, 320), Progress(), told, alone)
        for told, alone in ((None, False), (silent, True))
    ]
    for one, other in zip(*both, strict=True):
        assert one is not None
        assert other is not None
        np.testing.assert_allclose(one.expression, other.expression, atol=1e-9)
