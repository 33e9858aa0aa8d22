"""Keeps the neutral mouth shut: the lips of the mean head and of every identity meet along one line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .source import HeadSource

UPPER = (7195, 7194, 10399, 7196, 7180, 7181, 7263, 11962, 7262, 7261, 7268, 7267, 520)
LOWER = (7195, 10376, 7205, 7206, 7266, 7265, 7264, 523)
"""The edge loop where the lips touch, from the left corner to the midline."""
FADE = (1.0, 1.0, 0.93, 0.8, 0.63, 0.46, 0.3, 0.16, 0.06)
"""How much of the correction the loops further away take, from the loop of contact on, inwards and outwards."""


def sealing(source: HeadSource, mean: NDArray[np.float64]) -> sparse.csr_matrix:
    """(N,N) matrix C such that in x + C x the lips touch, for positions and for displacements x.

    The gap between the two chains of contact is a linear function of the vertices, given where along the mouth's width
    it is read; either lip takes half of it.

    Args:
        source: the figure.
        mean: (N,3) the mean figure, for the places along the width.
    """
    chains = [_chain(half, source.mirror) for half in (UPPER, LOWER)]
    steps, side = _around(chains, source)
    near = np.flatnonzero(steps < len(FADE))
    share = np.array(FADE)[steps[near]] * np.where(side[near] == 0, -0.5, 0.5)
    gap = _read(chains[0], mean, mean[near, 0]) - _read(chains[1], mean, mean[near, 0])
    spread = sparse.csr_matrix((share, (near, np.arange(len(near)))), shape=(len(mean), len(near)))
    return sparse.csr_matrix(spread @ gap)


def distance(source: HeadSource) -> NDArray[np.int64]:
    """(N,) edges from the line where the lips meet, at most `len(FADE)`."""
    return _around([_chain(half, source.mirror) for half in (UPPER, LOWER)], source)[0]


def _chain(half: tuple[int, ...], mirror: NDArray[np.int32]) -> NDArray[np.int32]:
    """Vertices from the left corner to the right one."""
    return np.array([*half, *mirror[list(half[-2::-1])]], np.int32)


def _read(chain: NDArray[np.int32], mean: NDArray[np.float64], places: NDArray[np.float64]) -> sparse.csr_matrix:
    """(Q,N) weights that read a chain at places (Q,) along x, linearly between its vertices."""
    x = -mean[chain, 0]  # rising
    position = np.interp(-places, x, np.arange(len(chain)))
    before = np.minimum(position.astype(int), len(chain) - 2)
    share = position - before
    rows = np.arange(len(places))
    return sparse.csr_matrix(
        (
            np.concatenate([1 - share, share]),
            (np.concatenate([rows, rows]), np.concatenate([chain[before], chain[before + 1]])),
        ),
        shape=(len(places), len(mean)),
    )


def _around(chains: list[NDArray[np.int32]], source: HeadSource) -> tuple[NDArray, NDArray]:
    """(N,) edges from the loop of contact to each vertex, at most `len(FADE)`, and (N,) the chain it hangs on."""
    polygons, _ = source.mesh.group("body")
    edges = np.concatenate([polygons[:, [i, (i + 1) % 4]] for i in range(4)])
    edges = np.concatenate([edges, edges[:, ::-1]])
    count = len(source.mesh.vertices)
    steps, side = np.full(count, len(FADE)), np.zeros(count, int)
    for number, chain in enumerate(chains):
        steps[chain], side[chain] = 0, number
    for step in range(1, len(FADE)):
        reached = edges[(steps[edges[:, 0]] == step - 1) & (steps[edges[:, 1]] > step)]
        steps[reached[:, 1]], side[reached[:, 1]] = step, side[reached[:, 0]]
    # Beyond the corners a vertex may hang on either chain; the right half of the face decides like the left.
    left = source.mesh.vertices[:, 0] >= 0
    return steps, np.where(left, side, side[source.mirror])
