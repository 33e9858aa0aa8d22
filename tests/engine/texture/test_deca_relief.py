"""Wrinkles by the user's DECA."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from engine import regressors
from engine.camera import Camera
from engine.errors import ModelFileError
from engine.fitting.result import HeadFit
from engine.heads.loader import load_head
from engine.models.registry import DECA
from engine.options import ReconstructOptions
from engine.texture.deca_relief import deca_maps

OPEN = load_head()
FLAME = replace(OPEN, name="flame", provenance={"files": "generic_model.pkl, head_template.obj"})
SIZE = 256
PHOTO = np.full((400, 300, 3), 128, np.uint8)


@dataclass
class Bump:
    """A network that answers one bump of a millimetre, and remembers what it saw."""

    seen: np.ndarray | None = None

    def predict(self, images: np.ndarray) -> dict[str, np.ndarray]:
        self.seen = images
        y, x = np.mgrid[:256, :256]
        return {"displacement": 0.001 * np.exp(-((x - 128) ** 2 + (y - 100) ** 2) / 200.0)[None].astype(np.float32)}


def fit() -> HeadFit:
    view = np.diag([1.0, -1.0, -1.0, 1.0])
    view[2, 3] = 1.0
    camera = Camera(np.array([[900.0, 0, 150], [0, 900.0, 200], [0, 0, 1]]), view, 300, 400)
    none = np.zeros(3, np.float32)
    head = OPEN.vertices
    return HeadFit(camera, none, none, none, head, head, OPEN.joints, np.zeros((478, 2), np.float32))


@pytest.fixture
def options(tmp_path: Path) -> ReconstructOptions:
    (tmp_path / DECA.files[0]).write_bytes(b"not read here")
    return ReconstructOptions(model_folder=tmp_path, device="cpu", detail="deca")


def test_the_displacement_becomes_height_and_normals(options, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Bump()
    monkeypatch.setattr(regressors, "load", lambda kind, path, device: network)

    maps = deca_maps(FLAME, fit(), PHOTO, SIZE, options)

    assert network.seen is not None
    assert network.seen.shape == (1, 224, 224, 3)
    assert maps.height[100, 128] == pytest.approx(0.001, rel=0.02)
    assert np.abs(maps.height[:20]).max() < 1e-5
    assert not maps.explained.any()
    assert maps.normal.shape == (SIZE, SIZE, 3)
    assert maps.normal.std() > 1


@pytest.mark.parametrize("head", [OPEN, replace(FLAME, provenance={"files": "generic_model.pkl"})])
def test_heads_in_another_layout_are_refused(head, options) -> None:
    with pytest.raises(ModelFileError, match="texture layout") as caught:
        deca_maps(head, fit(), PHOTO, SIZE, options)
    assert "head_template.obj" in caught.value.cure


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="DECA"):
        deca_maps(FLAME, fit(), PHOTO, SIZE, ReconstructOptions(model_folder=tmp_path))
