"""Autopsy → Document: the only place with sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runopsy.kinds import KINDS
from runopsy.model import Autopsy, Event, Evidence, Outcome, Position, Stop
from runopsy.report import backing
from runopsy.report.advice import advise
from runopsy.report.document import Block, Document, Finding, Findings, Heading, Headline, Prose, Steps
from runopsy.report.first_screen import TEXT, first_screen, more, phases_by
from runopsy.report.moves import moves
from runopsy.report.pictures import TONES as SEVERITY
from runopsy.report.pictures import picture
from runopsy.report.words import duration, number, odds, percent, place, plain
from runopsy.version import VERSION

if TYPE_CHECKING:
    from runopsy.model import Breakdown, Item

TONES: Mapping[str, str] = {
    "healthy": "good",
    "grokked": "good",
    "double_descent": "plain",
    "undertrained": "warn",
    "underfit": "warn",
    "overfit": "warn",
    "memorized": "warn",
    "diverged": "bad",
    "unstable": "bad",
    "inconclusive": "plain",
}
REPLIES: Mapping[str, str] = {"yes": "good", "no": "warn", "unknown": "plain"}
FEW = 3  # pieces of evidence that a sentence names; the list of evidence has them all
MOST_LEFT = 6  # signals that left their range, by name
OWN_WORDS = ("lr", "batch_size", "step", "train/loss")  # their sentences name them already


@dataclass(frozen=True, slots=True)
class Bill:
    """What an hour costs: turns wall time into GPU-hours and money."""

    gpus: float | None = None
    price: float | None = None  # of one GPU-hour, in any currency


FREE = Bill()


def compose(autopsy: Autopsy, bill: Bill = FREE, further: Sequence[Block] = ()) -> Document:
    """The report of one run; ``further`` stands after where it would have been best to stop."""
    numbers = backing.numbered(autopsy)
    title = f"{autopsy.run.id}  ·  {autopsy.axis} {place(autopsy.first)} to {place(autopsy.last)}"
    blocks = [
        *_verdict(autopsy),
        *_pictured(autopsy),
        *_happened(autopsy, numbers),
        *_before(autopsy),
        *_stopping(autopsy, bill),
        *further,
        *_next(autopsy),
        *_checklist(autopsy),
        *_recorded(autopsy),
        *backing.evidence(numbers),
        *backing.transitions(autopsy),
        *backing.not_checked(autopsy),
        *backing.quiet(autopsy),
        *backing.meaning(),
        *backing.notes(autopsy),
        *backing.recording_cost(autopsy),
        *moves(autopsy),
        *backing.other_signals(autopsy),
        *backing.thresholds(autopsy),
    ]
    foot = f"Made by runopsy {VERSION} from the log alone."
    first = (*_first(autopsy), *further, *_checklist(autopsy))
    return Document(title, tuple(blocks), foot, first, more(autopsy))


def _recorded(autopsy: Autopsy) -> Iterator[Block]:
    """What the recorder alone sees; a log of another's loads none of it."""
    if autopsy.regime is not None or autopsy.levels:
        from runopsy.report import readout, regime

        yield from readout.section(autopsy)
        yield from regime.section(autopsy)
    if autopsy.examples is not None:
        from runopsy.report import watched_examples

        yield from watched_examples.section(autopsy)
    if autopsy.groups is not None:
        from runopsy.report import groups

        yield from groups.section(autopsy)
    if autopsy.levels:
        from runopsy.report import inside

        yield from inside.section(autopsy)


def _first(autopsy: Autopsy) -> tuple[Block, ...]:
    drawn, stop = picture(autopsy), autopsy.stop
    found = [(event, _in_brief(autopsy, event)) for event in autopsy.events]
    timelines = () if drawn is None else drawn.timelines
    best = "" if stop is None else _best(autopsy, stop)
    return tuple(first_screen(autopsy, _headline(autopsy), timelines, found, best, advise(autopsy)))


def _headline(autopsy: Autopsy) -> Headline:
    verdict = autopsy.verdict
    text = verdict.why
    if verdict.name == "memorized":
        text += f" ({autopsy.axis} {place(autopsy.last)}); more training may still change that"
    sure = "" if verdict.confidence is None else "right about {} times in {}".format(*odds(verdict.confidence))
    return Headline(plain(verdict.name), TONES.get(verdict.name, "plain"), text, sure)


def _verdict(autopsy: Autopsy) -> Iterator[Block]:
    yield _headline(autopsy)
    if ended := _at_the_end(autopsy):
        yield Prose(ended)


def _at_the_end(autopsy: Autopsy) -> str:
    ended = "; ".join(_ended(e) for e in autopsy.verdict.evidence)
    return f"At the end: {ended}." if ended else ""


def _ended(e: Evidence) -> str:
    if not math.isfinite(e.observed):
        return f"{e.signal} not finite"
    best = "" if e.limit is None or number(e.limit) == number(e.observed) else f" (best {number(e.limit)})"
    return f"{e.signal} {number(e.observed)}{best}"


def _pictured(autopsy: Autopsy) -> Iterator[Block]:
    drawn = picture(autopsy)
    if drawn is None:
        return
    if drawn.timelines:
        yield phases_by(drawn.timelines[0].scale)
    yield drawn


def _happened(autopsy: Autopsy, numbers: backing.Numbers) -> Iterator[Block]:
    yield Heading("What happened")
    marks = [m for m in autopsy.run.marks if m.kind not in (*KINDS, "not_a_run")]  # the others stand elsewhere
    if not autopsy.events and not marks:
        asked = sum(c.outcome is not Outcome.NOT_CHECKED for c in autopsy.checks)
        yield Prose(f"No event was found; {asked} of {len(autopsy.checks)} rules could be checked.")
        return
    found = [(e.step, finding(autopsy, e, numbers[i])) for i, e in enumerate(autopsy.events)]
    noted = [
        (m.step, Finding(plain(m.kind), "plain", f"{autopsy.axis} {place(m.step)}", _marked(m.detail))) for m in marks
    ]
    yield Findings(tuple(finding for _, finding in sorted([*found, *noted], key=lambda pair: pair[0])))


def finding(autopsy: Autopsy, event: Event, proof: Sequence[tuple[str, Evidence]] = ()) -> Finding:
    """An event in words: its title, where, and a sentence; ``proof`` is its evidence as the report numbers it."""
    kind = KINDS[event.kind]
    where = f"{autopsy.axis} {place(event.step)}"
    if event.until is not None and event.until > event.step:
        where += f" – {place(event.until)}"
    text = kind.sentence
    if kind.detail:
        text += f": {_detail(event)}"
    if event.kind == "grokking":
        text += _grokking(event, autopsy.first)
    if event.kind == "memorization_onset" and (rose := _evidence(event, "accuracy")) is not None:
        gain = f"{number(rose.limit or 0.0)} to {number(rose.observed)}"
        text = f"validation loss rises from here on while its accuracy rises too ({gain}), and training improves"
    if event.interval is None:
        text += "; where exactly is unresolved"
    elif event.interval[1] - event.interval[0] > 0.01 * max(event.step - autopsy.first, 1):
        text += f"; between {place(event.interval[0])} and {place(event.interval[1])}"
    return Finding(kind.title, SEVERITY[event.severity], where, text, tuple(ref for ref, _ in proof))


def _evidence(event: Event, name: str) -> Evidence | None:
    return next((e for e in event.evidence if e.name == name), None)


def _in_brief(autopsy: Autopsy, event: Event) -> Finding:
    """An event for who has two lines: what was measured, where its title holds the rest."""
    whole, kind = finding(autopsy, event), KINDS[event.kind]
    return replace(whole, text=_detail(event)) if kind.detail and len(whole.text) > TEXT else whole


def _detail(event: Event) -> str:
    """What the evidence shows, with the name of the signal where the words do not hold it."""
    shown = event.evidence[:1] if event.kind == "common_change" else event.evidence  # the matrix has the rest
    texts = [e.text if e.signal in e.text or e.signal in OWN_WORDS else f"{e.signal} {e.text}" for e in shown]
    left = len(texts) - FEW
    return "; ".join(texts[:FEW]) + (f"; and {left} more" if left > 0 else "")


def _grokking(event: Event, first: Position) -> str:
    """From onset to completion, how late, and whether it lasted."""
    fitted = event["fitted"].step
    text = f", after {(event.step - first) / max(fitted - first, 1.0):.1f} x the steps that fitting took"
    text += f"; it rose from {place(event['onset'].step)} to {place(event['complete'].step)}"
    best = event["best"]
    if best.limit is not None and best.observed < best.limit:
        text += f"; partial, it reached {number(best.observed)}"
    for e in event.evidence:
        if e.name in ("rate", "aftermath"):
            text += f"; {e.text}" + ("" if e.signal == "lr" else f" at {number(e.observed)}")
    return text


def _marked(detail: Mapping[str, object]) -> str:
    own = {k: v for k, v in detail.items() if k not in ("time", "session")}
    return "noted by the training script" + (f": {', '.join(f'{k}={v}' for k, v in own.items())}" if own else "")


def _before(autopsy: Autopsy) -> Iterator[Block]:
    """What left its range before the run broke; nothing of a log that holds no further signals."""
    asked = [one for one in autopsy.breakdowns if one.asked or autopsy.levels]
    if asked:
        yield Heading("Before it broke")
        yield from (Prose(_announced(one, autopsy.axis)) for one in asked if one.asked)
        if not all(one.asked for one in asked):
            places = ", ".join(place(one.step) for one in asked if not one.asked)
            why = "no recorded signal has readings enough before it to know its range"
            yield Prose(f"Not checked at {autopsy.axis} {places}: {why}.")


def _announced(breakdown: Breakdown, axis: str) -> str:
    what = f"{plain(breakdown.kind).capitalize()} at {axis} {place(breakdown.step)}"
    if not breakdown.left:
        return f"{what}: none of {breakdown.asked} recorded signals left its range in its last readings before it."
    ways = "; ".join(
        f"{one.signal} at {place(one.step)} ({'up' if one.up else 'down'} to {number(one.value)})"
        for one in breakdown.left[:MOST_LEFT]
    )
    more = f"; and {len(breakdown.left) - MOST_LEFT} more" if len(breakdown.left) > MOST_LEFT else ""
    count = f"{len(breakdown.left)} of {breakdown.asked} recorded signals left their range before it"
    return f"{what}: {count}: {ways}{more}. Which came first is known, not what caused it."


def _stopping(autopsy: Autopsy, bill: Bill) -> Iterator[Block]:
    stop, axis = autopsy.stop, autopsy.axis
    if stop is None:
        return
    yield Heading("Where it would have been best to stop")
    text = f"{_best(autopsy, stop)}."
    if stop.other is not None:
        signal, step, value = stop.other
        text += f" By {autopsy.called(signal)} it is another: {number(value)} at {axis} {place(step)}."
    yield Prose(text)
    if bill.gpus is not None and stop.wasted_steps > 0:
        yield Prose(_cost(autopsy, stop, bill))
    yield Prose("This is the best step of this run only; another schedule can have another best step.")


def _best(autopsy: Autopsy, stop: Stop) -> str:
    """The best step, and what came after it."""
    axis, lowest = autopsy.axis, stop.lower_is_better
    text = f"{'Lowest' if lowest else 'Highest'} {autopsy.called(stop.signal)} {number(stop.best)}"
    text += f" at {axis} {place(stop.best_step)}"
    if stop.wasted_steps <= 0:
        after = f"; {_steps(stop.unread_steps, axis)} after it were not validated" if stop.unread_steps > 0 else ""
        return f"{text}, the last validation{after}"
    text += f"; {_steps(stop.wasted_steps, axis)}"
    text += f" ({duration(stop.wasted_seconds)})" if stop.wasted_seconds else ""
    return f"{text} came after it and ended {_worse(stop)} ({number(stop.last)})"


def _cost(autopsy: Autopsy, stop: Stop, bill: Bill) -> str:
    """What came after the best step, in GPU-hours and in money."""
    if stop.wasted_seconds is None or bill.gpus is None:
        return "What that cost is not known: the log holds no times."
    hours = stop.wasted_seconds / 3600 * bill.gpus
    hours_text = number(float(f"{hours:.2g}")) if hours < 10 else f"{hours:,.0f}"
    text = f"On {number(bill.gpus)} GPU{'' if bill.gpus == 1 else 's'} that is {hours_text} GPU-hours"
    if bill.price is not None:
        money = hours * bill.price
        text += f", or {f'{money:,.2f}' if money >= 0.01 else 'less than 0.01'} at {bill.price:,.2f} an hour"
    if any(e.kind == "resume" and e.step > stop.best_step for e in autopsy.events):
        text += "; pauses between sessions are counted in it"
    return f"{text}."


def _next(autopsy: Autopsy) -> Iterator[Block]:
    steps = advise(autopsy)
    if steps:
        yield Heading("What to try next")
        yield Steps(steps)


def _checklist(autopsy: Autopsy) -> Iterator[Block]:
    if autopsy.checklist:
        yield Heading("Checklist")
        yield Findings(tuple(map(_answered, autopsy.checklist)))


def _answered(item: Item) -> Finding:
    do = f" What to do: {item.do}." if item.do else ""
    return Finding(item.question, REPLIES[item.reply], item.reply.value, f"{item.evidence}.{do}")


def _steps(count: float, axis: str) -> str:
    return f"{place(count)} {axis}{'' if count == 1 else 's'}"


def _worse(stop: Stop) -> str:
    """How the run ended against its best; beyond a factor of ten, percentages mean nothing."""
    if stop.after_best < 0.0005:
        return "the same"
    if stop.within_noise:  # a share of the best row would measure that noise
        return "within its noise"
    if stop.best == 0:
        return "worse"
    return f"{percent(stop.after_best)} worse" if stop.after_best < 10 else "far worse"
