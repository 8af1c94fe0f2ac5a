"""The nouns of the lab: what can be trained, and what is known about the run before anyone reads its log."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runopsy.atomic import replacing
from runopsy.errors import RunopsyError

TRUTH = "truth.json"  # beside run.json; nothing in runopsy's analysis reads it

Progress = Callable[[float], None]  # is given the share of the training that is done, 0 to 1
# trains from a seed: (destination, seed, progress, **knobs)
Trainer = Callable[..., "Truth"]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a training is recorded, and how much of it."""

    folder: Path  # must not exist
    signals: str = "default"  # as runopsy.record takes them


@dataclass(frozen=True, slots=True)
class Task:
    """One small training that shows one thing."""

    name: str
    title: str
    seconds: int  # about how long on one core of an ordinary machine
    shows: str
    trainer: str  # dotted path of a Trainer, because the module that holds it imports torch
    knobs: tuple[str, ...] = ()  # what may be set otherwise, in the words of the run's own config


@dataclass(frozen=True, slots=True)
class Planted:
    """An event that is known to be in the run."""

    kind: str
    step: int  # the best single answer, in optimizer steps
    lo: int  # a careful reader would put it in [lo, hi]
    hi: int
    optional: bool = False  # may be reported or not

    def __post_init__(self) -> None:
        if not self.lo <= self.step <= self.hi:
            raise ValueError(f"{self.kind}: step {self.step} is outside [{self.lo}, {self.hi}]")


@dataclass(frozen=True, slots=True)
class Truth:
    """What a run is, from how it was made or from exact values on whole sets: never from its log."""

    task: str
    seed: int
    verdicts: tuple[str, ...]  # any of them is right
    events: tuple[Planted, ...]
    why: str  # one sentence: how this is known
    groups: Mapping[str, Planted | None] = field(default_factory=dict)  # of given groups: its step; None: it has none

    def to_dict(self) -> dict[str, Any]:
        """The object in truth.json."""
        return {
            "task": self.task,
            "seed": self.seed,
            "verdict": list(self.verdicts),
            "events": [asdict(event) for event in self.events],
            "why": self.why,
        } | ({"groups": {name: step and asdict(step) for name, step in self.groups.items()}} if self.groups else {})

    def write(self, folder: Path) -> None:
        """Put truth.json beside run.json, whole or not at all.

        Raises:
            OSError: the file system refuses it.
        """
        with replacing(folder / TRUTH) as draft:
            draft.write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")


class NotShown(RunopsyError):
    """The training ran and was recorded, and does not show what the task is there to show."""


def expect(what_is: bool, what: str, seed: int) -> None:
    """Refuse to state a truth that did not come about: tuned on a few seeds is not proven for all.

    Raises:
        NotShown: ``what_is`` is false.
    """
    if not what_is:
        raise NotShown(f"with seed {seed} this training does not show that {what}", hint="try another seed")
