"""Measures where MediaPipe's points lie on the open head: `python -m scripts.bake_head.measure_landmarks`.

Many random people are drawn, detected, and for every point the place on the surface is sought that lands nearest to
the detections in all pictures at once. That is steadier than casting each detection back: a point at a grazing angle
in one picture is seen squarely in another. Both sides of the face are solved together, so the result is symmetric.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from engine.camera import Camera
from engine.errors import FaceError
from engine.evaluation.skins import find_skins
from engine.evaluation.synthetic import draw, random_albedo, random_camera, random_light
from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from engine.media.photo import Photo
from engine.perception.landmarks import find_face
from engine.perception.topology import EYE_CORNERS, INNER_LIPS, LEFT_EYE, MIRROR, RIGHT_EYE
from engine.render.rasterize import rasterize_mesh

from .landmarks import POINTS, STORE, SURFACE_POINTS

SIZE = 512
YAW_LIMIT = 28.0
FINENESS = 6
"""Each triangle is sampled at steps of 1/6 along its sides."""
REACH = 0.016
"""Only places this near to a first guess are tried, metres."""
FORGIVEN = 0.004
"""Errors beyond this, metres on the face, count no more than this: a wrong detection pulls little."""
LID_GAP = 0.0026
"""Points of the eye's outline are sought on skin this near to the eyeball."""


@dataclass(frozen=True)
class View:
    """One detection.

    Attributes:
        vertices: (V,3) the posed head drawn.
        camera: of the picture.
        points: (478,2) detected pixels.
        open_mouth: whether the lips are apart.
    """

    vertices: NDArray[np.float32]
    camera: Camera
    points: NDArray[np.float32]
    open_mouth: bool


@dataclass(frozen=True)
class Places:
    """Candidate places on the outer skin, closed under mirroring. C places.

    Attributes:
        triples: (C,3) vertices. weights: (C,3) barycentrics.
        rest: (C,3) on the mean head.
        mirror: (C,) index of the mirrored place.
        lid: (C,) bool, on a lid's edge.
    """

    triples: NDArray[np.int32]
    weights: NDArray[np.float32]
    rest: NDArray[np.float64]
    mirror: NDArray[np.int64]
    lid: NDArray[np.bool_]


def collect_views(head: HeadModel, count: int, seed: int = 0) -> list[View]:
    """Draw random people, every second with the mouth open, and keep those in which a face is found."""
    skins = find_skins()
    views = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        identity = np.clip(0.8 * rng.standard_normal(len(head.identity_basis)), -2, 2)
        identity[head.asymmetry_start :] = 0
        expression = np.zeros(len(head.expression_names), np.float32)
        opening = rng.uniform(0.2, 0.55) if number % 2 else 0.0
        expression[head.expression_names.index("jawOpen")] = opening
        posed = head.shape(identity, expression)
        camera, _ = random_camera(posed[head.regions["face"]], SIZE, rng, YAW_LIMIT)
        _, albedo = random_albedo(head, skins, 1024, rng)
        picture = draw(head, posed, expression, camera, random_light(rng), albedo, rng, lashes=0.15)
        try:
            seen = find_face(Photo(Path("render"), picture))
        except FaceError:
            continue
        views.append(View(posed, camera, seen.landmarks[:, :2], opening > 0))
    return views


def visible_triangles(head: HeadModel) -> NDArray[np.bool_]:
    """(F,) skin seen from about the front, with the lips shut or apart; linings of mouth and sockets are not."""
    import torch

    seen = np.zeros(len(head.faces), bool)
    half_open = head.vertices + 0.4 * head.expression_basis[head.expression_names.index("jawOpen")]
    for vertices in (head.vertices, half_open):
        for yaw in (-60, -30, 0, 30, 60):
            for pitch in (-25, 0, 25):
                camera = turned_camera(yaw, pitch, 900)
                raster = rasterize_mesh(torch.tensor(vertices), torch.tensor(head.faces), camera, "back")
                seen[np.unique(raster.face.numpy()[raster.mask.numpy()])] = True
    return seen & (head.face_materials == head.material_names.index("skin"))


def turned_camera(yaw: float, pitch: float, size: int, distance: float = 0.9) -> Camera:
    """A camera that looks at the face from `yaw`, `pitch` degrees."""
    a, b = np.radians([yaw, pitch])
    forward = -np.array([np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)])
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = -pose[:3, :3] @ (np.array([0, 0.02, 0.05]) - forward * distance)
    focal = 2.4 * size
    return Camera(np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1.0]]), pose, size, size)


def candidate_places(head: HeadModel) -> Places:
    """Samples of the visible skin of the face, and where each one's mirror image is."""
    steps = [(i, j, FINENESS - i - j) for i in range(FINENESS + 1) for j in range(FINENESS + 1 - i)]
    grid = np.array(steps, np.float32) / FINENESS
    visible = visible_triangles(head)
    front = np.flatnonzero(visible & (head.vertices[head.faces][..., 2].mean(1) > -0.03))
    triples = np.repeat(head.faces[front], len(grid), 0)
    weights = np.tile(grid, (len(front), 1))
    rest = np.einsum("ckx,ck->cx", head.vertices[triples].astype(np.float64), weights)
    tree = KDTree(rest)
    gap, mirror = map(np.asarray, tree.query(rest * [-1, 1, 1]))
    # Where the triangulation is not symmetric there is no exact partner: such places are left out.
    fair = (gap < 1e-5) & (gap[mirror] < 1e-5)
    kept = np.flatnonzero(fair)
    renumber = np.full(len(rest), -1)
    renumber[kept] = np.arange(len(kept))
    mirror = np.asarray(renumber[np.asarray(mirror)[kept]])
    whole = mirror >= 0
    eyes = np.isin(head.face_materials, [head.material_names.index(f"eye.{side}") for side in "LR"])
    ball = head.vertices[np.unique(head.faces[eyes])]
    centres = head.joints[[head.joint_names.index(f"eye.{side}") for side in "LR"]]
    radius = float(np.median(np.linalg.norm(ball[:, None] - centres, axis=2).min(1)))
    depth = np.linalg.norm(rest[kept][:, None] - centres, axis=2).min(1) - radius
    lid = depth < LID_GAP
    mirror = np.where(whole, mirror, 0)
    return Places(triples[kept], weights[kept], rest[kept], mirror, lid & whole)


def solve(head: HeadModel, views: list[View], places: Places, start: NDArray) -> tuple[NDArray[np.int64], NDArray]:
    """The best place of every surface point.

    Args:
        start: (468,3) first guess on the mean head.
    Returns:
        (468,) index into `places`, and (468,) the typical error there, metres.
    """
    tree = KDTree(places.rest)
    chosen = np.zeros(SURFACE_POINTS, np.int64)
    error = np.zeros(SURFACE_POINTS)
    on_middle = np.abs(places.rest[:, 0]) < 1e-6
    for point in range(SURFACE_POINTS):
        twin = int(MIRROR[point])
        if twin < point:
            continue
        tried = np.array(tree.query_ball_point(start[point], REACH))
        if twin == point:
            tried = tried[on_middle[tried]]
        if (point in RIGHT_EYE or point in LEFT_EYE) and point not in EYE_CORNERS:
            on_lid = tried[places.lid[tried]]
            tried = on_lid if len(on_lid) else tried
        distance = _errors(views, places, tried, point)
        if twin != point:
            distance = np.concatenate([distance, _errors(views, places, places.mirror[tried], twin)])
        cost = np.minimum(distance, FORGIVEN).mean(0)
        best = int(cost.argmin())
        chosen[point], chosen[twin] = tried[best], places.mirror[tried[best]]
        error[point] = error[twin] = np.median(distance[:, best])
    return chosen, error


def _errors(views: list[View], places: Places, tried: NDArray, point: int) -> NDArray[np.float64]:
    """(views,T) distance between detection and candidates in each picture, metres at the face's depth."""
    triples, weights = places.triples[tried], places.weights[tried]
    rows = []
    for view in views:
        if point in INNER_LIPS and not view.open_mouth:
            continue
        seen = view.camera.to_camera(np.einsum("tkx,tk->tx", view.vertices[triples], weights))
        pixels = seen @ view.camera.K.T
        offset = pixels[:, :2] / pixels[:, 2:] - view.points[point]
        rows.append(np.linalg.norm(offset, axis=1) * seen[:, 2].mean() / view.camera.K[0, 0])
    return np.array(rows)


def main() -> None:
    """Measure on the present asset and store."""
    parser = argparse.ArgumentParser(description="Measure MediaPipe's points on the open head.")
    parser.add_argument("--count", type=int, default=120, help="how many people are drawn")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    head = load_head("open")
    views = collect_views(head, arguments.count, arguments.seed)
    places = candidate_places(head)
    with np.load(STORE, allow_pickle=False) as stored:
        start = stored["rest"]
    chosen, error = solve(head, views, places, start)
    chosen, error = solve(head, views, places, places.rest[chosen])
    fill = POINTS - SURFACE_POINTS
    np.savez_compressed(
        STORE,
        vertices=np.pad(places.triples[chosen], ((0, fill), (0, 0)), mode="edge").astype(np.int32),
        barycentrics=np.pad(places.weights[chosen], ((0, fill), (0, 0)), mode="edge").astype(np.float32),
        rest=places.rest[chosen].astype(np.float32),
    )
    print(f"{len(views)} of {arguments.count} detected; median error {1000 * np.median(error):.2f} mm")


if __name__ == "__main__":
    main()
