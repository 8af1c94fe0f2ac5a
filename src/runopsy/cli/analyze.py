"""runopsy analyze: one run, or each of several."""

from __future__ import annotations

from typing import Annotated

import typer

from runopsy.cli.options import (
    Axes,
    Config,
    Format,
    Formats,
    Map,
    Metric,
    NoColor,
    Output,
    Quiet,
    Rules,
    RunPath,
    Segmenters,
    Verbose,
    Which,
)
from runopsy.cli.shared import autopsy_of, each_run, in_color, is_file, joined, report_written, show, terminal_width
from runopsy.errors import BadOption


def analyze(
    run: RunPath,
    format: Formats = None,
    output: Output = None,
    which: Which = None,
    map_: Map = None,
    metric: Metric = None,
    x: Axes = None,
    config: Config = None,
    rules: Rules = None,
    segmenter: Segmenters = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            "--fail-on", metavar="KIND[,KIND]", help="Exit with 1 if one of these events or verdicts is found."
        ),
    ] = None,
    verbose: Verbose = False,
    no_color: NoColor = False,
    quiet: Quiet = False,
) -> None:
    """Examine one run: phases, events, evidence, verdict, best step, and what was not checked."""
    from runopsy.report import render, save

    gates = _gates(fail_on)
    if which == "all" and is_file(output):
        raise BadOption("--run all writes to the screen", hint="redirect it, or name one run")
    examined = list(each_run(run, which, lambda log: autopsy_of(log, map_, metric, x, config, rules, segmenter)))
    if is_file(output):
        report_written(save(examined[0], output, format), quiet)
    else:
        chosen, width, color = format or Format.text, terminal_width(), in_color(no_color)
        texts = [render(one, chosen.value, width=width, color=color, verbose=verbose) for one in examined]
        show(joined(texts, which, chosen))
    hit = sorted(gates & {kind for one in examined for kind in (*(e.kind for e in one.events), one.verdict.name)})
    if hit:
        typer.echo(f"--fail-on matched: {', '.join(hit)}", err=True)
        raise typer.Exit(1)


def _gates(kinds: str | None) -> set[str]:
    """The kinds of --fail-on; a misspelt one would never fire, so it is refused."""
    if kinds is None:
        return set()
    from runopsy.kinds import KINDS, RENAMED
    from runopsy.verdicts import VERDICTS

    known = {*KINDS, *(row.verdict for row in VERDICTS)}
    gates = {kind.strip() for kind in kinds.split(",") if kind.strip()}
    for old in sorted(gates & {*RENAMED}):
        raise BadOption(f"--fail-on: {old} is now called {RENAMED[old]}", hint=f"--fail-on {RENAMED[old]}")
    if gates - known:
        raise BadOption(
            f"--fail-on: no such kind: {', '.join(sorted(gates - known))}", hint=f"kinds: {', '.join(sorted(known))}"
        )
    return gates
