"""runopsy redact: a log that can be shown to strangers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runopsy.cli.options import Map, Metric, Quiet, RunPath, Which
from runopsy.cli.shared import is_file, report_written, role_pairs, show
from runopsy.errors import BadOption, RunopsyError

if TYPE_CHECKING:
    from runopsy.model import Run

TABLE = ".csv"


def redact(
    run: RunPath,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="A .csv file, or a run folder to write; - is the screen."),
    ] = None,
    which: Which = None,
    map_: Map = None,
    metric: Metric = None,
    quiet: Quiet = False,
) -> None:
    """Strip a log of names, text and dates, and keep the shape of its curves, to attach it to an issue."""
    from runopsy.readers import run_selection, runs
    from runopsy.readers.import_run import keep
    from runopsy.readers.redaction import as_csv, redacted
    from runopsy.report import publish
    from runopsy.signals import assign, with_sums

    (candidate, *more) = run_selection.chosen(runs(run), which, run)
    if more:
        raise BadOption("one run is redacted at a time", hint="--run N chooses it")
    log = with_sums(candidate.read())
    bare = redacted(log, assign(log.tracks, role_pairs(map_), metric, log.config))
    if not is_file(output):
        show(as_csv(bare))
        return
    if output.suffix == TABLE:
        publish.put(output, as_csv(bare))
    else:
        keep(bare, output)
    report_written((output,), quiet)
    if not quiet:
        typer.echo(_compared(log, str(output), role_pairs(map_), metric), err=True)


def _compared(log: Run, written: str, roles: dict[str, str], metric: str | None) -> str:
    """Whether the verdict is still the same: a redacted log that is judged otherwise shows no fault of the first."""
    from runopsy.autopsy import analyze

    try:
        before, after = analyze(log, roles=roles, metric=metric).verdict.name, analyze(written).verdict.name
    except RunopsyError as cannot:
        return f"not compared: {cannot.message}"
    if before == after:
        return f"the verdict is the same before and after: {after}"
    return f"the verdict is another: {before} before, {after} after; name a run folder instead of a .csv to keep more"
