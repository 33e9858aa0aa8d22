"""Who is in a picture: one door to the identity networks, for pipelines that build on the engine.

The networks are `engine.recognition`'s: the small one that comes with the engine, and ArcFace's IResNet-50 and -100
(Deng et al., CVPR 2019) where users have them.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..devices import choose_device
from ..errors import EngineError
from ..options import DeviceName
from ..recognition import arcface
from ..recognition.align import arcface_points, crop, similarity
from ..recognition.load import ARCFACE_DIFFERENT, Recogniser, load_small
from ..regressors.checkpoints import Published, all_names, filled, hollow, kind_of, part_of, read_checkpoint

CHUNK = 16
ARCFACE = Published("an ArcFace network", arcface.CURE)


@dataclass(frozen=True, eq=False)
class IdentityNetwork:
    """A network that tells people apart, ready for use.

    Attributes:
        recogniser: network, template and crop; see `engine.recognition.load`.
        device: of torch.
    """

    recogniser: Recogniser
    device: str

    @property
    def name(self) -> str:
        """For reports."""
        return self.recogniser.name

    @property
    def side(self) -> int:
        """Pixels of the aligned crop: 112 with ArcFace, 150 with the small network."""
        return self.recogniser.side

    def align(self, points: NDArray) -> NDArray[np.float64]:
        """(2,3) from pixels of a picture to pixels of the aligned crop, pixel centres at whole numbers in both.

        The similarity (Umeyama 1991, equations 40 to 42) to the published template.

        Args:
            points: (5,2). ArcFace: left eye, right eye as seen, tip of the nose, left and right corner of the mouth.
                The small network: corners of the subject's left eye, outer then inner, of the right one, base of the
                nose. `recogniser.points` gives either from MediaPipe's 478; take 0.5 off these.
        Raises:
            EngineError: they have another shape, or lie in one place.
        """
        points = np.asarray(points, np.float64)
        if points.shape != (5, 2):
            raise EngineError(f"The points are {points.shape}.", "They must be (5,2).")
        return similarity(points, self.recogniser.template)

    @torch.inference_mode()
    def crops(self, picture: NDArray[np.uint8], matrices: NDArray) -> NDArray[np.uint8]:
        """(N,side,side,3) aligned crops of a picture (H,W,3), black outside, by matrices (N,2,3) of `align`."""
        image = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float()
        found = [crop(image, torch.from_numpy(np.asarray(matrix)[None]).float(), self.side) for matrix in matrices]
        return torch.cat(found).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()

    @torch.inference_mode()
    def embed(self, images: NDArray[np.uint8], chunk: int = CHUNK) -> NDArray[np.float32]:
        """Embeddings of aligned faces.

        Args:
            images: (N,side,side,3) sRGB, aligned to the template.
            chunk: how many are looked at together.
        Returns:
            (N,512) with ArcFace, (N,128) with the small network, as the network gives them: not of length 1. Divide
            by the length before comparing.
        Raises:
            EngineError: the images have another shape or type, or there is none.
        """
        if images.dtype != np.uint8 or images.shape[1:] != (self.side, self.side, 3) or not len(images):
            wanted = f"They must be uint8 (N,{self.side},{self.side},3), at least one."
            raise EngineError(f"The crops are {images.dtype} {tuple(images.shape)}.", wanted)
        found = []
        for start in range(0, len(images), chunk):
            batch = torch.from_numpy(np.ascontiguousarray(images[start : start + chunk])).to(self.device)
            found.append(self.recogniser.network(batch.permute(0, 3, 1, 2).float() / 255)[0].float().cpu().numpy())
        return np.concatenate(found)


def load(path: Path | str | None = None, device: DeviceName = "cpu") -> IdentityNetwork:
    """An identity network, ready for use.

    Args:
        path: ArcFace's weights, r50 or r100, as insightface's arcface_torch writes them (.pth or safetensors); None
            for the small network that comes with the engine.
        device: of torch.
    Raises:
        ModelFileError: the file is missing, damaged, or another network's.
        DeviceError: there is no such device.
    """
    place = choose_device(device)
    if path is None:
        small = load_small()  # shared by its other users, who expect it on the CPU
        return IdentityNetwork(small if place == "cpu" else deepcopy(small).to(place), place)
    return IdentityNetwork(_arcface(Path(path)).to(place), place)


def _arcface(path: Path) -> Recogniser:
    found = read_checkpoint(path, ARCFACE)
    prefix = "module." if any(str(name).startswith("module.") for name in found) else ""
    state = part_of(found, prefix)
    places = {match.groups() for name in state if (match := re.match(r"layer([1-4])\.(\d+)\.", name))}
    blocks = tuple(sum(layer == str(number) for layer, _ in places) for number in range(1, 5))
    kind = kind_of(all_names(found))
    if kind != "ArcFace":
        raise ARCFACE.error(path, f"it is {kind}" if kind else "it has none of its entries")
    if blocks not in arcface.VARIANTS.values():
        known = " or ".join(f"{name} {'+'.join(map(str, parts))}" for name, parts in arcface.VARIANTS.items())
        raise ARCFACE.error(path, f"its layers have {'+'.join(map(str, blocks))} blocks, where {known} is expected")
    network = filled(hollow(arcface.IResNet, blocks), state, path, ARCFACE, prefix)
    return Recogniser("ArcFace", network, arcface.SIDE, arcface.TEMPLATE, arcface_points, ARCFACE_DIFFERENT)
