"""Looking many times must not cry wolf: an event is provisional until the growing log has kept it for a while.

Each look at a growing log is an autopsy of all that there is, and each can be wrong once in a while; a run of a
thousand looks would be wrong at some of them. What is found is therefore provisional. It is confirmed when every look
since has found it at the same place while the log grew by so many rows, and by such a share of what it was
(``wait_of``); what a look no longer finds is forgotten, and begins again if it is found again. The numbers were chosen
on replays of runs in which nothing happens and of planted ones (``make bench-watch``): the rate of false alarms is
that of a run, however many looks it has.

Some of what is true so far is true no longer when the run has gone on: ``REVISED`` names what a later look may find
in its place. A validation that rises is memorization if it goes on so, and the first half of a double descent if it
falls again, and no row until then tells which. Such an event is open (``is_open``). It is reported as early as others,
but as so far, and is confirmed when no row will follow, or when it is open no more. What takes its place before that is
reported as a revision of it, once it is confirmed itself.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from runopsy.kinds import KINDS, Often
from runopsy.model import Event, Position, Signal
from runopsy.thresholds import DEFAULTS, KEPT_ROWS, KEPT_SHARE

Wait = tuple[int, float]  # rows, and share of the rows at the first sight, by which the log must have grown since
SOON: Wait = (KEPT_ROWS, KEPT_SHARE)
# Of the first rows alone hardly any validation follows yet: of 105 planted runs 3 were told to memorize after 10 rows
# that did not, none after 20. A fall of the loss that is found as soon as rows can show it is seldom undone.
STAYS: Wait = (30, KEPT_SHARE)
PROMPT = 2 * DEFAULTS.beside  # of the way to its place: a change is judged over half of that
# A training that has left may be in the first of many swings: of 20 planted runs that swing, 17 were told to have
# diverged after 10 rows, 6 after 30, 1 after 60. What has left far needs no look (``confirm_at_once``).
SWINGS: Wait = (60, KEPT_SHARE)
# A fall that is found long after it is sudden only against a course that later rows go on changing; so is the loss of
# what a validation had, which may be the first half of a double descent. Rows matter more than the share: 60 rows and
# 40 % confirmed as many wrong falls, and 4 right ones of 43 too late.
LATE: Wait = (100, 0.25)
# What is found when it is over: a spike when the loss has come back, a peak of validation when it has fallen again, a
# late gain when it is made. What follows seldom undoes it: of 46 told so soon in 105 planted runs none was wrong.
BACK: Wait = (KEPT_ROWS, 0.01)
# A jump of a setting is one by the rows on both sides of it (``facts.schedule``): a row after it decides, whether it
# came since the first look that found it or was there. Of 79 in strangers' logs and planted runs none was undone.
SETTINGS = ("lr_change", "batch_size_change")
BESIDE: Wait = (1, 0.0)
# Facts of the log rather than estimates: there is nothing to wait for.
CERTAIN = ("not_finite", "resume", "crashed", "interrupted")
WAITS: Mapping[str, Wait] = {
    **dict.fromkeys(CERTAIN, (0, 0.0)),
    **dict.fromkeys(SETTINGS, BESIDE),
    **dict.fromkeys(("loss_spike", "double_descent_peak", "grokking"), BACK),
    "memorization_onset": STAYS,
}
OPEN: Mapping[str, Wait] = {"divergence": LATE, "memorization_onset": SOON}  # where ``is_open``
REVISED: Mapping[str, tuple[str, ...]] = {
    "memorization_onset": ("double_descent_peak", "grokking"),
    "divergence": ("double_descent_peak", "instability"),
    "loss_jump": ("instability",),
}


def is_open(event: Event) -> bool:
    """Whether rows to come may make another event of it: of what validation alone has shown, after it had followed."""
    if event.kind == "memorization_onset":  # another that never followed stays one, whatever is learnt later
        return any(e.name == "turn" for e in event.evidence)
    return event.kind == "divergence" and any(e.signal.startswith("val/") for e in event.evidence)


@dataclass(frozen=True, slots=True)
class Sighting:
    """An event as the looks have found it."""

    number: int  # in the order of their first appearance, from 1
    event: Event  # as the newest look that found it has it
    since: int  # rows of the log at the first of the looks that found it
    confirmed: int | None = None  # rows of the log when it was confirmed; None: not yet
    here: bool = True  # whether the newest look has it
    reported: Position | None = None  # its place when it was first reported, by which messages know it
    became: int | None = None  # the number of the confirmed event that has taken its place
    so_far: int | None = None  # rows of the log when it was reported as so far; None: it was not
    prompt: bool = False  # it was first found as soon as the rows after it could show it

    @property
    def is_reported(self) -> bool:
        """Whether it was reported, for good or as so far; else it is provisional."""
        return self.confirmed is not None or self.so_far is not None

    @property
    def is_so_far(self) -> bool:
        """Whether it is reported, and rows to come may make another event of it."""
        return self.confirmed is None and self.so_far is not None


def wait_of(s: Sighting) -> Wait:
    """How much longer the log must be before an event is reported."""
    if is_open(s.event):
        return OPEN[s.event.kind]
    if s.event.kind == "loss_drop":
        return STAYS if s.prompt else LATE
    if s.event.kind == "divergence":
        swings = all(math.isfinite(e.observed) for e in s.event.evidence)  # what is NaN does not
        return (min(SWINGS[0], s.since), SWINGS[1]) if swings else SOON  # a short log is waited for until it is doubled
    return WAITS.get(s.event.kind, SOON)


class Words(NamedTuple):
    """A sighting in words, as the newest look that found it put them."""

    title: str
    where: str
    text: str  # one sentence


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that the looks so far have found, and not given up."""

    sightings: tuple[Sighting, ...] = ()
    met: int = 0  # events that were ever met: the next has the next number
    rows: int = 0
    fresh: tuple[Sighting, ...] = field(default=())  # those that the newest look reported, or saw take a place

    def revised_by(self, new: Sighting) -> tuple[Sighting, ...]:
        """Those that were reported before, and whose place an event has taken."""
        return tuple(s for s in self.sightings if s.became == new.number)


def follow(
    ledger: Ledger,
    events: Iterable[Event],
    rows: int,
    span: tuple[Position, Position],
    *,
    over: bool = False,
    wait: Callable[[Sighting], Wait] = wait_of,
) -> Ledger:
    """The ledger after one more look.

    Args:
        ledger: after the look before.
        events: what this look has found.
        rows: of the log, at this look.
        span: the first and the last position of the log.
        over: the run has ended: no later look will disagree, and what is found now is confirmed.
        wait: by how much the log must have grown for an event.
    """
    events = [*{(event.kind, event.step): event for event in events}.values()]  # twice at one place is once
    known = _recognised(ledger.sightings, events, span)
    fresh_numbers = itertools.count(ledger.met + 1)
    now = [
        Sighting(next(fresh_numbers), event, rows, prompt=_is_prompt(event, span))
        if mine is None
        else _again(mine, event, rows, span)
        for event, mine in zip(events, known, strict=True)
    ]
    met = ledger.met + known.count(None)
    before = [s for s in ledger.sightings if s not in known]
    aged = [_reported(s, rows, over) if _is_due(s, rows, over or _is_decided(s, span), wait) else s for s in now]
    gone = [replace(s, here=False, became=_successor(s, aged)) for s in before if s.is_reported]
    old = {s.number: s.became for s in ledger.sightings if s.is_reported}
    revising = {s.became for s in gone if s.became != old[s.number]}
    fresh = tuple(s for s in aged if s.number in revising or (s.is_reported and s.number not in old))
    listed = tuple(sorted([*aged, *gone], key=lambda s: s.number))
    return Ledger(listed, met, rows, fresh)


def _recognised(
    sightings: Iterable[Sighting], events: Iterable[Event], span: tuple[Position, Position]
) -> list[Sighting | None]:
    """The sighting that each event of a look is; what was told and is not found at its place may be found beside it."""
    left, found = list(sightings), dict[int, Sighting]()
    for is_it in (is_same, is_beside):
        for number, event in enumerate(events):
            mine = next((s for s in left if is_it(s.event, event, span) and (is_it is is_same or s.is_reported)), None)
            if number not in found and mine is not None:
                found[number] = mine
                left.remove(mine)
    return [found.get(number) for number, _ in enumerate(events)]


def _again(s: Sighting, event: Event, rows: int, span: tuple[Position, Position]) -> Sighting:
    """A sighting that a look has found again; a provisional one that has moved begins again."""
    if not (s.is_reported or at_same_place(s.event, event, span)):
        s = replace(s, since=rows, prompt=_is_prompt(event, span))
    return replace(s, event=event, here=True, became=None)


def _reported(s: Sighting, rows: int, over: bool) -> Sighting:
    """A sighting that is reported from now on; one that was told as so far and is open no more says nothing new."""
    if is_open(s.event) and not over:
        return s if s.is_so_far else replace(s, so_far=rows, reported=s.event.step)
    return replace(s, confirmed=rows, reported=s.event.step if s.reported is None else s.reported)


def _confirmed(s: Sighting, rows: int) -> Sighting:
    return replace(s, confirmed=rows, reported=s.event.step, here=True, so_far=None)


def _successor(s: Sighting, now: Iterable[Sighting]) -> int | None:
    """The number of what has taken the place of a reported event that is found no more."""
    later = REVISED.get(s.event.kind, ())
    return next((new.number for new in now if new.confirmed is not None and new.event.kind in later), None)


def confirm_at_once(ledger: Ledger, events: Iterable[Event], rows: int, span: tuple[Position, Position]) -> Ledger:
    """The ledger with events that need no look to confirm them: fresh are those that it had not confirmed before."""
    sightings = {s.number: s for s in ledger.sightings}
    met, fresh = ledger.met, []
    for event in events:
        mine = next((s for s in sightings.values() if is_same(s.event, event, span)), None)
        if mine is None:
            met += 1
            mine = Sighting(met, event, rows)
        elif mine.confirmed is not None:
            continue
        sightings[mine.number] = _confirmed(replace(mine, event=event), rows)
        fresh.append(sightings[mine.number])
    return Ledger(tuple(sorted(sightings.values(), key=lambda s: s.number)), met, rows, tuple(fresh))


def due(s: Sighting, wait: Callable[[Sighting], Wait] = wait_of) -> int:
    """How many rows the log must have for an event to be reported, where every look until then finds it."""
    least, share = wait(s)
    return s.since + max(least, math.ceil(share * s.since))


def _is_due(s: Sighting, rows: int, over: bool, wait: Callable[[Sighting], Wait]) -> bool:
    return s.confirmed is None and (over or rows >= due(s, wait))


def _is_decided(s: Sighting, span: tuple[Position, Position]) -> bool:
    """Whether the rows on both sides of a setting's jump are there."""
    return s.event.kind in SETTINGS and s.event.step < span[1]


def may_be_padding(event: Event, signals: Mapping[str, Signal]) -> bool:
    """Whether NaN may only stand where nothing was evaluated: of a validation curve that has but one value so far."""
    curves = {e.signal for e in event.evidence}
    rare = all(name.startswith("val") and (name not in signals or len(signals[name]) <= 1) for name in curves)
    return event.kind == "not_finite" and bool(curves) and rare


def is_same(old: Event, new: Event, span: tuple[Position, Position]) -> bool:
    """Whether two looks mean the same event: of what happens once, any of its kind; of the rest, one near by."""
    if old.kind != new.kind:
        return False
    return KINDS[new.kind].often is not Often.MANY or at_same_place(old, new, span)


def at_same_place(old: Event, new: Event, span: tuple[Position, Position]) -> bool:
    """Whether the intervals of two findings of one kind meet; an unresolved one reaches as far as the log's rows."""
    a, b = _extent(old), _extent(new)
    if a[0] <= b[1] and b[0] <= a[1]:
        return True
    return KINDS[new.kind].often is not Often.MANY and is_beside(old, new, span)


def is_beside(old: Event, new: Event, span: tuple[Position, Position]) -> bool:
    """Whether two findings of one kind are so near to each other that they may be of the same time."""
    return old.kind == new.kind and abs(old.step - new.step) <= DEFAULTS.beside * max(new.step - span[0], 0)


def _is_prompt(event: Event, span: tuple[Position, Position]) -> bool:
    """Whether an event that is found now lies but a little before the end of the log."""
    return span[1] - event.step <= PROMPT * (event.step - span[0])


def _extent(event: Event) -> tuple[Position, Position]:
    """From where to where an event may have begun, and lasted: what later looks merge stays one."""
    low, high = event.interval or (event.step, event.step)
    reach = event.resolution or 0.0
    return min(low, event.step) - reach, max(high, event.step, event.until or event.step) + reach
