"""The fitted head's depth where the photo shows it: between open lips, and at the ears."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from engine.depth.head import RECESS, head_depth
from engine.depth.view import View
from engine.heads.model import HeadModel
from engine.render.rasterize import rasterize_mesh

FINER = 3


@pytest.fixture(scope="module")
def fine(view: View) -> View:
    """The view with pixels of less than a millimetre."""

    def larger(values: np.ndarray) -> np.ndarray:
        return np.kron(values, np.ones((FINER, FINER), np.float32)).astype(np.float32)

    masks = {name: larger(getattr(view, name)) for name in ("person", "skin", "hair", "eyes", "mouth")}
    pixels = view.pixels.repeat(FINER, 0).repeat(FINER, 1)
    return replace(view, pixels=pixels, camera=view.camera.scaled(FINER), factor=float(FINER), **masks)


def drawn(view: View, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth and face of what is nearest."""
    raster = rasterize_mesh(torch.tensor(view.vertices), torch.tensor(faces), view.camera)
    return raster.depth.numpy(), raster.face.numpy()


@pytest.fixture(scope="module")
def smiling(fine: View, head: HeadModel) -> View:
    """Teeth shown, what is seen between the lips in the mask."""
    units = [f"{unit}{side}" for unit in ("mouthSmile", "mouthUpperUp", "mouthLowerDown") for side in ("Left", "Right")]
    smile = sum(head.expression_basis[head.expression_names.index(unit)] for unit in units)
    opened = replace(fine, vertices=(head.vertices + 0.8 * smile).astype(np.float32))
    _, face = drawn(opened, head.faces)
    names = np.array(head.material_names)[head.face_materials]
    inner = np.isin(names, ["teeth", "tongue"]) | head.regions["inner_mouth"][head.faces].all(1)
    mouth = ((face >= 0) & inner[np.maximum(face, 0)]).astype(np.float32)
    assert mouth.sum() > 100
    return replace(opened, mouth=mouth, skin=fine.skin * (1 - mouth))


def test_the_curtain_between_the_lips_hangs_on_the_teeth(smiling: View, head: HeadModel) -> None:
    names = np.array(head.material_names)[head.face_materials]
    teeth, _ = drawn(smiling, head.faces[np.isin(names, ["teeth", "tongue"])])
    nearest, face = drawn(smiling, head.faces)
    shown = (face >= 0) & np.isin(names[np.maximum(face, 0)], ["teeth", "tongue"]) & (smiling.mouth > 0)
    found = head_depth(smiling).depth
    lips = head.regions["lips"][head.faces].all(1)
    front = nearest[(face >= 0) & lips[np.maximum(face, 0)]].min()
    well_inside = shown & (cv2.erode(smiling.mouth, np.ones((5, 5), np.uint8)) > 0)
    assert well_inside.sum() > 100
    assert np.median(np.abs(found - teeth)[well_inside]) < 0.003
    assert found[smiling.mouth > 0].min() > front
    assert np.ptp(found[smiling.mouth > 0]) < np.ptp(nearest[smiling.mouth > 0])  # no dark holes between the rows


def test_a_head_without_teeth_gets_a_plain_curtain(smiling: View, head: HeadModel) -> None:
    toothless = replace(
        head, material_names=tuple("skin" if n in ("teeth", "tongue") else n for n in head.material_names)
    )
    with_teeth = head_depth(smiling).depth
    found = head_depth(replace(smiling, head=toothless)).depth
    inside = smiling.mouth > 0
    assert np.isfinite(found[inside]).all()
    assert not np.allclose(found[inside], with_teeth[inside])
    assert np.abs(found[~inside] - with_teeth[~inside])[np.isfinite(found[~inside])].max() < RECESS[2]


def test_ears_that_the_photo_shows_are_trusted(fine: View, head: HeadModel) -> None:
    """With bare skin everywhere, most of what is seen of the ears is the head's; a cheek seen as much aslant is not."""
    bald = replace(fine, skin=fine.person, hair=np.zeros_like(fine.hair))
    found = head_depth(bald)
    _, face = drawn(fine, head.faces)
    ears = (face >= 0) & head.regions["ears"][head.faces].all(1)[np.maximum(face, 0)]
    assert ears.sum() > 50
    slanted = (found.facing > 0.2) & (found.facing < 0.3)
    assert np.median(found.trust[ears & slanted]) > 0.8
    assert np.median(found.trust[~ears & slanted]) < 0.5
