"""The mirror permutation and the loops agree with MediaPipe's own connections."""

import numpy as np
import pytest

from engine.perception import topology as topo


def test_mirror_is_an_involution_of_all_points() -> None:
    assert topo.MIRROR.shape == (478,)
    assert (topo.MIRROR[topo.MIRROR] == np.arange(478)).all()
    on_midline = np.flatnonzero(np.arange(478) == topo.MIRROR)
    assert len(on_midline) == 28
    assert {topo.NOSE_TIP, topo.CHIN, topo.FOREHEAD, 13, 14, 168} <= set(on_midline)
    assert topo.MIRROR[[33, 133, 61, 234, 468, 469]].tolist() == [263, 362, 291, 454, 473, 476]


def test_mirror_keeps_mediapipe_connections() -> None:
    connections = pytest.importorskip("mediapipe").solutions.face_mesh
    for name, tolerated in (("TESSELATION", 6), ("CONTOURS", 0), ("IRISES", 0)):
        edges = {frozenset(edge) for edge in getattr(connections, f"FACEMESH_{name}")}
        mirrored = {frozenset(int(topo.MIRROR[index]) for index in edge) for edge in edges}
        assert len(edges - mirrored) <= tolerated, name  # MediaPipe's triangles are cut otherwise in six places


@pytest.mark.parametrize(
    ("loop", "name"),
    [
        (topo.RIGHT_EYE, "RIGHT_EYE"), (topo.LEFT_EYE, "LEFT_EYE"), (topo.FACE_OVAL, "FACE_OVAL"),
        (topo.RIGHT_IRIS, "RIGHT_IRIS"), (topo.LEFT_IRIS, "LEFT_IRIS"),
    ],
)  # fmt: skip
def test_loops_follow_mediapipe(loop: tuple[int, ...], name: str) -> None:
    connections = pytest.importorskip("mediapipe").solutions.face_mesh
    edges = {frozenset(edge) for edge in getattr(connections, f"FACEMESH_{name}")}
    assert {frozenset(pair) for pair in zip(loop, loop[1:] + loop[:1], strict=True)} == edges


def test_lips_and_brows_hold_the_points_of_mediapipe() -> None:
    connections = pytest.importorskip("mediapipe").solutions.face_mesh
    for found, name in (
        (topo.OUTER_LIPS + topo.INNER_LIPS, "LIPS"), (topo.LEFT_BROW, "LEFT_EYEBROW"),
        (topo.RIGHT_BROW, "RIGHT_EYEBROW"),
    ):  # fmt: skip
        edges = getattr(connections, f"FACEMESH_{name}")
        assert set(found) == {index for edge in edges for index in edge}
        assert len(found) == len(set(found))
