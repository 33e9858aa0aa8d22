"""Text that fits a panel: Blender's labels do not wrap by themselves."""

from __future__ import annotations

import textwrap
from typing import Any

import bpy

MARGIN = 64.0  # pixels of a region that labels cannot use, at scale 1: borders, scroll bar, icon
LETTER = 6.1  # mean width of a letter of the interface's font, at scale 1


def wrapped(context: bpy.types.Context, text: str) -> list[str]:
    """Lines that fit the region's width. Long paths are broken where they must."""
    region: Any = context.region
    blender: Any = context.preferences
    scale = blender.system.ui_scale or 1.0  # 0 without a window
    width = region.width if region is not None else 300.0
    return textwrap.wrap(text, max(16, int((width / scale - MARGIN) / LETTER)))
