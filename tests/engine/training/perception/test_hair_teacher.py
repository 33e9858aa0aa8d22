"""MediaPipe's hair network in torch, and the reader of its file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from engine.errors import ModelFileError
from engine.media.read import read_photo
from engine.perception.crop import Window, window_around
from engine.perception.landmarks import find_face
from engine.training.perception.hair_teacher import OPERATORS, HairTeacher
from engine.training.perception.tflite import SAME_PADDING, Step, read_graph


def step(name: str, stride: int = 1) -> Step:
    values = {"StrideH": stride, "StrideW": stride, "DilationHFactor": 1, "DilationWFactor": 1,
              "Padding": SAME_PADDING, "FusedActivationFunction": 0}  # fmt: skip
    options = SimpleNamespace(**{key: lambda value=value: value for key, value in values.items()})
    return Step(name, (), (), options, b"")


def test_same_padding_puts_the_odd_pixel_last() -> None:
    ramp = torch.arange(16.0).reshape(1, 1, 4, 4)
    (found,) = OPERATORS["CONV_2D"](step("CONV_2D", 2), [ramp, torch.ones(1, 1, 3, 3), torch.zeros(1)])
    # With stride 2, size 4 and three taps one pixel is missing, below and to the right.
    assert found.shape == (1, 1, 2, 2)
    assert found[0, 0, 0, 0] == ramp[0, 0, :3, :3].sum()
    assert found[0, 0, 1, 1] == ramp[0, 0, 2:, 2:].sum()


def test_unpooling_puts_values_back_where_they_were() -> None:
    values = torch.tensor([[[[1.0, 5.0], [2.0, 3.0]]]])
    pooled, places = OPERATORS["MaxPoolingWithArgmax2D"](step(""), [values])
    assert pooled.item() == 5.0
    (back,) = OPERATORS["MaxUnpooling2D"](step(""), [pooled, places])
    assert back.tolist() == [[[[0.0, 5.0], [0.0, 0.0]]]]


def test_transposed_convolution_doubles_the_size() -> None:
    values = torch.zeros(1, 1, 3, 3)
    values[0, 0, 1, 1] = 1.0
    kernel = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    (found,) = OPERATORS["Convolution2DTransposeBias"](step(""), [values, kernel, torch.zeros(1)])
    assert found.shape == (1, 1, 6, 6)
    assert torch.equal(found[0, 0, 2:5, 2:5], kernel[0, 0])
    assert found.sum() == kernel.sum()


def test_other_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(b"something else")
    for path in (other, tmp_path / "missing.tflite"):
        with pytest.raises(ModelFileError, match=path.name):
            read_graph(path)


def test_the_network_tells_hair_from_face_and_wall(shared: Path) -> None:
    photo = read_photo(shared / "data" / "photos" / "M001228.jpg")  # curls
    face = find_face(photo)
    tight = window_around(face.landmarks, 1.0)
    crop = np.ascontiguousarray(Window(tight.centre, tight.side * 2.4, tight.roll).cut(photo.pixels, 512))
    hair = HairTeacher(shared / "data" / "nets" / "hair_segmentation.tflite")(crop)
    assert hair.shape == (512, 512)
    assert 0.2 < hair.mean() < 0.35
    assert hair[250:300, 236:276].max() < 0.1  # the nose
    assert hair[:40, :40].max() < 0.1  # the wall
    assert hair[120:160, 240:272].min() > 0.5 or hair[90:130, 240:272].min() > 0.5  # above the brow
    mirrored = HairTeacher(shared / "data" / "nets" / "hair_segmentation.tflite")(cv2.flip(crop, 1))
    assert np.abs(mirrored[:, ::-1] - hair).mean() < 0.03
