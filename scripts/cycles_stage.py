"""A Blender scene for synthetic faces: camera, surroundings, lamps, a head and what it wears; drawn by Cycles.

World space is the engine's own (metres, y up): Blender's axes are only names here, so nothing is converted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from engine.training.synthetic.scene import Lamp, Prop
from engine.training.synthetic.scene_file import HeadFile, SceneFile
from scripts.cycles_denoise import take_noise_out
from scripts.cycles_surfaces import ALBEDO, COLOUR, FINISH, OPACITY, UV, head_surface, prop_surface

SENSOR = 36.0
LOOKS_BACK = np.diag([1.0, -1.0, -1.0, 1.0])
"""Blender's cameras look along -z with y up; ours along z with y down."""
BOUNCES = {"max_bounces": 4, "diffuse_bounces": 2, "glossy_bounces": 2, "transmission_bounces": 2, "volume_bounces": 0}
SHEER_LAYERS = 24
"""Lashes and lenses behind one another that a ray may pass."""
CLAMP = 3.0
"""Brightest sample of indirect light: few samples leave no room for fireflies."""


class Stage:
    """One head whose pose, skin and surroundings change from picture to picture."""

    def __init__(self, head: HeadFile, samples: int, threads: int) -> None:
        for block in list(bpy.data.objects):
            bpy.data.objects.remove(block)
        scene: Any = bpy.context.scene
        self.scene, self.head = scene, head
        _set_up(scene, samples, threads)
        self.camera = _add("camera", bpy.data.cameras.new("camera"))
        scene.camera = self.camera
        take_noise_out(scene)
        self.surroundings = _world(scene)
        self.mesh = _mesh("head", np.zeros((len(head.opacity), 3)), head.faces)
        self.surfaces = [head_surface(name) for name in head.names]
        self._dress_head()
        self.passing: list[bpy.types.Object] = []
        self.pictures: list[bpy.types.Image] = []

    def draw(self, scene: SceneFile, scratch: Path) -> NDArray[np.float16]:
        """(S,S,4) linear colours, multiplied by their alpha.

        Args:
            scratch: a file that may be written, .exr.
        """
        self._clear()
        self.scene.cycles.seed = scene.seed
        self._aim(scene)
        self._paint(scene)
        self.passing += [_sun(lamp) for lamp in scene.lamps]
        self.mesh.vertices.foreach_set("co", scene.vertices.ravel())
        _attribute(self.mesh, OPACITY, np.where(self.head.opacity < 1, self.head.opacity * scene.lashes, 1.0))
        self.mesh.update()
        self.passing += [_wear(prop) for prop in scene.props]
        self.scene.render.filepath = str(scratch)
        bpy.ops.render.render(write_still=True)
        return _pixels(scratch)

    def _dress_head(self) -> None:
        for surface in self.surfaces:
            self.mesh.materials.append(surface)
        self.mesh.polygons.foreach_set("material_index", self.head.materials.astype(np.int32))
        places: Any = self.mesh.uv_layers.new(name=UV)
        places.data.foreach_set("uv", self.head.uv.astype(np.float32).ravel())
        self.mesh.shade_smooth()
        _add("head", self.mesh)

    def _aim(self, scene: SceneFile) -> None:
        """Focal length and principal point, to the pixel."""
        lens: Any = self.camera.data
        lens.sensor_fit, lens.sensor_width = "HORIZONTAL", SENSOR
        lens.lens = float(scene.K[0, 0]) * SENSOR / scene.size
        lens.shift_x = 0.5 - float(scene.K[0, 2]) / scene.size
        lens.shift_y = float(scene.K[1, 2]) / scene.size - 0.5
        lens.clip_start, lens.clip_end = 0.01, 100.0
        self.camera.matrix_world = Matrix((np.linalg.inv(scene.world_to_camera) @ LOOKS_BACK).tolist())
        self.scene.render.resolution_x = self.scene.render.resolution_y = scene.size

    def _paint(self, scene: SceneFile) -> None:
        """New pictures each time: Cycles keeps what it has loaded of an old one, even if its pixels change."""
        finish = np.concatenate([scene.finish, np.zeros_like(scene.finish[..., :1])], -1)
        pictures = {ALBEDO: _image(ALBEDO, scene.albedo[::-1]), FINISH: _image(FINISH, finish[::-1])}
        trees: list[Any] = [surface.node_tree for surface in self.surfaces]
        for tree in trees:
            for name, picture in pictures.items():
                node = tree.nodes.get(name)
                if node is not None:
                    node.image = picture
        around = _image("surroundings", scene.surroundings)
        self.surroundings.image = around
        self.pictures = [*pictures.values(), around]

    def _clear(self) -> None:
        """Take away what belonged to the last picture."""
        for thing in self.passing:
            data: Any = thing.data
            bpy.data.objects.remove(thing)
            if isinstance(data, bpy.types.Mesh):
                for surface in filter(None, list(data.materials)):
                    bpy.data.materials.remove(surface)
                bpy.data.meshes.remove(data)
            else:
                bpy.data.lights.remove(data)
        for picture in self.pictures:
            bpy.data.images.remove(picture)
        self.passing, self.pictures = [], []


def _set_up(scene: Any, samples: int, threads: int) -> None:
    render, cycles = scene.render, scene.cycles
    render.engine, cycles.device = "CYCLES", "CPU"
    render.threads_mode, render.threads = ("FIXED", threads) if threads else ("AUTO", 0)
    render.film_transparent = True
    render.resolution_percentage = 100
    render.image_settings.file_format, render.image_settings.color_depth = "OPEN_EXR", "32"
    render.image_settings.color_mode, render.image_settings.exr_codec = "RGBA", "NONE"
    scene.view_settings.view_transform = "Standard"
    for name, value in BOUNCES.items():
        setattr(cycles, name, value)
    cycles.samples, cycles.use_adaptive_sampling, cycles.adaptive_threshold = samples, True, 0.02
    cycles.use_denoising = False  # see scripts/cycles_denoise.py
    cycles.transparent_max_bounces, cycles.sample_clamp_indirect = SHEER_LAYERS, CLAMP
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.film_transparent_glass = True
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 1.5


def _world(scene: Any) -> Any:
    """A world that shines like a panorama. Returns the node that holds it, still without picture."""
    world: Any = bpy.data.worlds.new("surroundings")
    scene.world, world.use_nodes = world, True
    world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 128
    tree = world.node_tree
    node = tree.nodes.new("ShaderNodeTexEnvironment")
    tree.links.new(node.outputs["Color"], tree.nodes["Background"].inputs["Color"])
    return node


def _image(name: str, values: NDArray) -> bpy.types.Image:
    """A picture of linear numbers (H,W,3), row 0 at the bottom."""
    height, width = values.shape[:2]
    image: Any = bpy.data.images.new(name, width, height, alpha=False, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"  # the numbers are linear light already
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = values
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    return image


def _mesh(name: str, vertices: NDArray, faces: NDArray) -> Any:
    """A smooth mesh of triangles."""
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(vertices))
    mesh.loops.add(faces.size)
    mesh.polygons.add(len(faces))
    mesh.vertices.foreach_set("co", np.ascontiguousarray(vertices, np.float32).ravel())
    mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(faces, np.int32).ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    mesh.update(calc_edges=True)
    mesh.shade_smooth()
    return mesh


def _attribute(mesh: Any, name: str, values: NDArray) -> None:
    """A number or a linear colour for each vertex."""
    colour = values.ndim == 2
    found = mesh.attributes.get(name) or mesh.attributes.new(name, "FLOAT_COLOR" if colour else "FLOAT", "POINT")
    if colour:
        values = np.concatenate([values, np.ones((len(values), 1))], 1)
    found.data.foreach_set("color" if colour else "value", np.ascontiguousarray(values, np.float32).ravel())


def _wear(prop: Prop) -> bpy.types.Object:
    mesh = _mesh(prop.name, prop.vertices, prop.faces)
    _attribute(mesh, COLOUR, prop.colour)
    mesh.materials.append(prop_surface(prop))
    return _add(prop.name, mesh)


def _sun(lamp: Lamp) -> bpy.types.Object:
    light: Any = bpy.data.lights.new("lamp", "SUN")
    bright = max(float(lamp.colour.max()), 1e-6)
    light.energy, light.color = np.pi * bright, tuple((lamp.colour / bright).tolist())  # irradiance of a white surface
    light.angle = min(2 * lamp.softness, np.pi)
    thing = _add("lamp", light)
    thing.rotation_mode = "QUATERNION"
    thing.rotation_quaternion = Vector(lamp.direction.tolist()).to_track_quat("Z", "Y")
    return thing


def _add(name: str, data: Any) -> Any:
    thing = bpy.data.objects.new(name, data)
    scene: Any = bpy.context.scene
    scene.collection.objects.link(thing)
    return thing


def _pixels(path: Path) -> NDArray[np.float16]:
    image: Any = bpy.data.images.load(str(path))
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    size = image.size[1], image.size[0], 4
    bpy.data.images.remove(image)
    return values.reshape(size)[::-1].clip(0, 60000).astype(np.float16)
