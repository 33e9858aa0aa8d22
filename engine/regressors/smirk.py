"""SMIRK's encoder: FLAME's coefficients of a face from one picture, 3.6 million weights.

Retsinas et al., "3D Facial Expressions through Analysis-by-Neural-Synthesis", CVPR 2024, section 3.1; supplement,
section 1.5. Three MobileNetV3 for pose and camera, shape, expression. Names and shapes of the weights are those of its
checkpoint (`smirk_encoder.pose_encoder.encoder.conv_stem.weight`, ...).
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from .checkpoints import Published, all_names, filled, hollow, kind_of, part_of, read_checkpoint
from .image_regressor import ImageRegressor, named_parts, ready
from .mobilenet import LARGE, SMALL, MobileNetV3, Plan

SHAPE, EXPRESSION = 300, 50
POSE_PARTS = {"pose_params": 3, "cam": 3}
EXPRESSION_PARTS = {"expression_params": EXPRESSION, "eyelid_params": 2, "jaw_params": 3}
SIDEWAYS = 0.2
"""Radians that the jaw turns about y and z at most."""
HEAD = "FLAME 2020"
PREFIX = "smirk_encoder."
SMIRK = Published(
    "SMIRK's encoder",
    "Choose SMIRK's own checkpoint (SMIRK_em1.pt) from https://github.com/georgeretsi/smirk, or one in its format.",
)


class Branch(nn.Module):
    """A MobileNetV3, the mean of its last features, one linear layer under a name of its own."""

    def __init__(self, plan: Plan, layers: str, outputs: int) -> None:
        super().__init__()
        self.encoder = MobileNetV3(plan)
        self.layers = layers
        self.add_module(layers, nn.Sequential(nn.Linear(plan.last, outputs)))

    def forward(self, images: Tensor) -> Tensor:
        return getattr(self, self.layers)(self.encoder(images)[-1].mean((-2, -1)))


class SmirkEncoder(nn.Module):
    """(B,3,224,224) RGB 0..1 to FLAME's coefficients.

    Returns of `forward`, by the published names:
        pose_params: (B,3) rotation of the head, axis times angle, radians. cam: (B,3) scale, then shift, of the
            orthographic camera; see `published_crop.crop_points`.
        shape_params: (B,300). expression_params: (B,50).
        eyelid_params: (B,2) left, right, how far closed, 0..1.
        jaw_params: (B,3) rotation of the jaw, radians: x 0 or more, y and z within 0.2.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pose_encoder = Branch(SMALL, "pose_cam_layers", sum(POSE_PARTS.values()))
        self.shape_encoder = Branch(LARGE, "shape_layers", SHAPE)
        self.expression_encoder = Branch(LARGE, "expression_layers", sum(EXPRESSION_PARTS.values()))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        found = named_parts(self.pose_encoder(images), POSE_PARTS)
        found["shape_params"] = self.shape_encoder(images)
        found |= named_parts(self.expression_encoder(images), EXPRESSION_PARTS)
        found["eyelid_params"] = found["eyelid_params"].clamp(0, 1)
        jaw = found["jaw_params"]
        found["jaw_params"] = jaw.clamp(
            jaw.new_tensor([0, -SIDEWAYS, -SIDEWAYS]), jaw.new_tensor([1e9, SIDEWAYS, SIDEWAYS])
        )
        return found


def load_encoder(path: Path) -> SmirkEncoder:
    """The network of a checkpoint, on the CPU, in evaluation mode; it can be trained further.

    Args:
        path: SMIRK's checkpoint, with its translator or without; .pt or safetensors.
    Raises:
        ModelFileError: the file is missing, damaged, or another network's.
    """
    found = read_checkpoint(path, SMIRK)
    prefix = PREFIX if any(str(name).startswith(PREFIX) for name in found) else ""
    state = part_of(found, prefix)
    if not any(name.startswith(("pose_encoder.", "shape_encoder.", "expression_encoder.")) for name in state):
        raise SMIRK.error(path, _reason(found))
    return filled(hollow(SmirkEncoder), state, path, SMIRK, prefix)


def _reason(found: dict) -> str:
    if any(str(name).startswith("smirk_generator.") for name in found):
        return "it holds SMIRK's translator without the encoder"
    kind = kind_of(all_names(found))
    return f"it is {kind}" if kind else "it has none of the encoder's entries"


def load_smirk(path: Path, device: str = "cpu") -> ImageRegressor:
    """The encoder for use: its batch normalisation is folded into the convolutions.

    Raises:
        ModelFileError: see `load_encoder`.
    """
    return ready("smirk", load_encoder(path), path, HEAD, device)
