"""What the engine's own networks change in a reconstruction, and what is left of it without them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import pipeline
from engine.options import ReconstructOptions
from engine.perception import dense, parts
from engine.perception.crop import Window
from engine.perception.parts import PartsObservation
from engine.progress import Progress
from engine.result import Reconstruction

QUICK = ReconstructOptions(quality="draft", texture_size=512, device="cpu")


@pytest.fixture(scope="module")
def astronaut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from engine.media.write import write_png

    data = pytest.importorskip("skimage.data")
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    write_png(path, data.astronaut())
    return path


def solved(photo: Path, options: ReconstructOptions) -> Reconstruction:
    return pipeline.solve(photo, options, Progress())[0]


@pytest.fixture(scope="module")
def by_mediapipe(astronaut: Path) -> Reconstruction:
    return solved(astronaut, QUICK)


@pytest.mark.parametrize("choice", ["dense", "fused"])
def test_other_points_give_another_head_of_the_same_person(
    astronaut: Path, by_mediapipe: Reconstruction, choice: str
) -> None:
    found = solved(astronaut, replace(QUICK, points=choice, hair="bald"))
    assert found.report["points"] == choice
    assert by_mediapipe.report["points"] == "mediapipe"
    assert found.hair is None
    apart = np.linalg.norm(found.vertices - by_mediapipe.vertices, axis=1)[found.face_region]
    assert 1e-4 < apart.mean() < 1e-2
    assert found.report["errors"]["mean"] < 0.06


def test_without_the_networks_a_head_is_finished_and_the_report_says_so(
    astronaut: Path, by_mediapipe: Reconstruction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in ((dense, "POINTS_NETWORK"), (parts, "PARTS_NETWORK")):
        monkeypatch.setattr(module, name, replace(getattr(module, name), bundled=tmp_path))
    found = solved(astronaut, replace(QUICK, points="fused"))
    assert found.report["points"] == "mediapipe"
    assert sum("cannot be used" in warning for warning in found.report["warnings"]) == 2
    np.testing.assert_allclose(found.vertices, by_mediapipe.vertices, atol=1e-6)
    assert found.hair is not None


@pytest.mark.parametrize(
    ("confidence", "used"), [(pipeline.DEPTH_SURE - 0.01, False), (pipeline.DEPTH_SURE + 0.01, True)]
)
def test_only_a_sure_network_shapes_the_hair(
    by_mediapipe: Reconstruction, confidence: float, used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace as Some

    from engine.hair import build

    given: dict[str, object] = {}
    monkeypatch.setattr(build, "make_hair", lambda *_, **options: given.update(options))
    seen = PartsObservation(
        Window(np.array([50.0, 50.0]), 80.0),
        np.full((12, 128, 128), 1 / 12, np.float32),
        np.zeros((128, 128), np.float32),
        confidence,
    )
    fit = Some(posed=None, camera=None)
    photo, masks = Some(pixels=None, height=100, width=100), Some(hair=None)
    assert pipeline.grow_hair(None, fit, photo, masks, seen, None, QUICK) is None
    assert (given["depth"] is not None) == used
