"""Comet: the archive of an offline experiment, or the folder it is packed from; a JSON message per line."""

from __future__ import annotations

from typing import Any

from runopsy.readers import zipped
from runopsy.readers.nested import number, parsed
from runopsy.readers.run_selection import Found
from runopsy.readers.scalars import MILLI, Row, in_order, to_run
from runopsy.readers.source import Source

EXPERIMENT, MESSAGES = "experiment.json", "messages.json"
OWN = ("curr_step", "curr_epoch")  # parameters that Comet logs by itself, with every step


def recognises(source: Source) -> bool:
    return {EXPERIMENT, MESSAGES} <= zipped.names(source)


def read(source: Source) -> Found:
    """The run; its metrics count by step, or by epoch where they have nothing but that."""
    notes: list[str] = []
    by_step: list[Row] = []
    by_epoch: list[Row] = []
    config: dict[str, Any] = {}
    broken = 0
    for line in zipped.lines(source, MESSAGES, notes):
        message = parsed(line)
        payload = message.get("payload") if isinstance(message, dict) else None
        if not isinstance(payload, dict):
            broken += 1
        elif isinstance(metric := payload.get("metric"), dict):
            name, value = str(metric.get("metricName")), number(metric.get("metricValue"))
            if value is not None:
                time = number(payload.get("local_timestamp"))
                by_step.append((name, number(metric.get("step")), time, value))
                by_epoch.append((name, number(metric.get("epoch")), time, value))
        elif isinstance(param := payload.get("param"), dict) and param.get("paramName") not in OWN:
            config[str(param.get("paramName"))] = param.get("paramValue")
    if broken:
        notes.append(f"{broken} messages are torn and were left out")
    counts = "step" if any(step is not None for _, step, _, _ in by_step) else "epoch"
    found = in_order(by_step if counts == "step" else by_epoch, MILLI)
    return to_run(found, source.name, source.id, notes, counts=counts, config=config)
