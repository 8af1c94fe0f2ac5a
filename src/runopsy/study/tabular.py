"""Study → tables for other programs: CSV, LaTeX, Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runopsy.errors import BadOption
from runopsy.report.words import number, visible
from runopsy.study.settings import spelled
from runopsy.study.study import Study

if TYPE_CHECKING:
    import polars as pl

FORMATS = ("csv", "latex", "parquet")
SUFFIXES = {".csv": "csv", ".tex": "latex", ".parquet": "parquet"}
LISTS = ("phases", "events")  # columns of JSON, which no LaTeX table has room for
SHORT = ("verdict", "confidence", "best", "best_step")  # columns of a LaTeX table, beside the settings that differ
# Characters that mean something to LaTeX.
LATEX = str.maketrans({"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
                       "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"})  # fmt: skip


def write(study: Study, path: Path, format: str) -> Path:
    """Write the table of runs.

    Raises:
        BadOption: it cannot be written.
    """
    try:
        if format == "parquet":
            study.runs.write_parquet(path)
        else:
            path.write_text(text(study, format), encoding="utf-8", newline="\n")
    except OSError as cause:
        raise BadOption(f"{path} cannot be written: {cause.strerror}", hint="give another path to -o") from cause
    return path


def text(study: Study, format: str) -> str:
    """The table of runs as CSV or LaTeX.

    Raises:
        BadOption: Parquet is no text.
    """
    if format == "csv":
        return _harmless(study.runs).write_csv()
    if format == "latex":
        return _latex(study)
    raise BadOption("Parquet is no text", hint="write it to a file: -o runs.parquet")


def seeds(study: Study) -> pl.DataFrame:
    """One row a configuration, the best first."""
    import polars as pl

    parts = ("runs", "mean", "spread", "standard_error")
    lines: list[dict[str, Any]] = [
        {name: _cell(value) for name, value in one.settings.items()} | {part: getattr(one, part) for part in parts}
        for one in study.configurations
    ]
    return pl.DataFrame(lines, infer_schema_length=None, strict=False)


def _cell(value: Any) -> Any:
    return value if isinstance(value, (int, float, str, bool)) else spelled(value)


def _harmless(table: pl.DataFrame) -> pl.DataFrame:
    """Foreign text as text: a spreadsheet runs what looks like a formula."""
    import polars as pl

    return table.with_columns(
        pl.when(pl.col(pl.String).str.contains(r"^[=+@\t\r]|^-[^0-9.]"))
        .then("'" + pl.col(pl.String))
        .otherwise(pl.col(pl.String))
        .name.keep()
    )


def _latex(study: Study) -> str:
    """A tabular with the settings that differ, the verdict and the best reading."""
    names = [setting.name for setting in study.differences.settings]
    heads = ["run", *names, *(word.replace("_", " ") for word in SHORT)]
    lines = [
        r"\begin{tabular}{" + "l" * len(heads) + "}",
        r"\hline",
        " & ".join(map(_escaped, heads)) + r" \\",
        r"\hline",
    ]
    for row in study.rows:
        best = row.best or {}
        found = (row.verdict or "unreadable", row.confidence, best.get("value"), best.get("step"))
        cells = [row.id, *(row.settings.get(name) for name in names), *found]
        lines.append(" & ".join(_escaped(_written(cell)) for cell in cells) + r" \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


def _written(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(float(value))
    return "" if value is None else visible(str(value), 80)


def _escaped(content: str) -> str:
    return content.translate(LATEX)
