"""Messages survive the pipe, and nonsense is called nonsense."""

import pytest

from engine import errors
from engine.worker.protocol import Cancel, Done, Failed, Hello, Quit, Run, Stage, Unfit, decode, encode


@pytest.mark.parametrize(
    "message",
    [
        Hello(1, "3.11.7", "/opt/python", "0.1.0"),
        Unfit("2.7.18", "/usr/bin/python", "3.11"),
        Run(3, "reconstruct", {"photo": "/café/Ø\n.jpg", "options": {"face_index": None}}),
        Cancel(3),
        Quit(),
        Stage(3, "Fitting the head", 0.25),
        Done(3, {"folder": "x"}),
        Failed(3, "FaceError", "No face.", "Look closer.", "Traceback\n  line"),
    ],
)
def test_round_trip(message):
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == message


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"hello", b"[]", b"7", b"{}", b'{"say": "sing"}', b'{"say": "cancel"}', b"\xff\xfe", b'{"say": []}'],
)
def test_nonsense(line):
    with pytest.raises(ValueError, match="not a message"):
        decode(line)


@pytest.mark.parametrize("kind", [errors.MediaError, errors.FaceError, errors.DeviceError, errors.EngineError])
def test_errors_come_back_as_their_class(kind):
    error = Failed(1, kind.__name__, "what", "cure").to_error()
    assert type(error) is kind
    assert (error.message, error.cure) == ("what", "cure")


def test_cancellation_comes_back():
    assert isinstance(Failed(1, "JobCancelled", "").to_error(), errors.JobCancelled)


@pytest.mark.parametrize("name", ["ValueError", "annotations", "", "__doc__"])
def test_name_of_no_engine_error_is_a_plain_engine_error(name):
    assert type(Failed(1, name, "what").to_error()) is errors.EngineError
