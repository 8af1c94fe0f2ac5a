"""Double descent over models and over data: what a sweep over one size shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runopsy.study.size_columns import Outcome, margin_of, numbers, outcome, outcomes_of
from runopsy.study.size_curve import Place, Points, Trainings, Turns, points_of, turns_of
from runopsy.study.size_layout import Layout, layout_of
from runopsy.study.size_threshold import threshold_of
from runopsy.study.size_words import regime, sentences

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, eq=False)
class SizeCurve:
    """One outcome over sizes, with what was found on it."""

    outcome: str  # the column
    kind: str  # "loss" or "error"
    label: str  # what sets this curve apart from the others of its table, "" for a single one
    points: Points
    turns: Turns
    threshold: Place | None  # where training just fits
    beside: tuple[float, ...] = ()  # sizes whose outcome is nearer to the peak than to the first minimum
    sentences: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What is judged, for sentences: an accuracy is judged by the error it leaves."""
        found = outcome(self.outcome)
        return f"1 − {self.outcome}" if found is not None and found.complement else self.outcome

    def as_json(self) -> dict[str, Any]:
        """What was found as JSON; null for what is not there."""
        second = self.turns.second_descent
        return {
            "outcome": self.outcome,
            "kind": self.kind,
            "first_minimum": _place(self.turns.first_minimum),
            "threshold": _place(self.threshold),
            "peak": _place(self.turns.peak),
            "second_descent": None if second is None else {"at": _plain(second)},
            "beside_threshold": [_plain(size) for size in self.beside],
            "points": [
                {"size": _plain(s), "value": v}
                for s, v in zip(self.points.size.tolist(), self.points.value.tolist(), strict=True)
            ],
            "sentences": list(self.sentences),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """What a sweep over one size shows, outcome by outcome."""

    by: str  # the size's column
    kind: str  # what it counts: "width", "depth", "examples", "tokens", "parameters", "ratio"; "" where unknown
    curves: tuple[SizeCurve, ...]  # by setting, then the loss before the error
    notes: tuple[str, ...] = field(default=())

    @property
    def main(self) -> SizeCurve:
        """The curve that stands for the sweep: of the first setting the first with a peak, else its loss."""
        first = [curve for curve in self.curves if curve.label == self.curves[0].label]
        return next((curve for curve in first if curve.turns.peak is not None), first[0])

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was found, in sentences; where there are several settings, each names the one it is about."""
        several = len({curve.label for curve in self.curves}) > 1
        sentences = [f"{c.label}: {s}" if several and c.label else s for c in self.curves for s in c.sentences]
        return (*sentences, *self.notes)

    def regime(self, size: float) -> str:
        """In which regime a model, or a data set, of some size is: a sentence."""
        return regime(self.main, self.by, size)

    def as_json(self) -> dict[str, Any]:
        """The object of ``sweep --format json``: the main curve, and every curve under "groups"."""
        return {
            "by": self.by,
            "counts": self.kind or None,
            **{name: value for name, value in self.main.as_json().items() if name != "points"},
            "groups": [{"label": curve.label, **curve.as_json()} for curve in self.curves],
            "sentences": list(self.sentences),
        }


def sizes_of(
    table: pl.DataFrame,
    *,
    size: str | None = None,
    outcomes: Sequence[str] = (),
    train: str | None = None,
    seed: str | None = None,
) -> Sizes | None:
    """Model-wise or data-wise double descent in a table of trainings.

    Args:
        table: one row per training (of several rows per training the last counts): its size, its other settings, and
            how well it learnt. Repetitions of a size are seeds, whose scatter is the noise.
        size: the column that counts parameters, width, depth, examples or tokens; None: it is found.
        outcomes: columns to judge; none: a loss and an error (or accuracy) of the test or validation set, by name.
        train: the column that shows how well training fitted, for the interpolation threshold; None: by name.
        seed: the column that numbers repetitions; None: by name.

    Returns:
        None where no column is a size, or nothing is measured.

    Raises:
        BadOption: a name that is no column, or a size that has too few values.

    Examples:
        >>> import polars as pl
        >>> width = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]
        >>> loss = [5.0, 3.1, 2.0, 3.0, 4.4, 6.1, 4.5, 3.0, 2.1, 1.5, 1.2, 1.0]
        >>> found = sizes_of(pl.DataFrame({"width": width, "seed": [0] * 12, "test_loss": loss}))
        >>> assert found; found.by, found.main.turns.peak.at, found.main.turns.second_descent
        ('width', 32.0, 512.0)
    """
    layout = layout_of(table, size, seed)
    if layout is None:
        return None
    curves = [
        curve
        for label, rows in layout.curves
        for one in _judged(rows, outcomes)
        if (curve := _curve(rows, layout, label, one, train)) is not None
    ]
    return Sizes(layout.by, layout.kind, tuple(curves)) if curves else None


def _judged(rows: pl.DataFrame, names: Sequence[str]) -> list[Outcome]:
    if not names:
        return outcomes_of(rows, "test")
    return [outcome(name) or Outcome(name, "test", "loss") for name in names if name in rows.columns]


def _curve(rows: pl.DataFrame, layout: Layout, label: str, one: Outcome, train: str | None) -> SizeCurve | None:
    size = numbers(rows[layout.by])
    points = points_of(Trainings(size, one.read(rows), margin_of(rows, one)), one.kind)
    if points is None:
        return None
    threshold = threshold_of(rows, layout.by, one.kind, train, layout.seed)
    turns = turns_of(points, threshold)
    bare = SizeCurve(one.column, one.kind, label, points, turns, threshold, _nearer_to_the_peak(points, turns))
    return replace(bare, sentences=sentences(bare, layout.by, layout.kind))


def _nearer_to_the_peak(points: Points, turns: Turns) -> tuple[float, ...]:
    """The sizes around the peak whose level lies in the upper half between the first minimum and the peak."""
    if turns.peak is None:
        return ()
    at = int(np.searchsorted(points.size, turns.peak.at))
    first = turns.first_minimum
    low = points.level[np.searchsorted(points.size, first.at)] if first else points.level[[0, -1]].max()
    high = points.level > (low + points.level[at]) / 2
    left, right = np.flatnonzero(~high[:at]), np.flatnonzero(~high[at:])
    a = int(left[-1]) + 1 if len(left) else 0
    b = at + int(right[0]) if len(right) else len(high)
    return tuple(points.size[a:b].tolist())


def _place(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    interval = [_plain(side) for side in place.interval]
    return {"at": _plain(place.at), "interval": interval, "value": place.value}


def _plain(size: float) -> float | int:
    return int(size) if size == int(size) else size
