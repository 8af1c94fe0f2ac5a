"""runopsy diff: two runs, or two sets of seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from runopsy.cli.options import VERSUS, Alignment, Config, Formats, Map, NoColor, Output, Quiet, Rules, Verbose
from runopsy.cli.shared import deliver, end_if, roles_of, tuned_standards
from runopsy.errors import BadOption


def diff(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="A B | A… vs B…", help="Two runs, or the runs of A, the word vs, and those of B."),
    ],
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline", metavar="JSON", help="A is this stored autopsy (analyze -o a.json); all runs are B."
        ),
    ] = None,
    align: Annotated[
        Alignment | None,
        typer.Option("--align", help="Align the runs by this. Default: what the logs count by."),
    ] = None,
    format: Formats = None,
    output: Output = None,
    map_: Map = None,
    config: Config = None,
    rules: Rules = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            "--fail-on",
            metavar="WORD[,WORD]",
            help="Exit with 1 if B differs by: new:KIND, lost:KIND, later:KIND|PHASE, earlier:KIND|PHASE, verdict.",
        ),
    ] = None,
    verbose: Verbose = False,
    no_color: NoColor = False,
    quiet: Quiet = False,
) -> None:
    """Compare two runs, or several seeds of each: what moved, by how much, and whether beyond noise."""
    from runopsy.comparison import diff as compare
    from runopsy.comparison import gates, hits, stored
    from runopsy.settings import load

    gated = gates(fail_on or "")
    chosen = load(config)
    a: list[Any]
    a, b = _two_sides(runs) if baseline is None else ([stored(baseline)], _all_of_b(runs))
    found = compare(
        a,
        b,
        align=align.value if align else chosen.x,
        roles=roles_of(chosen, map_),
        standards=tuned_standards(chosen, rules),
    )
    deliver(found, output, format, no_color=no_color, verbose=verbose, quiet=quiet)
    end_if(hits(found, gated))


def _all_of_b(runs: list[str]) -> list[str]:
    if VERSUS in runs:
        raise BadOption(
            "with --baseline all runs are of one side", hint="runopsy diff --baseline autopsy.json B1 B2 B3"
        )
    return runs


def _two_sides(runs: list[str]) -> tuple[list[str], list[str]]:
    """Two runs, or those before and those after the word vs."""
    if runs.count(VERSUS) == 1:
        at = runs.index(VERSUS)
        a, b = runs[:at], runs[at + 1 :]
    elif VERSUS not in runs and len(runs) == 2:
        a, b = runs[:1], runs[1:]
    else:
        a, b = [], []
    if not a or not b:
        raise BadOption(
            f"diff takes two runs, or two sets of runs with the word vs between them; it was given {len(runs)}",
            hint="runopsy diff A B, or for several seeds: runopsy diff A1 A2 A3 vs B1 B2 B3",
        )
    if [*a, *b].count("-") > 1:
        raise BadOption("standard input can be read once", hint="give - for one of the runs only")
    return a, b
