"""Study → Document: the only place with sentences about many runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from runopsy.comparison.configs import MISSING
from runopsy.model import Outcome as Answered
from runopsy.report.document import (
    Band,
    Block,
    Curve,
    Details,
    Document,
    Heading,
    Map,
    Prose,
    RunLine,
    Runs,
    Square,
    Table,
)
from runopsy.report.words import number, percent, place, plain
from runopsy.study import size_pictures
from runopsy.study.best import Best, Configuration
from runopsy.study.diagram import Cell, Diagram
from runopsy.study.row import Row
from runopsy.study.settings import shown
from runopsy.study.study import UNREADABLE, Study
from runopsy.study.what_mattered import Level, Mattered
from runopsy.version import VERSION

MOST = 1_000  # runs that a report lists; a table has all
MOST_CONFIGURATIONS = 20
MOST_UNREADABLE = 200
SETTINGS = 8  # columns of settings in the list of runs: those that went with the outcome first
COLOURS: Mapping[str, str] = {  # phase of the diagram → the colour of a report
    "comprehension": "feature_learning",
    "grokking": "fitting",
    "memorization": "memorization",
    "confusion": "underfitting",
    "diverged": "diverged",
    "unknown": "other",
}
MEANING: Mapping[str, str] = {
    "comprehension": "training and validation are fitted",
    "grokking": "validation long after training",
    "memorization": "training alone is fitted",
    "confusion": "training is not fitted",
    "diverged": "diverged or unstable",
    "unknown": "not judged",
}


def compose(study: Study) -> Document:
    """The report of many runs."""
    blocks: list[Block] = [
        *_counted(study),
        *_mapped(study),
        *_mattered(study),
        *_seeds(study),
        *_sized(study),
        *_listed(study),
        *_unread(study),
        *_left_out(study),
    ]
    title = f"{_many(len(study.rows), 'run')}"
    if study.outcome is not None:
        title += f"  ·  outcome: {study.outcome.name}, {study.outcome.better} is better"
    return Document(title, tuple(blocks), f"Made by runopsy {VERSION} from the logs alone.")


def _counted(study: Study) -> Iterator[Block]:
    counts = study.verdicts
    words = ", ".join(f"{count:,} {plain(word)}" for word, count in counts.items())
    yield Prose(f"Verdicts: {words or 'no run'}.")
    if study.examined or study.kept:
        yield Prose(
            f"{_many(study.examined, 'run')} examined; {study.kept:,} unchanged since an earlier sweep, taken from it. "
            f"Everything found is kept in {study.folder}."
        )
    if study.left_out:
        yield Prose(f"{_many(study.left_out, 'run')} left out by --where.")


# --- the map -------------------------------------------------------------------------------------


def _mapped(study: Study) -> Iterator[Block]:
    found = study.diagram
    if found is None:
        return
    yield Heading(f"Phase diagram over {found.by[0]} and {found.by[1]}")
    used = [phase for phase in COLOURS if any(cell.phase == phase for cell in found.cells)]
    yield Map(
        name="phase-diagram",
        alt=_spoken(found),
        x_name=found.by[0],
        y_name=found.by[1],
        xs=tuple(step.name for step in found.x),
        ys=tuple(step.name for step in found.y),
        squares=tuple(_square(found, cell) for cell in found.cells),
        kinds=tuple((COLOURS[phase], f"{phase}: {MEANING[phase]}") for phase in used),
    )
    yield from (Prose(f"{note[0].upper()}{note[1:]}.") for note in found.notes)
    if any(cell.share < 1 for cell in found.cells):
        yield Prose("A fraction beside a phase: how many of the runs in the square are of it.")
    yield from _boundary(found)
    yield from _means(found)
    if found.left_out:
        yield Prose(f"{_many(found.left_out, 'run')} lacking one of the two settings: in no square.")


def _square(found: Diagram, cell: Cell) -> Square:
    share = "" if cell.share == 1 else f" {round(cell.share * cell.runs)}/{cell.runs}"
    words = ", ".join(f"{count} {plain(word)}" for word, count in cell.verdicts.items())
    mean = "" if cell.mean is None else f"; mean {found.outcome} {number(cell.mean)}"
    where = f"{found.by[0]} {found.x[cell.x].name}, {found.by[1]} {found.y[cell.y].name}"
    text = cell.phase + share
    return Square(cell.x, cell.y, COLOURS[cell.phase], text, text, f"{where}: {words}{mean}")


def _means(found: Diagram) -> Iterator[Block]:
    """What the outcome came to in each square, where all are of one phase and the map shows nothing else."""
    if found.outcome is None or len({cell.phase for cell in found.cells}) > 1:
        return
    mean = {(cell.x, cell.y): cell.mean for cell in found.cells if cell.mean is not None}
    yield Prose(f"All squares are of one phase. Mean {found.outcome} of the runs in each:")
    rows = [
        (y.name, *(number(mean[i, j]) if (i, j) in mean else "" for i in range(len(found.x))))
        for j, y in enumerate(found.y)
    ]
    heads = (f"{found.by[1]} ↓  {found.by[0]} →", *(x.name for x in found.x))
    yield Table(heads, tuple(rows[::-1]))


def _spoken(found: Diagram) -> str:
    counted = {phase: sum(cell.phase == phase for cell in found.cells) for phase in COLOURS}
    words = ", ".join(f"{count} {phase}" for phase, count in counted.items() if count)
    return f"Phase diagram over {found.by[0]} and {found.by[1]}: {words} of {len(found.cells)} squares"


def _boundary(found: Diagram) -> Iterator[Block]:
    """Where one phase gives way to another along each of the settings, a line for each value of the other."""
    for axis, other, steps in ((0, 1, found.y), (1, 0, found.x)):
        lines = []
        for k, step in enumerate(steps):
            turns = [
                f"{edge.phases[0]} → {edge.phases[1]} between {edge.between[0]} and {edge.between[1]}"
                for edge in found.boundary
                if edge.a[other] == edge.b[other] == k
            ]
            if turns:
                lines.append((step.name, "; ".join(turns)))
        if lines:
            yield Table((found.by[other], f"boundary along {found.by[axis]}"), tuple(lines))


# --- what mattered -------------------------------------------------------------------------------


def _mattered(study: Study) -> Iterator[Block]:
    yield Heading("Settings associated with the outcome")
    differing = study.differences.settings
    if not differing:
        yield Prose("No setting that the logs record differs between these runs.")
        return
    if not study.what_mattered:
        yield Prose("All runs have the same outcome: no setting can be associated with it.")
        return
    configurations = len(study.configurations)
    yield Prose(
        f"{_many(len(differing), 'setting')} {'differs' if len(differing) == 1 else 'differ'} over "
        f"{_many(configurations, 'configuration')}. Permutation tests, p corrected for the number of settings and "
        "outcomes. An associated setting is a cause only if it was varied by itself or at random."
    )
    found = [one for one in study.what_mattered if one.answer is Answered.FOUND]
    if found:
        heads = ("setting", "outcome", "p", "share of variance", "how")
        yield Table(heads, tuple(_mattered_row(study, one) for one in found))
    else:
        yield Prose("No setting is associated with the outcome beyond chance.")
    yield from _unshown(study.what_mattered)
    for one in found:
        if one.outcome != "verdict":
            heads = (one.setting, "runs", f"mean {one.outcome}", "spread", "standard error")
            yield Table(heads, tuple(_level(level) for level in one.levels))


def _unshown(answers: Sequence[Mattered]) -> Iterator[Block]:
    """What was not shown, and what could not be checked, for each outcome in one sentence."""
    for outcome in dict.fromkeys(one.outcome for one in answers):
        mine = [one for one in answers if one.outcome == outcome]
        vain = [f"{_name(one)} (p {_p(one)})" for one in mine if one.answer is Answered.NOT_FOUND]
        open_ = [one for one in mine if one.answer is Answered.NOT_CHECKED]
        if vain:
            yield Prose(f"No association shown with {outcome}: {', '.join(vain)}.")
        if open_:
            names = ", ".join(_name(one) for one in open_)
            yield Prose(f"Association with {outcome} not checked: {names} ({open_[0].why}).")


def _mattered_row(study: Study, one: Mattered) -> tuple[str, ...]:
    share = "" if one.share is None else percent(one.share)
    return _name(one), one.outcome, _p(one), share, _how(study, one)


def _name(one: Mattered) -> str:
    return " = ".join((one.setting, *one.also))


def _p(one: Mattered) -> str:
    return "" if one.p is None else number(float(f"{one.p:.2g}"))


def _how(study: Study, one: Mattered) -> str:
    together = "changes together with the others named: their effects cannot be separated; " if one.also else ""
    known = [level for level in one.levels if level.mean is not None]
    if one.outcome == "verdict" or not known or study.outcome is None:
        return together.removesuffix("; ")
    best = min(known, key=lambda level: _signed(study, level))
    way = f"{one.direction} with it; " if one.direction else ""
    return f"{together}{way}best at {best.value}"


def _signed(study: Study, level: Level) -> float:
    assert study.outcome is not None and level.mean is not None  # noqa: PT018  # as the caller has made sure
    return level.mean if study.outcome.better == "lower" else -level.mean


def _level(level: Level) -> tuple[str, ...]:
    return level.value, f"{level.runs:,}", _number(level.mean), _number(level.spread), _number(level.standard_error)


# --- seeds and the best --------------------------------------------------------------------------


def _seeds(study: Study) -> Iterator[Block]:
    if study.outcome is None or study.best is None:
        return
    yield Heading("The best, and seeds")
    yield Prose(_best(study, study.best))
    if not any(one.runs > 1 for one in study.configurations):
        yield Prose("No two runs differ by their seed alone: the seed noise is unknown.")
        return
    names = _columns(study)
    heads = (*names, "runs", f"mean {study.outcome.name}", "spread", "standard error", "verdicts")
    rows = tuple(_configuration(names, one) for one in study.configurations[:MOST_CONFIGURATIONS])
    yield Table(heads, rows)
    if len(study.configurations) > MOST_CONFIGURATIONS:
        yield Prose(f"… and {len(study.configurations) - MOST_CONFIGURATIONS:,} more configurations")


def _best(study: Study, best: Best) -> str:
    row = study.rows[best.run]
    assert study.outcome is not None  # as the caller has made sure
    named = _set(study.configurations[best.configuration], _columns(study))
    text = f"Best run: {row.name}, {study.outcome.name} {number(best.value)}. "
    if best.answer is Answered.NOT_CHECKED:
        return f"{text}Whether that is more than seed noise is unknown: {best.why}."
    p = number(float(f"{best.p or 0:.2g}"))
    if best.answer is Answered.FOUND:
        return f"{text}Of the configurations, {named} has the best mean, beyond seed noise (p {p} against all others)."
    return f"{text}The best mean is that of {named}; it is not the best beyond seed noise (p {p} against all others)."


def _set(one: Configuration, names: Sequence[str]) -> str:
    return ", ".join(f"{name} {shown(one.settings[name])}" for name in names) or "the one configuration"


def _configuration(names: Sequence[str], one: Configuration) -> tuple[str, ...]:
    words = ", ".join(f"{count} {plain(word)}" for word, count in one.verdicts.items())
    numbers = (_number(one.mean), _number(one.spread), _number(one.standard_error))
    return (*(shown(one.settings[name]) for name in names), f"{one.runs}", *numbers, words)


def _sized(study: Study) -> Iterator[Block]:
    """What is found over sizes, in the words and pictures of who finds it."""
    if study.sizes is not None:
        yield Heading(f"Over {study.sizes.by}")
        yield from (Prose(sentence) for sentence in study.sizes.sentences)
        yield from size_pictures.of_sizes(study.sizes)
    if study.scaling is not None:
        yield Heading("Scaling law")
        yield from (Prose(sentence) for sentence in study.scaling.sentences)
        drawn = size_pictures.of_scaling(study.scaling)
        yield from () if drawn is None else (drawn,)


# --- the runs ------------------------------------------------------------------------------------


def _listed(study: Study) -> Iterator[Block]:
    rows = [row for row in study.rows if row.verdict is not None][:MOST]
    if not rows:
        return
    yield Heading("Runs")
    names = _columns(study)
    values = () if study.outcome is None else study.outcome.values
    outcome = () if study.outcome is None else (study.outcome.name,)
    ids = _ids(rows)
    lines = tuple(
        _line(row, ids[i], names, (_number(values[i]),) if i < len(values) else ()) for i, row in enumerate(rows)
    )
    units = {row.axis for row in rows}
    heads = ("run", "verdict", "sure", *outcome, "best step", *names)
    first = min(row.first or 0.0 for row in rows)
    last = max(row.last or 0.0 for row in rows)
    yield Runs(heads, lines, first, last, units.pop() if len(units) == 1 else "")
    if len(study.rows) > MOST:
        yield Prose(f"The first {MOST:,} of {len(study.rows):,} runs are listed; a table has all: -o runs.csv")


def _columns(study: Study) -> list[str]:
    """The settings that are listed: those that went with the outcome first, then those that most runs have."""
    found = [one.setting for one in study.what_mattered if one.answer is Answered.FOUND]
    every = sorted(study.differences.settings, key=lambda setting: setting.values.count(MISSING))
    return list(dict.fromkeys([*found, *(setting.name for setting in every)]))[:SETTINGS]


def _ids(rows: Sequence[Row]) -> list[str]:
    """Paths from the folder that all runs share."""
    folders = [row.path.split("/") for row in rows]
    shared = 0
    while len({tuple(parts[: shared + 1]) for parts in folders}) == 1 and all(len(p) > shared + 1 for p in folders):
        shared += 1
    names = ["/".join(parts[shared:]) for parts in folders]
    return [name if row.run is None else f"{name}  {row.run}" for name, row in zip(names, rows, strict=True)]


def _line(row: Row, name: str, settings: Sequence[str], outcome: tuple[str, ...]) -> RunLine:
    best = row.best or {}
    sure = "" if row.confidence is None else f"{row.confidence:.2f}"
    step = "" if best.get("step") is None else place(best["step"])
    held = tuple("" if row.settings.get(key) is None else shown(row.settings[key]) for key in settings)
    return RunLine(
        cells=(name, plain(row.verdict or UNREADABLE), sure, *outcome, step, *held),
        first=row.first or 0.0,
        last=row.last or 0.0,
        bands=tuple(Band(p["label"], p["label"], p["start"], p["end"]) for p in row.phases),
        curves=tuple(
            Curve(signal, np.array(step, dtype=np.float64), np.array(value, dtype=np.float64))
            for signal, (step, value) in json.loads(row.curves).items()
        ),
    )


def _unread(study: Study) -> Iterator[Block]:
    unread = [row for row in study.rows if row.verdict is None]
    if not unread:
        return
    yield Heading(f"Not examined: {_many(len(unread), 'run')}")
    yield Table(("run", "why"), tuple((row.name, row.why) for row in unread[:MOST_UNREADABLE]))
    if len(unread) > MOST_UNREADABLE:
        yield Prose(f"… and {len(unread) - MOST_UNREADABLE:,} more")


def _left_out(study: Study) -> Iterator[Block]:
    found = study.differences
    lines = []
    if found.seeds:
        lines.append(f"Seeds: {', '.join(found.seeds)}.")
    if found.left_out:
        lines.append(f"Differ, and only name a run, a place or a time: {', '.join(found.left_out)}.")
    if lines:
        yield Details("Settings that were not compared with the outcome", tuple(Prose(line) for line in lines))


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _number(value: Any) -> str:
    return "" if value is None else number(float(value))
