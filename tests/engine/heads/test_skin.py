"""The bundled base skin: sizes, soft masks in the right places, believable colours, clear errors."""

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.heads import skin as skin_module
from engine.heads.loader import load_head
from engine.heads.skin import REGION_NAMES, load_base_skin
from engine.texture.surface import uv_surface

SIZE = 512


@pytest.fixture(scope="module")
def surface():
    return uv_surface(load_head("open"), SIZE)


@pytest.fixture(scope="module")
def base():
    return load_base_skin(SIZE)


@pytest.mark.parametrize("size", [256, 2048])
def test_every_size_can_be_had(size: int) -> None:
    base = load_base_skin(size)
    assert base.albedo.shape == (size, size, 3)
    assert base.albedo.dtype == np.uint8
    assert tuple(base.regions) == REGION_NAMES
    mask = base.regions["lips"]
    assert mask.shape == (size, size)
    assert mask.dtype == np.float32
    assert (mask.min(), mask.max()) == (0, 1)
    with pytest.raises(KeyError):
        base.regions["tail"]


def test_sizes_agree(base) -> None:
    small = load_base_skin(256).albedo.astype(float)
    large = base.albedo.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - large).mean() < 1.0


def test_regions_lie_on_their_part_of_the_head(base, surface) -> None:
    head = load_head("open")
    places = surface.picture(surface.gather(head.vertices, head.faces))
    material = surface.picture(head.face_materials[surface.faces].astype(float), fill=-1)
    eyes = [head.material_names.index(name) for name in ("eye.L", "eye.R")]
    centre = {name: places[base.regions[name] > 0.5] for name in REGION_NAMES}
    assert np.isin(material[base.regions["iris"] > 0.99], eyes).all()
    assert np.isin(material[base.regions["sclera"] > 0.99], eyes).all()
    for name in ("brow", "lips", "scalp", "beard", "nostril"):
        assert (material[base.regions[name] > 0.99] == head.material_names.index("skin")).all()
        assert centre[name][:, 0].mean() == pytest.approx(0, abs=0.004)
    heights = [centre[name][:, 1].mean() for name in ("beard", "lips", "nostril", "sclera", "brow", "scalp")]
    assert heights == sorted(heights)
    assert centre["scalp"][:, 2].mean() < centre["brow"][:, 2].min()


def test_colours_are_those_of_a_person(base) -> None:
    def mean(name: str) -> np.ndarray:
        return base.albedo[base.regions[name] > 0.99].mean(axis=0)

    face, lips, iris, white = mean("beard"), mean("lips"), mean("iris"), mean("sclera")
    assert face[0] > face[1] > face[2] > 90
    assert lips[0] / lips[1] > face[0] / face[1] + 0.1
    assert iris.max() < 120
    assert white.min() > 150
    assert np.ptp(white) < 40


def test_there_is_no_painted_brow_and_no_painted_light(base) -> None:
    brow, beard = base.regions["brow"] > 0.99, base.regions["beard"] > 0.99
    gray = base.albedo.astype(float).mean(axis=2)
    assert abs(gray[brow].mean() - gray[beard].mean()) < 12
    left, right = gray[:, : SIZE // 2][beard[:, : SIZE // 2]], gray[:, SIZE // 2 :][beard[:, SIZE // 2 :]]
    assert abs(left.mean() - right.mean()) < 2


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_missing_or_broken_file_is_named(tmp_path, monkeypatch, content: bytes | None) -> None:
    monkeypatch.setattr(skin_module, "DATA_FOLDER", tmp_path)
    if content is not None:
        (tmp_path / skin_module.BASE_SKIN).write_bytes(content)
    skin_module._load.cache_clear()
    with pytest.raises(ModelFileError, match=skin_module.BASE_SKIN):
        load_base_skin(SIZE)
    skin_module._load.cache_clear()
