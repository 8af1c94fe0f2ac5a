"""A sweep's table → curves: which column is the size, what parts the table into curves, which trainings each has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runopsy.errors import BadOption
from runopsy.study.size_columns import (
    FEWEST,
    LEAST_LEVEL,
    axis_column,
    by_relation,
    is_size,
    numbers,
    outcome,
    same_order,
    seed_column,
    size_columns,
    size_kind,
)

if TYPE_CHECKING:
    import polars as pl

# What somebody sets comes before what follows from it, a count before a ratio.
ORDER = ("width", "depth", "examples", "tokens", "size", "parameters", "", "ratio")


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """How a sweep's table is read."""

    by: str  # the size's column
    kind: str  # what it counts: one of ``size_columns.SIZES``, "ratio", or "" where no name shows it
    curves: tuple[tuple[str, pl.DataFrame], ...]  # what sets each apart ("noise 0.1", "" for a single one), its rows
    seed: str | None


def layout_of(table: pl.DataFrame, size: str | None = None, seed: str | None = None) -> Layout | None:
    """How a table of trainings is one or several curves over size; None where it is not.

    Args:
        table: one row per training, or per training and epoch, of which the last counts.
        size: the size's column; None: the one whose name, values and relation to the others fit.
        seed: the column that numbers repetitions; None: by its name.

    Raises:
        BadOption: ``size`` or ``seed`` names no column, or one whose values are no sizes.
    """
    _require(table, size, seed)
    seed = seed or seed_column(table)
    table = last_rows(table, seed, size)
    if size is not None:
        by = _named(table, size)
    else:
        found = _choose(table)
        if found is None:
            return None
        by = found
    alike = [name for name, _ in size_columns(table) if same_order(numbers(table[name]), numbers(table[by]))]
    curves = tuple(_curves(table, by, seed, alike))
    if size is None and not all(_is_curve(rows, by) for _, rows in curves):
        return None
    return Layout(by, size_kind(by), curves, seed) if curves else None


def _require(table: pl.DataFrame, size: str | None, seed: str | None) -> None:
    for name in (size, seed):
        if name is not None and name not in table.columns:
            raise BadOption(f"there is no column {name!r}", hint=f"there are {', '.join(table.columns[:20])}")


def _named(table: pl.DataFrame, size: str) -> str:
    value = numbers(table[size])
    known = value[np.isfinite(value)]
    if len(np.unique(known)) < FEWEST or float(known.min()) <= 0:
        raise BadOption(
            f"column {size!r} holds {len(np.unique(known))} different sizes",
            hint=f"a curve over sizes takes at least {FEWEST}, all of them above 0",
        )
    return size


def last_rows(table: pl.DataFrame, seed: str | None = None, size: str | None = None) -> pl.DataFrame:
    """The last row of each training, where a table has one for every epoch or step of it.

    A training is one combination of all whole-valued and textual settings; its measured values change from row to row.
    """
    import polars as pl

    axis = axis_column(table)
    if axis is None or axis == size or table[axis].n_unique() < 2:
        return table
    sizes = [name for name, _ in size_columns(table) if name != axis]
    keys = [
        name
        for name in table.columns
        if name != axis
        and outcome(name) is None
        and (name in (seed, size, *sizes) or table[name].dtype == pl.String or _is_setting(table, name, axis))
    ]
    if not keys:
        return table
    groups = table.select(pl.struct(keys).n_unique()).item()
    if groups == table.height:
        return table
    return table.sort(axis, maintain_order=True).group_by(keys, maintain_order=True).last().select(table.columns)


def _is_setting(table: pl.DataFrame, name: str, axis: str) -> bool:
    """Whether a column's few values each go through most of training's progress."""
    import polars as pl

    if table[name].n_unique() > max(2, table.height // table[axis].n_unique()):
        return False
    spans = table.group_by(name).agg(pl.col(axis).n_unique().alias("n"))["n"]
    return bool(spans.min() == table[axis].n_unique())


def _choose(table: pl.DataFrame) -> str | None:
    """The size's column: of those that are alike the one that somebody set, of the rest the one with most values."""
    found = size_columns(table)
    usable = [(name, kind) for name, kind in found if kind != "compute"]
    if not usable:
        return by_relation(table, [name for name, _ in found])
    values = {name: numbers(table[name]) for name, _ in usable}
    classes: list[list[tuple[str, str]]] = []
    for one in usable:
        home = next((c for c in classes if same_order(values[one[0]], values[c[0][0]])), None)
        if home is None:
            classes.append([one])
        else:
            home.append(one)
    heads = [min(c, key=lambda one: ORDER.index(one[1])) for c in classes]
    crossing = [one for one in heads if one[1] not in ("parameters", "ratio")] or heads
    return max(crossing, key=lambda one: len(np.unique(values[one[0]])))[0]


def _curves(table: pl.DataFrame, by: str, seed: str | None, alike: Sequence[str]) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each curve, with the settings that set it apart."""
    import polars as pl

    keys = [by, *([seed] if seed else [])]
    if table.select(pl.struct(keys).n_unique()).item() == table.height:
        yield "", table
        return
    settings = [n for n in table.columns if n not in (*keys, *alike) and outcome(n) is None and _parts(table, n, by)]
    if not settings:
        yield "", table
        return
    for key, rows in table.group_by(settings, maintain_order=True):
        label = ", ".join(f"{name} {_shown(value)}" for name, value in zip(settings, key, strict=True))
        if is_size(numbers(rows[by])):
            yield label, rows


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parts(table: pl.DataFrame, name: str, by: str) -> bool:
    """Whether a column is a setting that splits the table into curves: its values each have sizes enough."""
    import polars as pl

    levels = table[name].n_unique()
    if not 2 <= levels <= table.height // FEWEST:
        return False
    sizes = table.group_by(name).agg(pl.col(by).n_unique().alias("n"))["n"].to_numpy()
    return float(np.mean(sizes >= FEWEST)) >= LEAST_LEVEL and len(sizes) > 1


def _is_curve(rows: pl.DataFrame, by: str) -> bool:
    """Whether no other size changes by itself along the curve: points of a plane are no sweep over one size."""
    size = numbers(rows[by])
    return all(
        kind == "ratio" or same_order(numbers(rows[name]), size, opposite=False)
        for name, kind in size_columns(rows)
        if name != by
    )
