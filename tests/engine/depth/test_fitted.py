"""Several photos of one person for a depth mesh: the first gives depth, others colour what it shows at a slant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.camera import Camera
from engine.depth import fitted
from engine.depth.depth_map import Depth
from engine.depth.fitted import fit_photos
from engine.depth.mesh import DepthMesh, MeshOptions, mesh_of
from engine.depth.options import DepthOptions
from engine.depth.sides import SLANT, side_shots
from engine.depth.view import View
from engine.errors import DeviceError, FaceError
from engine.heads.loader import load_head
from engine.media.read import read_photo
from engine.media.write import write_png
from engine.progress import Progress

OPTIONS = DepthOptions(device="cpu", resolution=192)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A portrait, the same one smaller, one without a face."""
    import cv2

    data = pytest.importorskip("skimage.data")
    folder = tmp_path_factory.mktemp("photos")
    pixels = data.astronaut()
    wall = np.full((128, 128, 3), 120, np.uint8)
    for name, picture in (("a", pixels), ("b", cv2.resize(pixels, (420, 420))), ("wall", wall)):
        write_png(folder / f"{name}.png", picture)
    return [folder / "a.png", folder / "b.png", folder / "wall.png"]


@pytest.fixture(autouse=True, scope="module")
def _looked_at_once() -> Iterator[None]:
    """Each photo is fitted once for all tests."""
    from engine import photos as looks

    seen, look_at = {}, looks.look_at

    def remembered(number: int, path: Path, *rest: Any) -> Any:
        if path not in seen:
            seen[path] = look_at(number, path, *rest)
        return replace(seen[path], number=number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looks, "look_at", remembered)
        yield


def test_one_head_stands_in_all_photos_and_bad_ones_are_named(photos: list[Path]) -> None:
    first, *more = photos
    found = fit_photos(read_photo(first), more, load_head(), OPTIONS, Progress())
    assert found.names == ("b.png",)
    assert any(text.startswith("wall.png is left out: No face") for text in found.warnings)
    (other,) = found.others
    apart = np.linalg.norm(found.view.vertices - other.vertices, axis=1)
    assert apart.mean() < 1e-3  # one shape; the expression is each photo's own
    assert np.abs(found.view.joints - other.joints).max() == 0
    ears = found.view.head.regions["ears"]
    here, there = (view.camera.project(view.vertices[ears]).mean(0) / view.factor for view in (found.view, other))
    shift = (here + found.view.origin) / 512 - (there + other.origin) / 420
    assert np.abs(shift).max() < 0.01


def test_another_person_is_left_out(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from engine import photos as looks

    seen = looks.look_at

    def stranger(number: int, *rest: object) -> object:
        look = seen(number, *rest)
        return look if number == 0 else replace(look, embedding=-look.embedding)

    monkeypatch.setattr(looks, "look_at", stranger)
    found = fit_photos(read_photo(photos[0]), photos[1:2], load_head(), OPTIONS, Progress())
    assert found.others == ()
    assert "b.png is left out: It seems to show another person than a.png." in found.warnings


def test_without_more_photos_it_is_the_fit_of_one(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitted, "fit_photo", lambda *arguments: arguments)
    given = (read_photo(photos[0]), load_head(), OPTIONS, Progress())
    assert fit_photos(given[0], (), *given[1:]) == given


def test_too_little_memory_is_said_before_the_other_photos_are_looked_at(
    photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitted, "free_memory", lambda: 1)
    monkeypatch.setattr(fitted, "_others", lambda *rest: pytest.fail("too late"))
    with pytest.raises(DeviceError):
        fit_photos(read_photo(photos[0]), photos[1:], load_head(), OPTIONS, Progress())


def test_the_first_photo_must_show_a_face(photos: list[Path]) -> None:
    with pytest.raises(FaceError, match=r"wall\.png"):
        fit_photos(read_photo(photos[2]), photos[:1], load_head(), OPTIONS, Progress())


@pytest.fixture(scope="module")
def mesh(view: View, bare: np.ndarray) -> DepthMesh:
    mask = np.isfinite(bare) & view.mask
    return mesh_of(
        Depth(np.where(mask, bare, np.nan).astype(np.float32), mask, mask.astype(np.float32), view.camera),
        MeshOptions(faces=None),
    )


def turned(view: View, degrees: float) -> View:
    """The view of a camera further round the head, all skin, half as bright."""
    a = np.radians(degrees)
    matrix = view.camera.world_to_camera.copy()
    matrix[:3, :3] = matrix[:3, :3] @ [[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
    camera = Camera(view.camera.K, matrix, view.camera.width, view.camera.height)
    full = np.ones(view.shape, np.float32)
    pixels = np.full((*view.shape, 3), 60, np.uint8)
    return replace(view, camera=camera, pixels=pixels, person=full, skin=full, hair=0 * full, eyes=0 * full)


def test_sides_are_taken_from_a_photo_that_shows_them(view: View, mesh: DepthMesh) -> None:
    """A camera from the side gives what the first sees at a slant, as bright as the first photo is."""
    first = replace(view, skin=np.ones(view.shape, np.float32), hair=np.zeros(view.shape, np.float32))
    front = np.full((*view.shape, 3), 120, np.uint8)
    (shot,) = side_shots(mesh, first, [turned(first, 50)], front)
    assert shot.mask.shape == (shot.camera.height, shot.camera.width) == shot.pixels.shape[:2]
    assert np.median(shot.pixels[shot.mask]) == pytest.approx(120, abs=2)
    row, column = np.argwhere(shot.mask).T
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    towards = first.camera.position - corners.mean(1)
    cosine = (normals * towards).sum(1) / np.linalg.norm(normals, axis=1) / np.linalg.norm(towards, axis=1)
    cells = np.floor(shot.camera.project(corners.mean(1))).astype(int)
    taken = set(zip(column.tolist(), row.tolist(), strict=True))
    shown = np.array([(x, y) in taken for x, y in cells.tolist()])
    assert shown.sum() > 50
    assert np.median(cosine[shown]) < SLANT


def test_a_photo_that_shows_nothing_better_or_other_clothes_gives_nothing(view: View, mesh: DepthMesh) -> None:
    front = np.full((*view.shape, 3), 120, np.uint8)
    assert side_shots(mesh, view, [view], front) == []
    bare = turned(view, 50)
    dressed = replace(bare, skin=0 * bare.skin)
    assert side_shots(mesh, replace(view, skin=0 * view.skin, eyes=view.skin), [dressed], front) == []
