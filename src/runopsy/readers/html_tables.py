"""The tables of an HTML page, as text in rows of cells."""

from __future__ import annotations

import re
from html.parser import HTMLParser

MOST = 100_000  # cells in all tables of a page; beyond it, they are left out
BREAKS = re.compile(r"\s+")
TABLE = re.compile(
    r"<table\b.*?(?:</table>|\Z)", re.IGNORECASE | re.DOTALL
)  # the rest of a page may be megabytes of a plot


class _Tables(HTMLParser):
    """Collects cells; tags that are never closed, as browsers allow them, end with the next of their kind."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self.cells = 0
        self.open: list[str] | None = None  # the text of the cell that is being read

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._close()
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self._close()
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables and self.cells < MOST:
            self._close()
            self.open = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr", "table"):
            self._close()

    def handle_data(self, data: str) -> None:
        if self.open is not None:
            self.open.append(data)

    def _close(self) -> None:
        if self.open is not None:
            if not self.tables[-1]:
                self.tables[-1].append([])
            self.tables[-1][-1].append(BREAKS.sub(" ", "".join(self.open)).strip())
            self.cells += 1
            self.open = None


def tables_in(html: str) -> list[list[list[str]]]:
    """Table → row → cell; a cell that spans several columns stands once."""
    parser = _Tables()
    for match in TABLE.finditer(html):
        try:
            parser.feed(match[0])
            parser.close()
        except AssertionError:  # of the parser itself, at a declaration that it does not know
            break
    return [[row for row in table if row] for table in parser.tables if any(table)]
