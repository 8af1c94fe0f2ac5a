"""runopsy backtest: stopping rules replayed on logs."""

from __future__ import annotations

from typing import Annotated

import typer

from runopsy.cli.options import Config, Formats, Gpus, Map, NoColor, Output, Price, Quiet, Verbose
from runopsy.cli.shared import deliver, roles_of


def backtest(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUNS…", help="Run folders or log files; of one that holds several runs all are taken."),
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
            "--watch", metavar="SIGNAL", help="The signal by which gains are measured. Default: val/loss, or val/acc."
        ),
    ] = None,
    gpus: Gpus = None,
    price: Price = None,
    format: Formats = None,
    output: Output = None,
    map_: Map = None,
    config: Config = None,
    verbose: Verbose = False,
    no_color: NoColor = False,
    quiet: Quiet = False,
) -> None:
    """Replay stopping rules on logs: what each would have saved, and which late gains it would have cut off."""
    from runopsy.settings import load
    from runopsy.study.backtest import backtest as replay

    found = replay(runs, policy or (), watch=watch, roles=roles_of(load(config), map_))
    deliver(found, output, format, no_color=no_color, verbose=verbose, quiet=quiet, gpus=gpus, price=price)
