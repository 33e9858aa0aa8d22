"""Meshes in other layouts, and where the texels of the head lie on them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import ModelFileError
from ...fitting.pose import similarity
from ...heads.model import HeadModel
from ...render.geometry import vertex_normals
from .landmark_names import FLAME_COUNT, FLAME_VERTICES, MEDIAPIPE, head_points

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST_LANDMARKS = 5
WARP_REACH = 0.12
"""Metres on the head beyond which a landmark pulls no more."""
NORMAL_WEIGHT = 0.012
"""Metres that a normal turned by 60 degrees counts for when the nearest place is sought."""
NEAREST = 2
"""Vertices of the source whose triangles are tried for each point."""
AT_ONCE = 256


@dataclass(frozen=True)
class SourceMesh:
    """A template of another layout, in any unit and place.

    Attributes:
        vertices: (V,3). faces: (F,3).
        uv: (T,2), origin lower left. uv_faces: (F,3) into `uv`, corner for corner as `faces`.
        landmarks: places by the names of `landmark_names.MEDIAPIPE`, (3,) each.
    """

    vertices: Floats
    faces: Ints
    uv: Floats
    uv_faces: Ints
    landmarks: dict[str, Floats]

    def largest_part(self) -> SourceMesh:
        """Only the faces of the largest connected piece that lie inside the UV square: no eyeballs and the like."""
        label = components(self.faces, len(self.vertices))
        inside = ((self.uv >= 0) & (self.uv <= 1)).all(1)[self.uv_faces].all(1)
        chosen = (label[self.faces[:, 0]] == np.bincount(label[self.faces[:, 0]]).argmax()) & inside
        return replace(self, faces=self.faces[chosen], uv_faces=self.uv_faces[chosen])


def components(faces: NDArray, count: int) -> Ints:
    """(count,) least index that each vertex is connected to."""
    label = np.arange(count)
    while True:
        least = label[faces].min(1)
        new = label.copy()
        np.minimum.at(new, faces.ravel(), np.repeat(least, faces.shape[1]))
        new = new[new]
        if (new == label).all():
            return label
        label = new


def read_obj(path: Path) -> SourceMesh:
    """A template from a Wavefront file, with landmarks from FLAME's topology or from a sidecar.

    The sidecar lies beside it, named `NAME.landmarks.json`: {"vertices": {"nose_tip": 3534, ...}}, vertices counted
    from zero, or {"points": {"nose_tip": [x, y, z], ...}}, at least five of `landmark_names.MEDIAPIPE`.

    Raises:
        ModelFileError: it cannot be read, has no UV, or there are too few landmarks.
    """
    cure = "Choose the template's OBJ file, with texture coordinates."
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        rows = {kind: [line.split()[1:] for line in lines if line.startswith(f"{kind} ")] for kind in ("v", "vt", "f")}
        vertices = np.array([row[:3] for row in rows["v"]], np.float64).reshape(-1, 3)
        uv = np.array([row[:2] for row in rows["vt"]], np.float64).reshape(-1, 2)
        fans = [[row[0], row[k], row[k + 1]] for row in rows["f"] for k in range(1, len(row) - 1)]
        corners = np.array([[corner.split("/")[:2] for corner in fan] for fan in fans], np.int64).reshape(-1, 3, 2)
    except (OSError, ValueError, IndexError) as error:
        raise ModelFileError(f"The template {path} cannot be read ({error}).", cure) from error
    if not len(corners):
        raise ModelFileError(f"The template {path} has no faces.", cure)
    counts = np.array([len(vertices), len(uv)])
    corners = np.where(corners < 0, corners + counts, corners - 1)  # negative ones count from the end
    if (corners < 0).any() or (corners >= counts).any():
        raise ModelFileError(f"The template {path} has faces without vertices or texture coordinates.", cure)
    faces, uv_faces = corners[..., 0], corners[..., 1]
    return SourceMesh(vertices, faces, uv, uv_faces, _landmarks(path, vertices))


def sidecar(path: Path) -> dict:
    """The content of a JSON file.

    Raises:
        ModelFileError: it is missing or no JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFileError(f"The landmarks {path} cannot be read ({error}).", "Write the file anew.") from error
    if not isinstance(found, dict):
        raise ModelFileError(f"The landmarks {path} are no JSON object.", "Write the file anew.")
    return found


def checked_places(found: object, width: int, path: Path) -> dict[str, Floats]:
    """Places (width,) by name.

    Raises:
        ModelFileError: a name or number is none, or there are fewer than five.
    """
    places: dict[str, Floats] = {}
    for name, value in (found if isinstance(found, dict) else {}).items():
        try:
            place = np.array(value, np.float64)
        except (ValueError, TypeError):
            place = np.empty(0)
        if name not in MEDIAPIPE or place.shape != (width,) or not np.isfinite(place).all():
            raise ModelFileError(
                f"The landmarks {path} have a wrong entry “{name}”.",
                f"Each is one of {', '.join(list(MEDIAPIPE)[:4])} ... with {width} numbers.",
            )
        places[name] = place
    if len(places) < LEAST_LANDMARKS:
        raise ModelFileError(
            f"The landmarks {path} are {len(places)}; at least {LEAST_LANDMARKS} are needed.",
            "Add eye corners, nose tip, mouth corners and chin.",
        )
    return places


def _landmarks(path: Path, vertices: Floats) -> dict[str, Floats]:
    beside = path.with_suffix(".landmarks.json")
    if not beside.is_file():
        if len(vertices) == FLAME_COUNT:
            return {name: vertices[number] for name, number in FLAME_VERTICES.items()}
        raise ModelFileError(
            f"The template {path} is not FLAME's, and its landmarks {beside.name} are missing.",
            f"Write {beside.name}: at least five places by name.",
        )
    found = sidecar(beside)
    if "points" in found:
        return checked_places(found["points"], 3, beside)
    numbers = found.get("vertices")
    try:
        chosen = {name: vertices[number].tolist() for name, number in dict(numbers or {}).items()}
    except (IndexError, TypeError, ValueError) as error:
        raise ModelFileError(f"The landmarks {beside} name no vertex ({error}).", "Write the file anew.") from error
    return checked_places(chosen, 3, beside)


def onto_head(source: SourceMesh, head: HeadModel) -> Floats:
    """The source's vertices (V,3) laid over the mean head, metres: a similarity on the landmarks, then a smooth warp.

    The warp interpolates what the landmarks lack (Wendland's C2 function, Adv. Comput. Math. 4, 1995, table 1): eyes
    come to lie on eyes, and beyond `WARP_REACH` nothing moves.
    """
    names = list(source.landmarks)
    places = np.stack([source.landmarks[name] for name in names])
    target = head_points(head, names)
    scale, rotation, translation = similarity(places, target)
    moved, places = (scale * part @ rotation.T + translation for part in (source.vertices, places))
    weights = np.linalg.solve(_wendland(places, places) + 1e-9 * np.eye(len(places)), target - places)
    return moved + _wendland(moved, places) @ weights


def _wendland(points: Floats, centres: Floats) -> Floats:
    """(N,M) compactly supported kernel of the distances."""
    distance = np.linalg.norm(points[:, None] - centres, axis=-1) / WARP_REACH
    return np.clip(1 - distance, 0, None) ** 4 * (4 * distance + 1)


@dataclass(frozen=True)
class Places:
    """Where N points lie on a mesh.

    Attributes:
        face: (N,) int64. weights: (N,3) barycentrics.
        distance: (N,) metres. agreement: (N,) cosine of the normals.
    """

    face: Tensor
    weights: Tensor
    distance: Tensor
    agreement: Tensor

    def at(self, order: Tensor) -> Places:
        """The same in another order (N,)."""
        return Places(self.face[order], self.weights[order], self.distance[order], self.agreement[order])


@torch.no_grad()
def nearest_places(points: Tensor, normals: Tensor, vertices: Tensor, faces: Tensor) -> Places:
    """The nearest places of a mesh whose normal points the same way.

    Nearest in position and `NORMAL_WEIGHT` times the normal together, so that a lip does not find the other lip.

    Args:
        points, normals: (N,3), metres and unit; those that follow each other had better lie near each other.
        vertices: (V,3) metres. faces: (F,3).
    """
    used = torch.unique(faces)
    own = vertex_normals(vertices, faces)
    features = torch.cat([vertices, NORMAL_WEIGHT * own], 1)[used]
    sought = torch.cat([points, NORMAL_WEIGHT * normals], 1)
    table = _faces_of_vertices(faces, len(vertices))
    parts = []
    for start in range(0, len(points), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        vertex = used[_nearest(sought[part], features)]
        parts.append(_best(points[part], normals[part], table[vertex].flatten(1), vertices, own, faces))
    return Places(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _nearest(points: Tensor, features: Tensor) -> Tensor:
    """(N,k) rows of the features (V,D) nearest to points (N,D) that lie close together."""
    middle = points.mean(0)
    radius = (points - middle).norm(dim=1).max()
    apart = (features - middle).norm(dim=1)
    few = min(NEAREST, len(features))
    # Whatever is among the nearest of some point lies no further from the middle than this.
    within = (apart <= apart.kthvalue(few).values + 2 * radius).nonzero()[:, 0]
    return within[torch.cdist(points, features[within]).topk(few, largest=False).indices]


def _best(
    points: Tensor, normals: Tensor, tried: Tensor, vertices: Tensor, own: Tensor, faces: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The best of the faces tried (N,C), see `Places`."""
    corner = faces[tried]  # (N,C,3)
    weights = closest_weights(points[:, None], vertices[corner])
    found = (vertices[corner] * weights[..., None]).sum(-2)
    facing = torch.nn.functional.normalize((own[corner] * weights[..., None]).sum(-2), dim=-1)
    apart = (found - points[:, None]).square().sum(-1)
    turned = (facing - normals[:, None]).square().sum(-1)
    best = (apart + NORMAL_WEIGHT**2 * turned).argmin(1, keepdim=True)
    chosen = tried.gather(1, best)[:, 0]
    weight = weights.gather(1, best[..., None].expand(-1, -1, 3))[:, 0]
    return chosen, weight, apart.gather(1, best)[:, 0].sqrt(), 1 - turned.gather(1, best)[:, 0] / 2


def _faces_of_vertices(faces: Tensor, count: int) -> Tensor:
    """(V,D) faces at each vertex, filled up with the first of them."""
    order = faces.flatten().argsort(stable=True)
    owner = faces.flatten()[order]
    number = torch.bincount(owner, minlength=count)
    first = number.cumsum(0) - number
    rank = torch.arange(len(owner)) - first[owner]
    face = order // 3
    table = face[first.clamp_max(len(face) - 1)][:, None].repeat(1, int(number.max()))
    table[owner, rank] = face
    return table


def closest_weights(points: Tensor, corners: Tensor) -> Tensor:
    """Barycentrics (...,3) of the point of a triangle (...,3,3) nearest to a point (...,3)."""
    a, b, c = corners.unbind(-2)
    best = None
    least = None
    inside = _plane_weights(points, a, b - a, c - a)
    candidates = [torch.where((inside >= 0).all(-1, keepdim=True), inside, torch.full_like(inside, torch.nan))]
    for first, second, third in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        start, end = corners[..., first, :], corners[..., second, :]
        along = end - start
        share = ((points - start) * along).sum(-1) / along.square().sum(-1).clamp_min(1e-20)
        share = share.clamp(0, 1)
        columns = [torch.zeros_like(share)] * 3
        columns[first], columns[second], columns[third] = 1 - share, share, torch.zeros_like(share)
        candidates.append(torch.stack(columns, -1))
    for weights in candidates:
        apart = ((corners * weights[..., None]).sum(-2) - points).square().sum(-1)
        apart = torch.nan_to_num(apart, nan=torch.inf)
        if best is None or least is None:
            best, least = weights, apart
        else:
            nearer = apart < least
            best = torch.where(nearer[..., None], weights, best)
            least = torch.where(nearer, apart, least)
    assert best is not None
    return torch.nan_to_num(best)


def _plane_weights(points: Tensor, origin: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Barycentrics (...,3) of the projection of points into the planes of triangles."""
    offset = points - origin
    aa, ab, bb = ((x * y).sum(-1) for x, y in ((first, first), (first, second), (second, second)))
    pa, pb = (offset * first).sum(-1), (offset * second).sum(-1)
    area = (aa * bb - ab * ab).clamp_min(1e-24)
    v, w = (bb * pa - ab * pb) / area, (aa * pb - ab * pa) / area
    return torch.stack([1 - v - w, v, w], -1)
