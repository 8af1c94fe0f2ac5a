"""Whether a log is of a regression, and what power of the target's unit its loss is in.

A cross-entropy's first level is that of guessing; a squared error's is the variance of the targets. How far a loss
came down shows how well a regression fits, where the log shows that it is one: by a column of errors beside the loss,
or by the name of the loss itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from runopsy.model import Signal
from runopsy.signals.names import words

# Words of a column's name, and the power of the target's unit that it is in.
POWERS = {"mse": 2, "rmse": 1, "mae": 1}
SPELLED = {("mean", "squared", "error"): 2, ("mean", "absolute", "error"): 1}


def with_powers(signals: Mapping[str, Signal]) -> dict[str, Signal]:
    """The signals; of a regression, its losses with ``power``: 2 of a squared error, 1 of an absolute one."""
    made = dict(signals)
    losses = [name for name in ("train/loss", "val/loss") if name in made]
    if any(name.endswith("/acc") for name in made) or not any(_power(s.source) for s in made.values()):
        return made
    for name in losses:
        made[name] = replace(made[name], power=_of_loss(made[name], made))
    return made


def _of_loss(loss: Signal, signals: Mapping[str, Signal]) -> int:
    """Of a loss that names no error: that of the error it equals, else 2, unless a squared error differs from it."""
    named, errors = _power(loss.source), list(_errors(signals))
    same = next((_power(error.source) for error in errors if _are_same(loss, error)), 0)
    squared = any(_power(error.source) == POWERS["mse"] for error in errors)
    return named or same or (1 if squared else POWERS["mse"])


def _errors(signals: Mapping[str, Signal]) -> Iterator[Signal]:
    return (s for name, s in signals.items() if not name.endswith("/loss") and _power(s.source))


def _are_same(loss: Signal, error: Signal) -> bool:
    if len(loss) != len(error):
        return False
    return np.allclose(loss.value, error.value)


def _power(column: str) -> int:
    """The power by a column's name; 0 where it names no error."""
    parts = tuple(words(column))
    spelled = next((p for name, p in SPELLED.items() if any(parts[i : i + 3] == name for i in range(len(parts)))), 0)
    return spelled or next((POWERS[part] for part in parts if part in POWERS), 0)
