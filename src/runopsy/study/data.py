"""Study → JSON: facts, no prose. Scripts rely on it."""

from __future__ import annotations

import math
from typing import Any

from runopsy.study.row import Row
from runopsy.study.study import FORMAT, Study
from runopsy.study.what_mattered import Level, Mattered


def facts(study: Study) -> dict[str, Any]:
    """The object of ``sweep --format json``; ``diagram`` is in it where ``--by`` asks for one."""
    place = {i: number for number, one in enumerate(study.configurations) for i in one.places}
    values = () if study.outcome is None else study.outcome.values
    found = {
        "format": FORMAT,
        "runs": [
            _run(row) | {"outcome": values[i] if i < len(values) else None, "configuration": place.get(i)}
            for i, row in enumerate(study.rows)
        ],
        "verdicts": study.verdicts,
        "what_mattered": [_mattered(one) for one in study.what_mattered],
        "sizes": None if study.sizes is None else study.sizes.as_json(),
        "scaling": None if study.scaling is None else study.scaling.as_json(),
    }
    if study.diagram is not None:
        found["diagram"] = study.diagram.to_dict()
    finite: dict[str, Any] = _finite(found)
    return finite


def _run(row: Row) -> dict[str, Any]:
    return row.scalars | {
        "x": row.axis,
        "phases": [dict(phase) for phase in row.phases],
        "events": [dict(event) for event in row.events],
        "readings": {name: dict(reading) for name, reading in row.readings.items()},
        "settings": dict(row.settings),
    }


def _mattered(one: Mattered) -> dict[str, Any]:
    return {
        "setting": one.setting,
        "also": list(one.also),
        "outcome": one.outcome,
        "answer": str(one.answer),
        "p": one.p,
        "share": one.share,
        "direction": one.direction,
        "levels": [_level(level) for level in one.levels],
        "why": one.why or None,
    }


def _level(level: Level) -> dict[str, Any]:
    return {
        "value": level.value,
        "runs": level.runs,
        "mean": level.mean,
        "spread": level.spread,
        "standard_error": level.standard_error,
    }


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return value
