"""Comparison → Document: the sentences of a diff. Differences are B - A."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import PurePath

from runopsy.model import Autopsy, Change, Comparison, Difference, Extra, Outcome, Separation
from runopsy.report.document import Block, Details, Document, Heading, Headline, Prose, Table
from runopsy.report.overlay import overlay, unit
from runopsy.report.words import duration, number, percent, place, plain
from runopsy.version import VERSION

WORDS: Mapping[str, tuple[str, str]] = {
    "identical": ("no difference", "good"),
    "same": ("no difference", "good"),
    "seed_noise": ("within seed noise", "plain"),
    "different": ("different", "warn"),
    "undecided": ("cannot say", "plain"),
}
NAMES: Mapping[str, str] = {  # what moves when an event of the kind does
    "grokking": "generalisation (grokking)",
    "memorization_onset": "the onset of memorization",
    "double_descent_peak": "the peak of the double descent",
    "divergence": "the divergence",
}
SEVERAL: Mapping[str, tuple[str, str]] = {  # kinds of which a run may have many
    "loss_spike": ("a loss spike", "loss spikes"),
    "lr_change": ("a change of the learning rate", "changes of the learning rate"),
    "transition": ("an abrupt fall of the training loss", "abrupt falls of the training loss"),
    "not_finite": ("a loss that is no number", "losses that are no number"),
    "resume": ("a resume", "resumes"),
}
PHASES: Mapping[str, str] = {"converged": "convergence", "diverged": "divergence"}  # as nouns; the others are some
MOST = 3  # differences in the headline: the tables hold the rest
WHOLE = ("step", "row", "tokens")  # counted in whole numbers, though a fitted curve passes between them
UNSEEN = 0.05  # seconds: printed as 0.0
UNTOLD = 0.0005  # of A: printed as 0.0 %
LITTLE, MUCH = 0.1, 3.0  # times A: beyond them a factor reads better than a percentage
SHOWN = 60  # characters of a setting: longer ones are cut


def compose(c: Comparison) -> Document:
    """The report of a comparison."""
    blocks = [
        *_headline(c),
        *_pictured(c),
        *_moved(c),
        *_parted(c),
        *_levels(c),
        *_costs(c),
        *_settings(c),
        *_lengths(c),
        *_notes(c),
    ]
    a, b = (_named(side) for side in _ids(c))
    return Document(f"A: {a}  ·  B: {b}", tuple(blocks), f"Made by runopsy {VERSION} from the logs alone.")


def _ids(c: Comparison) -> tuple[list[str], list[str]]:
    """What the runs are called: by id, or by where they lie if two share one."""
    both = [*c.a, *c.b]
    if len({x.run.id for x in both}) == len(both):
        names = [x.run.id for x in both]
    else:
        names = _apart([x.run.path for x in both])
    return names[: len(c.a)], names[len(c.a) :]


def _apart(paths: Sequence[str]) -> list[str]:
    """Paths without the folders that all of them share."""
    parts = [PurePath(p).parts for p in paths]
    shared = 0
    while all(len(p) > shared + 1 and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return [str(PurePath(*p[shared:])) for p in parts]


def _named(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{len(ids)} runs ({', '.join(ids)})"


# --- the first line ------------------------------------------------------------------------------


def _headline(c: Comparison) -> Iterator[Block]:
    word, tone = WORDS[c.outcome]
    yield Headline(word, tone, _gist(c))
    still, open_ = _with(c, Change.NONE), _with(c, Change.OPEN)
    if c.outcome in ("different", "undecided"):
        if still:
            yield Prose(f"Not moved beyond {_noise(c)}: {', '.join(_subject(d) for d in still)}.")
        if open_:
            lack = "Not judged, as no interval is known" if c.chance is None else "Not judged, as the runs are too few"
            yield Prose(f"{lack}: {'; '.join(_shifted(d) for d in open_)}.")
    if c.outcome == "seed_noise" and c.chance is None:
        apart = [d for d in _placed(c) if d.by]
        yield Prose(f"Between these two: {'; '.join(_shifted(d) for d in apart)}." if apart else "No phase moves.")
    yield from (Prose(text) for text in _caveats(c))


def _gist(c: Comparison) -> str:
    if c.outcome == "identical":
        return "the logs hold the same values at the same places"
    if c.outcome == "same":
        return "the phases, events and values agree within their intervals, and no curve parts beyond noise"
    if c.outcome == "seed_noise":
        if c.chance is None:
            return "the runs are set alike but for the seed: what differs between them is what a seed does"
        return f"seeds alone tell two such sets as far apart in {_odds(c.chance)}"
    if c.outcome == "undecided" and c.least_p is not None:
        n = f"{len(c.a)} against {len(c.b)} runs"
        return f"{n} are too few: seeds alone separate them completely in {_odds(c.least_p)}"
    told = [*_verdicts(c), *_what_differs(c)]
    if told:
        return "; ".join([*told[:MOST], *(["and more"] if len(told) > MOST else [])])
    if c.outcome == "undecided":
        return "the phases lie at different places, and nothing says how sure these places are"
    return _beyond_phases(c)


def _what_differs(c: Comparison) -> Iterator[str]:
    """Events before phases: they are what people ask for."""
    moved = _with(c, Change.REAL)
    for kind in ("event", "phase"):
        yield from (_shifted(d) for d in moved if (d.kind == "event") == (kind == "event"))
        yield from (_only(e) for e in c.extras if e.kind == kind)


def _verdicts(c: Comparison) -> list[str]:
    a, b = (Counter(side) for side in c.verdicts)
    if {*a} == {*b} and (len(a) == 1 or a == b):
        return []
    return [f"A ended {_tally(a)}, B {_tally(b)}"]


def _tally(verdicts: Counter[str]) -> str:
    if len(verdicts) == 1:
        return plain(next(iter(verdicts)))
    return " and ".join(f"{plain(word)} {count}×" for word, count in verdicts.most_common())


def _beyond_phases(c: Comparison) -> str:
    """Neither a verdict, nor a phase, nor an event: what is left."""
    told = [_ended(d) for d in c.values if d.kind == "end" and d.change is Change.REAL]
    told.sort(key=lambda said: not said.startswith("val/"))
    parted = [s for s in c.separations if s.outcome is Outcome.FOUND and s.step is not None]
    if parted:
        first = min(parted, key=lambda s: s.step or 0.0)
        told.append(f"the curves part from {_reached(c, first.step or 0.0)} on ({first.signal})")
    return "phases and events agree; " + "; ".join(told[:MOST] or ["no single number differs, taken together they do"])


def _ended(d: Difference) -> str:
    way = "higher" if (d.by or 0.0) > 0 else "lower"
    return f"{d.what} ends {way}, {number(d.middle_b or 0.0)} instead of {number(d.middle_a or 0.0)}"


def _with(c: Comparison, change: Change) -> list[Difference]:
    return [d for d in _placed(c) if d.change is change]


def _placed(c: Comparison) -> list[Difference]:
    """What is told of events and phases: where they begin, and laid phase on phase how long they last."""
    return [*c.events, *(d for d in c.phases if (d.kind == "lasts") == (c.align == "phase"))]


def _subject(d: Difference) -> str:
    if d.kind == "event":
        return NAMES.get(d.what, plain(d.what))
    if d.kind == "lasts":
        return f"the length of {plain(d.what)}"
    return f"the time to {d.what}" if d.kind in ("reach", "wall") else f"the beginning of {_phase(d.what)}"


def _phase(label: str) -> str:
    return PHASES.get(label, plain(label))


def _shifted(d: Difference) -> str:
    """What moved, which way and by how much."""
    if d.kind == "lasts" and d.by:
        return f"{plain(d.what)} is {_by(d)}"
    return f"{_phase(d.what)} begins {_by(d)}" if d.kind == "begins" else f"{_subject(d)} comes {_by(d)}"


def _by(d: Difference) -> str:
    if d.by is None or d.middle_a is None or d.middle_b is None:
        return f"in {_seen(d.a)} of A and {_seen(d.b)} of B"
    if d.unit == "loss":
        return f"at a training loss of {number(_loss(d.middle_b))} instead of {number(_loss(d.middle_a))}"
    if d.by == 0:
        return "at the same place"
    extra = [_ratio(d).lstrip("+−")] if _ratio(d) else []
    if d.seconds is not None and abs(d.seconds) >= UNSEEN:
        against = d.seconds * d.by < 0
        extra.append(f"but {duration(abs(d.seconds))} {_when(d.seconds)}" if against else duration(abs(d.seconds)))
    said = f" ({', '.join(extra)})" if extra else ""
    way = ("longer" if d.by > 0 else "shorter") if d.kind == "lasts" else _when(d.by)
    return f"{_length(abs(d.by), d.unit)} {way}{said}"


def _when(by: float) -> str:
    return "later" if by > 0 else "earlier"


def _seen(runs: Sequence[float | None]) -> str:
    return f"{sum(r is not None for r in runs)} of {len(runs)} runs"


def _length(count: float, axis: str) -> str:
    if axis in ("time", "s"):
        return _duration(count)
    if axis == "phase":
        return f"{percent(count)} of a phase"
    return f"{place(count)} {axis}{'' if count == 1 or axis == 'tokens' else 's'}"


def _clock(seconds: float | None, axis: str) -> str:
    """A difference of seconds; nothing where the axis itself counts them."""
    if seconds is None or axis == "time":
        return ""
    return "0" if abs(seconds) < UNSEEN else f"{'+' if seconds > 0 else '−'}{duration(abs(seconds))}"


def _duration(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 or seconds == 0 else f"{number(_rough(seconds))} s"


def _loss(position: float) -> float:
    return float(10**-position)


def _odds(p: float) -> str:
    """A share of all splits of the runs, as people say it."""
    return f"1 of {round(1 / p)} cases" if p <= 0.3 else f"{percent(p)} of cases"


def _noise(c: Comparison) -> str:
    return "the intervals" if c.chance is None else "seed noise"


def _caveats(c: Comparison) -> Iterator[str]:
    if c.outcome == "identical":
        return
    if c.align == "time":
        yield "Seconds hold whatever else the machine was doing: another day, other seconds."
    if c.chance is None:
        if c.outcome != "seed_noise":
            yield (
                "One run each: the intervals hold the noise of the logs, not what another seed would do. "
                "Several seeds tell: runopsy diff A1 A2 A3 vs B1 B2 B3."
            )
        return
    if c.outcome == "different":
        runs = f"{len(c.a)} run{'s' if len(c.a) > 1 else ''} against {len(c.b)}"
        most = f" With {runs} no test can show more." if c.chance == c.least_p else ""
        yield f"Seeds alone tell two such sets as far apart in {_odds(c.chance)}.{most}"


# --- what lies where -----------------------------------------------------------------------------


def _pictured(c: Comparison) -> Iterator[Block]:
    drawn = overlay(c)
    if drawn is None:
        return
    log = drawn.timelines and drawn.timelines[0].scale.log
    several = "; of each set the run that the others resemble most" if c.chance is not None else ""
    yield Heading(f"Phases, by {'log ' if log else ''}{unit(c)}{several}")
    yield replace(drawn, charts=()) if c.outcome == "identical" else drawn


def _moved(c: Comparison) -> Iterator[Block]:
    if c.outcome == "identical":
        return
    ordered = sorted(_placed(c), key=lambda d: (d.kind == "lasts", d.middle_a is None, d.middle_a or 0.0))
    rows = [_row(c, d, _title(d)) for d in ordered]
    if rows or c.extras:
        yield Heading("What lies where")
    if rows:
        yield _table(("", *_sides(c), "B − A", "of A", "by the clock", "judged"), rows)
    for e in c.extras:
        yield Prose(f"{_only(e)[0].upper()}{_only(e)[1:]}.")


def _title(d: Difference) -> str:
    if d.kind == "lasts":
        return f"{plain(d.what)} lasts"
    return f"{_phase(d.what)} begins" if d.kind == "begins" else _subject(d).removeprefix("the ")


def _only(e: Extra) -> str:
    side, other, n = e.side.upper(), "A" if e.side == "b" else "B", len(e.steps)
    first = place(round(e.steps[0]) if e.steps[0] >= 1 else e.steps[0])
    runs = f" ({e.runs} runs)" if e.runs > 1 else ""
    if e.kind == "phase":
        return f"only {side} has a {plain(e.what)} phase, from {first} on{runs}"
    if e.what in SEVERAL:
        one, many = SEVERAL[e.what]
        told = f"{one} at {first}" if n == 1 else f"{n} {many}, the first at {first}"
        return f"{side} has {told}{runs}, where {other} has none"
    return f"only {side} has {NAMES.get(e.what, plain(e.what))}, at {first}{runs}"


def _table(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    """Without the columns in which nothing stands."""
    kept = [i for i in range(len(columns)) if i == 0 or any(row[i] for row in rows)]
    return Table(tuple(columns[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in rows))


def _sides(c: Comparison) -> tuple[str, str]:
    return ("A", "B") if c.chance is None else ("A, median", "B, median")


def _row(c: Comparison, d: Difference, name: str) -> tuple[str, ...]:
    """A difference as a row: what, A, B, by how much, as a share, in seconds, and whether that is anything."""
    return (
        name,
        _cell(c, d, d.a, d.middle_a, d.interval_a),
        _cell(c, d, d.b, d.middle_b, d.interval_b),
        _signed(c, d),
        _ratio(d),
        _clock(d.seconds, d.unit),
        _said(c, d),
    )


def _ratio(d: Difference) -> str:
    """A difference as a share of A; a factor where percentages stop saying anything."""
    if d.share is None or abs(d.share) < UNTOLD:
        return ""
    if not LITTLE < 1 + d.share < MUCH and 1 + d.share > 0:
        return f"× {number(_rough(1 + d.share))}"
    return f"{'+' if d.share > 0 else '−'}{percent(abs(d.share))}"


def _cell(
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
    told = [] if ends is None or ends[0] == ends[1] else [_place(c, d, end) for end in ends]
    spread = f" ({'–'.join(dict.fromkeys(told))})" if told else ""
    return f"{_place(c, d, middle)}{spread}{missing}"


def _rough(value: float) -> float:
    """Two digits: ends of a range are rarely known better, and the table stays in its columns."""
    return float(f"{value:.2g}")


def _place(c: Comparison, d: Difference, position: float) -> str:
    if d.unit == "loss":
        return number(_rough(_loss(position)))
    if d.unit in ("time", "s"):
        return _duration(position)
    if d.unit == "phase":
        return _reached(c, position)
    if d.unit in WHOLE:
        return place(round(position))
    return place(position) if d.unit else number(position)


def _signed(c: Comparison, d: Difference) -> str:
    if d.by is None:
        return ""
    if d.by == 0:
        return "0"
    if d.unit == "loss":
        return f"× {number(float(10**-d.by))}"
    size = _length(abs(d.by), d.unit) if d.unit in ("time", "s", "phase") else _place(c, d, abs(d.by))
    return f"{'+' if d.by > 0 else '−'}{size}"


def _said(c: Comparison, d: Difference) -> str:
    if d.by == 0:
        return "the same"
    if d.change is Change.REAL:
        return f"beyond {_noise(c)}"
    if d.kind in ("wall", "pace"):
        return ""  # what else a machine did no log can say
    if d.change is Change.OPEN:
        return "no interval" if c.chance is None else "too few runs"
    inside = d.interval_a is not None and d.interval_b is not None and _meet(d.interval_a, d.interval_b)
    if inside:
        return "within the intervals"
    if d.p is not None:
        return "within seed noise" if c.least_p is None or d.p > c.least_p or c.outcome == "seed_noise" else "too close"
    return "as a seed does" if c.outcome == "seed_noise" else "too close to tell"


def _meet(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]


def _lengths(c: Comparison) -> Iterator[Block]:
    rows = [_row(c, d, plain(d.what)) for d in c.phases if d.kind == "lasts"]
    if rows and c.align != "phase":
        table = _table(("phase", *_sides(c), "B − A", "of A", "by the clock", "judged"), rows)
        yield Details("Lengths of the phases", (table,))


# --- curves --------------------------------------------------------------------------------------


def _parted(c: Comparison) -> Iterator[Block]:
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
    quiet = [s.signal for s in c.separations if s.outcome is Outcome.QUIET]
    if quiet:
        noise = "the noise of the logs" if c.chance is None else "seed noise"
        yield Prose(f"Never apart beyond {noise}: {', '.join(quiet)}.")
    for why in dict.fromkeys(s.why for s in c.separations if s.outcome is Outcome.NOT_CHECKED):
        names = [s.signal for s in c.separations if s.outcome is Outcome.NOT_CHECKED and s.why == why]
        yield Prose(f"Not checked, {why}: {', '.join(names)}.")
    if others:
        yield Details("Places where other signals part", (Table(columns, tuple(_parting(c, s) for s in others)),))


def _parting(c: Comparison, s: Separation) -> tuple[str, ...]:
    low, high = s.interval if s.interval is not None else (0.0, 0.0)
    said = (
        _reached(c, high) if low == high else f"{_reached(c, low)} to {_reached(c, high).removeprefix(c.align + ' ')}"
    )
    return s.signal, said, "higher" if s.above else "lower", "apart" if s.at_end else "together"


def _between(c: Comparison, low: float, high: float) -> str:
    if _reached(c, low) == _reached(c, high):
        return _reached(c, high)
    return f"{_reached(c, low)} to {_reached(c, high).removeprefix(f'{c.align} ')}"


def _reached(c: Comparison, at: float) -> str:
    """A place on the common axis in words."""
    if c.align == "loss":
        return f"training loss {number(_loss(at))}"
    if c.align == "phase":
        phases = (c.laid_a if len(c.laid_a.phases) >= len(c.laid_b.phases) else c.laid_b).phases
        here = next((p for p in phases if p.start <= at < p.end), phases[-1])
        share = (at - here.start) / max(here.end - here.start, 1e-12)
        return f"{percent(share)} of {plain(here.label)}"
    return _duration(at) if c.align == "time" else f"{c.align} {place(at)}"


# --- values, cost, settings ----------------------------------------------------------------------


def _levels(c: Comparison) -> Iterator[Block]:
    if not c.values or c.outcome == "identical":
        return
    yield Heading("How good, at the same place")
    rows = []
    for end, best in pairwise([*c.values, c.values[-1]]):
        if end.kind == "end":
            rows.append((end.what, *_row(c, end, "")[1:5], _said(c, end)))
        if end.kind == "end" and best.kind == "best" and _shown(best) != _shown(end):
            rows.append(("  best until there", *_row(c, best, "")[1:5], _said(c, best)))
    yield _table(("", *_sides(c), "B − A", "of A", "judged"), rows)
    ends = [d.at for d in c.values if d.at is not None]
    where = _between(c, min(ends), max(ends))
    yield Prose(f"Values are those of the fitted curves, at the last place that all runs reach: {where}.")


def _shown(d: Difference) -> tuple[str, ...]:
    return tuple(number(v) for v in (*d.a, *d.b) if v is not None)


def _costs(c: Comparison) -> Iterator[Block]:
    if not c.cost or c.outcome == "identical":
        return
    yield Heading("What it cost")
    names = {"reach": "to {what} {at}", "wall": "the same, in time", "pace": "per 1,000 {what}s"}
    rows = []
    for d in c.cost:
        name = names[d.kind].format(what=d.what, at=number(d.at or 0.0))
        what, a, b, by, share, _, said = _row(c, _thousand(d) if d.kind == "pace" else d, name)
        rows.append((what, a, b, by, share, said))
    yield _table(("", *_sides(c), "B − A", "of A", "judged"), rows)


def _thousand(d: Difference) -> Difference:
    """Seconds per thousand steps: of one step they are too small to read."""

    def times(values: Iterable[float | None]) -> tuple[float | None, ...]:
        return tuple(None if v is None else 1000 * v for v in values)

    a, b = times([d.middle_a, d.middle_b])
    return replace(d, a=times(d.a), b=times(d.b), middle_a=a, middle_b=b)


def _settings(c: Comparison) -> Iterator[Block]:
    yield Heading("What was set differently")
    if not c.config.known:
        silent = [name for name, side in (("A", c.a), ("B", c.b)) if not any(x.run.config for x in side)]
        yield Prose(f"Not known: the log of {' and of '.join(silent)} says nothing of how it was set.")
        return
    rows = tuple((key, _setting(a), _setting(b)) for key, (a, b) in c.config.differing.items())
    if rows:
        yield Table(("setting", "A", "B"), rows)
    equal = f"{c.config.equal} {'other ' if rows else ''}setting{'' if c.config.equal == 1 else 's'}"
    yield Prose(f"{equal} {'is' if c.config.equal == 1 else 'are'} equal.")
    if c.config.left_out:
        yield Prose(f"Left out, as they name a run, a place or a time: {', '.join(c.config.left_out)}.")


def _setting(values: Sequence[object]) -> str:
    told = dict.fromkeys(str(v) for v in values)
    text = ", ".join(told)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _notes(c: Comparison) -> Iterator[Block]:
    notes = [*c.notes, *_coverage(c)]
    if notes:
        yield Heading("Notes")
        yield from (Prose(note) for note in notes)


def _coverage(c: Comparison) -> Iterator[str]:
    """What one side has that the other has not, or has longer."""
    a, b = (_signals(side) for side in (c.a, c.b))
    for name, mine, other in (("A", a, b), ("B", b, a)):
        if mine - other:
            lone = sorted(mine - other)
            yield f"Only {name} logged {', '.join(lone[:8])}{' …' if len(lone) > 8 else ''}."
    ends = [max(x.last for x in side) for side in (c.a, c.b)]
    if ends[0] != ends[1] and c.align == c.a[0].axis:
        yield f"A ends at {_reached(c, ends[0])}, B at {_reached(c, ends[1])}."


def _signals(side: Sequence[Autopsy]) -> set[str]:
    return {n for x in side for n in x.signals if not n.startswith("recorder/")}
