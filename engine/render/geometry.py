"""Small differentiable mesh geometry in torch."""

from __future__ import annotations

import torch
from torch import Tensor


def face_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """(...,F,3), not normalised: length is twice the triangle's area, direction outwards."""
    a, b, c = vertices[..., faces.long(), :].unbind(-2)
    return torch.linalg.cross(b - a, c - a)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Area-weighted unit normals (V,3) of vertices (V,3) and faces (F,3). A lone vertex gets +Z."""
    normals = face_normals(vertices, faces)
    summed = torch.zeros_like(vertices)
    for corner in range(3):
        summed = summed.index_add(0, faces[:, corner].long(), normals)
    length = torch.linalg.vector_norm(summed, dim=-1, keepdim=True)
    forward = torch.zeros_like(summed)
    forward[:, 2] = 1
    return torch.where(length > 1e-20, summed / length.clamp_min(1e-20), forward)
