"""Takes from and to FLAME's numbers in Blender, with a real engine process that pretends."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from likeness.engine.tracking.take import Take
from likeness.operators import flame_take
from likeness.operators.models import BOARD
from likeness.operators.session import SESSION

from tests.blender_fixtures import counts
from tests.operators.build.performance import key_values, performance


@pytest.fixture
def take(tmp_path: Path) -> Take:
    take = performance(30, 25.0)
    take.save(tmp_path)
    return take


@pytest.fixture
def engine(extension: SimpleNamespace, take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The extension with an engine that retargets."""
    environment = {**extension.launch.environment, "LIKENESS_TEST_TAKE": str(tmp_path / "take.npz")}
    launch = replace(extension.launch, environment=environment, module="flame_engine")
    monkeypatch.setattr(SESSION, "make_launch", lambda: launch)
    return extension


@pytest.fixture
def head(engine: SimpleNamespace, photo: Callable[[str], Path]) -> bpy.types.Object:
    """A reconstructed head, selected."""
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    head = bpy.context.view_layer.objects.active
    assert head is not None
    bpy.context.scene.render.fps = 25
    return head


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    path = tmp_path / "smirk.npz"
    path.write_bytes(b"not looked at")
    return path


def asked() -> dict:
    """What the engine was told."""
    assert SESSION.job is not None
    return SESSION.job.result["options"]


def test_numbers_play_on_the_selected_head(head, engine, numbers, take) -> None:
    assert bpy.ops.likeness.import_flame_take(filepath=str(numbers), fps=30.0, motion="NONE") == {"FINISHED"}
    assert (asked()["head_model"], asked()["fps"]) == ("open", 30.0)
    bpy.context.scene.frame_set(12)
    assert key_values(head)["jawOpen"] == pytest.approx(float(take.unit("jawOpen")[11]), abs=1e-5)
    assert head.data.shape_keys.animation_data.action.name.startswith("smirk")


def test_the_heads_own_model_is_asked_for(head, engine, numbers) -> None:
    path = engine.results / "good" / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(report | {"head_model": "flame"}), encoding="utf-8")
    bpy.ops.likeness.import_flame_take(filepath=str(numbers))
    assert (asked()["head_model"], asked()["fps"]) == ("flame", None)


def test_numbers_play_on_any_mesh_with_the_names(engine, numbers, take) -> None:
    mesh = bpy.data.meshes.new("Stranger")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    stranger = bpy.data.objects.new("Stranger", mesh)
    bpy.context.collection.objects.link(stranger)
    bpy.context.view_layer.objects.active = stranger
    assert not bpy.ops.likeness.import_flame_take.poll()
    for name in ("Basis", "JawOpen"):
        stranger.shape_key_add(name=name)
    bpy.context.scene.render.fps = 25
    bpy.ops.likeness.import_flame_take(filepath=str(numbers))
    bpy.context.scene.frame_set(5)
    assert key_values(stranger)["JawOpen"] == pytest.approx(float(take.unit("jawOpen")[4]), abs=1e-5)


def test_what_is_wrong_is_said_and_nothing_changes(head, engine, numbers, tmp_path) -> None:
    before, takes = counts(), engine.results.parent / "takes"
    (tmp_path / "rateless.npz").write_bytes(b"")
    with pytest.raises(RuntimeError, match="frames a second"):
        bpy.ops.likeness.import_flame_take(filepath=str(tmp_path / "rateless.npz"))
    with pytest.raises(RuntimeError, match="There is no file at"):
        bpy.ops.likeness.import_flame_take(filepath=str(tmp_path / "nothing.npz"))
    assert counts() == before
    assert not list(takes.iterdir())


def test_an_action_goes_out_as_numbers(head, engine, numbers, take, tmp_path) -> None:
    assert not bpy.ops.likeness.export_flame.poll()  # nothing moves yet
    bpy.ops.likeness.import_flame_take(filepath=str(numbers))
    assert bpy.ops.likeness.export_flame.poll()
    out = tmp_path / "out"
    assert bpy.ops.likeness.export_flame(filepath=str(out), first=3, last=7) == {"FINISHED"}
    assert asked()["head"] == str(engine.results / "good")
    sampled = Take.load(out.with_suffix(".npz"))  # the pretending engine hands over what it was given
    assert len(sampled) == 5
    np.testing.assert_allclose(sampled.unit("jawOpen"), take.unit("jawOpen")[2:7], atol=1e-5)
    takes = engine.results.parent / "takes"
    assert [folder.name for folder in takes.iterdir()] == ["smirk"]  # the cache holds nothing of the export
    with pytest.raises(RuntimeError, match="Cannot write"):
        bpy.ops.likeness.export_flame(filepath=str(tmp_path / "none" / "out.npz"))


def test_the_buttons_come_with_flames_file(engine, tmp_path) -> None:
    models = tmp_path / "models"
    BOARD.refresh()
    assert not flame_take.flame_there()
    models.mkdir()
    (models / "flame2023_Open.pkl").write_bytes(b"not looked at")
    BOARD.refresh()
    assert flame_take.flame_there()
    BOARD.refresh()
