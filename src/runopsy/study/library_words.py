"""A library and a run's place in it → words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runopsy.facts.usual import PARTS
from runopsy.report.data import finite
from runopsy.report.document import Block, Document, Heading, Prose, Table
from runopsy.report.words import number, percent, place, plain
from runopsy.study.kinship import FEWEST, Difference, Kinship
from runopsy.study.profiles import Profile
from runopsy.version import VERSION

MOST_SHOWN = 8  # differences: the farthest; a run of another model differs in everything


@dataclass(frozen=True, slots=True)
class Shelf:
    """What ``library list`` and ``library show`` print: the kinds, or the runs of one kind."""

    path: str
    kinds: tuple[tuple[str, int], ...]
    kind: str | None = None
    profiles: tuple[Profile, ...] = ()

    def to_document(self, gpus: float | None = None, price: float | None = None) -> Document:
        blocks = tuple(_of_kind(self) if self.kind is not None else _all_kinds(self))
        return Document(f"The library {self.path}", blocks, f"Made by runopsy {VERSION} from what was added to it.")

    def to_dict(self) -> dict[str, Any]:
        """The object of ``--format json``."""
        runs = [{"name": p.name, "path": p.path, "axis": p.axis, "steps": p.steps, "verdict": p.verdict,
                 "places": dict(p.places), "levels": dict(p.levels)} for p in self.profiles]  # fmt: skip
        kinds = [{"kind": kind, "runs": count} for kind, count in self.kinds]
        found = {"format": 1, "tool": f"runopsy {VERSION}", "library": self.path, "kinds": kinds, "notes": []}
        return finite(found | ({} if self.kind is None else {"kind": self.kind, "runs": runs}))


def _all_kinds(shelf: Shelf) -> Iterator[Block]:
    if not shelf.kinds:
        yield Prose("It holds no run yet: runopsy library add RUNS.")
        return
    rows = tuple(
        (kind, str(count), "yes" if count >= FEWEST else f"from {FEWEST} runs on") for kind, count in shelf.kinds
    )
    yield Table(("kind", "runs", "enough to compare a run with"), rows)


def _of_kind(shelf: Shelf) -> Iterator[Block]:
    profiles = shelf.profiles
    verdicts = Counter(plain(p.verdict) for p in profiles)
    lengths = sorted({f"{place(p.steps)} {p.axis}s" for p in profiles})
    ended = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    yield Prose(f"{shelf.kind}: {len(profiles)} runs of {', '.join(lengths)}; {ended}.")
    yield Heading("Where things begin, in shares of the run")
    yield Table(("", "runs", "least", "median", "largest"), tuple(_place_rows(profiles)))
    rows = tuple(_level_rows(profiles))
    if rows:
        yield Heading("Signals in the first phase")
        yield Table(("", "runs", "level: least", "median", "largest", "noise: median"), rows)


def _place_rows(profiles: Sequence[Profile]) -> Iterator[tuple[str, ...]]:
    for name in sorted(set().union(*(p.places for p in profiles))):
        values = [p.places[name] for p in profiles if name in p.places]
        shown = (percent(v) for v in (min(values), float(np.median(values)), max(values)))
        yield (_thing(name), f"{len(values)} of {len(profiles)}", *shown)


def _level_rows(profiles: Sequence[Profile]) -> Iterator[tuple[str, ...]]:
    named = {name.removeprefix("level/") for p in profiles for name in p.levels if name.startswith("level/")}
    for signal in sorted(named):
        values = [p.levels[f"level/{signal}"] for p in profiles if f"level/{signal}" in p.levels]
        noise = [p.levels[f"noise/{signal}"] for p in profiles if f"noise/{signal}" in p.levels]
        shown = (number(v) for v in (min(values), float(np.median(values)), max(values)))
        count = f"{len(values)} of {len(profiles)}"
        yield (signal, count, *shown, number(float(np.median(noise))) if noise else "")


def _thing(name: str) -> str:
    """What a measure is of, in words."""
    family, _, rest = name.partition("/")
    if family == "phase":
        return f"{plain(rest)} begins"
    if family == "event":
        return plain(rest)
    if family == "best":
        return "best validation"
    if family == "course":
        signal, _, part = rest.rpartition("/")
        return f"{signal} after {percent(int(part) / PARTS)} of the run"
    return f"{family} of {rest}"


# --- a run among its kind ------------------------------------------------------------------------


def section(found: Kinship) -> tuple[Block, ...]:
    """The part of a report that lists how a run differs from its kind."""
    heading = Heading("Beside other runs of its kind")
    if found.unlike:
        rows = tuple(_row(found, one) for one in found.differences[:MOST_SHOWN])
        table = Table(("", "here", "usual", "least", "largest", ""), rows)
        left = len(found.differences) - len(rows)
        more = (Prose(f"And {left} more."),) if left > 0 else ()
        return (heading, Prose(sentence(found)), table, *more)
    return (heading, Prose(sentence(found)))


def sentence(found: Kinship) -> str:
    """Whether a run is like those of its kind, in one sentence or two."""
    if found.kind is None:
        return "The log lacks the name of its architecture or of its data: it is not compared with the library."
    length = f"{place(found.steps)} {found.axis}s"
    if found.rank is None:
        apart = f"; {found.others} more are of another length" if found.others else ""
        return (
            f"The library holds {found.runs} runs of {found.kind} over about {length}{apart}: "
            f"with fewer than {FEWEST} it does not judge."
        )
    odds = f"1 in {round(1 / found.chance)}" if found.rank == 1 else f"{found.rank} in {found.runs + 1}"
    if found.unlike:
        return (
            f"It is farther from the {found.runs} runs of {found.kind} than any of them is from the others. "
            f"Of runs of the same kind, {odds} is."
        )
    return (
        f"It is within what is usual of {found.runs} runs of {found.kind}: {odds} runs of the kind "
        f"{'lies' if found.rank == 1 else 'lie'} as far from the others."
    )


def _row(found: Kinship, one: Difference) -> tuple[str, ...]:
    return (
        _thing(one.what),
        _value(found, one, one.value, "none"),
        _value(found, one, one.usual, "none"),
        _value(found, one, one.low, ""),
        _value(found, one, one.high, ""),
        _beyond(found, one),
    )


def _beyond(found: Kinship, one: Difference) -> str:
    if one.value is None:
        return f"{one.runs} of {found.runs} runs have it"
    if one.runs < found.runs or one.low is None or one.high is None:
        return f"{one.runs} of {found.runs} runs have it"
    ratio = one.value / one.usual if one.usual else 0.0
    times = f"{ratio:.1f} x the usual, " if ratio > 0 and (ratio >= 1.5 or ratio <= 1 / 1.5) else ""
    return f"{times}{'beyond' if not one.low <= one.value <= one.high else 'within'} all {found.runs} runs"


def _value(found: Kinship, one: Difference, value: float | None, none: str) -> str:
    if value is None:
        return none
    in_steps = one.what.partition("/")[0] in ("phase", "event", "best")
    return f"{found.axis} {place(value * found.steps)}" if in_steps else number(value)
