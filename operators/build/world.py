"""The photo's light as a Blender world: a small panorama that shades a head as the solved light does."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ...engine.render.lighting import irradiance
from .access import node_tree_of, set_pixels
from .images import pack
from .space import Space
from .transaction import Transaction

WIDTH, HEIGHT = 128, 64
COARSE = 4  # the light is solved on texels this many times larger
NORMALS, ROUNDS = 256, 100
BACK = 0.02  # weight of normals the camera does not see, 1 being those that face it
SEEN = 0.3  # cosine to the camera from which the solved light is fully believed
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
DARKEST = 0.02  # of the mean light; harmonics that fit a lamp dip below zero opposite of it
BACKDROP = 0.5  # what the camera sees behind the head: plain, this much of the mean light


def panorama(illumination: NDArray, towards: NDArray) -> NDArray[np.float32]:
    """Light from all around, nowhere negative, that shades a white head as `illumination` does.

    Order-2 harmonics give no light by themselves: undoing the blur of diffuse shading rings and goes below zero. So
    the light is solved for: from even light on, each texel is scaled again and again by how much brighter the head
    should be where that texel shines (Daube-Witherspoon and Muehllehner 1986, "An Iterative Image Space Reconstruction
    Algorithm Suitable for Volume ECT"). Where the shading says nothing, even light stays.

    Args:
        illumination: (9,3) as in `engine.render.lighting`, in the head's frame, linear RGB.
        towards: (3,) from the head to the camera, engine space.
    Returns:
        (64,128,3) linear RGB, row 0 at the BOTTOM as Blender stores pixels, equirectangular as Blender reads it.
    """
    around, solid_angle = directions(WIDTH // COARSE, HEIGHT // COARSE)
    normals = _sphere(NORMALS)
    facing = (normals @ towards / np.linalg.norm(towards))[:, None]
    shading = irradiance(normals, np.asarray(illumination, np.float64))
    mean = np.maximum(shading.mean(0), 1e-6)
    # Behind the head the harmonics only extrapolate: no colours there, and no lamp.
    plain = np.minimum(shading @ LUMINANCE / (mean @ LUMINANCE), 1.0)[:, None] * mean
    seen = np.clip(facing / SEEN, 0.0, 1.0)
    shading = np.maximum(seen * shading + (1 - seen) * plain, DARKEST * mean)
    weights = np.maximum(facing, BACK)
    spread = np.maximum(normals @ around.reshape(-1, 3).T, 0.0) * solid_angle.ravel()
    spread /= spread.sum(1, keepdims=True)  # pi, but for the coarse texels
    light = np.tile(mean, (spread.shape[1], 1))
    wanted = spread.T @ (weights * shading)
    for _ in range(ROUNDS):
        light *= wanted / (spread.T @ (weights * (spread @ light)))
    return _enlarged(light.reshape(HEIGHT // COARSE, WIDTH // COARSE, 3), COARSE).astype(np.float32)


def directions(width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where an equirectangular picture's texels look, as Blender has it.

    Returns:
        (H,W,3) unit vectors in engine space, row 0 at the bottom, and (H,W) solid angles.
    """
    azimuth = np.pi - 2.0 * np.pi * (np.arange(width) + 0.5) / width
    level = np.pi * ((np.arange(height) + 0.5) / height - 0.5)
    azimuth, level = np.meshgrid(azimuth, level)
    around = np.stack([np.cos(level) * np.cos(azimuth), np.cos(level) * np.sin(azimuth), np.sin(level)], axis=-1)
    solid_angle = np.cos(level) * 2.0 * np.sin(np.pi / 2 / height) * 2.0 * np.pi / width
    return Space().to_engine(around).astype(np.float64), solid_angle


def _sphere(count: int) -> NDArray[np.float64]:
    """(count,3) directions spread evenly on a spiral."""
    index = np.arange(count) + 0.5
    height = 1.0 - 2.0 * index / count
    turn = np.pi * (1.0 + 5.0**0.5) * index
    level = np.sqrt(1.0 - height**2)
    return np.stack([level * np.cos(turn), height, level * np.sin(turn)], axis=-1)


def _enlarged(picture: NDArray, factor: int) -> NDArray:
    """Linear interpolation between texel centres: around the horizon without a seam, held at the poles."""
    rows, columns = picture.shape[:2]
    places = (np.arange(columns * factor) + 0.5) / factor - 0.5
    left, part = np.floor(places).astype(int), (places % 1.0)[None, :, None]
    wide = picture[:, left % columns] * (1 - part) + picture[:, (left + 1) % columns] * part
    places = np.clip((np.arange(rows * factor) + 0.5) / factor - 0.5, 0, rows - 1)
    lower = np.minimum(places.astype(int), rows - 2)
    part = (places - lower)[:, None, None]
    return wide[lower] * (1 - part) + wide[lower + 1] * part


def build_world(
    scene: bpy.types.Scene, illumination: NDArray, towards: NDArray, name: str, transaction: Transaction
) -> bpy.types.World:
    """Light the scene as the photo was lit, before a plain backdrop. The scene's earlier world stays in the file.

    Args:
        illumination, towards: as in `panorama`.
    """
    light = panorama(illumination, towards)
    image = transaction.add(bpy.data.images.new(f"{name} Light", WIDTH, HEIGHT, float_buffer=True))
    pixels = np.ones((HEIGHT, WIDTH, 4), np.float32)
    pixels[..., :3] = light
    set_pixels(image, pixels)
    pack(image)
    world = transaction.add(bpy.data.worlds.new(name))
    _connect(node_tree_of(world), image, BACKDROP * light.mean((0, 1)))
    _replace_world(scene, world, transaction)
    return world


def turn_world(world: bpy.types.World, matrix: Matrix) -> None:
    """Turn the panorama of a world as an object whose matrix this is was turned."""
    turn = matrix.to_quaternion()
    if turn.angle < 1e-4:
        return
    tree = node_tree_of(world)
    picture = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeTexEnvironment")
    direction, back = tree.nodes.new("ShaderNodeTexCoord"), tree.nodes.new("ShaderNodeMapping")
    back.inputs["Rotation"].default_value = turn.inverted().to_euler("XYZ")
    tree.links.new(direction.outputs["Generated"], back.inputs["Vector"])
    tree.links.new(back.outputs["Vector"], picture.inputs["Vector"])
    direction.location, back.location = (-1150, 100), (-950, 100)


def _connect(tree: Any, image: bpy.types.Image, backdrop: NDArray) -> None:
    """Panorama for the light, plain colour for what the camera sees itself."""
    light = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeBackground")
    output = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeOutputWorld")
    picture = tree.nodes.new("ShaderNodeTexEnvironment")
    picture.image = image
    plain = tree.nodes.new("ShaderNodeBackground")
    plain.inputs["Color"].default_value = (*backdrop.tolist(), 1.0)
    path, mix = tree.nodes.new("ShaderNodeLightPath"), tree.nodes.new("ShaderNodeMixShader")
    tree.links.new(picture.outputs["Color"], light.inputs["Color"])
    tree.links.new(path.outputs["Is Camera Ray"], mix.inputs["Fac"])
    tree.links.new(light.outputs["Background"], mix.inputs[1])
    tree.links.new(plain.outputs["Background"], mix.inputs[2])
    tree.links.new(mix.outputs["Shader"], output.inputs["Surface"])
    light.name, plain.name = "Light", "Backdrop"
    places = {picture: (-700, 100), light: (-350, 100), plain: (-350, -100), path: (-350, 450), mix: (0, 200)}
    for node, place in places.items():
        node.location = place
    output.location = (250, 200)


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
