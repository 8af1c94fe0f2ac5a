"""runopsy watch: a run that still goes on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runopsy.cli.options import Axes, Config, Map, Metric, NoColor, Quiet, Rules, Segmenters, Which
from runopsy.cli.shared import asked, autopsy_of, in_color, show, terminal_width
from runopsy.errors import BadOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from runopsy.watch import View, Watch
    from runopsy.watch.outbox import Outbox

POLL = 0.5  # s between two questions whether the log has grown: an event is to be reported within 2


def watch(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run folder or a log, of any known format; it may not exist yet.")
    ],
    once: Annotated[
        bool, typer.Option("--once", help="Look once and end: for cron and CI. What earlier looks saw is remembered.")
    ] = False,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="KIND[,KIND]",
            help="Send messages for these events. Default: what breaks, grokking, the end.",
        ),
    ] = None,
    notify: Annotated[
        list[str] | None,
        typer.Option(
            "--notify", metavar="URL", help="Send messages to this address, of any form that apprise knows. Repeatable."
        ),
    ] = None,
    exec_: Annotated[
        str | None,
        typer.Option(
            "--exec", metavar="CMD", help="Run this for each message, with JSON on its stdin, without a shell."
        ),
    ] = None,
    touch: Annotated[
        Path | None,
        typer.Option(
            "--touch", metavar="FILE", help="Write each message into this file: a training loop can look for it."
        ),
    ] = None,
    quiet_for: Annotated[
        float, typer.Option("--quiet-for", metavar="S", min=0, help="Seconds between two messages of one kind.")
    ] = 0.0,
    total: Annotated[
        float | None, typer.Option("--total", metavar="N", help="The last step that is planned: shows the time left.")
    ] = None,
    which: Which = None,
    map_: Map = None,
    metric: Metric = None,
    x: Axes = None,
    config: Config = None,
    rules: Rules = None,
    segmenter: Segmenters = None,
    no_color: NoColor = False,
    quiet: Quiet = False,
) -> None:
    """Follow a run while it goes on: its phase now, its events as they are confirmed, and messages about them."""
    from runopsy.watch import Watch
    from runopsy.watch.channels import channels
    from runopsy.watch.looking import in_a_thread
    from runopsy.watch.memory import Remembered, keep, place_of, recall
    from runopsy.watch.outbox import Outbox, wanted

    if run == "-":
        raise BadOption("standard input cannot be watched", hint="write it to a file, and watch that")
    how = asked(map_, metric, x, config, rules, segmenter)
    kinds, where_to = wanted(on), channels(notify or [], exec_, touch)
    file = place_of(run, which)
    known = recall(file)

    def complain(line: str) -> None:
        if not quiet:
            typer.echo(f"runopsy: {line}", err=True)

    troubles: set[str] = set()

    saving = threading.Lock()

    def save() -> None:
        try:
            with saving:  # messages arrive in a thread of their own, and what is newer must be written later
                keep(file, Remembered(watched.ledger, watched.words, watched.last, outbox.state()))
        except OSError as cause:  # a full disk: the watch goes on, and a restart may repeat a message
            if cause.strerror not in troubles:
                complain(f"{file} cannot be written: {cause.strerror}")
            troubles.add(str(cause.strerror))

    watched = Watch(
        run,
        which,
        examine=lambda log: autopsy_of(log, how),
        beside=in_a_thread,
        total=total,
        ledger=known.ledger,
        words=known.words,
        last=known.last,
    )
    outbox = Outbox(where_to, kinds, quiet_for=quiet_for, kept=known.post, complain=complain, changed=save)
    with watched:
        try:
            if once:
                _once(watched, outbox, no_color)
            else:
                _follow(watched, outbox, save, no_color)
        except KeyboardInterrupt:
            pass
        finally:
            left = outbox.close()
            save()
            if left:
                complain(f"{left} messages have not arrived; the next watch of this log sends them")


def _once(watched: Watch, outbox: Outbox, no_color: bool) -> None:
    from runopsy.watch.page import page

    view = watched.look()
    _post(view, outbox)
    show(page(view, terminal_width(), color=in_color(no_color)))


def _follow(watched: Watch, outbox: Outbox, save: Callable[[], None], no_color: bool) -> None:
    """Until the run has finished, or somebody ends the watch: a run that was killed may be resumed."""
    with _screen(watched.view, no_color) as put:
        while not watched.view.done:
            view = watched.poll()
            if view is not None:
                with watched.counting():
                    _post(view, outbox)
                    put(view)
                    save()
            if not watched.view.done:
                time.sleep(POLL)


def _post(view: View, outbox: Outbox) -> None:
    from runopsy.watch.outbox import message

    for news in view.news:
        assert view.autopsy is not None  # there is no news of a run that cannot be judged
        outbox.post(message(news, view.autopsy.run.id, view.path, view.autopsy.first, view.moment))


@contextmanager
def _screen(first: View, no_color: bool) -> Iterator[Callable[[View], None]]:
    """What shows a view: a live page on a terminal, lines elsewhere."""
    from runopsy.watch.page import lines, page

    if not sys.stdout.isatty():
        before: View | None = None

        def put(view: View) -> None:
            nonlocal before
            for line in lines(before, view):
                show(f"{line}\n")
            sys.stdout.flush()
            before = view

        put(first)
        yield put
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(no_color=not in_color(no_color), highlight=False)

    def drawn(view: View) -> Text:
        return Text.from_ansi(page(view, console.width, color=in_color(no_color)), no_wrap=True)

    with Live(drawn(first), console=console, auto_refresh=False, vertical_overflow="crop") as live:
        yield lambda view: live.update(drawn(view), refresh=True)
