"""Comparison → Document: the sentences of a diff. Differences are B - A."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

from runopsy.model import Autopsy, Change, Comparison, Difference, Outcome
from runopsy.report.compare_tables import costs, lengths, levels, moved, parted, settings
from runopsy.report.delta_words import differences_shown, lone, noise, reached, shifted, subject
from runopsy.report.document import Block, Document, Heading, Headline, Prose
from runopsy.report.overlay import overlay, unit
from runopsy.report.words import number, percent, plain
from runopsy.version import VERSION

WORDS: Mapping[str, tuple[str, str]] = {
    "identical": ("no difference", "good"),
    "same": ("no difference", "good"),
    "seed_noise": ("within seed noise", "plain"),
    "different": ("different", "warn"),
    "undecided": ("undecided", "plain"),
}
MOST = 3  # differences in the headline: the tables hold the rest


def compose(c: Comparison) -> Document:
    """The report of a comparison."""
    blocks = [
        *_headline(c),
        *_pictured(c),
        *moved(c),
        *parted(c),
        *levels(c),
        *costs(c),
        *settings(c),
        *lengths(c),
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


def _headline(c: Comparison) -> Iterator[Block]:
    word, tone = WORDS[c.outcome]
    yield Headline(word, tone, _gist(c))
    still, open_ = _with(c, Change.NONE), _with(c, Change.OPEN)
    if c.outcome in ("different", "undecided"):
        if still:
            yield Prose(f"Not moved beyond {noise(c)}: {', '.join(subject(d) for d in still)}.")
        if open_:
            lack = (
                "Not judged, as the phases or their places are uncertain"
                if c.chance is None
                else "Not judged, as the runs are too few"
            )
            yield Prose(f"{lack}: {'; '.join(shifted(d) for d in open_)}.")
    if c.outcome == "seed_noise" and c.config.only_seeds:
        apart = [d for d in differences_shown(c) if d.by]
        yield Prose(f"Between the two: {'; '.join(shifted(d) for d in apart)}." if apart else "No phase moves.")
    yield from (Prose(text) for text in _caveats(c))


def _gist(c: Comparison) -> str:
    if c.outcome == "identical":
        return "the logs hold the same values at the same places"
    if c.outcome == "same" and not all(_signals(side) for side in (c.a, c.b)):
        return "the phases and events agree within their intervals; curves were not compared"
    if c.outcome == "same":
        return "the phases, events and values agree within their intervals, and no curve parts beyond noise"
    if c.outcome == "seed_noise":
        if c.config.only_seeds or c.chance is None:
            return "only the seed differs in the settings: the differences show the effect of the seed"
        return f"seeds alone separate two such sets this far in {_odds(c.chance)}"
    if c.outcome == "undecided" and c.least_p is not None:
        n = f"{len(c.a)} against {len(c.b)} runs"
        return f"{n} are too few: seeds alone separate them completely in {_odds(c.least_p)}"
    differences = [*_verdicts(c), *_what_differs(c)]
    if differences:
        return "; ".join([*differences[:MOST], *(["and more"] if len(differences) > MOST else [])])
    if c.outcome == "undecided":
        return "the phases begin at different places, within the uncertainty of the logs"
    return _beyond_phases(c)


def _what_differs(c: Comparison) -> Iterator[str]:
    """Events before phases: they are what people ask for."""
    moved = _with(c, Change.REAL)
    for kind in ("event", "phase"):
        yield from (shifted(d) for d in moved if (d.kind == "event") == (kind == "event"))
        yield from (lone(e) for e in c.extras if e.kind == kind and e.sure)


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
    differences = [_ended(d) for d in c.values if d.kind == "end" and d.change is Change.REAL]
    differences.sort(key=lambda text: not text.startswith("val/"))
    parted = [s for s in c.separations if s.outcome is Outcome.FOUND and s.step is not None]
    if parted:
        first = min(parted, key=lambda s: s.step or 0.0)
        differences.append(f"the curves part from {reached(c, first.step or 0.0)} on ({first.signal})")
    return "phases and events agree; " + "; ".join(
        differences[:MOST] or ["no single number differs, but all of them together do"]
    )


def _ended(d: Difference) -> str:
    way = "higher" if (d.by or 0.0) > 0 else "lower"
    return f"{d.what} ends {way}, {number(d.middle_b or 0.0)} instead of {number(d.middle_a or 0.0)}"


def _with(c: Comparison, change: Change) -> list[Difference]:
    return [d for d in differences_shown(c) if d.change is change]


def _odds(p: float) -> str:
    """A share of all splits of the runs, as people put it."""
    return f"1 of {round(1 / p)} cases" if p <= 0.3 else f"{percent(p)} of cases"


def _caveats(c: Comparison) -> Iterator[str]:
    if c.outcome == "identical":
        return
    if c.align == "time":
        yield "Seconds depend on what else the machine was running; another day can give others."
    if c.chance is None:
        if c.outcome != "seed_noise":
            yield (
                "One run on each side: the intervals cover the noise of the logs, not the effect of the seed. "
                "Several seeds measure it: runopsy diff A1 A2 A3 vs B1 B2 B3."
            )
        return
    if c.outcome == "different":
        runs = f"{len(c.a)} run{'s' if len(c.a) > 1 else ''} against {len(c.b)}"
        most = f" With {runs} no test can show more." if c.chance == c.least_p else ""
        yield f"Seeds alone separate two such sets this far in {_odds(c.chance)}.{most}"


def _pictured(c: Comparison) -> Iterator[Block]:
    drawn = overlay(c)
    if drawn is None:
        return
    log = drawn.timelines and drawn.timelines[0].scale.log
    several = "; of each set the run that the others resemble most" if c.chance is not None else ""
    yield Heading(f"Phases, by {'log ' if log else ''}{unit(c)}{several}")
    yield replace(drawn, charts=()) if c.outcome == "identical" else drawn


def _notes(c: Comparison) -> Iterator[Block]:
    notes = [*c.notes, *_coverage(c)]
    if notes:
        yield Heading("Notes")
        yield from (Prose(note) for note in notes)


def _coverage(c: Comparison) -> Iterator[str]:
    """What one side has that the other has not, or has longer."""
    a, b = (_signals(side) for side in (c.a, c.b))
    for name, mine, other in (("A", a, b), ("B", b, a)):
        if not mine:
            yield f"{name} is a stored autopsy: curves, values, cost and settings were not compared."
        elif other and mine - other:
            lone = sorted(mine - other)
            yield f"Only {name} logged {', '.join(lone[:8])}{' …' if len(lone) > 8 else ''}."
    ends = [max(x.last for x in side) for side in (c.a, c.b)]
    if ends[0] != ends[1] and c.align == c.a[0].axis:
        yield f"A ends at {reached(c, ends[0])}, B at {reached(c, ends[1])}."


def _signals(side: Sequence[Autopsy]) -> set[str]:
    return {n for x in side for n in x.signals if not n.startswith("recorder/")}
