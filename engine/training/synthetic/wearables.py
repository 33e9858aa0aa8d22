"""What people wear or hold before the face."""

from __future__ import annotations

from .clothing import collar
from .eyewear import glasses
from .headwear import hat, tucked
from .occluders import occluder

__all__ = ["collar", "glasses", "hat", "occluder", "tucked"]
