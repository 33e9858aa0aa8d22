"""Generators in users' files: which kind a file holds, of what size, and its weights by this engine's names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ...errors import ModelFileError
from ...models.safe_load import load_tensors
from ..networks.progressive import ProgressiveGenerator, shape_of
from ..networks.stylegan2 import CLAMP, Generator

AVERAGED = ("g_ema", "G_ema", "avgG", "generator", "netG", "g", "G", "state_dict", "model")
"""Entries under which files keep a generator, the running average first."""
OFFICIAL, ROSINALITY, GROWING = "mapping.fc0.weight", "style.1.weight", "formatLayer.module.weight"
CURE = "Choose the generator of a StyleGAN2 (stylegan2-ada-pytorch or rosinality) or of pytorch_GAN_zoo."
State = dict[str, Tensor]
REMOVE = "Remove it: the statistics are then measured."
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Statistics:
    """What is usual of w: mean (w,) and standard deviation (w,)."""

    mean: Tensor
    deviation: Tensor


def read_stylegan2(path: Path) -> Generator:
    """The generator of a file: of stylegan2-ada-pytorch (pickle, or a state dict as FFHQ-UV's), or rosinality's.

    Raises:
        ModelFileError: it cannot be read, holds another network, or one with labels or of another size than it says.
    """
    found = load_tensors(path)
    state, arguments = _pick(found, (OFFICIAL, ROSINALITY), path, "a StyleGAN2 generator")
    clamp: float | None = CLAMP
    if OFFICIAL in state:
        clamp = _clamp(arguments)
    else:
        state, clamp = from_rosinality(state, found.get("latent_avg")), None
    return _filled(lambda: _generator(state, clamp), state, path, "StyleGAN2", ("resample_filter",))


def read_progressive(path: Path) -> ProgressiveGenerator:
    """The generator of a file of pytorch_GAN_zoo, {generator | avgG | netG} or its state dict alone.

    Raises:
        ModelFileError: it cannot be read, or holds another network.
    """
    found = load_tensors(path)
    state, _ = _pick(found, (GROWING,), path, "a progressive GAN's generator")
    config = vars(found["config"]) if hasattr(found.get("config"), "__dict__") else found.get("config")
    config = config if isinstance(config, dict) else {}

    def build() -> ProgressiveGenerator:
        latent, widths = shape_of(state)
        return ProgressiveGenerator(
            latent,
            widths,
            bool(config.get("perChannelNormalization", True)),
            bool(config.get("equalizedlR", True)),
            float(config.get("alpha", 0.0)),
            config.get("lossCriterion") in ("MSE", "DCGAN"),
        )

    return _filled(build, state, path, "progressive", ())


def read_statistics(path: Path) -> Statistics | None:
    """Mean and deviation of w from the sidecar {w_avg, w_std} that FFHQ-UV writes beside `NAME.pth` as `NAME.pt`.

    Returns:
        None where there is no such file.
    Raises:
        ModelFileError: there is one and it is damaged or holds something else.
    """
    beside = path.with_suffix(".pt")
    if beside == path or not beside.is_file():
        return None
    found = load_tensors(beside)
    mean, deviation = found.get("w_avg"), found.get("w_std")
    if not isinstance(mean, Tensor) or not isinstance(deviation, Tensor) or mean.numel() != deviation.numel():
        raise ModelFileError(f"The file {beside} has no w_avg and w_std of equal size.", REMOVE)
    if not (mean.isfinite().all() and deviation.isfinite().all() and (deviation > 0).all()):
        raise ModelFileError(f"The file {beside} has numbers that are no deviations.", REMOVE)
    return Statistics(mean.float().flatten(), deviation.float().flatten())


def from_rosinality(state: Mapping[str, Tensor], average: Any = None) -> State:
    """A state dict of rosinality/stylegan2-pytorch by the official names.

    Its kernels are scaled when used, the official ones are not: demodulation makes both the same. Layers that only
    filter have no weights of their own.

    Args:
        state: of its generator.
        average: mean w, (w,) or None.
    """
    found: State = {}
    for name, value in state.items():
        for pattern, make in _RULES:
            if match := re.fullmatch(pattern, name):
                target, shape = make(*match.groups())
                found[target] = value.reshape(shape(value)) if shape else value
                break
    if isinstance(average, Tensor):
        found["mapping.w_avg"] = average.flatten()
    return found


def _layer(number: str) -> str:
    """Official name of rosinality's convs.N."""
    n = int(number)
    return f"synthesis.b{8 << (n // 2)}.conv{n % 2}"


def _noise(number: str) -> str:
    n = int(number)
    return "synthesis.b4.conv1.noise_const" if n == 0 else f"{_layer(str(n - 1))}.noise_const"


_KERNEL = lambda value: value.shape[1:]  # noqa: E731  (without the leading 1)
_SCALAR = lambda value: ()  # noqa: E731
_FLAT = lambda value: (-1,)  # noqa: E731
_RGB = r"to_rgb(?:1|s\.(\d+))"


def _rgb(number: str | None) -> str:
    return "synthesis.b4.torgb" if number is None else f"synthesis.b{8 << int(number)}.torgb"


def _conv(number: str | None) -> str:
    return "synthesis.b4.conv1" if number is None else _layer(number)


_CONV = r"conv(?:1|s\.(\d+))"
_RULES: tuple[tuple[str, Callable[..., tuple[str, Any]]], ...] = (
    (r"style\.(\d+)\.(weight|bias)", lambda n, kind: (f"mapping.fc{int(n) - 1}.{kind}", None)),
    (r"input\.input", lambda: ("synthesis.b4.const", _KERNEL)),
    (rf"{_CONV}\.conv\.weight", lambda n: (f"{_conv(n)}.weight", _KERNEL)),
    (rf"{_CONV}\.conv\.modulation\.(weight|bias)", lambda n, kind: (f"{_conv(n)}.affine.{kind}", None)),
    (rf"{_CONV}\.noise\.weight", lambda n: (f"{_conv(n)}.noise_strength", _SCALAR)),
    (rf"{_CONV}\.activate\.bias", lambda n: (f"{_conv(n)}.bias", None)),
    (rf"{_RGB}\.conv\.weight", lambda n: (f"{_rgb(n)}.weight", _KERNEL)),
    (rf"{_RGB}\.conv\.modulation\.(weight|bias)", lambda n, kind: (f"{_rgb(n)}.affine.{kind}", None)),
    (rf"{_RGB}\.bias", lambda n: (f"{_rgb(n)}.bias", _FLAT)),
    (r"noises\.noise_(\d+)", lambda n: (_noise(n), lambda value: value.shape[2:])),
)
"""Pattern of rosinality's name, and of its groups the official name and the shape."""


def _pick(found: Mapping[str, Any], keys: tuple[str, ...], path: Path, wanted: str) -> tuple[State, dict[str, Any]]:
    """The state dict with one of the keys, and the arguments it was made with."""
    for name in ("", *AVERAGED):
        state = found if not name else found.get(name)
        if not isinstance(state, Mapping):
            continue
        state = {key.removeprefix("module."): value for key, value in state.items() if isinstance(key, str)}
        if any(key in state for key in keys):
            tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
            return tensors, found.get(f"{name}.init_kwargs") or {}
    has = ", ".join(str(name)[:40] for name in list(found)[:6]) or "nothing"
    raise ModelFileError(f"The file {path} should hold {wanted} ({' or '.join(keys)}), but has {has}.", CURE)


def _clamp(arguments: Mapping[str, Any]) -> float | None:
    """The largest activation that a pickle's arguments name; FFHQ-UV's, which names none, has the edition's."""
    synthesis = arguments.get("synthesis_kwargs")
    if not isinstance(synthesis, Mapping):
        return CLAMP
    value = synthesis.get("conv_clamp")
    return float(value) if isinstance(value, (int, float)) else None


def _generator(state: State, clamp: float | None) -> Generator:
    """An empty generator of a state dict's size."""
    if "mapping.embed.weight" in state:
        raise ValueError("it wants labels, which textures have not")
    layers = sum(bool(re.fullmatch(r"mapping\.fc\d+\.weight", name)) for name in state)
    sides = sorted(int(m[1]) for name in state if (m := re.fullmatch(r"synthesis\.b(\d+)\.conv1\.weight", name)))
    widths = [state[f"synthesis.b{side}.conv1.weight"].shape[0] for side in sides]
    w_size, z_size = state[OFFICIAL].shape
    if not sides or sides != [4 << k for k in range(len(sides))] or sides[-1] > 2048 or max(widths) > 4096:
        raise ValueError(f"its resolutions are {sides}")
    base = max(side * width for side, width in zip(sides, widths, strict=True))
    return Generator(z_size, w_size, sides[-1], base, max(widths), layers, 3, 0, clamp)


def _filled(build: Callable[[], Network], state: State, path: Path, kind: str, own: tuple[str, ...]) -> Network:
    """A network with the weights of a state dict, ready for use.

    Args:
        own: ends of the names of buffers that the network makes itself where the state has none.
    """
    try:
        network = build()
        expected = network.state_dict()
        missing = [name for name in expected if name not in state and not name.endswith(own or ("\0",))]
        if missing == ["mapping.w_avg"]:  # measured later
            missing = []
        odd = [name for name, value in expected.items() if name in state and state[name].shape != value.shape]
        if missing:
            raise ValueError(f"{missing[0]} is missing, and {len(missing) - 1} more")
        if odd:
            name = odd[0]
            raise ValueError(f"{name} is {tuple(state[name].shape)}, expected {tuple(expected[name].shape)}")
        known = {name: value.float() for name, value in state.items() if name in expected}
        broken = [name for name, value in known.items() if not value.isfinite().all()]
        if broken:
            raise ValueError(f"{broken[0]} has numbers that are none")
        network.load_state_dict({**expected, **known})
    except (ValueError, KeyError, IndexError, RuntimeError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelFileError(f"The file {path} holds no {kind} generator of this kind: {reason}.", CURE) from error
    return network.eval().requires_grad_(False)


def measured_statistics(generator: Generator, count: int = 10000, seed: int = 123) -> Statistics:
    """Mean and deviation of w over random z, as FFHQ-UV measures them."""
    z = torch.randn((count, generator.z_dim), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        w = torch.cat([generator.mapping(part)[:, 0] for part in z.split(1000)])
    return Statistics(w.mean(0), w.std(0, correction=0).clamp_min(1e-6))
