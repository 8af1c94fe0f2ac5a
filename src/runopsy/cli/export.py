"""runopsy export: an autopsy into a tracker, or as a table."""

from __future__ import annotations

from typing import Annotated

import typer

from runopsy.cli.options import Axes, Config, Map, Metric, Quiet, Rules, RunPath, Segmenters, Tracker, Which
from runopsy.cli.shared import asked, autopsy_of, each_run, report_written
from runopsy.errors import BadOption


def export(
    run: RunPath,
    to: Annotated[Tracker, typer.Option("--to", help="Which tracker's files to write, or which kind of table.")],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="DEST", help="A folder for a tracker (MLflow: or its URI), a file for a table."
        ),
    ],
    which: Which = None,
    map_: Map = None,
    metric: Metric = None,
    x: Axes = None,
    config: Config = None,
    rules: Rules = None,
    segmenter: Segmenters = None,
    quiet: Quiet = False,
) -> None:
    """Write phases, events, verdict and every series where you already look: TensorBoard, W&B, MLflow, CSV, Parquet."""
    from runopsy.export import export as write

    if which == "all":
        raise BadOption("an export is of one run", hint="name one with --run")
    how = asked(map_, metric, x, config, rules, segmenter)
    (autopsy,) = each_run(run, which, lambda log: autopsy_of(log, how))
    report_written(write(autopsy, to.value, output), quiet)
