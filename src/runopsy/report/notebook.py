"""Document → the HTML fragment that a notebook shows: the page's words, its pictures as images."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace

from runopsy.report import html, svg
from runopsy.report.document import Details, Document, Picture


def render(document: Document) -> str:
    """One ``<div>`` without scripts, which notebooks may strip; details are for the other formats."""
    brief = tuple(block for block in document.blocks if not isinstance(block, Details))
    return html.fragment(replace(document, blocks=brief), _image)


def _image(picture: Picture) -> Iterator[str]:
    coded = base64.b64encode(svg.render(picture).encode()).decode()
    yield f'<img alt="{svg.text(picture.alt)}" src="data:image/svg+xml;base64,{coded}" style="max-width:100%">'
