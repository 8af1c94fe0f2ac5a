"""Numbers as people write them."""

from __future__ import annotations

import math


def number(value: float) -> str:
    """Four significant digits, no more zeros than needed."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == round(value) and abs(value) < 1e6:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def place(position: float) -> str:
    """A position on the axis: whole steps with separators, fractions of epochs with two digits."""
    if abs(position - round(position)) < 1e-9 or abs(position) >= 1000:
        return f"{position:,.0f}"
    return f"{position:.2f}" if abs(position) >= 1 else f"{position:.3g}"


def duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %" if abs(share) < 0.1 else f"{100 * share:.0f} %"


def plain(name: str) -> str:
    """A name of ours as prose: feature_learning → feature learning."""
    return name.replace("_", " ")
