"""Named places in the open head's UV: brows, lips, irises, whites, scalp, beard area and nostrils."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.heads.model import HeadModel
from engine.heads.skin import REGION_NAMES
from engine.texture.surface import UvSurface

from .eyes import IRIS_DISC
from .skin_parts import disc_places, outer_triangles, points_on_texture
from .source import ROOT, HeadSource

BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
"""MediaPipe points around each brow."""
BROW_MARGIN = 0.006
BEARD_TOP = (234, 137, 187, 206, 98, 2, 327, 426, 411, 366, 454)
"""MediaPipe points along the upper border of a beard, from the right ear to the left."""
BEARD_BELOW = 0.04
"""How far a beard reaches under the chin, in UV."""
CHIN = 152
FOREHEAD = (151, 9, 108, 337, 69, 299, 50, 280)
"""MediaPipe points on bare skin."""
NOSTRIL_DARKER = 0.3
"""How much darker than the skin around it, in logs, MakeHuman paints the inside of a nostril."""
HAIR_DARKER = 0.45
"""As above, for the painted hair of its dark skins against their own faces."""
PUPIL = 0.36
"""Pupil radius in iris radii."""


def region_map(
    head: HeadModel,
    source: HeadSource,
    surface: UvSurface,
    place: NDArray[np.float32],
    log: NDArray[np.float32],
    hair: NDArray[np.float32],
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Region numbers, and where the painted skin's own darkness is to be kept.

    Args:
        head: the baked head with its landmarks.
        source: the wheel, for its painted mask of the lips.
        surface: the head's UV square, S texels wide.
        place: (S,S,2) MakeHuman UV of the skin's texels.
        log: (S,S,3) log albedo of the average skin.
        hair: (S,S) how much darker the dark skins are, in logs.
    Returns:
        (S,S) uint8, `REGION_NAMES` counted from 1; (S,S) float32 0..1.
    """
    outer = surface.picture(outer_triangles(head)[surface.faces].astype(np.float32)) > 0.5
    lips = (painted_lips(source, place) > 0.5) & outer
    nostril = _nostrils(head, surface, log) & outer
    masks = {
        "beard": _beard(head, surface.size) & outer & ~lips,
        "scalp": _scalp(head, surface, hair) & outer,
        "brow": _brows(head, surface.size) & outer,
        "nostril": nostril,
        "lips": lips,
    } | _eyes(head, surface)
    numbers = np.zeros((surface.size, surface.size), np.uint8)
    for name, mask in masks.items():
        numbers[mask] = REGION_NAMES.index(name) + 1
    own = (lips | nostril).astype(np.float32)
    return numbers, cv2.GaussianBlur(own, (0, 0), surface.size / 300)


def painted_lips(source: HeadSource, place: NDArray[np.float32]) -> NDArray[np.float32]:
    """(S,S) MakeHuman's painted lips, 0..1, at places (S,S,2) of its UV."""
    data = np.frombuffer(source.read(f"{ROOT}textures/mpfb_lips.jpg"), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
    size = len(picture)
    at = place * [size, -size] + [-0.5, size - 0.5]
    return cv2.remap(picture, at.astype(np.float32), None, cv2.INTER_LINEAR)


def _brows(head: HeadModel, size: int) -> NDArray[np.bool_]:
    drawn = np.zeros((size, size), np.uint8)
    for brow in BROWS:
        cv2.fillPoly(drawn, [points_on_texture(head, brow, size)], 1)
    width = 2 * round(BROW_MARGIN * size) + 1
    grown = cv2.dilate(drawn, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    return (grown | grown[:, ::-1]) > 0


def _beard(head: HeadModel, size: int) -> NDArray[np.bool_]:
    top = points_on_texture(head, BEARD_TOP, size)
    chin = points_on_texture(head, (CHIN,), size)[0]
    low = np.array([chin[0], chin[1] + round(BEARD_BELOW * size)])
    turn = np.linspace(0, np.pi, 25)[1:-1]
    half = (top[-1, 0] - top[0, 0]) / 2
    drop = low[1] - top[[0, -1], 1].mean()
    below = np.stack([low[0] + half * np.cos(turn), low[1] - drop + drop * np.sin(turn) ** 0.6], axis=1)
    drawn = np.zeros((size, size), np.uint8)
    cv2.fillPoly(drawn, [np.concatenate([top, np.round(below).astype(np.int32)])], 1)
    return (drawn | drawn[:, ::-1]) > 0


def _scalp(head: HeadModel, surface: UvSurface, hair: NDArray[np.float32]) -> NDArray[np.bool_]:
    soft = cv2.GaussianBlur(hair, (0, 0), surface.size / 90)
    soft = np.maximum(soft, soft[:, ::-1])
    forehead = points_on_texture(head, FOREHEAD, surface.size)
    soft -= np.median(soft[forehead[:, 1], forehead[:, 0]])
    ears = surface.picture(surface.gather(head.regions["ears"][:, None].astype(float), head.faces)[:, 0])
    ears = cv2.GaussianBlur(ears, (0, 0), surface.size / 170)
    height = surface.picture(surface.gather(head.vertices[:, 1:2], head.faces)[:, 0])
    return (soft > HAIR_DARKER) & (ears < 0.5) & (height > head.vertices[head.regions["lips"], 1].min())


def _nostrils(head: HeadModel, surface: UvSurface, log: NDArray[np.float32]) -> NDArray[np.bool_]:
    level = log.mean(axis=2)
    wing = points_on_texture(head, (98, 327, 2, 4), surface.size)
    reach = abs(wing[1, 0] - wing[0, 0])
    rows, columns = np.mgrid[: surface.size, : surface.size]
    near = (np.abs(columns - wing[2, 0]) < 0.6 * reach) & (rows < wing[2, 1]) & (rows > wing[3, 1])
    level = cv2.GaussianBlur(level, (0, 0), 2)
    level = np.minimum(level, level[:, ::-1])
    return near & (level < np.median(level[near]) - NOSTRIL_DARKER)


def _eyes(head: HeadModel, surface: UvSurface) -> dict[str, NDArray[np.bool_]]:
    radius = np.full(len(surface.faces), np.inf, np.float32)
    for name in ("eye.L", "eye.R"):
        chosen = head.face_materials[surface.faces] == head.material_names.index(name)
        radius[chosen] = np.linalg.norm(disc_places(head, surface, name, chosen), axis=1)
    share = surface.picture(radius / IRIS_DISC, fill=np.inf)
    return {"iris": (share > PUPIL) & (share <= 1), "sclera": (share > 1) & np.isfinite(share)}
