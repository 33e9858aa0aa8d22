"""ICT-FaceKit's folder as a head model, on a small folder in its layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.heads import load
from engine.heads.ict import arkit_name, load_ict
from engine.heads.obj import read_obj, triangles_of

HINGE = np.array([0.0, 0.0, 2.0])
"""Where the toy's jaw turns, centimetres."""
ANGLE = 0.3


def block(middle: list[float], size: float) -> np.ndarray:
    """(8,3) corners of a cube."""
    return np.array(middle) + size * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])


SIDES = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
PARTS = {
    "M_Face": block([0, 0, 6], 7), "M_Teeth": block([0, -4, 9], 0.5), "M_IrisLeft": block([3, 3, 9], 1),
    "M_IrisRight": block([-3, 3, 9], 1), "M_EyeBlend": block([3, 3, 10], 0.3),
}  # fmt: skip


def opened(points: np.ndarray) -> np.ndarray:
    """Points turned down about the hinge."""
    c, s = np.cos(ANGLE), np.sin(ANGLE)
    return (points - HINGE) @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]]) + HINGE


def write_obj(path: Path, vertices: np.ndarray, whole: bool = False) -> None:
    """An OBJ file; `whole` with layout and materials."""
    lines = ["# by hand"] + [f"v {x:.9f} {y:.9f} {z:.9f}" for x, y, z in vertices]
    if whole:
        lines += [f"vt {2 + u} {v}" for u, v in ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))]
        for number, name in enumerate(PARTS):
            lines.append(f"usemtl {name}")
            for side in SIDES[:-1]:
                lines.append("f " + " ".join(f"{8 * number + corner + 1}/{k + 1}" for k, corner in enumerate(side)))
            last = [8 * number + corner + 1 for corner in SIDES[-1]]
            lines.append("f " + " ".join(f"{corner}/{k + 1}" for k, corner in enumerate(last[:3])))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path) -> Path:
    """FaceXModel with two modes and some units."""
    neutral = np.concatenate(list(PARTS.values()))
    write_obj(tmp_path / "generic_neutral_mesh.obj", neutral, whole=True)
    for number in range(2):
        write_obj(tmp_path / f"identity{number:03d}.obj", neutral + np.array([0, 0, 0.1 * (number + 1)]))
    jaw = neutral.copy()
    jaw[8:16] = opened(neutral[8:16])
    write_obj(tmp_path / "jawOpen.obj", jaw)
    for side, sign in (("L", 1), ("R", -1)):
        write_obj(tmp_path / f"browInnerUp_{side}.obj", neutral + np.array([0.2 * sign, 0.1, 0]))
        write_obj(tmp_path / f"mouthSmile_{side}.obj", neutral + np.array([sign, 0, 0]))
        write_obj(tmp_path / f"PupilDilate_{side}.obj", neutral)
    indices = {"idx_to_landmark_verts": [5] * 68}
    (tmp_path / "vertex_indices.json").write_text(json.dumps(indices))
    return tmp_path


def test_shapes_are_in_metres_and_named_as_arkit_names_them(folder: Path) -> None:
    head = load(folder)
    assert head.expression_names == (
        "jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "pupilDilateLeft", "pupilDilateRight",
    )  # fmt: skip
    np.testing.assert_allclose(head.vertices[:8], 0.01 * PARTS["M_Face"], rtol=1e-6)
    np.testing.assert_allclose(head.identity_basis[1], np.tile([0, 0, 0.002], (32, 1)), atol=1e-8)
    brow = head.expression_basis[head.expression_names.index("browInnerUp")]
    np.testing.assert_allclose(brow, np.tile([0, 0.002, 0], (32, 1)), atol=1e-8)  # both sides' files together
    smile = head.expression_basis[head.expression_names.index("mouthSmileLeft")]
    np.testing.assert_allclose(smile[:, 0], 0.01, rtol=1e-5)
    assert head.provenance["licence"] == "MIT"


def test_clear_shells_are_left_out_and_materials_are_ours(folder: Path) -> None:
    head = load_ict(folder)
    assert len(head.vertices) == 32
    assert {head.material_names[slot] for slot in head.face_materials} == {"skin", "teeth", "eye.L", "eye.R"}
    assert head.faces.max() == 31
    assert len(head.faces) == 4 * 11
    assert (head.polygons[:, 3] < 0).sum() == 4
    np.testing.assert_array_equal(head.regions["eye.L"], np.arange(32) // 8 == 2)


def test_each_material_has_its_own_cell_of_the_square(folder: Path) -> None:
    head = load_ict(folder)
    boxes = []
    for slot in np.unique(head.face_materials):
        used = head.uv[head.uv_faces[head.face_materials == slot]].reshape(-1, 2)
        boxes.append((used.min(0), used.max(0)))
        assert used.min() >= 0
        assert used.max() <= 1
    for number, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:number]:
            assert (low >= other_high).any() or (high <= other_low).any()


def test_the_jaw_is_found_from_how_the_teeth_move(folder: Path) -> None:
    head = load_ict(folder)
    jaw = head.joint_names.index("jaw")
    np.testing.assert_allclose(head.joints[jaw], 0.01 * HINGE, atol=1e-5)
    teeth = head.regions["teeth"]
    np.testing.assert_allclose(head.skin_weights[teeth, jaw], 1, atol=1e-4)
    posed = head.forward(jaw_pose=np.array([ANGLE, 0, 0]))[0].numpy()
    expected = head.vertices + head.expression_basis[head.expression_names.index("jawOpen")]
    np.testing.assert_allclose(posed[teeth], expected[teeth], atol=1e-5)
    np.testing.assert_allclose(head.joints[head.joint_names.index("eye.L")], [0.03, 0.03, 0.09], atol=1e-7)
    np.testing.assert_allclose(head.skin_weights.sum(1), 1, atol=1e-6)


def test_landmarks_lie_on_their_vertices(folder: Path) -> None:
    head = load_ict(folder)
    np.testing.assert_allclose(head.landmarks()[0], np.tile(head.vertices[5], (68, 1)), atol=1e-7)


@pytest.mark.parametrize(
    ("stem", "name"),
    [("browInnerUp_L", "browInnerUp"), ("cheekPuff_R", "cheekPuff"), ("mouthLeft", "mouthLeft"),
     ("noseSneer_R", "noseSneerRight"), ("PupilDilate_L", "pupilDilateLeft")],
)  # fmt: skip
def test_names(stem: str, name: str) -> None:
    assert arkit_name(stem) == name


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("identity001.obj", "v 1 2 3\n", "identity001.obj has 1 vertices; expected 40"),
        ("identity001.obj", "v 1 2\n" * 40, "identity001.obj is no OBJ"),
        ("jawOpen.obj", None, "has no jawOpen.obj"),
        ("identity000.obj", None, "has no identity000.obj"),
        ("generic_neutral_mesh.obj", "v 0 0 0\nf 1 2 3\n", "1 vertices and 0 texture .* faces with numbers 3"),
        ("generic_neutral_mesh.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "no texture coordinates"),
        ("generic_neutral_mesh.obj", "<html>", "has 0 vertices and 0 faces"),
        ("generic_neutral_mesh.obj", "v 0 0 0\nf 1 x 3\n", "is no OBJ file"),
        ("vertex_indices.json", "{}", "landmarks .*vertex_indices.json cannot be read"),
        ("vertex_indices.json", '{"idx_to_landmark_verts": [1, 2]}', "are not 68 vertices"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_folder_is_told(folder: Path, name: str, content: str | None, message: str) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(ModelFileError, match=message) as caught:
        load(folder)
    assert "again" in caught.value.cure


def test_obj_polygons_of_all_sizes(tmp_path) -> None:
    (tmp_path / "a.obj").write_text(
        "".join(f"v {k} {k * k} 0 0.5 0.5 0.5\n" for k in range(5))
        + "vn 0 0 1\nf 1//1 2//1 3//1 4//1 5//1\nf 1 2 3 4\n"
    )
    mesh = read_obj(tmp_path / "a.obj")
    np.testing.assert_array_equal(mesh.polygons, [[0, 1, 2, -1], [0, 2, 3, -1], [0, 3, 4, -1], [0, 1, 2, 3]])
    assert len(mesh.uv) == 0
    faces, source = triangles_of(mesh.polygons)
    np.testing.assert_array_equal(faces[3:], [[0, 1, 2], [0, 2, 3]])
    np.testing.assert_array_equal(source, [0, 1, 2, 3, 3])
