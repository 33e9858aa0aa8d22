"""depth2mesh: a triangle mesh of what a depth map shows (EG3D-supervised thesis, section 3.1.5, algorithm 3).

The published algorithm makes one vertex a pixel and two faces a square wherever neighbouring depths differ by less than
a threshold. `grid_mesh` does just that. `mesh_of` makes of it what can be used: metres through the photo's camera,
cuts where the surface jumps rather than slopes, no holes and crumbs, a smooth border, as many faces as wanted,
texture coordinates, normals, and a back. Nothing loops over pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError
from .boundary import back_sheet, smooth_border, vertex_normals
from .depth_map import Depth, unproject
from .fill import push_pull
from .simplify import Hierarchy, Leaves

PUBLISHED_THRESHOLD = 0.1
"""Of neighbouring depths, for depth scaled to -1..1."""
BESIDE = np.array([1.0, 0.0])
"""From a place in the photo's picture to the same in that of the back."""
BORDER_MOVES = 0.45
"""Pixels that the border moves each way at most: with half a pixel faces would turn over."""
SMALLEST_SIDE = 16
"""Pixels below which a depth map is not halved any further for the sake of fewer faces."""


@dataclass(frozen=True)
class MeshOptions:
    """How a mesh is made of depth.

    Attributes:
        jump: metres that a step between two neighbouring pixels may exceed what the steps before and after it lead to
            expect; beyond, the surface is cut there. The published rule compares the step itself.
        steepest: metres of depth a metre across; steeper steps are cut too, however smooth.
        largest_hole: share of the mask's area up to which a hole in it is filled.
        pieces: "largest" keeps the largest piece alone, "all" every one.
        border: rounds of smoothing of the border, which otherwise is a staircase of pixels.
        faces: most faces of the front; None for two a pixel square.
        close_back: add a back, which makes the mesh watertight.
    """

    jump: float = 0.06
    steepest: float = 80.0
    largest_hole: float = 0.01
    pieces: str = "largest"
    border: int = 30
    faces: int | None = 200_000
    close_back: bool = False


@dataclass(frozen=True)
class DepthMesh:
    """A mesh in the head's frame.

    Attributes:
        vertices: (V,3) float32 metres, world.
        faces: (F,3) int32, counter-clockwise seen from outside.
        uv: (T,2) float32, origin lower left, of the photo; those of the back, if there is one, are those of the front
            plus 1 in u: the second picture of a row of two.
        uv_faces: (F,3) int32 into `uv`.
        normals: (V,3) float32 unit.
        front: number of faces that the photo shows; the back's follow.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32]
    uv_faces: NDArray[np.int32]
    normals: NDArray[np.float32]
    front: int


def grid_mesh(
    depth: NDArray, mask: NDArray | None = None, threshold: float = PUBLISHED_THRESHOLD
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The published algorithm: no camera, depth in its own unit.

    Args:
        depth: (H,W), scaled to -1..1 for the published threshold.
        mask: (H,W) bool, the foreground; None for all.
        threshold: largest difference of the depths at both ends of a side of a square that gets faces.
    Returns:
        vertices (H*W,3): column over W, row over H, depth; one for every pixel, also those without faces.
        faces (F,3) into them: for each square (corner, right, below) turned to the viewer, then the other half.
    Raises:
        EngineError: there are not two pixels each way, or the mask has another size.
    """
    depth = np.asarray(depth, np.float32)
    mask = np.ones(depth.shape, bool) if mask is None else np.asarray(mask, bool)
    if depth.ndim != 2 or min(depth.shape) < 2 or mask.shape != depth.shape:
        raise EngineError(
            f"A mesh needs depth and mask of one size with two pixels or more each way, not {depth.shape} and"
            f" {mask.shape}.",
            "Use depth of the photo's size.",
        )
    height, width = depth.shape
    rows, columns = np.indices(depth.shape, np.float32)
    vertices = np.stack([columns / width, rows / height, depth], -1).reshape(-1, 3)
    across, down = (np.abs(np.diff(depth, axis=axis)) < threshold for axis in (1, 0))
    whole = mask[:-1, :-1] & mask[:-1, 1:] & mask[1:, :-1] & mask[1:, 1:]
    whole &= across[:-1] & across[1:] & down[:, :-1] & down[:, 1:]
    row, column = np.nonzero(whole)
    corner = (row * width + column).astype(np.int32)
    first = np.stack([corner, corner + width, corner + 1], 1)
    second = np.stack([corner + width, corner + width + 1, corner + 1], 1)
    return vertices, np.stack([first, second], 1).reshape(-1, 3)


def mesh_of(depth: Depth, options: MeshOptions | None = None) -> DepthMesh:
    """A mesh of what a camera sees.

    Raises:
        EngineError: nothing is left of the mask.
    """
    options = options or MeshOptions()
    box = _box(depth.mask)
    values = np.where(depth.mask, depth.depth, np.nan)[box].astype(np.float32)
    values = _without_holes(values, options.largest_hole * float(depth.mask.sum()))
    step = 1
    while True:
        leaves = _leaves(values, depth.camera.K[0, 0] / step, options)
        faces = _few_faces(values, leaves, options.faces)
        if faces is not None and len(faces):
            break
        if faces is not None or min(values.shape) < 2 * SMALLEST_SIDE:
            raise _no_mesh(too_many=faces is None)
        values, step = values[::2, ::2], 2 * step
    window = _Window(values, leaves, np.array([box[1].start, box[0].start]), step)
    return _finished(depth, faces, window, options)


@dataclass(frozen=True)
class _Window:
    """The part of the depth map that meshes are made of.

    Attributes:
        values: (h,w), every `step`-th pixel from the `corner` (x, y) on. leaves: of these.
    """

    values: NDArray[np.float32]
    leaves: Leaves
    corner: NDArray[np.int64]
    step: int


def _finished(depth: Depth, faces: NDArray, window: _Window, options: MeshOptions) -> DepthMesh:
    camera, count, step = depth.camera, len(faces), window.step
    used, faces = np.unique(faces, return_inverse=True)
    uv_faces = faces = faces.reshape(-1, 3).astype(np.int32)
    row, column = np.divmod(used, window.values.shape[1])
    pixels = np.stack([column, row], 1) * step + window.corner + 0.5
    z = window.values[row, column].astype(np.float64)
    pixels, z = smooth_border(pixels, z, faces, options.border, BORDER_MOVES * step)
    uv = np.stack([pixels[:, 0] / camera.width, 1 - pixels[:, 1] / camera.height], 1)
    if options.close_back:
        places = (pixels - window.corner - 0.5) / step
        metres = step * float(np.median(z)) / camera.K[0, 0]
        faces, behind = back_sheet(faces, places, z, window.leaves.upper | window.leaves.lower, metres)
        uv_faces = faces.copy()
        wall = uv_faces[2 * count :]
        wall[wall < len(z)] += len(z)
        pixels, z, uv = np.tile(pixels, (2, 1)), np.concatenate([z, behind]), np.concatenate([uv, uv + BESIDE])
    vertices = unproject(camera, pixels, z).astype(np.float32)
    normals = vertex_normals(vertices, faces)
    return DepthMesh(vertices, faces.astype(np.int32), uv.astype(np.float32), uv_faces.astype(np.int32), normals, count)


def _no_mesh(too_many: bool) -> EngineError:
    if too_many:
        return EngineError("The depth map gives no mesh with so few faces.", "Allow more faces.")
    return EngineError("The depth map shows no surface.", "Use a photo in which the person is seen.")


def _box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The rows and columns that hold the mask."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    if len(rows) < 2 or len(columns) < 2:
        raise _no_mesh(too_many=False)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _without_holes(values: NDArray[np.float32], largest: float) -> NDArray[np.float32]:
    """Depth whose holes of up to `largest` pixels are filled from around them."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(np.isnan(values).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] <= largest
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
    small &= (left > 0) & (top > 0) & (right < values.shape[1]) & (bottom < values.shape[0])
    small[0] = False
    if count < 2 or not small.any():
        return values
    holes = small[labels]
    filled = push_pull(np.nan_to_num(values), np.isfinite(values).astype(np.float32))
    return np.where(holes, filled, values)


def _leaves(values: NDArray[np.float32], focal: float, options: MeshOptions) -> Leaves:
    """The halves of squares that belong to the surface: no corner missing, no leg across a jump."""
    across = _joined(values, focal, options)
    down = _joined(values.T, focal, options).T
    if options.pieces == "largest":
        kept = _largest_piece(np.isfinite(values), across, down)
        across &= kept[:, :-1] & kept[:, 1:]
        down &= kept[:-1] & kept[1:]
    rows, columns = np.indices((values.shape[0] - 1, values.shape[1] - 1), sparse=True)
    even = (rows + columns) % 2 == 0
    upper = np.where(even, down[:, 1:], down[:, :-1]) & across[:-1]
    lower = np.where(even, down[:, :-1], down[:, 1:]) & across[1:]
    return Leaves(upper, lower)


def _joined(values: NDArray[np.float32], focal: float, options: MeshOptions) -> NDArray[np.bool_]:
    """(H,W-1) whether neighbours in a row lie on one surface."""
    step = np.diff(values, axis=1)
    change = np.abs(np.diff(step, axis=1))
    change[np.isnan(change)] = np.inf
    excess = np.full(step.shape, np.inf, np.float32)
    excess[:, 1:] = change
    np.minimum(excess[:, :-1], change, out=excess[:, :-1])
    excess = np.where(np.isinf(excess), np.abs(step), excess)  # nothing before or after it to go by
    footprint = np.fmin(values[:, 1:], values[:, :-1]) / focal
    return (excess <= options.jump) & (np.abs(step) <= options.steepest * footprint)


def _largest_piece(there: NDArray[np.bool_], across: NDArray[np.bool_], down: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H,W) the pixels that hang together with most others, over the joints between them."""
    import cv2

    height, width = there.shape
    net = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)
    net[::2, ::2], net[::2, 1::2], net[1::2, ::2] = there, across, down
    _, labels = cv2.connectedComponents(net, connectivity=4)
    labels = labels[::2, ::2]
    sizes = np.bincount(labels[there])
    return (labels == sizes.argmax()) & there if sizes.any() else there


def _few_faces(values: NDArray[np.float32], leaves: Leaves, most: int | None) -> NDArray | None:
    """Faces into the grid; None where there is no way with so few."""
    if most is None or leaves.count <= most:
        return leaves.faces()
    # Planes are straight in inverse depth, whatever the perspective.
    middle = float(np.nanmedian(values))
    return Hierarchy(np.nan_to_num(middle**2 / values, nan=middle), leaves).within(most)
