"""Texels know their place on the head, and their twin on the other side."""

import cv2
import numpy as np
import pytest

from engine.heads.loader import load_head
from engine.texture.complete import Layer, blend, match, mirrored, spread, to_vertices
from engine.texture.surface import uv_surface, vertex_normals

SIZE = 256


@pytest.fixture(scope="module")
def head():
    return load_head("open")


@pytest.fixture(scope="module")
def surface(head):
    return uv_surface(head, SIZE)


@pytest.fixture(scope="module")
def points(head, surface):
    return surface.gather(head.vertices, head.faces)


def test_the_twin_of_a_texel_lies_mirrored_in_space(head, surface, points):
    twin = cv2.remap(surface.padded(surface.picture(points)), surface.mirror_map, None, cv2.INTER_LINEAR)
    distance = np.linalg.norm(twin[surface.mask] - points * [-1, 1, 1], axis=1)
    on_skin = head.face_materials[surface.faces] == head.material_names.index("skin")
    assert np.percentile(distance[on_skin], 95) < 5e-4


def test_padding_changes_no_island_and_leaves_no_hole(surface, points):
    picture = surface.picture(points, fill=np.nan)
    padded = surface.padded(picture)
    assert np.isfinite(padded).all()
    np.testing.assert_array_equal(padded[surface.mask], picture[surface.mask])


def test_normals_point_out_of_the_face(head):
    normals = vertex_normals(head.vertices, head.faces)
    np.testing.assert_allclose(np.linalg.norm(normals[head.regions["face"]], axis=1), 1, atol=1e-5)
    tip = np.argmax(np.where(head.regions["face"], head.vertices[:, 2], -np.inf))
    assert normals[tip, 2] > 0.7


def test_vertex_means_return_a_linear_field(head, surface, points):
    means, trust = to_vertices(points, np.ones(len(points)), surface, head)
    seen = trust > 0
    assert np.median(np.linalg.norm(means[seen] - head.vertices[seen], axis=1)) < 2e-3


def test_matching_finds_a_constant_tint_everywhere_from_one_side(head, surface, points):
    source = np.full((len(points), 3), 0.3, np.float32)
    tint = np.array([1.5, 1.0, 0.6], np.float32)
    matched = match(source, source * tint, (points[:, 0] > 0).astype(np.float32), surface, head)
    np.testing.assert_allclose(matched, source * tint, rtol=0.02)


def test_spreading_one_color_fills_the_head(head, surface, points):
    color = np.array([0.5, 0.3, 0.2], np.float32)
    spot = (np.abs(points - points.mean(0)).max(1) < 0.03).astype(np.float32)
    color_known = np.where(spot[:, None] > 0, color, 99).astype(np.float32)
    np.testing.assert_allclose(spread(color_known, spot, surface, head), np.tile(color, (len(points), 1)), rtol=0.02)


def test_the_mirrored_layer_shows_the_other_side(surface, points):
    left = (points[:, 0] > 0.01).astype(np.float32)
    twin = mirrored(Layer(np.repeat(left[:, None], 3, 1), left), surface)
    assert twin.weight[points[:, 0] < -0.015].mean() > 0.9
    assert twin.weight[points[:, 0] > 0.015].mean() < 0.02


def test_blending_prefers_the_photo_then_its_mirror():
    ones = np.ones((1, 3), np.float32)
    for direct, twin, expected in ((1.0, 1.0, 0.9), (0.0, 0.0, 0.1)):
        mixed = blend(
            Layer(0.9 * ones, np.array([direct], np.float32)),
            Layer(0.5 * ones, np.array([twin], np.float32)),
            0.1 * ones,
        )
        np.testing.assert_allclose(mixed, expected * ones, rtol=1e-6)
