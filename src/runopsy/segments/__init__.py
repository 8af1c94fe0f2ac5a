"""Signal → Segments: the stretches along which a signal changes at one rate."""

from __future__ import annotations

from runopsy.segments.cut import segment
from runopsy.segments.pace import level_error, pace

__all__ = ["level_error", "pace", "segment"]
