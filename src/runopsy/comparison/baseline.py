"""A stored autopsy as one side of a comparison, so that the log of a reference run need not be kept.

What ``--format json`` wrote has phases, transitions, events, verdict and best step, and no curve: where two curves
part and what they were worth is not compared then.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runopsy.errors import UnreadableLog
from runopsy.kinds import KINDS, RENAMED
from runopsy.model import (
    Autopsy,
    Check,
    Event,
    Evidence,
    Outcome,
    Phase,
    Role,
    Run,
    Severity,
    Stop,
    Transition,
    Verdict,
)

FORMATS = (1, 2)  # of the report, that can be read
HINT = "write one with: runopsy analyze RUN -o autopsy.json"
OUTCOMES = {"quiet": "not_found"}  # of format 1


def stored(path: str | os.PathLike[str]) -> Autopsy:
    """The autopsy in a file that ``runopsy analyze RUN -o autopsy.json`` wrote, without its curves.

    Raises:
        UnreadableLog: there is no such file, or it is none of ours.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as cause:
        raise UnreadableLog(f"{path} cannot be read: {cause.strerror or cause}", hint=HINT) from cause
    except (ValueError, RecursionError) as cause:
        raise UnreadableLog(f"{path} is no JSON", hint=HINT) from cause
    version = found.get("format") if isinstance(found, dict) else None
    if version not in FORMATS:
        what = f"of format {version}" if isinstance(version, int) else "no autopsy"
        raise UnreadableLog(f"{path} is {what}; this runopsy reads formats {FORMATS[0]} to {FORMATS[-1]}", hint=HINT)
    try:
        return _autopsy(found)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as cause:
        raise UnreadableLog(f"{path} is a damaged autopsy: {type(cause).__name__} {cause}", hint=HINT) from cause


def _autopsy(found: Mapping[str, Any]) -> Autopsy:
    run = found["run"]
    events = [_event(e) for e in found["events"]]
    asked = [_check(c, events) for c in found.get("checks", ())]
    codes = {check.code for check in asked}
    others = tuple(e for e in events if e.code not in codes)
    checks = (*asked, *([Check("", "as stored", Outcome.FOUND, others)] if others else ()))
    confidence = found.get("verdict_confidence")
    return Autopsy(
        run=Run(str(run["path"]), str(run["id"]), str(run["x"]), {}),
        axis=str(run["x"]),
        first=float(run["first"]),
        last=float(run["last"]),
        roles=tuple(Role(str(role), str(track), "as stored") for role, track in found.get("roles", {}).items()),
        signals={},
        segments={},
        checks=checks,
        phases=tuple(Phase(str(p["label"]), float(p["start"]), float(p["end"]), (), p.get("confidence"))
                     for p in found["phases"]),
        transitions=tuple(_transition(t) for t in found.get("transitions", ())),
        verdict=Verdict(str(found["verdict"]), str(found.get("verdict_why") or ""), (), confidence),
        stop=_stop(found.get("stop")),
        thresholds={},
        notes=("a stored autopsy: it has no curves to compare",),
    )  # fmt: skip


def _check(check: Mapping[str, Any], events: list[Event]) -> Check:
    outcome = Outcome(OUTCOMES.get(check["outcome"], check["outcome"]))
    mine = tuple(e for e in events if e.code == check["code"])
    return Check(str(check["code"]), str(check.get("title") or ""), outcome, mine, check.get("why"))


def _event(e: Mapping[str, Any]) -> Event:
    kind = RENAMED.get(e["kind"], e["kind"])
    if kind not in KINDS:
        raise ValueError(f"no kind of event is called {kind!r}")
    proof = tuple(_evidence(one) for one in e.get("evidence", ()))
    until = None if e.get("until") is None else float(e["until"])
    return Event(kind, str(e.get("code") or ""), float(e["step"]), Severity(e["severity"]), proof, until=until,
                 interval=_pair(e.get("interval")), resolution=e.get("resolution"))  # fmt: skip


def _evidence(e: Mapping[str, Any]) -> Evidence:
    observed = math.nan if e["observed"] is None else float(e["observed"])
    limit = None if e.get("limit") is None else float(e["limit"])
    return Evidence(str(e["signal"]), float(e["step"]), observed, limit, str(e.get("unit") or ""),
                    str(e.get("says") or ""), str(e.get("name") or ""))  # fmt: skip


def _transition(t: Mapping[str, Any]) -> Transition:
    return Transition(
        step=float(t["step"]),
        before=str(t["from"]),
        after=str(t["to"]),
        signals=tuple(t.get("signals", ())),
        explained_by=t.get("explained_by"),
        interval=_pair(t.get("interval")),
        confirmed=bool(t.get("confirmed")),
    )


def _stop(s: Mapping[str, Any] | None) -> Stop | None:
    if s is None:
        return None
    other = s.get("other")
    wasted = s["wasted"]
    return Stop(
        signal=str(s["signal"]),
        best_step=float(s["best_step"]),
        best=_number(s.get("best")),
        last=_number(s.get("last")),
        after_best=_number(s.get("after_best")),
        wasted_steps=_number(wasted["steps"]),
        unread_steps=_number(s.get("unvalidated_steps")),
        wasted_seconds=wasted.get("seconds"),
        other=None if other is None else (str(other["signal"]), float(other["step"]), _number(other["value"])),
        lower_is_better=s.get("better", "lower" if str(s["signal"]).endswith("loss") else "higher") == "lower",
        within_noise=bool(s.get("within_noise")),
    )


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _pair(interval: Any) -> tuple[float, float] | None:
    return None if interval is None else (float(interval[0]), float(interval[1]))
