"""Comparison → JSON: facts, no prose. Scripts rely on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from runopsy.model import Autopsy, Comparison, ConfigDiff, Difference, Extra, Separation
from runopsy.report.data import finite, position
from runopsy.version import VERSION

FORMAT = 1  # 1: the first


def dump(comparison: Comparison) -> str:
    """One object, indented, strict JSON: what is not finite is null, and a note states it."""
    return json.dumps(facts(comparison), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def facts(c: Comparison) -> dict[str, Any]:
    """The object of ``runopsy diff --format json``. Differences are B - A; what is unknown is null."""
    found = {
        "format": FORMAT,
        "tool": f"runopsy {VERSION}",
        "outcome": c.outcome,
        "align": c.align,
        "a": [_run(x) for x in c.a],
        "b": [_run(x) for x in c.b],
        "chance": c.chance,
        "least_p": c.least_p,
        "phases": [_difference(d) for d in c.phases],
        "events": [_difference(d) for d in c.events],
        "extras": [_extra(e) for e in c.extras],
        "separations": [_separation(s) for s in c.separations],
        "values": [_difference(d) for d in c.values],
        "cost": [_difference(d) for d in c.cost],
        "config": _config(c.config),
        "notes": list(c.notes),
    }
    return finite(found)


def _run(x: Autopsy) -> dict[str, Any]:
    return {
        "path": x.run.path,
        "id": x.run.id,
        "first": position(x.first),
        "last": position(x.last),
        "x": x.axis,
        "verdict": x.verdict.name,
    }


def _difference(d: Difference) -> dict[str, Any]:
    return {
        "kind": d.kind,
        "what": d.what,
        "unit": d.unit,
        "at": d.at,
        "change": str(d.change),
        "a": d.middle_a,
        "b": d.middle_b,
        "by": d.by,
        "share": d.share,
        "seconds": d.seconds,
        "p": d.p,
        "interval_a": _pair(d.interval_a),
        "interval_b": _pair(d.interval_b),
        "runs_a": list(d.a),
        "runs_b": list(d.b),
    }


def _extra(e: Extra) -> dict[str, Any]:
    return {
        "kind": e.kind,
        "what": e.what,
        "side": e.side,
        "steps": [position(s) for s in e.steps],
        "runs": e.runs,
        "sure": e.sure,
    }


def _separation(s: Separation) -> dict[str, Any]:
    return {
        "signal": s.signal,
        "outcome": str(s.outcome),
        "step": s.step,
        "interval": _pair(s.interval),
        "above": s.above,
        "at_end": s.at_end,
        "why": s.why,
    }


def _config(c: ConfigDiff) -> dict[str, Any]:
    return {
        "known": c.known,
        "differing": {key: {"a": list(a), "b": list(b)} for key, (a, b) in c.differing.items()},
        "equal": c.equal,
        "left_out": list(c.left_out),
        "seeds": list(c.seeds),
    }


def _pair(ends: Sequence[float] | None) -> list[float] | None:
    return None if ends is None else list(ends)
