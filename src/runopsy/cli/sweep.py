"""runopsy sweep: many runs at once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runopsy.cli.options import Axes, Config, Map, Metric, NoColor, Output, Quiet, Rules, Segmenters, Verbose
from runopsy.cli.shared import asked, in_color, is_file, report_written, show, terminal_width
from runopsy.errors import BadOption

if TYPE_CHECKING:
    from runopsy.study.study import Study


class Shape(StrEnum):
    text = "text"
    markdown = "markdown"
    html = "html"
    json = "json"
    csv = "csv"
    latex = "latex"
    parquet = "parquet"


class Where(StrEnum):
    processes = "processes"
    dask = "dask"


By = Annotated[
    str | None,
    typer.Option("--by", metavar="X,Y", help="Draw the phase diagram over two settings, e.g. lr,weight_decay."),
]
Shapes = Annotated[Shape | None, typer.Option("--format", "-f", help="Default: by the ending of --output.")]


def sweep(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUNS...", help="Folders, log files, patterns, addresses (s3://…), or - for a list on stdin."
        ),
    ],
    by: By = None,
    where: Annotated[
        str | None, typer.Option("--where", metavar="CONDITION", help="Which runs, e.g. 'lr > 1e-3 and batch = 64'.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="COLUMN", help="Order of the runs; -COLUMN: largest first.")
    ] = None,
    outcome: Annotated[
        str | None,
        typer.Option("--outcome", metavar="NAME", help="best (default), last, a signal, or a kind of event."),
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="NAME", help="The setting that is the size of model or data.")
    ] = None,
    study: Annotated[Path, typer.Option("--study", metavar="DIR", help="The folder that keeps what was found.")] = Path(
        "runopsy-study"
    ),
    again: Annotated[bool, typer.Option("--again", help="Examine all runs anew.")] = False,
    engine: Annotated[Where, typer.Option("--engine", help="Where runs are examined.")] = Where.processes,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="Address of the Dask scheduler, e.g. tcp://host:8786."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes. Default: one per processor.")
    ] = None,
    format: Shapes = None,
    output: Output = None,
    map_: Map = None,
    metric: Metric = None,
    x: Axes = None,
    config: Config = None,
    rules: Rules = None,
    segmenter: Segmenters = None,
    verbose: Verbose = False,
    no_color: NoColor = False,
    quiet: Quiet = False,
) -> None:
    """Examine many runs, each once: verdicts, settings that go with the outcome, seeds, the best, a phase diagram."""
    from runopsy.report.progress import bar
    from runopsy.study.engine import engine_of
    from runopsy.study.sweep import sweep as examine

    how = asked(map_, metric, x, config, rules, segmenter)
    shape = shape_of(format, output)
    place = engine_of(engine.value, scheduler, workers)
    with bar("examining", hidden=quiet) as progress:
        found = examine(
            runs,
            study=study,
            by=pair(by),
            where=where,
            sort=sort,
            outcome=outcome,
            size=size,
            roles=how.roles,
            x=how.axis,
            metric=how.metric,
            standards=how.standards,
            segmenter=how.segmenter,
            engine=place,
            again=again,
            progress=progress,
        )
    put(found, shape, output, verbose=verbose, no_color=no_color, quiet=quiet)


def pair(by: str | None) -> tuple[str, str] | None:
    """The two settings of --by."""
    if by is None:
        return None
    names = [name.strip() for name in by.split(",")]
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise BadOption(f"--by {by!r} is no pair of settings", hint="for example --by lr,weight_decay")
    return names[0], names[1]


def shape_of(format: Shape | None, output: Path | None) -> Shape:
    """The format that is asked for, or that the file's name asks for."""
    from runopsy.report.publish import guess
    from runopsy.study.tabular import SUFFIXES

    if format is not None:
        shape = format
    elif is_file(output):
        shape = Shape(SUFFIXES.get(output.suffix.lower()) or guess(output))
    else:
        shape = Shape.text
    if shape is Shape.parquet and not is_file(output):
        raise BadOption("Parquet is no text", hint="write it to a file: -o runs.parquet")
    return shape


def put(found: Study, shape: Shape, output: Path | None, *, verbose: bool, no_color: bool, quiet: bool) -> None:
    """Show a study, or write it."""
    from runopsy.report import render, save
    from runopsy.study import tabular

    if shape.value in tabular.FORMATS:
        if is_file(output):
            report_written((tabular.write(found, output, shape.value),), quiet)
        else:
            show(tabular.text(found, shape.value))
    elif is_file(output):
        report_written(save(found, output, shape.value), quiet)
    else:
        show(render(found, shape.value, width=terminal_width(), color=in_color(no_color), verbose=verbose))
