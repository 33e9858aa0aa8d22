import dataclasses

import bpy
import numpy as np
from likeness.engine.render.lighting import ambient, irradiance
from likeness.operators.build import BuildOptions, build_head
from likeness.operators.build.world import HEIGHT, WIDTH, panorama

from tests.operators.build.measure import to_blender

FRONT, LEFT = 2, 3  # coefficients that grow towards z and towards x


def directions():
    """(H,W,3) the panorama's directions in Blender axes by Cycles' formula, and each texel's solid angle."""
    u = (np.arange(WIDTH) + 0.5) / WIDTH
    v = (np.arange(HEIGHT) + 0.5) / HEIGHT
    azimuth, height = -2 * np.pi * (u - 0.5), np.pi * (v - 0.5)
    azimuth, height = np.meshgrid(azimuth, height)
    around = np.stack([np.cos(height) * np.cos(azimuth), np.cos(height) * np.sin(azimuth), np.sin(height)], -1)
    return around, np.cos(height) * (2 * np.pi / WIDTH) * (np.pi / HEIGHT)


def shade_white(picture, normals):
    """Lambertian shading of a white surface by the panorama: irradiance over pi. Normals in Blender axes."""
    around, angle = directions()
    cosine = np.maximum(np.einsum("nc,hwc->nhw", normals, around), 0)
    return np.einsum("nhw,hw,hwk->nk", cosine, angle, picture.astype(float)) / np.pi


def test_constant_light_is_a_constant_panorama():
    illumination = ambient(1.0) * (0.5, 1.0, 2.0)
    assert np.allclose(panorama(illumination), [0.5, 1.0, 2.0])


def test_the_panorama_shades_as_the_harmonics_do():
    random = np.random.default_rng(1)
    illumination = random.normal(0, 0.05, (9, 3))
    illumination[0] = 3.5
    normals = random.normal(size=(50, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    expected = irradiance(normals, illumination)
    assert panorama(illumination).min() > 0  # gentle light: nothing was cut
    assert np.allclose(shade_white(panorama(illumination), to_blender(normals)), expected, atol=0.01)


def test_strong_light_is_never_negative_and_keeps_its_mean():
    illumination = ambient(0.6).astype(float)
    illumination[FRONT] = 2.0
    picture = panorama(illumination)
    assert picture.min() == 0
    _, angle = directions()
    assert np.allclose(np.einsum("hw,hwk->k", angle, picture) / angle.sum(), 0.6, atol=1e-3)
    front, back = shade_white(picture, np.array([[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]]))
    assert front[0] > 4 * back[0]


def test_cycles_sees_the_light_where_the_head_frame_says(person):
    """A white ball under light from the person's left is bright on its left, as a render shows."""
    illumination = ambient(0.5)
    illumination[LEFT] = 0.9
    white = np.full((8, 8, 3), 255, np.uint8)
    lit = dataclasses.replace(person, illumination=illumination, albedo=white)
    built = build_head(bpy.context, lit, None, BuildOptions(world_light=True, match_render=True))
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples = "CYCLES", 4
    scene.render.resolution_percentage, scene.view_settings.view_transform = 10, "Raw"
    scene.render.image_settings.file_format = "PNG"
    shader = next(node for node in built.materials[0].node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Subsurface Weight"].default_value = 0.0
    path = bpy.app.tempdir + "ball.png"
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(path)
    pixels = np.empty(4 * 60 * 80, np.float32)
    image.pixels.foreach_get(pixels)
    pixels = pixels.reshape(80, 60, 4)[::-1]
    centre = lit.camera.scaled(0.1).project(np.zeros(3))
    column, row = int(centre[0]), int(centre[1])
    right_half, left_half = pixels[row, column + 8, 0], pixels[row, column - 8, 0]
    assert right_half > left_half + 0.15  # the camera faces the person: their left is the picture's right


def test_the_world_is_packed_and_the_old_one_stays(person):
    old = bpy.data.worlds.new("Old")
    bpy.context.scene.world = old
    built = build_head(bpy.context, person, None, BuildOptions(world_light=True))
    assert bpy.context.scene.world == built.world
    assert old.use_fake_user
    picture = next(node for node in built.world.node_tree.nodes if node.type == "TEX_ENVIRONMENT").image
    assert picture.packed_file is not None
    pixels = np.empty(4 * WIDTH * HEIGHT, np.float32)
    picture.pixels.foreach_get(pixels)
    assert np.allclose(pixels.reshape(HEIGHT, WIDTH, 4)[..., :3], panorama(person.illumination), atol=1e-3)


def test_without_the_option_the_world_is_left_alone(built):
    assert built.world is None
    assert bpy.context.scene.world is None
