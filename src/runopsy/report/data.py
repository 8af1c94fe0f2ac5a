"""Autopsy → JSON: facts, no prose. Scripts rely on it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from runopsy.model import Autopsy, Event, Evidence, LearntGroup, Phase, Position, Run, Transition, WatchedExamples
from runopsy.version import VERSION

FORMAT = 2  # 2: kinds, outcomes and evidence under the names of the field; 1: the first


def dump(autopsy: Autopsy) -> str:
    """One object, indented, strict JSON: what is not finite is null, and a note states it."""
    return json.dumps(facts(autopsy), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def facts(autopsy: Autopsy) -> dict[str, Any]:
    """The object of ``--format json``. What is not calibrated or unresolved is null."""
    proof = _evidence(autopsy)
    found = {
        "format": FORMAT,
        "tool": f"runopsy {VERSION}",
        "run": {
            "path": autopsy.run.path,
            "id": autopsy.run.id,
            "first": position(autopsy.first),
            "last": position(autopsy.last),
            "x": autopsy.axis,
        },
        "verdict": autopsy.verdict.name,
        "verdict_confidence": autopsy.verdict.confidence,
        "verdict_why": autopsy.verdict.why,
        "phases": [_phase(p) for p in autopsy.phases],
        "transitions": [_transition(t) for t in autopsy.transitions],
        "events": [_event(e, proof[i]) for i, e in enumerate(autopsy.events)],
        "stop": _stop(autopsy),
        "checks": [{"code": c.code, "title": c.title, "outcome": str(c.outcome), "why": c.why} for c in autopsy.checks],
        "roles": {role.role: role.track for role in autopsy.roles if role.role},
        "thresholds": dict(autopsy.thresholds),
        "notes": list(autopsy.notes),
    }
    if autopsy.examples is not None:
        found["examples"] = _watched(autopsy.examples)
    if autopsy.groups is not None:
        found["groups"] = asdict(autopsy.groups)
    if autopsy.breakdowns:
        found["breakdowns"] = [asdict(one) for one in autopsy.breakdowns]
    if autopsy.levels:
        found["levels"] = [asdict(one) | {"trend": one.trend} for one in autopsy.levels]
        found["expected"] = [asdict(one) | {"answer": one.answer.value} for one in autopsy.expected]
    if autopsy.regime is not None:
        found["regime"] = asdict(autopsy.regime)
    if autopsy.readout is not None:
        found["readout"] = asdict(autopsy.readout)
    if autopsy.checklist:
        found["checklist"] = [asdict(one) | {"reply": one.reply.value} for one in autopsy.checklist]
    return finite(found)


def dump_examples(run: Run, watched: WatchedExamples) -> str:
    """The object of ``runopsy examples --format json``."""
    found = {"run": {"path": run.path, "id": run.id, "x": run.axis}, **_watched(watched), "notes": list(run.notes)}
    return json.dumps(finite(found), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _watched(watched: WatchedExamples) -> dict[str, Any]:
    """What the watched examples show; a quartile of examples not learnt by the end is null."""
    return {
        "groups": [asdict(one) | {"quartiles": _reached(one)} for one in watched.groups],
        "widths": [asdict(one) for one in watched.widths],
        "mislabelled": {
            "named": watched.named,
            "why": watched.why or None,
            "first": [asdict(one) for one in watched.suspects],
        },
    }


def _reached(one: LearntGroup) -> list[float | None] | None:
    return None if one.quartiles is None else [step if math.isfinite(step) else None for step in one.quartiles]


def position(value: Position) -> int | float:
    """Whole steps as integers."""
    return int(value) if value == int(value) else value


def _evidence(autopsy: Autopsy) -> list[list[dict[str, Any]]]:
    """Per event its evidence, numbered as in the report."""
    count, numbered = 0, []
    for event in autopsy.events:
        numbered.append([_proof(f"E{count + j + 1}", e) for j, e in enumerate(event.evidence)])
        count += len(event.evidence)
    return numbered


def _proof(ref: str, e: Evidence) -> dict[str, Any]:
    return {
        "id": ref,
        "name": e.name,
        "signal": e.signal,
        "step": position(e.step),
        "observed": e.observed,
        "limit": e.limit,
        "unit": e.unit,
        "says": e.text,
    }


def _phase(p: Phase) -> dict[str, Any]:
    moved = {e.signal: [e.limit, e.observed] for e in p.why}
    return {
        "label": p.label,
        "start": position(p.start),
        "end": position(p.end),
        "confidence": p.confidence,
        "moved": moved,
    }


def _transition(t: Transition) -> dict[str, Any]:
    return {
        "step": position(t.step),
        "interval": None if t.interval is None else [position(t.interval[0]), position(t.interval[1])],
        "from": t.before,
        "to": t.after,
        "signals": list(t.signals),
        "confirmed": t.confirmed,
        "explained_by": t.explained_by,
    }


def _event(e: Event, proof: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": e.kind,
        "code": e.code,
        "step": position(e.step),
        "until": None if e.until is None else position(e.until),
        "interval": None if e.interval is None else [position(e.interval[0]), position(e.interval[1])],
        "resolution": e.resolution,
        "severity": str(e.severity),
        "evidence": proof,
    }


def _stop(autopsy: Autopsy) -> dict[str, Any] | None:
    stop = autopsy.stop
    if stop is None:
        return None
    return {
        "best_step": position(stop.best_step),
        "signal": stop.signal,
        "better": "lower" if stop.lower_is_better else "higher",
        "best": stop.best,
        "after_best": stop.after_best,
        "within_noise": stop.within_noise,
        "last": stop.last,
        "wasted": {"steps": position(stop.wasted_steps), "seconds": stop.wasted_seconds},
        "unvalidated_steps": position(stop.unread_steps),
        "other": None
        if stop.other is None
        else {"signal": stop.other[0], "step": stop.other[1], "value": stop.other[2]},
    }


def finite(found: dict[str, Any]) -> dict[str, Any]:
    """The same object with null for what is not finite; its ``notes`` state where."""
    lost: list[str] = []
    clean: dict[str, Any] = _finite(found, "", lost)
    clean["notes"] += [f"{where} is not finite and is given as null" for where in lost]
    return clean


def _finite(value: Any, where: str, lost: list[str]) -> Any:
    """The same value with null for NaN and infinity; ``lost`` collects where they stood."""
    if isinstance(value, float) and not math.isfinite(value):
        lost.append(where)
        return None
    if isinstance(value, dict):
        return {str(k): _finite(v, f"{where}.{k}" if where else str(k), lost) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v, f"{where}[{i}]", lost) for i, v in enumerate(value)]
    return value
