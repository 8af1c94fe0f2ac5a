"""Small real trainings on a CPU, recorded with the shim, each with a truth that is known from how it was made.

For a first look at what an autopsy shows, for the sample logs, and for the tests. Nothing here draws a
curve: every value comes out of a model that is being trained. Importing this loads no torch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from runopsy.errors import BadOption, RunopsyError
from runopsy.lab.task import Destination, Planted, Progress, Task, Trainer, Truth
from runopsy.plugins import load

__all__ = ["TASKS", "Planted", "Task", "Truth", "run"]

TASKS: tuple[Task, ...] = (
    Task(
        "grokking",
        "Modular addition, generalised long after the training set is fitted",
        6,
        "A two-layer network fits its training sums early and stands at chance on the others; "
        "weight decay then leads it to the general solution, after many times as many steps.",
        "runopsy.lab.modular:grokking",
        ("weight_decay", "lr", "train_share", "steps"),
    ),
    Task(
        "memorization",
        "Modular addition without weight decay",
        6,
        "The same network, which nothing moves away from the memorized solution: "
        "training accuracy 1, validation near chance to the last step.",
        "runopsy.lab.modular:memorization",
    ),
    Task(
        "overfitting",
        "Few examples, a quarter of them mislabelled",
        3,
        "Validation improves while the clean examples are learnt, "
        "then gets worse while the mislabelled ones are memorized.",
        "runopsy.lab.teacher:overfitting",
    ),
    Task(
        "healthy",
        "Plenty of clean examples",
        3,
        "Validation follows training down to a plateau; nothing else happens.",
        "runopsy.lab.teacher:healthy",
    ),
    Task(
        "underfitting",
        "One hidden unit for a problem that needs many",
        2,
        "Training and validation stop improving together, far from fitting: no gap, and too small a model.",
        "runopsy.lab.teacher:underfitting",
    ),
    Task(
        "double-descent",
        "Linear regression with a fast and a slow group of features",
        5,
        "The noise in the fast features is fitted before the signal in the slow ones, "
        "so validation falls, rises and falls again; the curve is known in closed form. With a width, it is one "
        "network of a sweep whose validation loss peaks where the width is the number of examples, 100.",
        "runopsy.lab.random_features:double_descent",
        ("width",),
    ),
    Task(
        "divergence",
        "A learning rate raised past what is stable",
        2,
        "A classifier that has learnt its task diverges when its learning rate is raised, and does not recover.",
        "runopsy.lab.unstable:divergence",
    ),
    Task(
        "spike",
        "Two bad batches in a healthy run",
        3,
        "Two batches arrive unscaled and with their columns in the wrong order; "
        "the loss spikes each time and is back within some tens of steps.",
        "runopsy.lab.unstable:spike",
    ),
    Task(
        "quanta",
        "Many small subtasks, each learnt in a step of its own",
        6,
        "Parities of three bits each, some frequent and some rare: the mean loss falls smoothly, "
        "while each subtask stands at chance until it is found.",
        "runopsy.lab.quanta:quanta",
    ),
)


def run(
    name: str,
    folder: str | os.PathLike[str],
    seed: int = 0,
    progress: Progress | None = None,
    knobs: Mapping[str, float] | None = None,
    signals: str = "default",
) -> Truth:
    """Train one task into a new run folder, and write its truth.json.

    Args:
        name: of one of ``TASKS``.
        folder: must not exist.
        seed: data, initial weights and the order of the batches follow from it.
        progress: is given the share that is done, 0 to 1, about a hundred times.
        knobs: what to set otherwise than the task does, e.g. ``{"weight_decay": 1.0}``; see ``Task.knobs``.
        signals: which are recorded, as ``runopsy.record`` takes them: ``"default"``, ``"full"``, ``"scalars"``.

    Raises:
        BadOption: no such task, or no such knob.
        RunExists: the folder exists.
        RunopsyError: torch is not installed, the folder cannot be written, or the training did not show
            what the task is there to show (no such seed is known).
    """
    turned = dict(knobs or {})
    task = require(name, turned)
    trainer: Trainer = load(task.trainer)
    truth = trainer(Destination(Path(folder), signals), seed, progress or _silent, **turned)
    try:
        truth.write(Path(folder))
    except OSError as cause:
        raise RunopsyError(f"{folder} cannot be written: {cause}", hint="give another folder") from cause
    return truth


def require(name: str, knobs: Mapping[str, float]) -> Task:
    """The task of a name, where it can be trained with these knobs.

    Raises:
        BadOption: no such task, or no such knob.
        RunopsyError: torch is not installed.
    """
    task = _task(name)
    _require_knobs(task, knobs)
    _require_torch()
    return task


def _task(name: str) -> Task:
    for task in TASKS:
        if task.name == name:
            return task
    raise BadOption(f"the lab has no {name!r}", hint=f"it has {', '.join(task.name for task in TASKS)}")


def _require_knobs(task: Task, knobs: Mapping[str, float]) -> None:
    unknown = ", ".join(sorted(set(knobs) - set(task.knobs)))
    if unknown:
        has = f"it has {', '.join(task.knobs)}" if task.knobs else "nothing about this training can be set"
        raise BadOption(f"{task.name} has no {unknown}", hint=has)


def _require_torch() -> None:
    """Report what is missing before ``load`` would call the dotted path wrong."""
    try:
        import torch  # noqa: F401  # seconds, and optional: only who trains pays
    except ModuleNotFoundError as cause:
        raise RunopsyError(
            "the lab trains with PyTorch, which is not installed", hint="pip install 'runopsy[torch]'"
        ) from cause


def _silent(share: float) -> None:
    """Progress nobody asked for."""
