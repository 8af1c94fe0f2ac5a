"""The smaller lists: what is in a log, which rules there are."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import asdict
from typing import Protocol

import numpy as np

from runopsy.model import Role, Run, Thresholds
from runopsy.report import terminal
from runopsy.report.document import Block, Document, Heading, Prose, Table
from runopsy.report.words import number, place, plain

MOST = 200  # columns that are listed: those with a role come first, and nobody reads ten thousand


def listing(run: Run, roles: Sequence[Role], *, width: int | None = None, color: bool = False) -> str:
    """Every column of a log with its role and why."""
    ranked = sorted(roles, key=lambda r: (not r.role, r.role))
    rows = tuple(_row(run, r) for r in ranked[:MOST])
    played = sum(bool(r.role) for r in roles)
    more = [Prose(f"… and {len(ranked) - MOST:,} more columns without a role")] if len(ranked) > MOST else []
    blocks: list[Block] = [
        Prose(f"{len(run.tracks)} columns, {played} with a role; positions count by {run.axis}."),
        Heading("Columns"),
        Table(("column", "role", "better", "values", "from", "to", "least", "most", "why, or how taken"), rows),
        *more,
        *([Heading("Notes on the log")] if run.notes else []),
        *(Prose(note) for note in run.notes),
        Heading("Wrong?"),
        Prose("Say it with --map ROLE=COLUMN, for example: runopsy analyze RUN --map val/loss=NAME"),
    ]
    return terminal.render(Document(run.path, tuple(blocks)), width=width, color=color)


def _row(run: Run, role: Role) -> tuple[str, ...]:
    track = run.tracks[role.track]
    finite = track.value[np.isfinite(track.value)]
    ends = (number(float(f"{v:.4g}")) for v in (finite.min(), finite.max())) if len(finite) else ("", "")
    why = role.why if role.role or role.why != "no role" else str(run.taken.get(track.name, {}).get("source", ""))
    first, last = place(float(np.nanmin(track.step))), place(float(np.nanmax(track.step)))
    return track.name, role.role, role.better, f"{len(track):,}", first, last, *ends, why


class Line(Protocol):
    """What is known of one of several runs without examining it."""

    @property
    def number(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def rows(self) -> int | None: ...

    @property
    def last(self) -> float | None: ...

    @property
    def axis(self) -> str: ...

    @property
    def curve(self) -> str: ...

    @property
    def value(self) -> float | None: ...

    @property
    def trouble(self) -> str: ...


def runs_table(path: str, lines: Sequence[Line], *, width: int | None = None) -> str:
    """The runs in one file or folder, to choose from."""
    rows = tuple(_run_row(line) for line in lines[:MOST])
    more = [Prose(f"… and {len(lines) - MOST:,} more")] if len(lines) > MOST else []
    table = Table(("run", "name", "rows", "last", "last value", ""), rows)
    return terminal.render(Document(f"{path}: {len(lines)} runs", (table, *more)), width=width)


def _run_row(line: Line) -> tuple[str, ...]:
    if line.rows is None:
        return str(line.number), line.name, "", "", "", line.trouble or "not looked at"
    last = "" if line.last is None else f"{line.axis} {place(line.last)}"
    value = "" if line.value is None else f"{line.curve} {number(float(f'{line.value:.4g}'))}"
    return str(line.number), line.name, f"{line.rows:,}", last, value, ""


def rules_table(rules: Sequence[Thresholds], *, width: int | None = None, color: bool = False) -> str:
    rows = tuple((r.code, _title(r), ", ".join(r.needs), _thresholds(r)) for r in rules)
    table = Table(("code", "question", "needs", "thresholds"), rows)
    more = Prose("runopsy explain CODE tells what a threshold means and why it is what it is.")
    return terminal.render(Document("Rules", (table, more)), width=width, color=color)


def explanation(rule: Thresholds) -> str:
    """One rule, its thresholds with the reasons that stand beside them in its source."""
    lines = [f"{rule.code}  {_title(rule)}", "", inspect.cleandoc(type(rule).__doc__ or ""), ""]
    lines += [f"needs: {', '.join(rule.needs) or 'nothing'}", ""]
    reasons = _reasons(rule)
    values = {k: v for k, v in asdict(rule).items() if v != {}}  # type: ignore[call-overload]  # every rule is a dataclass
    lines += [f"  {name} = {value}\n      {reasons.get(name, '')}" for name, value in values.items()]
    return "\n".join(lines).rstrip() + "\n"


def _reasons(rule: Thresholds) -> dict[str, str]:
    """Threshold → the comment beside or above it: the reason is written once, where the number is."""
    reasons, above = {}, ""
    for line in inspect.getsource(type(rule)).splitlines():
        declared, _, comment = line.strip().partition("#")
        name, colon, _ = declared.partition(":")
        if colon and name.isidentifier():
            reasons[name] = comment.strip() or above
        above = f"{above} {comment.strip()}".strip() if not declared else ""
    return reasons


def _title(rule: Thresholds) -> str:
    return (type(rule).__doc__ or rule.code).splitlines()[0].rstrip(".")


def _thresholds(rule: Thresholds) -> str:
    values = asdict(rule)  # type: ignore[call-overload]  # every rule is a dataclass
    return ", ".join(f"{plain(name)} {value:g}" for name, value in values.items() if isinstance(value, (int, float)))
