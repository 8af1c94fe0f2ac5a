"""One run of a study, in one line: what the autopsy found, what was set, and a small drawing of its curves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from runopsy.comparison.configs import flat
from runopsy.model import JUDGED, Autopsy, Signal
from runopsy.report.data import position
from runopsy.report.document import Scale
from runopsy.report.geometry import thinned
from runopsy.signals.names import words

SHOWN = (*JUDGED, "val/metric", "reward")  # signals whose readings stand in the table
SET = ("lr", "batch_size")  # roles of columns that hold what was set
TAKEN = {"time", "duration", "seconds", "minutes", "hours", "elapsed", "runtime"}  # words of columns that were measured
DRAWN = 20  # parts of the axis a small curve has points in: a drawing of 200 pixels shows no more
DIGITS = 4  # of a value in a drawing


@dataclass(frozen=True, slots=True)
class Row:
    """A run as a study keeps it. Without a verdict it could not be examined, and ``why`` gives the reason."""

    path: str  # as it would be typed
    run: str | None  # which one, where the path holds several
    id: str
    verdict: str | None = None
    confidence: float | None = None
    why: str = ""
    axis: str = ""
    first: float | None = None
    last: float | None = None
    status: str | None = None  # of our own run folders
    phases: tuple[Mapping[str, Any], ...] = ()  # label, start, end, confidence
    events: tuple[Mapping[str, Any], ...] = ()  # kind, step, interval
    best: Mapping[str, Any] | None = None  # of the validation that a checkpoint is chosen by: signal, step, value, last
    seconds: float | None = None  # from the first value to the last
    readings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # signal → best, step, last, better
    settings: Mapping[str, Any] = field(default_factory=dict)  # flat: dotted key → value
    curves: str = "{}"  # small drawings as JSON, a tenth of the memory: signal → positions, values
    # how it is known again
    stamp: str = ""  # of the files: names, sizes, times; empty: look at the content
    content: str = ""  # of the bytes of the log
    values: str = ""  # of what was read from them, for a log of several runs
    how: str = ""  # what decided: thresholds, roles, version
    rank: int = 0  # the place of the reader that recognised it
    of: int = 1  # runs in the log
    place: int = 0  # of this one among them

    @property
    def key(self) -> tuple[str, str | None]:
        return self.path, self.run

    @property
    def name(self) -> str:
        """The path, and which run of it."""
        return self.path if self.run is None else f"{self.path} --run {self.run}"

    @property
    def scalars(self) -> dict[str, Any]:
        """What every table of runs shows of this one."""
        best = self.best or {}
        return {
            "path": self.path,
            "run": self.run,
            "id": self.id,
            "verdict": self.verdict,
            "confidence": self.confidence,
            "why": self.why,
            "first": self.first,
            "last": self.last,
            "best_step": best.get("step"),
            "best_signal": best.get("signal"),
            "best": best.get("value"),
            "seconds": self.seconds,
        }

    def as_json(self) -> str:
        return json.dumps(asdict(self), allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=str)


def row_of_json(text: str) -> Row:
    """The row of a line.

    Raises:
        ValueError, TypeError: it is none, or one of another version.
    """
    content = json.loads(text)
    return Row(**{**content, "phases": tuple(content["phases"]), "events": tuple(content["events"])})


def row_of(autopsy: Autopsy, path: str, run: str | None) -> Row:
    """What the table keeps of an autopsy; numbers that are not finite are None, as in the JSON report."""
    stop = autopsy.stop
    return Row(
        path=path,
        run=run,
        id=autopsy.run.id,
        verdict=autopsy.verdict.name,
        confidence=autopsy.verdict.confidence,
        why=autopsy.verdict.why,
        axis=autopsy.axis,
        first=_number(autopsy.first),
        last=_number(autopsy.last),
        status=autopsy.run.status,
        phases=tuple(
            {"label": p.label, "start": position(p.start), "end": position(p.end), "confidence": p.confidence}
            for p in autopsy.phases
        ),
        events=tuple(
            {
                "kind": e.kind,
                "step": position(e.step),
                "interval": None if e.interval is None else [position(end) for end in e.interval],
            }
            for e in autopsy.events
        ),
        best=None
        if stop is None
        else {
            "signal": stop.signal,
            "step": position(stop.best_step),
            "value": _number(stop.best),
            "last": _number(stop.last),
        },
        seconds=_seconds(autopsy),
        readings={name: _reading(name, autopsy.signals[name]) for name in SHOWN if len(autopsy.signals.get(name, ()))},
        settings=_held(autopsy) | {key: plain(value) for key, value in flat(autopsy.run.config).items()},
        curves=json.dumps(
            {name: _small(autopsy, autopsy.signals[name]) for name in SHOWN if len(autopsy.signals.get(name, ()))},
            separators=(",", ":"),
        ),
    )


def _held(autopsy: Autopsy) -> dict[str, Any]:
    """Columns of one number all along that are no reading of the training.

    So a table writes what was set: a column ``lr`` that holds 0.1 in all rows of one run. How long it took was not set.
    """
    played = {role.track for role in autopsy.roles if role.role and role.role not in SET}
    return {
        name: plain(position(float(track.value[0])))
        for name, track in autopsy.run.tracks.items()
        if name not in played
        and not set(words(name)) & TAKEN
        and len(track) > 1
        and np.isfinite(track.value[0])
        and np.ptp(track.value) == 0
    }


def unexamined(path: str, run: str | None, why: str) -> Row:
    """The row of a run that nothing can be found of."""
    return Row(path=path, run=run, id=run or path.rsplit("/", 1)[-1], why=" ".join(why.split()))


def better(name: str, signal: Signal) -> str:
    """Whether higher or lower values of a signal are better."""
    if signal.better:
        return signal.better
    return "lower" if name.endswith("/loss") else "higher"


def _reading(name: str, signal: Signal) -> dict[str, Any]:
    which = better(name, signal)
    at = int(np.argmax(signal.value) if which == "higher" else np.argmin(signal.value))
    gone = signal.broken is not None and len(signal.broken) and signal.broken[-1] > signal.step[-1]
    last = None if gone else _number(float(signal.value[-1]))
    return {
        "best": _number(float(signal.value[at])),
        "step": position(float(signal.step[at])),
        "last": last,
        "better": which,
    }


def _small(autopsy: Autopsy, signal: Signal) -> list[list[float]]:
    """Positions and values that draw the same curve in a small frame."""
    scale = Scale(autopsy.first, autopsy.last, log=False, origin=1.0, unit=autopsy.axis)
    kept = thinned(scale, signal.step, signal.value, DRAWN)
    at, value = signal.step[kept], signal.value[kept]
    return [[position(float(f"{s:.9g}")) for s in at], [float(f"{v:.{DIGITS}g}") for v in value]]


def _seconds(autopsy: Autopsy) -> float | None:
    """Of the wall clock, from the first logged value to the last."""
    ends = [
        (float(t.time[np.isfinite(t.time)].min()), float(t.time[np.isfinite(t.time)].max()))
        for t in autopsy.run.tracks.values()
        if t.time is not None and np.isfinite(t.time).any()
    ]
    return _number(max(e for _, e in ends) - min(b for b, _ in ends)) if ends else None


def _number(value: float) -> float | int | None:
    return position(value) if np.isfinite(value) else None


def plain(value: Any) -> Any:
    """A setting as JSON has it: a number, a truth value or text; a number that a tracker keeps as text is one."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else str(value)
    if not isinstance(value, str):
        return json.dumps(value, sort_keys=True, default=str)
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        return number if np.isfinite(number) and "_" not in value else value
    return {"true": True, "false": False}.get(value.lower(), value)
