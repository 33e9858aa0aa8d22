"""FLAME computes what the published layers compute, and brings what lies beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.heads.flame import load_flame, matched_corners, version_of
from engine.heads.landmarks import FLAME_PYTORCH, SMPLX
from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from engine.heads.skinning import Controls, pose
from engine.heads.unwrap import UvLayout
from tests.engine.heads.flame_toy import MEDIAPIPE_COUNT, ToyFlame, bend

PARITY = 1e-5
"""Metres, on a model whose vertices lie up to 16 m out."""


@pytest.fixture(scope="module", params=["generic_model.pkl", "generic_model.npz"])
def reference(request, shared: Path):
    """The small model of the reference outputs, its inputs by layer, and the outputs."""
    folder = shared / "parity" / "flame"
    head = load_flame(folder / "small_assets" / request.param)
    with np.load(folder / "small_io.npz") as stored:
        io = {name: torch.tensor(stored[name]) for name in stored.files}
    full = {
        "shape": io["in_shape"], "expression": io["in_expr"], "global_pose": io["in_global_"],
        "neck_pose": io["in_neck"], "jaw_pose": io["in_jaw"], "left_eye_pose": io["in_leye"],
        "right_eye_pose": io["in_reye"], "translation": io["in_transl"],
    }  # fmt: skip
    fewer = {"expression": io["in_expr"][:, :50], "translation": None}
    inputs = {
        "smplx": full,
        "flamept": full,
        "smirk": full | fewer | {"eyelids": io["eyelids"]},
        "deca": {name: full[name] for name in ("global_pose", "jaw_pose")}
        | {"shape": io["in_shape"][:, :100], "expression": io["in_expr"][:, :50]},
    }
    return head, inputs, io


@pytest.mark.parametrize("layer", ["smirk", "deca", "smplx", "flamept"])
def test_vertices_are_those_of_the_published_layers(reference, layer: str) -> None:
    head, inputs, io = reference
    np.testing.assert_allclose(head.forward(**inputs[layer]), io[f"{layer}_vertices"], atol=PARITY, rtol=0)


@pytest.mark.parametrize(
    ("layer", "name", "scheme", "convention"),
    [
        ("smirk", "smirk_landmarks_fan", "ibug68-dynamic", None),
        ("smirk", "smirk_landmarks_fan_3d", "ibug68-static", None),
        ("smirk", "smirk_landmarks_mp", "mediapipe", None),
        ("deca", "deca_landmarks2d", "ibug68-dynamic", None),
        ("deca", "deca_landmarks3d", "ibug68-static", None),
        ("flamept", "flamept_landmarks", "ibug68-dynamic", FLAME_PYTORCH),
    ],
)
def test_landmarks_are_those_of_the_published_layers(reference, layer, name, scheme, convention) -> None:
    head, inputs, io = reference
    found = head.landmarks(**inputs[layer], scheme=scheme, convention=convention)
    np.testing.assert_allclose(found, io[name], atol=PARITY, rtol=0)


def test_joints_and_landmarks_are_those_of_smplx(reference) -> None:
    head, inputs, io = reference
    joints = pose(head, Controls(**inputs["smplx"])).joints
    points = head.landmarks(**inputs["smplx"], scheme="ibug68-dynamic", convention=SMPLX)
    np.testing.assert_allclose(torch.cat([joints, points], 1), io["smplx_joints"], atol=PARITY, rtol=0)


def test_gradients_reach_every_coefficient(reference) -> None:
    head, inputs, _ = reference
    values = {name: value[:2].clone().requires_grad_() for name, value in inputs["smplx"].items()}
    head.landmarks(**values, scheme="ibug68-static").square().sum().backward()
    for value in values.values():
        assert value.grad is not None
        assert torch.isfinite(value.grad).all()
        assert value.grad.abs().sum() > 0


def test_the_toy_is_a_head_with_flames_parts(toy_head: HeadModel, toy: ToyFlame) -> None:
    head = toy_head
    assert head.joint_names == ("root", "neck", "jaw", "eye.L", "eye.R")
    assert head.joint_parents.tolist() == [-1, 0, 1, 1, 1]  # the file says 2^32 - 1 for the root
    assert len(head.identity_basis) == 300
    assert head.expression_names[0] == "expression_000"
    assert len(head.expression_names) == len(head.expression_basis) == 100
    own = load_head("open").joints[[0, 1, 3, 4, 5]].astype(np.float64)
    np.testing.assert_allclose(head.joints, bend(own), atol=1e-6)
    shaped = head.vertices + head.identity_basis[4] + head.expression_basis[7]
    expected = toy.arrays["J_regressor"] @ shaped
    code = np.zeros((2, 300))
    code[0, 4], code[1, 7] = 1, 1
    joints = pose(head, Controls(shape=code[:1], expression=code[1:, :100])).joints[0]
    np.testing.assert_allclose(joints, expected, atol=1e-6)


def test_files_beside_the_model_are_taken(toy_head: HeadModel, toy: ToyFlame) -> None:
    head = toy_head
    assert head.embeddings["mediapipe105"].faces.shape == (MEDIAPIPE_COUNT,)
    assert head.embeddings["mediapipe"].valid.sum() == MEDIAPIPE_COUNT
    assert len(head.embeddings["mediapipe"].faces) == 478
    assert head.embeddings["ibug"].valid.all()
    assert head.contour is not None
    units = load_head("open").expression_names
    np.testing.assert_allclose(head.eyelid_basis[0], toy.units[units.index("eyeBlinkLeft")], atol=1e-7)
    source = load_head("open")
    carried = toy.origin.on(source.regions["lips"].astype(float), source.faces) > 0.5
    np.testing.assert_array_equal(head.regions["lips"], carried)
    assert head.provenance["licence"] == "CC-BY-4.0"
    assert "FLAME_masks.pkl" in head.provenance["files"]


def test_eyeballs_are_materials_and_left_is_the_persons_left(toy_head: HeadModel) -> None:
    head = toy_head
    assert head.material_names == ("skin", "eye.L", "eye.R")
    for slot, side in ((1, 1), (2, -1)):
        ball = head.vertices[head.faces[head.face_materials == slot]]
        assert (side * ball[..., 0]).min() > 0
    apart = np.linalg.norm(head.vertices[head.mirror] * [-1, 1, 1] - head.vertices, axis=1)
    assert np.quantile(apart, 0.95) < 0.001  # the toy's vertices are slid along the surface, each by itself


def test_without_files_beside_it_the_model_still_has_a_face_and_eyes(toy: ToyFlame, tmp_path, monkeypatch) -> None:
    nothing = UvLayout(np.zeros((1, 2), np.float32), np.zeros((len(toy.arrays["f"]), 3), np.int32))
    monkeypatch.setattr("engine.heads.flame.unwrap", lambda *mesh: nothing)  # takes seconds, and has tests of its own
    arrays = {name: array for name, array in toy.arrays.items() if isinstance(array, np.ndarray)}
    arrays["shapedirs"] = arrays["shapedirs"].astype(np.float32)
    np.savez(tmp_path / "generic_model.npz", **arrays)
    head = load_flame(tmp_path / "generic_model.npz")
    assert head.embeddings == {}
    assert head.contour is None
    assert head.provenance["model"] == "FLAME 2020 (generic_model.npz)"
    source = load_head("open")
    face = toy.origin.on(source.regions["face"].astype(float), source.faces) > 0.5
    front = head.regions["face"] & toy.outer
    assert (front & face).sum() / (face.sum() + (front & ~face).sum()) > 0.6  # overlap over union, about
    assert not head.regions["face"][head.regions["eye"]].any()


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("x/flame2023_Open.pkl", "FLAME 2023 Open"),
        ("x/flame2023.pkl", "FLAME 2023"),
        ("x/flame2023_no_jaw.pkl", "FLAME 2023 without jaw rotation"),
        ("FLAME2020/generic_model.pkl", "FLAME 2020"),
        ("FLAME2023/model.npz", "FLAME 2023"),
        ("x/model.npz", "FLAME, version not known"),
    ],
)
def test_versions_are_told_by_name(path: str, title: str) -> None:
    assert version_of(Path(path))[0] == title


def test_a_template_in_another_order_gives_its_layout_corner_for_corner() -> None:
    faces = np.array([[0, 1, 2], [2, 1, 3]])
    others = np.array([[1, 3, 2], [2, 0, 1]])  # the second first, both from another corner
    values = np.array([[11, 13, 12], [2, 0, 1]])
    np.testing.assert_array_equal(matched_corners(faces, others, values), [[0, 1, 2], [12, 11, 13]])
    assert matched_corners(np.array([[0, 1, 3]]), others, values) is None
