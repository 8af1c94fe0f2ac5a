"""runopsy analyze: one run, or each of several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from runopsy.cli.options import (
    Axes,
    Checklist,
    Config,
    Format,
    Formats,
    LibraryFile,
    Map,
    Metric,
    NoColor,
    Output,
    Quiet,
    Rules,
    RunKind,
    RunPath,
    Segmenters,
    Verbose,
    Which,
)
from runopsy.cli.shared import (
    among_its_kind,
    asked,
    each_run,
    end_if,
    in_color,
    is_file,
    is_json,
    joined,
    report_written,
    show,
    terminal_width,
)
from runopsy.errors import BadOption

if TYPE_CHECKING:
    from runopsy.model import Autopsy, Run
    from runopsy.report.document import Block


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
    library: LibraryFile = None,
    kind: RunKind = None,
    checklist: Checklist = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
    quiet: Quiet = False,
) -> None:
    """Examine one run: phases, events, evidence, verdict, best step, and what was not checked."""
    from runopsy.report import render, save

    gates = _gates(fail_on)
    if which == "all" and is_file(output):
        raise BadOption("--run all writes to the screen", hint="redirect it, or name one run")

    how = asked(map_, metric, x, config, rules, segmenter)
    in_json = is_json(format, output)

    def examine(log: Run) -> tuple[Autopsy, tuple[Block, ...]]:
        return among_its_kind(log, how, library, kind, checklist=checklist, in_json=in_json)

    examined = list(each_run(run, which, examine))
    if is_file(output):
        one, further = examined[0]
        report_written(save(one, output, format, further=further), quiet)
    else:
        chosen, width, color = format or Format.text, terminal_width(), in_color(no_color)
        texts = [
            render(one, chosen.value, width=width, color=color, verbose=verbose, further=further)
            for one, further in examined
        ]
        show(joined(texts, which, chosen))
    hit = sorted(gates & {kind for one, _ in examined for kind in (*(e.kind for e in one.events), one.verdict.name)})
    end_if(hit)


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
