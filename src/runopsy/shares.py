"""What several processes wrote of one signal, as one signal: nothing is counted twice.

The first rank writes whatever is the same on all. The rest is each rank's share of something, and its
name states how shares become a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SHARD = "shard/"  # before the name of a norm: of this rank's part of the parameters alone


class Rows(NamedTuple):
    """Columns of equal length, one row per value."""

    session: NDArray[Any]
    step: NDArray[Any]
    rank: NDArray[Any]
    time: NDArray[Any]
    value: NDArray[Any]


class Way(NamedTuple):
    """How the shares of a step become one value: ``join`` of the values, whether all ranks have to be there."""

    join: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]  # (values, first row of each step) → one a step
    complete: bool


def _mean(values: NDArray[Any], starts: NDArray[Any]) -> NDArray[Any]:
    counts = np.diff(np.append(starts, len(values)))
    return np.add.reduceat(values, starts) / counts


def _norm(values: NDArray[Any], starts: NDArray[Any]) -> NDArray[Any]:
    return np.sqrt(np.add.reduceat(values**2, starts))


WAYS: Mapping[str, Way] = {
    "gns/": Way(_mean, complete=False),  # each rank's pieces are unbiased on their own
    SHARD: Way(_norm, complete=True),  # a sum of squares that lacks one is another number
    "recorder/dropped": Way(np.add.reduceat, complete=False),
    "recorder/overhead": Way(np.maximum.reduceat, complete=False),  # the slowest holds up the others
}
FIRST = Way(lambda values, starts: values[starts], complete=False)


def whole_name(name: str) -> str:
    """What the signal is called once its shares are joined."""
    return name.removeprefix(SHARD)


def joined(name: str, rows: Rows, world: int) -> tuple[Rows, str | None]:
    """One value per session and step, and a note where something had to be left out.

    Where one rank alone has written, its rows stay as they are, repeated steps too. Else the last value
    that a rank gave for a step is its share.
    """
    way = next((way for start, way in WAYS.items() if name.startswith(start)), FIRST)
    if len(rows.rank) == 0 or (not way.complete and (rows.rank == rows.rank[0]).all()):
        return rows, None
    order = np.lexsort((rows.rank, rows.step, rows.session))  # stable: equal rows stay in the order of writing
    rows = Rows(*(column[order] for column in rows))
    last = np.append((np.diff(rows.rank) != 0) | (np.diff(rows.step) != 0) | (np.diff(rows.session) != 0), True)
    rows = Rows(*(column[last] for column in rows))
    starts = np.flatnonzero(np.append(True, (np.diff(rows.step) != 0) | (np.diff(rows.session) != 0)))
    found = Rows(*(column[starts] for column in rows))._replace(value=way.join(rows.value, starts))
    there = np.diff(np.append(starts, len(rows.step))) == world
    if not way.complete or there.all():
        return found, None
    note = f"{whole_name(name)}: {int((~there).sum())} steps lack the share of some process and were left out"
    return Rows(*(column[there] for column in found)), note
