"""Deep3D's ResNet-50: coefficients of the Basel Face Model, light and pose of a face from one picture.

Deng et al., "Accurate 3D Face Reconstruction with Weakly-Supervised Learning", CVPRW 2019, section 3: 257 numbers, the
interface that most regressors of 3DMM coefficients have kept. Names and shapes of the weights are those of its PyTorch
edition's checkpoint: a dict `net_recon` with `backbone.*`, torchvision's ResNet-50 without its last layer, and
`final_layers.0` to `.6`, 1x1 convolutions, shift in depth last. That layout is read from the edition's source; no
trained file was at hand to try it on. The Basel model itself is the user's; nothing of it is needed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from .checkpoints import Published, all_names, filled, hollow, kind_of, read_checkpoint
from .deca import RawResNet50
from .image_regressor import ImageRegressor, named_parts, ready
from .resnet import CHANNELS

PARTS = {"id": 80, "exp": 64, "tex": 80, "angle": 3, "gamma": 27, "trans": 3}
LAYERS = (80, 64, 80, 3, 27, 2, 1)
"""Outputs of the last layers: the shift is made by two."""
FOCAL, DISTANCE = 1015.0, 10.0
"""The fixed camera: focal length in pixels of the crop; from the head's origin, decimetres, in which `trans` is too."""
HEAD = "Basel Face Model 2009"
DEEP3D = Published(
    "a Deep3D reconstruction network",
    "Choose epoch_20.pth, to which https://github.com/sicxu/Deep3DFaceRecon_pytorch leads, or a file in its format.",
)


class Deep3dNetwork(nn.Module):
    """(B,3,224,224) RGB 0..1 to coefficients.

    Returns of `forward`, by the published names:
        id: (B,80). exp: (B,64). tex: (B,80), of the Basel Face Model with FaceWarehouse's expressions.
        angle: (B,3) radians about x, y, z, applied in this order. trans: (B,3) shift; see `FOCAL`, `DISTANCE`.
        gamma: (B,27) spherical harmonics, by colour and by coefficient; 0.8 is to be added to the first of each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = RawResNet50()
        self.final_layers = nn.ModuleList(nn.Conv2d(CHANNELS[-1], outputs, 1) for outputs in LAYERS)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        seen = self.backbone(images)[-1].mean((-2, -1), keepdim=True)
        return named_parts(torch.cat([layer(seen) for layer in self.final_layers], 1).flatten(1), PARTS)


def load_network(path: Path) -> Deep3dNetwork:
    """The network of a checkpoint, on the CPU, in evaluation mode; it can be trained further.

    Args:
        path: the edition's checkpoint, or its `net_recon` alone; .pth or safetensors.
    Raises:
        ModelFileError: the file is missing, damaged, or another network's.
    """
    found = read_checkpoint(path, DEEP3D)
    state = found.get("net_recon", found)
    if not isinstance(state, Mapping) or not any(str(name).startswith("final_layers.") for name in state):
        kind = kind_of(all_names(found))
        reason = f"it is {kind}" if kind and kind != DEEP3D.title else "it has no entries “final_layers”"
        raise DEEP3D.error(path, reason)
    state = {str(name).removeprefix("module."): value for name, value in state.items()}
    return filled(hollow(Deep3dNetwork), state, path, DEEP3D)


def load_deep3d(path: Path, device: str = "cpu") -> ImageRegressor:
    """The network for use: its batch normalisation is folded into the convolutions.

    Raises:
        ModelFileError: see `load_network`.
    """
    return ready("deep3d", load_network(path), path, HEAD, device)
