"""What the callbacks of all frameworks share: a recording that begins with their training, and their names as ours."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runopsy.errors import BadOption
from runopsy.recorder import counts
from runopsy.recorder.complaints import to_stderr
from runopsy.recorder.opening import record
from runopsy.recorder.session import Recording
from runopsy.recorder.state import ALARMS, refused

# what others put before a name, and what stands for it here
PREFIXES: tuple[tuple[str, str], ...] = (
    ("train_", "train/"),
    ("training_", "train/"),
    ("eval_", "val/"),
    ("val_", "val/"),
    ("valid_", "val/"),
    ("validation_", "val/"),
)
QUANTITIES: Mapping[str, str] = {"accuracy": "acc"}


def our_name(name: str, default: str = "") -> str:
    """``eval_accuracy`` → ``val/acc``; a name without such a beginning gets ``default`` before it."""
    for theirs, ours in PREFIXES:
        if name.startswith(theirs):
            return ours + QUANTITIES.get(name.removeprefix(theirs), name.removeprefix(theirs))
    return default + QUANTITIES.get(name, name) if default else name


def numbers_in(values: Mapping[str, Any]) -> dict[str, Any]:
    """What can be recorded: numbers, and whatever holds exactly one."""
    return {
        str(name): value
        for name, value in values.items()
        if isinstance(value, numbers.Real) or getattr(value, "numel", lambda: 0)() == 1
    }


def _stopping(asked: str | Iterable[str]) -> tuple[str, ...]:
    """The states that end a training.

    Raises:
        BadOption: one that does not exist.
    """
    names = tuple(name.strip() for name in (asked.split(",") if isinstance(asked, str) else asked))
    if unknown := refused(names):
        raise BadOption(f"stop_on: no such state: {', '.join(unknown)}", hint=f"states: {', '.join(ALARMS)}")
    return names


class Attached:
    """A recording at the disposal of a callback: begun when training begins, harmless ever after."""

    def __init__(self, path: Any, options: Mapping[str, Any]) -> None:
        self.run: Recording | None = None
        self.path, self.options = path, dict(options)
        self.stop_on = _stopping(self.options.pop("stop_on", ()))

    def begin(self, loader: Any = None, **found: Any) -> None:
        """Start recording with what the framework has; what the user gave to the callback goes first.

        Args:
            loader: of the training examples, whose length shows how many there are.
            found: arguments of ``record``.

        Raises:
            RunExists, BadOption: as ``record``; training has not begun yet.
        """
        if self.run is None:
            own = self.options.get("sizes")
            known = {**counts.sizes(loader), **own} if isinstance(own, Mapping) else own or counts.sizes(loader)
            self.run = record(self.path, **(found | self.options | {"sizes": known or None}))

    def quietly(self, action: Callable[[Recording], object]) -> None:
        """Let ``action`` have the recording, once there is one; what it raises does not reach the training."""
        if self.run is None:
            return
        try:
            action(self.run)
        except Exception as cause:  # a framework of another version may hand us anything
            to_stderr(f"runopsy: a callback failed: {type(cause).__name__}: {cause}")

    def alarm(self) -> str | None:
        """Why the training is to stop, of what ``stop_on`` names; None for going on."""
        if self.run is None or not self.stop_on:
            return None
        state = self.run.state()
        name = next((name for name in self.stop_on if name in state.alarms), None)
        if name is None:
            return None
        return f"{name.replace('_', ' ')} since step {getattr(state, name)}"

    def stops(self, stopping: bool) -> bool:
        """Whether the training is to stop; why is shown once. ``stopping``: it has been asked to already."""
        why = None if stopping else self.alarm()
        if why is not None:
            to_stderr(f"runopsy: the training is stopped, as stop_on asks: {why}")
        return stopping or why is not None

    def finish(self, cause: BaseException | None = None) -> None:
        """Close the recording, with the exception that ended the training; the next training begins another."""
        run, self.run = self.run, None
        if run is not None:
            run.__exit__(None if cause is None else type(cause), cause, None)
