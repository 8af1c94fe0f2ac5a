"""Document → Markdown (GitHub's): readable as it stands, and rendered without anything else."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import assert_never

from runopsy.report import grid_map, moves, run_lines, terminal
from runopsy.report.document import (
    Block,
    Chart,
    Details,
    Document,
    Finding,
    Findings,
    Heading,
    Headline,
    Map,
    Moves,
    Picture,
    Prose,
    Runs,
    Scatter,
    Step,
    Steps,
    Table,
    Timeline,
)
from runopsy.report.words import visible

# Where a picture goes: given it, the address of an image; None draws it in characters.
Shelf = Callable[[Picture | Map | Scatter], str] | None

MOST = 200  # runs of many that a page lists
CELL = 400  # characters: a table that is wider is read by nobody
# Characters that begin markup anywhere; an underscore inside a word and a lone > do not.
MARKUP = re.compile(r"[\\`*\[\]<|~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
# At the start of a line: headings, quotes, lists, rules.
OPENING = re.compile(r"^(?:[>]|[-+=#](?=[-+=#\s]|$)|\d+(?=[.)](?:\s|$)))")
LINK = re.compile(r"(?<=[a-zA-Z]):(?=//)|(?<=www)\.", re.IGNORECASE)  # addresses that GitHub would make links of
CALL = re.compile(r"(?<!\w)([@#])(?=\w)")  # names that it would notify, numbers that it would link


def render(document: Document, shelf: Shelf = None) -> str:
    """The document as one Markdown page; ``shelf`` gives the address of a picture."""
    first = document.blocks[0] if document.blocks else None
    title = f"# {escape(document.title)}"
    parts = [title] if not isinstance(first, Headline) else []
    for block in document.blocks:
        parts += _block(block, shelf)
        if block is first and isinstance(first, Headline):
            parts.append(escape(document.title))
    parts += [f"---\n\n{escape(document.foot)}"] if document.foot else []
    return "\n\n".join(parts) + "\n"


def escape(text: str, most: int = 1000) -> str:
    """Any text as text: nothing in it is taken for markup, a link, a mention or a reference."""
    text = MARKUP.sub(lambda found: f"\\{found[0]}" if found[0] != "&" else "&amp;", visible(text, most).strip())
    text = LINK.sub(lambda found: f"\\{found[0]}", text)
    text = CALL.sub(r"\1&#8288;", text)  # a word joiner: it takes no room, and no name follows the sign any more
    return OPENING.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", text)


def _block(block: Block, shelf: Shelf) -> Iterator[str]:
    match block:
        case Heading(text):
            yield f"## {escape(text)}"
        case Prose(text):
            yield escape(text)
        case Headline():
            sure = f" ({block.sure})" if block.sure else ""
            yield f"# {escape(block.word.capitalize())}{sure}: {escape(block.text)}"
        case Picture():
            yield _picture(block, shelf)
            if block.numbers is not None:
                yield _table(block.numbers)
        case Timeline():
            yield from _block(Picture("timeline", _spoken(block), (block,), ()), shelf)
        case Chart():
            yield from _block(Picture("chart", block.title, (), (block,)), shelf)
        case Map():
            if shelf is not None:
                yield f"![{escape(block.alt)}]({shelf(block)})"
            yield _table(grid_map.table(block))
        case Scatter():
            yield _picture(block, shelf)
        case Runs():
            yield _table(run_lines.table(block, MOST))
            yield escape(run_lines.legend())
            if len(block.lines) > MOST:
                yield f"… and {len(block.lines) - MOST:,} more"
        case Findings(items):
            yield "\n".join(map(_finding, items))
        case Table():
            yield _table(block)
        case Moves():
            yield _table(moves.table(block))
        case Steps(items):
            yield "\n".join(map(_step, items))
        case Details():
            yield from _details(block, shelf)
        case _:
            assert_never(block)


def _spoken(timeline: Timeline) -> str:
    return "; ".join(f"{band.label} {band.start:g} to {band.end:g}" for band in timeline.bands)


def _picture(picture: Picture | Scatter, shelf: Shelf) -> str:
    if shelf is None:
        return f"```text\n{terminal.picture(picture).rstrip()}\n```"
    return f"![{escape(picture.alt)}]({shelf(picture)})"


def _finding(item: Finding) -> str:
    refs = f" ({', '.join(item.refs)})" if item.refs else ""
    text = f": {escape(item.text)}" if item.text else ""
    return f"- **{escape(item.what)}**, {escape(item.where)}{text}{refs}"


def _step(step: Step) -> str:
    return f"- {escape(step.do)} *Because: {escape(step.because)}.*"


def _table(table: Table) -> str:
    rows = [_row(table.columns), _row(["---"] * len(table.columns), as_it_is=True), *map(_row, table.rows)]
    return "\n".join(rows)


def _row(cells: tuple[str, ...] | list[str], *, as_it_is: bool = False) -> str:
    return f"| {' | '.join(cell if as_it_is else escape(cell, CELL) for cell in cells)} |"


def _details(block: Details, shelf: Shelf) -> Iterator[str]:
    inner = [part for each in block.blocks for part in _block(each, shelf)]
    if block.open:
        yield f"## {escape(block.summary)}"
        yield from inner
        return
    yield "\n\n".join([f"<details>\n<summary>{html.escape(visible(block.summary))}</summary>", *inner, "</details>"])
