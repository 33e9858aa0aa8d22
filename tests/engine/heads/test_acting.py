"""What the bundled head does in expressions: lids meet, teeth stay in the mouth, bones and keys agree."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch

from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from engine.perception.topology import INNER_LIPS, LEFT_EYE, OUTER_LIPS
from engine.render.zbuffer import rasterize_zbuffer

SIZE, DISTANCE = 320, 1.2
PEOPLE = 24
MOUTH = np.array([0, -0.03, 0.06])
EYE_WIDTH, MOUTH_WIDTH = 0.05, 0.13


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small pictures are drawn fastest by one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head("open")


def identity_of(head: HeadModel, person: int | None) -> np.ndarray:
    """(K,) of a random person; the mean's for None."""
    count = len(head.identity_basis)
    return np.zeros(count) if person is None else np.random.default_rng(person).standard_normal(count)


def both(**units: float) -> dict[str, float]:
    """Weights of units on both sides, where they have sides."""
    names = load_head("open").expression_names
    return {
        name: weight
        for unit, weight in units.items()
        for name in (unit, f"{unit}Left", f"{unit}Right")
        if name in names
    }


def shaped(head: HeadModel, person: int | None = None, **units: float) -> np.ndarray:
    weights = np.zeros(len(head.expression_names))
    for name, weight in both(**units).items():
        weights[head.expression_names.index(name)] = weight
    return head.shape(identity_of(head, person), weights)


def turned(yaw: float, pitch: float = 0.0) -> np.ndarray:
    """(3,3) world to a view from the side (degrees to the head's left) and from above."""
    a, b = np.radians([-yaw, pitch])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return about_x @ about_y


def project(points: np.ndarray, centre: np.ndarray, width: float, view: np.ndarray) -> np.ndarray:
    """(N,3) pixel x, y and depth. `width` metres fill the picture."""
    points = (points - centre) @ view.T
    depth = DISTANCE - points[:, 2]
    scale = SIZE * DISTANCE / width
    return np.stack([SIZE / 2 + scale * points[:, 0] / depth, SIZE / 2 - scale * points[:, 1] / depth, depth], 1)


def seen(vertices: np.ndarray, faces: np.ndarray, centre: np.ndarray, width: float, view: np.ndarray) -> np.ndarray:
    """(SIZE,SIZE) the triangle at each pixel, -1 for none."""
    near = np.flatnonzero((np.abs(vertices - centre) < 0.75 * width).all(axis=1)[faces].any(axis=1))
    corners = torch.tensor(project(vertices, centre, width, view)[faces[near]], dtype=torch.float32)
    hit = rasterize_zbuffer(corners, (SIZE, SIZE)).face.numpy()
    return np.where(hit >= 0, near[hit], -1)


def seen_of_eye(head: HeadModel, vertices: np.ndarray, chosen: np.ndarray) -> float:
    """Square millimetres of the chosen triangles (F,) that are seen around the left eye, from the front."""
    hit = seen(vertices, head.faces, vertices[head.regions["eye.L"]].mean(axis=0), EYE_WIDTH, np.eye(3))
    return float(chosen[hit[hit >= 0]].sum() * (1000 * EYE_WIDTH / SIZE) ** 2)


@pytest.mark.parametrize("units", [{"eyeBlink": 1.0}, {"eyeBlink": 1.0, "eyeSquint": 1.0}])
def test_a_blink_shows_no_eyeball_in_any_of_many_faces(head: HeadModel, units: dict[str, float]) -> None:
    ball = head.face_materials == head.material_names.index("eye.L")
    left = [seen_of_eye(head, shaped(head, person, **units), ball) for person in range(PEOPLE)]
    assert max(left) < 0.4


@pytest.mark.parametrize(
    "units",
    [
        {"eyeSquint": 1.0},
        {"eyeLookDown": 1.0},
        {"mouthSmile": 1.0, "cheekSquint": 1.0, "eyeSquint": 0.7},
        {"eyeBlink": 1.0, "cheekSquint": 1.0, "mouthSmile": 1.0},
    ],
    ids=lambda units: "+".join(units),
)
def test_no_eyeball_comes_through_a_lid(head: HeadModel, units: dict[str, float]) -> None:
    ball = head.face_materials == head.material_names.index("eye.L")
    for person in range(12):
        vertices = shaped(head, person, **units)
        centre = vertices[head.regions["eye.L"]].mean(axis=0)
        hit = seen(vertices, head.faces, centre, EYE_WIDTH, np.eye(3))
        lids = head.embeddings["mediapipe"].positions(vertices, head.faces)[list(LEFT_EYE)]
        outline = project(lids, centre, EYE_WIDTH, np.eye(3))[:, :2].round().astype(np.int32)
        opening = cv2.dilate(cv2.fillPoly(np.zeros((SIZE, SIZE), np.uint8), [outline], 1), np.ones((15, 15)))
        assert ((hit >= 0) & ball[hit] & (opening == 0)).sum() < 4, person


def test_the_opening_narrows_evenly_with_the_blink(head: HeadModel) -> None:
    ball = head.face_materials == head.material_names.index("eye.L")
    whole = seen_of_eye(head, head.vertices, ball)
    assert whole > 120
    assert 0.2 < seen_of_eye(head, shaped(head, eyeBlink=0.5), ball) / whole < 0.55
    assert seen_of_eye(head, shaped(head, eyeLookDown=1.0), ball) / whole > 0.4
    assert seen_of_eye(head, shaped(head, eyeLookDown=1.0, eyeBlink=0.5), ball) < 0.05 * whole


def test_shut_lids_hide_the_lower_lashes_and_carry_the_upper_ones_down(head: HeadModel) -> None:
    lower = head.regions["lashes.lower.L"][head.faces].all(axis=1)
    for person in (None, 0, 3):
        assert seen_of_eye(head, shaped(head, person, eyeBlink=1.0), lower) < 1.0
    shut = shaped(head, eyeBlink=1.0)
    upper = head.regions["lashes.upper.L"]
    lid = head.embeddings["mediapipe"].positions(shut, head.faces)[[386, 374]]
    assert (shut[upper, 1].mean() - lid[:, 1].mean()) < 0.002
    assert shut[upper, 2].max() > lid[:, 2].max() + 0.001


def test_the_tongue_rests_within_the_lower_teeth(head: HeadModel) -> None:
    tongue, upper, lower = (head.vertices[head.regions[name]] for name in ("tongue", "teeth.upper", "teeth.lower"))
    assert tongue[:, 1].max() < lower[:, 1].max() + 0.0005
    assert tongue[:, 2].max() < lower[:, 2].max() - 0.006  # behind the incisors
    for depth in np.arange(upper[:, 2].min(), tongue[:, 2].max(), 0.006):
        above, below = (part[np.abs(part[:, 2] - depth) < 0.006, 1] for part in (upper, tongue))
        assert below.max() < above.max() - 0.008  # below the palate


def test_an_open_mouth_shows_the_tongue_low_and_the_throat_over_it(head: HeadModel) -> None:
    opened = shaped(head, jawOpen=1.0)
    lips = head.embeddings["mediapipe"].positions(opened, head.faces)[list(INNER_LIPS)]
    hit = seen(opened, head.faces, lips.mean(axis=0), MOUTH_WIDTH, np.eye(3))
    tongue = head.regions["tongue"][head.faces].all(axis=1)[hit] & (hit >= 0)
    inner = head.regions["inner_mouth"][head.faces].all(axis=1)[hit] & (hit >= 0)
    middle = slice(SIZE // 2 - 8, SIZE // 2 + 8)
    tongue_rows, throat_rows = (np.nonzero(mask[:, middle])[0] for mask in (tongue, inner))
    assert len(tongue_rows) > 200
    assert len(throat_rows) > 80
    assert np.median(throat_rows) < np.median(tongue_rows)


MOUTH_POSES = [
    {"jawOpen": 1.0},
    {"jawOpen": 1.0, "mouthClose": 1.0},
    {"jawOpen": 0.5, "mouthSmile": 1.0},
    {"jawOpen": 1.0, "mouthFunnel": 1.0},
    {"mouthSmile": 1.0, "mouthUpperUp": 1.0, "mouthLowerDown": 1.0},
    {"mouthRollLower": 1.0, "mouthRollUpper": 1.0},
    {"mouthPucker": 1.0},
    {"jawForward": 1.0},
    {"jawLeft": 1.0},
    {"mouthStretch": 1.0, "mouthFrown": 1.0},
]


@pytest.mark.parametrize("units", MOUTH_POSES, ids=lambda units: "+".join(units))
def test_no_tooth_comes_through_lips_or_cheeks(head: HeadModel, units: dict[str, float]) -> None:
    teeth = head.material_names.index("teeth")
    for person in (None, 1, 3):
        vertices = shaped(head, person, **units)
        lips = head.embeddings["mediapipe"].positions(vertices, head.faces)[list(OUTER_LIPS)]
        for view in (turned(0), turned(45), turned(-60), turned(0, -35)):
            hit = seen(vertices, head.faces, MOUTH, MOUTH_WIDTH, view)
            outline = project(lips, MOUTH, MOUTH_WIDTH, view)[:, :2].round().astype(np.int32)
            opening = cv2.fillPoly(np.zeros((SIZE, SIZE), np.uint8), [outline], 1)
            opening = cv2.dilate(opening, np.ones((9, 9)))  # the points lie a little within the corners
            outside = (head.face_materials[hit] == teeth) & (hit >= 0) & (opening == 0)
            assert outside.sum() <= 3, person


def test_closing_the_lips_of_an_open_jaw_hides_teeth_and_tongue(head: HeadModel) -> None:
    names = [head.material_names.index(name) for name in ("teeth", "tongue")]
    for person in (None, 0, 1, 3):
        hit = seen(
            shaped(head, person, jawOpen=1.0, mouthClose=1.0),
            head.faces,
            np.array([0, -0.03, 0.06]),
            MOUTH_WIDTH,
            turned(0),
        )
        assert np.isin(head.face_materials[hit[hit >= 0]], names).sum() < 20, person


def turn_about(points: np.ndarray, moved: np.ndarray) -> tuple[float, np.ndarray]:
    """Radians of the best turn about the X axis that carries points (N,3) to others, and how far each is then off."""
    (y, z), (v, w) = points[:, 1:].T, moved[:, 1:].T
    angle = float(np.arctan2((y * w - z * v).sum(), (y * v + z * w).sum()))
    c, s = np.cos(angle), np.sin(angle)
    return angle, np.linalg.norm(points @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T - moved, axis=1)


@pytest.mark.parametrize("person", [None, *range(6)])
def test_the_jaws_joint_lies_on_the_hinge_of_the_key(head: HeadModel, person: int | None) -> None:
    jaw = head.joint_names.index("jaw")
    vertices = shaped(head, person)
    joint = head.joint_positions(identity_of(head, person))[jaw]
    rigid = head.regions["teeth.lower"] | head.regions["tongue"]
    opened = head.expression_basis[head.expression_names.index("jawOpen")][rigid]
    start = (vertices[rigid] - joint).astype(float)
    angle, off = turn_about(start, start + opened)
    assert 22 < np.degrees(angle) < 32
    if person is None:
        assert off.max() < 2e-4
        assert joint[0] == pytest.approx(0, abs=1e-5)
    assert off.mean() < 0.0015


@pytest.mark.parametrize("side", ["Left", "Right"])
def test_look_keys_turn_the_eye_as_its_bone_does(head: HeadModel, side: str) -> None:
    bone = f"eye.{side[0]}"
    ball = head.regions[bone]
    rest = (head.vertices[ball] - head.joints[head.joint_names.index(bone)]).astype(float)
    assert (head.skin_weights[ball, head.joint_names.index(bone)] == 1).all()
    out = 1 if side == "Left" else -1
    for way, axis, degrees in (("Down", 0, 20), ("Up", 0, -17), ("Out", 1, 22 * out), ("In", 1, -22 * out)):
        a = np.radians(degrees)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[[i, j], [i, j]] = np.cos(a)
        turn[j, i], turn[i, j] = np.sin(a), -np.sin(a)
        key = head.expression_basis[head.expression_names.index(f"eyeLook{way}{side}")][ball]
        np.testing.assert_allclose(rest @ turn.T, rest + key, atol=2e-5)
