"""A head of three spheres with everything a reconstruction has, small enough to reason about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from likeness.engine.camera import Camera
from likeness.engine.hair.shell import HairShell
from likeness.engine.result import Reconstruction

ARKIT = tuple(
    [
        "eyeBlinkLeft",
        "eyeLookDownLeft",
        "eyeLookInLeft",
        "eyeLookOutLeft",
        "eyeLookUpLeft",
        "eyeSquintLeft",
        "eyeWideLeft",
        "eyeBlinkRight",
        "eyeLookDownRight",
        "eyeLookInRight",
        "eyeLookOutRight",
        "eyeLookUpRight",
        "eyeSquintRight",
        "eyeWideRight",
        "jawForward",
        "jawLeft",
        "jawRight",
        "jawOpen",
        "mouthClose",
        "mouthFunnel",
        "mouthPucker",
        "mouthLeft",
        "mouthRight",
        "mouthSmileLeft",
        "mouthSmileRight",
        "mouthFrownLeft",
        "mouthFrownRight",
        "mouthDimpleLeft",
        "mouthDimpleRight",
        "mouthStretchLeft",
        "mouthStretchRight",
        "mouthRollLower",
        "mouthRollUpper",
        "mouthShrugLower",
        "mouthShrugUpper",
        "mouthPressLeft",
        "mouthPressRight",
        "mouthLowerDownLeft",
        "mouthLowerDownRight",
        "mouthUpperUpLeft",
        "mouthUpperUpRight",
        "browDownLeft",
        "browDownRight",
        "browInnerUp",
        "browOuterUpLeft",
        "browOuterUpRight",
        "cheekPuff",
        "cheekSquintLeft",
        "cheekSquintRight",
        "noseSneerLeft",
        "noseSneerRight",
        "tongueOut",
    ]
)
JOINTS = ("neck", "head", "jaw", "eye.L", "eye.R")
JAW_DEGREES = 24.0
JAW = np.array([0.0, -0.02, 0.0])
EYES = {"eye.L": np.array([0.03, 0.02, 0.085]), "eye.R": np.array([-0.03, 0.02, 0.085])}
RINGS, STEPS = 12, 16


def sphere(centre, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, polygons (-1 ends a triangle), texture vertices, texture polygons of a sphere."""
    theta = np.pi * np.arange(1, RINGS) / RINGS
    phi = 2 * np.pi * np.arange(STEPS) / STEPS
    ring = np.stack(
        [
            np.outer(np.sin(theta), np.sin(phi)),
            np.repeat(np.cos(theta)[:, None], STEPS, 1),
            np.outer(np.sin(theta), np.cos(phi)),
        ],
        -1,
    ).reshape(-1, 3)
    vertices = np.concatenate([[[0, 1, 0]], ring, [[0, -1, 0]]]) * radius + centre
    polygons = []
    for step in range(STEPS):
        right = (step + 1) % STEPS
        polygons.append([0, 1 + step, 1 + right, -1])
        for row in range(RINGS - 2):
            top, bottom = 1 + row * STEPS, 1 + (row + 1) * STEPS
            polygons.append([top + step, bottom + step, bottom + right, top + right])
        last = 1 + (RINGS - 2) * STEPS
        polygons.append([last + step, len(vertices) - 1, last + right, -1])
    uv = (vertices - centre)[:, :2] / radius * 0.2 + 0.25
    return vertices, np.array(polygons), uv, np.array(polygons)


def turn(points: np.ndarray, pivot: np.ndarray, degrees: float, axis: int) -> np.ndarray:
    """Points turned about an engine axis through a pivot, right-handed."""
    angle = np.radians(degrees)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.eye(3)
    rotation[i, i] = rotation[j, j] = np.cos(angle)
    rotation[j, i], rotation[i, j] = np.sin(angle), -np.sin(angle)
    return (points - pivot) @ rotation.T + pivot


def sphere_head(name: str = "sphere", size: int = 32) -> Reconstruction:
    """The head: radius 10 cm, eyes as small spheres, a jaw that jawOpen turns by 24 degrees."""
    parts = [sphere(np.zeros(3), 0.1), *(sphere(EYES[eye], 0.012) for eye in EYES)]
    counts = [len(part[0]) for part in parts]
    starts = np.cumsum([0, *counts[:-1]])
    vertices = np.concatenate([part[0] for part in parts])
    polygons = np.concatenate(
        [np.where(part[1] >= 0, part[1] + start, -1) for part, start in zip(parts, starts, strict=True)]
    )
    uv = np.concatenate([part[2] for part in parts])
    materials = np.repeat(np.arange(3), [len(part[1]) for part in parts])
    weights = skin_weights(vertices, counts)
    quads = polygons[:, 3] >= 0
    faces = np.concatenate([polygons[:, :3], polygons[quads][:, [0, 2, 3]]])
    expression = np.linspace(0.0, 1.0, len(ARKIT))
    random = np.random.default_rng(3)
    camera = photo_camera()
    return Reconstruction(
        name=name,
        vertices=vertices.astype(np.float32),
        posed_vertices=vertices.astype(np.float32),
        faces=faces.astype(np.int32),
        polygons=polygons.astype(np.int32),
        uv=uv.astype(np.float32),
        uv_faces=faces.astype(np.int32),
        uv_polygons=polygons.astype(np.int32),
        polygon_materials=materials.astype(np.int32),
        material_names=("skin", "eye.L", "eye.R"),
        face_region=vertices[:, 2] > 0.05,
        expression=expression.astype(np.float32),
        expression_names=ARKIT,
        expression_basis=expression_basis(vertices, weights).astype(np.float16),
        identity=np.zeros(8, np.float32),
        identity_basis=random.normal(0, 0.001, (8, len(vertices), 3)).astype(np.float16),
        joints=np.array([[0, -0.1, 0], [0, -0.05, 0], JAW, *EYES.values()], np.float32),
        joint_names=JOINTS,
        joint_parents=np.array([-1, 0, 1, 1, 1], np.int32),
        skin_weights=weights.astype(np.float32),
        landmarks_2d=camera.project(vertices[:478]).astype(np.float32),
        landmarks_model_2d=camera.project(vertices[:478]).astype(np.float32),
        illumination=np.array([[1.0, 0.9, 0.8], *([[0.1, 0.2, 0.3]] * 3), *([[0.02, 0.0, -0.01]] * 5)], np.float32),
        skin_color=np.array([0.5, 0.3, 0.2], np.float32),
        hair_color=np.array([0.1, 0.05, 0.02], np.float32),
        camera=camera,
        albedo=np.full((size, size, 3), (200, 150, 120), np.uint8),
        confidence=np.arange(size * size, dtype=np.uint32).reshape(size, size).astype(np.uint8),
        report={"provenance": {"head": "three spheres, CC0"}, "warnings": []},
        hair=tuft(vertices),
    )


def tuft(vertices: np.ndarray) -> HairShell:
    """Hair of two triangles, a hand above the skull's top four vertices, each of which follows one of those."""
    roots = vertices[:4].astype(np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    albedo = np.full((8, 16, 4), (90, 60, 40, 255), np.uint8)
    albedo[:, 8:, 3] = 0
    return HairShell(
        vertices=roots * 1.3,
        close=roots * 1.02,
        faces=triangles,
        uv=np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32),
        uv_faces=triangles,
        albedo=albedo,
        anchors=np.repeat(np.arange(4, dtype=np.int32)[:, None], 3, 1),
        anchor_weights=np.full((4, 3), 1 / 3, np.float32),
    )


def skin_weights(vertices: np.ndarray, counts: list[int]) -> np.ndarray:
    """Eyes follow their bones; the lower front is the jaw's with a soft border; the very bottom is the neck's."""
    weights = np.zeros((len(vertices), len(JOINTS)))
    skin = vertices[: counts[0]]
    jaw = np.clip((-0.02 - skin[:, 1]) / 0.02, 0, 1) * (skin[:, 2] > 0.02)
    weights[: counts[0], 2] = jaw
    neck = (skin[:, 1] < -0.09) & (jaw == 0)
    weights[: counts[0], 0] = neck
    weights[: counts[0], 1] = 1 - jaw - neck
    weights[counts[0] : counts[0] + counts[1], 3] = 1
    weights[counts[0] + counts[1] :, 4] = 1
    return weights


def expression_basis(vertices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A different small push for each unit, and true turns for the jaw and the gaze."""
    basis = np.zeros((len(ARKIT), len(vertices), 3))
    for index in range(len(ARKIT)):
        basis[index, index] = (0.001, 0.002, 0.003)
    basis[ARKIT.index("jawOpen")] = weights[:, 2:3] * (turn(vertices, JAW, JAW_DEGREES, 0) - vertices)
    for joint, (eye, side) in enumerate({"eye.L": "Left", "eye.R": "Right"}.items(), start=3):
        inward = -1 if side == "Left" else 1
        turns = {"Down": (20, 0), "Up": (-20, 0), "In": (30 * inward, 1), "Out": (-30 * inward, 1)}
        for way, (degrees, axis) in turns.items():
            offset = turn(vertices, EYES[eye], degrees, axis) - vertices
            basis[ARKIT.index(f"eyeLook{way}{side}")] = weights[:, joint : joint + 1] * offset
    return basis


def photo_camera(width: int = 600, height: int = 800) -> Camera:
    """A portrait picture from half a metre, turned head, principal point off the middle."""
    K = np.array([[900.0, 0, 320.0], [0, 900.0, 380.0], [0, 0, 1]])
    pose = np.eye(4)
    yaw, pitch = np.radians(20.0), np.radians(-8.0)
    turn_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    pose[:3, :3] = np.diag([1.0, -1.0, -1.0]) @ turn_x @ turn_y
    pose[:3, 3] = (0.02, -0.01, 0.55)
    return Camera(K, pose, width, height)


def save_pictures(reconstruction: Reconstruction, folder: Path) -> None:
    """Write albedo.png, confidence.png and hair.png with Blender, so that the test needs no other library."""
    import bpy

    assert reconstruction.hair is not None
    pictures = {"albedo": reconstruction.albedo, "confidence": reconstruction.confidence}
    for title, pixels in (pictures | {"hair": reconstruction.hair.albedo}).items():
        given = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, 2)
        image = bpy.data.images.new(title, given.shape[1], given.shape[0], alpha=given.shape[2] == 4)
        rgba = np.full((*given.shape[:2], 4), 255, np.uint8)
        rgba[..., : given.shape[2]] = given
        rgba = rgba[::-1] / np.float32(255)
        image.pixels.foreach_set(rgba.astype(np.float32).ravel())
        image.filepath_raw, image.file_format = str(folder / f"{title}.png"), "PNG"
        image.save()
        bpy.data.images.remove(image)
