"""Which columns a scaling law is fitted to: parameters, data, compute and the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runopsy.errors import BadOption
from runopsy.signals.names import words
from runopsy.stats import Floats
from runopsy.study.size_columns import COMPUTE, UNITS, Outcome, numbers, outcome, outcomes_of, size_kind

if TYPE_CHECKING:
    import polars as pl

FLOPS = 6.0  # per parameter and token, forward and backward: Kaplan et al. (arXiv 2001.08361)
LETTERS = {"n": "parameters", "d": "data", "c": "compute"}  # as the articles on scaling laws write them
KINDS = {"parameters": "parameters", "tokens": "data", "examples": "data", "compute": "compute", "width": "other",
         "depth": "other", "size": "other"}  # fmt: skip
LN_FROM = 14.0  # a "log" of a size above it is a natural one: 10^14 parameters nobody has, e^14 are a million


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """One quantity of a law."""

    name: str  # the column, or how it was made
    kind: str  # "parameters", "data", "compute" or "other"
    value: Floats  # (n,) above 0


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What a table holds for a scaling law; rows in which something is missing are left out."""

    quantities: tuple[Quantity, ...]
    loss: Floats
    loss_name: str

    def of(self, kind: str) -> Quantity | None:
        return next((one for one in self.quantities if one.kind == kind), None)


def columns_of(
    table: pl.DataFrame, parameters: str | None = None, data: str | None = None, loss: str | None = None
) -> Columns | None:
    """The quantities and the loss, by name unless they are given; data from compute where only that was noted.

    Raises:
        BadOption: a name that is no column.
    """
    for name in (parameters, data, loss):
        if name is not None and name not in table.columns:
            raise BadOption(f"there is no column {name!r}", hint=f"there are {', '.join(table.columns[:20])}")
    one = (outcome(loss) or Outcome(loss, "test", "loss")) if loss is not None else _loss(table)
    if one is None:
        return None
    raw = [(name, kind) for name, kind in _kinds(table, parameters, data) if name != one.column]
    value = one.read(table)
    sizes = {kind: (name, scaled(name, numbers(table[name]))) for name, kind in reversed(raw)}
    known = np.isfinite(value) & (value > 0)
    for _, size in sizes.values():
        known &= np.isfinite(size) & (size > 0)
    if not sizes or known.sum() < 3:
        return None
    found = [Quantity(name, kind, size[known]) for kind, (name, size) in sizes.items()]
    return Columns(tuple(_derived(found)), value[known], one.column)


def _loss(table: pl.DataFrame) -> Outcome | None:
    found = [one for side in ("test", "train") for one in outcomes_of(table, side)]
    return next((one for one in found if one.kind == "loss"), found[0] if found else None)


def _kinds(table: pl.DataFrame, parameters: str | None, data: str | None) -> list[tuple[str, str]]:
    """(column, kind), the column that was named or whose name is plainest first."""
    numeric = [name for name in table.columns if table[name].dtype.is_numeric()]
    letters = {tuple(words(name)) for name in numeric}
    scaling = ("n",) in letters and (("d",) in letters or ("c",) in letters)
    found = []
    for name in numeric:
        parts = tuple(words(name))
        if name == parameters:
            kind = "parameters"
        elif name == data:
            kind = "data"
        elif scaling and len(parts) == 1 and parts[0] in LETTERS:
            kind = LETTERS[parts[0]]
        elif any(w in COMPUTE for w in parts):
            kind = "compute"
        else:
            kind = KINDS.get(size_kind(name), "")
        given = {"parameters": parameters, "data": data}.get(kind)
        if kind and (given is None or given == name):
            found.append((name, kind))
    return sorted(found, key=lambda one: len(words(one[0])))


def scaled(name: str, value: Floats) -> Floats:
    """A size in plain counts: log10_params is raised, "params (M)" multiplied."""
    parts = words(name)
    if parts and parts[0] in ("log10", "log2", "ln", "log"):
        natural = parts[0] == "ln" or (parts[0] == "log" and np.nanmax(value) > LN_FROM)
        base = 2.0 if parts[0] == "log2" else np.e if natural else 10.0
        return np.asarray(base**value)
    unit = UNITS.get(parts[-1]) if len(parts) > 1 else None
    return value * unit if unit is not None and np.nanmax(value) < UNITS["m"] else value


def _derived(found: list[Quantity]) -> list[Quantity]:
    """With compute, C = 6 N D gives the quantity that is missing."""
    by_kind = {one.kind: one for one in found}
    n, d, c = (by_kind.get(kind) for kind in ("parameters", "data", "compute"))
    if c is not None and n is not None and d is None:
        found = [*found, Quantity(f"{c.name} / (6 {n.name})", "data", c.value / FLOPS / n.value)]
    if c is not None and d is not None and n is None:
        found = [*found, Quantity(f"{c.name} / (6 {d.name})", "parameters", c.value / FLOPS / d.value)]
    return found
