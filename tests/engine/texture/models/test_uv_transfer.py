"""Textures of other layouts land where they belong on the head."""

import json

import numpy as np
import pytest
import torch

from engine.errors import ModelFileError
from engine.heads.loader import load_head
from engine.texture.models.landmark_names import FLAME_COUNT, FLAME_VERTICES, MEDIAPIPE, head_points, head_uv
from engine.texture.models.uv_mesh import SourceMesh, closest_weights, nearest_places, onto_head, read_obj
from engine.texture.models.uv_transfer import (
    FFHQ_UV,
    FFHQ_UV_PAIRS,
    UvTransfer,
    from_landmarks,
    from_mesh,
    outer_texels,
    own_layout,
    read_landmarks,
    thin_plate,
)

SIZE = 96


@pytest.fixture(scope="module")
def head():
    return load_head()


def distorted(uv):
    """A smooth map of the square into itself, turned by a quarter."""
    u, v = np.asarray(uv, np.float64).T
    return np.stack([0.05 + 0.8 * v + 0.1 * v * u, 0.9 - 0.75 * u - 0.1 * u * u], 1)


@pytest.fixture(scope="module")
def texel_uv():
    """(S,S,2) u and v of the texels' centres."""
    centre = (np.arange(SIZE) + 0.5) / SIZE
    return np.stack(np.meshgrid(centre, 1 - centre), -1)


@pytest.fixture(scope="module")
def own_mesh(head):
    """The head itself in another layout, in centimetres, turned and moved; eyes, teeth and the rest are there too."""
    turn = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    move = lambda points: 100 * points @ turn.T + [30, -20, 10]  # noqa: E731
    names = list(MEDIAPIPE)
    return SourceMesh(
        move(head.vertices.astype(np.float64)),
        head.faces.astype(np.int64),
        distorted(head.uv),
        head.uv_faces.astype(np.int64),
        dict(zip(names, move(head_points(head, names)), strict=True)),
    )


@pytest.fixture(scope="module")
def own_transfer(own_mesh, head):
    return from_mesh(own_mesh, head, SIZE)


def source_uv(transfer):
    grid = transfer.grid.numpy()
    return np.stack([(grid[..., 0] + 1) / 2, (1 - grid[..., 1]) / 2], -1)


def test_the_heads_own_mesh_in_another_layout_is_found_to_be_itself(own_transfer, head, texel_uv):
    mask = outer_texels(head, SIZE).mask.numpy()
    sure = own_transfer.coverage.numpy() > 0.9
    error = np.abs(source_uv(own_transfer) - distorted(texel_uv.reshape(-1, 2)).reshape(SIZE, SIZE, 2)).max(-1)
    # Texels at seams may find the other side of the seam.
    assert np.percentile(error[sure], 99) < 1e-3
    assert sure[mask].mean() > 0.85
    assert own_transfer.coverage.numpy()[~mask].max() == 0


def test_a_texture_painted_in_the_other_layout_arrives_as_it_was_meant(own_transfer, texel_uv):
    """The pattern is a function of the source's u and v; on the head it is that function of the distorted place."""
    side = 400
    centre = torch.arange(side) / side + 0.5 / side
    u, v = centre[None, :].expand(side, side), (1 - centre)[:, None].expand(side, side)
    pattern = lambda u, v: torch.stack([torch.sin(5 * u), torch.cos(4 * v), u * v])  # noqa: E731
    found = own_transfer.apply(pattern(u, v)[None].float())[0].numpy()
    at = torch.tensor(distorted(texel_uv.reshape(-1, 2)).reshape(SIZE, SIZE, 2))
    meant = pattern(at[..., 0], at[..., 1]).numpy()
    sure = own_transfer.coverage.numpy() > 0.9
    assert np.percentile(np.abs(found - meant).max(0)[sure], 99) < 0.01


def test_a_finer_square_interpolates_the_places_found(own_mesh, own_transfer, head, monkeypatch):
    monkeypatch.setattr("engine.texture.models.uv_transfer.FINEST", SIZE)
    twice = from_mesh(own_mesh, head, 2 * SIZE)
    centre = (np.arange(2 * SIZE) + 0.5) / (2 * SIZE)
    uv = np.stack(np.meshgrid(centre, 1 - centre), -1).reshape(-1, 2)
    error = np.abs(source_uv(twice) - distorted(uv).reshape(2 * SIZE, 2 * SIZE, 2)).max(-1)
    sure = twice.coverage.numpy() > 0.9
    assert np.percentile(error[sure], 98) < 2e-3
    assert sure.mean() > 0.5


def test_landmarks_alone_recover_an_affine_layout(head, texel_uv):
    names = list(MEDIAPIPE)[::3]
    matrix, offset = np.array([[0.1, 0.6], [-0.5, 0.2]]), np.array([0.2, 0.6])
    landmarks = dict(zip(names, head_uv(head, names) @ matrix.T + offset, strict=True))
    found = from_landmarks(landmarks, head, SIZE)
    sure = found.coverage.numpy() > 0
    assert sure.sum() > 200
    np.testing.assert_allclose(source_uv(found)[sure], (texel_uv @ matrix.T + offset)[sure], atol=1e-5)


def test_landmarks_are_trusted_near_them_alone(head):
    few = ("right_eye_outer", "left_eye_outer", "nose_tip", "right_mouth_corner", "left_mouth_corner")
    found = from_landmarks({name: FFHQ_UV[name] for name in few}, head, SIZE)
    at = np.floor(head_uv(head, ["nose_base", "nose_ridge", "chin_tip"]) * [SIZE, -SIZE] + [0, SIZE]).astype(int)
    assert found.coverage[at[0, 1], at[0, 0]] > 0.99
    assert found.coverage[at[1, 1], at[1, 0]] > 0.99
    assert found.coverage[:8].max() == 0  # crown
    whole = from_landmarks(FFHQ_UV, head, SIZE, FFHQ_UV_PAIRS)
    assert whole.coverage.mean() > 3 * found.coverage.mean()


def test_ffhq_uvs_layout_is_symmetric_and_passes_its_landmarks(head):
    found = from_landmarks(FFHQ_UV, head, SIZE, FFHQ_UV_PAIRS)
    both = (found.coverage * found.coverage.flip(1)) > 0.5
    mirrored = found.grid.flip(1) * torch.tensor([-1.0, 1.0])
    assert float((found.grid - mirrored)[both].abs().max()) < 0.03
    for name in ("nose_tip", "left_eye_outer", "right_mouth_corner"):
        column, row = np.floor(head_uv(head, [name])[0] * [SIZE, -SIZE] + [0, SIZE]).astype(int)
        np.testing.assert_allclose(source_uv(found)[row, column], FFHQ_UV[name], atol=1.5 / SIZE)


def test_textures_of_the_heads_own_layout_stay_as_they_are(head):
    transfer = own_layout(head, SIZE)
    texture = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(transfer.apply(texture), texture, atol=1e-5)


def test_sampling_has_a_gradient():
    """It is linear in the texture: the gradient tells any change exactly."""
    generator = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.rand(shape, generator=generator, dtype=torch.float64)  # noqa: E731
    transfer = UvTransfer(draw(5, 5, 2) * 1.6 - 0.8, torch.ones(5, 5))
    texture, change, weight = draw(2, 3, 4, 4).requires_grad_(), draw(2, 3, 4, 4), draw(2, 3, 5, 5)
    (transfer.apply(texture) * weight).sum().backward()
    assert texture.grad is not None
    told = float((texture.grad * change).sum())
    assert told == pytest.approx(float((transfer.apply(change) * weight).sum()), rel=1e-12)
    assert told > 1


def test_a_finer_source_is_averaged_and_not_picked_from(head):
    texture = torch.zeros(1, 1, 8 * SIZE, 8 * SIZE)
    texture[..., ::2] = 1  # stripes a texel wide
    np.testing.assert_allclose(own_layout(head, SIZE).apply(texture), 0.5, atol=1e-5)


def test_a_thin_plate_passes_its_points_and_is_affine_where_they_are():
    rng = np.random.default_rng(2)
    points, values = rng.random((9, 2)), rng.random((9, 3))
    np.testing.assert_allclose(thin_plate(points, values, points), values, atol=1e-9)
    flat = points @ np.array([[1.0, 2], [3, 4]]) + [5, 6]
    at = rng.random((20, 2)) * 3
    np.testing.assert_allclose(thin_plate(points, flat, at), at @ np.array([[1.0, 2], [3, 4]]) + [5, 6], atol=1e-8)


def test_the_warp_brings_landmarks_together_and_leaves_the_far_alone(head):
    names = ["nose_tip", "right_eye_outer", "left_eye_outer", "right_mouth_corner", "left_mouth_corner", "chin_tip"]
    places = head_points(head, names)
    bent = places.copy()
    bent[0] += [0, 0.01, 0]
    far = np.array([[0.0, 2.0, 0.0]])
    source = SourceMesh(
        np.concatenate([bent, far]), np.array([[0, 1, 2]]), np.zeros((3, 2)), np.array([[0, 1, 2]]),
        dict(zip(names, bent, strict=True)),
    )  # fmt: skip
    laid = onto_head(source, head)
    np.testing.assert_allclose(laid[:-1], places, atol=1e-7)
    assert np.linalg.norm(laid[-1] - far) < 0.6  # moved by the similarity alone, not by a runaway warp


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((0.25, 0.25, 3), (0.5, 0.25, 0.25)),  # above the inside
        ((0.5, -1, 1), (0.5, 0.5, 0)),  # beside an edge
        ((2, 2, 0), (0, 0.5, 0.5)),
        ((-1, -2, 0), (1, 0, 0)),  # beyond a corner
        ((5, -1, 0), (0, 1, 0)),
    ],
)
def test_the_nearest_point_of_a_triangle(point, expected):
    corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(closest_weights(torch.tensor(point, dtype=torch.float32), corners), expected, atol=1e-6)


def test_of_two_sheets_the_one_that_faces_the_same_way_is_found():
    """As with lips: the other sheet is nearer and faces the other way."""
    square = torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0.1, 0.1, 0]])
    vertices = torch.cat([square, square + torch.tensor([0, 0, 0.004])])
    up, down = torch.tensor([[0, 1, 2], [1, 3, 2]]), torch.tensor([[0, 2, 1], [1, 2, 3]]) + 4
    faces = torch.cat([up, down])
    point = torch.tensor([[0.02, 0.03, 0.004]])
    found = nearest_places(point, torch.tensor([[0.0, 0, 1]]), vertices, faces)
    assert int(found.face) == 0
    np.testing.assert_allclose(found.distance, [0.004], atol=1e-6)
    np.testing.assert_allclose(found.agreement, [1], atol=1e-6)
    assert int(nearest_places(point, torch.tensor([[0.0, 0, -1]]), vertices, faces).face) == 2


def write_obj(path, count=5):
    lines = [f"v {k} {k * k} 0.5" for k in range(count)] + ["vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1"]
    path.write_text("\n".join([*lines, "f 1/1 2/2 3/3 4/4", "f -1/-1/7 1/1 2/2"]))


def test_wavefront_files_are_read_with_their_landmarks(tmp_path):
    path = tmp_path / "template.obj"
    write_obj(path)
    names = list(MEDIAPIPE)[:5]
    (tmp_path / "template.landmarks.json").write_text(json.dumps({"vertices": dict(zip(names, range(5), strict=True))}))
    mesh = read_obj(path)
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3], [4, 0, 1]])
    np.testing.assert_array_equal(mesh.uv_faces, [[0, 1, 2], [0, 2, 3], [3, 0, 1]])
    np.testing.assert_array_equal(mesh.landmarks[names[3]], [3, 9, 0.5])
    points = {name: [1, 2, k] for k, name in enumerate(names)}
    (tmp_path / "template.landmarks.json").write_text(json.dumps({"points": points}))
    np.testing.assert_array_equal(read_obj(path).landmarks[names[4]], [1, 2, 4])


def test_flames_topology_brings_its_landmarks(tmp_path):
    path = tmp_path / "head_template.obj"
    write_obj(path, FLAME_COUNT)
    assert read_obj(path).landmarks["nose_tip"][0] == FLAME_VERTICES["nose_tip"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v 0 0 0\n", "no faces"),
        ("v 0 0\nvt x 1\nf 1/1 2/2 3/3", "cannot be read"),
        ("v 0 0 0\nvt 0 0\nf 1/1 2/1 1/1", "without vertices"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3", "cannot be read"),
    ],
)
def test_broken_templates_are_named(tmp_path, text, message):
    path = tmp_path / "template.obj"
    path.write_text(text)
    with pytest.raises(ModelFileError, match=message) as caught:
        read_obj(path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "are missing"),
        ("[]", "no JSON object"),
        ("{", "cannot be read"),
        ('{"vertices": {"nose_tip": 99}}', "no vertex"),
        ('{"vertices": {"nose_tip": 1}}', "at least 5"),
        ('{"points": {"elbow": [0, 0, 0]}}', "wrong entry “elbow”"),
        ('{"points": {"nose_tip": [0, 0]}}', "wrong entry “nose_tip”"),
    ],
)
def test_broken_landmarks_are_named(tmp_path, content, message):
    path = tmp_path / "template.obj"
    write_obj(path)
    if content is not None:
        (tmp_path / "template.landmarks.json").write_text(content)
    with pytest.raises(ModelFileError, match=message):
        read_obj(path)


def test_landmarks_of_a_layout_are_read_from_a_sidecar(tmp_path):
    path = tmp_path / "layout.json"
    path.write_text(json.dumps({"uv": {name: FFHQ_UV[name] for name in list(FFHQ_UV)[:6]}}))
    assert tuple(read_landmarks(path)["right_eye_outer"]) == FFHQ_UV["right_eye_outer"]
    path.write_text(json.dumps({"uv": {"nose_tip": [0.5, 0.5]}}))
    with pytest.raises(ModelFileError, match="at least 5"):
        read_landmarks(path)
