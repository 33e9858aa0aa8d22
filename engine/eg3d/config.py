"""What an EG3D generator is made of, and what its file says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

Axes = tuple[tuple[int, int], ...]
PLANE_AXES: Axes = ((0, 1), (0, 2), (2, 0))
"""Which coordinates (0 for x) run along the columns and the rows of each plane, in the published heads. Their third
plane repeats the second's; networks of the corrected code say otherwise in their files."""
LABEL = 25
"""Numbers of a camera label: 16 of the pose, 9 of the intrinsics."""
SIZES = (
    "z", "w", "mapping_layers", "channel_base", "channel_max", "plane_side", "features", "hidden", "raw_side",
    "sr_side",
)  # fmt: skip
LARGEST, MOST_LAYERS = 1 << 16, 64
"""Of a configuration's sizes, and of its mapping, when it is read from a file."""


@dataclass(frozen=True)
class Rendering:
    """How the volume is looked at (EG3D, section 4.3 and supplement, "Implementation details").

    Attributes:
        near, far: of the samples along a ray, in the generator's units, as is everything here.
        coarse, fine: samples in the first pass, and those that the second adds where the first found something.
        box: side of the cube around the origin that the planes span.
        radius, pivot: of the sphere the cameras stand on, and the point they look at.
        label_scale, label_zero: the label is multiplied by this, or replaced by noughts, before the mapping.
        white: rays that meet nothing are white rather than black.
    """

    near: float = 2.25
    far: float = 3.3
    coarse: int = 48
    fine: int = 48
    box: float = 1.0
    radius: float = 2.7
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.2)
    label_scale: float = 1.0
    label_zero: bool = False
    white: bool = False


@dataclass(frozen=True)
class Configuration:
    """Sizes of a generator; the defaults are those of `ffhqrebalanced512-128.pkl`.

    Attributes:
        z, w: numbers in the latents. mapping_layers: of the mapping network.
        channel_base, channel_max: feature maps of the backbone at R pixels are min(base // R, max).
        plane_side, features: pixels along a plane, and features in each of the three.
        hidden: width of the decoder.
        raw_side: pixels of the picture that is rendered through the volume.
        sr_side: pixels that the super-resolution starts from; its picture is four times as large.
        sr_channels: of its two blocks. sr_clamp: their largest activation. sr_antialias: see `superresolution`.
        decoder_rate: how fast the decoder learns, relative to the rest; it scales the stored weights.
        clamp: largest activation of the backbone, None for no limit.
    """

    z: int = 512
    w: int = 512
    mapping_layers: int = 2
    channel_base: int = 32768
    channel_max: int = 512
    plane_side: int = 256
    features: int = 32
    hidden: int = 64
    raw_side: int = 128
    sr_side: int = 128
    sr_channels: tuple[int, int] = (256, 128)
    sr_clamp: float | None = 256.0
    sr_antialias: bool = True
    decoder_rate: float = 1.0
    clamp: float | None = None
    axes: Axes = PLANE_AXES
    rendering: Rendering = field(default_factory=Rendering)

    @property
    def image_side(self) -> int:
        """Pixels of the finished picture."""
        return 4 * self.sr_side

    @property
    def layers(self) -> int:
        """How many w a picture takes."""
        return 2 * (self.plane_side.bit_length() - 2)


FULL = Configuration()
SMALL = replace(FULL, channel_base=2048, channel_max=32, raw_side=64)
"""The network of the parity vectors: a thin backbone, everything else in full."""
TINY = Configuration(
    z=16, w=16, channel_base=128, channel_max=16, plane_side=16, features=8, hidden=16, raw_side=12, sr_side=12,
    sr_channels=(8, 8), rendering=Rendering(coarse=10, fine=10),
)  # fmt: skip
"""For tests and trials: a picture of 48 pixels in some milliseconds."""


def from_kwargs(kwargs: Mapping[str, Any], raw_side: int = FULL.raw_side, axes: Axes = PLANE_AXES) -> Configuration:
    """The configuration that a published network was made with.

    Args:
        kwargs: `init_kwargs` of the official generator.
        raw_side: its `neural_rendering_resolution`, which is state, not an argument. axes: of its planes.
    Raises:
        KeyError, TypeError, ValueError: an argument is missing or of another type.
    """
    drawn = dict(kwargs["rendering_kwargs"])
    plain = Rendering()
    rendering = Rendering(
        float(drawn["ray_start"]), float(drawn["ray_end"]), int(drawn["depth_resolution"]),
        int(drawn["depth_resolution_importance"]), float(drawn["box_warp"]),
        float(drawn.get("avg_camera_radius", plain.radius)), _triple(drawn.get("avg_camera_pivot", plain.pivot)),
        float(drawn.get("c_scale", 1)), bool(drawn.get("c_gen_conditioning_zero", False)),
        bool(drawn.get("white_back", False)),
    )  # fmt: skip
    clamp = kwargs.get("conv_clamp", 256)
    return Configuration(
        z=int(kwargs["z_dim"]), w=int(kwargs["w_dim"]),
        mapping_layers=int(dict(kwargs.get("mapping_kwargs") or {}).get("num_layers", 8)),
        channel_base=int(kwargs.get("channel_base", 32768)), channel_max=int(kwargs.get("channel_max", 512)),
        raw_side=int(raw_side), sr_clamp=256.0 if int(kwargs.get("sr_num_fp16_res", 0)) > 0 else None,
        sr_antialias=bool(drawn.get("sr_antialias", True)), decoder_rate=float(drawn.get("decoder_lr_mul", 1)),
        clamp=None if clamp is None else float(clamp), axes=axes, rendering=rendering,
    )  # fmt: skip


def _triple(values: Any) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def to_json(config: Configuration) -> str:
    """A configuration as text, for the header of a file of weights."""
    return json.dumps(asdict(config))


def from_json(text: str) -> Configuration:
    """The way back.

    Raises:
        ValueError, TypeError, KeyError: it is no configuration.
    """
    values = json.loads(text)
    drawn = dict(values.pop("rendering"))
    drawn["pivot"] = _triple(drawn["pivot"])
    first, second = (int(channels) for channels in values.pop("sr_channels"))
    axes = tuple((int(across), int(down)) for across, down in values.pop("axes"))
    if any(not isinstance(values[name], int) or not 1 <= values[name] <= LARGEST for name in SIZES):
        raise ValueError("its sizes are no sizes")
    if values["mapping_layers"] > MOST_LAYERS or values["plane_side"] & (values["plane_side"] - 1):
        raise ValueError("there are no such networks")
    if not all(isinstance(value, (int, float)) for name, value in drawn.items() if name != "pivot"):
        raise ValueError("its rendering has values that are no numbers")
    return Configuration(**values, sr_channels=(first, second), axes=axes, rendering=Rendering(**drawn))
