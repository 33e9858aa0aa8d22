"""Reading TensorFlow Lite files: their operators in order, and their constants, with the schema MediaPipe carries."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelFileError

SCHEMA = "tasks/metadata/schema_py_generated.py"
FLOAT32, FLOAT16 = 0, 1
SAME_PADDING = 0


@dataclass(frozen=True)
class Step:
    """One operator.

    Attributes:
        name: of the builtin operator, as "CONV_2D", or of the custom one.
        inputs, outputs: numbers of tensors; -1 for an input that is left out.
        options: the schema's table of this operator's options, None without.
        custom: the bytes of a custom operator's options.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any
    custom: bytes


@dataclass(frozen=True)
class Graph:
    """A network.

    Attributes:
        steps: in the order they are run.
        constants: stored tensors of floats by number, in TensorFlow's order of axes, float32.
        inputs, outputs: numbers of tensors.
    """

    steps: tuple[Step, ...]
    constants: dict[int, NDArray[np.float32]]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_graph(path: Path) -> Graph:
    """The first graph of a file.

    Raises:
        ModelFileError: the file is missing or is no TensorFlow Lite file, or mediapipe is not installed.
    """
    if not path.is_file():
        raise ModelFileError(f"{path} is missing.", "Fetch the network again.")
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise ModelFileError(f"{path} is not a TensorFlow Lite file.", "Fetch the network again.")
    schema = load_schema()
    model = schema.Model.GetRootAsModel(data, 0)
    graph = model.Subgraphs(0)
    steps = tuple(_step(schema, model, graph.Operators(index)) for index in range(graph.OperatorsLength()))
    constants: dict[int, NDArray[np.float32]] = {}
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        stored = model.Buffers(tensor.Buffer())
        if stored.DataLength() and tensor.Type() in (FLOAT32, FLOAT16):
            kind = np.float32 if tensor.Type() == FLOAT32 else np.float16
            values = np.frombuffer(stored.DataAsNumpy().tobytes(), kind).astype(np.float32)
            constants[index] = values.reshape(tensor.ShapeAsNumpy())
    return Graph(steps, constants, tuple(map(int, graph.InputsAsNumpy())), tuple(map(int, graph.OutputsAsNumpy())))


@lru_cache(maxsize=1)
def load_schema() -> ModuleType:
    """The generated reader inside the mediapipe package, alone: importing it by name would import much else."""
    package = importlib.util.find_spec("mediapipe")
    if package is None or not package.submodule_search_locations:
        raise ModelFileError("MediaPipe is not installed in this Python.", "Install mediapipe 0.10.21.")
    path = Path(package.submodule_search_locations[0]) / SCHEMA
    spec = importlib.util.spec_from_file_location("likeness_tflite", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ModelFileError(f"{path} is missing.", "Install mediapipe 0.10.21.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _step(schema: ModuleType, model: Any, operator: Any) -> Step:
    code = model.OperatorCodes(operator.OpcodeIndex())
    builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    name = _names()[builtin] if code.CustomCode() is None else code.CustomCode().decode()
    table = operator.BuiltinOptions()
    options = None
    kind = {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions"}.get(name)
    if table is not None and kind is not None:
        options = getattr(schema, kind)()
        options.Init(table.Bytes, table.Pos)
    custom = operator.CustomOptionsAsNumpy()
    return Step(
        name,
        tuple(map(int, operator.InputsAsNumpy())),
        tuple(map(int, operator.OutputsAsNumpy())),
        options,
        b"" if isinstance(custom, int) else custom.tobytes(),
    )


@lru_cache(maxsize=1)
def _names() -> dict[int, str]:
    operators = vars(load_schema().BuiltinOperator)
    return {code: name for name, code in operators.items() if isinstance(code, int)}
