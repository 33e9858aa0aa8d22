"""Dense points at work: windows, the description in the file, and files that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import ModelFileError
from engine.perception.crop import Window
from engine.perception.dense import FILL, PointSet, load_points_network, see_points, window_of_mesh, window_of_points
from engine.perception.networks.points import PointsNetwork
from engine.perception.networks.weights import save_network

SIX = PointSet(
    vertices=np.arange(10, 16, dtype=np.int32),
    mirror=np.array([1, 0, 3, 2, 4, 5]),
    face=np.ones(6, bool),
    upper=np.array([True, True, False, False, False, False]),
    lower=np.array([False, False, True, True, False, False]),
)
SQUARE = np.array([[-50, -50], [50, -50], [-50, 50], [50, 50], [0, -50], [0, 50]], float)


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return points @ np.array([[c, -s], [s, c]]).T


def saved(path: Path, **description) -> Path:
    torch.manual_seed(0)
    network = PointsNetwork(6, rank=2, wide=128)
    mean = torch.tensor(np.column_stack([SQUARE * 0.6 + 128, np.zeros(6)]), dtype=torch.float32)
    network.set_statistics(mean, torch.zeros(2, 6, 3))
    stored = {"network": "points", "points": SIX.packed(), "size": {"rank": 2, "wide": 128}}
    save_network(path, network.state_dict(), stored | description)
    return path


def test_description_comes_back():
    found = PointSet.unpacked(SIX.packed())
    for name, value in vars(SIX).items():
        np.testing.assert_array_equal(getattr(found, name), value)


@pytest.mark.parametrize("degrees", [0.0, 25.0, -80.0, 170.0])
def test_window_is_upright_and_holds_the_face(degrees):
    points = turned(SQUARE, degrees) + np.array([300, 200])
    window = window_of_points(points, SIX)
    np.testing.assert_allclose(window.centre, [300, 200], atol=1e-9)
    assert np.degrees(window.roll) == pytest.approx(degrees)
    assert window.side == pytest.approx(100 / FILL)


def test_window_around_mediapipes_points():
    mesh = np.zeros((478, 3))
    mesh[10], mesh[152] = (200, 100, 0), (200, 300, 0)
    mesh[mesh[:, 0] == 0] = (200, 200, 0)
    window = window_of_mesh(mesh)
    assert window.roll == pytest.approx(0)
    assert window.side == pytest.approx(200 / FILL)


def test_untrained_network_sees_its_mean_wherever_it_looks(tmp_path):
    weights = saved(tmp_path / "points.safetensors")
    picture = np.random.default_rng(0).integers(0, 255, (400, 500, 3)).astype(np.uint8)
    seen = see_points(picture, Window(np.array([250.0, 200.0]), 200.0), weights)
    assert seen.points.shape == (6, 3)
    np.testing.assert_array_equal(seen.vertices, SIX.vertices)
    np.testing.assert_allclose(seen.points[:, :2].mean(0), [250, 200], atol=0.5)
    across = np.ptp(seen.points[:, 0])
    assert across / seen.window.side == pytest.approx(60 / 256, rel=0.02)  # the mean's, in the settled window
    assert (seen.deviation > 0).all()
    assert 0 < seen.face < 1


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"nowhere\.safetensors"):
        load_points_network(tmp_path / "nowhere.safetensors")


def test_damaged_file_is_named(tmp_path):
    path = saved(tmp_path / "points.safetensors")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ModelFileError, match="damaged"):
        load_points_network(path)


@pytest.mark.parametrize("other", [{"network": "parts"}, {"points": {"vertices": [1, 2]}}, {"size": {"rank": 9}}])
def test_another_network_is_refused(tmp_path, other):
    with pytest.raises(ModelFileError, match="another network"):
        load_points_network(saved(tmp_path / "points.safetensors", **other))
