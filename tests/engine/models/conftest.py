"""Shared by the tests of reading model files: files that try to run something, and networks with their source."""

import builtins
import os
import sys
import types

import pytest

NASTY = {"os.system": os.system, "builtins.eval": builtins.eval, "builtins.exec": builtins.exec}
"""`os.system` is pickled under its real name, `posix.system` or `nt.system`."""


class Payload:
    """Pickled, it is a call that leaves a file behind."""

    def __init__(self, function, text):
        self.call = (function, (text,))

    def __reduce__(self):
        return self.call


@pytest.fixture(params=NASTY)
def payload(request, tmp_path):
    """A call that would write a file, and that file."""
    mark = tmp_path / "it ran"
    python = f"open({str(mark)!r}, 'w').close()"
    command = f"{sys.executable} -c {python!r}" if request.param == "os.system" else python
    return Payload(NASTY[request.param], command), mark


def reconstruct(meta):
    """Stands in for the official function while pickles are made; reading must not need it."""
    raise AssertionError("this must not be called")


@pytest.fixture
def persistence(monkeypatch):
    """Makes persistent objects as StyleGAN2-ADA pickles them: `persistence(class_name, state, source)`."""
    module = types.ModuleType("torch_utils.persistence")
    reconstruct_here = types.FunctionType(reconstruct.__code__, globals(), "_reconstruct_persistent_obj")
    reconstruct_here.__module__ = module.__name__
    reconstruct_here.__qualname__ = "_reconstruct_persistent_obj"
    module._reconstruct_persistent_obj = reconstruct_here  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_utils", types.ModuleType("torch_utils"))
    monkeypatch.setitem(sys.modules, "torch_utils.persistence", module)

    class Persistent:
        def __init__(self, class_name, state, source="raise SystemExit"):
            self.meta = {
                "type": "class",
                "version": 6,
                "module_src": source,
                "class_name": class_name,
                "state": state,
            }

        def __reduce__(self):
            return reconstruct_here, (self.meta,), None

    return Persistent
