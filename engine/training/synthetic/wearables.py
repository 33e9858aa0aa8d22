"""What people wear or hold before the face."""

from __future__ import annotations

from .eyewear import glasses

__all__ = ["glasses"]
