"""ClearML: the archive of an offline task, or its folder; each line of metrics.jsonl is a list of events."""

from __future__ import annotations

from typing import Any

from runopsy.readers import zipped
from runopsy.readers.nested import number, parsed
from runopsy.readers.numeric_text import listed
from runopsy.readers.run_selection import Found
from runopsy.readers.scalars import MILLI, Scalars, in_order, to_run
from runopsy.readers.source import Source
from runopsy.signals.names import guess

METRICS, TASK = "metrics.jsonl", "task.json"
SCALAR = "training_stats_scalar"
NO_STEP = -(2**31)  # the iteration of a single value, which is of the whole run


def recognises(source: Source) -> bool:
    return {METRICS, TASK} <= zipped.names(source)


def read(source: Source) -> Found:
    """The run; a metric is called TITLE/SERIES."""
    notes: list[str] = []
    rows: list[tuple[str, float | None, float | None, float]] = []
    broken = 0
    for line in zipped.lines(source, METRICS, notes):
        events = parsed(line)
        broken += not isinstance(events, list)
        for event in events if isinstance(events, list) else []:
            if isinstance(event, dict) and event.get("type") == SCALAR:
                value, step = number(event.get("value")), number(event.get("iter"))
                if value is not None:
                    rows.append(
                        (_name(event), None if step == NO_STEP else step, number(event.get("timestamp")), value)
                    )
    if broken:
        notes.append(f"{broken} lines are torn and were left out")
    task = next((parsed(line) for line in zipped.lines(source, TASK, notes)), None)
    called = task.get("name") if isinstance(task, dict) else None
    found = in_order(rows, MILLI)
    notes += _doubts(found)
    return to_run(found, source.name, str(called or source.id), notes)


def _name(event: dict[str, Any]) -> str:
    title, series = str(event.get("metric")), str(event.get("variant"))
    return title if series in (title, "None", "") else f"{title}/{series}"


def _doubts(found: Scalars) -> list[str]:
    """ClearML writes 0 where a value is not finite, unless it is given another number."""
    zeros = {found.names[i] for i in found.which[found.value == 0].tolist()}
    losses = [name for name in found.names if name in zeros and (meaning := guess(name)) and meaning.quantity == "loss"]
    return [f"{listed(losses)}: ClearML stores NaN and infinity as 0, so a value of 0 may be one"] if losses else []
