"""Sacred's FileStorageObserver: metrics.json with steps, timestamps and values of each metric."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from runopsy.errors import UnreadableLog
from runopsy.readers.nested import number, parsed
from runopsy.readers.numeric_text import seconds_in
from runopsy.readers.run_selection import Found
from runopsy.readers.scalars import Scalars, joined, to_run
from runopsy.readers.source import Source
from runopsy.readers.tracker_files import text_of

if TYPE_CHECKING:
    from runopsy.model import Values

METRICS, RUN, CONFIG = "metrics.json", "run.json", "config.json"
BEGINS = re.compile(rb'\{\s*"[^"\n]*":\s*\{\s*"(?:steps|timestamps|values)":\s*\[')
KEY = re.compile(r'\s*,?\s*("(?:[^"\\]|\\.)*")\s*:\s*')


def recognises(source: Source) -> bool:
    """Such a metrics.json, or a run's folder with one."""
    if not source.is_folder:
        return bool(BEGINS.match(source.head))
    names = {entry.name for entry in source.entries}
    return {METRICS, RUN} <= names


def read(source: Source) -> Found:
    """The run; what a crash has cut off is left out, metric by metric."""
    notes: list[str] = []
    config: dict[str, Any] = {}
    name, place = source.id, source
    if source.is_folder:
        assert source.path is not None  # a folder has one
        content = parsed(text_of(source.path / CONFIG))
        config = content if isinstance(content, dict) else {}
        place = Source.from_file(source.path / METRICS)
    parts = []
    for metric, series in _metrics(place, notes).items():
        if (found := _scalars(metric, series)) is None:
            notes.append(f"{metric} has no steps or values and was left out")
        else:
            parts.append(found)
    return to_run(joined(parts), source.name, name, notes, config=config)


def _metrics(source: Source, notes: list[str]) -> Mapping[str, Any]:
    """The metrics of the document; of one that is cut, those that are whole."""
    text = source.text()
    whole = parsed(text)
    if isinstance(whole, dict):
        return whole
    found: dict[str, Any] = {}
    decoder = json.JSONDecoder()
    at = text.find("{") + 1
    while at and (key := KEY.match(text, at)):
        try:
            series, at = decoder.raw_decode(text, key.end())
            found[json.loads(key[1])] = series
        except (ValueError, RecursionError):
            break
    if not found:
        raise UnreadableLog(f"{source.name} is cut short", hint="no metric in it is whole; copy it again")
    notes.append(f"{source.name} is cut short: {len(found)} metrics are whole, the rest is lost")
    return found


def _scalars(name: str, series: Any) -> Scalars | None:
    """One metric's values; None where it is none."""
    if not isinstance(series, dict):
        return None
    steps, values = series.get("steps"), series.get("values")
    if not isinstance(steps, list) or not isinstance(values, list):
        return None
    pairs = [(_plain(step), _plain(value)) for step, value in zip(steps, values, strict=False)]
    kept = [i for i, (step, value) in enumerate(pairs) if step is not None and value is not None]
    step = np.array([pairs[i][0] for i in kept], np.float64)
    value = np.array([pairs[i][1] for i in kept], np.float64)
    return Scalars([name], np.zeros(len(kept), np.int64), step, _times(series.get("timestamps"), kept), value)


def _plain(value: Any) -> float | None:
    """A number, also as Sacred wraps those of NumPy."""
    return number(value.get("value") if isinstance(value, dict) else value)


def _times(timestamps: Any, kept: list[int]) -> Values | None:
    """Unix seconds of ISO dates, which Sacred writes in UTC; None where some are none."""
    import polars as pl

    if not isinstance(timestamps, list) or (kept and kept[-1] >= len(timestamps)):
        return None
    dates = [str(timestamps[i]).encode("ascii", "replace").decode() for i in kept]
    seconds = seconds_in(pl.Series(dates, dtype=pl.String))
    return None if seconds is None or seconds.null_count() else seconds.to_numpy()
