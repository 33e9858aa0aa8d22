"""Corrective keys: a posed head in Blender is what the published skinning makes of it."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from likeness.engine.result import OwnKeys, Reconstruction
from likeness.operators.build.correctives import entry_expression
from likeness.operators.build.head import BuildOptions, BuiltHead, build_head
from likeness.operators.build.space import TO_BLENDER
from mathutils import Matrix

from .measure import evaluated_positions
from .sphere_head import sphere_head

TURNS = {"neck": (0.2, 0.1, -0.1), "head": (-0.3, 0.2, 0.1), "jaw": (0.3, 0.02, -0.05), "eye.L": (0.2, 0, -0.3)}
"""Radians about engine axes."""


def rotation(vector: tuple[float, float, float]) -> np.ndarray:
    """Rodrigues."""
    angle = np.linalg.norm(vector)
    x, y, z = np.array(vector) / max(angle, 1e-12)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


@pytest.fixture
def person() -> Reconstruction:
    """Three spheres with a random corrective of some millimetres for every entry."""
    plain = sphere_head()
    rng = np.random.default_rng(5)
    count = len(plain.vertices)
    own = OwnKeys(
        shapes=rng.normal(0, 1e-3, (4, count, 3)).astype(np.float16),
        expressions=rng.normal(0, 1e-3, (2, count, 3)).astype(np.float16),
        correctives=rng.normal(0, 5e-3, (9 * (len(plain.joints) - 1), count, 3)).astype(np.float16),
    )
    return replace(plain, own=own, hair=None)


def built(person: Reconstruction) -> BuiltHead:
    return build_head(bpy.context, person, None, BuildOptions(camera=False, subdivision=0, location=(0, 0, 0)))


def posed(person: Reconstruction, turns: dict[str, np.ndarray]) -> np.ndarray:
    """(V,3) engine space: correctives, then linear blend skinning (Li et al. 2017, equations 1 to 4)."""
    assert person.own is not None
    local = [turns.get(name, np.eye(3)) for name in person.joint_names]
    feature = np.concatenate([(matrix - np.eye(3)).ravel() for matrix in local[1:]])
    shaped = person.vertices + np.tensordot(feature, person.own.correctives.astype(np.float64), 1)
    turn, place = [], []
    for joint, parent in enumerate(person.joint_parents):
        rest = person.joints[joint]
        if parent < 0:
            turn.append(local[joint])
            place.append(rest)
        else:
            turn.append(turn[parent] @ local[joint])
            place.append(place[parent] + turn[parent] @ (rest - person.joints[parent]))
    moved = [(shaped - person.joints[j]) @ turn[j].T + place[j] for j in range(len(local))]
    return np.einsum("vj,jvc->vc", person.skin_weights, np.array(moved))


def pose(made: BuiltHead, turns: dict[str, np.ndarray]) -> None:
    """Turn bones about engine axes, limits aside."""
    assert made.rig is not None
    assert made.rig.pose is not None
    for name, turn in turns.items():
        bone = made.rig.pose.bones[name]
        axes = TO_BLENDER.T @ np.array(bone.bone.matrix_local.to_3x3())
        basis = np.eye(4)
        basis[:3, :3] = axes.T @ turn @ axes
        for constraint in bone.constraints:
            constraint.mute = True
        bone.matrix_basis = Matrix(basis.tolist())


def test_a_posed_head_is_the_published_one(person: Reconstruction) -> None:
    made = built(person)
    turns = {name: rotation(vector) for name, vector in TURNS.items()}

    pose(made, turns)

    found = evaluated_positions(made.head) @ TO_BLENDER
    expected = posed(person, turns)
    assert np.abs(expected - person.vertices).max() > 0.01
    assert np.abs(found - expected).max() < 1e-5


def test_at_rest_nothing_is_corrected(person: Reconstruction) -> None:
    made = built(person)

    values = [block.value for block in made.keys.key_blocks if block.name.startswith("corrective")]

    assert len(values) == 36
    assert np.abs(values).max() < 1e-6


def test_the_models_own_parameters_are_keys(person: Reconstruction) -> None:
    made = build_head(bpy.context, person, None, BuildOptions(identity_keys=3))

    names = [block.name for block in made.keys.key_blocks if block.name[-3:].isdigit()]

    assert names == ["shape_000", "shape_001", "shape_002", "expression_000", "expression_001"]


def test_heads_without_correctives_have_no_such_keys() -> None:
    made = built(replace(sphere_head(), hair=None))

    assert not any(block.name.startswith("corrective") for block in made.keys.key_blocks)


@pytest.mark.parametrize("number", range(9))
def test_an_entry_is_that_of_the_rotation_matrix(number: int) -> None:
    """Evaluated as Python, in axes that are turned themselves; and short enough for a driver."""
    row, column = divmod(number, 3)
    axes = rotation((0.4, -0.9, 0.3))
    turn = rotation((0.5, -0.2, 0.7))
    inside = axes.T @ turn @ axes
    angle = np.arccos((np.trace(inside) - 1) / 2)
    lone = np.array([inside[2, 1] - inside[1, 2], inside[0, 2] - inside[2, 0], inside[1, 0] - inside[0, 1]])
    x, y, z = lone / (2 * np.sin(angle)) * np.sin(angle / 2)

    text = entry_expression(row, column, axes)

    assert len(text) < 256
    value = eval(text, {"__builtins__": {}}, {"w": np.cos(angle / 2), "x": x, "y": y, "z": z})
    assert value == pytest.approx((turn - np.eye(3))[row, column], abs=1e-4)
