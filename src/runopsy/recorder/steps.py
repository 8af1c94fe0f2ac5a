"""What a step is: a whole number, and nothing is ever rounded to one."""

from __future__ import annotations

import math
import operator
from typing import Any


class NoStep(ValueError):
    """A number that is no step."""


def whole_step(step: Any) -> int:
    """The step as an int; a float, or a 0-d tensor of one, where it is a whole number.

    Raises:
        NoStep: it is a fraction.
        Exception: it is no number; what is raised is up to the value.
    """
    try:
        return operator.index(step)
    except TypeError:
        number = float(step)
    if not math.isfinite(number):
        raise ValueError(f"step {step!r} is no number")
    if number != int(number):
        raise NoStep(
            f"step {number:g} is no whole number, and the call was left out: count optimizer steps, and log a"
            ' fraction of an epoch as a value: run.log(step, {"epoch": 0.25, ...})'
        )
    return int(number)
