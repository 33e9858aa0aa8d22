"""What is wrong with a FLAME file is told, and nothing in it is run."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.heads import load
from engine.heads.flame import load_flame
from engine.heads.flame_files import read_companions, read_flame
from engine.models import safe_load
from tests.engine.heads.cube import small_arrays, write_cube, write_safetensors
from tests.engine.heads.flame_toy import write_pickle


@pytest.mark.parametrize("kind", ["pkl", "npz", "safetensors"])
def test_the_three_formats_give_the_same_model(tmp_path, kind: str) -> None:
    arrays = small_arrays()
    path = write_cube(tmp_path)
    if kind != "npz":
        path = write_pickle(tmp_path / "model.pkl", arrays)
    if kind == "safetensors":
        write_safetensors(path, tmp_path / "model.safetensors")
        path = tmp_path / "model.safetensors"
    found = read_flame(path)
    np.testing.assert_array_equal(found.faces, arrays["f"])
    np.testing.assert_allclose(found.template, arrays["v_template"])
    np.testing.assert_allclose(found.shapes, arrays["shapedirs"][..., :300], rtol=1e-6)
    np.testing.assert_allclose(found.expressions, arrays["shapedirs"][..., 300:], rtol=1e-6)
    np.testing.assert_allclose(found.regressor, arrays["J_regressor"])
    assert load(path).name == "flame"


def test_the_first_five_missing_arrays_are_named(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", v_template=np.zeros((8, 3)), betas=np.zeros(3))
    expected = "lacks f, J_regressor, kintree_table, weights, posedirs and 1 more; it has betas, v_template"
    with pytest.raises(ModelFileError, match=expected) as caught:
        read_flame(tmp_path / "a.npz")
    assert str(tmp_path / "a.npz") in caught.value.message
    assert "flame.is.tue.mpg.de" in caught.value.cure


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("weights", np.zeros((8, 24)), "its weights is 8x24; expected 8x5"),  # a whole body's
        ("shapedirs", np.zeros((8, 3, 10)), "its shapedirs is 8x3x10; expected 8x3x400"),
        ("shapedirs", np.zeros((9, 3, 400)), "its shapedirs is 9x3x400; expected 8x3x400"),
        ("posedirs", np.zeros((8, 3, 207)), "its posedirs is 8x3x207; expected 8x3x36"),
        ("J_regressor", np.zeros((8, 5)), "its J_regressor is 8x5; expected 5x8"),
        ("v_template", np.zeros(24), "its v_template is 24; expected 24x3"),
        ("f", np.zeros((0, 3), np.uint32), "its f is 0x3"),
        ("f", np.full((2, 3), 8, np.uint32), "faces up to vertex 8, but 8 vertices"),
        ("v_template", np.full((8, 3), np.nan), "damaged array v_template"),
        ("weights", np.full((8, 5), "a"), "damaged array weights"),
        ("kintree_table", np.array([[-1, 0, 1, 2, 3], range(5)]), r"parents \(-1, 0, 1, 2, 3\); expected"),
    ],
)
def test_wrong_arrays_are_named_with_what_was_expected(tmp_path, name: str, array: np.ndarray, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        read_flame(write_cube(tmp_path, **{name: array}))


@pytest.mark.parametrize("keep", [0, 3, 20, 4000, -30])
@pytest.mark.parametrize("kind", ["pkl", "npz", "safetensors"])
def test_half_downloaded_files(tmp_path, kind: str, keep: int) -> None:
    whole = write_cube(tmp_path)
    if kind == "pkl":
        whole = write_pickle(tmp_path / "whole.pkl", small_arrays())
    if kind == "safetensors":
        write_safetensors(whole, tmp_path / "whole.safetensors")
        whole = tmp_path / "whole.safetensors"
    path = tmp_path / f"half.{kind}"
    path.write_bytes(whole.read_bytes()[:keep])
    with pytest.raises(ModelFileError, match=f"half.{kind}") as caught:
        load(path)
    assert caught.value.cure


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html><html>Sign in", b"\xff\xd8\xff\xe0 a picture", b"PK\x03\x04 no zip", b"\x80\x04N."]
)
def test_files_of_other_kinds(tmp_path, content: bytes) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"model\.pkl"):
        load(path)


def test_a_checkpoint_of_torch_in_the_models_place(tmp_path) -> None:
    import torch

    torch.save({"weight": torch.zeros(3)}, tmp_path / "model.pkl")
    with pytest.raises(ModelFileError, match="no FLAME model: it lacks f, J_regressor"):
        load(tmp_path / "model.pkl")


class Planted:
    """Pickled, a call of `os.system` that leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"{sys.executable} -c 'open({str(self.mark)!r}, \"w\")'",)


@pytest.mark.parametrize(
    "name", ["model.pkl", "FLAME_masks.pkl", "flame_static_embedding.pkl", "landmark_embedding.npy"]
)
def test_planted_calls_are_refused_and_nothing_runs(tmp_path, name: str) -> None:
    mark = tmp_path / "it ran"
    held = {"f": Planted(mark), "v_template": np.zeros(3)}
    if name.endswith("npy"):
        np.save(tmp_path / name, np.array(held, dtype=object), allow_pickle=True)
    else:
        (tmp_path / name).write_bytes(pickle.dumps(held, 2))
    with pytest.raises(ModelFileError, match=f"{name} asks for"):
        load(tmp_path / name if name == "model.pkl" else write_cube(tmp_path))
    assert not mark.exists()


def test_a_pickle_bomb_ends_at_once(tmp_path) -> None:
    # A list of ten of the list before, forty times over: printed or copied it would never end.
    bomb = b"\x80\x02]q\x00" + b"".join(
        b"](" + b"h" + bytes([k]) + b"h" + bytes([k]) + b"eq" + bytes([k + 1]) for k in range(40)
    )
    (tmp_path / "model.pkl").write_bytes(bomb + b".")
    with pytest.raises(ModelFileError, match=r"model\.pkl holds list, not a dict"):
        load(tmp_path / "model.pkl")


def test_a_file_that_unpacks_to_more_than_any_model(tmp_path, monkeypatch) -> None:
    path = write_cube(tmp_path)
    monkeypatch.setattr(safe_load, "MOST_BYTES", 1000)
    with pytest.raises(ModelFileError, match=r"more than any model|unpacks to"):
        load(path)


def test_a_file_that_was_moved_or_may_not_be_read(tmp_path, monkeypatch) -> None:
    with pytest.raises(ModelFileError, match=r"gone\.pkl cannot be read \(No such file") as caught:
        load(tmp_path / "gone.pkl")
    assert "Choose it again" in caught.value.cure
    path = write_cube(tmp_path)

    def refused(*arguments, **named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(ModelFileError, match=r"model\.npz cannot be read \(Permission denied"):
        load(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("l_eyelid.npy", np.zeros((9, 3)), "9x3 numbers, not 8x3"),
        ("l_eyelid.npy", np.zeros((8, 3), int), "no array of numbers"),
        ("landmark_embedding.npy", {"static_lmk_faces_idx": [1]}, "no static_lmk_faces_idx and static_lmk_bary_coords"),
        ("landmark_embedding.npy", [1, 2], "no landmarks"),
        (
            "landmark_embedding.npy",
            {"static_lmk_faces_idx": np.full(51, 12), "static_lmk_bary_coords": np.zeros((51, 3))},
            "points on face 12, where the model has 12 faces",
        ),
        (
            "flame_dynamic_embedding.npy",
            {"lmk_face_idx": np.zeros((4, 17)), "lmk_b_coords": np.zeros((4, 17, 3))},
            "lmk_face_idx of 4x17; expected 79x17",
        ),
        ("FLAME_masks.pkl", {"face": np.array([8])}, "region “face” that does not fit 8 vertices"),
        ("FLAME_masks.pkl", {"face": np.array([0.5])}, "region “face”"),
    ],
)  # fmt: skip
def test_files_of_another_mesh_beside_the_model(tmp_path, name: str, content, message: str) -> None:
    if name.endswith("pkl"):
        (tmp_path / name).write_bytes(pickle.dumps(content, 2))
    elif isinstance(content, np.ndarray):
        for side in "lr":
            np.save(tmp_path / f"{side}_eyelid.npy", content)
    else:
        held = np.empty((), object)
        held[()] = content
        np.save(tmp_path / name, held, allow_pickle=True)
    with pytest.raises(ModelFileError, match=message) as caught:
        read_companions(tmp_path, 8, 12)
    assert str(tmp_path / name) in caught.value.message


def test_mediapipe_numbers_are_checked(tmp_path) -> None:
    for numbers in ([1, 1], [1, 478], [-1, 3]):
        np.savez(
            tmp_path / "mediapipe_landmark_embedding.npz",
            lmk_face_idx=np.zeros(2, int), lmk_b_coords=np.zeros((2, 3)), landmark_indices=np.array(numbers),
        )  # fmt: skip
        with pytest.raises(ModelFileError, match="each once"):
            read_companions(tmp_path, 8, 12)


def test_flames_own_two_landmark_files_make_the_68(tmp_path) -> None:
    random = np.random.default_rng(0)
    inner = {"lmk_face_idx": np.arange(51, dtype=np.uint32) % 12, "lmk_b_coords": random.dirichlet(np.ones(3), 51)}
    outer = {"lmk_face_idx": np.full((79, 17), 5), "lmk_b_coords": random.dirichlet(np.ones(3), (79, 17))}
    (tmp_path / "flame_static_embedding.pkl").write_bytes(pickle.dumps(inner, 2))
    np.save(tmp_path / "flame_dynamic_embedding.npy", np.array(outer, dtype=object), allow_pickle=True)
    found = read_companions(tmp_path, 8, 12)
    assert found.contour is not None
    np.testing.assert_allclose(found.contour.barycentrics, outer["lmk_b_coords"], rtol=1e-6)
    whole = found.embeddings["ibug"]
    np.testing.assert_array_equal(whole.faces, [5] * 17 + (np.arange(51) % 12).tolist())
    np.testing.assert_allclose(whole.barycentrics[17:], inner["lmk_b_coords"], rtol=1e-6)


def test_the_template_gives_the_layout(tmp_path) -> None:
    arrays = small_arrays()
    lines = [f"v {x} {y} {z}" for x, y, z in arrays["v_template"]]
    lines += [f"vt {k / 40} {k / 80}" for k in range(36)]
    faces = arrays["f"][::-1].astype(int) + 1
    lines += [f"f {a}/{3 * k + 1} {b}/{3 * k + 2} {c}/{3 * k + 3}" for k, (a, b, c) in enumerate(faces)]
    (tmp_path / "head_template.obj").write_text("\n".join(lines))
    head = load_flame(write_cube(tmp_path))
    np.testing.assert_array_equal(head.uv_faces, np.arange(36).reshape(12, 3)[::-1])
    np.testing.assert_allclose(head.uv[35], [35 / 40, 35 / 80], rtol=1e-6)
    (tmp_path / "head_template.obj").write_text("\n".join(lines[1:]))
    with pytest.raises(ModelFileError, match=r"head_template\.obj has"):
        load_flame(write_cube(tmp_path))
