"""Look after look at a growing log: when one is due, what it found, and what is to be reported.

A look examines the whole log, and is made as often as its cost allows. Between two, a glance at the new rows alone sees
what needs no autopsy (``glance``).
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from runopsy.autopsy import analyze
from runopsy.errors import RunopsyError
from runopsy.model import Autopsy, Run, Severity
from runopsy.readers.growing import Growing
from runopsy.report.compose import finding
from runopsy.report.words import plain
from runopsy.thresholds import DEFAULTS
from runopsy.watch.confirmation import REVISED, Ledger, Sighting, Words, confirm_at_once, follow, may_be_padding
from runopsy.watch.glance import Glance
from runopsy.watch.time_left import time_left, total_of

LOOK_ROWS = 10  # rows by which the log grows between two looks, at least
SETTLED = 5.0  # s without growth after which fewer rows than that are looked at too
# Shares of one core that looks at the whole log and glances at new rows may take: the pause after one is what it cost
# divided by this. Together, and with all else that a watch does, they stay below 2 %.
LOOKS, GLANCES = 0.01, 0.005
LOADING = 1.0  # s of the first look that loading libraries takes, about: no later one costs that
URGENT = 60.0  # s between two looks that are made at once, since a text has words for NaN or an error
RARE = 0.01  # words for NaN or an error a line: where they are usual, another is nothing to hurry for
PACE = 50  # newest times between two growths, whose median is the usual one
RUNNING = "running"
IDLE = 60.0  # s after which a recorded run whose status is running is looked at again: a kill changes no file
OVER = ("finished", "failed", "interrupted", "killed", "disk_full")  # statuses of a recorded run that has ended
Examine = Callable[[Run], Autopsy]


class Reported(NamedTuple):
    """An event as it was reported."""

    kind: str
    step: float
    so_far: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """One thing to be reported once: an event that is confirmed, or so far; a run that has ended or stands still."""

    kind: str  # of an event, "stalled" or "finished"
    title: str
    step: float
    where: str
    text: str
    severity: Severity
    revises: tuple[Reported, ...] = ()  # earlier reports that this one replaces
    so_far: bool = False  # rows to come may make another event of it


@dataclass(frozen=True, slots=True)
class View:
    """What is known after a look."""

    path: str
    autopsy: Autopsy | None  # None: nothing can be judged yet
    waiting: str  # what it waits for then
    ledger: Ledger
    rows: int
    moment: float  # unix s of the look, or of the glance at newer rows
    last: float = math.nan  # the newest position that was seen: newer than the autopsy's after a glance
    news: tuple[News, ...] = ()
    over: bool = False  # the run has ended, by its status or because its process is dead
    done: bool = False  # and as it was meant to: one that was killed or failed may be resumed
    total: float | None = None  # the last position, as the log or its owner names it
    left: float | None = None  # s until then, at the pace so far
    notes: tuple[str, ...] = ()
    words: Mapping[int, Words] = field(default_factory=dict)  # by the number of a sighting


class Watch:
    """A growing log and all that was seen of it. A context manager: it holds the log open.

    Args:
        path: of the log; it need not be there yet.
        which: of several runs, as ``--run`` takes it; by default the last.
        examine: what an autopsy is made by.
        total: the last position, where its owner names it.
        clock: unix seconds.
        ledger: what was seen before a restart.
        words: for it, by the number of a sighting.
        last: the last position that was seen before a restart.
    """

    def __init__(
        self,
        path: str,
        which: str | None = None,
        *,
        examine: Examine = analyze,
        total: float | None = None,
        clock: Callable[[], float] = time.time,
        ledger: Ledger | None = None,
        words: Mapping[int, Words] | None = None,
        last: float = -math.inf,
    ) -> None:
        self.path, self.total = path, total
        self.ledger, self.words, self.last = ledger or Ledger(), dict(words or {}), last
        self._log, self._examine, self._clock = Growing(path, which), examine, clock
        self._began = clock()
        self._seen: object = None  # stamp of the log at the last poll
        self._grew = self._began  # when it grew last
        self._between: deque[float] = deque(maxlen=PACE)
        self._glance: Glance | None = None  # what new rows are held against
        self._glance_due = -math.inf
        self._looked = -math.inf  # when the last look ended
        self._cost = 0.0  # s of processor that it took
        self._amount = 0.0  # of the log at that look, in its own unit
        self._per_row = 0.0  # of that unit
        self._stale = False  # something has changed since
        self._hurried = -math.inf  # when a look was made before its pause was over
        self._odd = 0  # words for NaN or an error in the text, as far as they have been understood
        self._unexplained = False  # whether there are such words that no glance could read
        self._stalled = self._ended = False
        waiting = "for the first look" if os.path.exists(path) else self._why_nothing()
        self.view = View(path, None, waiting, self.ledger, 0, self._began, words=self.words)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.__exit__()

    def poll(self) -> View | None:
        """The view after a look, if one is due or the run has come to a stand; None if there is nothing new."""
        now = self._clock()
        try:
            amount, stamp = self._log.amount(), self._log.stamp()
        except OSError as cause:  # no permission, a network file system that is away: it may come back
            return self._wait(f"it cannot be read: {cause.strerror or cause}")
        if stamp != self._seen:
            if self._seen is not None and amount:
                self._between.append(now - self._grew)
            self._seen, self._grew, self._stale, self._stalled = stamp, now, bool(amount), False
        if not amount:
            return self._wait(self._why_nothing())
        news = self._glanced(now) if self._stale else None
        if news is not None:
            return news
        if (self._stale and self._is_due(amount, now)) or self._may_be_dead(now):
            return self.look(amount)
        return self._standstill(now)

    def look(self, amount: float | None = None) -> View:
        """Examine the log as it is; what cannot be judged now may be later, and ends no watch."""
        amount = self._log.amount() if amount is None else amount
        if not amount and self.view.autopsy is None:
            return self._wait(self._why_nothing()) or self.view
        began, self._stale = time.process_time(), False
        try:
            run = self._log.read()
            rows = max((len(track) for track in run.tracks.values()), default=0)
            autopsy = self._examine(run)
        except RunopsyError as why:
            view = self._wait(why.message) or self._failed(why.message)
        except Exception as fault:  # of this program, or of a file system: the next look may do without it
            view = self._failed(f"this look failed, the next may not: {type(fault).__name__}: {fault}")
        else:
            view = self._judged(autopsy, rows)
            self._per_row = amount / max(rows, 1)
        cost = time.process_time() - began
        self._cost = cost if math.isfinite(self._looked) else max(cost - LOADING, 0.0)
        self._amount, self._odd, self._looked = amount, self._log.odd, self._clock()
        self._unexplained = False
        return view

    def _is_due(self, amount: float, now: float) -> bool:
        """Whether the log has grown enough, or stands still with something new in it, and a look may be paid."""
        if self._is_urgent(now):
            self._hurried = now
            return True
        if now < self._looked + self._cost / LOOKS:
            return False
        grown, enough = abs(amount - self._amount), math.floor(LOOK_ROWS * self._per_row)  # a header is no row
        return not self._per_row or grown >= enough or amount < self._amount or now - self._grew >= SETTLED

    def _is_urgent(self, now: float) -> bool:
        """Whether the run says that it has ended, or a text has words for NaN or an error that no glance explains."""
        autopsy = self.view.autopsy
        if autopsy is not None and autopsy.run.status == RUNNING and self._log.has_ended:
            return True
        return self._unexplained and now >= self._hurried + URGENT

    def _has_new_words(self, amount: float) -> bool:
        """Whether words for NaN or an error have appeared where there were hardly any."""
        return self._log.odd > self._odd and self._odd <= RARE * amount

    def _glanced(self, now: float) -> View | None:
        """The view with what the new rows show by themselves; None where that is nothing."""
        glance, autopsy = self._glance, self.view.autopsy
        if glance is None or autopsy is None:
            return None
        if now < self._glance_due and not (glance.awaits_nan and self._has_new_words(self._amount)):
            return None
        began = time.process_time()
        fresh = self._log.fresh()
        events = () if fresh is None else glance.see(fresh)
        self._unexplained = (fresh is None or bool(fresh.marks)) and self._has_new_words(self._amount)
        if not self._unexplained:
            self._odd = self._log.odd
        self._glance_due = now + (time.process_time() - began) / GLANCES
        self.ledger = confirm_at_once(self.ledger, events, glance.rows, (autopsy.first, glance.last))
        if not self.ledger.fresh:
            return None
        for s in self.ledger.fresh:
            found = finding(autopsy, s.event)
            self.words[s.number] = Words(found.what, found.where, found.text)
        self.last = glance.last
        self.view = replace(
            self.view, ledger=self.ledger, news=tuple(map(self._of, self.ledger.fresh)), rows=glance.rows,
            last=glance.last, moment=now, words=dict(self.words),
        )  # fmt: skip
        return self.view

    def _may_be_dead(self, now: float) -> bool:
        """Whether a recorded run has written nothing for a while: its process may have been killed."""
        autopsy = self.view.autopsy
        quiet = now - max(self._looked, self._grew)
        return autopsy is not None and autopsy.run.status == RUNNING and quiet >= IDLE

    def _why_nothing(self) -> str:
        return "it has no whole line yet" if os.path.exists(self.path) else "it does not exist yet"

    def _wait(self, why: str) -> View | None:
        if self.view.autopsy is None and why != self.view.waiting:
            self.view = replace(self.view, waiting=why, moment=self._clock())
            return self.view
        return None

    def _failed(self, why: str) -> View:
        """What was known before, without its news, and what hindered this look."""
        self.view = replace(self.view, news=(), notes=(why,), waiting=why)
        return self.view

    def _judged(self, autopsy: Autopsy, rows: int) -> View:
        if autopsy.last < self.last and rows < self.ledger.rows:  # another run under the same name
            self.ledger, self.words, self._ended = Ledger(), {}, False
            self._glance = None
        self.last = autopsy.last
        over = autopsy.run.status in OVER
        self._glance = Glance(autopsy, rows, self._glance)
        events = [e for e in autopsy.events if over or not may_be_padding(e, autopsy.signals)]
        events += [e for e in self._glance.standing if e.kind not in {event.kind for event in events}]
        self.ledger = follow(self.ledger, events, rows, (autopsy.first, autopsy.last), over=over)
        for s in self.ledger.sightings:
            if s.here:
                found = finding(autopsy, s.event)
                self.words[s.number] = Words(found.what, found.where, found.text)
        kept = {s.number for s in self.ledger.sightings}
        self.words = {number: words for number, words in self.words.items() if number in kept}
        news = [self._of(s) for s in self.ledger.fresh]
        if over and not self._ended:
            news.append(_ended(autopsy))
        self._ended = over
        total = self.total if self.total is not None else total_of(autopsy)
        notes = [f"of {self._log.several} runs the last is watched; --run NAME chooses"] if self._log.several else []
        if not self._log.is_incremental:
            notes.append("this format is read again at every look")
        self.view = View(
            path=self.path,
            autopsy=autopsy,
            waiting="",
            ledger=self.ledger,
            rows=rows,
            last=autopsy.last,
            moment=self._clock(),
            news=tuple(news),
            over=over,
            done=autopsy.run.status == "finished",
            total=total,
            left=None if over or total is None else time_left(autopsy, total),
            notes=tuple(notes),
            words=self.words,
        )
        return self.view

    def _of(self, s: Sighting) -> News:
        words, old = as_reported(s, self.words[s.number]), self.ledger.revised_by(s)
        text, before = words.text, [as_reported(o, self.words[o.number]) for o in old if o.number in self.words]
        if before:
            text += f"; it replaces an earlier report: {'; '.join(f'{one.title}, {one.where}' for one in before)}"
        earlier = tuple(
            Reported(o.event.kind, o.event.step if o.reported is None else o.reported, o.so_far is not None)
            for o in old
        )  # fmt: skip
        return News(
            s.event.kind, words.title, s.event.step, words.where, text, s.event.severity, earlier, s.is_so_far
        )  # fmt: skip

    def _standstill(self, now: float) -> View | None:
        """Reported once, when the log has not grown for far longer than usual."""
        if self._stalled or self.view.autopsy is None or self.view.over:
            return None
        usual = sorted(self._between)[len(self._between) // 2] if self._between else 0.0
        silent = now - self._grew
        if silent <= max(DEFAULTS.pause * usual, DEFAULTS.pause_seconds):
            return None
        self._stalled = True
        at = self.view.autopsy.last
        text = f"the log has not grown for {silent / 60:.0f} minutes"
        news = News("stalled", "stalled", at, f"{self.view.autopsy.axis} {at:,.12g}", text, Severity.WARNING)
        self.view = replace(self.view, news=(news,), moment=now)
        return self.view


def as_reported(s: Sighting, words: Words) -> Words:
    """An event in words, with what rows to come may make of it."""
    if not s.is_so_far:
        return words
    later = " or ".join(plain(kind) for kind in REVISED[s.event.kind])
    caution = f"; so far: {later} may take its place" if s.here else ""
    return Words(f"{words.title} so far", words.where, f"{words.text}{caution}")


def _ended(autopsy: Autopsy) -> News:
    status, verdict = autopsy.run.status or "finished", autopsy.verdict
    severity = Severity.INFO if status == "finished" else Severity.WARNING
    text = f"the run has ended ({status.replace('_', ' ')}): {verdict.name.replace('_', ' ')}, {verdict.why}"
    return News("finished", "finished", autopsy.last, f"{autopsy.axis} {autopsy.last:,.12g}", text, severity)
