"""Before it broke: which recorded signals left their range in the rows before a divergence or a spike, in what order.

A signal's last readings before the event are compared with a straight line through those before them, and with how
far it has strayed from such lines earlier in the run: a signal that often leaps announces nothing by leaping. That one
signal left before another, and before the loss, is a coincidence in time and no cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runopsy.model import Counts, Event, Position, Signal
from runopsy.signal_specs import ERROR
from runopsy.stats import MAD_TO_SD, Floats

if TYPE_CHECKING:
    from runopsy.model import Breakdown, Precursor

BREAKS = ("divergence", "not_finite", "loss_jump", "loss_spike")  # kinds of events, those that matter most first
MOST_EVENTS = 3  # that are asked: of many spikes the first ones show what there is
WINDOW = (5, 20)  # readings before the event that are asked: a share of all before it, within these
SHARE = 1 / 25
PAST = 20  # readings before those, at least and twice as many as are asked: a line is laid through them
FEWEST = 10  # earlier windows: with fewer, how far a signal usually strays is not known
MOST = 400  # earlier windows, the latest ones: more cost time
USUAL = 2.0  # x the farthest that it has strayed before
FLOOR = 1e-3  # of what the readings of the line span: a rate that is set has no noise
# What a break shows itself in, what was set beforehand, what is counted: none announces it.
LEFT_OUT = ("train/", "val/", "val.", "eval/", "examples/", "groups/", "canary/", "recorder/", "reward", "player/",
            "epoch", "step", "tokens", "samples", "time")  # fmt: skip


def before_it_broke(events: Sequence[Event], signals: Mapping[str, Signal], outlier: float) -> tuple[Breakdown, ...]:
    """Of the gravest events, what left its range before each; empty for a run that did not break.

    Args:
        events: of the run.
        signals: all of them.
        outlier: standard deviations around its line beyond which a reading stands out, as a spike does.
    """
    gone = min((e.step for e in events if e.kind == "divergence"), default=np.inf)  # after it, all is lost
    found = (e for e in events if e.kind in BREAKS and e.step <= gone)
    breaks = sorted(found, key=lambda e: (BREAKS.index(e.kind), e.step))
    asked = {name: one for name, one in signals.items() if not name.startswith(LEFT_OUT) and not name.endswith(ERROR)}
    others = [e.step for e in breaks]
    answers = [_before(event, asked, others, outlier) for event in breaks[:MOST_EVENTS]]
    return tuple(sorted(answers, key=lambda one: one.step))


def _before(event: Event, signals: Mapping[str, Signal], others: Sequence[Position], outlier: float) -> Breakdown:
    from runopsy.model import Breakdown

    looked = {name: _course(one, event.step, others) for name, one in signals.items()}
    courses = {name: course for name, course in looked.items() if course is not None}
    left = [found for name, course in courses.items() if (found := _left(name, course, outlier)) is not None]
    return Breakdown(event.kind, event.step, len(courses), tuple(sorted(left, key=lambda one: (one.step, -one.sigmas))))


@dataclass(frozen=True, slots=True, eq=False)
class _Course:
    """The last readings of a signal before an event, in standard deviations around the line before them."""

    step: Floats  # (w,)
    value: Floats  # (w,)
    strayed: Floats  # (w,) with its sign
    usual: float  # the farthest of earlier windows


def _course(signal: Signal, event: Position, others: Sequence[Position]) -> _Course | None:
    """None where too little was read before the event, or nothing ever moved."""
    n = int(np.searchsorted(signal.step, event))
    window = int(np.clip(SHARE * n, *WINDOW))
    past = max(PAST, 2 * window)
    starts = np.arange(n - window, past - 1, -window)[: MOST + 1]
    if len(starts) <= FEWEST:
        return None
    value = signal.value[:n]
    scaled = np.log(value) if float(value.min()) > 0 else value
    step = signal.step[:n]
    calm = [a for a in starts[1:].tolist() if not any(step[a - past] <= at <= step[a + window - 1] for at in others)]
    rows = np.array(calm, dtype=np.int64)
    if len(rows) < FEWEST or float(np.ptp(scaled)) == 0:
        return None
    earlier = _strayed(scaled, rows, past, window)
    last = _strayed(scaled, starts[:1], past, window)[0]
    return _Course(step[-window:], value[-window:], last, float(np.abs(earlier).max()))


def _strayed(values: Floats, starts: Counts, past: int, window: int) -> Floats:
    """(m, window) how far readings from each start on lie from the line through the ``past`` ones before it."""
    at = np.arange(past) - (past - 1) / 2
    before = values[starts[:, None] + np.arange(-past, 0)[None, :]]
    slope = (before @ at) / (at @ at)
    middle = before.mean(axis=1)
    off = np.abs(before - middle[:, None] - slope[:, None] * at[None, :])
    spread = MAD_TO_SD * np.median(off, axis=1) + FLOOR * np.ptp(before, axis=1) + 1e-9 * np.abs(middle) + 1e-300
    ahead = np.arange(window) + at[-1] + 1
    wider = np.sqrt(1 + 1 / past + ahead**2 / (at @ at))
    asked = values[starts[:, None] + np.arange(window)[None, :]]
    line = middle[:, None] + slope[:, None] * ahead[None, :]
    return np.asarray((asked - line) / (spread[:, None] * wider[None, :]))


def _left(name: str, course: _Course, outlier: float) -> Precursor | None:
    """The first reading that left its range, if one did."""
    from runopsy.model import Precursor

    out = np.abs(course.strayed) > max(outlier, USUAL * course.usual)
    if not out.any():
        return None
    first = int(np.argmax(out))
    sigmas = float(course.strayed[first])
    return Precursor(name, float(course.step[first]), float(course.value[first]), abs(sigmas), sigmas > 0)
