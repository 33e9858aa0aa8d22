"""Bones of the open head: root, neck, head, jaw and the eyes, with weights folded from the figure's own rig."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .parts import Part, follow_vertices
from .source import HeadSource

JOINT_NAMES = ("root", "neck", "head", "jaw", "eye.L", "eye.R")
JOINT_PARENTS = (-1, 0, 1, 2, 2, 2)
CUBES = ("joint-spine-1", "joint-neck", "joint-head", "joint-mouth", "joint-l-eye", "joint-r-eye")
FIGURE_BONES = {"neck01": 1, "neck02": 1, "neck03": 1, "head": 2, "jaw": 3, "eye.L": 4, "eye.R": 5}
"""Bones of the figure that carry over; every other bone counts for its nearest carried ancestor, else the root."""


def joint_follow(source: HeadSource) -> sparse.csr_matrix:
    """(J,N) each joint as the mean of its cube of helper vertices."""
    count = len(source.mesh.vertices)
    rows = []
    for cube in CUBES:
        indices = source.vertex_groups[cube]
        rows.append(sparse.csr_matrix(follow_vertices(indices, count).mean(axis=0)))
    return sparse.csr_matrix(sparse.vstack(rows))


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
