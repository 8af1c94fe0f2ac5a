"""The command line: words in, words out. One module per command; ``COMMANDS`` names them all.

Only the command that was asked for is built, and everything heavy is imported inside it: ``--help`` answers before
NumPy would have loaded.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Annotated, NamedTuple, NoReturn

import typer

from runopsy.errors import RunopsyError
from runopsy.version import VERSION


class Command(NamedTuple):
    """A row of the table of commands: its name, its module here, and the function or group of commands in it."""

    name: str
    module: str
    function: str


COMMANDS: tuple[Command, ...] = (
    Command("analyze", "analyze", "analyze"),
    Command("diff", "diff", "diff"),
    Command("backtest", "backtest", "backtest"),
    Command("library", "library", "library"),
    Command("report", "report", "report"),
    Command("sweep", "sweep", "sweep"),
    Command("signals", "signals", "signals"),
    Command("examples", "examples", "examples"),
    Command("import", "import_run", "import_"),
    Command("watch", "watch", "watch"),
    Command("export", "export", "export"),
    Command("redact", "redact", "redact"),
    Command("rules", "rules", "rules"),
    Command("explain", "explain", "explain"),
    Command("lab", "lab", "lab"),
)


COLLECT_AFTER = 100_000  # new objects, in place of 700: some ten megabytes, if all of them were garbage


def application(commands: Iterable[Command] = COMMANDS) -> typer.Typer:
    """The program with these commands."""
    app = typer.Typer(
        name="runopsy",
        help="Offline autopsies of training runs: phases, events, evidence, and what could not be checked.",
        no_args_is_help=True,
        rich_markup_mode=None,  # plain help: a third of the start-up time, and it reads the same in a pipe
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for command in commands:
        verb = getattr(import_module(f"{__name__}.{command.module}"), command.function)
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name=command.name)
        else:
            app.command(command.name)(verb)
    return app


def main() -> NoReturn:
    """Exit codes: 0 done · 1 --fail-on matched · 2 could not judge · 3 our own fault."""
    # One command works on one run at a time: threads of BLAS wait for each other longer than our small matrices take,
    # and the collector finds no garbage among all that is imported. Who sets the variable is asked first.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(COLLECT_AFTER)
    asked = [command for command in COMMANDS if command.name == next(iter(sys.argv[1:]), "")]
    log = _log_alone(sys.argv[1:])
    try:
        if log is None:
            application(asked or COMMANDS)()
        else:
            from runopsy.cli.analyze import analyze

            analyze(log)
    except KeyboardInterrupt:
        sys.exit(130)  # as typer has it
    except RunopsyError as error:
        typer.echo(f"runopsy: {' '.join(error.message.split())}", err=True)  # one line, whatever a path contains
        if error.hint:
            typer.echo(f"  {' '.join(error.hint.split())}", err=True)
        sys.exit(2)
    except BrokenPipeError:  # the reader of our output has gone, as `head` does: that is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get("RUNOPSY_TRACEBACK"):
            raise
        typer.echo(f"runopsy: a fault of its own: {type(error).__name__}: {error}", err=True)
        typer.echo("  please report it; RUNOPSY_TRACEBACK=1 shows where", err=True)
        sys.exit(3)
    sys.exit(0)


def _log_alone(words: Sequence[str]) -> str | None:
    """LOG, where ``runopsy analyze LOG`` is all that is asked: typer would load pydantic, for .1 s, to read it."""
    posix = os.name == "posix"  # elsewhere no shell has put names in the place of a pattern, and typer does
    return words[1] if posix and len(words) == 2 and words[0] == "analyze" and words[1][:1] not in ("-", "") else None


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"runopsy {VERSION}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass
