"""Signal → Segments: the stretches along which a signal changes at one rate."""

from __future__ import annotations

from runopsy.segments.cut import segment
from runopsy.segments.pace import level_error, pace
from runopsy.segments.search import EXACT, Segmenter

__all__ = ["EXACT", "Segmenter", "level_error", "pace", "segment"]
