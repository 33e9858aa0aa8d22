"""Files with FLAME's numbers: ours, others', and bad ones."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.camera import Camera
from engine.errors import EngineError, MediaError
from engine.tracking.flame_layouts import holds_flame, read_flame
from engine.tracking.flame_take import FlameTake
from tests.engine.tracking.toy_take import toy_take

T = 5
RNG = np.random.default_rng(0)
EXPRESSION = RNG.normal(0, 1, (T, 50)).astype(np.float32)
JAW, POSE = RNG.uniform(0, 0.3, (T, 3)), RNG.normal(0, 0.2, (T, 6))


def stored(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_our_own_comes_back_as_it_was(tmp_path: Path) -> None:
    turns = dict(zip(("jaw_pose", "neck_pose", "global_pose"), RNG.normal(0, 0.2, (3, T, 3)), strict=True))
    eyes = dict(zip(("left_eye_pose", "right_eye_pose"), RNG.normal(0, 0.2, (2, T, 3)), strict=True))
    given = FlameTake(
        expression=EXPRESSION.astype(np.float64), shape=np.arange(10.0), eyelids=RNG.random((T, 2)),
        translation=RNG.random((T, 3)), confidence=np.array([1, 1, 0, 1, 0.5]), times=2 + np.arange(T) / 30, fps=30.0,
        version="FLAME 2020", camera=Camera(np.diag([700.0, 700, 1]), np.eye(4), 640, 360), **turns, **eyes,
    )  # fmt: skip
    given.save(tmp_path / "flame.npz")
    found = read_flame(tmp_path)  # its folder will do
    for name, value in vars(given).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_allclose(getattr(found, name), value, atol=1e-6, err_msg=name)
    assert (found.fps, found.version) == (30.0, "FLAME 2020")
    assert found.camera is not None
    assert (found.camera.width, found.camera.K[0, 0]) == (640, 700)


@pytest.mark.parametrize("shape", [(T, 50), (T, 1, 50), (1, T, 50)])
def test_the_layouts_of_others(tmp_path: Path, shape: tuple[int, ...]) -> None:
    exp = EXPRESSION.reshape(shape)
    lids = RNG.random((T, 2))
    deca = read_flame(stored(tmp_path / "deca.npz", exp=exp, pose=POSE, shape=np.ones((T, 100)), cam=JAW), 25.0)
    np.testing.assert_allclose(deca.expression, EXPRESSION)
    np.testing.assert_allclose(deca.global_pose, POSE[:, :3])
    np.testing.assert_allclose(deca.jaw_pose, POSE[:, 3:])
    np.testing.assert_allclose(deca.shape, np.ones(100))
    assert deca.eyelids is None
    assert deca.translation is None
    smirk = read_flame(
        stored(
            tmp_path / "smirk.npz", expression_params=exp, jaw_params=JAW, pose_params=POSE[:, :3], eyelid_params=lids,
            shape_params=np.arange(300.0), fps=24,
        )
    )  # fmt: skip
    np.testing.assert_allclose(smirk.jaw_pose, JAW)
    np.testing.assert_allclose(smirk.global_pose, POSE[:, :3])
    np.testing.assert_allclose(smirk.eyelids, lids)
    assert smirk.fps == 24
    np.testing.assert_allclose(smirk.times, np.arange(T) / 24)
    (tmp_path / "emoca.pkl").write_bytes(pickle.dumps({"expression": exp, "jaw": JAW, "eyelid": lids}, 2))
    emoca = read_flame(tmp_path / "emoca.pkl", 30.0)
    np.testing.assert_allclose(emoca.jaw_pose, JAW)
    np.testing.assert_allclose(emoca.expression, EXPRESSION)


def test_a_rate_given_counts_more_than_the_files(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.npz", exp=EXPRESSION, fps=24.0, times=np.arange(T) / 24)
    found = read_flame(path, 48.0)
    assert found.fps == 48
    np.testing.assert_allclose(found.times, np.arange(T) / 48)
    np.testing.assert_allclose(read_flame(path).times, np.arange(T) / 24)
    nonsense = stored(tmp_path / "b.npz", exp=EXPRESSION, fps="many", times=np.arange(T) / 24)
    assert read_flame(nonsense, 48.0).fps == 48


def test_takes_and_numbers_are_told_apart(tmp_path: Path) -> None:
    toy_take().save(tmp_path)
    assert not holds_flame(tmp_path / "take.npz")
    assert not holds_flame(tmp_path)
    assert not holds_flame(tmp_path / "livelink.csv")
    assert holds_flame(stored(tmp_path / "flame.npz", expression=EXPRESSION))
    assert not holds_flame(tmp_path)  # a take's folder holds both: the take leads
    assert holds_flame(tmp_path / "emoca.pkl")


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"exp": EXPRESSION}, "frames a second"),
        ({"exp": EXPRESSION, "fps": 0}, "is no rate"),
        ({"exp": EXPRESSION, "fps": "many"}, "is no rate"),
        ({"jaw": JAW, "fps": 25}, "no array of expressions"),
        ({"exp": EXPRESSION[:0], "fps": 25}, "no frames"),
        ({"exp": EXPRESSION, "jaw": JAW[:3], "fps": 25}, "5 frames of expressions but 3 of “jaw_pose”"),
        ({"exp": EXPRESSION, "jaw": JAW[:, :2], "fps": 25}, r"\(frames, 3\)"),
        ({"exp": EXPRESSION, "pose": POSE[:, :4], "fps": 25}, r"\(frames, 3 or 6\)"),
        ({"exp": EXPRESSION, "global_pose": np.zeros((T, 3, 3)), "fps": 25}, r"“global_pose” .* has the shape"),
        ({"exp": np.zeros((T, 2, 50)), "fps": 25}, r"any number"),
        ({"exp": np.full((T, 50), "smile"), "fps": 25}, "no numbers"),
        ({"exp": EXPRESSION, "times": np.arange(3), "fps": 25}, "3 of “times”"),
        ({"exp": EXPRESSION, "times": np.array(list("abcde")), "fps": 25}, "“times” .* holds no numbers"),
        ({"exp": EXPRESSION, "times": np.arange(T)[::-1], "fps": 25}, "frames in a row"),
        ({"exp": EXPRESSION, "times": np.full(T, np.nan), "fps": 25}, "frames in a row"),
        ({"exp": EXPRESSION, "K": np.eye(3), "size": np.array(["a", "b"]), "fps": 25}, "“size” .* holds no numbers"),
        ({"exp": EXPRESSION, "K": np.eye(2), "size": np.ones(2), "fps": 25}, "“K”"),
        ({"exp": np.array([{}]), "fps": 25}, "cannot be read"),
    ],
)
def test_bad_arrays_are_named_with_their_file(tmp_path: Path, arrays: dict[str, Any], what: str) -> None:
    with pytest.raises(MediaError, match=what) as caught:
        read_flame(stored(tmp_path / "bad.npz", **arrays))
    assert "bad.npz" in caught.value.message
    assert caught.value.cure


def test_bad_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 torn")
    (tmp_path / "text.npy").write_bytes(b"text")
    (tmp_path / "torn.pkl").write_bytes(b"\x80\x02}q")
    for name in ("torn.npz", "text.npy", "none.npz", "torn.pkl"):
        with pytest.raises(EngineError, match=name):
            read_flame(tmp_path / name, 25.0)
