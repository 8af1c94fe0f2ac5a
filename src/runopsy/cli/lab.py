"""runopsy lab: small trainings, each a command of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runopsy.cli.options import Quiet
from runopsy.errors import BadOption
from runopsy.lab import TASKS  # names and titles; torch waits until one is trained

if TYPE_CHECKING:
    from runopsy.lab import Task

lab = typer.Typer(
    help="Tiny real trainings on a CPU, recorded: see what each phase looks like.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@lab.command("list")
def lab_list() -> None:
    """List the trainings: what each shows and how long it takes."""
    for task in TASKS:
        typer.echo(f"{task.name:16} ~{task.seconds:>2} s  {task.title}")
        typer.echo(f"{'':24}{task.shows}")
        typer.echo(f"{'':24}knobs: {', '.join(task.knobs)}\n" if task.knobs else "")


def _lab_command(task: Task) -> None:
    """One verb per training, so that --help and completion know them."""

    def train(
        output: Annotated[
            Path,
            typer.Option("--output", "-o", metavar="DIR", help="The run folder to write; it must not exist."),
        ],
        seed: Annotated[int, typer.Option("--seed", help="Seed of the training; another seed gives another run.")] = 0,
        set_: Annotated[
            list[str] | None,
            typer.Option("--set", metavar="KNOB=NUMBER", help="Change a setting; runopsy lab list names the knobs."),
        ] = None,
        grid: Annotated[
            list[str] | None,
            typer.Option("--grid", metavar="KNOB=N,N,…", help="Train every combination into DIR, and sweep it."),
        ] = None,
        seeds: Annotated[
            int, typer.Option("--seeds", min=1, help="Train each with this many seeds, and sweep them.")
        ] = 1,
        workers: Annotated[
            int | None, typer.Option("--workers", metavar="N", help="Processes for a grid. Default: one per processor.")
        ] = None,
        signals: Annotated[
            str | None,
            typer.Option("--signals", help="Recorded: scalars (the default of a grid), default, or full (slower)."),
        ] = None,
        quiet: Quiet = False,
    ) -> None:
        knobs = _knobs(set_)
        if grid or seeds > 1:
            _grid(task.name, output, grid or [], range(seed, seed + seeds), knobs, workers, signals or "scalars", quiet)
            return
        from runopsy import lab as room
        from runopsy.report.progress import bar

        with bar(task.name, hidden=quiet) as progress:
            truth = room.run(task.name, output, seed=seed, progress=progress, knobs=knobs, signals=signals or "default")
        if not quiet:
            typer.echo(
                f"recorded {output}; its true verdict: {' or '.join(truth.verdicts)}; now: runopsy analyze {output}",
                err=True,
            )

    train.__doc__ = task.title
    lab.command(task.name)(train)


for _task in TASKS:
    _lab_command(_task)


def _grid(
    name: str,
    output: Path,
    grid: list[str],
    seeds: range,
    knobs: dict[str, float],
    workers: int | None,
    signals: str,
    quiet: bool,
) -> None:
    """Train a grid in parallel, and show what became of it."""
    from runopsy.cli.shared import in_color, show, terminal_width
    from runopsy.lab import grid as room
    from runopsy.report import render
    from runopsy.report.progress import bar
    from runopsy.study.engine import engine_of
    from runopsy.study.folder import DEFAULT
    from runopsy.study.sweep import sweep

    axes = room.axes_of(grid)
    made = room.points(name, output, axes, seeds, knobs, signals)
    engine = engine_of("processes", workers=workers)
    with bar(f"training {room.title(axes, len(seeds))}", hidden=quiet) as progress:
        wrong = room.train(made, engine, progress)
    for folder, why in wrong.items():
        typer.echo(f"runopsy: {folder}: {why}", err=True)
    by = tuple(knob for knob, values in axes.items() if len(values) > 1)
    with bar("examining", hidden=quiet) as progress:
        found = sweep(
            output,
            study=output / DEFAULT,
            by=(by[0], by[1]) if len(by) == 2 else None,  # of more, the user chooses two
            engine=engine,
            progress=progress,
        )
    show(render(found, width=terminal_width(), color=in_color(False)))
    if not quiet:
        more = f" --by {by[0]},{by[1]}" if len(by) > 1 else ""
        typer.echo(f"now: runopsy sweep {output} --study {output / DEFAULT}{more} -o sweep.html", err=True)


def _knobs(pairs: list[str] | None) -> dict[str, float]:
    knobs = {}
    for pair in pairs or []:
        knob, _, number = pair.partition("=")
        try:
            knobs[knob] = float(number)
        except ValueError:
            raise BadOption(f"--set {pair!r} is no KNOB=NUMBER", hint="for example --set weight_decay=1") from None
    return knobs
