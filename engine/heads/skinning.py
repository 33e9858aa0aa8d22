"""Shaping and posing a head as FLAME is published: blend shapes, joints from the shaped head, linear blend skinning.

Li et al., "Learning a model of facial shape and expression from 4D scans", SIGGRAPH Asia 2017, section 3, equations 1
to 5, which follow SMPL (Loper et al. 2015, section 3). The same code poses every `HeadModel`.

One convention holds for all models: rotations are axis-angle in radians about the rest joint, applied in the order of
the joints; eyelids are added after skinning, the person's left one first, as SMIRK does; the translation comes last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import EngineError

if TYPE_CHECKING:
    from .model import HeadModel

Values = Tensor | NDArray | Sequence[float] | Sequence[Sequence[float]] | None
GLOBAL, NECK, JAW, LEFT_EYE, RIGHT_EYE = "root", "neck", "jaw", "eye.L", "eye.R"
TINY = 1e-8
"""Added to each component before the angle is taken, as in the published layers."""


@dataclass(frozen=True)
class Controls:
    """What a head is asked to be: tensors or arrays, (N,...) or (1,...) or without the first axis; None is zero.

    Attributes:
        shape: (N,K) standard deviations; fewer than the model has are filled with zeros.
        expression: (N,E) coefficients; likewise.
        global_pose, neck_pose, jaw_pose, left_eye_pose, right_eye_pose: (N,3) axis-angle, radians.
        translation: (N,3) metres.
        eyelids: (N,2) how far the left and the right one are shut, 0 to 1.
    """

    shape: Values = None
    expression: Values = None
    global_pose: Values = None
    neck_pose: Values = None
    jaw_pose: Values = None
    left_eye_pose: Values = None
    right_eye_pose: Values = None
    translation: Values = None
    eyelids: Values = None


@dataclass(frozen=True)
class Posed:
    """Posed heads.

    Attributes:
        vertices: (N,V,3) metres.
        joints: (N,J,3) posed joints, metres.
        rotations: (N,J,3,3) of each joint, relative to its parent.
    """

    vertices: Tensor
    joints: Tensor
    rotations: Tensor


@dataclass(frozen=True)
class Buffers:
    """A model's arrays on one device, in one type: see `HeadModel` for their shapes; bases are flattened to rows."""

    vertices: Tensor
    shapes: Tensor
    joints: Tensor
    joint_shapes: Tensor
    weights: Tensor
    correctives: Tensor | None
    eyelids: Tensor | None
    faces: Tensor


_buffers: WeakKeyDictionary[HeadModel, dict[tuple[torch.device, torch.dtype], Buffers]] = WeakKeyDictionary()


def buffers_of(model: HeadModel, device: torch.device, dtype: torch.dtype) -> Buffers:
    """A model's arrays as tensors, made once for each device and type, and let go with the model."""
    kept = _buffers.setdefault(model, {})
    if (device, dtype) not in kept:
        kept[device, dtype] = _build(model, device, dtype)
    return kept[device, dtype]


def _build(model: HeadModel, device: torch.device, dtype: torch.dtype) -> Buffers:
    def tensor(array: NDArray) -> Tensor:
        return torch.tensor(array, device=device, dtype=dtype)

    identity, expression = model.identity_basis, model.expression_basis
    moved = model.joint_expression_basis
    if moved is None:
        moved = np.zeros((len(expression), len(model.joints), 3), np.float32)
    correctives, eyelids = model.pose_correctives, model.eyelid_basis
    return Buffers(
        vertices=tensor(model.vertices),
        shapes=tensor(np.concatenate([identity, expression]).reshape(len(identity) + len(expression), -1)),
        joints=tensor(model.joints),
        joint_shapes=tensor(
            np.concatenate([model.joint_identity_basis, moved]).reshape(len(identity) + len(moved), -1)
        ),
        weights=tensor(model.skin_weights),
        correctives=None if correctives is None else tensor(correctives.reshape(len(correctives), -1)),
        eyelids=None if eyelids is None else tensor(eyelids.reshape(2, -1)),
        faces=torch.tensor(model.faces, device=device, dtype=torch.long),
    )


def pose(model: HeadModel, controls: Controls) -> Posed:
    """Heads of a model, in the type and on the device of the first tensor among the controls (else float32, CPU).

    Raises:
        EngineError: a control has the wrong shape, more coefficients than the model, or the model cannot do it.
    """
    rows = {name: _rows(name, value) for name, value in vars(controls).items() if value is not None}
    given = [value for value in vars(controls).values() if isinstance(value, Tensor)]
    device = given[0].device if given else torch.device("cpu")
    dtype = given[0].dtype if given and given[0].dtype.is_floating_point else torch.float32
    count = _batch(rows)
    data = buffers_of(model, device, dtype)
    rows = {name: value.to(device, dtype).expand(count, -1) for name, value in rows.items()}

    def row(name: str, width: int) -> Tensor:
        return _fitted(name, rows.get(name), width, data.vertices, count)

    counts = len(model.identity_basis), len(model.expression_basis)
    code = torch.cat([row("shape", counts[0]), row("expression", counts[1])], 1)
    shaped = data.vertices + (code @ data.shapes).view(count, -1, 3)
    joints = data.joints + (code @ data.joint_shapes).view(count, -1, 3)
    turns = {
        GLOBAL: row("global_pose", 3), NECK: row("neck_pose", 3), JAW: row("jaw_pose", 3),
        LEFT_EYE: row("left_eye_pose", 3), RIGHT_EYE: row("right_eye_pose", 3),
    }  # fmt: skip
    missing = [name for name, turn in turns.items() if name not in model.joint_names and bool((turn != 0).any())]
    if missing:
        raise EngineError(f"The head model “{model.name}” has no joint “{missing[0]}”.", "Leave its pose out.")
    still = data.vertices.new_zeros(count, 3)
    axes = torch.stack([turns.get(name, still) for name in model.joint_names], 1)
    rotations = rodrigues(axes.view(-1, 3)).view(count, -1, 3, 3)
    if data.correctives is not None:
        shaped = shaped + (pose_feature(rotations) @ data.correctives).view(count, -1, 3)
    vertices, posed = skin(shaped, joints, rotations, model.joint_parents, data.weights)
    if "eyelids" in rows:
        vertices = vertices + _eyelids(model, data, row("eyelids", 2))
    offset = row("translation", 3)[:, None]
    return Posed(vertices + offset, posed + offset, rotations)


def rodrigues(axes: Tensor) -> Tensor:
    """Rotation matrices (N,3,3) of axis-angle vectors (N,3), as the published layers compute them.

    The angle is the norm of the vector with 1e-8 added to each component, which keeps gradients finite at zero.
    """
    angle = torch.linalg.vector_norm(axes + TINY, dim=1, keepdim=True)
    x, y, z = (axes / angle).unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).view(-1, 3, 3)
    sine, cosine = angle.sin()[..., None], angle.cos()[..., None]
    return torch.eye(3, dtype=axes.dtype, device=axes.device) + sine * cross + (1 - cosine) * (cross @ cross)


def pose_feature(rotations: Tensor) -> Tensor:
    """(N,(J-1)*9) all but the root's rotations (N,J,3,3) less the identity: FLAME's equation 4 without its basis."""
    rest = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    return (rotations[:, 1:] - rest).reshape(len(rotations), -1)


def skin(shaped: Tensor, joints: Tensor, rotations: Tensor, parents: NDArray, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Linear blend skinning.

    Args:
        shaped: (N,V,3) at rest. joints: (N,J,3) at rest. rotations: (N,J,3,3) relative to the parent.
        parents: (J,) before their children, -1 for the root.
        weights: (V,J).
    Returns:
        Vertices (N,V,3) and joints (N,J,3).
    """
    turned, placed = [], []
    for joint, parent in enumerate(int(number) for number in parents):
        if parent < 0:
            turned.append(rotations[:, joint])
            placed.append(joints[:, joint])
            continue
        bone = joints[:, joint] - joints[:, parent]
        turned.append(turned[parent] @ rotations[:, joint])
        placed.append(placed[parent] + (turned[parent] @ bone[..., None])[..., 0])
    turn, place = torch.stack(turned, 1), torch.stack(placed, 1)
    shift = place - (turn @ joints[..., None])[..., 0]
    moves = torch.cat([turn, shift[..., None]], 3).flatten(2)  # (N,J,12)
    blended = (weights @ moves).unflatten(2, (3, 4))
    return (blended[..., :3] @ shaped[..., None])[..., 0] + blended[..., 3], place


def _eyelids(model: HeadModel, data: Buffers, shut: Tensor) -> Tensor:
    if data.eyelids is None:
        raise EngineError(
            f"The head model “{model.name}” has no eyelids: l_eyelid.npy and r_eyelid.npy are not beside its file.",
            "Put both, from SMIRK's assets, into the folder of the model file, or leave the eyelids out.",
        )
    return (shut @ data.eyelids).view(len(shut), -1, 3)


def _rows(name: str, value: Values) -> Tensor:
    """A control as (N,C)."""
    rows = value if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value))
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.ndim != 2:
        raise EngineError(f"{name} has the shape {tuple(rows.shape)}.", "Give one row of numbers for each head.")
    return rows


def _batch(rows: dict[str, Tensor]) -> int:
    """How many heads: all controls have as many rows, or one."""
    counts = {name: len(value) for name, value in rows.items() if len(value) != 1}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise EngineError(f"The controls are of different numbers of heads: {listed}.", "Give as many rows, or one.")
    return next(iter(counts.values()), 1)


def _fitted(name: str, rows: Tensor | None, width: int, like: Tensor, count: int) -> Tensor:
    """(N,width), filled up with zeros."""
    if rows is None:
        return like.new_zeros(count, width)
    short = width - rows.shape[1]
    counted = name in ("shape", "expression")
    if short < 0 or (short and not counted):
        most = "at most " if counted else ""
        raise EngineError(f"{name} has {rows.shape[1]} numbers for each head.", f"Give {most}{width}.")
    return torch.cat([rows, rows.new_zeros(count, short)], 1) if short else rows
