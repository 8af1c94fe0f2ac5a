"""Autopsy → Document: the only place with sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from runopsy.model import Autopsy, Event, Evidence, Outcome, Segments, Severity, Stop
from runopsy.report.document import (
    Band,
    Block,
    Chart,
    Document,
    Finding,
    Findings,
    Heading,
    Headline,
    Line,
    Prose,
    Scale,
    Table,
    Timeline,
)
from runopsy.report.words import duration, number, percent, place, plain

TONES: Mapping[str, str] = {
    "healthy": "good",
    "grokked": "good",
    "double_descent": "plain",
    "undertrained": "warn",
    "underfit": "warn",
    "overfit": "warn",
    "memorized": "warn",
    "diverged": "bad",
    "inconclusive": "plain",
}
SEVERITY: Mapping[Severity, str] = {Severity.INFO: "plain", Severity.WARNING: "warn", Severity.FATAL: "bad"}
MEANS: Mapping[str, str] = {
    "grokking": "validation accuracy made half of its late gain here",
    "memorization_onset": "from here on training improves and validation does not follow",
    "double_descent_peak": "the top of the validation loss between two descents",
    "divergence": "the training loss leaves here and does not come back",
    "not_finite": "the training loss is no number here",
    "loss_spike": "the training loss leaps and comes back",
    "transition": "the training loss falls abruptly",
    "lr_change": "the learning rate was changed; what moves with it is not a phase of its own",
    "resume": "the run was continued from an earlier step",
}
EARLY = 0.1  # of the run: a phase boundary before it is invisible on an even scale


def compose(autopsy: Autopsy) -> Document:
    """The report of one run."""
    numbers = _numbered(autopsy)
    title = f"{autopsy.run.id}  ·  {autopsy.axis} {place(autopsy.first)} to {place(autopsy.last)}"
    blocks = [
        *_verdict(autopsy),
        *_pictures(autopsy),
        *_happened(autopsy, numbers),
        *_stopping(autopsy.stop, autopsy.axis),
        *_evidence(numbers),
        *_not_checked(autopsy),
        *_notes(autopsy),
    ]
    return Document(title, tuple(blocks))


def _numbered(autopsy: Autopsy) -> dict[int, list[tuple[str, Evidence]]]:
    """Each event's evidence with its number, in the order of the events."""
    count, numbers = 0, {}
    for i, event in enumerate(autopsy.events):
        numbers[i] = [(f"E{count + j + 1}", proof) for j, proof in enumerate(event.evidence)]
        count += len(event.evidence)
    return numbers


def _verdict(autopsy: Autopsy) -> Iterator[Block]:
    verdict = autopsy.verdict
    text = verdict.why
    if verdict.name == "memorized":
        text += f" ({autopsy.axis} {place(autopsy.last)}); more training may still change that"
    yield Headline(plain(verdict.name), TONES.get(verdict.name, "plain"), text)
    if verdict.evidence:
        yield Prose(f"At the end: {'; '.join(_ended(e) for e in verdict.evidence)}.")


def _ended(e: Evidence) -> str:
    if not math.isfinite(e.observed):
        return f"{e.signal} not finite"
    best = "" if e.limit is None or number(e.limit) == number(e.observed) else f" (best {number(e.limit)})"
    return f"{e.signal} {number(e.observed)}{best}"


# --- pictures ------------------------------------------------------------------------------------


def _pictures(autopsy: Autopsy) -> Iterator[Block]:
    if not autopsy.segments:
        return
    scale = _scale(autopsy)
    if autopsy.phases:
        yield Heading(f"Phases, by {'log ' if scale.log else ''}{scale.unit}")
        yield Timeline(scale, tuple(Band(plain(p.label), p.label, p.start, p.end) for p in autopsy.phases))
        curves = tuple(e.signal for e in autopsy.phases[0].why)
        yield Table(("phase", f"{scale.unit}s", *curves), _phase_rows(autopsy, curves))
    cuts = tuple(p.start for p in autopsy.phases[1:])
    for kind, rows in (("loss", 9), ("acc", 6)):
        lines = tuple(_line(s) for n, s in autopsy.segments.items() if n.endswith(f"/{kind}"))
        if lines:
            low = min(float(line.value.min()) for line in lines)
            high = max(float(line.value.max()) for line in lines)
            log = kind == "loss" and low > 0 and high / low > 20  # a factor of 20 flattens the rest on an even scale
            name = {"loss": "Loss", "acc": "Accuracy"}[kind]
            yield Chart(f"{name}{', log scale' if log else ''}", scale, lines, log, cuts, rows)


def _scale(autopsy: Autopsy) -> Scale:
    """Log where a boundary would otherwise be squeezed against the left edge."""
    length = autopsy.last - autopsy.first
    inner = [p.start - autopsy.first for p in autopsy.phases[1:]]
    log = bool(inner) and min(inner) < EARLY * length
    origin = min((float(s.step[1] - s.step[0]) for s in autopsy.segments.values() if len(s.step) > 1), default=1.0)
    return Scale(autopsy.first, autopsy.last, log, max(origin, length * 1e-6, 1e-12), autopsy.axis)


def _line(segments: Segments) -> Line:
    return Line(segments.signal, segments.step, segments.level)


def _phase_rows(autopsy: Autopsy, curves: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    rows = []
    for p in autopsy.phases:
        moved = {e.signal: f"{number(_round(e.limit))}→{number(_round(e.observed))}" for e in p.why}
        rows.append((plain(p.label), f"{place(p.start)} – {place(p.end)}", *(moved.get(c, "") for c in curves)))
    return tuple(rows)


def _round(value: float | None) -> float:
    """Two digits: fitted values at a boundary carry hardly more, and the table stays in its columns."""
    return float(f"{value or 0.0:.2g}")


# --- what happened -------------------------------------------------------------------------------


def _happened(autopsy: Autopsy, numbers: Mapping[int, list[tuple[str, Evidence]]]) -> Iterator[Block]:
    yield Heading("What happened")
    if not autopsy.events and not autopsy.run.marks:
        yield Prose("Nothing beside the phases above: every rule that could be asked was quiet.")
        return
    told = [(e.step, _finding(autopsy, e, numbers[i])) for i, e in enumerate(autopsy.events)]
    said = [
        (m.step, Finding(plain(m.kind), "plain", f"{autopsy.axis} {place(m.step)}", _marked(m.detail)))
        for m in autopsy.run.marks
    ]
    yield Findings(tuple(finding for _, finding in sorted([*told, *said], key=lambda pair: pair[0])))


def _finding(autopsy: Autopsy, event: Event, proof: list[tuple[str, Evidence]]) -> Finding:
    where = f"{autopsy.axis} {place(event.step)}"
    if event.until is not None and event.until > event.step:
        where += f" – {place(event.until)}"
    text = MEANS.get(event.kind, "")
    if event.kind in ("loss_spike", "lr_change", "not_finite", "transition"):
        text += f": {event.evidence[0].says}"
    if event.kind == "grokking":
        text += _grokking(autopsy, event)
    if event.interval is None:
        text += "; where exactly is unresolved"
    elif event.interval[1] - event.interval[0] > 0.01 * max(event.step - autopsy.first, 1):
        text += f"; between {place(event.interval[0])} and {place(event.interval[1])}"
    return Finding(plain(event.kind), SEVERITY[event.severity], where, text, tuple(ref for ref, _ in proof))


def _grokking(autopsy: Autopsy, event: Event) -> str:
    """From onset to completion, how late, and whether it lasted."""
    fitted, _, onset, _, complete, best, *further = event.evidence
    delay = (event.step - autopsy.first) / max(fitted.step - autopsy.first, 1.0)
    text = (
        f", after {delay:.1f} x the steps that fitting took; it rose from {place(onset.step)} to {place(complete.step)}"
    )
    if best.limit is not None and best.observed < best.limit:
        text += f"; partial, it reached {number(best.observed)}"
    for e in further:
        text += f"; {e.says}" if e.signal == "lr" else f"; undone, it ended at {number(e.observed)}"
    return text


def _marked(detail: Mapping[str, object]) -> str:
    own = {k: v for k, v in detail.items() if k not in ("time", "session")}
    return "noted by the training script" + (f": {', '.join(f'{k}={v}' for k, v in own.items())}" if own else "")


def _stopping(stop: Stop | None, axis: str) -> Iterator[Block]:
    if stop is None:
        return
    yield Heading("Where it would have been best to stop")
    text = f"Lowest {stop.signal}" if stop.signal.endswith("loss") else f"Highest {stop.signal}"
    text += f" {number(stop.best)} at {axis} {place(stop.best_step)}"
    if stop.wasted_steps <= 0:
        text += ", the last validation"
        text += f"; {_steps(stop.unread_steps, axis)} after it were not validated." if stop.unread_steps > 0 else "."
    else:
        by = _worse(stop)
        text += f"; {_steps(stop.wasted_steps, axis)}"
        text += f" ({duration(stop.wasted_seconds)})" if stop.wasted_seconds else ""
        text += f" came after it and ended {by} ({number(stop.last)})."
    if stop.other is not None:
        signal, step, value = stop.other
        text += f" By {signal} it is another: {number(value)} at {axis} {place(step)}."
    yield Prose(text)
    yield Prose(
        "A schedule that ends elsewhere would have changed the curve: this is the best of this run, no promise."
    )


def _steps(count: float, axis: str) -> str:
    return f"{place(count)} {axis}{'' if count == 1 else 's'}"


def _worse(stop: Stop) -> str:
    """How the run ended against its best; beyond a factor of ten, percentages stop saying anything."""
    if stop.after_best < 0.0005:
        return "the same"
    return f"{percent(stop.after_best)} worse" if stop.after_best < 10 else "far worse"


# --- what it rests on ----------------------------------------------------------------------------


def _evidence(numbers: Mapping[int, list[tuple[str, Evidence]]]) -> Iterator[Block]:
    rows = [
        (ref, e.signal, place(e.step), number(e.observed), "" if e.limit is None else number(e.limit), e.says)
        for proofs in numbers.values()
        for ref, e in proofs
    ]
    if rows:
        yield Heading("Evidence")
        yield Table(("", "signal", "at", "value", "held against", "what that is"), tuple(rows))
        yield Prose("Values are those of the fitted curves; single rows scatter around them.")


def _not_checked(autopsy: Autopsy) -> Iterator[Block]:
    left = [c for c in autopsy.checks if c.outcome is Outcome.NOT_CHECKED]
    yield Heading("Not checked")
    if not autopsy.segments:
        yield Prose("Phases: the log holds too few values of any loss or accuracy.")
    rows = tuple((c.code, c.title, c.why or "") for c in left)
    if rows:
        yield Table(("rule", "question", "why not"), rows)
    yield Prose(
        "What no log can show. A confidence says how often such phases and verdicts were right on runs whose truth is "
        "known; the intervals of events count the noise of the log alone, not what a reader may mean by the event."
    )


def _notes(autopsy: Autopsy) -> Iterator[Block]:
    overhead = autopsy.signals.get("recorder/overhead")
    notes = list(autopsy.notes)
    if overhead is not None and len(overhead):
        notes.append(f"recording cost {percent(float(overhead.value[-1]))} of the wall time")
    if notes:
        yield Heading("Notes on the log")
        yield from (Prose(note) for note in notes)
