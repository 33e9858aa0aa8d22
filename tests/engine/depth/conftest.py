"""The bundled head seen by a camera, as a photo with known masks would show it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from engine.camera import Camera
from engine.depth.view import View
from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from engine.perception.crop import Window
from engine.perception.depth_scale import SPAN, encode_depth
from engine.perception.parts import PartsObservation
from engine.perception.regions import REGIONS
from engine.render.rasterize import rasterize_mesh

SIDE = 192
HAIR = 0.025
"""Metres by which hair widens the outline."""


@pytest.fixture(scope="session")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="session")
def camera() -> Camera:
    """1.2 m before the face, looking at it level."""
    view = np.eye(4)
    view[:3, :3] = np.diag([1.0, -1.0, -1.0])
    view[:3, 3] = (0, 0.0, 1.2)
    focal = 2.6 * SIDE
    return Camera(np.array([[focal, 0, SIDE / 2], [0, focal, SIDE / 2], [0, 0, 1.0]]), view, SIDE, SIDE)


@pytest.fixture(scope="session")
def bare(head: HeadModel, camera: Camera) -> np.ndarray:
    """(H,W) metres, infinite beside the head."""
    raster = rasterize_mesh(torch.tensor(head.vertices), torch.tensor(head.faces), camera)
    return raster.depth.numpy()


@pytest.fixture(scope="session")
def view(head: HeadModel, camera: Camera, bare: np.ndarray) -> View:
    """Skin where the face is, hair around and above, clothes below."""
    covered = np.isfinite(bare).astype(np.uint8)
    reach = round(HAIR * camera.K[0, 0] / 1.2)
    person = cv2.dilate(covered, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    face = np.zeros_like(person)
    points = camera.project(head.vertices[head.regions["face"]].astype(np.float64))
    cv2.fillConvexPoly(face, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    face &= covered
    rows = np.arange(SIDE)[:, None]
    hair = person & (1 - face) & (rows < points[:, 1].max())
    grey = np.zeros((SIDE, SIDE), np.float32)
    pixels = np.full((SIDE, SIDE, 3), 90, np.uint8)
    pixels[face > 0], pixels[hair > 0] = (200, 160, 140), (60, 40, 20)
    return View(
        pixels, camera, person.astype(np.float32), face.astype(np.float32), hair.astype(np.float32), grey, grey, None,
        head, head.vertices, head.joints, np.zeros(2, np.int64), 1.0,
    )  # fmt: skip


def network_view(values: np.ndarray, person: np.ndarray, confidence: float = 1.0) -> PartsObservation:
    """What a network would say: depth (S,S) in metres behind the eyes, all of the person skin."""
    side = len(values)
    regions = np.zeros((len(REGIONS), side, side), np.float32)
    regions[REGIONS.index("skin")], regions[REGIONS.index("background")] = person, 1 - person
    depth = np.where(person > 0, np.clip(values, -SPAN, SPAN), SPAN).astype(np.float32)
    assert np.abs(encode_depth(depth, 0.0)).max() <= 1
    return PartsObservation(Window(np.array([side / 2, side / 2]), float(side)), regions, depth, confidence)
