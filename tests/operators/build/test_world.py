import dataclasses

import bpy
import numpy as np
import pytest
from likeness.engine.render.lighting import ambient, irradiance
from likeness.operators.build import BuildOptions, build_head
from likeness.operators.build.world import BACKDROP, HEIGHT, WIDTH, directions, panorama

from tests.operators.build.measure import to_blender

FRONT, LEFT = 2, 3  # coefficients that grow towards z and towards x
CAMERA = np.array([0.0, 0.0, 1.0])


def shade_white(picture, normals):
    """Lambertian shading of a white surface by the panorama: irradiance over pi. Normals in engine axes."""
    around, angle = directions(WIDTH, HEIGHT)
    cosine = np.maximum(np.einsum("nc,hwc->nhw", normals, around), 0)
    return np.einsum("nhw,hw,hwk->nk", cosine, angle, picture.astype(float)) / np.pi


def front_normals(count: int = 50):
    normals = np.random.default_rng(1).normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    normals[:, 2] = np.abs(normals[:, 2])
    return normals[normals[:, 2] > 0.3]


def test_texels_look_where_cycles_says():
    around, angle = directions(WIDTH, HEIGHT)
    assert angle.sum() == pytest.approx(4 * np.pi, rel=1e-3)
    middle = to_blender(around[HEIGHT // 2, WIDTH // 2])
    assert np.allclose(middle, (1, 0, 0), atol=0.05)  # u = 0.5 looks along +X
    assert np.allclose(to_blender(around[HEIGHT // 2, WIDTH // 4]), (0, 1, 0), atol=0.05)  # u falls towards +Y
    assert around[-1, 0, 1] > 0.99  # the last row is the sky


def test_constant_light_is_a_constant_panorama():
    assert np.allclose(panorama(ambient(1.0) * (0.5, 1.0, 2.0), CAMERA), [0.5, 1.0, 2.0], rtol=0.01)


def test_gentle_light_shades_as_the_harmonics_do():
    illumination = np.random.default_rng(1).normal(0, 0.15, (9, 3))
    illumination[0] = 3.5
    normals = front_normals()
    assert np.allclose(
        shade_white(panorama(illumination, CAMERA), normals), irradiance(normals, illumination), rtol=0.04
    )


def test_behind_the_head_nothing_is_made_up():
    illumination = ambient(0.8).astype(float)
    illumination[FRONT] = (0.2, 0.0, -0.6)  # the harmonics alone would shine blue from behind
    picture = panorama(illumination, CAMERA)
    around, _ = directions(WIDTH, HEIGHT)
    behind = picture[around[..., 2] < -0.7].mean(0)
    front = picture[around[..., 2] > 0.7].mean(0)
    assert behind[2] < 1.3 * behind[0]
    assert front[2] < 0.6 * front[0]


def test_a_lamp_from_the_front_stays_one_without_negative_light():
    illumination = ambient(0.6).astype(float)
    illumination[FRONT] = 1.1
    picture = panorama(illumination, CAMERA)
    assert picture.min() > 0
    normals = front_normals()
    assert np.allclose(shade_white(picture, normals), irradiance(normals, illumination), rtol=0.1)
    front, back = shade_white(picture, np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]))
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
    light = pixels.reshape(HEIGHT, WIDTH, 4)[..., :3]
    assert np.allclose(light, panorama(person.illumination, person.camera.position), atol=1e-3)
    backdrop = built.world.node_tree.nodes["Backdrop"].inputs["Color"].default_value[:3]
    assert backdrop == pytest.approx(BACKDROP * light.mean((0, 1)), rel=0.01)


def test_without_the_option_the_world_is_left_alone(built):
    assert built.world is None
    assert bpy.context.scene.world is None
