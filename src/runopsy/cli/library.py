"""runopsy library: what is usual of runs of one kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from runopsy.cli.options import Config, Formats, LibraryFile, Map, NoColor, Quiet, RunKind
from runopsy.cli.shared import complain, deliver, library_path, roles_of
from runopsy.errors import BadOption, RunopsyError, UnreadableLog

if TYPE_CHECKING:
    pass

library = typer.Typer(
    name="library",
    help="What is usual of an architecture and a data set; analyze --library compares a run with it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@library.command("add")
def add(
    runs: Annotated[list[str], typer.Argument(metavar="RUNS…", help="Run folders or log files.")],
    library_file: LibraryFile = None,
    kind: RunKind = None,
    map_: Map = None,
    config: Config = None,
    quiet: Quiet = False,
) -> None:
    """Keep runs: where phases begin, levels and noise of the first phase, the course of each signal."""
    from runopsy import readers
    from runopsy.autopsy import analyze
    from runopsy.settings import load
    from runopsy.study.library import Library
    from runopsy.study.profiles import profile

    roles = roles_of(load(config), map_)
    kept = 0
    with Library(library_path(library_file, config)) as shelf:
        for path in runs:
            try:
                for candidate in readers.runs(path):
                    one = profile(analyze(candidate.read(), roles=roles), kind)
                    new = shelf.add(one)
                    kept += 1
                    if not quiet:
                        typer.echo(f"{'added' if new else 'replaced'} {one.name}: {one.kind}", err=True)
            except RunopsyError as error:
                complain(path, error)
    if not kept:
        raise UnreadableLog(f"none of the {len(runs)} runs can be kept", hint="the reasons stand above")


@library.command("list")
def list_(
    library_file: LibraryFile = None,
    format: Formats = None,
    config: Config = None,
    no_color: NoColor = False,
) -> None:
    """The kinds of runs that are kept, and how many of each."""
    from runopsy.study.library import Library
    from runopsy.study.library_words import Shelf

    with Library(library_path(library_file, config), must_exist=True) as shelf:
        deliver(Shelf(str(shelf.path), tuple(shelf.kinds())), None, format, no_color=no_color)


@library.command("show")
def show_(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="As runopsy library list writes it.")],
    library_file: LibraryFile = None,
    format: Formats = None,
    config: Config = None,
    no_color: NoColor = False,
) -> None:
    """What is usual of the runs of one kind."""
    from runopsy.study.library import Library
    from runopsy.study.library_words import Shelf

    with Library(library_path(library_file, config), must_exist=True) as shelf:
        profiles = tuple(shelf.profiles(kind))
        if not profiles:
            known = "; ".join(name for name, _ in shelf.kinds())
            raise BadOption(f"{shelf.path} holds no {kind!r}", hint=f"it holds: {known}" if known else "it is empty")
        deliver(Shelf(str(shelf.path), tuple(shelf.kinds()), kind, profiles), None, format, no_color=no_color)


@library.command("forget")
def forget(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="The name or the path of a run.")] = None,
    library_file: LibraryFile = None,
    kind: RunKind = None,
    config: Config = None,
    quiet: Quiet = False,
) -> None:
    """Take out one run, or with --kind all of a kind."""
    from runopsy.study.library import Library

    if (run is None) == (kind is None):
        raise BadOption("forget takes one run, or --kind", hint="runopsy library list and show name them")
    with Library(library_path(library_file, config), must_exist=True) as shelf:
        count = shelf.forget(kind=kind, run=run)
        if not count:
            raise BadOption(f"{shelf.path} holds no {kind or run!r}", hint="runopsy library list and show name them")
        if not quiet:
            typer.echo(f"took out {count} run{'' if count == 1 else 's'}", err=True)
