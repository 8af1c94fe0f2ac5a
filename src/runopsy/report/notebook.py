"""Document → the HTML fragment that a notebook shows: the terminal's text, in its colours."""

from __future__ import annotations

import html
import re

from runopsy.report import terminal
from runopsy.report.document import Document

SGR = re.compile(r"\x1b\[([0-9;]*)m")
# The few terminal styles in use, as inline CSS that is readable on light and dark pages.
CSS = {
    "1": "font-weight:bold", "2": "opacity:.65", "4": "text-decoration:underline",
    "31": "color:#c0392b", "32": "color:#1e8449", "33": "color:#b7950b", "34": "color:#2874a6",
    "35": "color:#8e44ad", "36": "color:#148f8f", "90": "color:#7f8c8d",
}  # fmt: skip


def render(document: Document) -> str:
    """One ``<pre>``; every piece of text in it is escaped."""
    text = terminal.render(document, color=True)
    out, open_ = [], False
    at = 0
    for found in SGR.finditer(text):
        out.append(html.escape(text[at : found.start()]))
        at = found.end()
        if open_:
            out.append("</span>")
        style = ";".join(CSS[code] for code in found.group(1).split(";") if code in CSS)
        open_ = bool(style)
        if open_:
            out.append(f'<span style="{style}">')
    out.append(html.escape(text[at:]) + ("</span>" if open_ else ""))
    return f'<pre style="line-height:1.2;white-space:pre;overflow-x:auto">{"".join(out)}</pre>'
