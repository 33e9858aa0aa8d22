"""MediaPipe 0.10.21, imported lean and quiet, and its three bundled networks behind plain functions.

`import mediapipe` also imports its Tasks API and drawing helpers, with them jax, sounddevice and matplotlib. None is
needed here: placeholders stand for those sub-packages, and import the real thing when somebody asks.
The graphs stay open between calls; a lock makes them safe to call from several threads.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.abc import Loader, MetaPathFinder
from threading import RLock
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FaceError, ModelFileError

DEFERRED = (
    "mediapipe.tasks.python",
    "mediapipe.python.solutions.drawing_utils",
    "mediapipe.python.solutions.drawing_styles",
)
DETECTOR_GRAPH = "mediapipe/modules/face_detection/face_detection_{}_range_cpu.binarypb"
PERSON_GRAPH = "mediapipe/modules/selfie_segmentation/selfie_segmentation_cpu.binarypb"
MESH_GRAPH = """
input_stream: "image"
input_stream: "region"
input_side_packet: "with_attention"
output_stream: "landmarks"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:region"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""
MESH_SIDE = 192  # pixels, the mesh network's input
LOCK = RLock()


@dataclass(frozen=True)
class Detection:
    """A face found in a picture.

    Attributes:
        box: (4,) x0, y0, x1, y1, pixels.
        keypoints: (6,2) right eye, left eye (the person's), nose tip, mouth centre, right ear, left ear, pixels.
        score: 0..1.
    """

    box: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    score: float


class _Deferred(ModuleType):
    """Stands in for a package until one of its attributes is wanted."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


class _Deferral(MetaPathFinder, Loader):
    """Puts a placeholder wherever one of `DEFERRED` is imported."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        if fullname not in DEFERRED or path is None:
            return None
        spec = importlib.util.spec_from_loader(fullname, self, is_package=True)
        if spec is not None:  # its sub-modules are found where they are
            spec.submodule_search_locations = [os.path.join(folder, fullname.rpartition(".")[2]) for folder in path]
        return spec

    def create_module(self, spec: Any) -> ModuleType:
        return _Deferred(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: that is the point."""


@lru_cache(maxsize=1)
def load_mediapipe() -> ModuleType:
    """Import MediaPipe without its heavy extras.

    Raises:
        ModelFileError: it is not installed in this Python, or cannot be loaded.
    """
    found = importlib.util.find_spec("mediapipe")
    if found is None:
        raise ModelFileError(
            "MediaPipe, which finds the face, is not installed in the engine's Python.",
            "Reinstall the add-on, or install mediapipe 0.10.21 in the interpreter chosen in the preferences.",
        )
    deferral = _Deferral()
    sys.meta_path.insert(0, deferral)
    try:
        with quiet_stderr():
            return importlib.import_module("mediapipe")
    except ImportError as error:
        raise ModelFileError(
            f"MediaPipe, which finds the face, cannot be loaded ({error}).",
            "Reinstall the add-on, or install mediapipe 0.10.21 in the interpreter chosen in the preferences.",
        ) from error
    finally:
        sys.meta_path.remove(deferral)


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Silence the process's own standard error: absl and TensorFlow Lite chat there and have no switch for it."""
    try:
        saved = os.dup(2)
    except OSError:  # no standard error, as in Blender started from a Windows icon
        yield
        return
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def version() -> str:
    return str(getattr(load_mediapipe(), "__version__", "unknown"))


class _Graph:
    """One MediaPipe graph, kept open. `text`: its description, or else the arguments of MediaPipe's `SolutionBase`."""

    def __init__(self, text: str = "", **arguments: Any) -> None:
        self.text, self.arguments = text, arguments
        self.solution: Any = None

    def __call__(self, **inputs: Any) -> Any:
        with LOCK:
            if self.solution is not None:
                return self._process(inputs)
            with quiet_stderr():  # the networks report themselves at their first picture
                self.solution = self._open()
                return self._process(inputs)

    def _open(self) -> Any:
        load_mediapipe()
        try:
            base = importlib.import_module("mediapipe.python.solution_base")
            arguments = self.arguments | ({"graph_config": _parse_graph(self.text)} if self.text else {})
            return base.SolutionBase(**arguments)
        except (ImportError, FileNotFoundError, RuntimeError, ValueError) as error:
            raise ModelFileError(
                f"MediaPipe {version()} has no usable face networks ({error}).",
                "Use mediapipe 0.10.21, which brings them along.",
            ) from error

    def _process(self, inputs: dict[str, Any]) -> Any:
        try:
            return self.solution.process(inputs)
        except (RuntimeError, ValueError) as error:
            self.solution = None  # a graph that failed once answers no more: open a new one next time
            raise FaceError(
                f"MediaPipe failed on this picture ({str(error).splitlines()[0]}).",
                "Save the picture in another size or format and try again.",
            ) from error


def _parse_graph(text: str) -> Any:
    from google.protobuf import text_format

    calculators = importlib.import_module("mediapipe.framework.calculator_pb2")
    return text_format.Parse(text, calculators.CalculatorGraphConfig())


@lru_cache(maxsize=1)
def _mesh_graph() -> tuple[_Graph, Any]:
    load_mediapipe()  # before any part of the package is imported
    graph = _Graph(text=MESH_GRAPH, side_inputs={"with_attention": True}, outputs=["landmarks"])
    rectangles = importlib.import_module("mediapipe.framework.formats.rect_pb2")
    return graph, rectangles.NormalizedRect(x_center=0.5, y_center=0.5, width=1.0, height=1.0)


@lru_cache(maxsize=2)
def _detector_graph(reach: str) -> _Graph:
    return _Graph(binary_graph_path=DETECTOR_GRAPH.format(reach), outputs=["detections"])


@lru_cache(maxsize=1)
def _person_graph() -> _Graph:
    return _Graph(binary_graph_path=PERSON_GRAPH, side_inputs={"model_selection": 0}, outputs=["segmentation_mask"])


def face_mesh(crop: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """The mesh network on a square crop that holds one upright face (face about two thirds of the side).

    Args:
        crop: (S,S,3) uint8 sRGB; S near `MESH_SIDE`.

    Returns:
        (478,3) x, y, z in crop pixels, or None when the network sees no face.
    """
    graph, whole = _mesh_graph()
    found = graph(image=np.ascontiguousarray(crop), region=whole).landmarks
    if found is None:
        return None
    points = np.array([(point.x, point.y, point.z) for point in found.landmark], dtype=np.float64)
    return points * crop.shape[1]


def detect(picture: NDArray[np.uint8], reach: str) -> list[Detection]:
    """Faces by BlazeFace, `reach` "short" (faces that fill the picture) or "full" (down to a twentieth of it).

    Args:
        picture: (H,W,3) uint8 sRGB.
    """
    found = _detector_graph(reach)(image=np.ascontiguousarray(picture)).detections
    size = np.array([picture.shape[1], picture.shape[0]])
    faces = []
    for detection in found or ():
        data = detection.location_data
        box = data.relative_bounding_box
        corners = np.array([[box.xmin, box.ymin], [box.xmin + box.width, box.ymin + box.height]]) * size
        keypoints = np.array([(point.x, point.y) for point in data.relative_keypoints]) * size
        faces.append(Detection(corners.ravel().astype(np.float32), keypoints.astype(np.float32), detection.score[0]))
    return faces


def person_probability(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H,W) 0..1: the selfie network's view of the person, computed at 256 x 256."""
    return np.array(_person_graph()(image=np.ascontiguousarray(picture)).segmentation_mask, dtype=np.float32)
