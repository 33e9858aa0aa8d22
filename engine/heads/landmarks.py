"""Landmarks of posed heads, with FLAME's contour that slides as the head turns.

The contour's 17 points are embedded 79 times, once for each degree of yaw from 39 on one side to 39 on the other. The
published layers differ in what they take for the yaw and in the order of the points. Ours is SMIRK's and DECA's; the
others are there to compare with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import EngineError
from .skinning import GLOBAL, NECK, Controls, Posed, buffers_of, pose

if TYPE_CHECKING:
    from .model import HeadModel, LandmarkEmbedding

WIDEST = 39
"""Degrees of yaw at which the contour stops sliding."""
SCHEMES = ("ibug68-static", "ibug68-dynamic", "mediapipe")
COMPANIONS = {
    "ibug68-static": "landmark_embedding.npy",
    "ibug68-dynamic": "landmark_embedding.npy (or flame_static_embedding.pkl with flame_dynamic_embedding.npy)",
    "mediapipe": "mediapipe_landmark_embedding.npz",
}
"""Files of FLAME's that bring each scheme."""


@dataclass(frozen=True)
class Convention:
    """How a published layer places the contour.

    Attributes:
        yaw_sign: 1 if a turn to the person's left counts as positive, or -1.
        chain: joints whose turns add up to the yaw, children first.
        contour_first: whether the contour's 17 points come before the 51 others.
    """

    yaw_sign: int = 1
    chain: tuple[str, ...] = (NECK, GLOBAL)
    contour_first: bool = True


SMIRK = DECA = Convention()
FLAME_PYTORCH = Convention(yaw_sign=-1)
"""Also that of metrical-tracker."""
SMPLX = Convention(yaw_sign=-1, chain=(GLOBAL,), contour_first=False)
"""smplx.FLAME, which puts the five joints before them."""


def landmarks(model: HeadModel, controls: Controls, scheme: str, convention: Convention = SMIRK) -> Tensor:
    """Landmarks (N,L,3) of posed heads, metres.

    Args:
        scheme: "ibug68-static" (68), "ibug68-dynamic" (68), or "mediapipe": the 105 of FLAME's own file in its order,
            478 for models that have them all (NaN where one is missing).
        convention: of "ibug68-dynamic".
    Raises:
        EngineError: the scheme is unknown, or the model lacks what it needs.
    """
    if scheme not in SCHEMES:
        raise EngineError(f"There is no landmark scheme “{scheme}”.", f"Choose {', '.join(SCHEMES)}.")
    posed = pose(model, controls)
    if scheme == "ibug68-dynamic":
        return _dynamic(model, posed, convention)
    names = ("mediapipe105", "mediapipe") if scheme == "mediapipe" else ("ibug",)
    found = next((model.embeddings[name] for name in names if name in model.embeddings), None)
    if found is None:
        raise _missing(model, scheme)
    return on_surface(model, posed.vertices, found)


def _dynamic(model: HeadModel, posed: Posed, convention: Convention) -> Tensor:
    """(N,68,3) with the contour of each head's yaw."""
    contour, inner = model.contour, model.embeddings.get("ibug51")
    if contour is None or inner is None:
        raise _missing(model, "ibug68-dynamic")
    vertices = posed.vertices
    row = contour_row(yaw_degrees(model, posed, convention))
    faces = torch.tensor(contour.faces, device=vertices.device, dtype=torch.long)[row]
    weights = torch.tensor(contour.barycentrics, device=vertices.device, dtype=vertices.dtype)[row]
    triangles = buffers_of(model, vertices.device, vertices.dtype).faces[faces]  # (N,17,3)
    heads = torch.arange(len(vertices), device=vertices.device)[:, None, None]
    outline = (vertices[heads, triangles] * weights[..., None]).sum(2)
    others = on_surface(model, vertices, inner)
    return torch.cat([outline, others] if convention.contour_first else [others, outline], 1)


def on_surface(model: HeadModel, vertices: Tensor, embedding: LandmarkEmbedding) -> Tensor:
    """Points (N,L,3) of an embedding on vertices (N,V,3); NaN where the model has no such point."""
    valid = torch.tensor(embedding.valid, device=vertices.device)
    faces = torch.tensor(embedding.faces, device=vertices.device, dtype=torch.long).clamp_min(0)
    weights = torch.tensor(embedding.barycentrics, device=vertices.device, dtype=vertices.dtype)
    corners = vertices[:, buffers_of(model, vertices.device, vertices.dtype).faces[faces]]  # (N,L,3,3)
    points = (corners * weights[..., None]).sum(2)
    return points if bool(valid.all()) else torch.where(valid[:, None], points, torch.nan)


def yaw_degrees(model: HeadModel, posed: Posed, convention: Convention = SMIRK) -> Tensor:
    """(N,) degrees that the heads are turned about the vertical axis."""
    turn = torch.eye(3, dtype=posed.vertices.dtype, device=posed.vertices.device)
    for name in convention.chain:
        turn = posed.rotations[:, model.joint_names.index(name)] @ turn
    lean = (turn[:, 0, 0].square() + turn[:, 1, 0].square()).sqrt()
    return convention.yaw_sign * torch.rad2deg(torch.atan2(-turn[:, 2, 0], lean))


def contour_row(yaw: Tensor) -> Tensor:
    """(N,) which of the 79 contours belongs to a yaw (N,) in degrees: 0 to 39, then -1 to -39."""
    whole = yaw.clamp(-WIDEST, WIDEST).round().long()
    return torch.where(whole < 0, WIDEST - whole, whole)


def _missing(model: HeadModel, scheme: str) -> EngineError:
    return EngineError(
        f"The head model “{model.name}” has no landmarks “{scheme}”: {COMPANIONS[scheme]} is not beside its file.",
        "Put it into the folder of the model file, under its official name; or load the model by "
        "load_head, which finds landmarks by itself, all but the sliding contour.",
    )
