"""Eyes, teeth and lashes of the bundled head: the right sizes, nothing pokes through, everything follows."""

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from engine.render.zbuffer import rasterize_zbuffer

SIZE, WIDTH, DISTANCE = 512, 0.16, 1.2
PEOPLE = 4


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head("open")


def shaped(head: HeadModel, person: int | None = None, **units: float) -> np.ndarray:
    identity = np.zeros(len(head.identity_basis))
    if person is not None:
        identity = np.random.default_rng(person).standard_normal(len(identity))
    weights = np.zeros(len(head.expression_names))
    for name, weight in units.items():
        weights[head.expression_names.index(name)] = weight
    return head.shape(identity, weights)


def visible(head: HeadModel, vertices: np.ndarray, yaw: float = 0.0) -> dict[str, int]:
    """Pixels of each material, seen from the front (3.2 pixels per millimetre)."""
    turn = np.radians(yaw)
    rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    points = (vertices - [0, 0, 0.09]) @ rotation.T
    depth = DISTANCE - points[:, 2]
    scale = SIZE * DISTANCE / WIDTH
    screen = np.stack([SIZE / 2 + scale * points[:, 0] / depth, SIZE / 2 - scale * points[:, 1] / depth, depth], 1)
    hit = rasterize_zbuffer(torch.tensor(screen[head.faces], dtype=torch.float32), (SIZE, SIZE)).face.numpy()
    materials = head.face_materials[hit[hit >= 0]]
    return {name: int((materials == slot).sum()) for slot, name in enumerate(head.material_names)}


def pieces(head: HeadModel, name: str) -> list[np.ndarray]:
    """Vertices of each connected piece of a region."""
    chosen = np.flatnonzero(head.regions[name])
    triangles = head.faces[head.regions[name][head.faces].all(axis=1)]
    edges = triangles[:, [0, 1, 1, 2]].reshape(-1, 2)
    count = len(head.vertices)
    graph = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    label = connected_components(graph, directed=False)[1]
    return [chosen[label[chosen] == number] for number in np.unique(label[chosen])]


@pytest.mark.parametrize("name", ["eye.L", "eye.R", "teeth.upper", "teeth.lower"])
def test_surfaces_face_outwards(head: HeadModel, name: str) -> None:
    for piece in pieces(head, name):
        corners = head.vertices[head.faces[np.isin(head.faces, piece).all(axis=1)]].astype(float)
        area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        if np.ptp(head.vertices[piece, 0]) > 0.04:  # a gum: its front faces the lips
            depth = corners[:, :, 2].mean(axis=1)
            assert area[depth > depth.max() - 0.004, 2].sum() > 0
        else:
            inside = head.vertices[piece].mean(axis=0)
            assert np.einsum("nk,nk->n", corners.mean(axis=1) - inside, area).sum() > 0


@pytest.mark.parametrize("side", ["L", "R"])
def test_eyes_are_balls_about_their_joints(head: HeadModel, side: str) -> None:
    ball = head.regions[f"eye.{side}"]
    joint = head.joints[head.joint_names.index(f"eye.{side}")]
    away = head.vertices[ball] - joint
    radius = np.linalg.norm(away, axis=1)
    assert 0.0115 < np.median(radius) < 0.0175
    assert radius.max() - np.median(radius) == pytest.approx(0.0005, abs=0.0001)  # the cornea
    np.testing.assert_allclose(away[0, :2], 0, atol=1e-5)  # the pupil looks ahead
    ring = np.linalg.norm(away[:, :2], axis=1)
    assert (np.abs(ring - 0.0059) < 2e-5).sum() >= 24  # there is an edge where the iris ends


@pytest.mark.parametrize("person", range(PEOPLE))
def test_eyes_stay_round_in_every_face(head: HeadModel, person: int) -> None:
    vertices = shaped(head, person)
    for side in "LR":
        ball = vertices[head.regions[f"eye.{side}"]].astype(float)
        spread = np.linalg.norm(ball - head_centre(ball), axis=1)
        assert spread.std() < 0.012 * spread.mean()


def head_centre(ball: np.ndarray) -> np.ndarray:
    """Centre of the best sphere."""
    system = np.concatenate([2 * ball, np.ones((len(ball), 1))], axis=1)
    return np.linalg.lstsq(system, (ball**2).sum(axis=1), rcond=None)[0][:3]


@pytest.mark.parametrize("unit", ["eyeLookInLeft", "eyeLookUpLeft", "eyeLookOutRight", "eyeLookDownRight"])
def test_a_look_turns_the_ball_and_moves_nothing_else_of_it(head: HeadModel, unit: str) -> None:
    side = "L" if unit.endswith("Left") else "R"
    ball, other = head.regions[f"eye.{side}"], head.regions["eye.R" if side == "L" else "eye.L"]
    moved = shaped(head, **{unit: 1.0})
    joint = head.joints[head.joint_names.index(f"eye.{side}")]
    before, after = head.vertices[ball] - joint, moved[ball] - joint
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), np.linalg.norm(before, axis=1), atol=5e-5)
    angle = np.degrees(np.arccos(before[0] @ after[0] / (np.linalg.norm(before[0]) * np.linalg.norm(after[0]))))
    assert 5 < angle < 45
    np.testing.assert_array_equal(moved[other], head.vertices[other])


def test_a_blink_covers_the_eyes(head: HeadModel) -> None:
    open_eyes, shut = visible(head, head.vertices), visible(head, shaped(head, eyeBlinkLeft=1, eyeBlinkRight=1))
    assert min(open_eyes["eye.L"], open_eyes["eye.R"]) > 800
    assert max(shut["eye.L"], shut["eye.R"]) < 40


def test_there_are_two_rows_of_fourteen_teeth_and_their_gums(head: HeadModel) -> None:
    for row in ("upper", "lower"):
        found = pieces(head, f"teeth.{row}")
        assert len(found) == 15
        widest = max(np.ptp(head.vertices[piece, 0]) for piece in found)
        assert 0.05 < widest < 0.085  # the gum, from cheek to cheek
        incisors = sorted(found, key=lambda piece: np.abs(head.vertices[piece, 0]).max())[:2]
        width = np.mean([np.ptp(head.vertices[piece, 0]) for piece in incisors])
        assert width == pytest.approx(0.0089 if row == "upper" else 0.00525, rel=0.06)
    assert head.regions["teeth"].sum() < 2500


@pytest.mark.parametrize("person", [None, *range(PEOPLE)])
def test_nothing_shows_between_closed_lips(head: HeadModel, person: int | None) -> None:
    for yaw in (0, 45):
        seen = visible(head, shaped(head, person), yaw)
        assert seen["teeth"] + seen["tongue"] < 20


def test_upper_teeth_stay_and_lower_teeth_drop_with_the_jaw(head: HeadModel) -> None:
    drop = shaped(head, jawOpen=1.0) - head.vertices
    assert np.abs(drop[head.regions["teeth.upper"]]).max() < 1e-5
    lower = drop[head.regions["teeth.lower"]]
    assert lower[:, 1].min() < -0.02
    before = head.vertices[head.regions["teeth.lower"]]
    span = np.linalg.norm(before[:, None] - before[None, ::50], axis=-1)
    span_after = np.linalg.norm((before + lower)[:, None] - (before + lower)[None, ::50], axis=-1)
    np.testing.assert_allclose(span_after, span, atol=0.0025)


def test_an_open_mouth_and_a_broad_smile_show_teeth(head: HeadModel) -> None:
    assert visible(head, shaped(head, jawOpen=0.7))["teeth"] > 500
    smile = {"mouthSmile": 0.9, "mouthUpperUp": 0.8, "mouthLowerDown": 0.4}
    both = {f"{name}{side}": weight for name, weight in smile.items() for side in ("Left", "Right")}
    assert visible(head, shaped(head, **both))["teeth"] > 500


def test_lashes_are_plain_strips_that_grow_from_the_lids(head: HeadModel) -> None:
    strips = pieces(head, "lashes")
    assert len(strips) == 4
    slot = head.material_names.index("lashes")
    assert (head.polygons[head.polygon_materials == slot] >= 0).all()
    skin = head.vertices[head.regions["skin"]]
    for strip in strips:
        gap = np.linalg.norm(head.vertices[strip][:, None] - skin, axis=2).min(axis=1)
        assert (gap < 0.001).sum() >= len(strip) // 4
    for side in "LR":
        upper, lower = (head.vertices[head.regions[f"lashes.{lid}.{side}"]] for lid in ("upper", "lower"))
        assert upper[:, 1].mean() > lower[:, 1].mean() + 0.005
        assert 1.4 * np.ptp(lower[:, 1]) < np.ptp(upper[:, 1]) + 0.004


def test_upper_lashes_close_with_the_lid(head: HeadModel) -> None:
    shut = shaped(head, eyeBlinkLeft=1.0) - head.vertices
    assert shut[head.regions["lashes.upper.L"], 1].min() < -0.005
    np.testing.assert_allclose(shut[head.regions["lashes.upper.R"]], 0, atol=1e-6)
