"""How a rate of spending is shared: distances between readings, from what each costs and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence

from runopsy.recorder.cadence import LONGEST

FIRST = (
    0.8  # of what is allowed at most goes to the readings that all are to have; the rest reads cheap ones more often
)


def strides(costs: Sequence[float], allowed: float, wanted: float = 0.0) -> list[int]:
    """How many calls apart each reading has to be: powers of two with Σ cost / stride ≤ ``allowed``.

    Costs and ``allowed`` are in seconds (a call). First all are given the same number of readings a call, ``wanted``
    if that can be: but for the dearest, where even half of it would take ``FIRST`` of what is allowed. Then the
    rest is shared evenly (max-min, see ``level``), and what rounding has left goes to the thinnest.
    """
    first = _first(costs, FIRST * allowed, wanted)
    rest = level([cost - f for cost, f in zip(costs, first, strict=True)], allowed - sum(first))
    given = [f + min(cost - f, rest) for cost, f in zip(costs, first, strict=True)]
    found = [_next_power(cost / g) if g > 0 else (1 << LONGEST if cost > 0 else 1)
             for cost, g in zip(costs, given, strict=True)]  # fmt: skip
    left = allowed - sum(c / s for c, s in zip(costs, found, strict=True))
    while True:
        thinned = [i for i, stride in enumerate(found) if stride > 1 and costs[i] / stride <= left]
        if not thinned:
            return found
        thinnest = max(thinned, key=lambda i: found[i])
        left -= costs[thinnest] / found[thinnest]
        found[thinnest] //= 2


def _first(costs: Sequence[float], allowed: float, wanted: float) -> list[float]:
    """Seconds a call that each gets for the same number of readings; 0 for those that are too dear for that."""
    given, total = [0.0] * len(costs), 0.0
    cheap = []
    for i in sorted(range(len(costs)), key=lambda i: costs[i]):
        if (total + costs[i]) * wanted / 2 > allowed:
            break
        total += costs[i]
        cheap.append(i)
    often = min(wanted, 1.0, allowed / total if total else 1.0)
    for i in cheap:
        given[i] = costs[i] * often
    return given


def _next_power(ratio: float) -> int:
    """The power of two that is not below, bounded."""
    if ratio <= 1 + 1e-9:
        return 1
    if ratio >= 1 << LONGEST:
        return 1 << LONGEST
    return 1 << (int(-(-ratio // 1)) - 1).bit_length()


def level(demands: Sequence[float], total: float) -> float:
    """The height up to which every demand can be met: Σ min(demand, level) = ``total``, or infinity."""
    left, rest = max(total, 0.0), len(demands)
    for demand in sorted(demands):
        if demand * rest > left:
            return left / rest
        left, rest = left - demand, rest - 1
    return float("inf")
