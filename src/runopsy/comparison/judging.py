"""Two lots of numbers → what is known of their difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from runopsy.comparison.seeds import ALPHA, Splits, Spot, p_value, scores
from runopsy.model import Change, Difference, Values

CLOCKED = ("wall", "pace")  # kinds of differences in seconds, which depend on the machine


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A difference, with the scores of the runs that it was judged by."""

    difference: Difference
    score: Values


def weigh(
    splits: Splits,
    a: Sequence[Spot],
    b: Sequence[Spot],
    *,
    scale: float | None = None,
    least: float = 0.0,
    **named: Any,
) -> Row:
    """The difference between two sides.

    Args:
        splits: of as many runs as there are spots.
        a: one spot per run.
        b: likewise.
        scale: what the difference is a share of; default: A's own middle value; 0 where a share means nothing.
        least: a difference up to this is beneath notice, whatever the intervals are.
        named: ``kind``, ``what``, ``unit`` and ``at`` of the difference.
    """
    score = scores([*a, *b])
    middle_a, middle_b = _middle([s.at for s in a]), _middle([s.at for s in b])
    p = p_value(splits, score) if len(a) + len(b) > 2 else None
    ends_a, ends_b = _interval(a), _interval(b)
    whole = middle_a if scale is None else scale
    by = None if middle_a is None or middle_b is None else middle_b - middle_a
    known = ends_a is not None and ends_b is not None
    return Row(
        Difference(
            a=tuple(s.at for s in a),
            b=tuple(s.at for s in b),
            middle_a=middle_a,
            middle_b=middle_b,
            interval_a=ends_a,
            interval_b=ends_b,
            change=Change.NONE if _equal(by, least, ends_a, ends_b) else _beyond(known, p, splits.least_p),
            share=by / abs(whole) if by is not None and whole else None,
            seconds=_seconds(a, b),
            p=p,
            **named,
        ),
        score,
    )


def unjudged(row: Row) -> Row:
    """The same numbers, without a judgement."""
    return Row(replace(row.difference, change=Change.OPEN, p=None), np.zeros_like(row.score))


def doubted(row: Row) -> Row:
    """The same difference of something that may not be there: it is not claimed to be real."""
    settled = Change.OPEN if row.difference.change is Change.REAL else row.difference.change
    return replace(row, difference=replace(row.difference, change=settled))


def by_seeds(row: Row) -> Row:
    """The same difference, known to be one that seeds make."""
    if row.difference.kind in CLOCKED:
        return row
    return replace(row, difference=replace(row.difference, change=Change.NONE))


def _beyond(known: bool, p: float | None, least_p: float) -> Change:
    """Of what the intervals do not make equal: a single pair then differs, and sets ask the seeds."""
    if p is None:
        return Change.REAL if known else Change.OPEN
    if least_p > ALPHA:
        return Change.OPEN
    return Change.REAL if p <= ALPHA else Change.NONE


def _equal(by: float | None, least: float, a: tuple[float, float] | None, b: tuple[float, float] | None) -> bool:
    """A difference within the intervals is none, and neither is one beneath notice."""
    if by is not None and abs(by) <= least:
        return True
    return a is not None and b is not None and a[0] <= b[1] and b[0] <= a[1]


def _middle(values: Sequence[float | None]) -> float | None:
    """The median, what was not seen counting as later than everything; None if that is what it is."""
    known = sorted(np.inf if v is None else v for v in values)
    low, high = known[(len(known) - 1) // 2], known[len(known) // 2]
    return (low + high) / 2 if np.isfinite(high) else None


def _interval(spots: Sequence[Spot]) -> tuple[float, float] | None:
    """The median of the lower ends and of the upper ends; None if a run does not know its own."""
    ends = [s.interval for s in spots if s.at is not None]
    known = [e for e in ends if e is not None]
    if not known or len(known) < len(ends):
        return None
    return float(np.median([low for low, _ in known])), float(np.median([high for _, high in known]))


def _seconds(a: Sequence[Spot], b: Sequence[Spot]) -> float | None:
    before, after = ([s.seconds for s in side if s.at is not None] for side in (a, b))
    if not before or not after or None in before or None in after:
        return None
    return float(np.median([x for x in after if x is not None]) - np.median([x for x in before if x is not None]))
