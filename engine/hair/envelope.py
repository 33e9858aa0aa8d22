"""The surface of the hair: the skull pushed out to the outline, and what hangs below the ears."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..heads.model import HeadModel
from ..perception.depth_scale import SPAN
from ..perception.parts import PartsObservation
from .cover import STEP, cover_map
from .field import blurred, inward_distance, sampled, smoothstep
from .grid import COLUMNS, ROWS, ScalpGrid, scalp_centre
from .outline import ROW, Outline, measure_outline

CLOSE = 0.0025
"""Hair that lies close stands off this far, metres."""
RISE = 0.028
"""Distance from the hairline over which the volume rises to full, metres."""
ON_OUTLINE = (0.85, 1.0)
"""Shares of the skull's outline between which its thickness holds right to the hairline."""
STANDS_OFF = (0.006, 0.015)
"""Thicknesses between which the outline is known to be hair rather than an ear or a border of the mask, metres."""
HIDDEN_EAR = 0.6
"""Share of an ear that must be covered by hair for it to pass over the ear."""
EAR_ROOM = 0.004
"""Hair passes this far over the ears it covers, metres."""
HANGS_BELOW = (0.100, 0.125)
"""Hair that reaches between these distances below the scalp's middle hangs free, metres."""
HANGS_BESIDE = (0.75, 1.05)
"""Radians from the face between which columns of hair begin to hang."""
UNEVEN = 0.004
"""Deviation of the length of neighbouring locks at the end of hanging hair, metres."""
SHOULDER = 0.014
"""Hanging hair ends this far above the shoulders, metres."""
LUMPS = (0.05, 0.0008)
"""Height of locks: share of the thickness, and metres."""
NEAR_END = 0.95 * SPAN
"""Metres from the eyes beyond which depth is clipped, or nearly."""
SETTLING = 5
"""Rounds in which the surface moves to where the depth map has it."""


@dataclass(frozen=True)
class DepthMap:
    """Depth of face and hair in the photo.

    Attributes:
        depth: (H,W) metres along the optical axis, up to a constant.
        confidence: (H,W) 0..1.
    """

    depth: NDArray[np.float32]
    confidence: NDArray[np.float32]

    @staticmethod
    def of(parts: PartsObservation, height: int, width: int) -> DepthMap:
        """What the parts network saw, on the whole picture; not believed where it reaches the end of its scale."""
        believed = (parts.group("hair") + parts.group("face")) * parts.confidence * (np.abs(parts.depth) < NEAR_END)
        return DepthMap(
            parts.on_picture(parts.depth, height, width),
            np.clip(parts.on_picture(believed, height, width), 0.0, 1.0).astype(np.float32),
        )


@dataclass(frozen=True)
class Envelope:
    """The hair's surface on the grid.

    Attributes:
        close, full: (R,C,3) metres, close to the skull and as in the photo.
        cover: MAP, where hair grows. trust: MAP, of what of it was seen.
        thickness: (R,C) metres. hanging: (R,C) 0..1.
        outline: as measured.
    """

    close: NDArray[np.float64]
    full: NDArray[np.float64]
    cover: NDArray[np.float32]
    trust: NDArray[np.float32]
    thickness: NDArray[np.float64]
    hanging: NDArray[np.float64]
    outline: Outline


def hair_envelope(
    head: HeadModel,
    grid: ScalpGrid,
    vertices: NDArray,
    camera: Camera,
    hair: NDArray[np.float32],
    curl: float,
    rng: np.random.Generator,
    depth: DepthMap | None = None,
) -> Envelope:
    """Shape the hair over a head.

    Args:
        vertices: (V,3) metres, the person's head.
        hair: (H,W) `sure_mask`.
        curl: 0 straight .. 1 curly.
    """
    skull = grid.skull(vertices)
    centre = scalp_centre(vertices, head)
    outline = measure_outline(hair, camera, centre, skull[: ROWS * 3 // 4])
    outward = _directions(grid, skull, centre)
    prior = grid.carry(head.regions["scalp"][:, None])[..., 0]
    rim = _rim(outline, skull, camera)
    grown, _ = cover_map(skull + CLOSE * outward, prior, camera, hair, rim)
    thickness = _thickness(outline, skull, camera, grown)
    if depth is not None:
        thickness = _with_depth(thickness, skull, outward, vertices[head.regions["face"]], camera, depth)
    thickness = np.maximum(blurred(thickness, (1.5, 2.0)), CLOSE)
    thickness = _over_ears(thickness, head, vertices, skull, centre, grown)
    lumps = _locks(rng, curl) * (LUMPS[0] * (1 + curl) * thickness + LUMPS[1] * np.minimum(thickness / 0.01, 1))
    close = skull + CLOSE * outward
    full = skull + (thickness + lumps)[..., None] * outward
    hanging = np.zeros(skull.shape[:2])
    if outline.bottom.max() > HANGS_BELOW[0]:
        close, full, hanging = _hung(close, full, centre, outline, camera, _shoulders(head, vertices), rng)
        prior = np.maximum(prior, hanging)
    cover, trust = cover_map(full, prior, camera, hair, rim)
    return Envelope(close, full, cover, trust, thickness, hanging, outline)


def _directions(grid: ScalpGrid, skull: NDArray, centre: NDArray) -> NDArray[np.float64]:
    """(R,C,3) from the scalp's middle outwards, smooth."""
    away = skull - centre
    away = blurred(away / np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-9), (0.8, 0.8))
    return away / np.linalg.norm(away, axis=-1, keepdims=True)


def _rim(outline: Outline, skull: NDArray, camera: Camera) -> NDArray[np.float64]:
    """(R,C) 0..1: what the outline shows to be hair, because it stands off the skull there."""
    place, radius = outline.place(camera.project(skull.reshape(-1, 3)).reshape(ROWS, COLUMNS, 2))
    share = radius / np.maximum(outline.read(outline.skull, place), 1e-6)
    return smoothstep(share, *ON_OUTLINE) * smoothstep(outline.read(outline.thickness, place), *STANDS_OFF)


def _thickness(outline: Outline, skull: NDArray, camera: Camera, grown: NDArray) -> NDArray[np.float64]:
    """(R,C) metres: the outline's near it, its mean elsewhere, falling towards the hairline."""
    place, radius = outline.place(camera.project(skull.reshape(-1, 3)).reshape(ROWS, COLUMNS, 2))
    share = radius / np.maximum(outline.read(outline.skull, place), 1e-6)
    near = np.clip(share / 0.7, 0, 1)
    thickness = near * outline.read(outline.thickness, place) + (1 - near) * outline.general
    distance = inward_distance(grown > 0.5) * STEP
    rise = np.sin(np.clip(distance / RISE, 0, 1) * np.pi / 2)
    rise = cv2.resize(rise, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    return thickness * np.maximum(rise, smoothstep(share, *ON_OUTLINE))


def _with_depth(
    thickness: NDArray, skull: NDArray, outward: NDArray, face: NDArray, camera: Camera, depth: DepthMap
) -> NDArray[np.float64]:
    """The thickness that puts what faces the camera where the depth map has it, as far as that is confident.

    The map's constant is that which puts the face (N,3) where it is.
    """
    values = np.stack([depth.depth, depth.confidence], -1).astype(np.float32)

    def read(points: NDArray) -> NDArray[np.float32]:
        pixels = camera.project(points.reshape(-1, 3)).astype(np.float32)[:, None] - 0.5
        found = cv2.remap(values, pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return found.reshape(*points.shape[:-1], 2)

    on_face = read(face)
    sure = on_face[:, 1] > 0.5
    if sure.sum() < 10:
        return thickness
    constant = float(np.median(camera.to_camera(face)[sure, 2] - on_face[sure, 0]))
    axis = camera.world_to_camera[2, :3]
    slope = -(outward @ axis)  # how much nearer a step outwards comes
    result = thickness
    for _ in range(SETTLING):  # the pixel under a node moves as the node does
        points = skull + result[..., None] * outward
        found = read(points)
        nearer = camera.to_camera(points)[..., 2] - (found[..., 0] + constant)
        # Hair faces outwards, more or less: its distance is the depth's difference times the cosine to the axis.
        wanted = np.clip(result + nearer * slope, 0, 0.09)
        weight = smoothstep(slope, 0.3, 0.6) * found[..., 1]
        result = result + weight * (wanted - result)
    return result


def _over_ears(
    thickness: NDArray, head: HeadModel, vertices: NDArray, skull: NDArray, centre: NDArray, grown: NDArray
) -> NDArray[np.float64]:
    """Where thick hair covers most of an ear, it passes over it; otherwise it lies behind."""
    directions = (skull - centre).reshape(-1, 3)
    length = np.linalg.norm(directions, axis=1)
    ears = vertices[head.regions["ears"]] - centre
    reach = np.linalg.norm(ears, axis=1)
    nearest = ((ears / reach[:, None]) @ (directions / length[:, None]).T).argmax(1)
    needed = np.zeros(len(directions))
    np.maximum.at(needed, nearest, reach - length[nearest] + EAR_ROOM)
    room = cv2.dilate(needed.reshape(thickness.shape).astype(np.float32), np.ones((3, 3), np.uint8))
    hairy = cv2.resize(grown, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA) > 0.5
    for left in (False, True):
        ear = (room > 0) & ((directions[:, 0] > 0).reshape(room.shape) == left)
        hairy[ear] &= (hairy & (thickness > 0.01))[ear].mean() > HIDDEN_EAR if ear.any() else True
    room = blurred(np.where(hairy & (thickness > 0.01), room, 0), (1.0, 1.0))
    return np.maximum(thickness, np.where(hairy, room, 0))


def _locks(rng: np.random.Generator, curl: float) -> NDArray[np.float32]:
    """(R,C) of mean 0 and deviation 1: ridges along the columns, the rounder the curlier."""
    fine = blurred(rng.standard_normal((ROWS, COLUMNS)), (4.0 - 2.6 * curl, 0.9 + 0.3 * curl))
    broad = blurred(rng.standard_normal((ROWS, COLUMNS)), (7.0 - 4.0 * curl, 2.5))
    field = fine / fine.std() + 0.8 * broad / broad.std()
    field *= smoothstep(np.arange(ROWS), 1, 9)[:, None]
    return (field / field.std()).astype(np.float32)


def _shoulders(head: HeadModel, vertices: NDArray) -> NDArray[np.float64]:
    """(N,3) points of the bust that look upwards."""
    bust = np.nonzero(head.regions["neck"])[0]
    low = vertices[bust, 1] < vertices[head.regions["face"], 1].min() - 0.01
    return vertices[bust[low & (np.abs(vertices[bust, 0]) > 0.06)]].astype(np.float64)


def _hung(
    close: NDArray,
    full: NDArray,
    centre: NDArray,
    outline: Outline,
    camera: Camera,
    shoulders: NDArray,
    rng: np.random.Generator,
) -> tuple[NDArray, NDArray, NDArray]:
    """Let hair fall from where the head is widest: rows below that are laid straight down to the hair's end."""
    first = np.argmax(full[..., 1] < centre[1], axis=0).astype(np.float64)
    first[first == 0] = ROWS - 1
    columns = np.arange(COLUMNS)
    start_close, start_full = (sampled(points, first, columns).astype(np.float64) for points in (close, full))
    beside = np.abs(np.arctan2(start_full[:, 0] - centre[0], start_full[:, 2] - centre[2]))
    picture_right = camera.world_to_camera[0, :3] * (1, 0, 1)
    lateral = (start_full - centre) @ picture_right
    share = 0.5 + 0.5 * np.clip(lateral / np.abs(lateral).max(), -1, 1)
    drop = share * outline.bottom[0] + (1 - share) * outline.bottom[1]
    begins = smoothstep(beside, *HANGS_BESIDE) * smoothstep(drop, *HANGS_BELOW)
    floor = _height_of(shoulders, start_full)
    bottom = np.minimum(np.maximum(centre[1] - drop, floor + SHOULDER), start_full[:, 1] - 0.02)
    bottom = blurred(bottom[None], (0.1, 2.0))[0] + UNEVEN * rng.standard_normal(COLUMNS)
    t = np.clip((np.arange(ROWS)[:, None] - first) / np.maximum(ROWS - 1 - first, 1), 0, 1)
    hanging = begins * (t > 0)
    results = []
    for points, start, spread in ((close, start_close, 0.0), (full, start_full, 1.0)):
        y = start[:, 1] + t * (bottom - start[:, 1])
        fallen = np.stack([np.broadcast_to(start[:, 0], y.shape), y, np.broadcast_to(start[:, 2], y.shape)], -1)
        widen = _widening(outline, lateral, centre[1] - y, share)
        fallen = fallen + spread * (lateral * (widen - 1))[..., None] * picture_right
        fallen[..., 2] += (centre[2] - fallen[..., 2]) * (0.18 * np.sin(t * np.pi / 2))
        results.append(points + hanging[..., None] * (fallen - points))
    return results[0], results[1], hanging


def _widening(outline: Outline, lateral: NDArray, below: NDArray, share: NDArray) -> NDArray[np.float64]:
    """(R,C) by how much hanging hair is wider than where it begins, from the rows of the outline."""
    sides = []
    for side, widest in ((0, lateral.max()), (1, -lateral.min())):
        extent = outline.extent[side].copy()
        extent[extent == 0] = np.nan
        known = np.nonzero(np.isfinite(extent))[0]
        if len(known) < 3:
            sides.append(np.ones_like(below))
            continue
        extent = np.interp(np.arange(len(extent)), known, extent[known])
        extent = np.convolve(np.pad(extent, 6, mode="edge"), np.full(13, 1 / 13), "valid")
        sides.append(np.clip(np.interp(below / ROW, np.arange(len(extent)), extent) / widest, 0.7, 1.6))
    widen = share * sides[0] + (1 - share) * sides[1]
    return 1 + smoothstep(below, 0.0, 0.03) * (widen - 1)


def _height_of(shoulders: NDArray, points: NDArray) -> NDArray[np.float64]:
    """(C,) how high the bust reaches under each point (C,3), metres; very low where there is none."""
    apart = np.linalg.norm(shoulders[None, :, ::2] - points[:, None, ::2], axis=-1)
    return np.where(apart < 0.03, shoulders[None, :, 1], -1.0).max(1)


def row_length(points: NDArray) -> NDArray[np.float64]:
    """(R-1,C) distance between neighbouring rows, metres."""
    return np.linalg.norm(np.diff(points, axis=0), axis=-1)
