"""Document → one HTML file that opens offline: no request leaves it, and its policy forbids the browser any."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import TypeAlias, assert_never

from runopsy.report import figure, grid_map, looks, moves, run_lines, scatter
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
from runopsy.report.svg import text

Draw: TypeAlias = Callable[[Picture], Iterator[str]]

CELL = 400  # characters of a cell
SHORT, LONG = 20, 60  # characters of a cell that stays on one line, of a word that may be broken
REFERENCE = re.compile(r"E\d+")  # evidence is linked to by its number


def render(document: Document) -> str:
    """The whole page."""
    many = any(isinstance(block, (Runs, Map)) for block in document.blocks)
    script = _resource("page.js") + (_resource("study.js") if many else "")
    style = _style() + (_resource("study.css") if many else "")
    known = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{known}'; img-src data:"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f'<title>{text(_name(document), 200)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n{_body(document, figure.render)}\n</main>\n"
        f"<footer>{text(document.foot)}</footer>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def fragment(document: Document, draw: Draw) -> str:
    """The body alone, for a page that is not ours; its style reaches nothing outside it."""
    tones = "".join(f".runopsy .tone-{name}{{color:var(--{name})}}" for name in looks.TONES)
    return f'<div class="runopsy"><style>{looks.both(".runopsy")}{tones}</style>\n{_body(document, draw)}\n</div>'


def _name(document: Document) -> str:
    head = next((b for b in document.blocks if isinstance(b, Headline)), None)
    return document.title if head is None else f"{head.word.capitalize()}: {document.title}"


def _style() -> str:
    rules = [looks.both(":root", "screen and ")]
    rules += [f".p-{name}{{background:var(--{name});fill:var(--{name})}}" for name in looks.PHASES]
    rules += [f".f-{name}{{fill:var(--{name})}}.s-{name}{{stroke:var(--{name})}}" for name in looks.TONES]
    rules += [f".c{k}{{stroke:var(--curve{k});stroke-dasharray:{d or 'none'}}}" for k, d in enumerate(looks.DASHES)]
    return "\n".join(rules) + "\n" + _resource("page.css")


def _resource(name: str) -> str:
    return (files("runopsy.report") / name).read_text(encoding="utf-8")


def _body(document: Document, draw: Draw) -> str:
    title = f'<p class="run">{text(document.title)}</p>'
    leads = bool(document.blocks) and isinstance(document.blocks[0], Headline)
    parts = [title if leads else f"<h1>{text(document.title)}</h1>"]
    parts += [part for block in document.blocks for part in _block(block, draw)]
    return "\n".join(parts)


def _block(block: Block, draw: Draw) -> Iterator[str]:
    match block:
        case Heading(content):
            yield f"<h2>{text(content)}</h2>"
        case Prose(content):
            yield f"<p>{text(content)}</p>"
        case Headline():
            sure = f" ({text(block.sure)})" if block.sure else ""
            word = f'<span class="tone-{block.tone}">{text(block.word.capitalize())}</span>'
            yield f"<h1>{word}{sure}: {text(block.text)}</h1>"
        case Picture():
            yield from draw(block)
            if block.numbers is not None:
                yield _table(block.numbers)
        case Timeline():
            yield from draw(Picture("timeline", _spoken(block), (block,), ()))
        case Chart():
            yield from draw(Picture("chart", block.title, (), (block,)))
        case Map():
            yield f"<figure>{grid_map.inside(block)}</figure>"
        case Scatter():
            yield f"<figure>{scatter.drawing(block)}</figure>"
        case Runs():
            yield from run_lines.render(block)
        case Findings(items):
            yield f"<ul>{''.join(map(_finding, items))}</ul>"
        case Table():
            yield _table(block)
        case Moves():
            yield _table(moves.table(block))
        case Steps(items):
            yield f"<ul>{''.join(map(_step, items))}</ul>"
        case Details(summary, blocks, is_open):
            inner = "\n".join(part for each in blocks for part in _block(each, draw))
            yield f"<details{' open' * is_open}><summary>{text(summary)}</summary>\n{inner}\n</details>"
        case _:
            assert_never(block)


def _spoken(timeline: Timeline) -> str:
    return "; ".join(f"{band.label} {band.start:g} to {band.end:g}" for band in timeline.bands)


def _finding(item: Finding) -> str:
    refs = " ".join(f'<a href="#{ref}">{ref}</a>' for ref in item.refs if REFERENCE.fullmatch(ref))
    detail = f": {text(item.text)}" if item.text else ""
    refs = f' <span class="refs">[{refs}]</span>' if refs else ""
    return f'<li><strong class="tone-{item.tone}">{text(item.what)}</strong>, {text(item.where)}{detail}{refs}</li>'


def _step(step: Step) -> str:
    return f'<li>{text(step.do)} <span class="because">Because: {text(step.because)}.</span></li>'


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{text(name, CELL)}</th>' for name in table.columns)
    rows = "".join(map(_row, table.rows))
    inner = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="table">{inner}</div>'


def _row(cells: tuple[str, ...]) -> str:
    ident = f' id="{cells[0]}"' if cells and REFERENCE.fullmatch(cells[0]) else ""
    return f"<tr{ident}>{''.join(map(_cell, cells))}</tr>"


def _cell(content: str) -> str:
    """A short cell stays on one line; a long word in a long one may break."""
    longest = max(map(len, content.split()), default=0)
    kind = ' class="short"' if len(content) <= SHORT else ' class="long"' if longest > LONG else ""
    return f"<td{kind}>{text(content, CELL)}</td>"
