"""Lets the mouth's inside, teeth and tongue vary with the skin around them, so that none is pushed through it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial.distance import cdist

from .source import HeadSource

REACH = 0.08
"""Width of the Gaussian over the surrounding skin, in the figure's unit: 9 mm."""
DEPTH = 4
"""Edges from the seam behind the lips to where the lining follows wholly."""
LINING = ((0.75, 0.93), (0.01, 0.137))
"""Where the lining of the mouth lies in MakeHuman's UV square."""
HELPERS = ("helper-tongue", "helper-lower-teeth", "helper-upper-teeth")


def lining(source: HeadSource) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Vertices of the mouth's lining, and how many edges (0, 1, ...) each is from the seam behind the lips."""
    polygons, uv_polygons = source.mesh.group("body")
    u, v = np.moveaxis(source.mesh.uv[uv_polygons], -1, 0)
    inside = ((u > LINING[0][0]) & (u < LINING[0][1]) & (v > LINING[1][0]) & (v < LINING[1][1])).all(axis=1)
    inside &= source.mesh.vertices[polygons[:, 0], 1] > 6  # the hands' islands lie there as well
    members = np.unique(polygons[inside])
    steps = np.full(len(source.mesh.vertices), -1, np.int64)
    steps[np.intersect1d(members, polygons[~inside])] = 0
    edges = np.concatenate([polygons[inside][:, [i, (i + 1) % 4]] for i in range(4)])
    edges = np.concatenate([edges, edges[:, ::-1]])
    for step in range(1, len(members)):
        reached = edges[(steps[edges[:, 0]] == step - 1) & (steps[edges[:, 1]] < 0), 1]
        if not len(reached):
            break
        steps[reached] = step
    return members, steps[members]


def following(source: HeadSource, mean: NDArray[np.float64]) -> sparse.csr_matrix:
    """(N,N) matrix M: in M x the inside of the mouth moves with the skin around it, for displacements x."""
    members, depth = lining(source)
    helpers = np.concatenate([source.vertex_groups[name] for name in HELPERS])
    inner = np.concatenate([members, helpers])
    share = np.concatenate([np.clip(depth / DEPTH, 0, 1), np.ones(len(helpers))])
    body = source.vertex_groups["body"]
    outer = np.setdiff1d(body[mean[body, 1] > mean[inner, 1].min() - 3 * REACH], members)
    closeness = np.exp(-0.5 * (cdist(mean[inner], mean[outer]) / REACH) ** 2)
    closeness *= (share / closeness.sum(axis=1))[:, None]
    keep = np.ones(len(mean))
    keep[inner] = 1 - share
    spread = sparse.csr_matrix((np.ones(len(inner)), (inner, np.arange(len(inner)))), shape=(len(mean), len(inner)))
    gather = sparse.csr_matrix((np.ones(len(outer)), (np.arange(len(outer)), outer)), shape=(len(outer), len(mean)))
    closeness[closeness < 1e-4] = 0
    return sparse.csr_matrix(sparse.diags(keep) + spread @ sparse.csr_matrix(closeness) @ gather)
