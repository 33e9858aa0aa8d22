"""Meshes of the generator's volumes: marching cubes of the density, cleaned, simplified, coloured, in register.

The published script ("Shape extraction", `formats.md`'s numbers): densities on 512 voxels a side over the cube, a
border taken off, the surface where the raw density is 10. Its grid is skewed by less than a voxel through a rounded
division, its axes are turned and its vertices stand in voxels; here vertices stand in the generator's own space.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import EngineError
from ..progress import Progress
from .camera import Register
from .decoder import Decoder
from .generator import TriplaneGenerator
from .grid import Grid, predicted_bytes, slabs
from .memory import available_bytes, check_memory
from .options import LEVEL
from .planes import Planes
from .simplify import simplify
from .surface import MarchingCubes, largest_piece

POINTS = 1 << 16
"""Vertices coloured at once."""
SLABS_A_CHECK = 8


@dataclass(frozen=True, eq=False)
class VolumeMesh:
    """A surface.

    Attributes:
        vertices: (V,3) float32, the generator's units, Y up, face towards +Z; metres after `placed`.
        faces: (F,3) int64, counter-clockwise as seen from outside.
        colours: (V,3) uint8 sRGB, the decoder's at the vertices.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int64]
    colours: NDArray[np.uint8]

    def placed(self, register: Register) -> VolumeMesh:
        """The same in the space of a head, metres."""
        return replace(self, vertices=register.points(self.vertices).astype(np.float32))


def extract_mesh(
    planes: Planes, decoder: Decoder, grid: Grid | None = None, level: float = LEVEL, most_faces: int | None = None,
    progress: Progress | None = None, limit: int | None = None,
) -> VolumeMesh:  # fmt: skip
    """The largest connected surface of a volume.

    Args:
        grid: None for the published one, as large as the planes. level: raw density of the surface.
        most_faces: simplified to at most so many; None keeps what marching cubes draws.
        limit: bytes of memory there are; None asks the system. Nothing is started that would not fit.
    Raises:
        DeviceError: the grid does not fit; the cure names one that does.
        EngineError: nothing is as dense as the level. JobCancelled.
    """
    grid = grid or Grid(size=planes.box)
    progress = progress or Progress()
    hidden = decoder.layer(0)[0].shape[0]
    device = planes.table.device
    room = available_bytes(device) if limit is None else limit
    check_memory(
        lambda n: predicted_bytes(n, hidden, border=grid.border), grid.side, room, "a grid of {} voxels a side"
    )
    march = MarchingCubes(level)
    for number, slab in enumerate(slabs(planes, decoder, grid)):
        if number % SLABS_A_CHECK == 0:
            progress.stage("Measuring the volume", 0.7 * number / grid.side)
        march.add(slab.cpu().numpy())
    progress.stage("Finding the surface", 0.7)
    voxels, faces = march.mesh()
    if not len(faces):
        raise EngineError(f"The volume is nowhere as dense as {level:g}.", "Choose a lower level for the surface.")
    voxels, faces, _ = largest_piece(voxels, faces)
    progress.check()
    if most_faces is not None:
        voxels, faces = simplify(voxels, faces, most_faces)
    vertices = grid.points(voxels).astype(np.float32)
    progress.stage("Colouring the surface", 0.9)
    colours = vertex_colours(planes, decoder, vertices, progress.check)
    progress.finish()
    return VolumeMesh(vertices, faces, colours)


@torch.no_grad()
def vertex_colours(
    planes: Planes, decoder: Decoder, vertices: NDArray, check: Callable[[], None] = lambda: None
) -> NDArray[np.uint8]:
    """(V,3) sRGB at points of the volume (V,3): what the renderer adds up before the super-resolution."""
    found = []
    for start in range(0, len(vertices), POINTS):
        check()
        points = torch.as_tensor(vertices[start : start + POINTS]).to(planes.table)
        colours = decoder.query(planes, points)[1][:, :3]
        found.append((colours.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy())
    return np.concatenate(found) if found else np.zeros((0, 3), np.uint8)


def head_mesh(
    network: TriplaneGenerator, ws: torch.Tensor, grid: Grid | None = None, level: float = LEVEL,
    most_faces: int | None = None, progress: Progress | None = None, limit: int | None = None,
) -> VolumeMesh:  # fmt: skip
    """The mesh of latents (1,layers,w), see `extract_mesh`."""
    with torch.no_grad():
        planes = network.planes(ws)[0]
    return extract_mesh(planes, network.decoder, grid, level, most_faces, progress, limit)
