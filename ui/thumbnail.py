"""Small pictures of the chosen photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy.utils.previews

_previews: Any = None
MOST = 64  # pictures kept


def thumbnail_of(photo: Path) -> Any:
    """A picture's preview, with its `icon_id`; None where there is no such file. A changed file gets a new one."""
    global _previews
    try:
        changed = photo.stat().st_mtime_ns
    except OSError:
        return None
    if _previews is None:
        _previews = bpy.utils.previews.new()
    key = f"{photo}|{changed}"
    if key not in _previews:
        if len(_previews) >= MOST:
            _previews.clear()
        _previews.load(key, str(photo), "IMAGE")
    return _previews[key]


def forget() -> None:
    """Free the pictures."""
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None
