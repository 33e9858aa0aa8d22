"""The contact sheet: photo, fit, and the head from several sides, for a person to judge at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .camera import Camera
from .render.lighting import studio
from .render.look import gloss, lash_opacity
from .result import Reconstruction

if TYPE_CHECKING:
    from .render.hair import HairLook

SIDE = 512
GAP = 10
LABEL_HEIGHT = 34
BACKDROP = (118, 118, 120)
PAPER = (38, 38, 40)
INK = (225, 225, 225)
SEEN, FITTED, WIRE = (255, 176, 46), (64, 200, 255), (255, 255, 255)
DISTANCE = 1.3
"""Of the turntable camera, metres: a portrait lens's."""
SHOWN_HEIGHT = 0.34
"""What a turntable panel shows from top to bottom, metres."""
HAIR_ROOM = 0.02
"""Under heads with hair, for what of it hangs below the chin, metres."""
TITLES: tuple[str, ...] = ("Photo", "Fit", "The photo's view and light", "Three-quarter", "Profile", "Smile")
DRAWN_AT_ONCE = 2
"""Panels; each takes about 80 MB and keeps one core busy."""
EXPRESSION = {
    "mouthSmileLeft": 0.75, "mouthSmileRight": 0.75, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5,
    "eyeSquintLeft": 0.25, "eyeSquintRight": 0.25, "browInnerUp": 0.25, "jawOpen": 0.18, "mouthUpperUpLeft": 0.2,
    "mouthUpperUpRight": 0.2,
}  # fmt: skip


@dataclass(frozen=True)
class Crop:
    """A square window on the photo.

    Attributes:
        left, top, side: pixels of the photo; may reach past its edges.
    """

    left: float
    top: float
    side: float

    def camera(self, camera: Camera) -> Camera:
        """The photo's camera, seen through this window at `SIDE` pixels."""
        K = camera.K.copy()
        K[:2, 2] -= (self.left, self.top)
        K[:2] *= SIDE / self.side
        return Camera(K, camera.world_to_camera, SIDE, SIDE)

    def to_panel(self, points: NDArray) -> NDArray:
        """Photo pixels (...,2) to panel pixels."""
        return (points - (self.left, self.top)) * (SIDE / self.side)


def preview(reconstruction: Reconstruction, photo_pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Photo | fit over the photo | head from the photo's view, above three-quarter | profile | an expression.

    Args:
        reconstruction: the finished head.
        photo_pixels: (H,W,3) uint8, the upright photo its camera belongs to.
    Returns:
        (H,W,3) uint8.
    """
    crop = head_crop(reconstruction)
    photo = cut(photo_pixels, crop)
    turn = 35.0 * facing_side(reconstruction)
    stage = Stage(reconstruction)
    rest = neutral(reconstruction)
    views = [
        (posed(reconstruction), crop.camera(reconstruction.camera), reconstruction.illumination),
        (rest, turntable(reconstruction, turn), studio()),
        (rest, turntable(reconstruction, float(np.copysign(90, turn))), studio()),
        (acting(reconstruction, EXPRESSION), turntable(reconstruction, float(np.copysign(12, -turn))), studio()),
    ]
    with ThreadPoolExecutor(DRAWN_AT_ONCE) as pool:
        drawn = list(pool.map(lambda view: stage.picture(*view), views))
    pictures = [photo, overlay(reconstruction, photo, crop), *drawn]
    panels = list(zip(TITLES, pictures, strict=True))
    return contact_sheet(panels, columns=3)


def contact_sheet(panels: list[tuple[str, NDArray[np.uint8]]], columns: int) -> NDArray[np.uint8]:
    """Equal panels (h,w,3) in rows, each with its title below."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = panels[0][1].shape[:2]
    rows = -(-len(panels) // columns)
    cell_width, cell_height = width + GAP, height + LABEL_HEIGHT
    sheet = Image.new("RGB", (columns * cell_width + GAP, rows * cell_height + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(18)
    for index, (title, picture) in enumerate(panels):
        row, column = divmod(index, columns)
        x, y = GAP + column * cell_width, GAP + row * cell_height
        sheet.paste(Image.fromarray(picture), (x, y))
        draw.text((x + width / 2, y + height + LABEL_HEIGHT / 2 - 2), title, INK, font, "mm")
    return np.asarray(sheet)


def head_crop(reconstruction: Reconstruction) -> Crop:
    """The square around the head, chin to crown with room for hair and neck."""
    shown = posed(reconstruction)[_above_collar(reconstruction)]
    if reconstruction.hair is not None:
        shown = np.concatenate([shown, reconstruction.hair.vertices])
    points = reconstruction.camera.project(shown)
    low, high = points.min(0), points.max(0)
    side = (1.25 if reconstruction.hair is None else 1.12) * float((high - low).max())
    centre = (low + high) / 2
    return Crop(float(centre[0] - side / 2), float(centre[1] - side / 2), side)


def _above_collar(reconstruction: Reconstruction) -> NDArray[np.bool_]:
    """(V,) head without shoulders: above the line a little under the chin."""
    y = reconstruction.vertices[:, 1]
    face = y[reconstruction.face_region]
    return y > face.min() - 0.15 * np.ptp(face)


def cut(pixels: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    """The crop (SIDE,SIDE,3) of a picture (H,W,3), neutral grey past its edges."""
    import cv2

    scale = SIDE / crop.side
    # Shrinking is done by areas first, which does not alias; the rest by one affine step.
    shrink = 1.0
    if scale < 1:
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        shrink = size[0] / pixels.shape[1]
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    factor = scale / shrink
    matrix = np.array([[factor, 0, -crop.left * scale], [0, factor, -crop.top * scale]])
    matrix[:, 2] += 0.5 * factor - 0.5
    return np.asarray(
        cv2.warpAffine(
            pixels[..., :3], matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC if factor > 1 else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT, borderValue=BACKDROP,
        ), np.uint8,
    )  # fmt: skip


def overlay(reconstruction: Reconstruction, photo: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    """The photo with the fitted mesh's visible edges, and the landmarks seen (amber) and fitted (blue)."""
    import cv2

    fine = 16
    layer = (photo * 0.82).astype(np.uint8)
    lines = np.round(_visible_edges(reconstruction, crop.camera(reconstruction.camera)) * fine).astype(np.int32)
    wires = layer.copy()
    cv2.polylines(wires, list(lines), False, WIRE, 1, cv2.LINE_AA, 4)
    layer = cv2.addWeighted(layer, 0.68, wires, 0.32, 0)
    for points, colour, radius in (
        (reconstruction.landmarks_2d, SEEN, 1.7), (reconstruction.landmarks_model_2d, FITTED, 1.1),
    ):  # fmt: skip
        for x, y in np.round(crop.to_panel(points) * fine).astype(int):
            cv2.circle(layer, (int(x), int(y)), round(radius * fine), colour, -1, cv2.LINE_AA, 4)
    return np.asarray(layer, np.uint8)


def _visible_edges(reconstruction: Reconstruction, camera: Camera) -> NDArray:
    """(N,2,2) panel pixels of the polygon edges of the outer skin that face the camera."""
    vertices = reconstruction.posed_vertices
    polygons = reconstruction.polygons[reconstruction.polygon_materials == 0]
    polygons = np.where(polygons < 0, polygons[:, :1], polygons)
    corners = vertices[polygons].astype(np.float64)
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    facing = (normals * (camera.position - corners.mean(1))).sum(1) > 0
    inner = ~reconstruction.face_region[polygons].any(1) & (corners[:, :, 2].mean(1) > 0.04)
    polygons = polygons[facing & ~inner]
    edges = np.concatenate([polygons[:, [k, (k + 1) % 4]] for k in range(4)])
    edges = np.unique(np.sort(edges[edges[:, 0] != edges[:, 1]], axis=1), axis=0)
    return camera.project(vertices.astype(np.float64))[edges]


def facing_side(reconstruction: Reconstruction) -> int:
    """+1 if the photo shows more of the head's left (camera to the left of the head's front), else -1."""
    camera = reconstruction.camera.position - reconstruction.vertices.mean(0)
    return 1 if camera[0] >= 0 else -1


def turntable(reconstruction: Reconstruction, yaw: float) -> Camera:
    """A level portrait camera, `yaw` degrees towards the head's left; the head fills the panel, the bust runs out."""
    head = neutral(reconstruction)[_above_collar(reconstruction)]
    low, high = head.min(0), head.max(0)
    shown = SHOWN_HEIGHT
    if reconstruction.hair is not None:  # shoulders stay below the panel, hair inside it
        hair = reconstruction.hair.vertices
        low[1] -= HAIR_ROOM
        high[1] = max(high[1], hair[:, 1].max())
        across = 2 * np.abs(hair - (low + high) / 2)[:, [0, 2]].max()
        shown = max(shown, 1.06 * float(high[1] - low[1]), 1.03 * float(across))
    middle = (low + high) / 2 - (0, 0.018, 0)
    a = np.radians(yaw)
    right, down, forward = (
        np.array([np.cos(a), 0, -np.sin(a)]),
        np.array([0, -1.0, 0]),
        -np.array([np.sin(a), 0, np.cos(a)]),
    )
    view = np.eye(4)
    view[:3, :3] = np.stack([right, down, forward])
    view[:3, 3] = -view[:3, :3] @ (middle - DISTANCE * forward)
    focal = SIDE * DISTANCE / shown
    return Camera(np.array([[focal, 0, SIDE / 2], [0, focal, SIDE / 2], [0, 0, 1.0]]), view, SIDE, SIDE)


def neutral(reconstruction: Reconstruction) -> NDArray:
    """(V,3) metres: the head at rest."""
    return reconstruction.vertices


def posed(reconstruction: Reconstruction) -> NDArray:
    """(V,3) metres: the head as it is in the photo."""
    return reconstruction.posed_vertices


def acting(reconstruction: Reconstruction, expression: Mapping[str, float]) -> NDArray:
    """(V,3) metres: the neutral head with expression weights by name."""
    weights = np.array([expression.get(name, 0.0) for name in reconstruction.expression_names], np.float32)
    return neutral(reconstruction) + np.tensordot(weights, reconstruction.expression_basis.astype(np.float32), 1)


class Stage:
    """Draws the textured head on a plain backdrop.

    Args:
        side: pixels of the square pictures.
        backdrop: colour behind the head.
    """

    def __init__(
        self, reconstruction: Reconstruction, side: int = SIDE, backdrop: tuple[int, int, int] = BACKDROP
    ) -> None:
        from .render.hair import hair_look
        from .render.shade import linear_texture

        self.head = reconstruction
        self.backdrop = np.full((side, side, 3), backdrop, np.uint8)
        self.texture = linear_texture(reconstruction.albedo)
        self.gloss = gloss(reconstruction)
        self.opacity = lash_opacity(reconstruction)
        self.hair = None if reconstruction.hair is None else hair_look(reconstruction.hair)

    def picture(self, vertices: NDArray, camera: Camera, illumination: NDArray) -> NDArray[np.uint8]:
        """(S,S,3) these vertices (V,3) and the hair on them under a light (9,3)."""
        from .render.shade import render_head

        drawn = render_head(
            vertices,
            self.head.faces,
            self.head.uv,
            self.head.uv_faces,
            self.texture,
            camera,
            illumination,
            background=self.backdrop,
            gloss=self.gloss,
            opacity=self.opacity,
            hair=self._hair_on(vertices),
        )
        return drawn[..., :3]

    def _hair_on(self, vertices: NDArray) -> HairLook | None:
        """The hair on a head whose vertices are (V,3)."""
        if self.hair is None or self.head.hair is None:
            return None
        return self.hair.at(self.head.hair.moved(vertices - self.head.vertices).vertices)
