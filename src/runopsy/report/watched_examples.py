"""What the watched examples show, as blocks: for a section of the page, and for ``runopsy examples``."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator

import numpy as np

from runopsy.examples.learning import groups_of
from runopsy.examples.suspects import NAMED, SHOWN, listed
from runopsy.examples.widths import LEAST_P
from runopsy.model import Autopsy, Examples, LearntGroup, Run, Suspect, WatchedExamples, WidthTest
from runopsy.report.document import (
    Block,
    Chart,
    Cloud,
    Details,
    Document,
    Heading,
    Line,
    Picture,
    Prose,
    Scale,
    Scatter,
    Table,
)
from runopsy.report.words import number, place
from runopsy.version import VERSION

SURE = 0.05  # of a test of widths, below which a difference is stated
MOST_LINES = 5  # groups in one picture: nobody keeps more apart
PROBABLE = "probably mislabelled"
COLUMNS = ("rank", "example", "given", "rather", "margin", "confidence", "variability", "loss_at_the_end",
           "learnt_at", "forgotten", "named")  # fmt: skip


def section(autopsy: Autopsy) -> Iterator[Block]:
    """Of the page; nothing where no examples were watched."""
    if autopsy.examples is not None:
        yield Details("Examples, one by one", tuple(_blocks(autopsy.run, autopsy.examples)), open=True)


def document(run: Run, watched: WatchedExamples) -> Document:
    """All of it, for the command."""
    blocks = tuple(_blocks(run, watched))
    return Document(f"{run.id}  ·  examples, one by one", blocks, f"Made by runopsy {VERSION} from the log alone.")


def _blocks(run: Run, watched: WatchedExamples) -> Iterator[Block]:
    yield Table(("", "examples", "half learnt by", "middle half", "width", "never right", "forgotten", "learnt again"),
                tuple(_row(one, run.axis) for one in watched.groups))  # fmt: skip
    yield Prose(_reading(run))
    yield from (Prose(_compared(test)) for test in watched.widths)
    yield from _courses(run)
    yield from _doubts(run, watched)


def _row(one: LearntGroup, axis: str) -> tuple[str, ...]:
    low, middle, high = one.quartiles or (math.nan,) * 3
    between = f"{_at(low)} – {_at(high)}"
    width = f"{one.width:.2f}" if one.width is not None else f"unknown: {one.why}"
    counts = (one.never, one.forgotten, one.relearnt)
    return one.name, f"{one.examples:,}", _at(middle), between, width, *(f"{count:,}" for count in counts)


def _at(step: float) -> str:
    return place(step) if math.isfinite(step) else "not by the end"


def _reading(run: Run) -> str:
    probe = run.examples.get("probe")
    looked = f" in {probe.readings} readings" if probe is not None and probe.readings else ""
    return (
        f"Learnt: right from that {run.axis} to the last reading{looked}; its place between two readings is not known. "
        "Width: the mean distance of these places from their median, in decades of elapsed steps."
    )


def _compared(test: WidthTest) -> str:
    low, high = test.interval
    numbers = f"difference {test.difference:.2f} decades, {low:.2f} to {high:.2f}; permutation test p {_p(test.p)}"
    if test.p > SURE:
        return f"Whether {test.a} and {test.b} examples are spread differently over difficulty is not known: {numbers}."
    more = "more widely" if test.difference > 0 else "more narrowly"
    return f"{test.a.capitalize()} examples are spread {more} over difficulty than {test.b}: {numbers}."


def _p(p: float) -> str:
    return f"{p:.3f}" if p > LEAST_P else f"at most {LEAST_P:.3f}"


def _courses(run: Run) -> Iterator[Block]:
    """The share learnt for good by each step, one line per group."""
    found = {
        name: (np.sort(one.learnt[mask & np.isfinite(one.learnt)]), int(mask.sum()))
        for name, (one, mask) in groups_of(run.examples, MOST_LINES - len(run.examples)).items()
    }
    learnt = {name: (steps, count) for name, (steps, count) in found.items() if len(steps)}
    if not learnt:
        return
    ends = [float(one.turns.step.max()) for one in run.examples.values() if one.turns is not None]
    last = max([*ends, *(float(steps[-1]) for steps, _ in learnt.values())])
    first = min(float(steps[0]) for steps, _ in learnt.values())
    if last <= first:
        return
    axis = Scale(first, last, log=True, origin=1.0, unit=run.axis)
    lines = tuple(_line(name, steps, count, last) for name, (steps, count) in learnt.items())
    chart = Chart("Share of the examples learnt for good", axis, lines, False, (), 8)
    listed = "; ".join(f"{line.name} {number(round(float(line.value[-1]), 3))}" for line in lines)
    yield Picture(
        "examples", f"Share of the examples learnt for good by each {run.axis}. At the end: {listed}.", (), (chart,)
    )


def _line(name: str, steps: np.ndarray, count: int, last: float) -> Line:
    at, learnt = np.unique(steps, return_counts=True)
    share = np.cumsum(learnt) / count
    return Line(name, np.append(at, last), np.append(share, share[-1])) if at[-1] < last else Line(name, at, share)


def _doubts(run: Run, watched: WatchedExamples) -> Iterator[Block]:
    probe = run.examples.get("probe")
    yield Heading(PROBABLE.capitalize())
    if watched.named is None or probe is None:
        yield Prose(f"Not checked: {watched.why}.")
        return
    if watched.named:
        yield Prose(
            f"Of {len(probe):,} training examples {watched.named:,} have a label that the model held less probable "
            "than another class, on average over the whole run. Hard and rare examples may be among them. Once false "
            "labels are memorized, fewer are named the longer the run goes on: the ranking lists those that follow."
        )
        yield Table(("example", "given", "rather", "margin", "confidence", "variability", "learnt", "forgotten"),
                    tuple(_suspect(one) for one in watched.suspects))  # fmt: skip
        if watched.named > SHOWN:
            yield Prose(f"… and {watched.named - SHOWN:,} more: runopsy examples RUN -o ids.csv lists all, ranked.")
    else:
        yield Prose(
            f"Of {len(probe):,} training examples none: each label was the most probable on average over the run."
        )
    yield from _map(probe)


def _suspect(one: Suspect) -> tuple[str, ...]:
    rather = "" if one.rather is None else str(one.rather)
    numbers = (f"{value:.2f}" for value in (one.margin, one.confidence, one.variability))
    return (
        str(one.example),
        str(one.label),
        rather,
        *numbers,
        _at(math.inf if one.learnt is None else one.learnt),
        str(one.forgotten),
    )


def _map(probe: Examples) -> Iterator[Block]:
    """Dataset cartography: easy examples at the top left, hard ones at the bottom left, ambiguous ones at the right."""
    sure, spread, margin = probe.confidence, probe.variability, probe.margin
    if sure is None or spread is None or margin is None:
        return
    named = margin < NAMED
    clouds = [Cloud("others", spread[~named], sure[~named]), Cloud(PROBABLE, spread[named], sure[named])]
    alt = f"Each training example by its mean confidence and its variability; {int(named.sum())} {PROBABLE}."
    yield Scatter(
        "cartography", alt, ("variability", 0.0, 0.5), ("confidence", 0.0, 1.0), tuple(c for c in clouds if len(c.x))
    )


def ranked(probe: Examples) -> str:
    """The ranking of the training examples as CSV, the most doubtful label first."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(_cells(listed(probe)))
    return text.getvalue()


def _cells(suspects: Iterable[Suspect]) -> Iterator[tuple[object, ...]]:
    for rank, one in enumerate(suspects, 1):
        numbers = (f"{value:.6g}" for value in (one.margin, one.confidence, one.variability, one.loss))
        learnt = "" if one.learnt is None else f"{one.learnt:.15g}"
        rather = "" if one.rather is None else one.rather
        yield (rank, one.example, one.label, rather, *numbers, learnt, one.forgotten, int(one.margin < NAMED))
