"""Bones of the open head: root, neck, head, jaw and the eyes, with weights folded from the figure's own rig.

The jaw bone is made to agree with the `jawOpen` unit: it sits on the hinge about which that unit turns chin and lower
teeth, in every identity, and a vertex weighs as much on it as the unit moves it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .parts import Part, follow_vertices
from .source import HeadSource

JOINT_NAMES = ("root", "neck", "head", "jaw", "eye.L", "eye.R")
JOINT_PARENTS = (-1, 0, 1, 2, 2, 2)
HEAD, JAW = JOINT_NAMES.index("head"), JOINT_NAMES.index("jaw")
CUBES = ("joint-neck", "joint-neck", "joint-head", "joint-mouth", "joint-l-eye", "joint-r-eye")
ROOT_DROP = 0.75
"""How far the root lies below the neck's joint, at the height of the collar."""
FIGURE_BONES = {"neck01": 1, "neck02": 1, "neck03": 1, "head": 2, "jaw": 3, "eye.L": 4, "eye.R": 5}
"""Bones of the figure that carry over; every other bone counts for its nearest carried ancestor, else the root."""
CHIN = ((0.2,), (-0.8, -0.46), (0.62,))
"""Half width, lowest and highest height, and least depth of the chin from the head's joint, in the figure's unit."""
HINGE_STEP = 0.02
"""How far the most moved vertex goes when the hinge's dependence on the shape is measured, in the figure's unit."""
NEAR_HINGE = 0.05
"""Vertices that the open jaw hardly moves, because the hinge is near, keep the figure's own weight."""
SMOOTHING = 4


def joint_follow(source: HeadSource) -> sparse.csr_matrix:
    """(J,N) each joint moves as the mean of its cube of helper vertices."""
    count = len(source.mesh.vertices)
    rows = []
    for cube in CUBES:
        indices = source.vertex_groups[cube]
        rows.append(sparse.csr_matrix(follow_vertices(indices, count).mean(axis=0)))
    return sparse.csr_matrix(sparse.vstack(rows))


def joint_places(source: HeadSource, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """(J,3) joints of the mean figure (N,3)."""
    joints = joint_follow(source) @ mean
    joints[0] -= [0, ROOT_DROP, 0]
    joints[JAW] = jaw_hinge(source, mean)[1]
    return joints


def hinge_anchors(source: HeadSource, mean: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Vertices of lower teeth and chin, and how much each counts: half the teeth, half the chin."""
    teeth = source.vertex_groups["helper-lower-teeth"]
    body = source.vertex_groups["body"]
    x, y, z = (mean[body] - (joint_follow(source) @ mean)[HEAD]).T
    (wide,), (low, high), (back,) = CHIN
    chin = body[(np.abs(x) < wide) & (y > low) & (y < high) & (z > back)]
    share = [np.full(len(group), 0.5 / len(group)) for group in (teeth, chin)]
    return np.concatenate([teeth, chin]), np.concatenate(share)


def jaw_hinge(
    source: HeadSource, mean: NDArray[np.float64], moved: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The turn about the left-right axis that best explains what `jawOpen` does to chin and lower teeth.

    Args:
        source: the figure.
        mean: (N,3) the mean figure.
        moved: (N,3) the figure of another person, whose hinge is wanted; the mean's by default.
    Returns:
        (3,3) the rotation and (3,) a point of the hinge's axis, as far to the side as the anchors' middle.
    """
    anchors, share = hinge_anchors(source, mean)
    before = (mean if moved is None else moved)[anchors]
    after = before + source.face_unit("jawOpen")[anchors]
    old, new = share @ before, share @ after
    (y, z), (v, w) = (before - old)[:, 1:].T, (after - new)[:, 1:].T
    angle = np.arctan2(share @ (y * w - z * v), share @ (y * v + z * w))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rotation = np.eye(3)
    rotation[1:, 1:] = turn
    return rotation, np.array([old[0], *np.linalg.solve(np.eye(2) - turn, new[1:] - turn @ old[1:])])


def joint_shifts(source: HeadSource, mean: NDArray[np.float64], displacement: NDArray[np.float64]) -> NDArray:
    """(J,3) how the joints move with a displacement (N,3) of the figure, to first order for the jaw's hinge."""
    shifts = joint_follow(source) @ displacement
    step = HINGE_STEP / max(float(np.abs(displacement).max()), 1e-9)
    ahead, behind = (jaw_hinge(source, mean, mean + sign * step * displacement)[1] for sign in (1, -1))
    shifts[JAW] = (ahead - behind) / (2 * step)
    return shifts


def figure_weights(source: HeadSource) -> NDArray[np.float64]:
    """(N,J) weights of the figure's vertices; rows without any weight belong to the root."""
    weights = np.zeros((len(source.mesh.vertices), len(JOINT_NAMES)))
    for bone, column in source.bone_weights.items():
        ancestor = bone
        while ancestor and ancestor not in FIGURE_BONES:
            ancestor = source.bone_parents[ancestor]
        weights[:, FIGURE_BONES.get(ancestor, 0)] += column
    weights[np.sum(weights, axis=1) < 1e-6, 0] = 1.0
    return weights / np.sum(weights, axis=1, keepdims=True)


def skinning_weights(source: HeadSource, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,J) weights of the figure with the jaw's taken from `jawOpen`; only eyeballs are on the eye bones."""
    weights = figure_weights(source)
    body = source.vertex_groups["body"]
    weights[body, HEAD] += weights[body, HEAD + 2 :].sum(axis=1)
    weights[body, HEAD + 2 :] = 0
    rotation, hinge = jaw_hinge(source, mean)
    turn = (mean - hinge) @ rotation.T + hinge - mean
    length = np.sum(turn**2, axis=1)
    agreement = np.sum(source.face_unit("jawOpen") * turn, axis=1) / np.maximum(length, 1e-9)
    trust = np.clip(np.sqrt(length) / NEAR_HINGE - 1, 0, 1)
    jaw = np.clip(trust * agreement + (1 - trust) * weights[:, JAW], 0, 1)
    rest = weights.copy()
    rest[:, JAW] = 0
    rest[:, HEAD] += np.where(rest.sum(axis=1) < 1e-3, 1.0, 0.0)
    rest *= ((1 - jaw) / rest.sum(axis=1))[:, None]
    rest[:, JAW] = jaw
    average = source.neighbour_average
    for _ in range(SMOOTHING):
        rest = 0.5 * rest + 0.5 * (average @ rest)
    weights[body] = rest[body]
    return weights


def part_weights(part: Part, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V,J) weights of one part: all on its bone, or blended from the figure's.

    Args:
        weights: (N,J) of the figure.
    """
    if part.bone is not None:
        result = np.zeros((len(part.vertices), len(JOINT_NAMES)))
        result[:, JOINT_NAMES.index(part.bone)] = 1.0
        return result
    result: NDArray[np.float64] = np.clip(part.follow @ weights, 0, None)
    return result / np.sum(result, axis=1, keepdims=True)
