"""Many trainings of one task: every combination of its knobs, with several seeds, in parallel."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from runopsy import lab
from runopsy.errors import BadOption, RunopsyError
from runopsy.lab.task import NotShown, Progress
from runopsy.store import is_run_folder, read_run
from runopsy.study.engine import Engine, Lost, each

MOST = 10_000  # trainings: more are a slip of the pen
DONE = "finished"  # status of a run folder that is kept when a grid is asked for again
OPEN = "running"  # of one that another process is writing


@dataclass(frozen=True, slots=True)
class Point:
    """One training of a grid."""

    task: str
    folder: str
    knobs: Mapping[str, float]
    seed: int
    signals: str


def axes_of(words: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """The values of each knob, of words such as ``lr=.001,.01``.

    Raises:
        BadOption: a word is none such, or names a knob again.
    """
    axes: dict[str, tuple[float, ...]] = {}
    for word in words:
        knob, _, numbers = word.partition("=")
        try:
            values = tuple(dict.fromkeys(float(number) for number in numbers.split(",")))
        except ValueError:
            raise BadOption(
                f"--grid {word!r} is no KNOB=NUMBER,NUMBER", hint="for example --grid lr=.001,.01"
            ) from None
        if knob in axes:
            raise BadOption(f"--grid names {knob} twice", hint=f"write all values at once: --grid {knob}=1,2,3")
        axes[knob] = values
    return axes


def points(
    task: str,
    folder: Path,
    axes: Mapping[str, Sequence[float]],
    seeds: Sequence[int],
    knobs: Mapping[str, float],
    signals: str = "scalars",
) -> tuple[Point, ...]:
    """Every training of a grid, each with a folder that is named after what is set.

    Raises:
        BadOption: a knob is both fixed and varied, or there are too many trainings.
    """
    both = sorted(set(axes) & set(knobs))
    if both:
        raise BadOption(f"{', '.join(both)} is both fixed and varied", hint="leave it out of --set or of --grid")
    made = []
    for values in product(*axes.values()):
        varied = dict(zip(axes, values, strict=True))
        for seed in seeds:
            name = ",".join([*(f"{knob}={value:g}" for knob, value in varied.items()), f"seed={seed}"])
            made.append(Point(task, str(folder / name), {**knobs, **varied}, seed, signals))
    if len(made) > MOST:
        raise BadOption(f"the grid has {len(made):,} trainings, and at most {MOST:,} are made", hint="vary fewer knobs")
    return tuple(made)


def train(made: Sequence[Point], engine: Engine, progress: Progress) -> dict[str, str]:
    """Train every point that has not been trained already; folder → what went wrong, where something did.

    Raises:
        BadOption: no such task, or no such knob.
        RunopsyError: torch is not installed.
    """
    lab.require(made[0].task, made[0].knobs)
    tasks = deque(point for point in made if not _is_done(Path(point.folder)))
    total, wrong = len(tasks), {}
    for number, (point, trouble) in enumerate(each(engine, trained, tasks), 1):
        if isinstance(trouble, Lost):
            wrong[point.folder] = trouble.why
        elif trouble:
            wrong[point.folder] = trouble
        progress(number / total)
    return wrong


def trained(point: Point) -> str:
    """Train one point; empty, or what went wrong. A training that does not show its task's subject is none of it."""
    folder = Path(point.folder)
    try:
        _make_room(folder)
        lab.run(point.task, folder, seed=point.seed, knobs=point.knobs, signals=point.signals)
    except NotShown:
        return ""
    except RunopsyError as error:
        return error.message
    return ""


def _is_done(folder: Path) -> bool:
    return folder.exists() and is_run_folder(folder) and read_run(folder).status == DONE


def _make_room(folder: Path) -> None:
    """Remove what a training that was stopped has left."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists() and is_run_folder(folder) and read_run(folder).status != OPEN:
        shutil.rmtree(folder)


def title(axes: Mapping[str, Sequence[Any]], seeds: int) -> str:
    """How large the grid is, in words."""
    sizes = " x ".join(str(len(values)) for values in axes.values())
    return f"{sizes} x {seeds} seeds" if seeds > 1 else sizes
