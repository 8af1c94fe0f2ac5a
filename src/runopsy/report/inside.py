"""The recorded signals by phase, beside what the literature expects of them."""

from __future__ import annotations

from collections.abc import Iterator

from runopsy.expectations import BY_CODE, RATES, TRAININGS
from runopsy.model import Answer, Autopsy, Expected, Level
from runopsy.report.document import Block, Details, Prose, Table
from runopsy.report.pictures import MOST_FURTHER
from runopsy.report.words import number, place, plain

UP, DOWN = "▲", "▼"


def section(autopsy: Autopsy) -> Iterator[Block]:
    """Of the page; nothing where no signal of the inside was recorded."""
    if not autopsy.levels:
        return
    blocks: list[Block] = [_levels(autopsy), Prose(_how(autopsy))]
    if autopsy.expected:
        blocks += [_expected(autopsy), Prose(_counted(autopsy))]
    yield Details("Signals by phase", tuple(blocks), open=True)


def _levels(autopsy: Autopsy) -> Table:
    by_place = {(level.signal, level.phase): level for level in autopsy.levels}
    names = list(dict.fromkeys(level.signal for level in autopsy.levels))[:MOST_FURTHER]
    heads = (f"{plain(phase.label)}, from {place(phase.start)}" for phase in autopsy.phases)
    rows = ((name, *(_cell(by_place.get((name, i)), autopsy) for i in range(len(autopsy.phases)))) for name in names)
    return Table(("signal", *heads), tuple(rows))


def _cell(level: Level | None, autopsy: Autopsy) -> str:
    if level is None:
        return ""
    likely = autopsy.thresholds["likely"]
    way = f" {UP}" if level.trend >= likely else f" {DOWN}" if level.trend <= -likely else ""
    return number(float(f"{level.mean:.3g}")) + way


def _how(autopsy: Autopsy) -> str:
    return (
        f"Mean level in the phase; {UP} or {DOWN}: its last third lies above or below its first by "
        f"{autopsy.thresholds['likely']:g} standard errors or more. A cell is empty where readings are too few."
    )


def _expected(autopsy: Autopsy) -> Table:
    rows = tuple(_row(one, autopsy) for one in autopsy.expected)
    return Table(("expected", "in the phase from", "from", "to", "answer", "on trainings of the lab"), rows)


def _row(one: Expected, autopsy: Autopsy) -> tuple[str, ...]:
    start = place(autopsy.phases[one.phase].start)
    seen = ("" if value is None else number(float(f"{value:.3g}")) for value in (one.before, one.observed))
    answer = one.answer.value if one.answer is not Answer.CANNOT_TELL else f"{one.answer.value}: {one.why}"
    return BY_CODE[one.code].claim, start, *seen, answer, _rate(one.code)


def _rate(code: str) -> str:
    """How often the expectation held where it was measured."""
    rate = RATES.get(code)
    asked = 0 if rate is None else sum(rate)
    return (
        f"held in {rate.agrees} of {asked} phases, contrary in {rate.contrary}"
        if rate is not None and asked
        else "not measured"
    )


def _counted(autopsy: Autopsy) -> str:
    counts = ", ".join(f"{kind.value} {sum(one.answer is kind for one in autopsy.expected)}" for kind in Answer)
    return (
        f"What the literature expects of a signal in a phase, compared with this run: {counts}. An expectation that "
        "does not hold is no fault of the run. The last column counts how often it held, phase by phase, in "
        f"{TRAININGS} small trainings of known truth."
    )
