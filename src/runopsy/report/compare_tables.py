"""Comparison → the tables of a diff: what lies where, where curves part, how good, what it cost, what was set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from runopsy.model import Comparison, Difference, Outcome, Separation
from runopsy.report.delta_words import between, by_clock, cell, differences_shown, judged, lone, ratio, signed, title
from runopsy.report.document import Block, Details, Heading, Prose, Table
from runopsy.report.words import number, plain

SHOWN = 60  # characters of a setting: longer ones are cut


def moved(c: Comparison) -> Iterator[Block]:
    if c.outcome == "identical":
        return
    ordered = sorted(differences_shown(c), key=lambda d: (d.kind == "lasts", d.middle_a is None, d.middle_a or 0.0))
    rows = [_row(c, d, title(d)) for d in ordered]
    if rows or c.extras:
        yield Heading("What lies where")
    if rows:
        yield _table(("", *_sides(c), "B − A", "of A", "by the clock", "judged"), rows)
    for e in c.extras:
        yield Prose(f"{lone(e)[0].upper()}{lone(e)[1:]}.")


def _row(c: Comparison, d: Difference, name: str) -> tuple[str, ...]:
    """A difference as a row: what, A, B, by how much, as a share, in seconds, and whether that is anything."""
    return (
        name,
        cell(c, d, d.a, d.middle_a, d.interval_a),
        cell(c, d, d.b, d.middle_b, d.interval_b),
        signed(c, d),
        ratio(d),
        by_clock(d.seconds, d.unit),
        judged(c, d),
    )


def _sides(c: Comparison) -> tuple[str, str]:
    return ("A", "B") if c.chance is None else ("A, median", "B, median")


def _table(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    """Without the columns in which nothing stands."""
    kept = [i for i in range(len(columns)) if i == 0 or any(row[i] for row in rows)]
    return Table(tuple(columns[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in rows))


def lengths(c: Comparison) -> Iterator[Block]:
    rows = [_row(c, d, plain(d.what)) for d in c.phases if d.kind == "lasts"]
    if rows and c.align != "phase":
        table = _table(("phase", *_sides(c), "B − A", "of A", "by the clock", "judged"), rows)
        yield Details("Lengths of the phases", (table,))


def parted(c: Comparison) -> Iterator[Block]:
    if not c.separations or c.outcome == "identical":
        return
    yield Heading("Where the curves part")
    found = [s for s in c.separations if s.outcome is Outcome.FOUND]
    judged = [s for s in found if s.signal.startswith(("train/", "val/"))]
    others = [s for s in found if s not in judged]
    columns = (
        "signal",
        f"first apart beyond {'noise' if c.chance is None else 'seed noise'}",
        "B stands",
        "at the end",
    )
    if judged:
        yield Table(columns, tuple(_parting(c, s) for s in judged))
    quiet = [s.signal for s in c.separations if s.outcome is Outcome.NOT_FOUND]
    if quiet:
        noise = "the noise of the logs" if c.chance is None else "seed noise"
        yield Prose(f"Nowhere along the curves apart beyond {noise}: {', '.join(quiet)}.")
    for why in dict.fromkeys(s.why for s in c.separations if s.outcome is Outcome.NOT_CHECKED):
        names = [s.signal for s in c.separations if s.outcome is Outcome.NOT_CHECKED and s.why == why]
        yield Prose(f"Not checked, {why}: {', '.join(names)}.")
    if others:
        yield Details("Places where other signals part", (Table(columns, tuple(_parting(c, s) for s in others)),))


def _parting(c: Comparison, s: Separation) -> tuple[str, ...]:
    low, high = s.interval if s.interval is not None else (0.0, 0.0)
    return s.signal, between(c, low, high), "higher" if s.above else "lower", "apart" if s.at_end else "together"


def levels(c: Comparison) -> Iterator[Block]:
    if not c.values or c.outcome == "identical":
        return
    yield Heading("Losses and accuracies at the same place")
    rows = []
    for end, best in pairwise([*c.values, c.values[-1]]):
        if end.kind == "end":
            rows.append((end.what, *_row(c, end, "")[1:5], judged(c, end)))
        if end.kind == "end" and best.kind == "best" and _shown(best) != _shown(end):
            rows.append(("  best until there", *_row(c, best, "")[1:5], judged(c, best)))
    yield _table(("", *_sides(c), "B − A", "of A", "judged"), rows)
    ends = [d.at for d in c.values if d.at is not None]
    where = between(c, min(ends), max(ends))
    yield Prose(f"Values are those of the fitted curves, at the last place that all runs reach: {where}.")


def _shown(d: Difference) -> tuple[str, ...]:
    return tuple(number(v) for v in (*d.a, *d.b) if v is not None)


def costs(c: Comparison) -> Iterator[Block]:
    if not c.cost or c.outcome == "identical":
        return
    yield Heading("What it cost")
    names = {"reach": "to {what} {at}", "wall": "the same, in time", "pace": "per 1,000 {what}s"}
    rows = []
    for d in c.cost:
        name = names[d.kind].format(what=d.what, at=number(d.at or 0.0))
        what, a, b, by, share, _, judgement = _row(c, _thousand(d) if d.kind == "pace" else d, name)
        rows.append((what, a, b, by, share, judgement))
    yield _table(("", *_sides(c), "B − A", "of A", "judged"), rows)


def _thousand(d: Difference) -> Difference:
    """Seconds per thousand steps: of one step they are too small to read."""

    def times(values: Iterable[float | None]) -> tuple[float | None, ...]:
        return tuple(None if v is None else 1000 * v for v in values)

    a, b = times([d.middle_a, d.middle_b])
    return replace(d, a=times(d.a), b=times(d.b), middle_a=a, middle_b=b)


def settings(c: Comparison) -> Iterator[Block]:
    yield Heading("What was set differently")
    if not c.config.known:
        silent = [name for name, side in (("A", c.a), ("B", c.b)) if not any(x.run.config for x in side)]
        yield Prose(f"Not known: no settings in the log of {' or in that of '.join(silent)}.")
        return
    rows = tuple((key, _setting(a), _setting(b)) for key, (a, b) in c.config.differing.items())
    if rows:
        yield Table(("setting", "A", "B"), rows)
    equal = f"{c.config.equal} {'other ' if rows else ''}setting{'' if c.config.equal == 1 else 's'}"
    yield Prose(f"{equal} {'is' if c.config.equal == 1 else 'are'} equal.")
    if c.config.left_out:
        yield Prose(f"Left out, as they name a run, a place or a time: {', '.join(c.config.left_out)}.")


def _setting(values: Sequence[object]) -> str:
    distinct = dict.fromkeys(str(v) for v in values)
    text = ", ".join(distinct)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
