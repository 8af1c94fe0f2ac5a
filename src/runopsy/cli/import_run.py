"""runopsy import: other logs into run folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runopsy.cli.options import Quiet, Which
from runopsy.cli.shared import complain, report_written
from runopsy.errors import BadOption, RunopsyError, UnreadableLog


def import_(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="SRC... DEST", help="Logs of any known format, and the run folder to write."),
    ],
    which: Which = None,
    quiet: Quiet = False,
) -> None:
    """Keep logs as run folders: every value, time and name; several go into DEST, each into a folder of its own."""
    from runopsy.readers import run_selection, runs
    from runopsy.readers.import_run import folder_name, keep
    from runopsy.report.progress import bar

    *sources, dest = paths
    if not sources:
        raise BadOption("import needs a log and a folder to write", hint="runopsy import SRC DEST")
    found = [run for source in sources for run in run_selection.chosen(runs(source), which, source)]
    many = len(sources) > 1 or which == run_selection.ALL
    failed = 0
    with bar("importing", hidden=quiet) as progress:
        for done, candidate in enumerate(found, 1):
            place = Path(dest) / folder_name(candidate.name) if many else Path(dest)
            try:
                keep(candidate.read(), place)
            except RunopsyError as error:
                if not many:
                    raise
                failed += 1
                complain(candidate.name, error)
            else:
                report_written((place,), quiet)
            progress(done / len(found))
    if failed == len(found):
        raise UnreadableLog(f"none of the {failed} logs was imported", hint="the reasons stand above")
