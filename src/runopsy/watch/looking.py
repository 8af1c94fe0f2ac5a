"""Look after look at a growing log: when one is due, what it found, and what is to be reported.

A look examines the whole log, and is made as often as it is paid for (``purse``). Between two, and while one is made,
a glance at the new rows alone sees what needs no autopsy (``glance``).
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
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
from runopsy.watch.purse import Purse
from runopsy.watch.time_left import time_left, total_of

LOOK_ROWS = 10  # rows by which the log grows between two looks, at least
SETTLED = 5.0  # s without growth after which fewer rows than that are looked at too
# Share of one core that glances at new rows may take: the pause after one is what it cost, divided by this. A glance at
# a table or a run folder costs 2 to 5 ms, so they are as frequent as polls; looks have what they leave (``purse``).
GLANCES = 0.01
LOADING = 1.0  # s of the first look that loading libraries takes, about: no later one costs that
RARE = 0.01  # words for NaN or an error a line: where they are usual, another is nothing to hurry for
PACE = 50  # newest times between two growths, whose median is the usual one
RUNNING = "running"
IDLE = 60.0  # s after which a recorded run whose status is running is looked at again: a kill changes no file
OVER = ("finished", "failed", "interrupted", "killed", "disk_full")  # statuses of a recorded run that has ended
Examine = Callable[[Run], Autopsy]
Work = Callable[[], Autopsy]


def at_once(work: Work) -> Future[Autopsy]:
    """Made before anything else goes on."""
    done: Future[Autopsy] = Future()
    _make(work, done)
    return done


def in_a_thread(work: Work) -> Future[Autopsy]:
    """Made while polls go on; one that is under way at the end of the program is given up."""
    later: Future[Autopsy] = Future()
    threading.Thread(target=_make, args=(work, later), name="runopsy-look", daemon=True).start()
    return later


def _make(work: Work, into: Future[Autopsy]) -> None:
    try:
        into.set_result(work())
    except BaseException as fault:  # whoever asks for the result is told, in the thread that asks
        into.set_exception(fault)


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


@dataclass(slots=True)
class Look:
    """A look under way: how much of the log was read, and the autopsy that is being made of it."""

    amount: float  # of the log, in its own unit
    rows: int = 0
    odd: int = 0  # words for NaN or an error
    autopsy: Future[Autopsy] = field(default_factory=Future)
    is_beside: bool = False  # it is made in another thread
    cost: float = 0.0  # s of processor that the process has spent on it, and beside it
    newer: list[Run] = field(default_factory=list)  # rows that came meanwhile, as glances saw them


class Watch:
    """A growing log and all that was seen of it. A context manager: it holds the log open.

    Args:
        path: of the log; it need not be there yet.
        which: of several runs, as ``--run`` takes it; by default the last.
        examine: what an autopsy is made by.
        beside: what makes it: at once, or in a thread, so that new rows are not kept waiting by it.
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
        beside: Callable[[Work], Future[Autopsy]] = at_once,
        total: float | None = None,
        clock: Callable[[], float] = time.time,
        ledger: Ledger | None = None,
        words: Mapping[int, Words] | None = None,
        last: float = -math.inf,
    ) -> None:
        self.path, self.total = path, total
        self.ledger, self.words, self.last = ledger or Ledger(), dict(words or {}), last
        self._log, self._examine, self._beside, self._clock = Growing(path, which), examine, beside, clock
        self._began = clock()
        self._seen: object = None  # stamp of the log at the last poll
        self._grew = self._began  # when it grew last
        self._between: deque[float] = deque(maxlen=PACE)
        self._glance: Glance | None = None  # what new rows are held against
        self._glance_due = -math.inf
        self._purse = Purse(self._began)
        self._look: Look | None = None  # under way
        self._looked = -math.inf  # when the last look ended
        self._amount = 0.0  # of the log at that look, in its own unit
        self._per_row = 0.0  # of that unit
        self._stale = False  # something has changed since
        self._odd = 0  # words for NaN or an error in the text, as far as they have been understood
        self._unexplained = False  # whether there are new rows that a look may explain, and no glance
        self._stalled = self._ended = False
        waiting = "for the first look" if os.path.exists(path) else self._why_nothing()
        self.view = View(path, None, waiting, self.ledger, 0, self._began, words=self.words)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.__exit__()

    def poll(self) -> View | None:
        """The view after a look, if one is due or the run has come to a stand; None if there is nothing new."""
        with self.counting():
            return self._polled()

    def counting(self) -> AbstractContextManager[None]:
        """What is done within belongs to the cost of the watch, which looks at the log the more seldom for it."""
        if self._look is not None and self._look.is_beside:
            return nullcontext()  # all that the process spends meanwhile is counted with the look
        return self._purse.counting()

    def _polled(self) -> View | None:
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
        if self._look is not None and self._look.autopsy.done():
            return self._seen_through(self._look)
        news = self._glanced(now) if self._stale else None
        if news is not None or self._look is not None:
            return news
        if (self._stale and self._is_due(amount, now)) or self._may_be_dead(now):
            look = self._begin(amount, self._beside)
            return self._seen_through(look) if look.autopsy.done() else None
        return self._standstill(now)

    def look(self) -> View:
        """Examine the log as it is; what cannot be judged now may be later, and ends no watch."""
        with self.counting():
            amount = self._log.amount()
            if not amount and self.view.autopsy is None:
                return self._wait(self._why_nothing()) or self.view
            return self._seen_through(self._look or self._begin(amount, at_once))

    def _begin(self, amount: float, beside: Callable[[Work], Future[Autopsy]]) -> Look:
        """Read the log, and have it examined. What is quickly read is read here: glances go on from there."""
        if not math.isfinite(self._looked):
            self._purse.give(LOADING)
        self._stale = self._unexplained = False
        self._look = look = Look(amount)
        try:
            read = self._log.reading()
            look.autopsy = beside(lambda: self._examined(read, look))
        except Exception as fault:  # it is told as those of the autopsy are
            look.autopsy.set_exception(fault)
        look.odd, look.is_beside = self._log.odd, not look.autopsy.done()
        return look

    def _examined(self, read: Callable[[], Run], look: Look) -> Autopsy:
        """The autopsy, in whichever thread it is made."""
        began = time.process_time()
        try:
            run = read()
            look.rows = max((len(track) for track in run.tracks.values()), default=0)
            return self._examine(run)
        finally:
            look.cost = time.process_time() - began

    def _seen_through(self, look: Look) -> View:
        """The view after a look, once its autopsy is made."""
        try:
            autopsy = look.autopsy.result()
        except RunopsyError as why:
            view = self._wait(why.message) or self._failed(why.message)
        except Exception as fault:  # of this program, or of a file system: the next look may do without it
            view = self._failed(f"this look failed, the next may not: {type(fault).__name__}: {fault}")
        else:
            view = self._judged(autopsy, look)
            self._per_row = look.amount / max(look.rows, 1)
        if look.is_beside:  # else it is part of the poll
            self._purse.take(look.cost)
        self._amount, self._odd, self._looked = look.amount, max(self._odd, look.odd), self._clock()
        self._look = None
        return view

    def _is_due(self, amount: float, now: float) -> bool:
        """Whether the log has grown enough, or stands still with something new in it, and a look may be paid."""
        if self._has_ended_just_now() or (self._unexplained and self._purse.lends(now)):
            return True
        if self._purse.owes(now):
            return False
        grown, enough = abs(amount - self._amount), math.floor(LOOK_ROWS * self._per_row)  # a header is no row
        return not self._per_row or grown >= enough or amount < self._amount or now - self._grew >= SETTLED

    def _has_ended_just_now(self) -> bool:
        """Whether a recorded run that was running says that it has ended."""
        autopsy = self.view.autopsy
        return autopsy is not None and autopsy.run.status == RUNNING and self._log.has_ended

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
        began = time.thread_time()
        fresh = self._log.fresh()
        events = () if fresh is None else glance.see(fresh)
        if fresh is not None and self._look is not None:
            self._look.newer.append(fresh)
        unread = (fresh is None or bool(fresh.marks)) and self._has_new_words(self._amount)
        if not unread:
            self._odd = self._log.odd
        self._unexplained = unread or glance.has_gone_back
        self._glance_due = now + (time.thread_time() - began) / GLANCES
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

    def _judged(self, autopsy: Autopsy, look: Look) -> View:
        glance = Glance(autopsy, look.rows, self._glance)
        newer = [event for fresh in look.newer for event in glance.see(fresh)]
        if glance.last < self.last and glance.rows < self.ledger.rows:  # another run under the same name
            self.ledger, self.words, self._ended = Ledger(), {}, False
            glance, newer = Glance(autopsy, look.rows), []
        self._glance, self.last, rows = glance, glance.last, look.rows
        over = autopsy.run.status in OVER
        events = [e for e in autopsy.events if over or not may_be_padding(e, autopsy.signals)]
        known = {event.kind for event in events}
        events += [e for e in (*newer, *glance.standing) if e.kind not in known]
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
            rows=glance.rows,
            last=glance.last,
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
