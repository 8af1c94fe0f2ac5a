"""Numbers as people write them."""

from __future__ import annotations

import math
import unicodedata

from runopsy.kinds import KINDS


def number(value: float) -> str:
    """Four significant digits, no more zeros than needed, also in the exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == round(value) and abs(value) < 1e6:
        return f"{value:,.0f}"
    return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e+")


def place(position: float) -> str:
    """A position on the axis: whole steps with separators, fractions of epochs with two digits."""
    if abs(position - round(position)) < 1e-9 or abs(position) >= 1000:
        return f"{position:,.0f}"
    return f"{position:.2f}" if abs(position) >= 1 else f"{position:.3g}"


def span(low: float, high: float) -> str:
    """An interval, as finely as its own width has a meaning: two digits of that."""
    if high <= low or (low.is_integer() and high.is_integer()):
        return f"{place(low)} – {place(high)}"
    digits = max(0, 1 - math.floor(math.log10(high - low)))
    return f"{low:,.{digits}f} – {high:,.{digits}f}"


def duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 0.1 or seconds == 0 else f"{seconds:.2g} s"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %" if abs(share) < 0.1 else f"{100 * share:.0f} %"


def plain(name: str) -> str:
    """A name of ours as prose: feature_learning → feature learning."""
    return KINDS[name].title if name in KINDS else name.replace("_", " ")


def odds(confidence: float) -> tuple[int, int]:
    """A share of right answers as people put it: 0.9 → 9 in 10; never "always"."""
    if confidence >= 0.975:  # nearer to 99 in 100 than to 19 in 20
        return 99, 100
    if confidence >= 0.925:
        return 19, 20
    return max(round(10 * confidence), 1), 10


def visible(text: str, most: int = 1000) -> str:
    """Foreign text made safe to show: one line, no control or direction characters, a bounded length.

    A name may hold a terminal's escape sequences, or marks that turn the direction of all text after them.
    """
    text = text if len(text) <= most else f"{text[: most - 1]}…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(c) for c in " ".join(text.split("\n")))


def _shown(character: str) -> str:
    if character == "\t":
        return " "
    category = unicodedata.category(character)
    # controls, formats (among them the direction marks), halves of characters, line and paragraph separators
    return f"<U+{ord(character):04X}>" if category in ("Cc", "Cf", "Cs", "Zl", "Zp") else character
