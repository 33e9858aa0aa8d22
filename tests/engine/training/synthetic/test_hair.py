"""Hair that stands on the head, its meshes, its colours, and how it is stored."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.heads.loader import load_head
from engine.training.synthetic.beards import KINDS as BEARDS
from engine.training.synthetic.beards import beard
from engine.training.synthetic.cards import build_style, read_hair
from engine.training.synthetic.hair import CUTS, beard_colour, brow_colour, hair_colour, shell_style
from engine.training.synthetic.prop_store import props_from_arrays, props_to_arrays
from engine.training.synthetic.propmesh import (
    Mesh,
    cut,
    follow,
    grid_faces,
    mirrored,
    split_edges,
    still_handles,
)
from engine.training.synthetic.scalp import height, lifted

HEAD = load_head()
SHARED = Path(os.environ.get("LIKENESS_SHARED", Path(__file__).parents[4].parent / "shared"))
HAIR = SHARED / "data" / "makehuman_cc0" / "hair"
NEEDS_HAIR = pytest.mark.skipif(not HAIR.is_dir(), reason="MakeHuman's CC0 hair is not beside the clone")


def _sheet(size: int = 9) -> Mesh:
    """A unit square, with x as value."""
    y, x = np.mgrid[:size, :size] / (size - 1)
    places = np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3)
    return Mesh(places, grid_faces(size, size), places[:, :1])


def _area(mesh: Mesh) -> float:
    corners = mesh.vertices[mesh.faces]
    return float(
        np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    )


def _check(prop) -> None:
    count = len(prop.vertices)
    assert prop.vertices.dtype == np.float32
    assert np.isfinite(prop.vertices).all()
    assert prop.faces.min() == 0
    assert prop.faces.max() == count - 1
    assert (np.ptp(prop.faces, axis=1) > 0).all()
    assert prop.colour.shape == (count, 3)
    assert prop.colour.min() >= 0
    assert prop.anchors.shape == prop.weights.shape
    assert prop.anchors.max() < len(HEAD.vertices)
    np.testing.assert_allclose(prop.weights.sum(axis=1), 1, atol=1e-4)


def test_cutting_keeps_the_exact_area() -> None:
    sheet = _sheet()
    part = cut(sheet, sheet.vertices[:, 0] + 0.5 * sheet.vertices[:, 1] - 0.6)
    # The line x = 0.6 - y/2 leaves 1 - (0.6 - 0.25) of the square.
    assert _area(part) == pytest.approx(0.65, abs=1e-9)
    np.testing.assert_allclose(part.values[:, 0], part.vertices[:, 0])
    assert len(cut(sheet, np.full(81, -1.0)).faces) == 0


def test_splitting_edges_opens_no_gap() -> None:
    sheet = _sheet(4)
    split = np.random.default_rng(0).random((len(sheet.faces), 3)) < 0.4
    finer = split_edges(sheet, split)
    assert _area(finer) == pytest.approx(1.0, abs=1e-9)
    edges = np.sort(np.concatenate([finer.faces[:, [0, 1]], finer.faces[:, [1, 2]], finer.faces[:, [2, 0]]]), axis=1)
    _, count = np.unique(edges, axis=0, return_counts=True)
    # Each inner edge has two faces; the rim's own edges are as long as the outline.
    unique = np.unique(edges, axis=0)
    rim = finer.vertices[unique[count == 1]]
    assert count.max() == 2
    assert np.linalg.norm(rim[:, 0] - rim[:, 1], axis=1).sum() == pytest.approx(4.0, abs=1e-9)


def test_followers_move_with_the_head_and_smoothly() -> None:
    points = HEAD.vertices[HEAD.regions["scalp"]] * 1.05
    anchors, weights = follow(HEAD, points)
    assert np.isin(anchors, still_handles(HEAD)).all()
    moved = HEAD.vertices + np.array([0.01, -0.02, 0.03], np.float32)
    shift = ((moved - HEAD.vertices)[anchors] * weights[..., None]).sum(axis=1)
    np.testing.assert_allclose(shift, np.tile([0.01, -0.02, 0.03], (len(points), 1)), atol=1e-6)
    line = np.linspace([-0.06, 0.12, 0.04], [0.06, 0.13, 0.0], 2000)
    anchors, weights = follow(HEAD, line)
    identity = HEAD.shape(np.random.default_rng(1).standard_normal(len(HEAD.identity_basis))) - HEAD.vertices
    carried = (identity[anchors] * weights[..., None]).sum(axis=1)
    assert np.abs(np.diff(carried, axis=0)).max() < 0.0004


def test_what_is_sunk_in_the_skin_is_lifted() -> None:
    scalp = HEAD.vertices[HEAD.regions["scalp"]].astype(float)
    inside = scalp * 0.97
    assert (height(HEAD, inside)[0] < 0).mean() > 0.9
    assert np.quantile(height(HEAD, lifted(HEAD, inside, 0.002))[0], 0.02) > 0.0015


@pytest.mark.parametrize("name", ["buzz", "bun", "bob", "afro"])
def test_cuts_stand_on_the_scalp(name: str) -> None:
    prop = shell_style(HEAD, np.random.default_rng(3), name)
    _check(prop)
    assert prop.region == "hair"
    assert prop.name == f"cut:{name}"
    assert len(prop.faces) < 45_000
    assert prop.colour.mean() == pytest.approx(1, abs=0.1)
    above, _ = height(HEAD, prop.vertices)
    assert (above < -0.003).mean() < 0.02
    crown = HEAD.vertices[HEAD.regions["scalp"] & (HEAD.vertices[:, 1] > 0.12)]
    covered = np.linalg.norm(crown[:, None] - prop.vertices[None, ::3], axis=2).min(axis=1)
    assert covered.max() < 0.06


def test_a_cut_is_drawn_again_by_its_seed() -> None:
    first, again, other = (shell_style(HEAD, np.random.default_rng(seed), "crop") for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.vertices, again.vertices)
    assert first.vertices.shape != other.vertices.shape or not np.allclose(first.vertices, other.vertices)
    assert len({style.name for style in CUTS}) == len(CUTS) >= 16


@pytest.mark.parametrize("kind", BEARDS)
def test_beards_leave_lips_and_forehead_free(kind: str) -> None:
    prop = beard(HEAD, np.random.default_rng(4), kind)
    _check(prop)
    assert prop.vertices[:, 1].max() < 0.05
    lips = HEAD.vertices[HEAD.regions["lips"]].mean(axis=0)
    assert np.linalg.norm(prop.vertices - lips, axis=1).min() > 0.003


def test_a_goatee_follows_the_jaw() -> None:
    prop = beard(HEAD, np.random.default_rng(0), "goatee")
    opened = HEAD.vertices + HEAD.expression_basis[HEAD.expression_names.index("jawOpen")]
    fall = prop.vertices[:, 1] - prop.placed(HEAD.vertices, opened).vertices[:, 1]
    assert np.median(fall) > 0.01


def test_mirroring_twice_changes_nothing() -> None:
    prop = shell_style(HEAD, np.random.default_rng(5), "side part")
    other = mirrored(HEAD, prop)
    np.testing.assert_allclose(other.vertices[:, 0], -prop.vertices[:, 0])
    np.testing.assert_array_equal(mirrored(HEAD, other).anchors, prop.anchors)


def test_colours_are_natural_and_brows_go_with_them() -> None:
    rng = np.random.default_rng(6)
    colours = np.stack([hair_colour(rng) for _ in range(3000)])
    bright = colours.mean(axis=1)
    assert colours.min() > 0
    assert colours.max() < 0.8
    assert 0.4 < (bright < 0.045).mean() < 0.75
    assert 0.08 < (bright > 0.15).mean() < 0.35
    brows = np.stack([brow_colour(colour, rng) for colour in colours])
    natural = colours[:, 0] >= colours[:, 2]
    assert np.corrcoef(np.log(bright[natural]), np.log(brows[natural].mean(axis=1)))[0, 1] > 0.75
    assert brows[bright > 0.25].mean() < 0.7 * colours[bright > 0.25].mean()
    blue = np.array([0.02, 0.05, 0.3])
    assert all(beard_colour(blue, rng)[2] < 0.3 for _ in range(20))


def test_props_survive_storing() -> None:
    kept = [shell_style(HEAD, np.random.default_rng(7), "crop"), beard(HEAD, np.random.default_rng(7), "circle")]
    kept[1] = replace(kept[1], colour=kept[1].colour * np.array([0.3, 0.2, 0.1], np.float32), opacity=0.5)
    arrays = props_to_arrays(kept, "hair.")
    for before, after in zip(kept, props_from_arrays(arrays, "hair."), strict=True):
        assert (before.name, before.region, before.opacity) == (after.name, after.region, after.opacity)
        np.testing.assert_allclose(after.vertices, before.vertices, atol=1e-5)
        np.testing.assert_allclose(after.colour, before.colour, rtol=1e-3)
        np.testing.assert_allclose(after.weights, before.weights, atol=1e-3)
        np.testing.assert_array_equal(after.faces, before.faces)
        np.testing.assert_array_equal(after.anchors, before.anchors)
    assert sum(array.nbytes for array in arrays.values()) < 1.6e6
    del arrays["hair.001.faces"]
    with pytest.raises(ModelFileError, match="damaged"):
        props_from_arrays(arrays, "hair.")


@NEEDS_HAIR
def test_makehumans_hair_stands_on_this_head() -> None:
    prop = build_style(HEAD, HAIR / "short04")
    _check(prop)
    assert 10_000 < len(prop.faces) <= 40_000
    above, _ = height(HEAD, prop.vertices)
    assert (above < -0.002).mean() < 0.05
    crown = prop.vertices[prop.vertices[:, 1] > 0.13]
    assert np.median(height(HEAD, crown)[0]) < 0.02


def test_damaged_hair_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "wig"
    folder.mkdir()
    (folder / "wig.obj").write_text("v 0 0 0\nf 1/1 2/2 x/3\n", encoding="utf-8")
    with pytest.raises(ModelFileError, match="wig"):
        read_hair(folder)
