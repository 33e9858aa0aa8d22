"""Networks that give a head's parameters in one pass: FastGANFit, and those that users bring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from ..options import DeviceName
    from .entry import Brought, ImageRegressor, PointsRegressor


@overload
def load(kind: Brought, path: Path | str | None = None, device: DeviceName = "cpu") -> ImageRegressor: ...


@overload
def load(
    kind: Literal["fastganfit"], path: Path | str | None = None, device: DeviceName = "cpu"
) -> PointsRegressor: ...


def load(kind: Any, path: Path | str | None = None, device: DeviceName = "cpu") -> ImageRegressor | PointsRegressor:
    """A regressor, ready for use: `load("smirk", "SMIRK_em1.pt").predict(crops)`. See `entry.load`."""
    from . import entry

    return entry.load(kind, path, device)
