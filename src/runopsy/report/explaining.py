"""Whatever stands on screen, explained: one subject per name, made of the tables that define it.

Nothing is defined here. The manual in ``docs/`` prints the same subjects.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

from runopsy import kinds, signal_specs
from runopsy.glossary import PHASES, TERMS, VERDICTS, Term
from runopsy.kinds import KINDS, Kind, Often
from runopsy.model import Question
from runopsy.report.document import Block, Document, Heading, Prose, Table
from runopsy.report.words import number, plain
from runopsy.signal_specs import SignalSpec
from runopsy.thresholds import THRESHOLDS, Threshold

OFTEN: Mapping[Often, str] = {
    Often.MILESTONE: "at most one per run; a comparison pairs it with that of the other run",
    Often.FOLLOWS: "at most one per run",
    Often.MANY: "any number per run",
}
A_ROW = 5  # names in one row of the index
NEAREST, ALIKE = 3, 0.55  # names that are offered for a wrong one, and how much they must resemble it (0 to 1)


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that has a name on screen."""

    name: str
    sort: str  # "signal", "event kind", "rule", …
    title: str
    make: Callable[[], tuple[Block, ...]]

    @property
    def document(self) -> Document:
        """Everything about it."""
        title = f"  ·  {self.title}" if self.title.lower() != self.name.lower() else ""
        return Document(f"{self.name}{title}  ·  {self.sort}", self.make())


def subjects(
    rules: Sequence[Question],
    values: Mapping[str, float],
    reasons: Mapping[str, Sequence[str]],
    formats: Mapping[str, Callable[[], str]],
) -> tuple[Subject, ...]:
    """Everything that can be explained.

    Args:
        rules: of all presets.
        values: threshold → its value, as set by the user.
        reasons: verdict → the fixed reasons that it is given for.
        formats: name of a reader → what gives the text about it.
    """
    made: list[Subject] = []

    def add(name: str, sort: str, title: str, make: Callable[[], tuple[Block, ...]]) -> None:
        made.append(Subject(name, sort, title, make))

    for rule in rules:
        add(rule.code, "rule", title(rule), partial(_rule, rule, values))
    for kind in KINDS.values():
        add(kind.name, "event kind", kind.title, partial(_kind, kind, rules, values))
    for phase in PHASES.values():
        add(phase.name, "phase", plain(phase.name), partial(_term, phase))
    for verdict in VERDICTS.values():
        add(verdict.name, "verdict", plain(verdict.name), partial(_verdict, verdict, reasons.get(verdict.name, ())))
    for spec in signal_specs.ROWS:
        add(spec.name, "signal", spec.title, partial(_signal, spec, rules))
    for threshold in THRESHOLDS:
        add(threshold.name, "threshold", plain(threshold.name), partial(_threshold, threshold, rules, values))
    for name, about in formats.items():
        add(name, "format", plain(name), partial(_format, about))
    for term in TERMS.values():
        add(term.name, "term", term.name, partial(_term, term))
    return tuple(made)


def named(name: str, known: Sequence[Subject]) -> list[Subject]:
    """The subjects of this name or title; several where a word is used twice, as a phase and a verdict may be."""
    key = _key(name)
    found = [one for one in known if key in (_key(one.name), _key(one.title))]
    if not found:
        spec = signal_specs.spec_of(name.strip())
        found = [one for one in known if spec is not None and one.sort == "signal" and one.name == spec.name]
    now = next((new for old, new in kinds.RENAMED.items() if _key(old) == key), None)
    return found + [one for one in known if one.sort == "event kind" and one.name == now]


def nearest(name: str, known: Sequence[Subject]) -> list[str]:
    """The names that resemble a wrong one, the most alike first."""
    by_key = {_key(text): one.name for one in reversed(known) for text in (one.title, one.name)}
    last = {_key(one.name.rpartition("/")[2]): one.name for one in known if "/" in one.name}
    keys = get_close_matches(_key(name), [*by_key, *last], n=2 * NEAREST, cutoff=ALIKE)
    return list(dict.fromkeys((by_key | last)[key] for key in keys))[:NEAREST]


def index(known: Sequence[Subject]) -> Document:
    """Every name, by sort."""
    rows = []
    for sort in dict.fromkeys(one.sort for one in known):
        names = [one.name for one in known if one.sort == sort]
        parts = [", ".join(names[i : i + A_ROW]) for i in range(0, len(names), A_ROW)]
        rows += [(sort if i == 0 else "", part) for i, part in enumerate(parts)]
    return Document("Names that runopsy explain knows", (Table(("", ""), tuple(rows)),))


def title(rule: Question) -> str:
    """The first line of a rule's docstring."""
    return (type(rule).__doc__ or rule.code).splitlines()[0].rstrip(".")


def _key(text: str) -> str:
    return re.sub(r"[\s_–-]+", " ", text.strip().lower())


def _rule(rule: Question, values: Mapping[str, float]) -> tuple[Block, ...]:
    paragraphs = inspect.cleandoc(type(rule).__doc__ or "").split("\n\n")
    finds = getattr(rule, "kinds", ())
    return (
        *(Prose(" ".join(text.split())) for text in paragraphs),
        _facts((("finds", ", ".join(finds)), ("needs", ", ".join(rule.needs) or "no signal in every case"))),
        *_thresholds(rule.uses, values),
    )


def _kind(kind: Kind, rules: Sequence[Question], values: Mapping[str, float]) -> tuple[Block, ...]:
    found = [rule for rule in rules if kind.name in getattr(rule, "kinds", ())]
    old = [name for name, now in kinds.RENAMED.items() if now == kind.name]
    blocks: list[Block] = [Prose(_sentence(kind.sentence))]
    blocks += [Prose(f"Version 0.1 called it {old[0]}.")] if old else []
    done = "something that was done to the run" if kind.intervention else "something that the run did"
    blocks += [
        _facts((("what it is", done), ("how many", OFTEN[kind.often]), ("its evidence", ", ".join(kind.evidence))))
    ]
    for rule in found:
        blocks += [Heading(f"Rule {rule.code}: {title(rule)}"), *_rule(rule, values)[1:]]
    return tuple(blocks)


def _signal(spec: SignalSpec, rules: Sequence[Question]) -> tuple[Block, ...]:
    asking = [rule.code for rule in rules if spec.name in rule.needs]
    rows = (
        ("formula", spec.formula),
        ("unit", spec.unit or "that of the loss if it is made of losses or gradients, else none"),
        ("what moves it", spec.moves),
        ("what it does not mean", spec.caution),
        ("recorded if given", ", ".join(f"{name}=" for name in spec.needs)),
        ("cost of a reading", spec.cost),
        ("standard error", f"{spec.name}{signal_specs.ERROR}, of each reading, over examples" if spec.error else ""),
        ("rules that need it", ", ".join(asking)),
        ("source", spec.source),
    )
    return Prose(spec.what), _facts(rows)


def _threshold(one: Threshold, rules: Sequence[Question], values: Mapping[str, float]) -> tuple[Block, ...]:
    users = ", ".join(rule.code for rule in rules if one.name in rule.uses)
    value = values[one.name]
    rows = (
        ("value", f"{number(value)} {one.unit}" + ("" if value == one.value else f" (default {number(one.value)})")),
        ("may be", f"{number(one.low)} to {number(one.high)}"),
        ("rules that use it", users or "none by itself: facts, phases and the verdict use it"),
        ("source", one.source),
        ("to change it", f"[thresholds] {one.name} = … in the settings, see --config"),
    )
    return Prose(one.reason), _facts(rows)


def _verdict(term: Term, reasons: Sequence[str]) -> tuple[Block, ...]:
    listed = (Prose("Reasons for which it is given, among others: " + "; ".join(reasons) + "."),) if reasons else ()
    return (*_term(term), *listed)


def _term(term: Term) -> tuple[Block, ...]:
    return (Prose(term.what), *((Prose(term.caution),) if term.caution else ()))


def _format(about: Callable[[], str]) -> tuple[Block, ...]:
    return tuple(_paragraph(text) for text in inspect.cleandoc(about()).replace("``", "").split("\n\n") if text != "::")


def _paragraph(text: str) -> Block:
    """A paragraph of a docstring; one that is indented, as after ``::``, is a table of names and what they hold."""
    if not text.startswith(" "):
        return Prose(" ".join(text.split()))
    pairs = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in text.splitlines())
    return _facts([(pair[0], pair[-1]) for pair in pairs])


def _facts(rows: Sequence[tuple[str, str]]) -> Table:
    return Table(("", ""), tuple(row for row in rows if row[1]))


def _thresholds(names: Sequence[str], values: Mapping[str, float]) -> Iterator[Block]:
    used = [one for one in THRESHOLDS if one.name in names]
    if used:
        rows = tuple((f"{one.name} = {number(values[one.name])}", one.unit, one.reason) for one in used)
        yield Table(("threshold", "unit", "what it decides"), rows)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
