"""Carrying photo pixels onto the texels that the photo's camera sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..heads.model import HeadModel
from ..perception.observation import Masks
from ..render.lighting import srgb_to_linear
from .surface import UvSurface, vertex_normals

VIEW_SIDE = 1024
"""Longer side of the depth picture that decides visibility, pixels."""
DEPTH_SLACK = 0.004
"""How far behind the nearest surface a texel may lie and still count as seen, metres."""
EDGE_JUMP = 0.01
"""A step in depth this large is an occluding edge, metres."""
EDGE_REACH = 0.0035
"""What lies behind an occluding edge is not trusted this close to it, in sides of the depth picture."""
BORDER = (0.0015, 0.005)
"""Where trust begins and is complete inside the border to background and clothes, metres."""
FINE_BORDER = (0.0, 0.001)
"""The same for the border to mouth and glasses' frames, whose place is known well."""
HAIR_BORDER = (0.0, 0.006)
"""The same for skin beside hair, whose strands and shadow would be spread over what is completed from it."""
LASHES = 0.0018
"""So far below the upper contour of the eye what is seen is the lashes' dark line, which is the lid's own, metres."""
FOLDED = (1.5, 3.0)
"""Growth of the skin in a blink between which it counts as folded away."""
BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")
BLOCK = 1 << 15
"""Texels at a time, so that what is between two operations stays in the processor's cache."""
GRAZING, SQUARE = 0.15, 0.4
"""Cosines of the view angle at which trust begins and is complete."""


@dataclass(frozen=True)
class Projection:
    """The photo on the surface texels (flat, as in `UvSurface`).

    Attributes:
        color: (N,3) float32 linear RGB, 0 where the surface faces away.
        seen: (N,) float32 trust from visibility and view angle alone, 0..1.
        visible: (N,) float32, 1 where the camera sees the texel at whatever angle: enough to tell hair from skin.
        facing: (N,) float32 cosine of the view angle, negative on the far side.
        skin, hair: (N,) float32 masks at the texels; 0..1.
        bare: (N,) float32, skin away from hair, whose strands and shadows would tint what is completed from it.
    """

    color: NDArray[np.float32]
    seen: NDArray[np.float32]
    visible: NDArray[np.float32]
    facing: NDArray[np.float32]
    skin: NDArray[np.float32]
    hair: NDArray[np.float32]
    bare: NDArray[np.float32]


def smoothstep(x: NDArray, low: float, high: float) -> NDArray[np.float32]:
    """0 below `low`, 1 above `high`, smooth between."""
    x = np.asarray(x)
    out = np.empty(x.shape, np.float32)
    values, steps = x.reshape(-1), out.reshape(-1)
    for start in range(0, len(values), BLOCK):
        t = values[start : start + BLOCK] - low
        t = np.clip(np.divide(t, high - low, out=t if t.dtype.kind == "f" else None), 0.0, 1.0)
        np.multiply(t * t, 3 - 2 * t, out=steps[start : start + BLOCK], casting="same_kind")
    return out


def project_photo(
    head: HeadModel, posed: NDArray, camera: Camera, pixels: NDArray[np.uint8], masks: Masks, surface: UvSurface
) -> Projection:
    """Sample the photo at every surface texel.

    Args:
        posed: (V,3) metres, the head as it is in the photo.
        pixels: (H,W,3) sRGB photo, the camera's size.
    """
    facing = surface.smooth(view_cosine(posed, vertex_normals(posed, head.faces), camera)[:, None], head.faces)[:, 0]
    front = np.nonzero(facing > GRAZING)[0]
    # Homogeneous pixels are linear on a triangle, so they are computed once per vertex.
    homogeneous = surface.gather(camera.to_camera(posed) @ camera.K.T, head.faces, front)
    depth = homogeneous[:, 2]
    places = homogeneous[:, :2] / depth[:, None]
    x, y = places.T
    inside = (x >= 1) & (y >= 1) & (x < camera.width - 1) & (y < camera.height - 1)
    visible = _clearance(head, posed, camera, depth, places) * inside
    folded = smoothstep(unfolding(head, posed), *FOLDED)
    trust = smoothstep(facing[front], GRAZING, SQUARE) * visible
    trust *= 1 - surface.smooth(folded[:, None], head.faces)[front, 0]
    scale = float(camera.K[0, 0] / np.median(depth))
    masks = with_lash_line(masks, camera, scale)
    hairless = masks.skin * _drawn_in(masks.hair < 0.3, HAIR_BORDER, scale)
    layers = cv2.merge([_well_inside(masks, scale), masks.skin, masks.hair, hairless])
    sure, skin, hair, bare = sample(layers, places).T
    trust *= sure
    photo = _prefiltered(pixels, len(front), places)

    def spread(values: NDArray) -> NDArray[np.float32]:
        out = np.zeros((len(facing), *values.shape[1:]), np.float32)
        out[front] = values
        return out

    return Projection(
        color=spread(srgb_to_linear(sample(photo, places))),
        seen=spread(trust),
        visible=spread(visible),
        facing=facing,
        skin=spread(skin),
        hair=spread(hair),
        bare=spread(bare),
    )


def view_cosine(posed: NDArray, normals: NDArray, camera: Camera) -> NDArray[np.float32]:
    """(V,) cosine between normals and the direction to the camera, negative on the far side."""
    view = camera.position - posed
    return (np.einsum("vc,vc->v", normals, view) / np.linalg.norm(view, axis=1)).astype(np.float32)


def unfolding(head: HeadModel, posed: NDArray) -> NDArray[np.float64]:
    """(V,) by how much the surface around each vertex grows when the eyes close; 1 away from the lids.

    What an open eye folds away shows as a dark line or not at all, which a blink would spread over the whole lid.
    """
    blinks = [head.expression_names.index(name) for name in BLINKS if name in head.expression_names]
    closed = posed + head.expression_basis[blinks].sum(0)
    areas = []
    for vertices in (posed, closed):
        corners = vertices[head.faces]
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        areas.append(np.bincount(head.faces.ravel(), np.repeat(area, 3), len(posed)))
    return areas[1] / np.maximum(areas[0], 1e-12)


def sample(picture: NDArray, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values at pixel places (N,2). cv2.remap wants a picture-shaped map of limited width, hence the reshape."""
    width = 1 << 12
    count = len(places)
    rows = -(-count // width)
    grid = np.empty((rows * width, 2), np.float32)
    np.subtract(places, 0.5, out=grid[:count], casting="same_kind")
    grid[count:] = 0
    grid = grid.reshape(rows, width, 2)
    found = cv2.remap(picture, grid, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return found.reshape(rows * width, *picture.shape[2:])[:count]


def weighted(colors: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours (N,3) times weights (N,): NumPy takes three times as long over an axis of three."""
    out = np.empty(colors.shape, np.float32)
    for start in range(0, len(weights), BLOCK):
        part = slice(start, start + BLOCK)
        np.multiply(colors[part], cv2.merge([weights[part]] * 3).reshape(-1, 3), out=out[part])
    return out


def mix(colors: NDArray[np.float32], others: NDArray[np.float32], share: NDArray[np.float32]) -> None:
    """Move colours (N,3) towards others (N,3) by a share (N,) of the way, in place."""
    for start in range(0, len(share), BLOCK):
        part = slice(start, start + BLOCK)
        change = others[part] - colors[part]
        change *= cv2.merge([share[part]] * 3).reshape(-1, 3)
        colors[part] += change


def extent_of(places: NDArray[np.float32]) -> NDArray[np.float32]:
    """(2,) width and height of the points, pixels, at least 1."""
    x, y = places.T  # one after the other: much faster than along the short axis
    return np.maximum([np.ptp(x), np.ptp(y)], 1).astype(np.float32)


def _prefiltered(pixels: NDArray[np.uint8], texels: int, places: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The photo, blurred where it has more pixels on the head than the texture has texels for them."""
    extent = np.minimum(extent_of(places), pixels.shape[1::-1])
    stride = float(np.sqrt(extent.prod() / texels))
    return pixels if stride < 1.5 else cv2.GaussianBlur(pixels, (0, 0), 0.4 * stride)


def with_lash_line(masks: Masks, camera: Camera, scale: float) -> Masks:
    """The masks with the dark line of the upper lashes, which detectors count to the eye, given to the skin.

    Args:
        scale: pixels a metre.
    """
    x, y = camera.world_to_camera[:2, 1] * -LASHES * scale  # downwards along the head
    lower = cv2.warpAffine(masks.eyes, np.array([[1.0, 0.0, x], [0.0, 1.0, y]]), masks.eyes.shape[::-1])
    eyes = np.minimum(masks.eyes, lower)
    return replace(masks, eyes=eyes, skin=np.minimum(masks.skin + masks.eyes - eyes, 1.0))


def _well_inside(masks: Masks, scale: float) -> NDArray[np.float32]:
    """(H,W) 0..1: what shows of skin and hair, drawn in from its borders, where other things tint the pixels.

    The hairline is no border: what mixes there are the person's own hair and skin.

    Args:
        scale: pixels a metre.
    """
    features = np.maximum(masks.eyes, masks.inner_mouth)
    frames = np.zeros_like(features) if masks.frames is None else masks.frames
    trust = _drawn_in(masks.skin + masks.hair + features + frames > 0.5, BORDER, scale)
    trust *= masks.eyes < 0.5
    return trust * _drawn_in(np.maximum(masks.inner_mouth, frames) < 0.5, FINE_BORDER, scale)


def _drawn_in(inside: NDArray[np.bool_], border: tuple[float, float], scale: float) -> NDArray[np.float32]:
    """0 within the first, 1 beyond the second distance (metres) from the area's border; at least a pixel wide."""
    distance = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    low = border[0] * scale
    return smoothstep(distance, low, max(border[1] * scale, low + 1.0))


def head_view(camera: Camera, vertices: NDArray, side: int = VIEW_SIDE, margin: float = 0.05) -> Camera:
    """A camera that sees the same picture, cropped to the head and scaled so that its longer side is `side` pixels."""
    places = camera.project(vertices)
    low, high = places.min(0), places.max(0)
    extent = high - low
    low, extent = low - margin * extent, extent * (1 + 2 * margin)
    scale = side / float(extent.max())
    K = camera.K.copy()
    K[:2, 2] -= low
    K[:2] *= scale
    width, height = (max(1, round(float(value) * scale)) for value in extent)
    return Camera(K, camera.world_to_camera, width, height)


def _clearance(
    head: HeadModel, posed: NDArray, camera: Camera, depth: NDArray[np.float32], places: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(n,) 1 where a texel is the nearest skin and not close behind an occluding edge, falling to 0 there.

    Teeth and eyeballs are left out: behind lips and lids they would make edges of them, whose place the masks know.
    """
    import torch

    from ..render.rasterize import rasterize_mesh

    view = head_view(camera, posed)
    outer = head.face_materials == head.material_names.index("skin")
    outer &= ~head.regions["inner_mouth"][head.faces].all(1)
    raster = rasterize_mesh(torch.tensor(posed.astype(np.float32)), torch.tensor(head.faces[outer]), view)
    drawn = raster.mask.numpy()
    nearest = np.where(drawn, raster.depth.numpy(), 1e3).astype(np.float32)
    reach = max(2, round(VIEW_SIDE * EDGE_REACH))
    in_front = cv2.erode(nearest, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    open_sky = (~drawn | (nearest - in_front < EDGE_JUMP)).astype(np.uint8)
    edge_free = np.minimum(cv2.distanceTransform(open_sky, cv2.DIST_L2, 3) / reach, 1).astype(np.float32)
    farthest = cv2.dilate(np.where(drawn, nearest, 0).astype(np.float32), np.ones((3, 3), np.uint8))
    scale = view.K[0, 0] / camera.K[0, 0]
    offset = view.K[:2, 2] - camera.K[:2, 2] * scale
    shifted = places * np.float32(scale) + offset.astype(np.float32)
    return sample(edge_free, shifted) * (depth < sample(farthest, shifted) + DEPTH_SLACK)
