"""Autopsy or Comparison → text. Findings become words once, in ``compose``; the renderers know blocks, not training."""

from __future__ import annotations

from runopsy.errors import BadOption
from runopsy.model import Autopsy, Comparison

FORMATS = ("text", "json", "notebook")


def render(
    subject: Autopsy | Comparison, format: str = "text", *, width: int | None = None, color: bool = False
) -> str:
    """An autopsy or a comparison in words, or as data.

    Args:
        subject: what ``runopsy.analyze`` or ``runopsy.diff`` returned.
        format: ``"text"``, ``"json"`` or ``"notebook"`` (an HTML fragment).
        width: columns of the text; default 96.
        color: whether the text carries terminal colours.

    Raises:
        BadOption: no such format.
    """
    if format == "json":
        from runopsy.report import data, deltas  # each format loads only what it needs

        return deltas.dump(subject) if isinstance(subject, Comparison) else data.dump(subject)
    if format not in FORMATS:
        raise BadOption(f"there is no format {format!r}", hint=f"choose {', '.join(FORMATS)}")
    from runopsy.report import compare, compose, notebook, terminal  # rich is not needed for json

    document = compare.compose(subject) if isinstance(subject, Comparison) else compose.compose(subject)
    if format == "notebook":
        return notebook.render(document)
    return terminal.render(document, width=width, color=color)
