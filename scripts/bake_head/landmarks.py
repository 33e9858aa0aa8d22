"""MediaPipe's 478 points and iBUG's 68 on the open head: found by rendering it, detecting, and casting back.

`python -m scripts.bake_head.landmarks` measures and writes `landmarks.npz` beside this file; baking only reads it, so
that the asset's bytes do not depend on a detector. The iris is not measured but put where it is: on the eyeball.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from engine.camera import Camera
from engine.heads.model import HeadModel, LandmarkEmbedding

STORE = Path(__file__).with_name("landmarks.npz")
POINTS, SURFACE_POINTS = 478, 468
IRIS_RADIUS = 0.0059
"""Of an adult eye, metres; varies little between people."""
IRIS_RIGHT, IRIS_LEFT = range(468, 473), range(473, 478)
INNER_LIPS = (
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
IBUG = (
    127, 234, 93, 132, 172, 136, 149, 148, 152, 377, 378, 365, 397, 361, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""The MediaPipe point that stands for each of iBUG's 68."""
SIZE = 512


@dataclass(frozen=True)
class Look:
    """One render's parameters: identity, expression weights by name, yaw and pitch in degrees, skin tone, light."""

    identity: NDArray[np.float64]
    expression: dict[str, float]
    yaw: float
    pitch: float
    skin: NDArray[np.float64]
    light: NDArray[np.float64]


def embed(model: HeadModel) -> HeadModel:
    """The model with its landmarks "mediapipe" and "ibug".

    Raises:
        ValueError: the stored measurement belongs to another skin mesh.
    """
    with np.load(STORE, allow_pickle=False) as stored:
        triples, weights = stored["vertices"], stored["barycentrics"]
    index = {tuple(sorted(face)): number for number, face in enumerate(model.faces.tolist())}
    faces = np.full(POINTS, -1, np.int32)
    barycentrics = np.zeros((POINTS, 3), np.float32)
    for point, (triple, weight) in enumerate(zip(triples.tolist(), weights, strict=True)):
        face = index.get(tuple(sorted(triple)))
        if face is None:
            raise ValueError(f"Landmark {point} has no triangle: run python -m scripts.bake_head.landmarks again.")
        faces[point] = face
        barycentrics[point] = [weight[triple.index(corner)] for corner in model.faces[face].tolist()]
    _place_irises(model, faces, barycentrics)
    mediapipe = LandmarkEmbedding(faces, barycentrics)
    chosen = list(IBUG)
    ibug = LandmarkEmbedding(faces[chosen], barycentrics[chosen])
    return replace(model, landmarks={"mediapipe": mediapipe, "ibug": ibug})


def _place_irises(model: HeadModel, faces: NDArray[np.int32], barycentrics: NDArray[np.float32]) -> None:
    """Iris centre and ring (to the head's right, up, left, down as seen in the picture) on each eyeball."""
    for eye, points in (("eye.R", IRIS_RIGHT), ("eye.L", IRIS_LEFT)):
        ball = np.nonzero(model.face_materials == model.material_names.index(eye))[0]
        corners = model.vertices[model.faces[ball]].astype(np.float64)
        centre = model.joints[model.joint_names.index(eye)].astype(np.float64)
        x, y = centre[0], centre[1]
        r = IRIS_RADIUS
        ring = [(x, y), (x + r, y), (x, y + r), (x - r, y), (x, y - r)]
        for point, place in zip(points, ring, strict=True):
            best, weights = _cast_along_z(corners, np.array(place))
            faces[point], barycentrics[point] = ball[best], weights


def _cast_along_z(corners: NDArray[np.float64], place: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    """The frontmost triangle (F,3,3) hit by a line along Z at (x, y), and the barycentrics there."""
    a, b, c = (corners[:, k, :2] - place for k in range(3))
    cross = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], 1)
    weights = cross / np.where(np.abs(cross.sum(1)) < 1e-15, 1e-15, cross.sum(1))[:, None]
    depth = np.where((weights >= -1e-6).all(1), (weights * corners[:, :, 2]).sum(1), -np.inf)
    best = int(depth.argmax())
    if not np.isfinite(depth[best]):
        raise ValueError("An iris point misses the eyeball.")
    return best, np.maximum(weights[best], 0) / np.maximum(weights[best], 0).sum()


def _cross(a: NDArray, b: NDArray) -> NDArray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def looks(model: HeadModel, count: int, seed: int) -> list[Look]:
    """Random heads; every third with the mouth open, which alone shows the inner lips."""
    rng = np.random.default_rng(seed)
    result = []
    for number in range(count):
        identity = 0.7 * rng.standard_normal(len(model.identity_basis))
        identity[model.asymmetry_start :] = 0
        expression = {"jawOpen": float(rng.uniform(0.25, 0.5))} if number % 3 == 2 else {}
        light = rng.normal([0, 0.4, 1.0], [0.5, 0.3, 0.15])
        skin = np.array([0.85, 0.66, 0.55]) * rng.uniform(0.5, 1.1)
        yaw, pitch = rng.normal(0, [7, 5])
        result.append(Look(identity, expression, yaw, pitch, skin, light / np.linalg.norm(light)))
    return result


def turned_camera(yaw: float, pitch: float, size: int = SIZE, distance: float = 0.9) -> Camera:
    """A camera that looks at the face from `yaw`, `pitch` degrees."""
    a, b = np.radians([yaw, pitch])
    forward = -np.array([np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)])
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    eye = np.array([0, 0.02, 0.05]) - forward * distance
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, -rotation @ eye
    focal = 2.4 * size
    return Camera(np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1.0]]), pose, size, size)


def render(model: HeadModel, look: Look) -> tuple[NDArray[np.uint8], NDArray, NDArray]:
    """A plain coloured picture (S,S,3), the face seen at each pixel (-1: none) and its barycentrics."""
    import torch

    from engine.render.rasterize import rasterize_mesh
    from engine.texture.surface import vertex_normals

    weights = np.zeros(len(model.expression_names))
    for name, value in look.expression.items():
        weights[model.expression_names.index(name)] = value
    vertices = model.shape(look.identity, weights)
    camera = turned_camera(look.yaw, look.pitch)
    raster = rasterize_mesh(torch.tensor(vertices), torch.tensor(model.faces), camera)
    face, barycentrics = raster.face.numpy(), raster.barycentrics.numpy()
    seen = face >= 0
    corners, share = model.faces[face[seen]], barycentrics[seen][..., None]
    normals = (vertex_normals(vertices, model.faces)[corners] * share).sum(1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    rest = (model.vertices[corners] * share).sum(1)
    shade = 0.45 + 0.6 * np.clip(normals @ look.light, 0, 1)
    picture = np.full((SIZE, SIZE, 3), 0.42)
    picture[seen] = paint(model, face[seen], corners, rest, look.skin) * shade[:, None]
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8), face, barycentrics


def paint(model: HeadModel, faces: NDArray, corners: NDArray, rest: NDArray, skin: NDArray) -> NDArray[np.float64]:
    """(N,3) plain colours of surface points: lips, brows, eyes with irises, teeth; enough for a detector."""
    color = np.tile(skin, (len(faces), 1))
    color[model.regions["lips"][corners].all(1)] = skin * [0.85, 0.55, 0.55]
    for side, sign in (("eye.L", 1), ("eye.R", -1)):
        eye = model.joints[model.joint_names.index(side)]
        x, y = sign * (rest[:, 0] - eye[0]), rest[:, 1] - eye[1]
        along = (x + 0.018) / 0.044
        centre = 0.0175 + 0.0045 * np.sin(np.pi * np.clip(along, 0, 1) ** 0.8)
        half = 0.0038 * (1 - 0.6 * np.clip(along, 0, 1))
        brow = (along > 0) & (along < 1) & (np.abs(y - centre) < half) & (rest[:, 2] > eye[2])
        color[brow] = [0.16, 0.11, 0.08]
        ball = model.face_materials[faces] == model.material_names.index(side)
        ring = np.hypot(rest[:, 0] - eye[0], rest[:, 1] - eye[1])
        color[ball] = [0.92, 0.9, 0.88]
        color[ball & (ring < IRIS_RADIUS) & (rest[:, 2] > eye[2])] = [0.28, 0.2, 0.14]
        color[ball & (ring < 0.4 * IRIS_RADIUS) & (rest[:, 2] > eye[2])] = 0.02
    for material, tint in (("teeth", [0.9, 0.87, 0.8]), ("tongue", [0.6, 0.25, 0.25]), ("lashes", [0.1, 0.07, 0.06])):
        color[model.face_materials[faces] == model.material_names.index(material)] = tint
    return color


def measure(model: HeadModel, count: int = 60, seed: int = 0) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray]:
    """Render, detect and cast back.

    Returns:
        (478,3) vertex triples, (478,3) barycentrics, and (478,) median spread between heads, metres (iris rows: 0).
    """
    from engine.errors import FaceError
    from engine.media.photo import Photo
    from engine.perception.landmarks import find_face
    from engine.perception.topology import MIRROR

    places = np.full((count, POINTS, 3), np.nan)
    for number, look in enumerate(looks(model, count, seed)):
        picture, face, barycentrics = render(model, look)
        try:
            seen = find_face(Photo(Path("render"), picture))
        except FaceError:
            continue
        cast = _cast_back(model, seen.landmarks[:, :2], face, barycentrics)
        inner = np.isin(np.arange(POINTS), INNER_LIPS)
        cast[inner != bool(look.expression)] = np.nan
        places[number] = cast
    middle = np.nanmedian(places, axis=0)
    middle = (middle + middle[MIRROR] * [-1, 1, 1]) / 2
    spread = np.nanmedian(np.linalg.norm(places - middle, axis=2), axis=0)
    triples, weights = _snap(model, middle[:SURFACE_POINTS])
    fill = np.zeros((POINTS - SURFACE_POINTS, 3))
    triples = np.concatenate([triples, np.tile(triples[:1], (len(fill), 1))])
    weights = np.concatenate([weights, np.tile(weights[:1], (len(fill), 1))])
    return triples.astype(np.int32), weights.astype(np.float32), np.nan_to_num(spread)


def _cast_back(model: HeadModel, points: NDArray, face: NDArray, barycentrics: NDArray) -> NDArray[np.float64]:
    """(478,3) places on the mean head under detected pixels; the nearest skin pixel, NaN if it is further than 4."""
    skin = model.face_materials[np.maximum(face, 0)] == model.material_names.index("skin")
    lashes = model.face_materials[np.maximum(face, 0)] == model.material_names.index("lashes")
    rows, columns = np.nonzero((face >= 0) & skin & ~lashes)
    distance, nearest = KDTree(np.stack([columns + 0.5, rows + 0.5], 1)).query(points)
    rows, columns = rows[nearest], columns[nearest]
    corners = model.vertices[model.faces[face[rows, columns]]]
    place = (corners * barycentrics[rows, columns][..., None]).sum(1).astype(np.float64)
    place[distance > 4] = np.nan
    return place


def _snap(model: HeadModel, places: NDArray, fineness: int = 12) -> tuple[NDArray, NDArray]:
    """Nearest points of the front-facing outer skin: vertex triples and barycentrics."""
    corners = model.vertices[model.faces].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-15)
    skin = model.face_materials == model.material_names.index("skin")
    front = np.nonzero(skin & (normal[:, 2] > -0.35) & (corners[:, :, 2].mean(1) > -0.02))[0]
    steps = [(i, j, fineness - i - j) for i in range(fineness + 1) for j in range(fineness + 1 - i)]
    grid = np.array(steps) / fineness
    samples = np.einsum("sk,fkc->fsc", grid, corners[front]).reshape(-1, 3)
    _, nearest = KDTree(samples).query(places)
    return model.faces[front[nearest // len(grid)]], grid[nearest % len(grid)]


def main() -> None:
    """Measure on the present asset and store."""
    from engine.heads.loader import load_head

    triples, weights, spread = measure(load_head("open"))
    np.savez_compressed(STORE, vertices=triples, barycentrics=weights)
    print(f"median spread {1000 * np.median(spread[:SURFACE_POINTS]):.2f} mm, written to {STORE.name}")


if __name__ == "__main__":
    main()
