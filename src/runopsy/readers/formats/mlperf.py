"""MLPerf logs: lines of ``:::MLLOG {"key": …, "value": …, "metadata": …}``, among anything else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.formats.jsonlines import rows_to_run
from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source

LINE = re.compile(r":::MLL(?:OG)? (\{.*\})\s*$", re.MULTILINE)
# Where the metadata hold how far training was, best first, and what that is called as an axis.
PLACES = (("step", "step"), ("step_num", "step"), ("iteration", "step"), ("samples_count", "samples"),
          ("epoch_num", "epoch"), ("epoch_count", "epoch"))  # fmt: skip
MANY = 10_000  # epochs: no benchmark has as many; "epoch_num" then counts samples, as the rules of some ask
HUGE = 1e300  # beyond it, a number is damage
CURVES = ("eval_accuracy", "eval_loss", "eval_error", "train_loss", "train_accuracy", "current_lr", "throughput",
          "tracked_stats")  # fmt: skip
SETTINGS = ("submission_benchmark", "submission_org", "global_batch_size", "seed", "train_samples", "eval_samples",
            "opt_name", "opt_base_learning_rate", "gradient_accumulation_steps")  # fmt: skip


def recognises(source: Source) -> bool:
    return not source.is_binary and LINE.search(source.head_text()) is not None


def read(source: Source) -> Found:
    """What was measured while the run went on.

    Raises:
        UnreadableLog: nothing was.
    """
    entries = list(_entries(source.text()))
    rows = [row for line in entries if line.get("key") in CURVES for row in (_row(line),) if len(row) > 2]
    if not rows:
        raise UnreadableLog(
            f"{source.name} has MLPerf lines without a curve", hint=f"runopsy reads {', '.join(CURVES)}"
        )
    notes: list[str] = []
    if max((row["epoch"] for row in rows if _is_number(row.get("epoch"))), default=0) > MANY:
        notes.append("epoch_num goes beyond any number of epochs: it counts samples")
        rows = [{("samples" if name == "epoch" else name): value for name, value in row.items()} for row in rows]
    stop = next((line for line in entries if line.get("key") == "run_stop"), None)
    if stop is None:
        notes.append("the log has no run_stop: the run was killed, or is still going on")
    found = rows_to_run(rows, source, notes)
    config = {str(line["key"]): line.get("value") for line in entries if line.get("key") in SETTINGS}
    return replace(found, config=config) if isinstance(found, Run) else found


def _entries(text: str) -> Iterator[dict[str, Any]]:
    for match in LINE.finditer(text):
        try:
            line = json.loads(match[1])
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict):
            yield line


def _row(line: Mapping[str, Any]) -> dict[str, Any]:
    """Place, time and value of one line; empty but for these where it has no number."""
    metadata, value = line.get("metadata"), line.get("value")
    metadata = metadata if isinstance(metadata, dict) else {}
    row: dict[str, Any] = {}
    for name, axis in PLACES:
        if _is_number(metadata.get(name)):
            row[axis] = metadata[name]
            break
    row["timestamp"] = line["time_ms"] if _is_number(line.get("time_ms")) else None  # ms, as clocks may count
    values = value if isinstance(value, dict) else {str(line["key"]): value}
    return row | {str(name): v for name, v in values.items() if _is_number(v)}


def _is_number(value: Any) -> bool:
    """Whether a value is a number that some clock or counter shows; an integer may be longer than any float."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not abs(value) > HUGE
