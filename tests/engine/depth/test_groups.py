"""What is skin, hair and cloth on a depth mesh."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.depth.export import export_depth_glb
from engine.depth.glb import GROUPS, read_mesh
from engine.depth.groups import shares_of, vertex_groups
from engine.depth.mesh import MeshOptions, mesh_of
from engine.depth.view import View
from engine.perception.regions import REGIONS

from .conftest import network_view
from .toy_depth import ball


def share(view: View, name: str) -> np.ndarray:
    return shares_of(view)[GROUPS.index(name)]


def test_the_masks_say_what_is_what(view: View) -> None:
    shares = shares_of(view)
    assert shares.sum(0)[view.mask] == pytest.approx(1.0, abs=1e-5)
    assert shares.sum(0)[~view.mask] == pytest.approx(0.0)
    sure = view.mask & (view.skin + view.hair > 0.99)
    assert share(view, "skin")[sure] == pytest.approx(view.skin[sure])
    assert share(view, "hair")[sure] == pytest.approx(view.hair[sure])
    below = view.mask & (view.skin + view.hair < 0.01)
    assert below.any()
    assert share(view, "cloth")[below].min() == pytest.approx(1.0)


def test_glasses_eyes_and_mouth_are_cut_out_of_the_skin(view: View) -> None:
    spot = np.zeros(view.shape, np.float32)
    row, column = (int(place) for place in np.argwhere(view.skin > 0.5).mean(0))
    spot[row : row + 6, column : column + 6] = 1
    for name, changed in (
        ("eyes", replace(view, eyes=spot)),
        ("mouth", replace(view, mouth=spot)),
        ("glasses", replace(view, frames=spot)),
    ):
        assert share(changed, name)[spot > 0].min() == pytest.approx(1.0)
        assert share(changed, "skin")[spot > 0].max() == 0.0


def test_a_beard_that_the_masks_leave_out_is_skin(view: View) -> None:
    """The network says hair where the masks say neither skin nor hair; without it that would be cloth."""
    rows = np.arange(view.shape[0])[:, None]
    chin = (view.skin > 0.5) & (rows > np.argwhere(view.skin > 0.5)[:, 0].mean())
    shaved = np.where(chin, 0, view.skin).astype(np.float32)
    parts = network_view(np.zeros(view.shape, np.float32), view.person)
    regions = np.zeros_like(parts.regions)
    regions[REGIONS.index("hair")], regions[REGIONS.index("background")] = view.person, 1 - view.person
    bearded = replace(view, skin=shaved, parts=replace(parts, regions=regions))
    inside = chin & view.mask
    assert share(bearded, "skin")[inside].mean() > 0.95
    assert share(replace(bearded, parts=None), "cloth")[inside].mean() > 0.95


def test_weights_go_with_the_vertices_into_the_file_and_back(tmp_path: Path) -> None:
    depth = ball(48)
    mesh = mesh_of(depth, MeshOptions(faces=None, close_back=True))
    shares = np.zeros((len(GROUPS), 48, 48), np.float32)
    shares[GROUPS.index("hair"), :24], shares[GROUPS.index("cloth"), 24:] = 1, 1
    groups = vertex_groups(shares, depth.camera, mesh.vertices)
    assert set(groups) == {"hair", "cloth"}
    rows = depth.camera.project(mesh.vertices.astype(np.float64))[:, 1]
    assert (groups["hair"] == 1)[rows < 23].all()  # the back is what the front before it is
    assert (groups["cloth"] == 1)[rows > 25].all()
    assert groups["hair"] + groups["cloth"] == pytest.approx(np.ones(len(mesh.vertices)), abs=1e-5)
    picture = np.full((48, 48, 3), 90, np.uint8)
    export_depth_glb(mesh, picture, mesh.uv * [0.5, 1], tmp_path / "mesh.glb", groups)
    stored = read_mesh(tmp_path / "mesh.glb")
    assert set(stored.groups) == {"hair", "cloth"}
    up = depth.camera.project(stored.vertices.astype(np.float64))[:, 1]
    assert stored.groups["hair"][up < 23].min() == 1
    assert stored.groups["hair"][up > 25].max() == 0


def test_old_files_have_no_groups(tmp_path: Path) -> None:
    mesh = mesh_of(ball(32), MeshOptions(faces=None))
    export_depth_glb(mesh, np.full((32, 32, 3), 90, np.uint8), mesh.uv, tmp_path / "mesh.glb")
    assert read_mesh(tmp_path / "mesh.glb").groups == {}
