"""Reading textures without aliasing: bilinear within a mip level, linear between levels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

MAX_LEVEL = 5


def sample_bilinear(texture: Tensor, uv: Tensor) -> Tensor:
    """Texture (H,W,C) at uv (...,2) (origin lower left; row 0 is v = 1): (...,C). Edges are held. Differentiable."""
    grid = torch.stack([uv[..., 0] * 2 - 1, 1 - uv[..., 1] * 2], -1).reshape(-1, 2)
    return _bilinear(texture, grid).T.reshape(*uv.shape[:-1], texture.shape[-1])


class MipTexture:
    """A texture and its halvings.

    Args:
        texture: (H,W,C) float, linear values.
    """

    def __init__(self, texture: Tensor) -> None:
        self.levels = [texture]
        while len(self.levels) <= MAX_LEVEL and min(self.levels[-1].shape[:2]) > 1:
            self.levels.append(_halved(self.levels[-1]))

    def level(self, index: int) -> Tensor:
        """(H/2^index, W/2^index, C), or the smallest there is."""
        return self.levels[min(index, len(self.levels) - 1)]

    def sample(self, uv: Tensor, detail: Tensor) -> Tensor:
        """Colours (N,C) at uv (N,2), where detail (N,) is log2 of texels per sample along one side."""
        order = by_level(detail)
        found = self.planes(uv[order].T, detail[order]).T
        return torch.empty_like(found).index_copy_(0, order, found)

    def planes(self, uv: Tensor, detail: Tensor) -> Tensor:
        """The same laid out number by number: colours (C,N) at uv (2,N). Quick for points in the order `by_level`."""
        detail = detail.clamp(0, MAX_LEVEL)
        grid = torch.stack([uv[0] * 2 - 1, 1 - uv[1] * 2], -1)
        parts, start = [uv.new_zeros((self.levels[0].shape[-1], 0))], 0
        levels, counts = torch.unique_consecutive(detail.floor(), return_counts=True)
        for level, count in zip(levels.tolist(), counts.tolist(), strict=True):
            part = slice(start, start + count)
            beyond = detail[part] - level
            found = _bilinear(self.level(int(level)), grid[part]) * (1 - beyond)
            if bool((beyond > 0).any()):
                found += _bilinear(self.level(int(level) + 1), grid[part]) * (1 - (detail[part] - (level + 1)).abs())
            parts.append(found)
            start += count
        return torch.cat(parts, 1)


def by_level(detail: Tensor) -> Tensor:
    """An order of points, (N,), in which those that read the same two levels of a texture come together."""
    level = detail.clamp(0, MAX_LEVEL).to(torch.uint8)
    if level.device.type == "cpu":  # by counting, many times faster
        return torch.from_numpy(np.argsort(level.numpy(), kind="stable"))
    return level.argsort(stable=True)


def _bilinear(texture: Tensor, grid: Tensor) -> Tensor:
    """Texture (H,W,C) at places (N,2) of `grid_sample`: (C,N). Edges are held."""
    planes = texture.permute(2, 0, 1)[None]
    return grid_sample(planes, grid[None, None], mode="bilinear", padding_mode="border", align_corners=False)[0, :, 0]


def _halved(texture: Tensor) -> Tensor:
    """(H,W,C) to (H/2,W/2,C), rounded up; much faster than pooling, which wants planes."""
    height, width = texture.shape[:2]
    if height % 2 or width % 2:
        planes = pad(texture.permute(2, 0, 1)[None], (0, width % 2, 0, height % 2), mode="replicate")
        texture = planes[0].permute(1, 2, 0)
    rows = texture[::2] + texture[1::2]
    return (rows[:, ::2] + rows[:, 1::2]) / 4


def face_detail(triangles: Tensor, uv: Tensor, uv_faces: Tensor, texture_size: tuple[int, int]) -> Tensor:
    """(F,) log2 of texels per screen pixel along one side, for each face.

    Args:
        triangles: (F,3,3) screen space. uv: (T,2). uv_faces: (F,3). texture_size: (height, width) texels.
    """
    on_screen = _doubled_area(triangles[..., :2])
    on_texture = _doubled_area(uv[uv_faces.long()]) * (texture_size[0] * texture_size[1])
    return 0.5 * torch.log2((on_texture / on_screen.clamp_min(1e-6)).clamp_min(1e-6))


def _doubled_area(corners: Tensor) -> Tensor:
    edge_1, edge_2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return (edge_1[:, 0] * edge_2[:, 1] - edge_1[:, 1] * edge_2[:, 0]).abs()
