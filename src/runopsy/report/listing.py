"""The smaller lists: what is in a log, which rules there are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from runopsy.model import Question, Role, Run, Values
from runopsy.report import terminal
from runopsy.report.document import Block, Document, Heading, Prose, Table
from runopsy.report.explaining import title
from runopsy.report.words import number, place
from runopsy.thresholds import THRESHOLDS

MOST = 200  # columns that are listed: those with a role come first, and nobody reads ten thousand


class Lack(Protocol):
    """A curve of a judgement that no column plays."""

    @property
    def role(self) -> str: ...

    @property
    def why(self) -> str: ...

    @property
    def do(self) -> str: ...


def listing(
    run: Run,
    roles: Sequence[Role],
    values: Mapping[str, Values],
    lacks: Sequence[Lack] = (),
    *,
    as_json: bool = False,
    width: int | None = None,
    color: bool = False,
) -> str:
    """Every column of a log with its role and why, and what no column gives.

    Args:
        run: the log.
        roles: of its columns.
        values: of each column, in the unit of its role.
        lacks: the curves of a judgement that no column plays.
        as_json: one object for scripts instead of a table.
        width: in characters.
        color: whether the terminal shows it.
    """
    rows = [_column(run, role, values[role.track]) for role in roles]
    if as_json:
        return _as_json(run, rows, lacks)
    ranked = sorted(rows, key=lambda row: (not row["role"], row["role"]))
    heads = ("column", "role", "better", "values", "from", "to", "least", "most", "why, or how taken")
    played = sum(bool(role.role) for role in roles)
    more = [Prose(f"… and {len(ranked) - MOST:,} more columns without a role")] if len(ranked) > MOST else []
    blocks: list[Block] = [
        Prose(f"{len(run.tracks)} columns, {played} with a role; positions count by {run.axis}."),
        Heading("Columns"),
        Table(heads, tuple(_cells(row) for row in ranked[:MOST])),
        *more,
        *([Heading("Missing")] if lacks else []),
        *(Prose(f"{lack.why}{f': {lack.do}' if lack.do else ''}") for lack in lacks),
        *_not_recorded(run.missing),
        *([Heading("Notes on the log")] if run.notes else []),
        *(Prose(note) for note in run.notes),
        Heading("A role is wrong or missing?"),
        Prose("Set it with --map ROLE=COLUMN, for example: runopsy analyze RUN --map val/loss=NAME"),
    ]
    return terminal.render(Document(run.path, tuple(blocks)), width=width, color=color)


def _column(run: Run, role: Role, value: Values) -> dict[str, Any]:
    """What is known of one column, under the keys of the JSON form; numbers that are not finite are None."""
    track = run.tracks[role.track]
    order = np.argsort(track.step, kind="stable")
    finite = value[np.isfinite(value)]
    why = role.why if role.role or role.why != "no role" else str(run.taken.get(track.name, {}).get("source", ""))
    return {
        "name": track.name,
        "role": role.role,
        "direction": role.better,
        "values": len(track),
        "from": _finite(track.step[order[0]]),
        "to": _finite(track.step[order[-1]]),
        "first": _finite(value[order[0]]),
        "last": _finite(value[order[-1]]),
        "least": _finite(finite.min()) if len(finite) else None,
        "most": _finite(finite.max()) if len(finite) else None,
        "chosen": role.chosen,
        "why": why,
    }


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    ends = ("" if row[key] is None else place(row[key]) for key in ("from", "to"))
    extremes = ("" if row[key] is None else number(float(f"{row[key]:.4g}")) for key in ("least", "most"))
    return row["name"], row["role"], row["direction"], f"{row['values']:,}", *ends, *extremes, row["why"]


def _not_recorded(missing: Mapping[str, str]) -> list[Block]:
    """Each reason that the recorder gives for signals that it left out, with those signals."""
    if not missing:
        return []
    signals = {why: ", ".join(s for s in missing if missing[s] == why) for why in missing.values()}
    return [Heading("Not recorded"), Table(("why not", "signals"), tuple(signals.items()))]


def _as_json(run: Run, rows: Sequence[Mapping[str, Any]], lacks: Sequence[Lack]) -> str:
    content = {
        "run": {"path": run.path, "id": run.id},
        "axis": run.axis,
        "columns": rows,
        "not_recorded": dict(run.missing),
        "missing": [{"role": lack.role, "why": lack.why, "do": lack.do} for lack in lacks],
        "notes": list(run.notes),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


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
    def best(self) -> tuple[str, float, float] | None: ...

    @property
    def trouble(self) -> str: ...


def runs_table(path: str, lines: Sequence[Line], *, width: int | None = None) -> str:
    """The runs in one file or folder, to choose from."""
    rows = tuple(_run_row(line) for line in lines[:MOST])
    more = [Prose(f"… and {len(lines) - MOST:,} more")] if len(lines) > MOST else []
    table = Table(("run", "name", "rows", "last", "last value", "best", ""), rows)
    return terminal.render(Document(f"{path}: {len(lines)} runs", (table, *more)), width=width)


def _run_row(line: Line) -> tuple[str, ...]:
    if line.rows is None:
        return str(line.number), line.name, "", "", "", "", line.trouble or "not looked at"
    last = "" if line.last is None else f"{line.axis} {place(line.last)}"
    value = "" if line.value is None else f"{line.curve} {number(float(f'{line.value:.4g}'))}"
    best = ""
    if line.best is not None:
        curve, least, at = line.best
        best = f"{curve} {number(float(f'{least:.4g}'))} at {place(at)}"
    return str(line.number), line.name, f"{line.rows:,}", last, value, best, ""


def rules_table(
    rules: Sequence[Question], values: Mapping[str, float], *, width: int | None = None, color: bool = False
) -> str:
    """Every rule, and every threshold with its value."""
    rows = tuple((r.code, title(r), ", ".join(r.needs), ", ".join(r.uses)) for r in rules)
    known = tuple((t.name, f"{values[t.name]:g}", t.unit, t.reason) for t in THRESHOLDS)
    blocks: tuple[Block, ...] = (
        Table(("code", "what it looks for", "needs", "thresholds"), rows),
        Heading("Thresholds"),
        Table(("name", "value", "unit", "what it decides"), known),
        Prose("runopsy explain NAME explains each: a rule (G01), a kind of event (grokking), a threshold (gap)."),
    )
    return terminal.render(Document("Rules", blocks), width=width, color=color)
