"""Less and less is tried when memory runs out."""

import pytest

from engine.errors import DeviceError
from engine.memory import is_out_of_memory, within_memory
from engine.options import ReconstructOptions


def run(fits, options):
    """Run a job that needs `fits(options)`; returns what was tried and what was warned of."""
    tried, warnings = [], []

    def job(options):
        tried.append((options.texture_size, options.device))
        if not fits(options):
            raise MemoryError
        return options

    return within_memory(job, options, warnings.append), tried, warnings


def test_enough_memory_runs_once():
    result, tried, warnings = run(lambda options: True, ReconstructOptions())
    assert result == ReconstructOptions()
    assert len(tried) == 1
    assert warnings == []


def test_halves_the_texture_then_takes_the_cpu():
    _, tried, warnings = run(
        lambda options: options.device == "cpu", ReconstructOptions(texture_size=4096, device="cuda")
    )
    assert tried == [(4096, "cuda"), (2048, "cuda"), (1024, "cuda"), (1024, "cpu")]
    assert len(warnings) == 3


def test_gives_up_with_a_clear_error():
    with pytest.raises(DeviceError, match="not enough memory"):
        run(lambda options: False, ReconstructOptions())


def test_other_errors_pass():
    def job(options):
        raise ValueError("bug")

    with pytest.raises(ValueError, match="bug"):
        within_memory(job, ReconstructOptions(), print)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory."), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True),
        (OSError("Cannot allocate memory"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_signs(error, expected):
    assert is_out_of_memory(error) is expected
