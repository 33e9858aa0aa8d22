"""One way from a photo to a fit, whoever goes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import looking
from engine.depth import fitted
from engine.depth.options import DepthOptions
from engine.errors import FaceError, ModelFileError
from engine.fitting.brought import Start
from engine.heads.loader import load_head
from engine.looking import FaceLook, look_at_face
from engine.media.photo import Photo
from engine.options import ReconstructOptions
from engine.perception.landmarks import find_face
from engine.perception.masks import make_masks
from engine.photos import look_at
from engine.progress import Progress

DRAFT = ReconstructOptions(quality="draft", device="cpu")
HEAD = load_head()


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Photo:
    from engine.media.read import read_photo
    from engine.media.write import write_png

    data = pytest.importorskip("skimage.data")
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    write_png(path, data.astronaut())
    return read_photo(path)


@pytest.fixture(scope="module")
def look(photo: Photo) -> FaceLook:
    return look_at_face(HEAD, photo, DRAFT)


def test_it_finds_the_face_and_lets_the_networks_look(photo: Photo, look: FaceLook) -> None:
    assert np.array_equal(look.face.landmarks, find_face(photo).landmarks)
    assert look.view.points is not None
    assert look.view.parts is not None
    assert np.array_equal(look.masks.skin, make_masks(photo, look.face, look.view.parts).skin)
    alone = look_at_face(HEAD, photo, DRAFT, look.face, networks=False)
    assert alone.face is look.face
    assert alone.view.parts is None
    assert np.array_equal(alone.masks.skin, make_masks(photo, look.face).skin)


def test_depth_and_several_photos_fit_the_same_head_as_one_photo(photo: Photo, look: FaceLook) -> None:
    """The fit of a reconstruction, of the depth job, and the problem of `photos.look_at` are one."""
    fit = look.fit(Progress())
    of_several = look_at(0, photo.path, HEAD, DRAFT, Progress())
    identity = of_several.solution.state.values[of_several.problem.points.groups["identity"]]
    assert identity == pytest.approx(fit.identity, abs=1e-5)
    standard = look_at_face(HEAD, photo, replace(DRAFT, quality="standard"), look.face)
    depth = fitted.fit_photo(photo, HEAD, DepthOptions(device="cpu", resolution=256), Progress())
    assert np.array_equal(depth.view.vertices, standard.fit(Progress()).posed)


def test_points_and_start_reach_the_depth_jobs_fit(
    photo: Photo, look: FaceLook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another start, another head: what SMIRK would say is put in its place here."""
    asked = []

    def answer(head: object, pixels: object, landmarks: object, options: ReconstructOptions) -> Start:
        asked.append(options)
        return Start(np.full(len(HEAD.identity_basis), 0.5), {"jawOpen": 0.6})

    monkeypatch.setattr(looking, "ask_regressor", answer)
    options = DepthOptions(device="cpu", resolution=256, points="fused", start="fast")
    found = fitted.fit_photo(photo, HEAD, options, Progress())
    assert (asked[0].points, asked[0].start) == ("fused", "fast")
    same = look_at_face(HEAD, photo, replace(DRAFT, points="fused", start="fast"), look.face).fit(Progress())
    assert np.array_equal(found.view.vertices, same.posed)
    assert same.identity == pytest.approx(np.full(len(HEAD.identity_basis), 0.5))
    assert same.expression[HEAD.expression_names.index("jawOpen")] == pytest.approx(0.6)


def test_smirk_without_its_file_is_named(photo: Photo, look: FaceLook, tmp_path: Path) -> None:
    chosen = replace(DRAFT, start="smirk", model_folder=tmp_path)
    with pytest.raises(ModelFileError, match=r"(?i)smirk"):
        _ = look_at_face(HEAD, photo, chosen, look.face).start


def test_no_face_no_look() -> None:
    grey = Photo(Path("wall.png"), np.full((200, 200, 3), 90, np.uint8))
    with pytest.raises(FaceError, match=r"wall\.png"):
        look_at_face(HEAD, grey, DRAFT)
