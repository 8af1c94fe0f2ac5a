"""runopsy report: the autopsy as a page, or as figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runopsy.cli.options import (
    Axes,
    Config,
    Format,
    Formats,
    Gpus,
    Map,
    Metric,
    Output,
    Price,
    Quiet,
    Rules,
    RunPath,
    Segmenters,
    Suffix,
    Which,
)
from runopsy.cli.shared import asked, autopsy_of, each_run, is_file, report_written, show
from runopsy.errors import BadOption


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
    quiet: Quiet = False,
) -> None:
    """Write the autopsy of one run as a page: Markdown with a picture beside it, one HTML file, or JSON."""
    from runopsy.report import figures as drawing
    from runopsy.report import render, save
    from runopsy.study.late_gain import section

    if which == "all":
        raise BadOption("a report is of one run", hint="runopsy analyze --run all prints each in turn")
    how = asked(map_, metric, x, config, rules, segmenter)
    (autopsy,) = each_run(run, which, lambda log: autopsy_of(log, how))
    gpus = 1.0 if price is not None and gpus is None else gpus
    further = section(autopsy)
    if figures is not None:
        report_written(drawing.write(autopsy, figures, suffix.value), quiet)
    if is_file(output):
        report_written(save(autopsy, output, format, embed=embed, gpus=gpus, price=price, further=further), quiet)
    elif figures is None or output is not None or format is not None:
        chosen = (format or Format.markdown).value
        show(render(autopsy, chosen, verbose=True, gpus=gpus, price=price, further=further))
