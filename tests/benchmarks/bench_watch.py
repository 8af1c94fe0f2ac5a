"""How often a watch cries wolf, and how much of what the final autopsy finds it has confirmed by the end, how late.

``python tests/benchmarks/bench_watch.py [--nulls 600] [--planted 90] [--most-rows 3000] [--save FILE] [--load FILE]``.
Runs are replayed in looks of 10 rows or 1 %, whichever is more, with glances at the training loss between them. Nulls:
the smooth decays of ``bench_segments.py`` and the flat curves of ``bench_nulls.py``; a false alarm is a run of which
anything was reported. Planted: the stories of ``bench_segments.py``. All looks can be saved, so that other rules of
confirmation are held against them.

Agreement with the last look is measured of confirmed events, of those told as "so far", and of both. Of the confirmed:
how many it finds as they were told, of that kind and at that place, give or take 12 % of the way there. Of those so
far: how many are so still, as that event or as the first minimum of the double descent that it became. Of both: how
many it finds by their kind, and how many by what was said of them last, the revision if there was one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import pickle
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "measures"))
sys.path.insert(0, str(Path(__file__).parent))

from bench_nulls import level
from stories import null, positive

from kinds_planted import draw
from runopsy import confidence
from runopsy.autopsy import analyze
from runopsy.causal import Level
from runopsy.errors import RunopsyError
from runopsy.model import Event, Run, Severity
from runopsy.signals import assign, measure
from runopsy.watch.confirmation import (
    Ledger,
    Sighting,
    Wait,
    at_same_place,
    confirm_at_once,
    follow,
    is_beside,
    is_same,
    wait_of,
)
from runopsy.watch.glance import Loss
from runopsy.watch.outbox import USUAL

Rule = Callable[[Sighting], Wait]
BROKEN = ("divergence", "loss_spike", "loss_jump", "instability", "metric_anomaly", "resume", "data_change", "stalled")
LOOK_ROWS, LOOK_SHARE = 10, 0.01  # a look whenever the log has grown by both
TRIES = 100  # seeds in a row whose runs are too long: of each kind an eighth or more are of its shortest length


@dataclass(frozen=True)
class Look:
    rows: int
    first: float
    last: float
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Far:
    """The training loss far beyond all that it was, as a glance at the rows between two looks tells it."""

    told: int  # rows of the log
    back: int  # rows of the log when it was back; more than there are where it never was
    event: Event


@dataclass(frozen=True)
class Replay:
    name: str
    looks: tuple[Look, ...]
    far: tuple[Far, ...] = ()


def rows_of(run: Run) -> int:
    return max(len(track) for track in run.tracks.values())


def cut(run: Run, last: float) -> Run:
    """The run as it was when it had come to a position."""
    tracks = {}
    for name, t in run.tracks.items():
        n = int(np.searchsorted(t.step, last, side="right"))
        if n:
            tracks[name] = replace(t, step=t.step[:n], value=t.value[:n])
    return replace(run, tracks=tracks)


def places(n: int) -> list[int]:
    """How many rows the log has at each look."""
    found = [LOOK_ROWS]
    while found[-1] < n:
        found.append(min(n, found[-1] + max(LOOK_ROWS, int(LOOK_SHARE * found[-1]))))
    return [rows for rows in found if rows <= n]


def _unweighed(case: object, events: object, named: Any, turns: Any, verdict: Any) -> tuple[Any, Any, Any]:
    return named, turns, verdict


def replay(asked: tuple[str, int]) -> Replay:
    warnings.simplefilter("ignore")
    confidence.weigh = _unweighed  # how sure phases and verdict are changes no event, and takes half of the time
    which, seed = asked
    name, run = named(which, seed)
    longest = max(run.tracks.values(), key=len)
    looks = []
    for rows in places(len(longest)):
        part = cut(run, float(longest.step[rows - 1]))
        try:
            autopsy = analyze(part)
        except RunopsyError:
            continue
        looks.append(Look(rows, autopsy.first, autopsy.last, autopsy.events))
    return Replay(f"{which} {seed} {name}", tuple(looks), glanced(run))


def glanced(run: Run) -> tuple[Far, ...]:
    """Each time that the training loss is told to have left by its rows alone."""
    signal = measure(run, assign(run.tracks)).signals.get("train/loss")
    if signal is None:
        return ()
    longest = max(run.tracks.values(), key=len).step
    found: list[Far] = []
    loss = Loss(Level())
    for step, value in zip(signal.step.tolist(), signal.value.tolist(), strict=True):
        rows, was = int(np.searchsorted(longest, step, side="right")), loss.reported
        loss.see(step, value)
        if was is not None and loss.reported is None:
            found[-1] = replace(found[-1], back=rows)
        if loss.left is not None and loss.reported is None and loss.level.has_left:
            at = loss.left[0]
            loss.reported = Event("divergence", "", at, Severity.FATAL, (), interval=(at, at))
            found.append(Far(rows, len(longest) + 1, loss.reported))
    return tuple(found)


def named(which: str, seed: int) -> tuple[str, Run]:
    if which == "planted":
        story = positive(seed)
        return story.name, story.run
    return null(seed) if which == "decays" else level(seed)


def chosen(which: str, count: int, most: int, first: int) -> list[tuple[str, int]]:
    """The first seeds whose runs are short enough to be replayed here.

    Raises:
        SystemExit: none are.
    """
    found: list[tuple[str, int]] = []
    seed, newest = first, first
    while len(found) < count:
        if rows_of(named(which, seed)[1]) <= most:
            found.append((which, seed))
            newest = seed
        elif seed - newest >= TRIES:
            raise SystemExit(f"--most-rows {most}: of {TRIES} runs ({which}) none is so short")
        seed += 1
    return found


# ---- judging


@dataclass(frozen=True)
class Watched:
    """What a watch has reported of a run."""

    ledger: Ledger  # after the last look
    first: dict[int, Sighting]  # by number, as first reported
    confirmed: dict[int, Sighting]  # by number, as confirmed

    def fate(self, number: int) -> Sighting:
        return next(s for s in self.ledger.sightings if s.number == number)


def watched(one: Replay, wait: Rule) -> Watched:
    seen = Watched(Ledger(), {}, {})
    for look in one.looks:
        span, ledger, kinds = (look.first, look.last), seen.ledger, {event.kind for event in look.events}
        for far in one.far:
            if ledger.rows < far.told <= look.rows:
                ledger = replace(confirm_at_once(ledger, [far.event], far.told, span), rows=ledger.rows)
        standing = [far.event for far in one.far if far.told <= look.rows < far.back and far.event.kind not in kinds]
        ledger = follow(ledger, [*look.events, *standing], look.rows, span, wait=wait)
        first = {s.number: s for s in ledger.sightings if s.is_reported} | seen.first
        confirmed = {s.number: s for s in ledger.sightings if s.confirmed is not None} | seen.confirmed
        seen = Watched(ledger, first, confirmed)
    return seen


def alarms(nulls: list[Replay], wait: Rule) -> list[tuple[str, list[str]]]:
    found = []
    for one in nulls:
        told = watched(one, wait).first.values()
        kinds = [f"{s.event.kind}@{s.event.step:.0f}/{s.confirmed or s.so_far}" for s in told]
        if kinds:
            found.append((one.name, kinds))
    return found


def judge(planted: list[Replay], wait: Rule) -> dict[str, float]:
    """How much of what the last look finds is reported, how late; how much of what is reported it finds."""
    count: Counter[str] = Counter()
    rows_late, shares_late, from_place = [], [], []
    for one in planted:
        seen, last = watched(one, wait), one.looks[-1]
        span = (last.first, last.last)
        for event in last.events:
            told = [s for s in seen.ledger.sightings if s.is_reported and is_same(s.event, event, span)]
            mine = [s for s in told if s.confirmed is not None]
            count["final"] += 1
            count["told"] += bool(told)
            count["hits"] += bool(mine)
            if mine:
                late = mine[0].confirmed - mine[0].since
                rows_late.append(late)
                shares_late.append(late / mine[0].since)
                per_row = (last.last - last.first) / max(last.rows - 1, 1)
                from_place.append(mine[0].confirmed - (event.step - last.first) / per_row)
        count["confirmed"] += len(seen.confirmed)
        count["as told"] += sum(finds(last, s.event) for s in seen.confirmed.values())
        so_far = [s for s in seen.first.values() if s.is_so_far]
        count["so far"] += len(so_far)
        count["still so"] += sum(finds(last, s.event) or states_within(last, s.event) for s in so_far)
        here = {s.number for s in seen.ledger.sightings if any(is_same(s.event, e, span) for e in last.events)}
        count["reports"] += len(seen.first)
        count["unrevised"] += sum(number in here for number in seen.first)
        count["by last words"] += sum((seen.fate(number).became or number) in here for number in seen.first)

    def share(part: str, whole: str) -> float:
        return count[part] / max(count[whole], 1)

    def median(values: list[float]) -> float:
        return float(np.median(values)) if values else 0.0

    return {
        "final events": count["final"],
        "confirmed by the end": share("hits", "final"),
        "or told as so far": share("told", "final"),
        "median delay, rows": median(rows_late),
        "median delay, share": median(shares_late),
        "median rows from its place": median(from_place),
        "confirmed": count["confirmed"],
        "found as told": share("as told", "confirmed"),
        "told as so far": count["so far"],
        "still so": share("still so", "so far"),
        "reports of both": count["reports"],
        "found by kind": share("unrevised", "reports"),
        "by last words": share("by last words", "reports"),
    }


def finds(look: Look, told: Event) -> bool:
    """Whether a look finds an event of the same kind at the place of which it was told, or beside it."""
    span = (look.first, look.last)
    return any(e.kind == told.kind and (at_same_place(told, e, span) or is_beside(told, e, span)) for e in look.events)


def states_within(look: Look, told: Event) -> bool:
    """Whether a look has, where validation was told to have turned, the first minimum of a double descent."""
    peaks = [e for e in look.events if e.kind == "double_descent_peak" and told.kind == "memorization_onset"]
    turns = [replace(told, step=e["before"].step, interval=None) for e in peaks]
    return any(at_same_place(told, turn, (look.first, look.last)) for turn in turns)


def leaves(run: Run) -> bool:
    """Whether the training loss is ever told to have left by its rows alone, as a glance tells it."""
    loss = measure(run, assign(run.tracks)).signals.get("train/loss")
    level = Level()
    return loss is not None and any(level.see(value) or level.has_left for value in loss.value.tolist())


def told_early(seeds: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """(told, asked) of planted divergences, and of runs with anything else or nothing."""
    found = [(kind == "divergence", draw(kind, seed).run) for kind in BROKEN for seed in range(seeds)]
    for seed in range(seeds):
        story = positive(seed)
        found += [(story.name == "divergence", story.run), (False, null(seed)[1]), (False, level(seed)[1])]
    told = [(is_one, leaves(run)) for is_one, run in found]
    ones, others = [is_told for is_one, is_told in told if is_one], [is_told for is_one, is_told in told if not is_one]
    return (sum(ones), len(ones)), (sum(others), len(others))


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--nulls", type=int, default=600, help="two thirds decays, one third flat")
    ask.add_argument("--planted", type=int, default=90)
    ask.add_argument("--most-rows", type=int, default=3000, help="longer runs are left out")
    ask.add_argument("--first", type=int, default=0, help="the first seed")
    ask.add_argument("--early", type=int, default=40, help="seeds of each kind whose rows are seen one by one")
    ask.add_argument("--jobs", type=int, default=2)
    ask.add_argument("--save", type=Path)
    ask.add_argument("--load", type=Path, nargs="+")
    ask.add_argument("-v", action="store_true", help="name each false alarm")
    asked = ask.parse_args()
    began = time.perf_counter()
    if asked.load:
        parts = [pickle.loads(file.read_bytes()) for file in asked.load]
        nulls, planted = [r for p in parts for r in p[0]], [r for p in parts for r in p[1]]
    else:
        decays = chosen("decays", asked.nulls * 2 // 3, asked.most_rows, asked.first)
        flat = chosen("flat", asked.nulls - len(decays), asked.most_rows, asked.first)
        stories = chosen("planted", asked.planted, asked.most_rows, asked.first)
        with multiprocessing.get_context("spawn").Pool(asked.jobs) as pool:
            nulls = pool.map(replay, [*decays, *flat], chunksize=2)
            planted = pool.map(replay, stories, chunksize=2)
        if asked.save:
            asked.save.write_bytes(pickle.dumps((nulls, planted)))
    looks = sum(len(one.looks) for one in (*nulls, *planted))
    print(f"{len(nulls)} runs without an event, {len(planted)} planted ones, {looks} looks")
    any_look = sum(any(look.events for look in one.looks) for one in nulls)
    at_end = sum(bool(one.looks and one.looks[-1].events) for one in nulls)
    print(f"without confirmation: {any_look / max(len(nulls), 1):.3f} of the runs raise an event at some look; "
          f"{at_end / max(len(nulls), 1):.3f} at the last one")  # fmt: skip
    (told, ones), (wrong, others) = told_early(asked.early)
    print(f"a loss far beyond all that it was, from its rows alone: told of {told} of {ones} divergences "
          f"and of {wrong} of {others} other runs")  # fmt: skip
    rules: dict[str, Rule] = {"as shipped": wait_of, "none": lambda _: (0, 0.0)}
    rules |= {
        f"{rows} rows and {share}": lambda _, w=(rows, share): w for rows, share in ((10, 0.05), (20, 0.1), (40, 0.4))
    }
    for name, rule in rules.items():
        wrong = alarms(nulls, rule)
        sent = sum(any(kind.split("@")[0] in USUAL for kind in kinds) for _, kinds in wrong)
        print(f"wait {name}: false alarms per run {len(wrong) / max(len(nulls), 1):.4f}, "
              f"of kinds that are sent by default {sent / max(len(nulls), 1):.4f}")  # fmt: skip
        print("    " + "; ".join(f"{what} {value:.3g}" for what, value in judge(planted, rule).items()))
    if asked.v:
        for name, kinds in alarms(nulls, wait_of):
            print("  ", name, kinds)
        print("  ", Counter(k.split("@")[0] for _, ks in alarms(nulls, wait_of) for k in set(ks)))
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
