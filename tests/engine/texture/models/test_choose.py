"""Which texture model a choice means."""

from __future__ import annotations

import pytest
import torch

from engine.errors import EngineError, ModelFileError
from engine.heads.loader import load_head
from engine.texture.models.choose import texture_model
from engine.texture.models.model import TextureModel


@pytest.mark.parametrize("choice", ["linear", "ganfit"])
def test_bundled_models_paint_the_heads_skin(choice: str) -> None:
    model = texture_model(choice, None, load_head())

    assert isinstance(model, TextureModel)
    mean = model.albedo(model.start()[None])[0]
    skin = mean[:, model.coverage > 0.99]
    assert mean.shape == (3, model.size, model.size)
    assert 0.2 < float(skin.mean()) < 0.8
    assert torch.all(skin.mean(1).diff() < 0), "skin is redder than green, greener than blue"


def test_the_users_generator_goes_before_the_bundled_one(tmp_path) -> None:
    (tmp_path / "texgan_ffhq_uv.pth").write_bytes(b"no network")

    with pytest.raises(ModelFileError, match=r"texgan_ffhq_uv\.pth"):
        texture_model("ganfit", tmp_path, load_head())


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(EngineError, match="painted"):
        texture_model("painted", None, load_head())
