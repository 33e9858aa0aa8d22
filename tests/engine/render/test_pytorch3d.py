"""The PyTorch3D backend against a stand-in that keeps PyTorch3D's documented conventions, by brute force.

The stand-in follows the documentation of `rasterize_meshes` and of the screen ("+X pointing left, +Y up", the shorter
side from -1 to 1, pixel centres half a pixel in, strictly inside or nearer than the blur radius's root, the nearest
first, -1 where there is nothing). It shows that triangles are handed over and results taken back rightly. Whether the
real thing does as documented it cannot show: where PyTorch3D is installed, `test_rasterize.py` runs with it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.errors import EngineError
from engine.render import pytorch3d as backend
from engine.render.rasterize import get_rasterizer, rasterize_uv


class Meshes:
    """As many meshes of equal size as `verts` (N,V,3) and `faces` (N,F,3) have, one after the other."""

    def __init__(self, verts: Tensor, faces: Tensor) -> None:
        assert verts.dtype == torch.float32
        assert faces.dtype == torch.int64
        self.triangles = torch.stack([own[corners] for own, corners in zip(verts, faces, strict=True)])


class Standin:
    """`rasterize_meshes`, and what it was last asked for."""

    def __init__(self) -> None:
        self.calls: list[dict] = []

    def __call__(
        self,
        meshes: Meshes,
        image_size: tuple[int, int],
        blur_radius: float = 0.0,
        faces_per_pixel: int = 8,
        bin_size: int | None = None,
        max_faces_per_bin: int | None = None,
        perspective_correct: bool = False,
        clip_barycentric_coords: bool = False,
        cull_backfaces: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        self.calls.append({"max_faces_per_bin": max_faces_per_bin, "perspective_correct": perspective_correct})
        pictures = [draw(own.double(), image_size, blur_radius, perspective_correct, cull_backfaces)
                    for own in meshes.triangles]  # fmt: skip
        count = meshes.triangles.shape[1]
        face = torch.stack([torch.where(f >= 0, f + n * count, f) for n, (f, _) in enumerate(pictures)])[..., None]
        depth = torch.stack([z for _, z in pictures])[..., None]
        padding = torch.full((*face.shape, 3), -1.0)
        return face, depth.float(), padding, padding[..., 0]


def draw(triangles: Tensor, size: tuple[int, int], blur: float, perspective: bool, cull: bool) -> tuple[Tensor, Tensor]:
    """Nearest face and depth (H,W) of triangles (F,3,3) in normalised coordinates."""
    height, width = size
    scale = 2 / min(size)
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    # The first pixel is at the upper left, where both coordinates are largest.
    point = torch.stack([width - 1 - column + 0.5 - width / 2, height - 1 - row + 0.5 - height / 2], -1) * scale
    point = point.double().reshape(-1, 1, 2)
    best, depth = torch.full((height * width,), -1), torch.full((height * width,), -1.0).double()
    assert torch.isfinite(triangles).all()  # the real one draws others all over
    a, b, c = triangles[..., :2].unbind(1)
    area = cross(b - a, c - a)
    share = torch.stack([cross(b - point, c - point), cross(c - point, a - point), cross(a - point, b - point)], -1)
    share = share / torch.where(area == 0, 1.0, area)[:, None]
    gap = torch.stack([segment(point, *ends) for ends in ((a, b), (b, c), (c, a))]).amin(0)
    hit = (share > 0).all(-1) | (gap < blur)
    hit &= (area.abs() > 1e-8) & (triangles[..., 2] > 1e-8).all(1)
    if cull:  # counter-clockwise on the picture is clockwise with X to the left
        hit &= area < 0
    share = share.clamp_min(0)
    if perspective:
        share = share / triangles[..., 2]
    share = share / share.sum(-1, keepdim=True)
    z = torch.where(hit, (share * triangles[..., 2]).sum(-1), torch.inf)
    nearest = z.min(1) if len(triangles) else None
    if nearest is not None:
        found = torch.isfinite(nearest.values)
        best[found], depth[found] = nearest.indices[found], nearest.values[found]
    return best.reshape(size), depth.reshape(size)


def cross(first: Tensor, second: Tensor) -> Tensor:
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


def segment(point: Tensor, start: Tensor, stop: Tensor) -> Tensor:
    """Squared distance of points to segments."""
    along = stop - start
    t = ((point - start) * along).sum(-1) / (along * along).sum(-1).clamp_min(1e-30)
    return (start + t.clamp(0, 1)[..., None] * along - point).square().sum(-1)


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    """PyTorch3D's modules with nothing in them but what is used."""
    function = Standin()
    names = ("pytorch3d", "pytorch3d.structures", "pytorch3d.renderer", "pytorch3d.renderer.mesh")
    for name in (*names, "pytorch3d.renderer.mesh.rasterize_meshes"):
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys.modules["pytorch3d.structures"], "Meshes", Meshes, raising=False)
    module = sys.modules["pytorch3d.renderer.mesh.rasterize_meshes"]
    monkeypatch.setattr(module, "rasterize_meshes", function, raising=False)
    backend.available.cache_clear()
    yield function
    backend.available.cache_clear()


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No PyTorch3D, even where it is installed."""
    monkeypatch.setitem(sys.modules, "pytorch3d", None)
    backend.available.cache_clear()
    yield
    backend.available.cache_clear()


def random_triangles(count: int, size: tuple[int, int], seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    reach = max(size) * 0.4 * torch.rand((count, 1, 1), generator=generator) ** 2 + 1
    centre = torch.rand((count, 1, 2), generator=generator) * torch.tensor([size[1], size[0]])
    corners = centre + torch.randn((count, 3, 2), generator=generator) * reach
    return torch.cat([corners, 1 + torch.rand((count, 3, 1), generator=generator)], -1)


@pytest.mark.parametrize("size", [(30, 30), (24, 40), (40, 24)])
@pytest.mark.parametrize("cull", ["none", "back"])
def test_the_same_picture_as_the_z_buffer(standin: Standin, size: tuple[int, int], cull) -> None:
    triangles = random_triangles(40, size, 1)
    found = get_rasterizer("pytorch3d")(triangles, size, cull)
    known = get_rasterizer("torch")(triangles, size, cull)
    same = found.face == known.face
    assert same.double().mean() > 0.999
    assert known.mask.sum() > 100
    assert (found.face.dtype, found.depth.dtype, found.barycentrics.dtype) == (torch.int32, *[torch.float32] * 2)
    both = same & known.mask
    assert torch.allclose(found.depth[both], known.depth[both], rtol=1e-4)
    assert torch.allclose(found.barycentrics[both], known.barycentrics[both], atol=1e-3)
    assert torch.isinf(found.depth[~found.mask]).all()
    assert not found.barycentrics[~found.mask].any()
    assert standin.calls == [{"max_faces_per_bin": 40, "perspective_correct": True}]


def test_screen_corners_in_normalised_coordinates() -> None:
    """The upper left corner is at the largest x and y, the shorter side reaches from -1 to 1, depth stays."""
    corners = torch.tensor([[0.0, 0, 3], [60, 0, 4], [30, 10, 5], [60, 20, 6]])
    expected = torch.tensor([[3.0, 1, 3], [-3, 1, 4], [0, 0, 5], [-3, -1, 6]])
    assert torch.allclose(backend.to_ndc(corners, (20, 60)), expected)


def test_batches_are_separate_pictures(standin: Standin) -> None:
    triangles = torch.stack([random_triangles(9, (16, 20), seed) for seed in (2, 3, 4, 5)]).reshape(2, 2, 9, 3, 3)
    batch = get_rasterizer("pytorch3d")(triangles, (16, 20))
    assert batch.face.shape == (2, 2, 16, 20)
    assert batch.face.max() < 9
    for index in np.ndindex(2, 2):
        alone = get_rasterizer("pytorch3d")(triangles[index], (16, 20))
        assert torch.equal(batch.face[index], alone.face)
        assert torch.equal(batch.depth[index], alone.depth)


def test_faces_that_cannot_be_seen_are_left_out_and_keep_their_number(standin: Standin) -> None:
    seen = torch.tensor([[0.0, 0, 1], [0, 20, 1], [20, 0, 1]])
    lost, behind = seen.clone(), seen.clone()
    lost[1, 0], behind[2, 2] = torch.nan, -1
    raster = get_rasterizer("pytorch3d")(torch.stack([lost, behind, seen]), (6, 6))
    assert set(raster.face.unique().tolist()) == {2}


def test_nothing_to_draw(standin: Standin) -> None:
    assert not get_rasterizer("pytorch3d")(torch.zeros(0, 3, 3), (4, 5)).mask.any()
    assert get_rasterizer("pytorch3d")(torch.zeros(0, 7, 3, 3), (4, 5)).face.shape == (0, 4, 5)
    assert not standin.calls


def test_pixel_centres_on_a_shared_edge_are_no_holes(standin: Standin) -> None:
    """The square's diagonal runs through pixel centres, which strictly belong to neither triangle."""
    uv = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    assert rasterize_uv(uv, torch.tensor([[0, 1, 2], [0, 2, 3]]), 16, "pytorch3d").mask.all()


def test_auto_takes_pytorch3d_on_cuda_alone(standin: Standin) -> None:
    class OnCuda(torch.Tensor):
        is_cuda = True

    triangles = random_triangles(5, (8, 8), 6)
    known = get_rasterizer("auto")(triangles, (8, 8))
    assert not standin.calls
    found = get_rasterizer("auto")(triangles.as_subclass(OnCuda), (8, 8))
    assert len(standin.calls) == 1
    assert torch.equal(torch.Tensor(found.face), known.face)


def test_without_pytorch3d(missing: None) -> None:
    """Asked for by name it is an error with a cure; "auto" does without."""

    class OnCuda(torch.Tensor):
        is_cuda = True

    with pytest.raises(EngineError, match="cannot be imported") as caught:
        get_rasterizer("pytorch3d")
    assert "“torch”" in caught.value.cure
    triangles = random_triangles(5, (8, 8), 6)
    assert get_rasterizer("auto")(triangles.as_subclass(OnCuda), (8, 8)).mask.any()
