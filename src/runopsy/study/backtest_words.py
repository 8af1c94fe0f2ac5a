"""Backtest → Document, and as data: what a stopping rule saves, what it misses, and which to prefer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from runopsy.report.data import finite, position
from runopsy.report.document import (
    Block,
    Chart,
    Details,
    Document,
    Heading,
    Headline,
    Line,
    Mark,
    Picture,
    Prose,
    Scale,
)
from runopsy.report.document import Table as Grid
from runopsy.report.words import duration, number, percent, place
from runopsy.study.outcome_table import ARTICLE, Backtest, Mean, Outcome, SetOutcome, Summary
from runopsy.study.policies import STOP, Memorization
from runopsy.thresholds import DEFAULTS
from runopsy.version import VERSION

MOST_NAMED = 40  # runs of which each outcome is listed: a longer table is for the JSON
FORMAT = 1  # of the JSON object
DASH = 0.007  # of the axis, on either side: wide enough to be seen, as points are not drawn
AT_ONSET = f"{Memorization()}: {STOP}"


def compose(backtest: Backtest, gpus: float | None = None, price: float | None = None) -> Document:
    """The report of a replay."""
    gpus = 1.0 if price is not None and gpus is None else gpus
    count = len(backtest.runs)
    single = count == 1
    blocks = [
        *_headline(backtest),
        *(_one_run(backtest.outcomes) if single else _over_runs(backtest)),
        *_article(backtest),
        *_over_sets(backtest.sets),
        *_dated(backtest),
        *_money(backtest, gpus, price),
        *_caveat(backtest),
        *([] if single else _each_run(backtest.outcomes)),
        *_unjudged(backtest),
    ]
    title = f"Stopping rules replayed on {backtest.runs[0] if single else f'{count} runs'}"
    return Document(title, tuple(blocks), f"Made by runopsy {VERSION} from the logs alone.")


def _named(policy: str) -> str:
    """A policy without its action, where that is to stop."""
    return policy.removesuffix(f": {STOP}")


def _headline(backtest: Backtest) -> Iterator[Block]:
    rows = backtest.summaries
    if not rows:
        return
    kept = [row for row in rows if not row.cut_off]
    saving = max((row for row in kept if row.saved.value > 0), key=lambda row: row.saved.value, default=None)
    cutting = f"{len(rows) - len(kept)} of {len(rows)} rules cut off a late gain"
    gain = "none of the others stops before the end"
    if saving is not None:
        gain = f"of the others, most is saved by: {_named(saving.policy)} ({percent(saving.saved.value)} of the steps)"
    if len(kept) < len(rows):
        yield Headline("late gains missed", "warn", f"{cutting}; {gain}")
    else:
        yield Headline("no late gain missed", "good", f"{cutting}; {gain.replace('of the others, ', '')}")


# --- one run -------------------------------------------------------------------------------------


def _one_run(outcomes: Sequence[Outcome]) -> Iterator[Block]:
    if outcomes:
        yield Heading("Would a stopping rule have missed a late gain?")
        yield from run_table(outcomes)


def run_table(outcomes: Sequence[Outcome]) -> Iterator[Block]:
    """The outcomes of one run, a row per policy."""
    one = outcomes[0]
    columns = ("rule", f"stops at {one.axis}", "saves", f"best {one.signal} by then", "missed of its gain", "late gain")
    yield Grid(columns, tuple(_outcome_row(o) for o in outcomes))
    yield Prose(f"The best {one.signal} of the run is {number(one.best)}, at {one.axis} {place(one.best_step)}.")


def _outcome_row(o: Outcome) -> tuple[str, ...]:
    return (
        _named(o.policy),
        "never" if o.stop is None else place(o.stop),
        percent(o.saved),
        "none yet" if o.reached is None else number(o.reached),
        percent(o.regret),
        "cut off" if o.cut_off else "kept",
    )


# --- many runs -----------------------------------------------------------------------------------


def _over_runs(backtest: Backtest) -> Iterator[Block]:
    rows = backtest.summaries
    if not rows:
        return
    yield Heading("What each rule saves, and what it misses")
    columns = ("", "rule", "stops", "saves", "misses", "9 in 10 miss", "cut off")
    yield Grid(columns, tuple(_summary_row(i, row) for i, row in enumerate(rows, 1)))
    yield Prose(
        "Saves: the share of a run's steps after the stop. Misses: the share of all that validation gained in the run "
        f"that came after the stop; above {percent(DEFAULTS.real_change)} the run's late gain counts as cut off. Both "
        "are means over runs, in brackets the 90 % interval for the mean of further runs of this kind, if these runs "
        "were drawn from them independently. 9 in 10 miss: nine runs in ten miss no more than this."
    )
    front = [row for row in rows if not row.dominated]
    yield Prose(f"* No other rule here saves more and misses less: {len(front)} of {len(rows)}.")
    if len(rows) > 1:
        yield frontier(rows)


def _summary_row(i: int, row: Summary) -> tuple[str, ...]:
    return (
        f"{i}{'' if row.dominated else ' *'}",
        _named(row.policy),
        f"{row.stopped} of {row.runs}",
        _mean(row.saved),
        _mean(row.regret),
        percent(row.regret_high),
        str(row.cut_off),
    )


def _mean(mean: Mean) -> str:
    if mean.interval is None:
        return percent(mean.value)
    low, high = (100 * end for end in mean.interval)
    digits = 0 if high - low > 2 else 1
    return f"{percent(mean.value)} [{low:.{digits}f}, {high:.{digits}f}]"


def frontier(rows: Sequence[Summary]) -> Picture:
    """Saving against regret: a dash per policy, and the line through those not beaten."""
    scale = Scale(0.0, 100.0, log=False, origin=1.0, unit="% of the steps saved")
    front = sorted((row for row in rows if not row.dominated), key=lambda row: row.saved.value)
    line = Line("not beaten *", _shares([r.saved.value for r in front]), _shares([r.regret.value for r in front]))
    dashes = [
        Line(str(i), _shares([row.saved.value - DASH, row.saved.value + DASH]), _shares([row.regret.value] * 2))
        for i, row in enumerate(rows, 1)
    ]
    listed = "; ".join(
        f"{_named(r.policy)}: saves {percent(r.saved.value)}, misses {percent(r.regret.value)}" for r in rows
    )
    promise = Mark("saving at memorization, by the founding protocol", "plain", 100 * ARTICLE[0], 100 * ARTICLE[1])
    chart = Chart("% of the gain missed", scale, (line, *dashes), log=False, cuts=(), rows=9)
    return Picture("frontier", f"Saving and missed gain of each rule. {listed}.", (), (chart,), (promise,))


def _shares(values: Sequence[float]) -> Any:
    return 100 * np.asarray(values, dtype=np.float64)


def _article(backtest: Backtest) -> Iterator[Block]:
    """The promise of the protocol, beside what its rule does here."""
    row = next((row for row in backtest.summaries if row.policy == AT_ONSET), None)
    if row is not None and row.runs > 1:
        low, high = (round(100 * end) for end in ARTICLE)
        yield Prose(
            f"By the founding protocol, stopping at the onset of memorization saves {low} to {high} % of a training. "
            f"Here it saves {_mean(row.saved)} of the steps and cuts off a late gain in "
            f"{row.cut_off} of {row.runs} runs."
        )


def _each_run(outcomes: Sequence[Outcome]) -> Iterator[Block]:
    cut = sorted((o for o in outcomes if o.cut_off), key=lambda o: -o.regret)
    if cut:
        rows = tuple((o.run, _named(o.policy), *_outcome_row(o)[1:5], place(o.best_step)) for o in cut[:MOST_NAMED])
        columns = ("run", "rule", "stops at", "saves", "best by then", "missed of its gain", "best came at")
        more = f"the {MOST_NAMED} largest of {len(cut)}" if len(cut) > MOST_NAMED else str(len(cut))
        yield Details(f"Late gains that were cut off ({more})", (Grid(columns, rows),))


# --- sets, other acts, money, limits -------------------------------------------------------------


def _over_sets(sets: Sequence[SetOutcome]) -> Iterator[Block]:
    if not sets:
        return
    yield Heading(f"The {sets[0].runs} runs as one set, tried against each other by {sets[0].signal}")
    columns = ("rule", "saves of all steps", "misses of the best run's gain", "finds the best", "stops here")
    yield Grid(columns, tuple(_set_row(one) for one in sets))
    if any(one.orders > 1 for one in sets):
        most = max(one.orders for one in sets)
        yield Prose(
            f"Where runs start one after the other, their order matters: means over {most} orders, in brackets the "
            "middle 90 % of them. What stops here is that of the given order."
        )


def _set_row(one: SetOutcome) -> tuple[str, ...]:
    stopped = sum(stop is not None for _, stop in one.stops)
    return (
        one.policy,
        _mean(Mean(one.saved, one.saved_range if one.orders > 1 else None)),
        _mean(Mean(one.regret, one.regret_range if one.orders > 1 else None)),
        percent(one.best_kept) if one.orders > 1 else "yes" if one.best_kept else "no",
        f"{stopped} of {one.runs}",
    )


def _dated(backtest: Backtest) -> Iterator[Block]:
    if not backtest.dated:
        return
    yield Heading("When other rules would have acted")
    rows = tuple((d.policy, d.run, "never" if d.step is None else f"{d.axis} {place(d.step)}", d.why)
                 for d in backtest.dated[:MOST_NAMED])  # fmt: skip
    yield Grid(("rule", "run", "acts at", "because"), rows)
    yield Prose("Dated, not replayed: after such a change the run would have drawn other curves than those in its log.")


def _money(backtest: Backtest, gpus: float | None, price: float | None) -> Iterator[Block]:
    if gpus is None:
        return
    saved = [(_named(row.policy), row.seconds, row.timed, row.runs) for row in backtest.summaries]
    saved += [(one.policy, one.saved_seconds, one.runs, one.runs) for one in backtest.sets]
    rows = []
    for name, seconds, timed, runs in saved:
        if seconds is not None:
            hours = seconds / 3600 * gpus
            rows.append((name, duration(seconds), number(float(f"{hours:.3g}")),
                         "" if price is None else f"{hours * price:,.2f}", f"{timed} of {runs}"))  # fmt: skip
    yield Heading("What that would have cost")
    if not rows:
        yield Prose("Not known: the logs hold no times.")
        return
    head = ("rule", "time saved", "GPU-hours", "" if price is None else f"at {price:,.2f} an hour", "runs with times")
    shown = [i for i, name in enumerate(head) if name]
    yield Grid(tuple(head[i] for i in shown), tuple(tuple(row[i] for i in shown) for row in rows))


def _caveat(backtest: Backtest) -> Iterator[Block]:
    if backtest.outcomes or backtest.sets:
        yield Prose(
            "A replay answers what these runs would have given had they been stopped there. With a shorter planned "
            "length most learning-rate schedules would have drawn other curves."
        )


def _unjudged(backtest: Backtest) -> Iterator[Block]:
    """What could not be asked of which run."""
    if not backtest.unjudged:
        return
    why: Counter[tuple[str, str]] = Counter((u.policy, u.why) for u in backtest.unjudged)
    rows = []
    for (policy, reason), count in why.items():
        first = next(u.run for u in backtest.unjudged if (u.policy, u.why) == (policy, reason))
        rows.append((_named(policy) or "every rule", f"{count} ({first}{', …' if count > 1 else ''})", reason))
    yield Details("Not replayed", (Grid(("rule", "runs", "why"), tuple(rows)),))


# --- as data -------------------------------------------------------------------------------------


def facts(backtest: Backtest) -> dict[str, Any]:
    """The object of ``--format json``."""
    found = {
        "format": FORMAT,
        "tool": f"runopsy {VERSION}",
        "runs": list(backtest.runs),
        "policies": [asdict(row) for row in backtest.summaries],
        "outcomes": [
            asdict(o)
            | {
                "cut_off": o.cut_off,
                "stop": None if o.stop is None else position(o.stop),
                "end": position(o.end),
                "best_step": position(o.best_step),
            }
            for o in backtest.outcomes
        ],
        "sets": [asdict(one) | {"stops": dict(one.stops)} for one in backtest.sets],
        "dated": [asdict(one) for one in backtest.dated],
        "not_replayed": [asdict(one) for one in backtest.unjudged],
        "notes": [],
    }
    return finite(found)
