"""Autopsy → text. Findings become words once, in ``compose``; the renderers know blocks, not training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from runopsy.model import Autopsy
from runopsy.report.publish import FORMATS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "plot", "render", "save"]


def render(
    autopsy: Autopsy,
    format: str = "text",
    *,
    width: int | None = None,
    color: bool = False,
    verbose: bool = False,
    gpus: float | None = None,
    price: float | None = None,
) -> str:
    """An autopsy in words, or as data.

    Args:
        autopsy: what ``runopsy.analyze`` returned.
        format: ``"text"``, ``"markdown"``, ``"html"`` (a whole page), ``"json"`` or ``"notebook"`` (a fragment).
        width: columns of the text; default 96.
        color: whether the text carries terminal colours.
        verbose: whether the text shows the evidence, what was asked in vain, other signals and the thresholds;
            the other formats always do.
        gpus: how many GPUs trained: turns time into GPU-hours.
        price: of one GPU-hour.

    Raises:
        BadOption: no such format.
    """
    if format == "json":
        from runopsy.report import data  # each format loads only what it needs

        return data.dump(autopsy)
    from runopsy.report import compose, publish

    document = compose.compose(autopsy, compose.Bill(gpus, price))
    return publish.text(document, format, width=width, color=color, verbose=verbose)


def save(
    autopsy: Autopsy,
    path: str | os.PathLike[str],
    format: str | None = None,
    *,
    embed: bool = False,
    gpus: float | None = None,
    price: float | None = None,
) -> tuple[Path, ...]:
    """Write an autopsy to a file; its format is what the name ends in, unless said. The files written.

    ``embed`` puts the pictures of a Markdown page into it instead of beside it; the rest is as in ``render``.

    Raises:
        BadOption: no such format, or a file that cannot be written.
    """
    from runopsy.report import compose, data, publish

    path = Path(path)
    chosen = format or publish.guess(path)
    if chosen == "json":
        return (publish.put(path, data.dump(autopsy)),)
    return publish.write(compose.compose(autopsy, compose.Bill(gpus, price)), path, chosen, embed=embed)


def plot(autopsy: Autopsy) -> Figure:
    """The run in one matplotlib figure, for a paper or a notebook: phases, curves and events on one axis.

    Raises:
        BadOption: matplotlib is not installed, or the log is too short for a curve.
    """
    from runopsy.report import figures

    return figures.plot(autopsy)
