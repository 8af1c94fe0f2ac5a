"""runopsy backtest: rules of stopping replayed on logs."""

from __future__ import annotations

from typing import Annotated

import typer

from runopsy.cli.options import Config, Format, Formats, Map, NoColor, Output, Quiet, Verbose
from runopsy.cli.shared import in_color, is_file, report_written, role_pairs, show, terminal_width


def backtest(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUNS…", help="Run folders or log files; one that holds several is all of them."),
    ],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            metavar="SENTENCE",
            help="'when val/loss has not improved for 20 evals: stop', 'asha by 3'. Repeatable.",
        ),
    ] = None,
    watch: Annotated[
        str | None,
        typer.Option(
            "--watch", metavar="SIGNAL", help="What is gained is measured by it. Default: val/loss, or val/acc."
        ),
    ] = None,
    gpus: Annotated[
        float | None, typer.Option("--gpus", min=0, help="How many GPUs trained each run: time in GPU-hours.")
    ] = None,
    price: Annotated[float | None, typer.Option("--price", min=0, help="Of one GPU-hour: time in money.")] = None,
    format: Formats = None,
    output: Output = None,
    map_: Map = None,
    config: Config = None,
    verbose: Verbose = False,
    no_color: NoColor = False,
    quiet: Quiet = False,
) -> None:
    """Replay rules of stopping on logs: what each would have saved, and which late gains it would have cut off."""
    from runopsy.report import render, save
    from runopsy.settings import load
    from runopsy.study.backtest import backtest as replay

    roles = {**load(config).roles, **role_pairs(map_)}
    found = replay(runs, policy or (), watch=watch, roles=roles)
    if is_file(output):
        report_written(save(found, output, format, gpus=gpus, price=price), quiet)
        return
    shown, width, color = (format or Format.text).value, terminal_width(), in_color(no_color)
    show(render(found, shown, width=width, color=color, verbose=verbose, gpus=gpus, price=price))
