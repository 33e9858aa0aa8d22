"""A portrait becomes a FLAME head: a file in FLAME's format, and the same pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import looking, pipeline
from engine.errors import ModelFileError
from engine.fitting.brought import Start
from engine.heads.loader import load_head
from engine.heads.skinning import Controls, pose
from engine.options import ReconstructOptions
from engine.progress import Progress
from engine.result import Reconstruction
from tests.engine.heads.flame_toy import write_toy_flame


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> ReconstructOptions:
    folder = tmp_path_factory.mktemp("models")
    write_toy_flame(folder)
    return ReconstructOptions(
        quality="draft", texture_size=512, device="cpu", hair="bald", head_model="flame", model_folder=folder
    )


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from engine.media.write import write_png

    data = pytest.importorskip("skimage.data")
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    write_png(path, data.astronaut())
    return path


@pytest.fixture(scope="module")
def found(photo: Path, options: ReconstructOptions) -> Reconstruction:
    return pipeline.solve(photo, options, Progress())[0]


def test_the_face_is_met(found: Reconstruction) -> None:
    assert found.report["head_model"] == "flame"
    assert found.report["errors"]["mean"] < 0.02
    assert found.expression_names[:3] == load_head().expression_names[:3]


def test_the_skin_is_the_photos_and_the_eyes_are_eyes(found: Reconstruction) -> None:
    """The photo's skin is bright and reddish; the base skin's irises came along in the photo's brown."""
    corners = found.uv_faces[found.face_region[found.faces].all(1)]
    places = found.uv[corners].mean(1)
    rows, columns = ((1 - places[:, 1]) * 512).astype(int), (places[:, 0] * 512).astype(int)
    skin = found.albedo[rows, columns].astype(float)
    assert skin[:, 0].mean() > 1.15 * skin[:, 2].mean()
    assert skin.mean() > 120
    eyes = [found.material_names.index(name) for name in ("eye.L", "eye.R")]
    of_eyes = np.isin(found.polygon_materials, eyes)
    places = found.uv[found.uv_polygons[of_eyes][:, :3]].mean(1)
    eye = found.albedo[((1 - places[:, 1]) * 512).astype(int), (places[:, 0] * 512).astype(int)].astype(float)
    assert eye.mean(1).min() < 60 < 140 < eye.mean(1).max()


def test_flames_own_parameters_come_with_it(found: Reconstruction, options: ReconstructOptions) -> None:
    """And posed by FLAME's published layer they give the head, but for the refinement, the size and the units'
    remainder."""
    assert found.own is not None
    assert len(found.own.shapes) == options.identity_keys
    assert found.own.expressions.shape == (100, len(found.vertices), 3)
    assert len(found.own.correctives) == 36
    numbers = found.report["parameters"]
    assert {name: len(values) for name, values in numbers.items()} == {
        "shape": 300, "expression": 100, "jaw_pose": 3, "left_eye_pose": 3, "right_eye_pose": 3,
    }  # fmt: skip
    model = load_head("flame", options.model_folder).published
    assert model is not None
    acted = pose(model, Controls(**{name: np.array([values]) for name, values in numbers.items()}))
    moved = acted.vertices[0].numpy() - model.shape(np.array(numbers["shape"]))
    wanted = found.posed_vertices - found.vertices
    face = found.face_region
    assert np.linalg.norm(moved - wanted, axis=1)[face].mean() < 0.35 * np.linalg.norm(wanted, axis=1)[face].mean()


def test_a_head_can_be_taken_as_a_regressor_gives_it(
    photo: Path, options: ReconstructOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fast: only camera and pose are solved."""
    identity = np.zeros(300)
    identity[:2] = 0.8, -0.6
    answer = Start(identity, {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5})
    monkeypatch.setattr(looking, "ask_regressor", lambda *_: answer)

    found = pipeline.solve(photo, replace(options, start="fast"), Progress())[0]

    np.testing.assert_allclose(found.identity, identity, atol=1e-6)
    assert found.expression.sum() == pytest.approx(1.0, abs=1e-6)
    assert found.report["errors"]["mean"] < 0.12


def test_without_the_file_the_error_says_where_to_get_it(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="FLAME") as caught:
        pipeline.solve(photo, ReconstructOptions(head_model="flame", model_folder=tmp_path), Progress())
    assert "flame.is.tue.mpg.de" in str(caught.value)
