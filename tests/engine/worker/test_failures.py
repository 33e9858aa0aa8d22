"""Whatever a job raises becomes an error with a cure."""

import errno

import pytest

from engine.errors import DeviceError, EngineError, FaceError, OutputError, WorkerError
from engine.worker.failures import explain, failure


def test_engine_errors_pass_unchanged():
    error = FaceError("No face.", "Another photo.")
    assert explain(error, bundled=False) is error


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (MemoryError(), DeviceError, "memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), DeviceError, "enough memory"),
        (RuntimeError("CUDA error: device-side assert"), DeviceError, "graphics card"),
        (OSError(errno.ENOSPC, "No space left on device"), OutputError, "No space left"),
        (OSError(errno.EROFS, "Read-only file system"), OutputError, "Read-only"),
        (ModuleNotFoundError("No module named 'cv2'", name="cv2"), WorkerError, "no package “cv2”"),
        (ImportError("libGL.so.1: cannot open shared object file"), WorkerError, "does not load: libGL.so.1"),
        (ValueError("shapes differ\nmore"), EngineError, "ValueError: shapes differ"),
        (SystemExit(2), EngineError, "SystemExit"),
    ],
)
def test_kinds(error, kind, text):
    known = explain(error, bundled=False)
    assert type(known) is kind
    assert text in known.message
    assert known.cure


def test_cure_of_a_missing_package_names_the_package_as_pip_does():
    error = ModuleNotFoundError("No module named 'cv2'", name="cv2")
    assert explain(error, bundled=False).cure.endswith("-m pip install opencv-python-headless")
    assert "pip" not in explain(error, bundled=True).cure


def test_failure_carries_the_traceback():
    try:
        raise KeyError("albedo")
    except KeyError as error:
        message = failure(4, error, bundled=False)
    assert message.job == 4
    assert "test_failures.py" in message.detail
