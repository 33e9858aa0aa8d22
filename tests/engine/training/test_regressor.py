"""Training of the regressor: losses that are zero at the truth, examples whose truth is known, and a run in small."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.camera import Camera
from engine.errors import ModelFileError
from engine.fitting.size import growth
from engine.heads.loader import load_head
from engine.heads.skin import load_base_skin
from engine.perception.crop import Window
from engine.recognition.load import load_small
from engine.regressors.crop import SIDE, FaceCrop, centred
from engine.regressors.parameters import Parameters
from engine.regressors.regressed import FRONTAL, rotation_matrix, usual_light
from engine.regressors.trained import describe_regressor, load_regressor, regress
from engine.render.differentiable import Topology, render_mesh
from engine.render.lighting import linear_to_srgb, srgb_to_linear
from engine.render.lights import HarmonicLight
from engine.render.pinhole import Pinhole
from engine.training.__main__ import main
from engine.training.regressor.examples import Examples, of_shards, read_examples
from engine.training.regressor.objective import Batch, Pictures, Weights, alignment, supervised, tint
from engine.training.regressor.recipe import read_regressor_recipe
from engine.training.regressor.shapes import Shapes
from engine.training.regressor.task import Learning, RegressorTask
from engine.training.synthetic.shards import read_shard, write_shard

RECIPE = """network = "regressor"
kind = "pooled"

[settings]
width = 16

[learning]
batch = 3
real = 0.0
alignment = 1
drawn = 1
recognised = 1
again = 1

[loop]
steps = {steps}
warm_up = 1
log_every = 1
validate_every = 100
save_every = 100
"""
YAWS = (0.0, 15.0, -20.0, 75.0)
PLAIN = 200
"""Pixels of a plain picture's side."""


@pytest.fixture(scope="module")
def shapes() -> Shapes:
    return Shapes(load_head())


def picture_of(identity: np.ndarray, camera: Camera) -> np.ndarray:
    """(S,S,3) uint8 the head with its base skin in the usual light, before grey."""
    head, side = load_head(), camera.width
    skin = srgb_to_linear(torch.tensor(load_base_skin(256).albedo.copy()).permute(2, 0, 1).float() / 255)
    picture = render_mesh(
        torch.tensor(head.shape(identity)),
        Topology.of(head),
        skin,
        HarmonicLight(torch.tensor(usual_light()).reshape(9, 3)),
        Pinhole.of(camera),
        (side, side),
        torch.full((side, side, 3), 0.3),
    )
    return np.round(linear_to_srgb(picture.image).clamp(0, 1).numpy() * 255).astype(np.uint8)


def write_pictures(path: Path, seed: int) -> Path:
    """A shard of plain heads, one of them turned too far."""
    head, rng = load_head(), np.random.default_rng(seed)
    scenes, pictures = [], []
    for yaw in YAWS:
        view = np.eye(4)
        view[:3, :3] = rotation_matrix(np.radians([0.0, yaw, 0.0])) @ FRONTAL
        view[:3, 3] = [0.01, 0.02, 1.2]
        camera = Camera(centred(1.2 * PLAIN / 0.32, PLAIN, PLAIN), view, PLAIN, PLAIN)
        identity = rng.normal(0, 1, len(head.identity_basis)).astype(np.float32)
        image = picture_of(identity, camera)
        skin = np.ones((PLAIN, PLAIN), np.uint8)
        pictures.append(
            SimpleNamespace(image=image, regions=skin, depth=skin * 1.2, visible=np.ones(len(head.vertices), bool))
        )
        expression = np.zeros(len(head.expression_names), np.float32)
        angles = np.array([yaw, 0.0, 0.0])
        scenes.append(SimpleNamespace(identity=identity, expression=expression, camera=camera, angles=angles, names={}))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_shard(path, scenes, pictures, list(range(seed, seed + len(YAWS))))
    return path


@pytest.fixture(scope="module")
def shard_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("shards") / "train" / "00000000.npz", 5)


@pytest.fixture(scope="module")
def examples(shard_path: Path) -> Examples:
    return of_shards(load_head(), load_small(), [read_shard(shard_path)], spoilt=0.0)


def answers(count: int = 2, seed: int = 0) -> Parameters:
    """Some faces near the usual view."""
    head, rng = load_head(), torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=rng)

    return Parameters(
        identity=normal(count, len(head.identity_basis)) * 0.7,
        expression=(normal(count, len(head.expression_names)) * 0.1).clamp(0, 1),
        texture=torch.zeros(count, 0),
        rotation=normal(count, 3) * 0.2,
        translation=torch.tensor([0.0, 0.01, 1.4]).repeat(count, 1),
        log_focal=torch.full((count,), float(np.log(1.4 / 0.2))),
        light=torch.tensor(usual_light()).repeat(count, 1),
        light_change=torch.zeros(count, 27),
    )


def batch_of(shapes: Shapes, truth: Parameters, known: bool = True) -> Batch:
    """A batch of which some parameters are the truth."""
    count = len(truth.identity)
    points = shapes.points(truth.identity, truth.expression) + (0.0 if known else 1.0) * shapes.points_error
    return Batch(
        seen=(),
        landmarks=torch.zeros(count, 478, 2),
        wanted=truth.project(points) * SIDE,
        known=torch.full((count,), known),
        identity=truth.identity,
        expression=truth.expression,
        rotation=truth.rotation,
        translation=truth.translation,
        log_focal=truth.log_focal,
        images=torch.zeros(0, 3, 1, 1),
        masks=torch.zeros(0, 56, 56),
        seed=1,
    )


def same_weights(first: torch.nn.Module, second: torch.nn.Module) -> None:
    other = second.state_dict()
    assert [name for name, value in first.state_dict().items() if not torch.equal(value, other[name])] == []


def test_tensors_mean_what_plain_numbers_mean(shapes: Shapes):
    head, found = load_head(), answers()
    crop = FaceCrop(Window(np.array([300.0, 200.0]), 150.0), 640, 480)
    for number in range(2):
        plain = found.regressed(number, crop)
        posed = shapes.posed(found.identity, found.expression)[number]
        np.testing.assert_allclose(posed, plain.posed(head), atol=1e-6)
        points = shapes.points(found.identity, found.expression)
        places = head.embeddings["mediapipe"].positions(plain.posed(head), head.faces)
        np.testing.assert_allclose(points[number], places, atol=1e-6)
        seen = plain.crop_camera.project(places)
        np.testing.assert_allclose(found.project(points)[number] * SIDE, seen, atol=0.01)
        pinhole = found.pinhole(number, SIDE)
        np.testing.assert_allclose(pinhole.project(points[number])[:, :2], seen, atol=0.01)


def test_nothing_is_lost_at_the_truth(shapes: Shapes):
    truth = answers()
    batch = batch_of(shapes, truth)
    terms = alignment(shapes, truth, batch, Weights()) | supervised(shapes, truth, batch, Weights())
    assert {name: round(float(value), 4) for name, value in terms.items()} == dict.fromkeys(terms, 0.0)


def test_the_mean_heads_shape_costs_one_for_people_of_the_prior(shapes: Shapes):
    truth = answers(400)
    truth = replace(truth, identity=truth.identity / 0.7)
    found = replace(truth, identity=torch.zeros_like(truth.identity))
    weights = Weights(shape=1.0, coefficients=1.0)
    terms = supervised(shapes, found, batch_of(shapes, truth), weights)
    assert float(terms["shape"]) == pytest.approx(1.0, abs=0.1)
    assert float(terms["coefficients"]) == pytest.approx(1.0, abs=0.02)


def test_the_truth_counts_only_where_it_is_known(shapes: Shapes):
    truth = answers()
    wrong = replace(truth, identity=truth.identity + 1, rotation=truth.rotation + 0.1)
    terms = supervised(shapes, wrong, batch_of(shapes, truth, known=False), Weights())
    assert not any(float(value) for value in terms.values())


def test_on_photos_points_are_where_mediapipe_puts_them(shapes: Shapes):
    truth = answers()
    terms = alignment(shapes, truth, batch_of(shapes, truth, known=False), Weights(prior=0.0))
    assert float(terms["landmark"]) == pytest.approx(0.0, abs=1e-4)
    assert float(shapes.points_error.abs().max()) > 1e-3


def test_one_pixel_off_costs_the_landmarks_weight(shapes: Shapes):
    truth = answers()
    batch = batch_of(shapes, truth)
    off = replace(batch, wanted=batch.wanted + torch.tensor([1.0, 0.0]))
    assert float(alignment(shapes, truth, off, Weights(landmark=0.3))["landmark"]) == pytest.approx(0.3, rel=1e-3)


def test_the_camera_that_took_the_picture_costs_nothing_and_teaches_light(shapes: Shapes):
    """Drawn with known light, the pixel loss is zero there, and its gradient leads back from another."""
    recogniser, truth = load_small(), answers(1)
    truth = replace(truth, identity=truth.identity * 0, rotation=truth.rotation * 0)
    pictures = Pictures(shapes, recogniser, None, Weights())
    vertices = shapes.posed(truth.identity, truth.expression)[0]
    drawn = pictures.draw(vertices, pictures.albedo(truth.texture[0]), truth.lighting(0), truth.pinhole(0, SIDE), SIDE)
    photo = linear_to_srgb(drawn.image).clamp(0, 1).permute(2, 0, 1)[None]
    batch = replace(batch_of(shapes, truth), images=photo, masks=torch.ones(1, 56, 56))
    same = pictures.terms(truth, batch, recognised=1, again=1)
    assert float(same["pixel"]) < 0.01
    assert float(same["identity"]) < 0.01
    assert float(same["random_identity"]) < 0.8
    assert float(same["light"]) == 0.0

    change = torch.zeros(1, 27, requires_grad=True)
    darker = 0.6 * torch.tensor(usual_light())[None] + change
    terms = pictures.terms(replace(truth, light=darker, light_change=change), batch, 0, 0)
    assert float(terms["pixel"].detach()) > 3 * float(same["pixel"])
    (grown,) = torch.autograd.grad(terms["pixel"], change)
    assert bool((grown[0, :3] < 0).all())


def test_grey_light_has_no_tint_and_a_lamps_place_is_none():
    grey = torch.arange(9.0)[:, None].expand(9, 3).reshape(1, 27)
    assert float(tint(grey)) == 0.0
    red = torch.zeros(1, 27)
    red[0, 3] = 3.0
    assert float(tint(red)) == pytest.approx(2.0**2 + 1 + 1)
    phong = torch.tensor([[5.0, -2.0, 1.0, 1.0, 1.0, 1.0, 0.3, 0.0, 0.0]])
    assert float(tint(phong)) == pytest.approx(0.2**2 + 2 * 0.1**2)


def test_examples_know_the_truth(examples: Examples):
    """The posed head, brought to the mean's size and seen by the stored camera, is where the points truly are."""
    head = load_head()
    assert len(examples) == 3
    assert examples.known.all()
    assert (np.abs(examples.angles[:, 0]) <= 60).all()
    for number in range(len(examples)):
        identity = examples.identity[number]
        view = np.eye(4)
        view[:3, :3] = rotation_matrix(examples.rotation[number]) @ FRONTAL
        view[:3, 3] = examples.translation[number]
        camera = Camera(centred(SIDE * np.exp(examples.log_focal[number]), SIDE, SIDE), view, SIDE, SIDE)
        posed = head.shape(identity) - growth(head).of(identity, head.vertices)
        seen = camera.project(head.embeddings["mediapipe"].positions(posed, head.faces))
        assert np.linalg.norm(seen - examples.wanted[number], axis=1).mean() < 1.5
        seen_by_mediapipe = np.linalg.norm(examples.landmarks[number] - examples.wanted[number], axis=1)
        assert seen_by_mediapipe.mean() < 0.05 * SIDE
        assert (examples.masks[number] > 200).all()


def test_examples_come_back_from_their_file(examples: Examples, tmp_path: Path):
    examples.write(tmp_path / "some.npz")
    back = read_examples(tmp_path / "some.npz")
    np.testing.assert_array_equal(back.image(2), examples.image(2))
    np.testing.assert_array_equal(back.joined(examples).image(5), examples.image(2))
    np.testing.assert_array_equal(back.wanted, examples.wanted)
    (tmp_path / "bad.npz").write_bytes(b"no")
    with pytest.raises(ModelFileError, match=r"bad\.npz"):
        read_examples(tmp_path / "bad.npz")


def test_a_step_depends_on_its_number_alone(examples: Examples):
    head, recogniser = load_head(), load_small()
    description = describe_regressor("pooled", head, recogniser, None, 27, width=8)
    learning = Learning(batch=3, real=0.0, alignment=1, drawn=1, recognised=0, again=0)
    tasks = [RegressorTask(head, recogniser, None, description, examples, examples, None, learning) for _ in range(2)]
    first, second = (task.batch(4) for task in tasks)
    tasks[0].batch(0)
    assert torch.equal(first.landmarks, second.landmarks)
    assert torch.equal(tasks[0].batch(4).images, second.images)
    assert not torch.equal(tasks[0].batch(5).landmarks, second.landmarks)
    assert len(tasks[0].batch(0).images) == 0
    same_weights(tasks[0].model, tasks[1].model)


def test_only_the_named_heads_are_trained(examples: Examples):
    head, recogniser = load_head(), load_small()
    description = describe_regressor("pooled", head, recogniser, None, 27, width=8)
    learning = Learning(batch=3, real=0.0, drawn=1, recognised=1, only=("light",))
    task = RegressorTask(head, recogniser, None, description, examples, examples, None, learning)
    moving = [name for name, weight in task.model.named_parameters() if weight.requires_grad]
    assert moving == ["heads.light.weight", "heads.light.bias"]


def test_a_run_is_stopped_gone_on_with_exported_and_used(shard_path: Path, tmp_path: Path):
    data = shard_path.parents[1]
    write_pictures(data / "held_out" / "00000900.npz", 900)
    recipe = tmp_path / "recipe.toml"
    runs = {}
    for name, stops in (("whole", (3,)), ("parts", (2, 3))):
        for steps in stops:
            recipe.write_text(RECIPE.format(steps=steps).replace("warm_up = 1", "warm_up = 1\nfinal = 1.0"))
            command = ["regressor", "--config", str(recipe), "--data", str(data), "--out", str(tmp_path / name)]
            assert main([*command, "--resume"]) == 0
        weights = tmp_path / f"{name}.safetensors"
        assert main(["export", str(tmp_path / name), "--out", str(weights)]) == 0
        runs[name] = load_regressor(weights)
    same_weights(runs["whole"].network, runs["parts"].network)

    head, shard = load_head(), read_shard(shard_path)
    camera = shard.cameras[0]
    points = camera.project(head.embeddings["mediapipe"].positions(shard.vertices(0, head), head.faces))
    answer = regress(shard.image(0), points, head, weights=tmp_path / "whole.safetensors")
    assert answer.identity.any()
    assert 0 <= answer.expression.min() <= answer.expression.max() <= 1
    again = regress(shard.image(0), points, head, weights=tmp_path / "parts.safetensors")
    np.testing.assert_array_equal(answer.identity, again.identity)
    seen = answer.camera().project(head.embeddings["mediapipe"].positions(answer.posed(head), head.faces))
    assert np.linalg.norm(seen - points, axis=1).mean() < 0.06 * PLAIN
    with pytest.raises(ModelFileError, match="is for the head"):
        regress(shard.image(0), points, replace(head, name="FLAME"), weights=tmp_path / "whole.safetensors")


def test_wrong_recipes_are_named(tmp_path: Path):
    path = tmp_path / "recipe.toml"
    for text in ('network = "points"', RECIPE.format(steps=1).replace("pooled", "huge"), "network = "):
        path.write_text(text)
        with pytest.raises(ModelFileError, match=r"recipe\.toml"):
            read_regressor_recipe(path)


def test_the_bundled_recipes_can_be_read():
    folder = Path(__file__).parents[3] / "engine" / "training" / "configs"
    recipes = {path.stem: read_regressor_recipe(path) for path in folder.glob("regressor_*.toml")}
    assert recipes["regressor_gpu"].kind == "fastganfit"
    assert recipes["regressor_cpu"].learning.weights.ganfit.identity == 2.0
    assert recipes["regressor_texture"].learning.only == ("texture", "light")
