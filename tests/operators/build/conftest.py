"""Fixtures of the scene builder's tests: an empty Blender file and a made-up person in it."""

from __future__ import annotations

import bpy
import pytest
from likeness.engine.result import Reconstruction
from likeness.operators.build import BuildOptions, BuiltHead, build_head

from tests.operators.build.sphere_head import sphere_head


@pytest.fixture(autouse=True)
def empty_file() -> None:
    """Each test starts with Blender's factory settings and nothing in the scene."""
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture
def person() -> Reconstruction:
    """A small made-up reconstruction."""
    return sphere_head()


@pytest.fixture
def built(person: Reconstruction) -> BuiltHead:
    """That person in the scene, standing at the world's origin."""
    return build_head(bpy.context, person, None, BuildOptions(location=(0.0, 0.0, 0.0)))
