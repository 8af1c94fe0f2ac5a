"""Hugging Face ``Trainer``: trainer_state.json, alone or in checkpoint folders, the newest of which holds it all."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.formats.documents import parse
from runopsy.readers.formats.jsonlines import rows_to_run
from runopsy.readers.numeric_text import listed
from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source

STATE = "trainer_state.json"
CHECKPOINT = re.compile(r"checkpoint-(\d+)")
HISTORY = re.compile(rb"\"log_history\"\s*:\s*\[")
SUMMARY = ("train_runtime", "total_flos")  # of the last row: means over the whole run, which are no point of a curve
SETTINGS = ("max_steps", "num_train_epochs", "train_batch_size", "logging_steps", "eval_steps", "save_steps")


def recognises(source: Source) -> bool:
    """A state with its history, or a folder with one or with checkpoints of one."""
    if source.is_folder:
        return bool(_states(source))
    return source.head.lstrip().startswith(b"{") and HISTORY.search(source.head) is not None


def read(source: Source) -> Found:
    """The history, without the summary that the trainer appends.

    Raises:
        UnreadableLog: no whole state, or nothing logged yet.
    """
    if not source.is_folder:
        return _read_state(source)
    *older, newest = _states(source)
    found = _read_state(Source.from_file(newest))
    if not older or not isinstance(found, Run):
        return found
    names = listed(str(path.parent.name) for path in older)
    note = f"read {newest.parent.name}/{STATE}, the newest, whose history goes on from that of {names}"
    return replace(found, notes=(note, *found.notes))


def _read_state(source: Source) -> Found:
    state = parse(source)
    history = state.get("log_history") if isinstance(state, dict) else None
    rows: list[dict[str, Any]] = [row for row in history or () if isinstance(row, dict)]
    curve = [row for row in rows if not any(name in row for name in SUMMARY)]
    if not curve:
        raise UnreadableLog(f"{source.name} has an empty history", hint="nothing was logged: see logging_steps")
    notes = ["the trainer's summary of the whole run was left out"] if len(rows) > len(curve) else []
    found = rows_to_run(curve, source, notes)
    config = {name: state[name] for name in SETTINGS if state.get(name) is not None}
    if (best := _best(curve, state.get("best_metric"))) is not None:
        config["metric_for_best_model"] = best
    if not isinstance(found, Run):
        return found
    name = found.id if source.path is None else source.path.resolve().parent.name  # every run's file is called alike
    return replace(found, id=name, config=config)


def _best(curve: list[dict[str, Any]], value: Any) -> str | None:
    """The evaluation that reached the best value which the state names; None where none or several did."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    names = dict.fromkeys(name for row in curve for name, seen in row.items() if seen == value and "eval" in name)
    extreme = [name for name in names if value in _ends([row[name] for row in curve if name in row])]
    return extreme[0] if len(extreme) == 1 else None


def _ends(values: list[Any]) -> tuple[float, ...]:
    seen = [value for value in values if isinstance(value, (int, float))]
    return (min(seen), max(seen)) if seen else ()


def _states(source: Source) -> list[Path]:
    """The states in a folder, the one with the highest step last."""
    entries = source.entries
    states = [
        (int(match[1]), entry / STATE)
        for entry in entries
        if (match := CHECKPOINT.fullmatch(entry.name))
        and (entry / STATE).is_file()
        and not (entry / STATE).is_symlink()
    ]
    own = [entry for entry in entries if entry.name == STATE and entry.is_file()]
    return [path for _, path in sorted(states)] + own  # the folder's own is written when training has ended
