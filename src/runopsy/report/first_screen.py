"""What a terminal of 24 x 80 shows of an autopsy: the verdict, the phases, what matters most, what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runopsy.kinds import KINDS, Often
from runopsy.model import Autopsy, Event, Outcome, Severity
from runopsy.report import backing
from runopsy.report.document import Block, Finding, Findings, Heading, Headline, Scale, Step, Timeline
from runopsy.report.words import place

MOST = 3  # kinds of events
PLACES = 3  # of one kind
TEXT = 84  # characters of an event or of advice: two lines beside its name and place
CLAUSES = ((". ", "; ", ": "), (", ", " ("))  # what may stand at a cut, the better first
GRAVE = {Severity.FATAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


def first_screen(
    autopsy: Autopsy,
    headline: Headline,
    timelines: Sequence[Timeline],
    found: Sequence[tuple[Event, Finding]],
    best: str,
    steps: Sequence[Step],
) -> Iterator[Block]:
    """The few lines that are read first.

    Args:
        autopsy: of the run.
        headline: the verdict.
        timelines: the phases.
        found: the events, each with its finding.
        best: the best step in one sentence; empty where there is none.
        steps: what to try next, the most important first.
    """
    yield headline
    if timelines:
        yield phases_by(timelines[0].scale)
        yield from timelines
    yield Heading("What matters")
    yield Findings(tuple(_events(autopsy, found)))
    following = tuple(_next(best, steps))
    if following:
        yield Heading("What to do")
        yield Findings(following)
    yield from backing.notes(autopsy)


def phases_by(scale: Scale) -> Heading:
    """What stands above a timeline."""
    return Heading(f"Phases, by {'log ' if scale.log else ''}{scale.unit}")


def _events(autopsy: Autopsy, found: Sequence[tuple[Event, Finding]]) -> Iterator[Finding]:
    """The gravest kinds of events in the order of the run, each kind once."""
    kinds: dict[str, list[tuple[Event, Finding]]] = {}
    for event, finding in found:
        kinds.setdefault(event.kind, []).append((event, finding))
    ranked = sorted(kinds.values(), key=lambda group: _rank(group[0][0]))
    for group in sorted(ranked[:MOST], key=lambda group: group[0][0].step):
        first = group[0][1]
        yield Finding(first.what, first.tone, _where(autopsy.axis, group), shortened(first.text))
    rest = [KINDS[group[0][0].kind].title for group in ranked[MOST:]]
    if rest:
        yield Finding("also found", "plain", "", shortened(", ".join(rest)))
    if not found:
        yield Finding("no event", "plain", "", "no rule found one; -v lists the rules that were not checked")


def _rank(event: Event) -> tuple[int, bool, float]:
    return GRAVE[event.severity], KINDS[event.kind].often is not Often.MILESTONE, event.step


def _where(axis: str, group: Sequence[tuple[Event, Finding]]) -> str:
    if len(group) == 1:
        return group[0][1].where
    places = [place(event.step) for event, _ in group[:PLACES]]
    return f"{axis} {', '.join(places)}{' …' if len(group) > PLACES else ''}"


def _next(best: str, steps: Sequence[Step]) -> Iterator[Finding]:
    if best:
        yield Finding("best step", "good", "", best)
    if steps:
        more = f" (and {len(steps) - 1} more)" if len(steps) > 1 else ""
        yield Finding("try next", "plain", "", shortened(steps[0].do) + more)


def shortened(text: str) -> str:
    """The text up to ``TEXT`` characters, cut where a clause ends, else at a word."""
    if len(text) <= TEXT:
        return text
    head = text[: TEXT - 1]
    cuts = (max(head.rfind(mark) for mark in marks) for marks in CLAUSES)
    cut = next((cut for cut in cuts if cut > TEXT // 3), None)
    if cut and head[:cut].count("(") > head[:cut].count(")"):
        cut = head.rfind(" (", 0, cut)  # what stands in brackets goes as a whole
    return head[:cut] if cut and cut > 0 else f"{head.rpartition(' ')[0]} …"


def more(autopsy: Autopsy) -> str:
    """What the first screen leaves out, and how to see it."""
    unasked = sum(check.outcome is Outcome.NOT_CHECKED for check in autopsy.checks)
    left = f", {unasked} rules not checked" if unasked else ""
    return f"-v: curves, evidence{left}  ·  runopsy explain NAME: what a name means"
