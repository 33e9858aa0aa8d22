"""Gloss by region, and the maps as files."""

import numpy as np
import pytest
from PIL import Image

from engine.errors import OutputError
from engine.heads.loader import load_head
from engine.texture.detail import DetailMaps
from engine.texture.detail_files import HEIGHT_SPAN, read_height, save_maps, write_height
from engine.texture.materials import PLAIN_ROUGHNESS, REGIONS, SLOTS, MaterialMaps, material_maps, zone
from engine.texture.surface import uv_surface

SIZE = 256


@pytest.fixture(scope="module")
def head():
    return load_head("open")


@pytest.fixture(scope="module")
def surface(head):
    return uv_surface(head, SIZE)


def relief(height):
    none = np.zeros(height.shape, np.uint8)
    return DetailMaps(height.astype(np.float16), np.repeat(none[..., None], 3, 2), none, height.astype(np.float16))


def median(picture, head, surface, vertices):
    """Of the texels all of whose corners are among these vertices, 0 to 1."""
    inside = vertices[head.faces].all(1)[surface.faces]
    return float(np.median(surface.flat(picture)[inside])) / 255


def test_parts_have_their_roughness(head, surface):
    maps = material_maps(head, SIZE)
    assert median(maps.roughness, head, surface, head.regions["ears"]) == pytest.approx(0.55, abs=0.01)
    assert median(maps.roughness, head, surface, head.regions["nose"]) == pytest.approx(0.40, abs=0.02)
    shiny = median(maps.roughness, head, surface, zone(head) > 0.9)
    assert shiny == pytest.approx(REGIONS["zone"][0], abs=0.02)
    for slot, name in enumerate(head.material_names):
        if name.split(".")[0] in SLOTS:
            texels = surface.picture((head.face_materials[surface.faces] == slot).astype(np.float32)) > 0.5
            assert np.median(maps.roughness[texels]) == round(255 * SLOTS[name.split(".")[0]][0])


def test_cheeks_are_plain_and_between_zone_and_ears(head, surface):
    points = head.vertices
    cheek = head.regions["face"] & (np.abs(points[:, 0]) > 0.045) & (zone(head) == 0) & ~head.regions["lips"]
    cheek &= np.abs(points[:, 1] - points[head.regions["nose"], 1].mean()) < 0.02
    assert cheek.sum() > 10
    found = median(material_maps(head, SIZE).roughness, head, surface, cheek)
    assert found == pytest.approx(PLAIN_ROUGHNESS, abs=0.015)


def test_both_sides_are_alike_and_borders_are_soft(head, surface):
    rough = material_maps(head, SIZE).roughness.astype(int)
    face = head.regions["face"][head.faces].all(1)[surface.faces]
    columns = surface.mirror_map[..., 0]
    mirrored = np.round(surface.mirror_map).astype(int).clip(0, SIZE - 1)
    twin = rough[mirrored[..., 1], mirrored[..., 0]]
    where = surface.picture(face.astype(np.float32)).astype(bool) & (columns >= 0)
    assert np.abs(rough - twin)[where].mean() < 1.0
    inside = where & np.roll(where, 1, 1)
    assert np.percentile(np.abs(rough - np.roll(rough, 1, 1))[inside], 99) < 12


def test_pits_are_rougher_and_less_specular(head, surface):
    height = np.zeros((SIZE, SIZE))
    height[::8] = -5e-5
    plain, pitted = material_maps(head, SIZE), material_maps(head, SIZE, relief(height))
    pits = surface.picture(head.regions["face"][head.faces].all(1)[surface.faces].astype(np.float32)) > 0.5
    pits[np.arange(SIZE) % 8 != 0] = False
    assert (pitted.roughness.astype(int) - plain.roughness)[pits].min() > 4
    assert (pitted.specular.astype(int) - plain.specular)[pits].max() < -4


def test_heights_come_back_from_16_bits(tmp_path):
    height = np.linspace(-0.0006, 0.0006, 64).reshape(8, 8)
    write_height(tmp_path / "height.png", height)
    with Image.open(tmp_path / "height.png") as picture:
        grey = np.asarray(picture)
    assert grey.max() > 255
    np.testing.assert_allclose(grey / 65535, height / HEIGHT_SPAN + 0.5, atol=1 / 65535)
    np.testing.assert_allclose(read_height(tmp_path / "height.png"), height, atol=HEIGHT_SPAN / 65535)


def test_all_maps_are_written_or_the_folder_is_named(tmp_path):
    gloss = MaterialMaps(np.full((4, 4), 100, np.uint8), np.full((4, 4), 128, np.uint8))
    save_maps(tmp_path, relief(np.zeros((4, 4))), gloss)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["height.png", "normal.png", "roughness.png", "specular.png"]
    with pytest.raises(OutputError, match="missing"):
        save_maps(tmp_path / "missing", relief(np.zeros((4, 4))), gloss)
