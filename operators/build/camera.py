"""A Blender camera that sees the head as the photo did."""

from __future__ import annotations

import bpy
from mathutils import Matrix

from ...engine.camera import Camera
from .space import Space
from .transaction import Transaction

LONG_SIDE = 36.0  # millimetres: full frame, so that the focal length reads as photographers quote it


def build_camera(
    collection: bpy.types.Collection,
    camera: Camera,
    space: Space,
    name: str,
    parent: bpy.types.Object,
    frame: tuple[float, float],
    transaction: Transaction,
) -> bpy.types.Object:
    """Make the photo's camera, parented to the head so that the match survives moving it.

    Sensor, focal length and shift reproduce the intrinsics at any render resolution of the photo's shape. Blender fits
    the photo into a frame of another shape, so the camera is tied to the side by which it fits: head and photo match
    there too.

    Args:
        frame: width and height of the render, in any unit.
    """
    data = transaction.add(bpy.data.cameras.new(name))
    long_side = max(camera.width, camera.height)
    wide_frame = frame[0] * camera.height >= frame[1] * camera.width
    side = camera.height if wide_frame else camera.width
    data.sensor_fit = "VERTICAL" if wide_frame else "HORIZONTAL"
    data.sensor_width = LONG_SIDE * camera.width / long_side
    data.sensor_height = LONG_SIDE * camera.height / long_side
    data.lens = float(camera.K[0, 0]) * LONG_SIDE / long_side
    data.shift_x = (camera.width / 2 - float(camera.K[0, 2])) / side
    data.shift_y = (float(camera.K[1, 2]) - camera.height / 2) / side
    data.clip_start, data.clip_end = 0.01 * space.scale, 100.0 * space.scale
    data.display_size = 0.05 * space.scale
    view = transaction.add(bpy.data.objects.new(name, data))
    collection.objects.link(view)
    view.parent = parent
    view.matrix_basis = Matrix(space.camera_matrix(camera).tolist())
    return view


def render_frame(scene: bpy.types.Scene) -> tuple[float, float]:
    """Width and height of the scene's renders, with their pixels' shape."""
    render = scene.render
    return render.resolution_x * render.pixel_aspect_x, render.resolution_y * render.pixel_aspect_y


def show_photo(view: bpy.types.Object, photo: bpy.types.Image) -> None:
    """Put the photo behind the head in the camera's view."""
    assert isinstance(view.data, bpy.types.Camera)
    view.data.show_background_images = True
    background = view.data.background_images.new()
    background.image = photo
    background.alpha = 1.0
    background.display_depth = "BACK"
    background.frame_method = "FIT"


def match_render(scene: bpy.types.Scene, view: bpy.types.Object, camera: Camera, transaction: Transaction) -> None:
    """Make the scene render the photo's view at the photo's size."""
    render, previous = scene.render, scene.camera
    names = ("resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y")
    before = {name: getattr(render, name) for name in names}

    def restore() -> None:
        scene.camera = previous
        for name, value in before.items():
            setattr(render, name, value)

    transaction.on_failure(restore)
    scene.camera = view
    for name, value in zip(names, (camera.width, camera.height, 100, 1.0, 1.0), strict=True):
        setattr(render, name, value)
