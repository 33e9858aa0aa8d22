"""The differentiable renderer: the same picture as the project's own, and true gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from engine.camera import Camera
from engine.errors import EngineError
from engine.heads.loader import load_head
from engine.render.differentiable import Rendering, Topology, render_mesh
from engine.render.lighting import directional, linear_to_srgb, srgb_to_linear, studio
from engine.render.lights import HarmonicLight, PhongLight
from engine.render.pinhole import Pinhole, axis_angle_matrix
from engine.render.shade import render_head

SQUARE = torch.tensor([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]], dtype=torch.float64)
SQUARE_TOPOLOGY = Topology.from_arrays(
    torch.tensor([[0, 1, 2], [0, 2, 3]]),
    torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]], dtype=torch.float64),
    torch.tensor([[0, 1, 2], [0, 2, 3]]),
)
WHITE = torch.ones((3, 4, 4), dtype=torch.float64)
AMBIENT = PhongLight.of(torch.tensor([0, 0, 5, 0, 0, 0, 1, 1, 1], dtype=torch.float64), strength=0.0)
AMBIENT_32 = PhongLight.of(AMBIENT.vector.float(), strength=0.0)


def front_camera(width: int, height: int, focal: float, distance: float = 2.0) -> Camera:
    """Looks along -Z at the origin."""
    view = np.diag([1.0, -1, -1, 1])
    view[2, 3] = distance
    return Camera(np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]), view, width, height)


def front(width: int, height: int, focal: float, distance: float = 2.0) -> Pinhole:
    return Pinhole.of(front_camera(width, height, focal, distance), dtype=torch.float64)


def ball(subdivisions: int, radius: float = 0.5) -> tuple[torch.Tensor, Topology]:
    """A sphere with texture coordinates from its x and y."""
    mesh = trimesh.creation.icosphere(subdivisions, radius)
    vertices = torch.tensor(np.array(mesh.vertices))
    faces = torch.tensor(np.array(mesh.faces))
    return vertices, Topology.from_arrays(faces, vertices[:, :2] / (2.2 * radius) + 0.5, faces)


def smooth_texture(size: int = 3) -> torch.Tensor:
    """So few texels that pixels magnify it."""
    return 0.2 + 0.6 * torch.rand((3, size, size), generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def test_a_head_looks_as_the_projects_renderer_draws_it() -> None:
    """The same colours inside (two renderers, 8 bits), the same coverage but for how edges are smoothed."""
    head = load_head()
    camera = front_camera(96, 112, 400.0, 1.1)
    texels = np.random.default_rng(0).integers(40, 220, (16, 16, 3)).repeat(16, 0).repeat(16, 1).astype(np.uint8)
    known = render_head(head.vertices, head.faces, head.uv, head.uv_faces, texels, camera, studio(), supersample=1)
    found = render_mesh(
        torch.tensor(head.vertices),
        Topology.of(head, without=()),
        torch.tensor(srgb_to_linear(texels)).permute(2, 0, 1),
        HarmonicLight(torch.tensor(studio())),
        Pinhole.of(camera),
        (112, 96),
        edges=False,
    )
    inside = known[..., 3] > 0
    assert np.array_equal(inside, found.face.numpy() >= 0)
    assert np.array_equal(inside, found.coverage.numpy() == 1)
    colour = linear_to_srgb(found.image.clamp(0, 1).numpy()) * 255
    assert np.abs(colour - known[..., :3])[inside].max() < 1
    smooth = render_head(head.vertices, head.faces, head.uv, head.uv_faces, texels, camera, studio(), supersample=8)
    blended = render_mesh(
        torch.tensor(head.vertices), Topology.of(head), torch.ones(3, 2, 2), AMBIENT_32, Pinhole.of(camera), (112, 96)
    )
    difference = blended.coverage.numpy() - smooth[..., 3] / 255
    assert np.abs(difference).max() < 0.3
    assert np.abs(difference).sum() < 0.12 * np.abs(found.coverage.numpy() - smooth[..., 3] / 255).sum()


def test_a_lit_sphere_point_by_point() -> None:
    """White, under a distant light from the right: each pixel has the light of the normal at which its ray hits."""
    vertices, topology = ball(4)
    light = torch.tensor(directional(np.array([1.0, 0, 1.0]))).double()
    found = render_mesh(vertices, topology, WHITE, HarmonicLight(light), front(64, 64, 64.0), (64, 64))
    for column in (20, 32, 43):
        slope = (column + 0.5 - 32) / 64
        rise = 0.5 / 64
        along = (2 - np.sqrt(4 - (1 + slope**2 + rise**2) * (4 - 0.25))) / (1 + slope**2 + rise**2)
        normal = torch.tensor([slope * along, -rise * along, 2 - along]).double() / 0.5
        assert torch.allclose(found.normals[32, column], normal, atol=0.01)
        expected = HarmonicLight(light).shade(normal[None], vertices, vertices)[0][0]
        assert torch.allclose(found.image[32, column], expected, atol=0.01)


def test_texture_is_right_way_round() -> None:
    texture = torch.zeros((3, 2, 2), dtype=torch.float64)
    texture[0, 0, 0] = texture[1, 0, 1] = texture[2, 1, 0] = 1
    found = render_mesh(SQUARE, SQUARE_TOPOLOGY, texture, AMBIENT, front(16, 16, 32.0), (16, 16)).image
    assert found[0, 0].tolist() == [1, 0, 0]
    assert found[0, 15].tolist() == [0, 1, 0]
    assert found[15, 0].tolist() == [0, 0, 1]
    assert found[15, 15].tolist() == [0, 0, 0]


def test_fine_texture_is_averaged() -> None:
    """A chequerboard of 512 texels on 16 pixels comes out as its mean."""
    board = (torch.arange(512)[:, None] + torch.arange(512)).remainder(2).double().expand(3, -1, -1)
    found = render_mesh(SQUARE, SQUARE_TOPOLOGY, board, AMBIENT, front(16, 16, 32.0), (16, 16)).image
    assert torch.allclose(found[2:-2, 2:-2], torch.full((12, 12, 3), 0.5).double(), atol=0.02)


def test_the_highlight_is_added_to_the_albedo() -> None:
    """On a black square that mirrors the light into the eye, nothing else is seen."""
    light = PhongLight.of(torch.tensor([0, 0, 2, 0.8, 0.6, 0.4, 1, 1, 1], dtype=torch.float64), strength=0.25)
    found = render_mesh(SQUARE, SQUARE_TOPOLOGY, WHITE * 0, light, front(15, 15, 32.0), (15, 15)).image
    assert torch.allclose(found[7, 7], torch.tensor([0.2, 0.15, 0.1], dtype=torch.float64))


def test_background_shows_beside_and_through_soft_edges() -> None:
    """The square's sides fall at 2.4 and 6.4 pixels: pixel 2 is covered by 0.6, pixel 6 by 0.4."""
    camera = front(9, 9, 8.0)
    camera = Pinhole(camera.rotation, camera.translation, camera.focal, torch.tensor([4.4, 4.5]).double())
    background = torch.tensor([0.2, 0.3, 0.4], dtype=torch.float64).expand(9, 9, 3)
    found = render_mesh(SQUARE, SQUARE_TOPOLOGY, WHITE, AMBIENT, camera, (9, 9), background)
    assert torch.allclose(found.coverage[4], torch.tensor([0, 0, 0.6, 1, 1, 1, 0.4, 0, 0], dtype=torch.float64))
    expected = background[4] + found.coverage[4, :, None] * (1 - background[4])
    assert torch.allclose(found.image[4], expected)
    alone = render_mesh(SQUARE, SQUARE_TOPOLOGY, WHITE, AMBIENT, camera, (9, 9))
    assert torch.allclose(alone.image, found.coverage[..., None].expand(-1, -1, 3))
    hard = render_mesh(SQUARE, SQUARE_TOPOLOGY, WHITE, AMBIENT, camera, (9, 9), background, edges=False)
    assert set(hard.coverage.unique().tolist()) == {0.0, 1.0}


def test_the_inside_of_an_open_surface_is_turned_to_the_camera() -> None:
    turned = Topology.from_arrays(SQUARE_TOPOLOGY.faces.flip(1), SQUARE_TOPOLOGY.uv, SQUARE_TOPOLOGY.uv_faces.flip(1))
    light = PhongLight.of(torch.tensor([0.5, 0.2, 2, 1, 1, 1, 0, 0, 0], dtype=torch.float64))
    pictures = [
        render_mesh(SQUARE, topology, smooth_texture(), light, front(16, 16, 16.0), (16, 16))
        for topology in (SQUARE_TOPOLOGY, turned)
    ]
    assert torch.allclose(pictures[0].image, pictures[1].image)
    assert torch.allclose(pictures[1].normals[8, 8], torch.tensor([0, 0, 1], dtype=torch.float64))


@pytest.mark.parametrize("place", [[9.0, 0, 0], [0, 0, 3.0], [torch.nan, 0, 0]])
def test_nothing_to_see_is_the_background(place: list[float]) -> None:
    """Beside the picture, behind the camera, or lost: the background stays, and backward passes run."""
    vertices = (SQUARE + torch.tensor(place)).requires_grad_()
    background = torch.rand((5, 7, 3), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = render_mesh(vertices, SQUARE_TOPOLOGY, WHITE, AMBIENT, front(7, 5, 8.0), (5, 7), background)
    assert torch.equal(found.image, background)
    assert not found.coverage.any()
    assert not found.normals.any()
    assert (found.face == -1).all()
    (found.image.sum() + found.coverage.sum()).backward()
    assert vertices.grad is not None


def test_a_face_through_the_camera_plane_is_left_out() -> None:
    vertices = SQUARE.clone()
    vertices[3, 2] = 2.5
    found = render_mesh(vertices, SQUARE_TOPOLOGY, WHITE, AMBIENT, front(8, 8, 8.0), (8, 8))
    assert set(found.face.unique().tolist()) == {-1, 0}
    assert torch.isfinite(found.image).all()


def test_unknown_backend() -> None:
    with pytest.raises(EngineError, match="voxel"):
        render_mesh(SQUARE, SQUARE_TOPOLOGY, WHITE, AMBIENT, front(4, 4, 4.0), (4, 4), backend="voxel")


def test_the_same_input_gives_the_same_picture_and_gradients() -> None:
    def once() -> tuple[Rendering, torch.Tensor]:
        vertices, topology = ball(3)
        vertices = vertices.float().requires_grad_()
        texture = torch.rand((3, 64, 64), generator=torch.Generator().manual_seed(2))
        light = PhongLight.of(torch.tensor([1.0, 1, 3, 0.6, 0.6, 0.6, 0.4, 0.4, 0.4]))
        camera = front(48, 48, 48.0).to("cpu", torch.float32)
        found = render_mesh(vertices, topology, texture, light, camera, (48, 48))
        (found.image.square().sum() + found.coverage.sum()).backward()
        assert vertices.grad is not None
        return found, vertices.grad

    (first, slope), (second, again) = once(), once()
    assert torch.equal(first.image, second.image)
    assert torch.equal(slope, again)


def scene() -> dict[str, torch.Tensor]:
    """Everything that a picture is made of: a small ball, seen at 9 x 11 pixels from a little aside."""
    vertices, _ = ball(0)
    generator = torch.Generator().manual_seed(7)
    pinhole = front(11, 9, 15.0)
    return {
        "vertices": vertices + 0.02 * torch.randn(vertices.shape, generator=generator, dtype=torch.float64),
        "texture": smooth_texture(),
        "light": torch.tensor([0.9, 1.1, 2.5, 0.6, 0.5, 0.4, 0.3, 0.4, 0.5], dtype=torch.float64),
        "turn": torch.tensor([0.1, -0.2, 0.05], dtype=torch.float64),
        "translation": pinhole.translation + torch.tensor([0.03, -0.02, 0.1]),
        "focal": pinhole.focal,
        "centre": pinhole.centre + torch.tensor([0.13, -0.21]),
    }


@pytest.mark.parametrize("edges", [False, True])
@pytest.mark.parametrize("names", [["vertices"], ["texture", "light"], ["turn", "translation", "focal", "centre"]])
def test_gradients_agree_with_differences(names: list[str], edges: bool) -> None:
    """Eight random sums over picture, coverage and normals; no pixel changes its face within the differences."""
    fixed = scene()
    _, topology = ball(0)
    base = front(11, 9, 15.0).rotation
    background = torch.rand((9, 11, 3), generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    sums = torch.randn((8, 9 * 11 * 7), generator=torch.Generator().manual_seed(4), dtype=torch.float64)

    def picture(*chosen: torch.Tensor) -> torch.Tensor:
        part = {**fixed, **dict(zip(names, chosen, strict=True))}
        pinhole = Pinhole(axis_angle_matrix(part["turn"]) @ base, part["translation"], part["focal"], part["centre"])
        light = PhongLight.of(part["light"], strength=0.3)
        found = render_mesh(
            part["vertices"], topology, part["texture"], light, pinhole, (9, 11), background, edges=edges
        )
        return sums @ torch.cat([found.image.flatten(), found.coverage.flatten(), found.normals.flatten()])

    inputs = [fixed[name].clone().requires_grad_() for name in names]
    assert torch.autograd.gradcheck(picture, inputs)


def test_harmonic_light_gradients() -> None:
    """The picture is linear in the coefficients, so its gradient is the albedo times the harmonics."""
    vertices, topology = ball(1)
    light = torch.tensor(studio()).double().requires_grad_()

    def picture(coefficients: torch.Tensor) -> torch.Tensor:
        camera = front(9, 9, 15.0)
        return render_mesh(vertices, topology, smooth_texture(), HarmonicLight(coefficients), camera, (9, 9)).image

    assert torch.autograd.gradcheck(picture, light, fast_mode=True)


def test_descent_on_the_coverage_alone_brings_a_head_back() -> None:
    """Moved by three pixels to the side and down, the head returns to within a twentieth of a pixel."""
    head = load_head()
    vertices, topology = torch.tensor(head.vertices), Topology.of(head)
    pinhole = Pinhole.of(front_camera(64, 64, 250.0, 1.1))
    grey = torch.full((3, 2, 2), 0.5)

    def coverage(pixels: torch.Tensor) -> torch.Tensor:
        moved = Pinhole(pinhole.rotation, pinhole.translation, pinhole.focal, pinhole.centre + pixels)
        return render_mesh(vertices, topology, grey, AMBIENT_32, moved, (64, 64)).coverage

    target = coverage(torch.zeros(2))
    offset = torch.tensor([2.4, 1.8], requires_grad=True)
    optimiser = torch.optim.Adam([offset], lr=0.4, betas=(0.8, 0.95))
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.9)
    for _ in range(30):
        optimiser.zero_grad()
        (coverage(offset) - target).square().sum().backward()
        optimiser.step()
        schedule.step()
    assert offset.abs().max() < 0.05


def test_a_light_is_found_from_a_picture() -> None:
    """Descent on the picture alone, from a light on the other side."""
    vertices, topology = ball(2)
    camera, wanted = (
        front(20, 20, 20.0),
        torch.tensor([1.0, 0.8, 2, 0.6, 0.5, 0.4, 0.3, 0.35, 0.4], dtype=torch.float64),
    )

    def picture(numbers: torch.Tensor) -> torch.Tensor:
        return render_mesh(vertices, topology, smooth_texture(), PhongLight.of(numbers), camera, (20, 20)).image

    target = picture(wanted)
    numbers = torch.tensor([-0.5, 0, 2.5, 0.4, 0.4, 0.4, 0.5, 0.5, 0.5], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([numbers], lr=0.1)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.97)
    for _ in range(120):
        optimiser.zero_grad()
        (picture(numbers) - target).square().sum().backward()
        optimiser.step()
        schedule.step()
    assert (picture(numbers) - target).abs().max() < 0.01
    assert (numbers - wanted)[3:].abs().max() < 0.03


@pytest.mark.gpu
def test_cuda_draws_the_same_picture() -> None:
    """Picture and gradients as on the CPU but for rounding, whichever rasteriser "auto" takes."""
    if not torch.cuda.is_available():
        pytest.skip("needs CUDA")
    results = []
    for device in ("cpu", "cuda"):
        topology = Topology.of(load_head(), device)
        vertices = torch.tensor(load_head().vertices, device=device, requires_grad=True)
        light = HarmonicLight(torch.tensor(studio(), device=device))
        pinhole = Pinhole.of(front_camera(128, 128, 400.0, 1.1), device)
        texture = smooth_texture().float().to(device)
        found = render_mesh(vertices, topology, texture, light, pinhole, (128, 128))
        (found.image.square().sum() + found.coverage.sum()).backward()
        assert vertices.grad is not None
        results.append((found.image.detach().cpu(), vertices.grad.sum(0).cpu()))
    (image, slope), (other, other_slope) = results
    assert ((image - other).abs().amax(-1) > 1e-3).double().mean() < 1e-3
    assert torch.allclose(slope, other_slope, rtol=0.02, atol=0.02 * float(slope.abs().max()))
