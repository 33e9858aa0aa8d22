"""Hair masks of real pictures from MediaPipe's hair segmentation network (Apache-2.0), run in torch.

The network's file has three operators of MediaPipe's own, which its present runtime no longer runs: maximum pooling
that remembers places, its inverse, and a transposed convolution with bias. Here the graph is run step by step from what
the file says. Its input is RGB 0..1 and the mask of the frame before (none: zeros); its output two scores, the
second that of hair.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nnf

from ...errors import ModelFileError
from .tflite import SAME_PADDING, Graph, Step, read_graph

SIDE = 512


class HairTeacher:
    """The network, ready to be asked.

    Args:
        path: `hair_segmentation.tflite`.
    Raises:
        ModelFileError: the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.graph: Graph = read_graph(path)
        self.constants = {number: _torch_order(values) for number, values in self.graph.constants.items()}
        unknown = {step.name for step in self.graph.steps} - set(OPERATORS)
        if unknown:
            raise ModelFileError(
                f"{path} has operators that are not known: {', '.join(sorted(unknown))}.", "Fetch the network again."
            )

    @torch.inference_mode()
    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(512,512,3) uint8 sRGB, a head with room around it, to (512,512) 0..1: how probably each pixel is hair."""
        pixels = torch.from_numpy(np.ascontiguousarray(picture)).float().permute(2, 0, 1)[None] / 255
        values = dict(self.constants)
        values[self.graph.inputs[0]] = torch.cat([pixels, torch.zeros_like(pixels[:, :1])], 1)
        for step in self.graph.steps:
            given = [values[number] for number in step.inputs if number >= 0]
            found = OPERATORS[step.name](step, given)
            values.update(zip(step.outputs, found, strict=True))
        return values[self.graph.outputs[0]].softmax(1)[0, 1].numpy()


def _torch_order(values: NDArray[np.float32]) -> Tensor:
    """Constants with channels first: filters (out,h,w,in) to (out,in,h,w), slopes (1,1,c) to (c)."""
    tensor = torch.from_numpy(values)
    if tensor.ndim == 4:
        return tensor.permute(0, 3, 1, 2).contiguous()
    return tensor.reshape(-1)


def _padded(values: Tensor, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> Tensor:
    """TensorFlow's "same" padding, which puts the odd pixel below and to the right."""
    amounts: list[int] = []
    for axis in (1, 0):  # torch wants the last axis first
        size = values.shape[2 + axis]
        reach = dilation[axis] * (kernel[axis] - 1) + 1
        total = max((-(-size // stride[axis]) - 1) * stride[axis] + reach - size, 0)
        amounts += [total // 2, total - total // 2]
    return nnf.pad(values, amounts)


def _convolve(step: Step, given: list[Tensor]) -> list[Tensor]:
    values, weight, bias = given
    options = step.options
    stride = options.StrideH(), options.StrideW()
    dilation = options.DilationHFactor(), options.DilationWFactor()
    groups = 1
    if step.name == "DEPTHWISE_CONV_2D":
        weight, groups = weight.transpose(0, 1), values.shape[1]
    if options.Padding() == SAME_PADDING:
        values = _padded(values, (weight.shape[2], weight.shape[3]), stride, dilation)
    found = nnf.conv2d(values, weight, bias, stride, 0, dilation, groups)
    return [found.relu() if options.FusedActivationFunction() == 1 else found]


def _slope(step: Step, given: list[Tensor]) -> list[Tensor]:
    return [nnf.prelu(*given)]


def _add(step: Step, given: list[Tensor]) -> list[Tensor]:
    return [given[0] + given[1]]


def _join(step: Step, given: list[Tensor]) -> list[Tensor]:
    return [torch.cat(given, 1)]


def _pool(step: Step, given: list[Tensor]) -> list[Tensor]:
    """2 x 2 maxima, and where they were."""
    found, places = nnf.max_pool2d(given[0], 2, 2, return_indices=True)
    return [found, places]


def _unpool(step: Step, given: list[Tensor]) -> list[Tensor]:
    values, places = given
    return [nnf.max_unpool2d(values, places, [2, 2], [2, 2])]


def _transposed(step: Step, given: list[Tensor]) -> list[Tensor]:
    """Doubles the size. What "same" leaves out lies below and to the right."""
    values, weight, bias = given
    found = nnf.conv_transpose2d(values, weight.transpose(0, 1), bias, 2)
    return [found[:, :, : 2 * values.shape[2], : 2 * values.shape[3]]]


OPERATORS = {
    "CONV_2D": _convolve,
    "DEPTHWISE_CONV_2D": _convolve,
    "PRELU": _slope,
    "ADD": _add,
    "CONCATENATION": _join,
    "MaxPoolingWithArgmax2D": _pool,
    "MaxUnpooling2D": _unpool,
    "Convolution2DTransposeBias": _transposed,
}
