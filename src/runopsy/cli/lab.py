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
            Path, typer.Option("--output", "-o", metavar="DIR", help="The run folder to write; it must not exist.")
        ],
        seed: Annotated[int, typer.Option("--seed", help="Another seed, another run.")] = 0,
        set_: Annotated[
            list[str] | None,
            typer.Option("--set", metavar="KNOB=NUMBER", help="Train otherwise; runopsy lab list names the knobs."),
        ] = None,
        signals: Annotated[
            str, typer.Option("--signals", help="Which are recorded: scalars, default, or full (slower).")
        ] = "default",
        quiet: Quiet = False,
    ) -> None:
        from runopsy import lab as room
        from runopsy.report.progress import bar

        knobs = _knobs(set_)
        with bar(task.name, hidden=quiet) as progress:
            truth = room.run(task.name, output, seed=seed, progress=progress, knobs=knobs, signals=signals)
        if not quiet:
            typer.echo(
                f"recorded {output}: {' or '.join(truth.verdicts)} is the truth; now: runopsy analyze {output}",
                err=True,
            )

    train.__doc__ = task.title
    lab.command(task.name)(train)


for _task in TASKS:
    _lab_command(_task)


def _knobs(pairs: list[str] | None) -> dict[str, float]:
    knobs = {}
    for pair in pairs or []:
        knob, _, number = pair.partition("=")
        try:
            knobs[knob] = float(number)
        except ValueError:
            raise BadOption(f"--set {pair!r} is no KNOB=NUMBER", hint="for example --set weight_decay=1") from None
    return knobs
