"""runopsy examples: when each watched example was learnt, and whose label is doubtful."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runopsy.cli.options import Format, Formats, NoColor, Quiet, RunPath, Which
from runopsy.cli.shared import each_run, in_color, is_file, report_written, show, terminal_width
from runopsy.errors import BadOption, CannotJudge

if TYPE_CHECKING:
    from runopsy.model import Run, WatchedExamples

LISTS = ".csv"  # what a list of ids ends in


def examples(
    run: RunPath,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write here: .csv the ranked ids, .md or .html a page."),
    ] = None,
    format: Formats = None,
    which: Which = None,
    no_color: NoColor = False,
    quiet: Quiet = False,
) -> None:
    """When each watched example was learnt and forgotten, and which labels are probably wrong."""
    from runopsy.report import publish

    if which == "all":
        raise BadOption("the examples are of one run", hint="give --run a number or a name")
    ((log, watched),) = each_run(run, which, _watched)
    if is_file(output) and output.suffix.lower() == LISTS:
        report_written((publish.put(output, _list(log)),), quiet)
        return
    chosen = format.value if format else publish.guess(output) if is_file(output) else Format.text.value
    if chosen == Format.json.value:
        from runopsy.report.data import dump_examples

        written = dump_examples(log, watched)
        if is_file(output):
            report_written((publish.put(output, written),), quiet)
        else:
            show(written)
        return
    from runopsy.report.watched_examples import document

    page = document(log, watched)
    if is_file(output):
        report_written(publish.write(page, output, chosen), quiet)
    else:
        show(publish.text(page, chosen, width=terminal_width(), color=in_color(no_color), verbose=True))


def _watched(run: Run) -> tuple[Run, WatchedExamples]:
    """The run with what its examples show.

    Raises:
        CannotJudge: none were watched.
    """
    from runopsy.examples import watched_examples

    found = watched_examples(run.examples)
    if found is None:
        hint = "record with probe=(inputs, labels), and let the run end: they are written then"
        raise CannotJudge(f"{run.path} holds no examples that were watched one by one", hint=hint)
    return run, found


def _list(run: Run) -> str:
    """The ranking as CSV.

    Raises:
        CannotJudge: the run has no margins.
    """
    probe = run.examples.get("probe")
    if probe is None or probe.margin is None:
        raise CannotJudge(f"{run.path} has no margins of its examples", hint="record it again with this version")
    from runopsy.report.watched_examples import ranked

    return ranked(probe)
