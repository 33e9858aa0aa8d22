"""Enabling is quick and light; disabling leaves nothing."""

from __future__ import annotations

import subprocess
import sys

import bpy
import likeness
import pytest
from likeness.ui import registration


def registered() -> set[str]:
    """Our classes that Blender knows."""
    kinds = (*bpy.types.Panel.__subclasses__(), *bpy.types.Operator.__subclasses__())
    return {kind.__name__ for kind in kinds if kind.__name__.startswith("LIKENESS_") and kind.is_registered}


def test_enable_and_disable_twice():
    for _ in range(2):
        likeness.register()
        assert {"LIKENESS_OT_reconstruct", "LIKENESS_PT_reconstruct"} <= registered()
        for handlers in (bpy.app.handlers.load_pre, bpy.app.handlers.undo_pre):
            assert registration.cancel_job in handlers
        assert hasattr(bpy.types.Scene, "likeness")
        likeness.unregister()
        assert registered() == set()
        for handlers in (bpy.app.handlers.load_pre, bpy.app.handlers.undo_pre):
            assert registration.cancel_job not in handlers
        assert not hasattr(bpy.types.Scene, "likeness")


def test_failure_half_way_registers_nothing(monkeypatch):
    monkeypatch.setattr(registration, "CLASSES", (*registration.CLASSES, int))
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        likeness.register()
    assert registered() == set()
    assert not hasattr(bpy.types.Scene, "likeness")


def test_every_class_is_in_the_table(repo_root):
    import re

    written = set()
    for folder in ("operators", "ui"):
        for path in (repo_root / folder).glob("*.py"):
            written |= set(re.findall(r"^class (LIKENESS_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert written == {kind.__name__ for kind in registration.CLASSES}


def test_tooltips_and_labels():
    for kind in registration.CLASSES:
        assert kind.__doc__
        if issubclass(kind, bpy.types.Operator):
            assert not kind.__doc__.rstrip().endswith("."), kind
            assert kind.bl_label[0].isupper(), kind


def test_enabling_imports_nothing_heavy(repo_root):
    """In a Python of its own, where no other test has imported anything."""
    program = f"""
import os, sys
sys.path.insert(0, {str(repo_root)!r})
from scripts.extension_package import load_extension
load_extension()
import likeness
likeness.register()
print(sorted(set(sys.modules) & {{"torch", "mediapipe", "cv2", "trimesh", "PIL", "scipy", "skimage"}}), flush=True)
os._exit(0)
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip().splitlines()[-1] == "[]"
