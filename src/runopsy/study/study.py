"""A study: the runs of a sweep, and what they show together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runopsy.errors import BadOption
from runopsy.plugins import load
from runopsy.study import where as conditions
from runopsy.study.best import Best, Configuration, best_of, configured
from runopsy.study.diagram import Diagram, diagram
from runopsy.study.folder import autopsy_path
from runopsy.study.outcomes import Outcome, outcome_of
from runopsy.study.over_sizes import OverSizes, found_in, of_runs
from runopsy.study.row import Row
from runopsy.study.scaling import Scaling
from runopsy.study.settings import Differences, differences
from runopsy.study.sizes import Sizes
from runopsy.study.table import SETTING, column_names, frame
from runopsy.study.what_mattered import Mattered, what_mattered

if TYPE_CHECKING:
    import polars as pl

    from runopsy.report.document import Document

FORMAT = 1
UNREADABLE = "unreadable"  # what a run without a verdict is counted as


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be shown of a study."""

    by: tuple[str, str] | None = None  # the settings of the phase diagram
    where: str | None = None  # which runs
    sort: str | None = None  # the column to sort by, -NAME for the largest first; None: the best first
    outcome: str | None = None
    size: str | None = None  # the setting that gives the size of the model or of its data set


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Many runs, what differs between them, and what goes with what became of them."""

    rows: tuple[Row, ...]
    folder: str  # that keeps the autopsies
    examined: int  # runs that this sweep examined; the others had not changed since an earlier one
    kept: int
    differences: Differences
    outcome: Outcome | None
    configurations: tuple[Configuration, ...]
    what_mattered: tuple[Mattered, ...]
    best: Best | None
    diagram: Diagram | None = None
    sizes: Sizes | None = None  # None: no setting counts sizes
    scaling: Scaling | None = None
    left_out: int = 0  # runs that the condition did not choose

    @property
    def verdicts(self) -> dict[str, int]:
        """How many runs have each verdict, the most frequent first."""
        counted = Counter(row.verdict or UNREADABLE for row in self.rows)
        return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))

    @property
    def runs(self) -> pl.DataFrame:
        """One row a run: what was found, the readings of its signals, and each setting in a column."""
        return frame(self.rows)

    def autopsy(self, place: int) -> dict[str, Any]:
        """The whole autopsy of the run in that row (from 0), as ``analyze --format json`` prints it.

        Raises:
            BadOption: the run could not be examined.
        """
        path = autopsy_path(Path(self.folder), self.rows[place])
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as cause:
            raise BadOption(f"{self.rows[place].name} has no autopsy: {self.rows[place].why}") from cause
        return found

    def to_polars(self) -> pl.DataFrame:
        """The same as ``runs``."""
        return self.runs

    def seeds(self) -> pl.DataFrame:
        """One row a configuration: its settings, how many runs, mean, spread and standard error of the outcome."""
        frame: pl.DataFrame = load("runopsy.study.tabular:seeds")(self)
        return frame

    def to_dict(self) -> dict[str, Any]:
        """The object that ``runopsy sweep --format json`` prints."""
        facts: dict[str, Any] = load("runopsy.study.data:facts")(self)
        return facts

    def to_document(self, gpus: float | None = None, price: float | None = None) -> Document:
        """What a report shows; what a GPU costs changes nothing of it."""
        made: Document = load("runopsy.study.compose:compose")(self)
        return made

    def __repr__(self) -> str:
        words = ", ".join(f"{count} {word}" for word, count in self.verdicts.items())
        return f"Study({len(self.rows)} runs: {words})"

    def __str__(self) -> str:
        return str(load("runopsy.report:render")(self, "text"))

    def _repr_html_(self) -> str:
        return str(load("runopsy.report:render")(self, "notebook"))


def study_of(
    rows: Sequence[Row],
    asked: Asked,
    *,
    folder: str = "",
    examined: int = 0,
    kept: int = 0,
    over: OverSizes | None = None,
) -> Study:
    """What runs show together, and tables over sizes.

    Raises:
        BadOption: a setting, column, outcome or condition that does not exist.
    """
    chosen = _chosen(rows, asked.where)
    judged = [row for row in chosen if row.verdict is not None]
    judged = _best_first(judged, asked.outcome) if asked.sort is None else _sorted(judged, asked.sort)
    ordered = [*judged, *(row for row in chosen if row.verdict is None)]
    found = differences(judged)
    outcome = outcome_of(judged, asked.outcome)
    configurations = configured(judged, found, outcome)
    sizes, scaling = found_in(of_runs(judged) if over is None else over.table, asked.size)
    return Study(
        rows=tuple(ordered),
        folder=folder,
        examined=examined,
        kept=kept,
        differences=found,
        outcome=outcome,
        configurations=configurations,
        what_mattered=what_mattered(judged, found, outcome),
        best=best_of(configurations, outcome),
        diagram=None if asked.by is None else diagram(judged, asked.by, outcome),
        sizes=sizes,
        scaling=scaling,
        left_out=len(rows) - len(chosen),
    )


def _chosen(rows: Sequence[Row], where: str | None) -> list[Row]:
    if where is None:
        return list(rows)
    table = frame(rows)
    holds = conditions.parse(where, _names(rows, table.columns))
    return [row for row, line in zip(rows, table.iter_rows(named=True), strict=True) if holds(line)]


def _best_first(rows: Sequence[Row], wanted: str | None) -> list[Row]:
    """Rows by their outcome, those without one last."""
    outcome = outcome_of(rows, wanted)
    if outcome is None:
        return list(rows)
    sign = 1.0 if outcome.better == "lower" else -1.0
    keys = [(value is None, sign * (value or 0.0)) for value in outcome.values]
    return [rows[i] for i in sorted(range(len(rows)), key=keys.__getitem__)]


def _sorted(rows: Sequence[Row], by: str) -> list[Row]:
    """Rows in the order of a column, those without a value last."""
    if not rows:
        return []
    table = frame(rows)
    names = _names(rows, table.columns)
    name = by.removeprefix("-")
    if name not in names:
        raise BadOption(f"--sort {by}: no run has {name!r}", hint=f"they have {', '.join(list(names)[:40])}")
    order = table.with_row_index("its place").sort(
        names[name], descending=by.startswith("-"), nulls_last=True, maintain_order=True
    )
    return [rows[i] for i in order["its place"]]


def _names(rows: Sequence[Row], columns: Sequence[str]) -> Mapping[str, str]:
    """What a user may call a column: its name, and the last word of a dotted setting where it is the only one."""
    names = {column: column for column in columns}
    settings = column_names(rows)
    names |= {key: column for key, column in settings.items() if not column.startswith(SETTING)}
    short = Counter(key.rpartition(".")[2] for key in settings)
    return names | {
        word: column
        for key, column in settings.items()
        if short[word := key.rpartition(".")[2]] == 1 and word not in names
    }
