"""Where training starts: MediaPipe's face mesh (Apache-2.0), whose backbone has learned from real people.

Its weights are read from the TensorFlow Lite file that the mediapipe package carries.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import ModelFileError
from ...perception.networks.points import Backbone

MESH_FILE = "modules/face_landmark/face_landmark_with_attention.tflite"
SCHEMA_FILE = "tasks/metadata/schema_py_generated.py"
FLOAT16 = 1


def start_backbone(backbone: Backbone) -> None:
    """Copy MediaPipe's weights into a backbone.

    Raises:
        ModelFileError: the mediapipe package lacks the network.
    """
    convolutions = iter(_convolutions(MESH_FILE))
    slopes = iter(_slopes(MESH_FILE))
    with torch.no_grad():
        _copy(backbone.stem, *next(convolutions))
        backbone.stem_act.weight.copy_(torch.tensor(next(slopes)))
        for stage in backbone.stages:
            for block in stage:  # type: ignore[union-attr]
                _copy(block.depthwise, *next(convolutions))
                _copy(block.pointwise, *next(convolutions))
                block.act.weight.copy_(torch.tensor(next(slopes)))


def _copy(layer: torch.nn.Conv2d, weight: NDArray, bias: NDArray) -> None:
    """TensorFlow's (out,h,w,in), or (1,h,w,channels) of a depthwise one, to torch's order."""
    moved = weight.transpose(3, 0, 1, 2) if layer.groups > 1 else weight.transpose(0, 3, 1, 2)
    layer.weight.copy_(torch.tensor(np.ascontiguousarray(moved)))
    assert layer.bias is not None
    layer.bias.copy_(torch.tensor(bias))


def _package() -> Path:
    found = importlib.util.find_spec("mediapipe")
    if found is None or not found.submodule_search_locations:
        raise ModelFileError("MediaPipe is not installed in this Python.", "Install mediapipe 0.10.21.")
    return Path(found.submodule_search_locations[0])


@lru_cache(maxsize=1)
def _schema() -> ModuleType:
    """The flatbuffer reader that MediaPipe carries; importing it as a module would import much else."""
    path = _package() / SCHEMA_FILE
    spec = importlib.util.spec_from_file_location("likeness_tflite_schema", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ModelFileError(f"{path} is missing.", "Install mediapipe 0.10.21.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _operators(file: str) -> Iterator[tuple[str, Any, Any, Any]]:
    """(name, operator, graph, model) in the order of the graph."""
    schema, path = _schema(), _package() / file
    if not path.is_file():
        raise ModelFileError(f"{path} is missing.", "Install mediapipe 0.10.21, which brings its networks along.")
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    model = schema.Model.GetRootAsModel(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex())
        yield names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())], operator, graph, model


def _constants(file: str) -> dict[int, NDArray[np.float32]]:
    """Values of the tensors that are stored, half precision ones under the number they are unpacked to."""
    stored: dict[int, NDArray[np.float32]] = {}
    for name, operator, graph, model in _operators(file):
        for index in operator.InputsAsNumpy():
            tensor = graph.Tensors(int(index)) if index >= 0 else None
            data = None if tensor is None else model.Buffers(tensor.Buffer())
            if tensor is not None and data is not None and data.DataLength():
                kind = np.float16 if tensor.Type() == FLOAT16 else np.float32
                if tensor.Type() in (0, FLOAT16):
                    values = np.frombuffer(data.DataAsNumpy().tobytes(), kind).astype(np.float32)
                    stored[int(index)] = values.reshape(tensor.ShapeAsNumpy())
        if name == "DEQUANTIZE" and int(operator.Inputs(0)) in stored:
            stored[int(operator.Outputs(0))] = stored[int(operator.Inputs(0))]
    return stored


def _convolutions(file: str) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    stored = _constants(file)
    for name, operator, _, _ in _operators(file):
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            yield stored[int(operator.Inputs(1))], stored[int(operator.Inputs(2))]


def _slopes(file: str) -> Iterator[NDArray[np.float32]]:
    stored = _constants(file)
    for name, operator, _, _ in _operators(file):
        if name == "PRELU":
            yield stored[int(operator.Inputs(1))].reshape(-1)
