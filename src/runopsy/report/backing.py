"""Autopsy → what a report rests on: evidence, transitions, thresholds, other signals, and what could not be checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runopsy.model import JUDGED, Autopsy, Evidence, Outcome, Signal, Transition
from runopsy.report.document import Block, Details, Heading, Prose, Table
from runopsy.report.pictures import MOST_FURTHER, further, spark
from runopsy.report.words import number, percent, place, plain, span
from runopsy.thresholds import BY_NAME

Numbers = Mapping[int, list[tuple[str, Evidence]]]  # event → its evidence with its numbers


def numbered(autopsy: Autopsy) -> Numbers:
    """Each event's evidence with its number, in the order of the events."""
    count, numbers = 0, {}
    for i, event in enumerate(autopsy.events):
        numbers[i] = [(f"E{count + j + 1}", proof) for j, proof in enumerate(event.evidence)]
        count += len(event.evidence)
    return numbers


def evidence(numbers: Numbers) -> Iterator[Block]:
    rows = [
        (ref, e.signal, place(e.step), number(e.observed), "" if e.limit is None else number(e.limit), e.text)
        for proofs in numbers.values()
        for ref, e in proofs
    ]
    if rows:
        table = Table(("", "signal", "at", "value", "compared with", "meaning"), tuple(rows))
        note = Prose("Most values are levels of the fitted curves; single rows scatter around them.")
        yield Details("Evidence", (table, note), open=True)


def transitions(autopsy: Autopsy) -> Iterator[Block]:
    if autopsy.transitions:
        columns = ("at", "90 % interval", "from", "to", "curves that change there", "beside")
        table = Table(columns, tuple(_turn(t) for t in autopsy.transitions))
        yield Details("Transitions between phases", (table, Prose(_transitions_text(autopsy.transitions))), open=True)


def _turn(t: Transition) -> tuple[str, ...]:
    interval = "unresolved" if t.interval is None else span(*t.interval)
    turning = ", ".join(t.signals) or "none clearly"
    return place(t.step), interval, plain(t.before), plain(t.after), turning, plain(t.explained_by or "")


def _transitions_text(found: tuple[Transition, ...]) -> str:
    alone = [place(t.step) for t in found if not t.confirmed]
    first = "Each curve is segmented on its own; a transition is confirmed where two or more curves change."
    return f"{first} Not confirmed: {', '.join(alone)}." if alone else first


def not_checked(autopsy: Autopsy) -> Iterator[Block]:
    left = [c for c in autopsy.checks if c.outcome is Outcome.NOT_CHECKED]
    unread = not autopsy.segments and not autopsy.phases
    if left or unread:
        yield Heading("Not checked")
    if unread:
        judged = any(name in JUDGED and len(signal) for name, signal in autopsy.signals.items())
        why = (
            "too few values of any loss or accuracy"
            if judged
            else "no loss or accuracy of a training that is to be fitted"
        )
        yield Prose(f"Phases: the log holds {why}.")
    if len(left) == len(autopsy.checks) and len({c.why for c in left}) == 1:
        yield Prose(f"None of the {len(left)} rules: {left[0].why}.")
    elif left:
        yield Prose(f"{len(left)} of {len(autopsy.checks)} rules could not be checked on this log.")
        table = Table(("rule", "what it looks for", "why not"), tuple((c.code, c.title, c.why or "") for c in left))
        yield Details("Rules that were not checked", (table,))


def meaning() -> Iterator[Block]:
    explanation = (
        "A confidence is how often such phases and verdicts were right on runs whose truth is known. The intervals "
        "of events cover the noise of the log alone. They do not cover what a reader may mean by the event. A report "
        "shows nothing that was not logged."
    )
    yield Details("How to read confidences and intervals", (Prose(explanation),))


def quiet(autopsy: Autopsy) -> Iterator[Block]:
    """What was checked and not found."""
    rows = tuple((c.code, c.title) for c in autopsy.checks if c.outcome is Outcome.NOT_FOUND)
    everything = all(c.outcome is not Outcome.NOT_CHECKED for c in autopsy.checks)
    intro = (Prose("Every rule was checked."),) if everything else ()
    if rows:
        yield Details("Rules that were checked and found nothing", (*intro, Table(("rule", "what it looks for"), rows)))


def other_signals(autopsy: Autopsy) -> Iterator[Block]:
    others = further(autopsy)
    if not others:
        return
    shown, left = others[:MOST_FURTHER], others[MOST_FURTHER:]
    blocks: list[Block] = [Table(("signal", "from", "to", "least", "most", "course"), tuple(_course(s) for s in shown))]
    blocks += [Prose(f"… and {len(left):,} more: runopsy signals lists them.")] if left else []
    yield Details("Other signals", tuple(blocks))


def _course(s: Signal) -> tuple[str, ...]:
    ends = (s.value[0], s.value[-1], s.value.min(), s.value.max())
    return s.name, *(number(float(f"{v:.4g}")) for v in ends), spark(s)


def thresholds(autopsy: Autopsy) -> Iterator[Block]:
    rows = tuple((name, f"{value:g}", _unit(name)) for name, value in autopsy.thresholds.items())
    if rows:
        note = Prose("runopsy explain NAME shows what each means, and why it has this value.")
        yield Details("Thresholds", (Table(("threshold", "value", "unit"), rows), note))


def _unit(name: str) -> str:
    """The unit of a threshold, also where it is of one signal."""
    known = BY_NAME.get(name.partition(" ")[0])
    return known.unit if known else ""


def notes(autopsy: Autopsy) -> Iterator[Block]:
    if autopsy.notes:
        yield Heading("Notes on the log")
        yield from (Prose(note) for note in autopsy.notes)


def recording_cost(autopsy: Autopsy) -> Iterator[Block]:
    overhead = autopsy.signals.get("recorder/overhead")
    if overhead is not None and len(overhead):
        cost = percent(float(overhead.value[-1]))
        yield Details("Cost of recording", (Prose(f"Recording cost {cost} of the wall time."),))
