"""Where training starts: MediaPipe's face mesh (Apache-2.0), whose backbone has learned from real people.

Its weights are read from the TensorFlow Lite file that the mediapipe package carries.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import ModelFileError
from ...perception.networks.points import SCALE, Backbone, MeshHead, PointsNetwork
from .tflite import Graph, read_graph

MESH_FILE = "modules/face_landmark/face_landmark_with_attention.tflite"


def start_network(backbone: Backbone, mesh: MeshHead) -> None:
    """Copy MediaPipe's weights into a backbone and its end.

    Raises:
        ModelFileError: the mediapipe package is missing, or lacks the network.
    """
    package = importlib.util.find_spec("mediapipe")
    if package is None or not package.submodule_search_locations:
        raise ModelFileError("MediaPipe is not installed in this Python.", "Install mediapipe 0.10.21.")
    graph = read_graph(Path(package.submodule_search_locations[0]) / MESH_FILE)
    convolutions, slopes = _stored(graph, ("CONV_2D", "DEPTHWISE_CONV_2D")), _stored(graph, ("PRELU",))
    with torch.no_grad():
        _copy(backbone.stem, *next(convolutions))
        backbone.stem_act.weight.copy_(torch.tensor(next(slopes)[0].reshape(-1)))
        for stage in backbone.stages:
            for block in stage:  # type: ignore[union-attr]
                _copy(block.depthwise, *next(convolutions))
                _copy(block.pointwise, *next(convolutions))
                block.act.weight.copy_(torch.tensor(next(slopes)[0].reshape(-1)))
        for layer in (mesh.narrow, mesh.block.depthwise, mesh.block.pointwise, mesh.out):
            _copy(layer, *next(convolutions))
        for act in (mesh.act, mesh.block.act):
            act.weight.copy_(torch.tensor(next(slopes)[0].reshape(-1)))


def fit_mesh(network: PointsNetwork, crops: Iterable[Tensor], points: NDArray, ridge: float = 3.0) -> None:
    """Set the layer that turns MediaPipe's points into the coarse answer, by ridge regression.

    Args:
        network: with its statistics set.
        crops: batches (B,3,256,256), N in all. points: (N,M,3) the true points in them, pixels.
        ridge: number of examples that its weights being nought counts for.
    """
    with torch.no_grad():
        seen = torch.cat([network.see_mesh(network.backbone(batch)[4]) for batch in crops]).double()
        middle = torch.tensor([SCALE, SCALE, 0.0], dtype=torch.float64)
        offset = ((torch.tensor(points, dtype=torch.float64) - middle) / SCALE - network.mean).flatten(1)
        components = network.components.double().flatten(1)
        wanted = offset @ torch.linalg.pinv(components)
        mean = seen.mean(0)
        centred = seen - mean
        scale = centred.square().mean()
        normal = centred.T @ centred + ridge * scale * torch.eye(centred.shape[1], dtype=torch.float64)
        weight = torch.linalg.solve(normal, centred.T @ (wanted - wanted.mean(0))).T
        network.from_mesh.weight.copy_(weight)
        network.from_mesh.bias.copy_(wanted.mean(0) - weight @ mean)


def _stored(graph: Graph, names: tuple[str, ...]) -> Iterator[list[NDArray[np.float32]]]:
    """The constants of the operators of some kinds, in the order they are run; half precision ones pass a step more."""
    unpacked = {step.outputs[0]: step.inputs[0] for step in graph.steps if step.name == "DEQUANTIZE"}
    for step in graph.steps:
        if step.name in names:
            yield [graph.constants[unpacked.get(number, number)] for number in step.inputs[1:]]


def _copy(layer: torch.nn.Conv2d, weight: NDArray, bias: NDArray) -> None:
    """TensorFlow's (out,h,w,in), or (1,h,w,channels) of a depthwise one, to torch's order."""
    moved = weight.transpose(3, 0, 1, 2) if layer.groups > 1 else weight.transpose(0, 3, 1, 2)
    layer.weight.copy_(torch.tensor(np.ascontiguousarray(moved)))
    assert layer.bias is not None
    layer.bias.copy_(torch.tensor(bias))
