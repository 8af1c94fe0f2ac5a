"""Curves that a script printed as whole lists: ``train_losses = [0.9, 0.7, …]``, or a dictionary of such lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runopsy.readers.axes import COUNTING, plain
from runopsy.signals.names import better, guess

if TYPE_CHECKING:
    import polars as pl

# A list of at least three things without brackets in them; then the name in front of it.
OPEN = re.compile(r"[:=]\s*(?:np\.|numpy\.)?(?:array\(|tensor\()?\s*\[(?=[^\[\]\s,]+[\s,]+[^\[\]\s,]+[\s,]+[^\[\]\s,])")
NAME = re.compile(r"(?P<quote>['\"]?)(?P<name>[A-Za-z_][A-Za-z0-9_ .@/-]{0,60}?)(?P=quote)\s*$")
BEFORE = 80  # characters in front of a list in which its name stands
ITEM = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf)\b|None|null", re.IGNORECASE)
WRAPPING = re.compile(
    r"(?:tensor|np\.\w+|numpy\.\w+|array)\(|,\s*(?:device|dtype|grad_fn)=[^,)\]]*|[()\s,]|'[^']*'|<[^>]*>"
)
SHORTEST = 3  # numbers that make a curve


def lists_in(text: str) -> pl.DataFrame | None:
    """The lists as columns, a row for each position; None where no list of a metric is printed.

    Lists of another length than the longest list of a metric are filled up with nothing at their end, as
    curves that were read less often cannot be placed otherwise.
    """
    import polars as pl

    if "[" not in text:
        return None
    found: dict[str, list[float | None]] = {}
    at = 0
    while match := OPEN.search(text, at):
        end = text.find("]", match.end())
        if end < 0:
            break
        values = _numbers(text[match.end() : end])
        at = match.end() if values is None else end
        called = NAME.search(text, max(0, match.start() - BEFORE), match.start())
        name = called["name"].strip() if called else ""
        if name and values is not None and len(values) >= max(SHORTEST, len(found.get(name, ()))):
            found[name] = values  # a list that is printed again and again, as it grows: the longest
    metrics = [name for name in found if guess(name) is not None or better(name)]
    if not metrics:
        return None
    most = max(len(found[name]) for name in metrics)
    kept = {name: values for name, values in found.items() if name in metrics or plain(name) in COUNTING}
    kept = {name: values for name, values in kept.items() if len(values) <= most}
    return pl.DataFrame(
        {name: pl.Series(values + [None] * (most - len(values)), dtype=pl.Float64) for name, values in kept.items()}
    )


def _numbers(inside: str) -> list[float | None] | None:
    """The numbers of a list; None where it holds anything else."""
    items = ITEM.findall(inside)
    if len(items) < SHORTEST or "[" in inside:
        return None
    rest = WRAPPING.sub("", ITEM.sub("", inside))
    if rest:
        return None
    return [None if item.lower() in ("none", "null") else float(item) for item in items]
