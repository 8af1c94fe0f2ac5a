"""Autopsy or Comparison → text. Findings become words once, in ``compose``; the renderers know blocks, not training.

What is made above this floor brings its own words: anything with ``to_document`` and ``to_dict`` is rendered as well.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from runopsy.model import Autopsy
from runopsy.report.publish import FORMATS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from runopsy.model import Comparison
    from runopsy.report.document import Block, Document

__all__ = ["FORMATS", "plot", "render", "save"]


class Composed(Protocol):
    """A result that brings its own words, as those over many runs do."""

    def to_document(self, gpus: float | None = None, price: float | None = None) -> Document:
        """What a report shows; hours and prices are those of one GPU."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """The object that ``--format json`` prints."""
        ...


Subject: TypeAlias = "Autopsy | Comparison | Composed"


def render(
    subject: Subject,
    format: str = "text",
    *,
    width: int | None = None,
    color: bool = False,
    verbose: bool = False,
    gpus: float | None = None,
    price: float | None = None,
    further: Sequence[Block] = (),
) -> str:
    """An autopsy or a comparison in words, or as data.

    Args:
        subject: what ``runopsy.analyze``, ``diff``, ``sweep`` or ``backtest`` returned.
        format: ``"text"``, ``"markdown"``, ``"html"`` (a whole page), ``"json"`` or ``"notebook"`` (a fragment).
        width: columns of the text; default 96.
        color: whether the text carries terminal colours.
        verbose: whether the text shows the evidence, what was checked and not found, other signals and the thresholds;
            the other formats always do.
        gpus: how many GPUs trained: turns time into GPU-hours.
        price: of one GPU-hour.
        further: blocks for the part of an autopsy that shows where to stop.

    Raises:
        BadOption: no such format.

    Examples:
        >>> page = runopsy.render(runopsy.analyze("sample_logs/healthy"), "markdown")
        >>> page.splitlines()[0]
        '# Healthy (right about 19 times in 20): training fits, and validation follows'
    """
    if format == "json":
        return _dumped(subject)
    from runopsy.report import publish  # each format loads only what it needs

    return publish.text(_composed(subject, gpus, price, further), format, width=width, color=color, verbose=verbose)


def save(
    subject: Subject,
    path: str | os.PathLike[str],
    format: str | None = None,
    *,
    embed: bool = False,
    gpus: float | None = None,
    price: float | None = None,
    further: Sequence[Block] = (),
) -> tuple[Path, ...]:
    """Write an autopsy or a comparison to a file; returns the files written.

    Without ``format``, the end of its name decides. ``embed`` puts the pictures of a Markdown page into it instead of
    beside it; the rest is as in ``render``.

    Raises:
        BadOption: no such format, or a file that cannot be written.
    """
    from runopsy.report import publish

    path = Path(path)
    chosen = format or publish.guess(path)
    if chosen == "json":
        return (publish.put(path, _dumped(subject)),)
    return publish.write(_composed(subject, gpus, price, further), path, chosen, embed=embed)


def _composed(subject: Subject, gpus: float | None, price: float | None, further: Sequence[Block] = ()) -> Document:
    if isinstance(subject, Autopsy):
        from runopsy.report import compose

        return compose.compose(subject, compose.Bill(gpus, price), further)
    from runopsy.model import Comparison

    if not isinstance(subject, Comparison):
        return subject.to_document(gpus, price)
    from runopsy.report import compare

    return compare.compose(subject)


def _dumped(subject: Subject) -> str:
    from runopsy.model import Comparison
    from runopsy.report import data, deltas

    if isinstance(subject, Comparison):
        return deltas.dump(subject)
    if isinstance(subject, Autopsy):
        return data.dump(subject)
    return json.dumps(subject.to_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def plot(autopsy: Autopsy) -> Figure:
    """The run in one matplotlib figure, for a paper or a notebook: phases, curves and events on one axis.

    Raises:
        BadOption: matplotlib is not installed, or the log is too short for a curve.
    """
    from runopsy.report import figures

    return figures.plot(autopsy)
