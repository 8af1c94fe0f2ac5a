"""How a run ended, and whether it stood still in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from runopsy.errors import NotChecked
from runopsy.facts import Case
from runopsy.model import Event, Evidence, Severity
from runopsy.signals import clock
from runopsy.stats import median


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """The run ended in an exception, or was stopped from outside."""

    code: ClassVar[str] = "E01"
    kinds: ClassVar[tuple[str, ...]] = ("crashed", "interrupted")
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = ()

    def __call__(self, case: Case) -> Iterator[Event]:
        marks = [mark for mark in case.run.marks if mark.kind in ENDS and _ended(case, mark.step)]
        seen: set[tuple[str, float]] = set()
        for mark in marks:  # an exception and the line that names its cause are one end
            end = (ENDS[mark.kind], mark.step)
            if end not in seen:
                yield self._event(*end, _exception(mark.detail))
            seen.add(end)
        known = any(mark.kind in ("crashed", "interrupted") for mark in marks)
        if not known and case.run.status in STATUS:
            kind, text = STATUS[case.run.status]
            yield self._event(kind, case.last, text)

    def _event(self, kind: str, at: float, text: str) -> Event:
        proof = (Evidence("step", at, at, None, "", text, "end"),)
        return Event(kind, self.code, at, Severity.WARNING, proof, interval=(at, at))


ENDS = {
    "crashed": "crashed",
    "out_of_memory": "crashed",
    "communication_error": "crashed",
    "interrupted": "interrupted",
}
STATUS = {
    "failed": ("crashed", "an exception ended it"),
    "interrupted": ("interrupted", "by the user or the scheduler"),
    "killed": ("interrupted", "the process was killed: out of memory, a time limit, a signal"),
    "disk_full": ("crashed", "the disk was full"),
}


def _ended(case: Case, at: float) -> bool:
    """Whether nothing was logged after an error, or a later session only: a run that goes on has survived it."""
    longest = max((s.step for s in case.signals.values()), key=len)
    after = longest[longest > at]
    return not len(after) or any(resume <= float(after[0]) for resume in case.resumes)


def _exception(detail: object) -> str:
    fields = dict(detail) if isinstance(detail, dict) else {}
    named = ": ".join(str(fields[key]) for key in ("type", "message") if fields.get(key))
    return (named or str(fields.get("text", "reported by the log")))[:200]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stalled:
    """The run pauses for long, or each step takes several times as long as before."""

    code: ClassVar[str] = "E02"
    kinds: ClassVar[tuple[str, ...]] = ("stalled",)
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = ("pause", "pause_seconds", "far_above", "last_part", "few_rows", "fewest_rows")

    def __call__(self, case: Case) -> Iterator[Event]:
        limits = case.limits
        known = clock(case.signals, limits.fewest_rows)
        if known is None:
            raise NotChecked("the log has no times of its values")
        step, time = known
        usual, rows = np.diff(time) / np.maximum(np.diff(step), 1e-300), np.diff(time)
        pace = median(usual)
        if pace <= 0 or not np.isfinite(rows).all():
            return
        gaps = np.flatnonzero((usual > limits.pause * pace) & (rows > limits.pause_seconds))
        resumed = [i for i in gaps if not any(step[i] < at <= step[i + 1] for at in case.resumes)]
        if resumed:
            longest = max(resumed, key=lambda i: rows[i])
            text = f"{rows[longest] / 3600:.2g} hours without a step" + (
                f", the longest of {len(resumed)} pauses" if len(resumed) > 1 else ""
            )
            yield self._event(float(step[longest]), float(step[longest + 1]), text)
        slow = usual > limits.far_above * pace
        fast = np.flatnonzero(~slow)
        begins = int(fast[-1]) + 1 if len(fast) else 0
        if len(fast) and len(usual) - begins >= max(limits.last_part * len(usual), limits.few_rows):
            ratio = median(usual[begins:]) / pace
            text = f"each step took {ratio:.2g} x as long from here to the end"
            yield self._event(float(step[begins]), float(step[-1]), text)

    def _event(self, at: float, until: float, text: str) -> Event:
        proof = (Evidence("time", at, at, None, "", text, "pause"),)
        return Event("stalled", self.code, at, Severity.WARNING, proof, until=until, interval=(at, at))
