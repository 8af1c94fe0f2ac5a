"""What is known after a look, as a page for a terminal or as lines for a file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from runopsy.model import Autopsy, Severity
from runopsy.report.document import Block, Document, Finding, Findings, Heading, Prose
from runopsy.report.pictures import TONES, picture
from runopsy.report.terminal import render
from runopsy.report.words import duration, odds, place, plain, span, visible
from runopsy.watch.confirmation import REVISED, Sighting, due, is_open
from runopsy.watch.looking import News, View, as_reported

SHOWN = 12  # events on a page: the newest; the report has them all
ALLOWANCE = "so far: many runs that memorize generalise later, so this is no alarm"


def page(view: View, width: int | None = None, *, color: bool = False) -> str:
    """The page of a terminal."""
    if view.autopsy is None:
        return f"{visible(view.path)}: waiting, {visible(view.waiting)}\n"
    title = f"{view.autopsy.run.id}  ·  {where(view)}"
    return render(Document(title, tuple(_blocks(view, view.autopsy))), width=width, color=color)


def _blocks(view: View, autopsy: Autopsy) -> Iterator[Block]:
    yield Prose(state(view))
    if view.last > autopsy.last:
        yield Prose(f"phase and curves are of {autopsy.axis} {place(autopsy.last)}; newer rows were glanced at")
    yield Heading("Events")  # above the curves: a low window shows them
    items = tuple(_item(view, s) for s in view.ledger.sightings[-SHOWN:] if s.number in view.words)
    if items:
        yield Findings(items)
    else:
        yield Prose("none so far")
    for note in view.notes:
        yield Prose(note)
    drawn = picture(autopsy)
    if drawn is not None:
        yield replace(drawn, numbers=None)


def where(view: View) -> str:
    """How far the run has come, and when that was seen."""
    assert view.autopsy is not None  # as it is asked of a run alone
    axis, last = view.autopsy.axis, view.last
    of = "" if view.total is None else f" of {place(view.total)}"
    left = "" if view.left is None else f", about {duration(view.left)} left"
    seen = time.strftime("%H:%M:%S", time.localtime(view.moment))
    return f"{axis} {place(last)}{of}, {view.rows:,} rows{left}, seen {seen}"


def state(view: View) -> str:
    """The phase now, since when and how sure."""
    autopsy = view.autopsy
    assert autopsy is not None  # as it is asked of a run alone
    if view.over:
        verdict = autopsy.verdict
        return f"It has ended ({plain(autopsy.run.status or 'finished')}): {plain(verdict.name)}, {verdict.why}"
    if not autopsy.phases:
        return f"No phase can be named yet: {autopsy.verdict.why}"
    phase = autopsy.phases[-1]
    turn = next((t for t in autopsy.transitions if t.step == phase.start), None)
    since = f"since {autopsy.axis} {place(phase.start)}"
    if turn is not None and turn.interval is not None and turn.interval[1] > turn.interval[0]:
        since += f" ({span(*turn.interval)})"
    sure = "" if phase.confidence is None else ", right about {} times in {}".format(*odds(phase.confidence))
    memorizes = f"; {ALLOWANCE}" if phase.label == "memorization" else ""
    return f"{plain(phase.label)} {since}{sure}{memorizes}"


def _item(view: View, s: Sighting) -> Finding:
    words = as_reported(s, view.words[s.number])
    if not s.is_reported:
        then = "reported as so far" if is_open(s.event) else "confirmed"
        return Finding(
            words.title,
            "plain",
            words.where,
            f"{words.text} (provisional: {then} if every look until row {due(s):,} finds it)",
        )
    return Finding(words.title, TONES[s.event.severity], words.where, f"{words.text}{_gone(view, s)}")


def _gone(view: View, s: Sighting) -> str:
    """What became of a reported event that is found no more, or what one that is found has become of."""
    if s.here:
        old = (view.words[o.number] for o in view.ledger.revised_by(s) if o.number in view.words)
        return "".join(f" (reported before as {words.title}, {words.where})" for words in old)
    became = _became(view, s)
    return (
        f" (so it was until then; what became of it: {became})"
        if became
        else " (no longer found in the log as it is now)"
    )


def _became(view: View, s: Sighting) -> str:
    """The titles of what is found now in place of an event that is found no more; empty where that is nothing."""
    now = [other.event.kind for other in view.ledger.sightings if other.here]
    return ", ".join(plain(kind) for kind in dict.fromkeys(now) if kind in REVISED.get(s.event.kind, ()))


# --- lines ---------------------------------------------------------------------------------------


def lines(before: View | None, view: View) -> Iterator[str]:
    """What has changed since the view before, a line each: for a pipe, a file, the journal of a service."""
    stamp = time.strftime("%H:%M:%S", time.localtime(view.moment))
    name = visible(view.path)
    if view.autopsy is None:
        if before is None or before.waiting != view.waiting:
            yield f"{stamp} {name}: waiting, {visible(view.waiting)}"
        return
    known = before.autopsy if before is not None else None
    if known is None:
        yield f"{stamp} {name}: {where(view)}"
    for note in view.notes:
        if before is None or note not in before.notes:
            yield f"{stamp} {visible(note)}"
    earlier_state = (_phase(known), None if before is None else before.over)
    if (_phase(view.autopsy), view.over) != earlier_state and not view.over:
        yield f"{stamp} {where(view).partition(',')[0]}: {visible(state(view))}"
    earlier = {} if before is None else {s.number: s for s in before.ledger.sightings}
    for s in view.ledger.sightings:
        old = earlier.get(s.number)
        words = view.words.get(s.number)
        if words is None or (not s.is_reported and old is not None):
            continue
        if not s.is_reported:
            yield f"{stamp} provisional: {words.title}, {words.where}"
        elif not s.here and (old is None or old.here) and s.became not in {new.number for new in view.ledger.fresh}:
            became = _became(view, s)
            yield f"{stamp} no longer found{' as such' if became else ''}: {words.title}, {words.where}" + (
                f" (what becomes of it: {became})" if became else ""
            )
    for news in view.news:
        yield f"{stamp} {line(news)}"


def line(news: News) -> str:
    """One event that is confirmed, or so far."""
    grave = "" if news.severity is Severity.INFO else f"{str(news.severity).upper()} "
    return f"{grave}{news.title}, {news.where}: {visible(news.text)}"


def _phase(autopsy: Autopsy | None) -> tuple[str, float] | None:
    """The label alone moves the line: the place of a phase's start is estimated anew at every look."""
    return None if autopsy is None or not autopsy.phases else (autopsy.phases[-1].label, len(autopsy.phases))
