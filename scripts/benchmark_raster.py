"""Times the rasterisers and the differentiable renderer: python scripts/benchmark_raster.py [--sizes N...] [--times N].

A sphere of 20,480 triangles that fills most of the picture, a texture of 512 pixels, one point light, soft silhouettes.
Prints a Markdown table of milliseconds, medians by the clock and, in brackets, of the processor's own time, which says
more where other programs keep the machine busy. PyTorch3D stands beside where it can be imported, CUDA where there is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import trimesh
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.evaluation.machine import describe_machine, milliseconds  # noqa: E402
from engine.render.differentiable import Topology, render_mesh  # noqa: E402
from engine.render.lights import PhongLight  # noqa: E402
from engine.render.pinhole import LookAt, Pinhole  # noqa: E402
from engine.render.pytorch3d import available  # noqa: E402
from engine.render.rasterize import get_rasterizer  # noqa: E402

SUBDIVISIONS = 5
TEXTURE = 512
SLOW_TIMES = 2
"""Calls of what takes seconds: PyTorch3D on the CPU."""


@dataclass(frozen=True)
class Scene:
    """What is drawn, on a device."""

    vertices: Tensor
    topology: Topology
    texture: Tensor
    light: PhongLight
    look: LookAt

    @classmethod
    def of(cls, device: str) -> Scene:
        """A sphere of radius 1 seen from a distance of 4; its colours are random, the same every time."""
        ball = trimesh.creation.icosphere(SUBDIVISIONS)
        vertices = torch.tensor(np.array(ball.vertices), dtype=torch.float32, device=device)
        faces = torch.tensor(np.array(ball.faces), device=device)
        topology = Topology.from_arrays(faces, vertices[:, :2] * 0.49 + 0.5, faces)
        texture = torch.rand((3, TEXTURE, TEXTURE), generator=torch.Generator().manual_seed(0)).to(device)
        light = PhongLight.of(torch.tensor([2.0, 3, 5, 0.6, 0.6, 0.6, 0.4, 0.4, 0.4], device=device))
        look = LookAt.of(torch.tensor([0.0, 0, 4, 0, 0, 0, 0, 1, 0, 1.7], device=device))
        return cls(vertices, topology, texture, light, look)

    def pinhole(self, size: int) -> Pinhole:
        return self.look.to_pinhole(size, size)

    def rasterise(self, size: int, backend: str) -> None:
        triangles = self.pinhole(size).project(self.vertices)[self.topology.faces]
        get_rasterizer(backend)(triangles, (size, size))

    def picture(self, size: int, backend: str, gradients: bool) -> None:
        vertices = self.vertices.clone().requires_grad_(gradients)
        texture = self.texture.clone().requires_grad_(gradients)
        found = render_mesh(
            vertices, self.topology, texture, self.light, self.pinhole(size), (size, size), backend=backend
        )
        if gradients:
            (found.image.square().mean() + found.coverage.mean()).backward()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024], help="picture sides, pixels")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of torch, on the CPU")
    parser.add_argument("--times", type=int, default=11, help="calls of which the median is taken")
    options = parser.parse_args()
    machine = describe_machine()
    print(f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, torch {torch.__version__}", end="")
    print(f", {torch.cuda.get_device_name()}\n" if torch.cuda.is_available() else "\n")
    print("| rasteriser | device | threads | pixels | raster ms | picture ms | picture and gradients ms |")
    print("|---|---|---|---|---|---|---|")
    backends = ["torch", "pytorch3d"] if available() else ["torch"]
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for device in devices:
        scene = Scene.of(device)
        for backend in backends:
            times = SLOW_TIMES if (backend, device) == ("pytorch3d", "cpu") else options.times
            for threads in options.threads if device == "cpu" else [1]:
                with limited(threads):
                    for size in options.sizes:
                        figures = " | ".join(row(scene, size, backend, device, times))
                        print(f"| {backend} | {device} | {threads} | {size} | {figures} |", flush=True)


def row(scene: Scene, size: int, backend: str, device: str, times: int) -> Iterator[str]:
    """The three figures of one size."""
    calls: list[Callable[[], None]] = [
        lambda: scene.rasterise(size, backend),
        lambda: scene.picture(size, backend, gradients=False),
        lambda: scene.picture(size, backend, gradients=True),
    ]
    for call in calls:
        clock, work = milliseconds(lambda call=call: finished(call, device), times, before=min(2, times - 1))
        yield f"{clock:.0f}" if device == "cuda" else f"{clock:.0f} ({work:.0f})"


def finished(call: Callable[[], None], device: str) -> None:
    """Run to the end, on CUDA too."""
    call()
    if device == "cuda":
        torch.cuda.synchronize()


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """So many threads of torch while the block runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


if __name__ == "__main__":
    main()
