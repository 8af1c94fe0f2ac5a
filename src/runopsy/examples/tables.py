"""RUN/examples/*.parquet → Examples: the sessions of a run as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runopsy.model import Counts, Examples, Positions, Turns

SIDES = ("probe", "heldout", "canaries")
TURNS = "-turns"  # after a side: its table of turns

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class _Session:
    table: Columns
    turns: Columns


def read_examples(files: Sequence[Path], notes: list[str]) -> dict[str, Examples]:
    """By side, what the tables of all sessions hold; a table that cannot be read is left out with a note.

    Args:
        files: ``<session>-<table>.parquet``, in the order of sessions.
        notes: to which is added what was left out.
    """
    tables: dict[str, dict[str, Columns]] = {}
    for file in files:
        session, _, name = file.stem.partition("-")
        try:
            tables.setdefault(name, {})[session] = _columns(file)
        except Exception as cause:  # damage shows in any way; one file must not hide the others
            notes.append(f"examples/{file.name} cannot be read and was skipped ({type(cause).__name__})")
    found = {}
    for side in SIDES:
        whole, turned = tables.get(side, {}), tables.get(side + TURNS, {})
        sessions = [_Session(table, turned.get(session, {})) for session, table in whole.items() if _usable(table)]
        if sessions:
            found[side] = _joined(side, sessions, notes)
    return found


def _columns(file: Path) -> Columns:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(file).read()
    return {name: np.asarray(table[name].to_numpy(zero_copy_only=False)) for name in table.column_names}


def _usable(table: Columns) -> bool:
    """Whether the columns that every version has are there, and hold numbers."""
    needed = ("first_right", "last_wrong", "forgotten", "right")
    return all(name in table and table[name].dtype.kind in "iuf" for name in needed) and len(table["right"]) > 0


def _joined(side: str, sessions: list[_Session], notes: list[str]) -> Examples:
    """The sessions of one batch; those of another number of examples are of another batch, and left out."""
    last = sessions[-1]
    same = [one for one in sessions if len(one.table["right"]) == len(last.table["right"])]
    if len(same) < len(sessions):
        notes.append(f"examples/{side}: {len(sessions) - len(same)} sessions watched other examples and were left out")
    firsts = np.stack([one.table["first_right"].astype(np.float64) for one in same])
    never = np.isnan(firsts).all(axis=0)
    first = np.where(never, np.nan, np.where(np.isnan(firsts), np.inf, firsts).min(axis=0))
    group = last.table.get("group")
    return Examples(
        side,
        first=first,
        learnt=_learnt(last.table),
        forgotten=np.sum([one.table["forgotten"] for one in same], axis=0).astype(np.int64),
        group=() if group is None else tuple(str(name) for name in group),
        label=_counts(last.table, "label"),
        rather=_counts(last.table, "rather"),
        turns=_turns(same),
        readings=_readings(same),
        **_means(same),
    )


def _learnt(table: Columns) -> Positions:
    """Right from here to the end; of an older table, right at some reading soon after it was last wrong."""
    if "learnt" in table:
        return table["learnt"].astype(np.float64)
    wrong, first = table["last_wrong"].astype(np.float64), table["first_right"].astype(np.float64)
    return np.where(table["right"] > 0, np.fmax(wrong, first), np.nan)


def _counts(table: Columns, name: str) -> Counts | None:
    return table[name].astype(np.int64) if name in table else None


def _means(sessions: list[_Session]) -> dict[str, NDArray[np.float64]]:
    """Confidence, variability, margin and last loss over the readings of all sessions that have them."""
    have = [one.table for one in sessions if "confidence" in one.table]
    if not have:
        return {}
    weight = np.array([float(table["readings"][0]) for table in have])[:, None]
    weight = weight / weight.sum()
    sure, spread, margin = (
        np.stack([table[name].astype(np.float64) for table in have]) for name in ("confidence", "variability", "margin")
    )
    confidence = (weight * sure).sum(axis=0)
    square = (weight * (spread**2 + sure**2)).sum(axis=0)
    return {
        "confidence": confidence,
        "variability": np.sqrt(np.maximum(square - confidence**2, 0.0)),
        "margin": (weight * margin).sum(axis=0),
        "loss": have[-1]["loss"].astype(np.float64),
    }


def _readings(sessions: list[_Session]) -> int | None:
    made = [int(one.table["readings"][0]) for one in sessions if "readings" in one.table]
    return sum(made) if made else None


def _turns(sessions: list[_Session]) -> Turns | None:
    """Those of all sessions, one after the other; None where one has none."""
    if not all({"example", "step", "right"} <= set(one.turns) for one in sessions):
        return None
    example, step, right = (
        np.concatenate([one.turns[name] for one in sessions]) for name in ("example", "step", "right")
    )
    return Turns(example.astype(np.int64), step.astype(np.float64), right.astype(np.int64))
