"""Turns a finished reconstruction into Blender data: mesh, shape keys, armature, materials, camera, world."""

from .files import new_scene, save_blend
from .head import BuildOptions, BuiltHead, build_head

__all__ = ["BuildOptions", "BuiltHead", "build_head", "new_scene", "save_blend"]
