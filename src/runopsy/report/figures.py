"""Picture → matplotlib: figures for papers, in the colours of the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runopsy.errors import BadOption
from runopsy.model import Autopsy
from runopsy.report import looks
from runopsy.report.document import Chart, Mark, Picture, Scale
from runopsy.report.geometry import across, extent, places, stacked, thinned
from runopsy.report.pictures import picture
from runopsy.report.words import place, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = ("pdf", "svg", "png")
COLUMN = 6.75  # inches: the text width of a two-column conference paper
STRIP, TALL, SMALL, GAP = 0.26, 1.9, 1.3, 0.1  # inches: heights of a timeline and of charts, and what lies between
LETTER, MOST_ROWS = 0.0085, 4  # of the width: a letter of 6 points; rows of names that fit above
TOP, BOTTOM, SIDE = 0.5, 0.45, 0.65  # inches, for the names of marks, the axis, the numbers
BUCKETS = 2000  # of the width: 300 dots per inch over it
LIGHT = 0  # figures for paper
# Two runs of the same command must write the same bytes: no date, no random identifiers, no version of matplotlib.
METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}


def plot(autopsy: Autopsy) -> Figure:
    """Phases as a bar above the curves, all on one axis.

    Raises:
        BadOption: matplotlib is not installed, or the log is too short for a curve.
    """
    drawn = picture(autopsy)
    if drawn is None or not drawn.charts:
        raise BadOption("there is nothing to draw: the log holds too few values of any loss or accuracy",
                        hint="runopsy signals RUN shows what it holds")  # fmt: skip
    return draw(drawn)


def draw(drawn: Picture) -> Figure:
    """A picture as a figure of matplotlib's, with no state left in pyplot."""
    try:
        from matplotlib.figure import Figure
    except ImportError as cause:
        raise BadOption("figures need matplotlib", hint="pip install 'runopsy[plot]'") from cause
    strips, charts = len(drawn.timelines), len(drawn.charts)
    heights = [*([STRIP] * strips), *([TALL] + [SMALL] * (charts - 1))]
    tall = sum(heights) + GAP * (len(heights) - 1) + TOP + BOTTOM
    figure = Figure(figsize=(COLUMN, tall))
    axes = figure.subplots(strips + charts, 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    gap = GAP * len(heights) / sum(heights)  # matplotlib counts it in mean heights
    sides = {"left": SIDE / COLUMN, "right": 1 - 0.3 * SIDE / COLUMN}  # placed by hand: its solver is not repeatable
    figure.subplots_adjust(**sides, bottom=BOTTOM / tall, top=1 - TOP / tall, hspace=gap)
    for ax, timeline in zip(axes, drawn.timelines, strict=False):
        _strip(ax, drawn, timeline.name)
        for band in timeline.bands:
            a, b = across(timeline.scale, [band.start, band.end])
            ax.axvspan(a, b, color=looks.PHASES[looks.phase(band.kind)][LIGHT])
            if b - a > 0.011 * len(band.label):  # a letter of this size takes about a hundredth of the width
                ax.text((a + b) / 2, 0.45, band.label, ha="center", va="center", fontsize=7)
    for ax, chart in zip(axes[strips:], drawn.charts, strict=True):
        _chart(ax, chart, drawn)
    _names(axes[0], drawn)
    _axis(axes[-1], drawn.charts[0].scale)
    return figure


def _strip(ax: Axes, drawn: Picture, name: str) -> None:
    ax.set_ylim(0, 1)
    ax.set_yticks([])
    ax.set_ylabel(_plain(name), rotation=0, ha="right", va="center", fontsize=7)
    for side in ax.spines.values():
        side.set_visible(False)
    ax.tick_params(bottom=False)


def _names(ax: Axes, drawn: Picture) -> None:
    """The marks' names above the bar, in rows."""
    scale = drawn.timelines[0].scale if drawn.timelines else drawn.charts[0].scale
    marks = sorted(drawn.marks, key=lambda m: m.at)
    at = [float(across(scale, mark.at)) for mark in marks]
    wide = [LETTER * len(_plain(mark.label)) for mark in marks]
    starts = [x if x + w <= 1 else x - w for x, w in zip(at, wide, strict=True)]
    rows = stacked(((s, s + w) for s, w in zip(starts, wide, strict=True)), LETTER, MOST_ROWS)
    for mark, x, start, row in zip(marks, at, starts, rows, strict=True):
        side = "left" if start == x else "right"
        if row >= 0:
            ax.annotate(_plain(mark.label), (x, 1.0), xytext=(0, 2 + 7 * row), textcoords="offset points", fontsize=6,
                        ha=side, va="bottom", annotation_clip=False, xycoords=("data", "axes fraction"))  # fmt: skip


def _chart(ax: Axes, chart: Chart, drawn: Picture) -> None:
    if chart.log:
        ax.set_yscale("log")
    for band in drawn.timelines[0].bands if len(drawn.timelines) == 1 else ():
        a, b = across(chart.scale, [band.start, band.end])
        ax.axvspan(a, b, color=looks.PHASES[looks.phase(band.kind)][LIGHT], alpha=0.3, linewidth=0)
    for mark in drawn.marks:
        _mark(ax, mark, chart.scale)
    for k, line in enumerate(chart.lines):
        style: dict[str, Any] = {"color": looks.CURVES[looks.curve(line.name, k)][LIGHT]}
        if line.rows is not None and line.dots:
            ax.plot(across(chart.scale, line.rows[0]), line.rows[1], "o", markersize=2.5, alpha=0.6, **style)
        elif line.rows is not None:
            kept = thinned(chart.scale, *line.rows, BUCKETS)
            step, value = line.rows[0][kept], line.rows[1][kept]
            ax.plot(across(chart.scale, step), value, linewidth=0.5, alpha=0.35, **style)
        ax.plot(across(chart.scale, line.step), line.value, linewidth=1.2, label=_plain(line.name), **style)
    if chart.ceiling is not None:
        ax.set_ylim(*extent(chart, rows=True))
    ax.set_ylabel(_plain(chart.title), fontsize=8)
    ax.tick_params(labelsize=7)
    ax.legend(fontsize=7, frameon=False)


def _mark(ax: Axes, mark: Mark, scale: Scale) -> None:
    colour = looks.TONES[mark.tone][LIGHT]
    if mark.interval is not None:
        a, b = across(scale, mark.interval)
        ax.axvspan(a, b, color=colour, alpha=0.12, linewidth=0)
    ax.axvline(float(across(scale, mark.at)), color=colour, linewidth=0.8, linestyle=(0, (4, 3)))


def _axis(ax: Axes, scale: Scale) -> None:
    at = places(scale, 8)
    ax.set_xlim(0, 1)
    ax.set_xticks([float(across(scale, p)) for p in at], [place(p) for p in at])
    ax.set_xlabel(_plain(scale.title), fontsize=8)


def _plain(text: str) -> str:
    """Foreign text as text: matplotlib reads what stands between two dollar signs as mathematics."""
    return visible(text, 60).replace("$", r"\$")


def write(autopsy: Autopsy, folder: Path, suffix: str) -> tuple[Path, ...]:
    """The report's figures as files in a folder.

    Raises:
        BadOption: an unknown suffix, no matplotlib, nothing to draw, or a folder that cannot be written.
    """
    if suffix not in SUFFIXES:
        raise BadOption(f"there is no figure format {suffix!r}", hint=f"choose {', '.join(SUFFIXES)}")
    figure = plot(autopsy)
    from matplotlib import rc_context

    path = folder / f"timeline.{suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with rc_context({"svg.hashsalt": "runopsy", "svg.fonttype": "none", "pdf.fonttype": 42}):
            figure.savefig(path, dpi=300, metadata=METADATA[suffix])
    except OSError as cause:
        raise BadOption(
            f"{path} cannot be written: {cause.strerror}", hint="give another folder to --figures"
        ) from cause
    return (path,)
