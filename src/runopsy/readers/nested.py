"""JSON values as trackers store them: numbers within objects, and words for what JSON has no number for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from runopsy.readers.json_shapes import DEEPEST

SPECIAL = ("NaN", "Infinity", "-Infinity")


def parsed(text: bytes | str) -> Any:
    """The value of a JSON text, bare NaN and Infinity included; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def number(value: Any) -> float | None:
    """A number, also one that is spelt out; None for everything else."""
    if isinstance(value, (int, float)):
        try:
            return float(value)
        except OverflowError:  # an integer beyond every float
            return float("inf") if value > 0 else float("-inf")
    return float(value) if isinstance(value, str) and value in SPECIAL else None


def numbers(name: str, value: Any, depth: int = 0) -> Iterator[tuple[str, float]]:
    """The numbers of a value, those of objects as ``outer/inner``; none of what names its _type: media, histograms."""
    if isinstance(value, dict):
        if "_type" not in value and depth < DEEPEST:
            for inner, further in value.items():
                yield from numbers(f"{name}/{inner}" if name else inner, further, depth + 1)
    elif (scalar := number(value)) is not None:
        yield name, scalar
