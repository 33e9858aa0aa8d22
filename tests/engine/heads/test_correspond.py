"""Which place of one head is which of another, measured on a toy whose places are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.heads.complete import complete, open_head_on
from engine.heads.correspond import Schedule, correspond, places_on
from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from tests.engine.heads.flame_toy import ToyFlame, bend


@pytest.fixture(scope="module")
def bare_toy(toy_head: HeadModel) -> HeadModel:
    """The toy without any landmark, completed by its eyes and nose alone."""
    return complete(
        replace(toy_head, embeddings={}, regions={k: toy_head.regions[k] for k in ("skin", "eye.L", "eye.R")})
    )


def errors(found: HeadModel, name: str) -> np.ndarray:
    """(N,) millimetres between a toy's landmarks and the open head's, bent as the toy is."""
    source = load_head("open")
    wanted = bend(source.embeddings[name].positions(source.vertices.astype(float), source.faces))
    places = found.embeddings[name].positions(found.vertices.astype(float), found.faces)
    return 1000 * np.linalg.norm(places - wanted, axis=1)


def test_the_face_finds_its_place_on_the_open_head(toy_head: HeadModel, whole_toy: HeadModel, toy: ToyFlame) -> None:
    source = load_head("open")
    found = places_on(toy_head, source, open_head_on(whole_toy))
    truth = toy.origin.on(source.vertices, source.faces)
    apart = 1000 * np.linalg.norm(found.carry(source.vertices, source.faces) - truth, axis=1)
    for name, median in {"face": 1.2, "lips": 1.8, "nose": 0.6, "ear.L": 1.2}.items():
        rows = toy_head.regions[name] & toy.outer
        assert found.valid[rows].mean() > 0.97, name
        assert np.median(apart[rows & found.valid]) < median, name
    assert not found.valid[~toy_head.regions["skin"]].any()
    np.testing.assert_allclose(found.barycentrics[found.valid].sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(found.carry(np.ones(len(source.vertices)), source.faces)[~found.valid], 0)


def test_the_open_head_finds_its_place_on_another(toy_head: HeadModel) -> None:
    source = load_head("open")
    found = correspond(source, toy_head, Schedule(stiffness=(20, 2)))  # in two steps: coarse, but soon done
    face = source.regions["face"]
    assert found.valid[face].mean() > 0.9
    assert not found.valid[source.regions["teeth"]].any()
    places = found.carry(toy_head.vertices, toy_head.faces)[face & found.valid]
    wanted = bend(source.vertices[face & found.valid].astype(float))
    assert np.median(np.linalg.norm(places - wanted, axis=1)) < 0.003


def test_landmarks_are_found_without_any_landmark_to_start_from(bare_toy: HeadModel) -> None:
    mesh, ibug = errors(bare_toy, "mediapipe"), errors(bare_toy, "ibug")
    assert len(mesh) == 478
    assert np.median(mesh) < 1.2
    assert np.quantile(mesh, 0.95) < 4.5
    assert mesh[468:].max() < 0.6  # the irises
    assert np.median(ibug[17:]) < 1.2


def test_own_landmarks_are_kept_and_the_others_filled_in(whole_toy: HeadModel, toy_head: HeadModel) -> None:
    own, filled = toy_head.embeddings["mediapipe"], whole_toy.embeddings["mediapipe"]
    np.testing.assert_array_equal(filled.faces[own.valid], own.faces[own.valid])
    assert filled.valid.all()
    assert whole_toy.embeddings["ibug"] is toy_head.embeddings["ibug"]
    others = errors(whole_toy, "mediapipe")[~own.valid]
    assert np.median(others) < 1.0


def test_regions_are_the_open_heads(bare_toy: HeadModel, toy: ToyFlame) -> None:
    source = load_head("open")
    assert set(bare_toy.regions) >= set(source.regions)
    shares = {"lips": 0.7, "eyelids": 0.85, "inner_mouth": 0.9, "eye_sockets": 0.9, "nose": 0.9, "scalp": 0.9}
    for name, share in shares.items():  # lips are four triangles wide
        truth = toy.origin.on(source.regions[name].astype(float), source.faces) > 0.5
        mask = bare_toy.regions[name]
        assert (mask & truth).sum() / (mask | truth).sum() > share, name
    assert not bare_toy.regions["teeth"].any()  # it has none


def test_a_head_of_which_nothing_is_known_is_refused(toy_head: HeadModel) -> None:
    nothing = {"skin": np.ones(len(toy_head.vertices), bool)}
    with pytest.raises(ModelFileError, match="neither landmarks nor eyes"):
        complete(replace(toy_head, embeddings={}, regions=nothing))
