"""Fields on the unrolled scalp: smoothing that closes around the head, sampling, distances, positions between nodes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def closed(field: NDArray, margin: int) -> NDArray:
    """A field (R,C[,K]) with `margin` columns of the other end added on both sides."""
    return np.concatenate([field[:, -margin:], field, field[:, :margin]], 1)


def blurred(field: NDArray, sigma: tuple[float, float]) -> NDArray[np.float32]:
    """A field smoothed along its columns and rows by `sigma` (rows, columns) nodes."""
    margin = min(int(3 * sigma[1]) + 1, field.shape[1])
    wide = closed(np.asarray(field, np.float32), margin)
    wide = cv2.GaussianBlur(wide, (0, 0), sigmaX=sigma[1], sigmaY=sigma[0], borderType=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(wide[:, margin:-margin])


def resized(field: NDArray, shape: tuple[int, int]) -> NDArray[np.float32]:
    """A field of nodes (R,C[,K]) as a picture of (height, width): first and last row at its edges, columns closed."""
    rows, columns = field.shape[:2]
    x = (np.arange(shape[1]) + 0.5) / shape[1] * columns + 1
    y = (np.arange(shape[0]) + 0.5) / shape[0] * (rows - 1)
    grid = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    wide = closed(np.asarray(field, np.float32), 1)
    return cv2.remap(wide, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def sampled(field: NDArray, row: NDArray, column: NDArray) -> NDArray[np.float32]:
    """Values of a field of nodes (R,C[,K]) at places (...,) between them."""
    rows, columns = field.shape[:2]
    x = (np.mod(column, columns) + 1).astype(np.float32)
    y = np.clip(row, 0, rows - 1).astype(np.float32)
    flat = cv2.remap(
        closed(np.asarray(field, np.float32), 2), x.reshape(-1, 1) + 1, y.reshape(-1, 1), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return flat.reshape(*np.shape(row), *field.shape[2:])


def normals(points: NDArray) -> NDArray[np.float32]:
    """(R,C,3) unit normals of a grid of points (R,C,3), pointing away from the head."""
    down = np.gradient(points, axis=0)
    wide = closed(points, 1)
    along = (wide[:, 2:] - wide[:, :-2]) / 2
    across = np.cross(down, along)
    across[0] = across[1].mean(0)
    return (across / np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-12)).astype(np.float32)


def inward_distance(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance of each node inside to the nearest one outside, nodes; closed around the head."""
    margin = inside.shape[1] // 4
    wide = closed(inside.astype(np.uint8), margin)
    wide = np.pad(wide, ((0, 1), (0, 0)), mode="edge")
    return cv2.distanceTransform(wide, cv2.DIST_L2, 3)[:-1, margin:-margin]


def smoothstep(x: NDArray, low: float, high: float) -> NDArray[np.float32]:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return (t * t * (3 - 2 * t)).astype(np.float32)
