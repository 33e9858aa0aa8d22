"""A cube in FLAME's format: quick to write, for what does not need a face."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.heads.flame_files import PARENTS, read_flame

COUNT = 8


def small_arrays() -> dict[str, np.ndarray]:
    """A cube in FLAME's format."""
    random = np.random.default_rng(0)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float) / 10
    faces = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6],
             [0, 6, 4], [1, 5, 7], [1, 7, 3]]  # fmt: skip
    return {
        "f": np.array(faces, np.uint32), "v_template": corners, "shapedirs": random.normal(0, 0.01, (COUNT, 3, 400)),
        "posedirs": np.zeros((COUNT, 3, 36)), "weights": np.full((COUNT, 5), 0.2),
        "J_regressor": np.full((5, COUNT), 1 / COUNT), "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], range(5)]),
    }  # fmt: skip


def write_cube(folder: Path, **changes: np.ndarray | None) -> Path:
    """The cube as `.npz`; None leaves an array out."""
    arrays = {name: array for name, array in {**small_arrays(), **changes}.items() if array is not None}
    np.savez(folder / "model.npz", **arrays)
    return folder / "model.npz"


def write_safetensors(source: Path, target: Path) -> Path:
    """A model file's arrays in the format that files are converted to (`engine.models.convert`)."""
    from safetensors.numpy import save_file

    found = read_flame(source)
    arrays = {
        "f": found.faces, "v_template": found.template, "posedirs": found.correctives,
        "J_regressor": found.regressor, "weights": found.weights,
        "shapedirs": np.concatenate([found.shapes, found.expressions], 2),
        "kintree_table": np.array([PARENTS, range(len(PARENTS))], np.int64),
    }  # fmt: skip
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, target)
    return target
