"""Choosing where torch runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import DeviceError
from .options import DeviceName


def choose_device(name: DeviceName = "auto") -> str:
    """Resolve a device name to one torch can use here.

    Args:
        name: "auto" takes CUDA, then Apple's MPS, then the CPU.
    Returns:
        "cuda", "mps" or "cpu".
    Raises:
        DeviceError: the named device is not available.
    """
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if available[device])
    if not available.get(name, False):
        raise DeviceError(
            f"This machine's PyTorch {torch.__version__} cannot use the device “{name}”.",
            "Choose “auto” or “cpu”, or point the add-on at a Python with a PyTorch build for that device.",
        )
    return name


@contextmanager
def single_threaded_torch() -> Iterator[None]:
    """Keep torch's CPU work on the calling thread while the block runs.

    The engine's tensors are small: several threads gain next to nothing on an idle machine, and on a busy one (Blender
    is rendering) they wait for each other at every operation, which makes drawing several times slower.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages the engine leans on, for reports."""
    import platform
    from importlib import metadata

    from . import __version__

    found = {"likeness": __version__, "python": platform.python_version()}
    for package in ("torch", "mediapipe", "numpy", "trimesh"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "missing"
    return found
