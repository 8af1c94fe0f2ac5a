"""What was found on a curve over sizes, in sentences that are true of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runopsy.report.words import number, place, span
from runopsy.study.size_curve import Place

if TYPE_CHECKING:
    from runopsy.study.sizes import SizeCurve

OVER = {"examples": "over data", "tokens": "over data"}
MOST_NAMED = 12  # sizes in a sentence


def sentences(curve: SizeCurve, by: str, kind: str) -> tuple[str, ...]:
    """The course of the curve, its threshold, and what each means for the sizes."""
    course = _course(curve, by, kind)
    threshold = _threshold(curve, by)
    return tuple(s for s in (course, threshold, *_advice(curve, by)) if s)


def _course(curve: SizeCurve, by: str, kind: str) -> str:
    turns, name = curve.turns, curve.name
    size, value = curve.points.size, curve.points.value
    ends = f"from {number(value[0])} at {by} {place(size[0])} to {number(value[-1])} at {place(size[-1])}"
    if turns.lone_peak is not None:
        return (
            f"{name} is highest at {by} {place(turns.lone_peak)}, but one training alone makes that peak: more seeds "
            "are needed to distinguish it from chance."
        )
    if turns.peak is None:
        if turns.first_minimum is not None:
            low = turns.first_minimum
            return (
                f"{name} is lowest, {number(low.value or 0)}, at {by} {_at(low)} and rises beyond it, up to "
                f"{number(value[-1])} at {place(size[-1])}; no second descent is seen up to there."
            )
        what = {(-1,): "falls", (1,): "rises", (): "does not move beyond noise"}.get(turns.directions, "turns")
        return f"{name} {what}, {ends}; no peak stands out from the noise."
    peak = turns.peak
    if turns.first_minimum is None:
        return (
            f"{name} rises to a peak of {number(peak.value or 0)} at {by} {_at(peak)} and falls beyond it, to "
            f"{number(value[-1])} at {place(size[-1])}; no minimum before the peak stands out from the noise."
        )
    low = turns.first_minimum
    again = (
        f"{_since(curve, turns.second_descent)} it is better than in the first minimum: double descent "
        f"{OVER.get(kind, 'over models')}."
        if turns.second_descent is not None
        else f"up to {place(size[-1])} it does not come below the first minimum."
    )
    return (
        f"{name} falls to a first minimum of {number(low.value or 0)} at {by} {_at(low)}, rises to a peak of "
        f"{number(peak.value or 0)} at {_at(peak)} and falls again; {again}"
    )


def _since(curve: SizeCurve, second: float) -> str:
    """Whether every size from the second descent on is better than the first minimum, or only some are."""
    points, low = curve.points, curve.turns.first_minimum
    beyond = points.value[points.size >= second]
    stays = low is not None and low.value is not None and bool((beyond < low.value).all())
    return f"from {place(second)} on" if stays else f"at {place(second)}, though not at every size beyond,"


def _at(found: Place) -> str:
    low, high = found.interval
    return place(found.at) if low == high else f"{place(found.at)} (between {span(low, high).replace(' – ', ' and ')})"


def _threshold(curve: SizeCurve, by: str) -> str:
    at, peak = curve.threshold, curve.turns.peak
    if at is None:
        return ""
    where = f"Training just fits its data at {by} {_at(at)}"
    if peak is None:
        return f"{where}."
    meets = at.interval[0] <= peak.interval[1] and peak.interval[0] <= at.interval[1]
    return f"{where}: the peak stands {'at' if meets else 'apart from'} this interpolation threshold."


def _advice(curve: SizeCurve, by: str) -> tuple[str, ...]:
    if not curve.beside:
        return ()
    listed = ", ".join(place(size) for size in curve.beside[:MOST_NAMED])
    more = f" and {len(curve.beside) - MOST_NAMED} more" if len(curve.beside) > MOST_NAMED else ""
    nearer = "the first minimum" if curve.turns.first_minimum else "the better end of the sweep"
    return (f"Beside the peak, nearer to it in {curve.name} than to {nearer}: {by} {listed}{more}.",)


def regime(curve: SizeCurve, by: str, size: float) -> str:
    """In which regime a size is."""
    turns, here = curve.turns, f"{by} {place(size)}"
    first, last = curve.points.size[0], curve.points.size[-1]
    if not first <= size <= last:
        return f"{here} lies outside the sizes that were trained, {place(first)} to {place(last)}."
    if turns.peak is None:
        return f"{here}: {_course(curve, by, '')}"
    low, peak, second = turns.first_minimum, turns.peak, turns.second_descent
    if curve.beside and curve.beside[0] <= size <= curve.beside[-1]:
        return f"{here} is in the critical regime around the peak at {place(peak.at)}: {_elsewhere(curve)}."
    if size < peak.at:
        side = "before" if low is None or size > low.at else "in" if size == low.at else "below"
        of = f"the peak at {place(peak.at)}" if side == "before" else f"the first minimum at {place(low.at)}"  # type: ignore[union-attr]  # only "before" has none
        return f"{here} is in the under-parametrised regime, {side} {of}."
    if second is not None and size >= second:
        return f"{here} is beyond the second descent, where {curve.name} is better than in the first minimum."
    falls = f"where {curve.name} falls but is not yet better than in the first minimum"
    if low is None:
        falls = f"where {curve.name} falls again"
    return f"{here} is beyond the peak at {place(peak.at)}, {falls}."


def _elsewhere(curve: SizeCurve) -> str:
    low, second = curve.turns.first_minimum, curve.turns.second_descent
    smaller = [] if low is None else [f"{place(low.at)} is better"]
    larger = [] if second is None else [f"{place(second)} or more is better still"]
    return " and ".join(smaller + larger) or "sizes farther from it are better"
