"""The zip: built and validated by Blender's own tool, installed, enabled, used and disabled in a Blender of its own."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from scripts import build_extension, wheel_lock
from scripts.setup_env import MAIN

SAVE_PORTRAIT = (
    "import sys; from scripts.demo import save_portrait; from pathlib import Path; save_portrait(Path(sys.argv[1]))"
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small variant."""
    return build_extension.build(tmp_path_factory.mktemp("dist"), None)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """No photo at all."""
    path = tmp_path / "broken.jpg"
    path.write_text("This is text.")
    return path


def use(package: Path, folder: Path, interpreter: Path, *photos: Path) -> dict:
    """A session with the zip in a fresh user folder (see extension_session). Returns what it saw."""
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(folder / "user")}
    command = [sys.executable, str(Path(__file__).with_name("extension_session.py")), package, interpreter, *photos]
    outcome = subprocess.run(list(map(str, command)), env=environment, cwd=folder, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout.splitlines()[-1])


def test_holds_what_runs_and_nothing_else(small: Path) -> None:
    with zipfile.ZipFile(small) as package:
        names = package.namelist()
        manifest = tomllib.loads(package.read("blender_manifest.toml").decode())
    assert {name.split("/")[0] for name in names} == set(build_extension.CONTENTS)
    assert "engine/heads/data/open_head.safetensors" in names
    assert not [name for name in names if name.endswith(".pyc") or "__pycache__" in name or "/." in name]
    assert manifest["id"] == "likeness"
    assert "wheels" not in manifest


def test_same_sources_give_the_same_bytes(small: Path, tmp_path: Path) -> None:
    assert build_extension.build(tmp_path, None).read_bytes() == small.read_bytes()


def test_leaves_nothing_registered(small: Path, tmp_path: Path, broken: Path) -> None:
    seen = use(small, tmp_path, Path(sys.executable), broken)
    assert "LIKENESS_OT_reconstruct" in seen["enabled"]["types"]
    assert "likeness" in seen["enabled"]["properties"][0]
    assert seen["enabled"]["commands"] == seen["before"]["commands"] + 1
    assert seen["after"] == seen["before"]
    assert seen["heavy_imports"] == []
    print(f"enabled in {seen['seconds_to_enable']:.3f} s")


@pytest.mark.skipif(not MAIN.python.exists(), reason="needs the engine's environment (make setup)")
def test_reconstructs_through_an_external_interpreter(small: Path, tmp_path: Path, broken: Path) -> None:
    photo = tmp_path / "astronaut.png"
    subprocess.run([MAIN.python, "-c", SAVE_PORTRAIT, photo], cwd=build_extension.ROOT, check=True)
    bad, good = use(small, tmp_path, MAIN.python, broken, photo)["runs"]
    assert "broken.jpg" in bad["outcome"]
    assert bad["added"] == {}
    assert good["outcome"] == ["FINISHED"]
    assert good["added"]["armatures"] == 1
    assert good["added"]["meshes"] >= 1
    assert good["added"]["cameras"] == 1


def test_full_manifest_lists_the_platforms_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "cache" / "toy-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("toy.py", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock = tmp_path / "wheels.lock"
    lock.write_text(f"any {digest} {wheel.name}\nwindows-x64 {'0' * 64} other-1.0-cp311-cp311-win_amd64.whl\n")
    monkeypatch.setattr(build_extension, "WHEELS", wheel.parent)
    with zipfile.ZipFile(build_extension.build(tmp_path, "linux-x64", lock)) as package:
        manifest = tomllib.loads(package.read("blender_manifest.toml").decode())
        assert package.read(f"wheels/{wheel.name}") == wheel.read_bytes()
    assert manifest["wheels"] == [f"./wheels/{wheel.name}"]
    assert manifest["platforms"] == ["linux-x64"]
    assert manifest["permissions"]


def test_a_wheel_that_is_not_the_pinned_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_extension, "WHEELS", tmp_path)
    name = "toy-1.0-py3-none-any.whl"
    (tmp_path / name).write_bytes(b"tampered with")
    pinned = wheel_lock.Wheel("any", "0" * 64, name)
    with pytest.raises(build_extension.BuildError, match="pip could not fetch"):
        build_extension.fetch_wheels("linux-x64", [pinned], ["--no-index"])
    assert "toy" in capfd.readouterr().err


def test_every_platform_has_the_versions_of_the_engines_lock() -> None:
    wheels = wheel_lock.read_lock()
    pins = {pin.lower().replace("-", "_").replace("==", "-") for pin in wheel_lock.engine_pins()}
    for platform in wheel_lock.TAGS:
        names = [wheel.name.lower() for wheel in wheel_lock.wheels_for(platform, wheels)]
        assert {"-".join(name.split("-")[:2]).partition("+")[0] for name in names} == pins


def test_what_is_packed_imports_only_what_comes_along() -> None:
    along = {
        "numpy",
        "torch",
        "mediapipe",
        "google",
        "cv2",
        "PIL",
        "safetensors",
        "trimesh",
    }  # the lock's, and Blender's
    along |= {"bpy", "bpy_extras", "mathutils", "bmesh", "gpu", "idprop", "addon_utils", *sys.stdlib_module_names}
    optional = {"pillow_heif", "pytorch3d"}
    strangers = set()
    for path in build_extension.ROOT.glob("*/**/*.py"):
        folder, *inside = path.relative_to(build_extension.ROOT).parts
        if folder not in ("engine", "operators", "ui") or inside[0] in ("evaluation", "training"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            tops = {name.partition(".")[0] for name in names}
            strangers |= {(str(path), top) for top in tops - along - optional}
    assert strangers == set()
