"""Bones of the open head: root, neck, head, jaw and the eyes, with weights folded from the figure's own rig.

The jaw bone is made to agree with the `jawOpen` unit: it sits on the hinge about which that unit turns the lower teeth,
and a vertex weighs as much on it as the unit moves it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .expression import rigid_motion
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


def jaw_hinge(source: HeadSource, mean: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(3,3) the rotation by which `jawOpen` turns the lower teeth, and (3,) the midline point it turns about."""
    teeth = source.vertex_groups["helper-lower-teeth"]
    rotation, shift = rigid_motion(mean[teeth], (mean + source.face_unit("jawOpen"))[teeth])
    centre = np.linalg.solve(np.eye(2) - rotation[1:, 1:], shift[1:])
    return rotation, np.array([0.0, *centre])


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
