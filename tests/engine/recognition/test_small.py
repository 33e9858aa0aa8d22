"""The bundled recognition network: its file, its shapes, and that it knows people again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.media.read import read_photo
from engine.models.registry import FACE_RECOGNITION
from engine.perception.landmarks import find_face
from engine.recognition.load import MANIFEST, load_small
from engine.recognition.small import SIDE, Block, SmallRecognition, from_face_api

PAIRS = 5


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(1)


@pytest.fixture(scope="module")
def people(shared: Path) -> NDArray[np.float32]:
    """(5,2,128) embeddings of five people, two photos each."""
    folder = shared / "data" / "portraits"
    if not (folder / "same_person_pairs.csv").is_file():
        pytest.skip("needs shared/data/portraits/same_person_pairs.csv")
    with (folder / "same_person_pairs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::6][:PAIRS]
    recogniser = load_small()
    photos = [[read_photo(folder / row[name]) for name in ("first", "second")] for row in rows]
    return np.array([[recogniser.embed(photo.pixels, find_face(photo).landmarks) for photo in two] for two in photos])


def test_one_persons_photos_are_nearer_than_two_peoples(people: NDArray[np.float32]):
    flat = people.reshape(2 * PAIRS, -1)
    distances = np.linalg.norm(flat[:, None] - flat[None], axis=-1)
    person = np.arange(2 * PAIRS) // 2
    others = distances[person[:, None] != person]
    same = distances[np.arange(0, 2 * PAIRS, 2), np.arange(1, 2 * PAIRS, 2)]
    assert same.max() < load_small().different < others.min()


def test_embeddings_have_length_one(people: NDArray[np.float32]):
    np.testing.assert_allclose(np.linalg.norm(people, axis=-1), 1, atol=1e-5)


def test_shapes_and_gradients():
    """128 numbers and four stages of activations; the picture gets gradients, the weights none."""
    network = load_small().network
    picture = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).requires_grad_()
    embedding, activations = network(picture)
    assert embedding.shape == (2, 128)
    assert [tuple(a.shape[1:]) for a in activations] == [(32, 35, 35), (64, 17, 17), (128, 8, 8), (256, 2, 2)]
    (slopes,) = torch.autograd.grad(embedding.sum(), picture)
    assert slopes.isfinite().all()
    assert slopes.abs().max() > 0
    assert not any(weight.requires_grad for weight in network.parameters())


def test_a_block_that_does_nothing_passes_positive_values_on():
    """Its shortcut is the identity, or the mean of 2x2 with zeros as further channels."""
    x = torch.rand(1, 2, 6, 6)
    for halves, outputs in ((False, 2), (True, 3)):
        block = Block(2, outputs, halves)
        for weight in block.parameters():
            torch.nn.init.zeros_(weight)
        answer = block(x).detach()
        short = torch.nn.functional.avg_pool2d(x, 2) if halves else x
        torch.testing.assert_close(answer[:, :2], short)
        assert (answer[:, 2:] == 0).all()


def test_quantised_weights_are_read_with_scale_and_minimum():
    """Kernels stand as (height, width, in, out), matrices as (in, out)."""
    codes, plain = np.arange(2 * 3 * 1 * 2, dtype=np.uint8), np.array([[1.0, 2.0]] * 256, "<f4")
    entries = [
        {"name": "conv64_1/conv1/conv/filters", "shape": [2, 3, 1, 2], "quantization": {"scale": 0.5, "min": -1.0}},
        {"name": "fc", "shape": [256, 2]},
    ]
    state = from_face_api(entries, codes.tobytes() + plain.tobytes())
    kernel = state["stages.1.1.first.conv.weight"]
    assert kernel.shape == (2, 1, 2, 3)
    assert kernel[1, 0, 1, 2] == 0.5 * 11 - 1
    torch.testing.assert_close(state["fc.weight"], torch.tensor([[1.0] * 256, [2.0] * 256]))
    with pytest.raises(ValueError, match="bytes"):
        from_face_api(entries, codes.tobytes() + plain.tobytes() + b"more")


def test_every_number_of_the_bundled_file_finds_its_place():
    """No two entries end under one name, none is left over, and all have the network's shapes."""
    path = FACE_RECOGNITION.require()
    entries = json.loads((path.parent / MANIFEST).read_text(encoding="utf-8"))[0]["weights"]
    state = from_face_api(entries, path.read_bytes())
    shapes = {name: value.shape for name, value in SmallRecognition().state_dict().items()}
    assert {name: value.shape for name, value in state.items()} == shapes
    assert len(state) == len(entries)
