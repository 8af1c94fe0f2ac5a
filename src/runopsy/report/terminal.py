"""Document → text for a terminal, or for a file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from runopsy.report import canvas, grid_map, moves, run_lines, scatter
from runopsy.report.document import (
    Block,
    Chart,
    Details,
    Document,
    Findings,
    Heading,
    Headline,
    Map,
    Mark,
    Moves,
    Picture,
    Prose,
    Runs,
    Scale,
    Scatter,
    Steps,
    Table,
    Timeline,
)
from runopsy.report.geometry import extent
from runopsy.report.words import number, place, visible

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 96  # columns, where none are asked for
NARROWEST = 40
MARGIN = 11  # columns for the numbers beside a chart
NAME, CELL = 60, 400  # characters of a name in a heading, of a cell: nobody reads more, and a table keeps its columns
LEAST = 9  # columns that each further column of a table keeps beside names in one piece, its margin included
LISTED = 40  # runs of many: what a screen has room for
COLOURS = {
    "underfitting": "bright_black",
    "feature_learning": "green",
    "memorization": "yellow",
    "converged": "cyan",
    "fitting": "blue",
    "diverged": "red",
}
TONES = {"good": "bold green", "warn": "bold yellow", "bad": "bold red", "plain": "bold"}
CURVES = ("blue", "magenta", "cyan", "yellow", "green")
# For output that cannot encode them: the same columns in ASCII.
ASCII = str.maketrans({"│": "|", "─": "-", "┊": ":", "·": ".", "●": "o", "○": "0", "├": "|", "┤": "|", "┬": "+",
                       "→": ">", "–": "-", "…": "~", "━": "-", "’": "'", "−": "-", "×": "x",
                       "▲": "^", "▼": "v"})  # fmt: skip


def render(document: Document, *, width: int | None = None, color: bool = False, verbose: bool = False) -> str:
    """The document as text, ``width`` columns wide; without ``color``, no escape sequence is in it.

    Unless ``verbose``, the first screen of the document where it has one, else all of it but the details.
    """
    console = _console(max(width or WIDTH, NARROWEST), color)
    console.print(visible(document.title), style="bold")
    for block in document.first if document.first and not verbose else document.blocks:
        if verbose or not isinstance(block, Details):
            _print(console, block)
    left_out = [b.summary.lower() for b in document.blocks if isinstance(b, Details)]
    if document.first and not verbose:
        console.print(f"\n{document.more}", style="dim")
    elif left_out and not verbose:
        console.print(f"\n-v adds: {', '.join(left_out)}.", style="dim")
    if document.foot and verbose:
        console.print(f"\n{document.foot}", style="dim")
    return _text(console)


def picture(block: Picture | Scatter, *, width: int | None = None) -> str:
    """A picture drawn in characters, for a page that cannot hold another."""
    console = _console(max(width or WIDTH, NARROWEST), color=False)
    if isinstance(block, Scatter):
        _scatter(console, block)
    else:
        _picture(console, replace(block, numbers=None))
    return _text(console)


def _console(width: int, color: bool) -> Console:
    from rich.console import Console

    return Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        force_jupyter=False,  # in a notebook rich would show each print as an output of its own, and give no text
        color_system="standard" if color else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def _text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)  # as _console made it
    lines = console.file.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _print(console: Console, block: Block) -> None:
    match block:
        case Heading(text):
            console.print()
            console.print(visible(text), style="bold underline")
        case Prose(text):
            console.print(visible(text))
        case Headline():
            _headline(console, block)
        case Picture():
            _picture(console, block)
        case Timeline():
            _timeline(console, block)
        case Chart():
            _chart(console, block)
        case Scatter():
            _scatter(console, block)
        case Findings():
            _findings(console, block)
        case Table():
            _table(console, block)
        case Map():
            _table(console, grid_map.table(block))
        case Runs():
            _table(console, run_lines.table(block, LISTED))
            console.print(run_lines.legend(), style="dim")
            if len(block.lines) > LISTED:
                console.print(
                    f"… and {len(block.lines) - LISTED:,} more; a page or a table has all: -o runs.html, runs.csv"
                )
        case Moves():
            for line in moves.lines(block, console.width):
                console.print(line, no_wrap=True, crop=True)
        case Steps():
            _steps(console, block)
        case Details(summary, blocks, _):
            _print(console, Heading(summary))
            for inner in blocks:
                _print(console, inner)
        case _:
            assert_never(block)


def _headline(console: Console, block: Headline) -> None:
    from rich.text import Text

    sure = f"({block.sure})  " if block.sure else ""
    console.print()
    console.print(Text.assemble((block.word.upper(), TONES[block.tone]), "  ", sure + visible(block.text)))


def _picture(console: Console, block: Picture) -> None:
    for timeline in block.timelines:
        _timeline(console, timeline)
    if block.numbers is not None:
        _table(console, block.numbers)
    for chart in block.charts:
        _chart(console, chart)
    if block.charts and not block.timelines:
        _axis(console, block.charts[0].scale, block.marks)


def _timeline(console: Console, block: Timeline) -> None:
    """The phases to scale: each band carries as much of its name as fits."""
    from rich.text import Text

    width = console.width - MARGIN - 1
    bar, ticks = Text(f"{visible(block.name, MARGIN - 1):{MARGIN}}"), [" "] * (width + 12)
    bar.append(" " * canvas.column(block.scale, block.bands[0].start, width))
    for band in block.bands:
        a, b = canvas.column(block.scale, band.start, width), canvas.column(block.scale, band.end, width)
        if band is block.bands[-1] and b == width - 1:
            b = width
        inside = max(b - a - 1, 0)
        name = band.label if len(band.label) <= inside else band.label[:inside]
        bar.append("│" + name.center(inside, "─") if b > a else "", COLOURS.get(band.kind, "white"))
        _tick(ticks, a, place(band.start))
    bar.append("│", COLOURS.get(block.bands[-1].kind, "white"))
    end = place(block.scale.last if b == width else block.bands[-1].end)
    _tick(ticks, b - len(end) + 1, end)
    console.print(bar, no_wrap=True, crop=True)
    console.print(Text(" " * MARGIN + "".join(ticks).rstrip(), "dim"), no_wrap=True, crop=True)


def _tick(ticks: list[str], at: int, text: str) -> None:
    """Write a number under its column if no other number is in the way."""
    room = ticks[max(0, at - 1) : at + len(text) + 1]
    if all(cell == " " for cell in room) and at + len(text) <= len(ticks):
        ticks[at : at + len(text)] = list(text)


def _chart(console: Console, block: Chart) -> None:
    from rich.text import Text

    legend = Text(f"\n{block.title}  ")
    for k, line in enumerate(block.lines):
        legend.append(f"  {canvas.GLYPHS[k % len(canvas.GLYPHS)]} {visible(line.name, NAME)}", CURVES[k % len(CURVES)])
    console.print(legend)
    low, high = extent(block)
    rows = canvas.draw(block, console.width - MARGIN - 1)
    for i, row in enumerate(rows):
        label = number(float(f"{high:.3g}")) if i == 0 else number(float(f"{low:.3g}")) if i == len(rows) - 1 else ""
        text = Text(f"{label:>{MARGIN - 2}} │", "dim")
        for glyph, k in row:
            text.append(glyph, CURVES[k % len(CURVES)] if k >= 0 else "dim")
        console.print(text, no_wrap=True, crop=True)


def _axis(console: Console, scale: Scale, marks: Sequence[Mark]) -> None:
    """Below charts that no timeline stands above: the ends of the axis, what it counts, and what is marked on it."""
    from rich.text import Text

    width = console.width - MARGIN - 1
    first, last = place(scale.first), place(scale.last)
    room = width - len(first) - len(last)
    axis = f"{first}{visible(scale.title, max(room - 2, 1)):^{room}}{last}"
    console.print(Text(" " * MARGIN + axis, "dim"), no_wrap=True, crop=True)
    if marks:
        pointers = [" "] * width
        for mark in marks:
            pointers[canvas.column(scale, mark.at, width)] = "▲"
        console.print(Text(" " * MARGIN + "".join(pointers)), no_wrap=True, crop=True)
        console.print(", ".join(f"▲ {visible(mark.label, NAME)} {place(mark.at)}" for mark in marks))


def _scatter(console: Console, block: Scatter) -> None:
    from rich.text import Text

    legend = Text(f"\n{visible(block.y[0])} against {visible(block.x[0])}  ")
    for k, cloud in enumerate(block.clouds):
        legend.append(f"  {canvas.GLYPHS[k % len(canvas.GLYPHS)]} {visible(cloud.name, NAME)}", CURVES[k % len(CURVES)])
    console.print(legend)
    for label, row in scatter.lines(block, console.width - MARGIN - 1):
        console.print(Text(f"{label:>{MARGIN - 2}}  {row}"), no_wrap=True, crop=True)


def _findings(console: Console, block: Findings) -> None:
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid.grid(padding=(0, 2))
    placed = any(item.where for item in block.items)
    for item in block.items:
        refs = f"  [{' '.join(item.refs)}]" if item.refs else ""
        where = [Text(item.where)] if placed else []
        grid.add_row(Text(visible(item.what), TONES[item.tone]), *where, Text(visible(item.text) + refs))
    console.print(grid)


def _steps(console: Console, block: Steps) -> None:
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid.grid(padding=(0, 1))
    for item in block.items:
        grid.add_row("-", Text.assemble(visible(item.do), (f"  ({visible(item.because)})", "dim")))
    console.print(grid)


def _table(console: Console, block: Table) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Grid
    from rich.text import Text

    headed = any(block.columns)
    grid = Grid(
        box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="dim", show_header=headed
    )
    whole = _stays_whole(block, console.width)
    for i, name in enumerate(block.columns):
        grid.add_column(Text(visible(name, NAME)), overflow="fold", no_wrap=whole and i == 0)  # no digit is ever lost
    for row in block.rows:
        grid.add_row(*(Text(visible(cell, CELL)) for cell in row))
    if not headed:
        console.print()
    console.print(grid)


def _stays_whole(block: Table, width: int) -> bool:
    """Whether the names of the rows are kept in one piece, to be read and copied: they have no blank to break at."""
    names = [row[0] for row in block.rows]
    longest = max(map(len, names), default=0)
    return not any(" " in name for name in names) and longest + LEAST * (len(block.columns) - 1) <= width
