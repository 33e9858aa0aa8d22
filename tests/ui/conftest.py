"""Fixtures of the sidebar's tests."""

from tests import blender_fixtures

extension, launch, photo = blender_fixtures.extension, blender_fixtures.launch, blender_fixtures.photo
