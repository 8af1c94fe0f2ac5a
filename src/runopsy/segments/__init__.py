"""Signal → Segments: the stretches along which a signal changes at one rate."""

from __future__ import annotations

from runopsy.segments.cut import segment

__all__ = ["segment"]
