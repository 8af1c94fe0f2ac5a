"""Autopsy → what a library keeps of a run: where things lie, the level and noise of signals, their courses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from runopsy.comparison.configs import flat
from runopsy.errors import BadOption
from runopsy.facts.usual import course
from runopsy.kinds import MILESTONES
from runopsy.model import Autopsy, Position, Signal, Values
from runopsy.signal_specs import ERROR
from runopsy.stats import long_run_factor, white_noise

# Settings that name the architecture and the data, the usual names first; only the last part of a dotted key counts.
ARCHITECTURE = (
    "architecture",
    "arch",
    "model_name_or_path",
    "model_name",
    "model_type",
    "model",
    "network",
    "backbone",
)
DATA = ("dataset", "dataset_name", "data", "data_name", "task", "task_name", "corpus")
AXES = ("lr", "epoch", "batch_size", "step", "tokens", "time")  # set by the script: no baseline of theirs is a finding
MOST_SIGNALS = 60  # whose course is kept: a log of a thousand layers would make a library of gigabytes
OF_NO_RUN = ("recorder/",)  # signals of the machine


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What is kept of one run."""

    digest: str  # of its values: the same log, wherever it lies, is one run
    name: str
    path: str
    kind: str  # "ARCHITECTURE on DATA", or what its owner calls it
    axis: str
    steps: Position  # elapsed over the whole run
    verdict: str
    places: Mapping[str, float]  # "phase/memorization", "event/grokking", "best": where it begins, share of the steps
    levels: Mapping[str, float]  # "level/train/loss", "noise/train/loss": of the first phase, in the signal's unit
    courses: Mapping[str, Values]  # signal → (PARTS,) mean of each part of the run; NaN where it has no row


def kind_of(config: Mapping[str, Any]) -> str | None:
    """Architecture and data as the settings of a run name them; None where they do not."""
    named: dict[str, str] = {}
    for key, value in sorted(flat(config).items(), key=lambda pair: pair[0].count(".")):  # outer settings first
        if isinstance(value, str) and value.strip():
            named.setdefault(key.rpartition(".")[2].lower(), " ".join(value.split()))
    architecture, data = (next((named[key] for key in keys if key in named), None) for keys in (ARCHITECTURE, DATA))
    return None if architecture is None or data is None else f"{architecture} on {data}"


def profile(autopsy: Autopsy, kind: str | None = None) -> Profile:
    """What a library keeps of a run.

    Raises:
        BadOption: neither the settings nor ``kind`` name the kind of the run, or the run has no length.
    """
    known = kind or kind_of(autopsy.run.config)
    if known is None:
        raise BadOption(
            f"the log of {autopsy.run.id} lacks the name of its architecture or of its data",
            hint='name them: --kind "ARCHITECTURE on DATA"',
        )
    length = autopsy.last - autopsy.first
    if not length > 0:
        raise BadOption(f"the log of {autopsy.run.id} has one step", hint="a library keeps the course of runs")
    return Profile(
        digest=digest(autopsy.signals),
        name=autopsy.run.id,
        path=autopsy.run.path,
        kind=known,
        axis=autopsy.axis,
        steps=length,
        verdict=autopsy.verdict.name,
        places=_places(autopsy, length),
        levels=_levels(autopsy),
        courses={s.name: course(s, autopsy.first, autopsy.last) for s in _watched(autopsy)},
    )


def digest(signals: Mapping[str, Signal]) -> str:
    """A name for the values of a log: the same values at the same steps have the same, whatever else differs."""
    made = hashlib.sha256()
    for name in sorted(signals):
        made.update(name.encode())
        made.update(np.ascontiguousarray(signals[name].step).tobytes())
        made.update(np.ascontiguousarray(signals[name].value).tobytes())
    return made.hexdigest()[:32]


def _watched(autopsy: Autopsy) -> list[Signal]:
    """Signals whose course is kept: the judged ones first."""
    kept = [s for n, s in autopsy.signals.items() if len(s) and n not in AXES]
    kept = [s for s in kept if not s.name.startswith(OF_NO_RUN) and not s.name.endswith(ERROR)]
    kept.sort(key=lambda signal: not signal.name.startswith(("train/", "val/")))
    return kept[:MOST_SIGNALS]


def _places(autopsy: Autopsy, length: float) -> dict[str, float]:
    """Where phases, milestones and the best step first lie, in shares of the run."""
    places: dict[str, float] = {}
    for phase in autopsy.phases:
        places.setdefault(f"phase/{phase.label}", (phase.start - autopsy.first) / length)
    for event in autopsy.events:
        if event.kind in MILESTONES:
            places.setdefault(f"event/{event.kind}", (event.step - autopsy.first) / length)
    if autopsy.stop is not None:
        places["best"] = (autopsy.stop.best_step - autopsy.first) / length
    return places


def _levels(autopsy: Autopsy) -> dict[str, float]:
    """Level and noise of each signal in the first phase; long-run noise, as the mean of many rows feels it."""
    if not autopsy.phases:
        return {}
    found = {}
    for signal in _watched(autopsy):
        rows = signal.value[(signal.step >= autopsy.first) & (signal.step < autopsy.phases[0].end)]
        if len(rows):
            found[f"level/{signal.name}"] = float(rows.mean())
        if len(rows) > 2:  # second differences take three
            found[f"noise/{signal.name}"] = float(white_noise(rows) * np.sqrt(long_run_factor(rows)))
    return found
