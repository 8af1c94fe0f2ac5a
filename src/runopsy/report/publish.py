"""Document → text, or files: which renderer a format has, and where pictures go."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

from runopsy.errors import BadOption
from runopsy.report.document import Document, Map, Picture, Scatter

# JSON is made from the facts, not from a document; every other format is a lowering of one.
FORMATS = ("text", "markdown", "html", "json", "notebook")
SUFFIXES = {".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html", ".json": "json"}

BESIDE = "_files"  # the folder of a page's pictures is named after it, as browsers name what they save


def guess(path: Path) -> str:
    """The format that a file's name asks for."""
    return SUFFIXES.get(path.suffix.lower(), "text")


def text(
    document: Document, format: str, *, width: int | None = None, color: bool = False, verbose: bool = False
) -> str:
    """A document in one piece: pictures are drawn in characters, or inside the page.

    Raises:
        BadOption: no such format.
    """
    if format == "text":
        from runopsy.report import terminal  # each format loads what it needs, and no other

        return terminal.render(document, width=width, color=color, verbose=verbose)
    if format == "markdown":
        from runopsy.report import markdown

        return markdown.render(document)
    if format == "html":
        from runopsy.report import html

        return html.render(document)
    if format == "notebook":
        from runopsy.report import notebook

        return notebook.render(document)
    raise BadOption(f"there is no format {format!r}", hint=f"choose {', '.join(FORMATS)}")


def write(document: Document, path: Path, format: str, *, embed: bool = False) -> tuple[Path, ...]:
    """Write a document; the files written, the page first.

    A Markdown page has its pictures in a folder beside it, or in itself with ``embed`` (GitHub shows no such
    pictures; many other viewers do).

    Raises:
        BadOption: no such format, or a file that cannot be written.
    """
    if format != "markdown":
        return (put(path, text(document, format, verbose=True)),)
    from runopsy.report import markdown

    folder = path.with_name(path.stem + BESIDE)
    pictures: dict[Path, str] = {}

    def shelve(picture: Picture | Map | Scatter) -> str:
        drawn = _drawn(picture)
        if embed:
            return f"data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode()}"
        pictures[folder / f"{picture.name}.svg"] = drawn
        return quote(f"{folder.name}/{picture.name}.svg")

    page = markdown.render(document, shelve)
    return (put(path, page), *(put(beside, drawn) for beside, drawn in pictures.items()))


def _drawn(picture: Picture | Map | Scatter) -> str:
    """A picture as an SVG file."""
    from runopsy.report import grid_map, scatter, svg

    match picture:
        case Map():
            return grid_map.render(picture)
        case Scatter():
            return scatter.render(picture)
        case Picture():
            return svg.render(picture)


def put(path: Path, content: str) -> Path:
    """Write a text file; a picture's folder is made beside its page, a page's own must be there.

    Raises:
        BadOption: it cannot be written.
    """
    try:
        if path.parent.name.endswith(BESIDE):
            path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8", newline="\n")
    except OSError as cause:
        raise BadOption(f"{path} cannot be written: {cause.strerror}", hint="give another path to -o") from cause
    return path
