"""Autopsy → text. Findings become words once, in ``compose``; the renderers know blocks, not training."""

from __future__ import annotations

from runopsy.errors import BadOption
from runopsy.model import Autopsy

FORMATS = ("text", "json", "notebook")


def render(autopsy: Autopsy, format: str = "text", *, width: int | None = None, color: bool = False) -> str:
    """An autopsy in words, or as data.

    Args:
        autopsy: what ``runopsy.analyze`` returned.
        format: ``"text"``, ``"json"`` or ``"notebook"`` (an HTML fragment).
        width: columns of the text; default 96.
        color: whether the text carries terminal colours.

    Raises:
        BadOption: no such format.
    """
    if format == "json":
        from runopsy.report import data  # each format loads only what it needs

        return data.dump(autopsy)
    if format not in FORMATS:
        raise BadOption(f"there is no format {format!r}", hint=f"choose {', '.join(FORMATS)}")
    from runopsy.report import compose, notebook, terminal  # rich is not needed for json

    document = compose.compose(autopsy)
    if format == "notebook":
        return notebook.render(document)
    return terminal.render(document, width=width, color=color)
