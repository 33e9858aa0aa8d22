"""Networks that give a head's parameters in one pass: FastGANFit, and those that users bring."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..options import DeviceName
    from .entry import ImageRegressor, Kind, PointsRegressor


def load(
    kind: Kind | str, path: Path | str | None = None, device: DeviceName = "cpu"
) -> ImageRegressor | PointsRegressor:
    """A regressor, ready for use: `load("smirk", "SMIRK_em1.pt").predict(crops)`. See `entry.load`."""
    from .entry import load as load_one

    return load_one(kind, path, device)


class _Package(ModuleType):
    """Keeps the function above under its name: importing the module `load` would put the module there."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "load" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
