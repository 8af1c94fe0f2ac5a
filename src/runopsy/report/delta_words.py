"""How one difference is written: what moved, which way, by how much, and whether beyond noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runopsy.kinds import KINDS
from runopsy.model import Change, Comparison, Difference, Extra
from runopsy.report.words import duration, number, percent, place, plain

PHASES: Mapping[str, str] = {"converged": "convergence", "diverged": "divergence"}  # as nouns; the others are some
WHOLE = ("step", "row", "tokens")  # counted in whole numbers, though a fitted curve passes between them
UNSEEN = 0.05  # seconds: printed as 0.0
UNTOLD = 0.0005  # of A: printed as 0.0 %
LITTLE, MUCH = 0.1, 3.0  # times A: beyond them a factor reads better than a percentage


def subject(d: Difference) -> str:
    if d.kind == "event":
        return plain(d.what) if d.what.endswith("grokking") else f"the {plain(d.what)}"
    if d.kind == "lasts":
        return f"the length of {plain(d.what)}"
    return f"the time to {d.what}" if d.kind in ("reach", "wall") else f"the beginning of {_phase(d.what)}"


def _phase(label: str) -> str:
    return PHASES.get(label, plain(label))


def title(d: Difference) -> str:
    if d.kind == "lasts":
        return f"{plain(d.what)} lasts"
    return f"{_phase(d.what)} begins" if d.kind == "begins" else subject(d).removeprefix("the ")


def shifted(d: Difference) -> str:
    """What moved, which way and by how much."""
    if d.kind == "lasts" and d.by:
        return f"{plain(d.what)} is {_by(d)}"
    return f"{_phase(d.what)} begins {_by(d)}" if d.kind == "begins" else f"{subject(d)} comes {_by(d)}"


def lone(e: Extra) -> str:
    side, other, n = e.side.upper(), "A" if e.side == "b" else "B", len(e.steps)
    first = place(round(e.steps[0]) if e.steps[0] >= 1 else e.steps[0])
    runs = f" ({e.runs} runs)" if e.runs > 1 else ""
    if e.kind == "phase":
        perhaps = "" if e.sure else ", which is uncertain"
        return f"only {side} has a {plain(e.what)} phase, from {first} on{runs}{perhaps}"
    kind = KINDS.get(e.what)
    if kind is not None and kind.plural:
        text = f"{_one(kind.title)} at {first}" if n == 1 else f"{n} {kind.plural}, the first at {first}"
        return f"{side} has {text}{runs}, where {other} has none"
    return f"only {side} has {_one(plain(e.what))}, at {first}{runs}"


def _one(title: str) -> str:
    """With its article; what cannot be counted has none."""
    if title.endswith("finite") or title == "grokking":
        return title
    return f"{'an' if title[0] in 'aeiou' else 'a'} {title}"


def _by(d: Difference) -> str:
    if d.by is None or d.middle_a is None or d.middle_b is None:
        return f"in {_seen(d.a)} of A and {_seen(d.b)} of B"
    if d.unit == "loss":
        return f"at a training loss of {number(_loss(d.middle_b))} instead of {number(_loss(d.middle_a))}"
    if d.by == 0:
        return "at the same place"
    extra = [ratio(d).lstrip("+−")] if ratio(d) else []
    if d.seconds is not None and abs(d.seconds) >= UNSEEN:
        against = d.seconds * d.by < 0
        extra.append(f"but {duration(abs(d.seconds))} {_when(d.seconds)}" if against else duration(abs(d.seconds)))
    details = f" ({', '.join(extra)})" if extra else ""
    way = ("longer" if d.by > 0 else "shorter") if d.kind == "lasts" else _when(d.by)
    return f"{_length(abs(d.by), d.unit)} {way}{details}"


def _when(by: float) -> str:
    return "later" if by > 0 else "earlier"


def _seen(runs: Sequence[float | None]) -> str:
    return f"{sum(r is not None for r in runs)} of {len(runs)} runs"


def noise(c: Comparison) -> str:
    return "the intervals" if c.chance is None else "seed noise"


def judged(c: Comparison, d: Difference) -> str:
    if d.by == 0:
        return "the same"
    if d.change is Change.REAL:
        return f"beyond {noise(c)}"
    if d.kind in ("wall", "pace"):
        return ""  # no log shows what else a machine did
    if d.change is Change.OPEN:
        return "uncertain" if c.chance is None else "too few runs"
    inside = d.interval_a is not None and d.interval_b is not None and _meet(d.interval_a, d.interval_b)
    if inside:
        return "within the intervals"
    if d.p is not None:
        return "within seed noise" if c.least_p is None or d.p > c.least_p or c.outcome == "seed_noise" else "too close"
    return "as a seed does" if c.outcome == "seed_noise" else "too close to decide"


def _meet(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]


def cell(
    c: Comparison,
    d: Difference,
    runs: Sequence[float | None],
    middle: float | None,
    interval: tuple[float, float] | None,
) -> str:
    """The place of one run with its interval; of several their median, and from where to where they lie."""
    seen = [r for r in runs if r is not None]
    missing = f" in {len(seen)} of {len(runs)}" if len(seen) < len(runs) else ""
    if middle is None:
        return f"{_place(c, d, min(seen))}…{missing}" if seen else "not seen"
    if d.unit == "phase":
        ends = None  # in words it would fill the line
    elif len(runs) == 1:
        ends = interval if interval is not None and d.unit and d.kind != "lasts" else None
    else:
        ends = (min(seen), max(seen))
    places = [] if ends is None or ends[0] == ends[1] else [_place(c, d, end) for end in ends]
    spread = f" ({'–'.join(dict.fromkeys(places))})" if places else ""
    return f"{_place(c, d, middle)}{spread}{missing}"


def _place(c: Comparison, d: Difference, position: float) -> str:
    if d.unit == "loss":
        return number(_rough(_loss(position)))
    if d.unit in ("time", "s"):
        return _duration(position)
    if d.unit == "phase":
        return reached(c, position)
    if d.unit in WHOLE:
        return place(round(position))
    return place(position) if d.unit else number(position)


def signed(c: Comparison, d: Difference) -> str:
    if d.by is None:
        return ""
    if d.by == 0:
        return "0"
    if d.unit == "loss":
        return f"× {number(float(10**-d.by))}"
    size = _length(abs(d.by), d.unit) if d.unit in ("time", "s", "phase") else _place(c, d, abs(d.by))
    return f"{'+' if d.by > 0 else '−'}{size}"


def ratio(d: Difference) -> str:
    """A difference as a share of A; a factor where percentages mean nothing."""
    if d.share is None or abs(d.share) < UNTOLD:
        return ""
    if not LITTLE < 1 + d.share < MUCH and 1 + d.share > 0:
        return f"× {number(_rough(1 + d.share))}"
    return f"{'+' if d.share > 0 else '−'}{percent(abs(d.share))}"


def _rough(value: float) -> float:
    """Two digits: ends of a range are rarely known better, and the table stays in its columns."""
    return float(f"{value:.2g}")


def _length(count: float, axis: str) -> str:
    if axis in ("time", "s"):
        return _duration(count)
    if axis == "phase":
        return f"{percent(count)} of a phase"
    return f"{place(count)} {axis}{'' if count == 1 or axis == 'tokens' else 's'}"


def by_clock(seconds: float | None, axis: str) -> str:
    """A difference of seconds; nothing where the axis itself counts them."""
    if seconds is None or axis == "time":
        return ""
    return "0" if abs(seconds) < UNSEEN else f"{'+' if seconds > 0 else '−'}{duration(abs(seconds))}"


def _duration(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 or seconds == 0 else f"{number(_rough(seconds))} s"


def _loss(position: float) -> float:
    return float(10**-position)


def between(c: Comparison, low: float, high: float) -> str:
    if reached(c, low) == reached(c, high):
        return reached(c, high)
    return f"{reached(c, low)} to {reached(c, high).removeprefix(f'{c.align} ')}"


def reached(c: Comparison, at: float) -> str:
    """A place on the common axis in words."""
    if c.align == "loss":
        return f"training loss {number(_loss(at))}"
    if c.align == "phase":
        phases = (c.laid_a if len(c.laid_a.phases) >= len(c.laid_b.phases) else c.laid_b).phases
        here = next((p for p in phases if p.start <= at < p.end), phases[-1])
        share = (at - here.start) / max(here.end - here.start, 1e-12)
        return f"{percent(share)} of {plain(here.label)}"
    return _duration(at) if c.align == "time" else f"{c.align} {place(at)}"


def differences_shown(c: Comparison) -> list[Difference]:
    """What is shown of events and phases: where they begin, and laid phase on phase how long they last."""
    return [*c.events, *(d for d in c.phases if (d.kind == "lasts") == (c.align == "phase"))]
