"""The photo's light as a Blender world: a small panorama made from the solved spherical harmonics."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ...engine.render.lighting import TRANSFER, sh_basis
from .access import node_tree_of, set_pixels
from .images import pack
from .space import Space
from .transaction import Transaction

WIDTH, HEIGHT = 128, 64


def panorama(illumination: NDArray) -> NDArray[np.float32]:
    """Radiance from all around that shades a white head as `illumination` does.

    Order-2 harmonics cannot hold a lamp without going below zero opposite of it: what is below zero is cut, and the
    rest dimmed so that the mean light stays.

    Args:
        illumination: (9,3) as in `engine.render.lighting`, in the head's frame, linear RGB.
    Returns:
        (64,128,3) linear RGB, row 0 at the BOTTOM as Blender stores pixels, equirectangular as Blender reads it.
    """
    azimuth = np.pi - 2.0 * np.pi * (np.arange(WIDTH) + 0.5) / WIDTH
    height = np.pi * ((np.arange(HEIGHT) + 0.5) / HEIGHT - 0.5)
    level, up = np.cos(height)[:, None], np.sin(height)[:, None]
    rows = np.broadcast_to(up, (HEIGHT, WIDTH))
    around = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), rows], axis=-1)
    radiance = np.asarray(illumination, np.float64) / TRANSFER[:, None]
    light = sh_basis(Space().to_engine(around).astype(np.float64)) @ radiance
    lit = np.maximum(light, 0.0)
    before, after = (np.sum(image * level[..., None], axis=(0, 1)) for image in (light, lit))
    return (lit * (np.maximum(before, 0.0) / np.maximum(after, 1e-9))).astype(np.float32)


def build_world(scene: bpy.types.Scene, illumination: NDArray, name: str, transaction: Transaction) -> bpy.types.World:
    """Light the scene as the photo was lit. The scene's earlier world stays in the file."""
    image = transaction.add(bpy.data.images.new(f"{name} Light", WIDTH, HEIGHT, float_buffer=True))
    pixels = np.ones((HEIGHT, WIDTH, 4), np.float32)
    pixels[..., :3] = panorama(illumination)
    set_pixels(image, pixels)
    pack(image)
    world = transaction.add(bpy.data.worlds.new(name))
    tree = node_tree_of(world)
    background = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeBackground")
    picture = tree.nodes.new("ShaderNodeTexEnvironment")
    picture.image = image
    picture.location = (-320, 300)
    tree.links.new(picture.outputs["Color"], background.inputs["Color"])
    _replace_world(scene, world, transaction)
    return world


def _replace_world(scene: bpy.types.Scene, world: bpy.types.World, transaction: Transaction) -> None:
    previous = scene.world
    kept = previous.use_fake_user if previous else False

    def restore() -> None:
        scene.world = previous
        if previous:
            previous.use_fake_user = kept

    transaction.on_failure(restore)
    if previous:
        previous.use_fake_user = True
    scene.world = world
