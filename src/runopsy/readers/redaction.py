"""A run without what it is about: columns named by their roles, no text, no dates; the curves keep their shape.

What is judged (losses, accuracies, scores, rewards, learning rates) keeps its values, or the verdict would be another.
Every other column is shifted and stretched to 0..1 and numbered.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from runopsy.kinds import KINDS
from runopsy.model import Mark, Role, Run, Track, Values
from runopsy.signal_specs import ERROR, spec_of
from runopsy.signals import in_unit
from runopsy.signals.names import score_in, words
from runopsy.signals.scores import DISCRIMINATOR

AXES = {"step": "step", "epoch": "epoch", "tokens": "tokens", "samples": "samples_seen", "time": "time"}
CLOCK = "elapsed"  # the column of seconds since the first row
SETTINGS = ("batch_size", "momentum")  # of the configuration: numbers that rules read
OPTIMIZERS = (
    "sgd",
    "adam",
    "adamw",
    "rmsprop",
    "adagrad",
    "lion",
    "gd",
    "muon",
)  # names that reveal nothing of the data
MARKS = (*KINDS, "out_of_memory", "communication_error", "not_a_run")


def redacted(run: Run, roles: Sequence[Role]) -> Run:
    """The run without names, text, dates and the values of what is not judged.

    Args:
        run: as read, with the sums that ``with_sums`` adds.
        roles: of its columns.
    """
    first = min((float(np.nanmin(t.time)) for t in run.tracks.values() if t.time is not None and len(t)), default=0.0)
    tracks: dict[str, Track] = {}
    for role in roles:
        track = run.tracks[role.track]
        judged = bool(role.role) or _ours(track.name)
        name = _free(_name(role), tracks)
        value = in_unit(track.value, role) if judged else _shape(track.value)
        time = None if track.time is None else track.time - first
        tracks[name] = replace(track, name=name, value=value, time=time, parts=())
    marks = tuple(Mark(mark.step, mark.kind) for mark in run.marks if mark.kind in MARKS)
    return Run("redacted", "redacted", run.axis, tracks, marks, _settings(run.config), run.status)


def as_csv(run: Run) -> str:
    """One row per position and session, one column per signal; a cell is empty where nothing was logged."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    axis = AXES.get(run.axis)
    columns = [name for name in run.tracks if name != axis]
    rows: dict[tuple[int, float, int], dict[str, str]] = {}
    for name in columns:
        for key, value, time in _cells(run.tracks[name]):
            row = rows.setdefault(key, {})
            row[name] = f"{value:.9g}"
            if time is not None and np.isfinite(time):
                row[CLOCK] = f"{time:.9g}"
    timed = any(CLOCK in row for row in rows.values())
    out.writerow([*([axis] if axis else []), *columns, *([CLOCK] if timed else [])])
    for (_, at, _), row in sorted(rows.items(), key=lambda pair: pair[0]):
        cells = [row.get(name, "") for name in columns] + ([row.get(CLOCK, "")] if timed else [])
        out.writerow([*([f"{at:.12g}"] if axis else []), *cells])
    return text.getvalue()


def _cells(track: Track) -> Iterator[tuple[tuple[int, float, int], float, float | None]]:
    """((session, position, which of several there), value, time) of each row."""
    seen: dict[tuple[int, float], int] = {}
    for i in range(len(track)):
        place = (0 if track.session is None else int(track.session[i]), float(track.step[i]))
        seen[place] = seen.get(place, -1) + 1
        yield (*place, seen[place]), float(track.value[i]), None if track.time is None else float(track.time[i])


def _ours(name: str) -> bool:
    """Whether a column is a signal of the recorder, whose name reveals nothing of the model but names of its blocks."""
    return spec_of(name) is not None


def _name(role: Role) -> str:
    """What a column is called instead: by its role, or so that its role is seen again; "" where it has none."""
    if role.role in ("train/metric", "val/metric"):
        side = role.role.partition("/")[0]
        return f"{side}/{score_in(role.track) or ('error' if role.better == 'lower' else 'score')}"
    if role.role.startswith("player/"):
        return "loss_d" if any(word in DISCRIMINATOR for word in words(role.track)) else "loss_g"
    if role.role == "reward/length":
        return "episode_length"
    if role.role.startswith("val."):
        return f"val.set/{role.role.rpartition('/')[2]}"
    if role.role:
        return role.role
    spec = spec_of(role.track)
    if spec is None:
        return ""
    plain = spec.name.replace("<module>", "block").replace("<a>~<b>", "a~b").replace("<group>", "group")
    return plain + ERROR * role.track.endswith(ERROR)


def _free(name: str, taken: Mapping[str, Track]) -> str:
    """The name, numbered where it is taken or empty."""
    if name and name not in taken:
        return name
    base = f"{name}_" if name else "col_"
    return next(f"{base}{k}" for k in range(1, len(taken) + 2) if f"{base}{k}" not in taken)


def _shape(value: Values) -> Values:
    """Shifted and stretched to 0..1; what is not finite stays so."""
    finite = value[np.isfinite(value)]
    if not len(finite):
        return value
    low, high = float(finite.min()), float(finite.max())
    return (value - low) / (high - low) if high > low else np.where(np.isfinite(value), 0.0, value)


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {name: config[name] for name in SETTINGS if isinstance(config.get(name), (int, float))}
    optimizer = str(config.get("optimizer", ""))
    return kept | ({"optimizer": optimizer} if optimizer.lower() in OPTIMIZERS else {})
