"""Where memory runs out, the pipeline tries again with less and says so in the report."""

from dataclasses import replace

import pytest

from engine import pipeline
from engine.errors import DeviceError
from engine.options import ReconstructOptions
from engine.result import Reconstruction
from tests.engine.toy_result import box_head


@pytest.fixture
def run(monkeypatch, tmp_path):
    """run(fits): reconstruct with a solver that needs `fits(options)`; the result and what was tried."""

    def run(fits):
        tried = []

        def solve(photo, options, progress):
            tried.append((options.texture_size, options.device))
            if not fits(options):
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return replace(box_head(), report={"warnings": []}), None

        monkeypatch.setattr(pipeline, "solve", solve)
        monkeypatch.setattr(pipeline, "write", lambda result, pixels, folder, progress: (folder / "written").touch())
        options = ReconstructOptions(texture_size=2048, device="cuda")
        return pipeline.reconstruct(tmp_path / "photo.jpg", tmp_path / "out", options), tried

    return run


def test_less_is_tried_and_reported(run, tmp_path):
    result, tried = run(lambda options: options.device == "cpu")
    assert isinstance(result, Reconstruction)
    assert tried == [(2048, "cuda"), (1024, "cuda"), (1024, "cpu")]
    assert [text for text in result.report["warnings"] if text.startswith("Memory ran out")] == [
        "Memory ran out; tried again at 1024 px on the device “cuda”.",
        "Memory ran out; tried again at 1024 px on the device “cpu”.",
    ]
    assert (tmp_path / "out" / "written").exists()


def test_nothing_is_left_when_nothing_fits(run, tmp_path):
    with pytest.raises(DeviceError, match="not enough memory"):
        run(lambda options: False)
    assert not (tmp_path / "out").exists()
