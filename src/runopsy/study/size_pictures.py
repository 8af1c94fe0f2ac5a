"""Sizes and scaling laws → pictures, for the page, the terminal and figures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from runopsy.report import size_chart
from runopsy.report.document import Mark, Picture
from runopsy.report.size_chart import SizeLine
from runopsy.study.scaling import Scaling
from runopsy.study.scaling_columns import FLOPS
from runopsy.study.scaling_fits import JOINT
from runopsy.study.sizes import SizeCurve, Sizes

COURSE = 100  # points of a law's course
MOST_LINES = 5  # curves in one picture, as many as have looks of their own


def of_sizes(sizes: Sizes) -> tuple[Picture, ...]:
    """One picture per outcome, with what was found on its first curve."""
    pictures = []
    for kind in ("loss", "error"):
        curves = [curve for curve in sizes.curves if curve.kind == kind]
        if not curves:
            continue
        lines = [SizeLine(c.label or c.name, c.points.size, c.points.value) for c in curves[:MOST_LINES]]
        drawn = size_chart.picture(f"sizes-{kind}", curves[0].name, sizes.by, lines, tuple(_marks(curves[0])))
        pictures += [drawn] if drawn is not None else []
    return tuple(pictures)


def _marks(curve: SizeCurve) -> Iterator[Mark]:
    turns, threshold = curve.turns, curve.threshold
    if turns.first_minimum is not None:
        yield Mark("first minimum", "good", turns.first_minimum.at, interval=turns.first_minimum.interval)
    if threshold is not None:
        yield Mark("interpolation threshold", "plain", threshold.at, interval=threshold.interval)
    if turns.peak is not None:
        yield Mark("peak", "bad", turns.peak.at, interval=turns.peak.interval)
    if turns.second_descent is not None:
        yield Mark("second descent", "good", turns.second_descent)


def of_scaling(scaling: Scaling) -> Picture | None:
    """The runs and the law: over its quantity, or over compute with the law along its optimum; None without a law."""
    if scaling.fit is None or scaling.columns is None:
        return None
    columns, found = scaling.columns, scaling.fit
    if found.form is not JOINT:
        one = next(q for q in columns.quantities if q.name == scaling.over[0])
        grid = np.geomspace(one.value.min(), one.value.max(), COURSE)
        line = SizeLine(scaling.loss, grid, np.exp(found.log_loss(grid[None])), (one.value, columns.loss))
        return size_chart.picture("scaling", f"{scaling.loss} and its law", one.name, [line], tuple(_break(scaling)))
    n, d = columns.of("parameters"), columns.of("data")
    assert n is not None
    assert d is not None  # a joint law has both
    compute = FLOPS * n.value * d.value
    grid = np.geomspace(compute.min(), compute.max(), COURSE)
    a, alpha, b, beta, _ = found.theta
    log_n = (np.log(alpha) + a + alpha * found.centre[0] - np.log(beta) - b - beta * found.centre[1]
             + beta * np.log(grid / FLOPS)) / (alpha + beta)  # fmt: skip
    best = np.stack([np.exp(log_n), grid / FLOPS / np.exp(log_n)])
    line = SizeLine("compute-optimal", grid, np.exp(found.log_loss(best)), (compute, columns.loss))
    return size_chart.picture("scaling", f"{scaling.loss}, and the law at its best", "FLOP, 6 N D", [line])


def _break(scaling: Scaling) -> Iterator[Mark]:
    if "break" in scaling.law:
        found = scaling.law["break"]
        yield Mark("break", "plain", found.at, interval=found.interval)
