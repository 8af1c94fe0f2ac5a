"""runopsy report: the autopsy as a page, or as figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runopsy.cli.options import (
    Axes,
    Checklist,
    Config,
    Format,
    Formats,
    Gpus,
    LibraryFile,
    Map,
    Metric,
    Output,
    Price,
    Quiet,
    Rules,
    RunKind,
    RunPath,
    Segmenters,
    Suffix,
    Which,
)
from runopsy.cli.shared import among_its_kind, asked, each_run, is_file, is_json, report_written, show, terminal_width
from runopsy.errors import BadOption

if TYPE_CHECKING:
    from runopsy.model import Autopsy, Run
    from runopsy.report.document import Block


def report(
    run: RunPath,
    output: Output = None,
    format: Formats = None,
    which: Which = None,
    embed: Annotated[
        bool, typer.Option("--embed", help="Markdown: pictures inside the page (GitHub does not show such).")
    ] = False,
    gpus: Gpus = None,
    price: Price = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="DIR", help="Write figures for a paper here (needs matplotlib).")
    ] = None,
    suffix: Annotated[Suffix, typer.Option("--suffix", help="Format of these figures.")] = Suffix.pdf,
    map_: Map = None,
    metric: Metric = None,
    x: Axes = None,
    config: Config = None,
    rules: Rules = None,
    segmenter: Segmenters = None,
    library: LibraryFile = None,
    kind: RunKind = None,
    checklist: Checklist = False,
    quiet: Quiet = False,
) -> None:
    """Write the autopsy of one run as a page: Markdown with a picture beside it, one HTML file, or JSON."""
    from runopsy.report import figures as drawing
    from runopsy.report import render, save
    from runopsy.study.late_gain import section

    if which == "all":
        raise BadOption("a report is of one run", hint="runopsy analyze --run all prints each in turn")
    how = asked(map_, metric, x, config, rules, segmenter)
    in_json = is_json(format, output)

    def examine(log: Run) -> tuple[Autopsy, tuple[Block, ...]]:
        return among_its_kind(log, how, library, kind, checklist=checklist, in_json=in_json)

    ((autopsy, beside),) = each_run(run, which, examine)
    gpus = 1.0 if price is not None and gpus is None else gpus
    further = (*section(autopsy), *beside)
    if figures is not None:
        report_written(drawing.write(autopsy, figures, suffix.value), quiet)
    if is_file(output):
        report_written(save(autopsy, output, format, embed=embed, gpus=gpus, price=price, further=further), quiet)
    elif figures is None or output is not None or format is not None:
        brief = checklist and format is None  # the first screen with the questions: they are what was asked for
        chosen = format or (Format.text if brief else Format.markdown)
        width = terminal_width() if brief else None
        shown = beside if brief else further
        show(render(autopsy, chosen.value, width=width, verbose=not brief, gpus=gpus, price=price, further=shown))
