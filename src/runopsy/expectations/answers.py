"""Levels and expectations → what a run answers to each: agrees, contrary, or cannot tell, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from runopsy.expectations.levels import NOISE_SCALE
from runopsy.expectations.table import EXPECTATIONS, Expectation, Held
from runopsy.model import Answer, Expected, Level, Phase


def answers(phases: Sequence[Phase], levels: Sequence[Level], likely: float) -> tuple[Expected, ...]:
    """Each expectation in each phase that it is about; none where the signal was not recorded there.

    Args:
        phases: in order.
        levels: of the signals in them.
        likely: standard errors from which a difference is one: both answers are claims.
    """
    return tuple(_answers(phases, levels, likely))


def _answers(phases: Sequence[Phase], levels: Sequence[Level], likely: float) -> Iterator[Expected]:
    by_place = {(level.signal, level.phase): level for level in levels}
    recorded = {level.signal for level in levels}
    for expectation in EXPECTATIONS:
        for i, phase in enumerate(phases):
            asked = phase.label == expectation.phase and (i > 0 or expectation.held is Held.ITSELF)
            if asked and expectation.signal in recorded:
                here, earlier = (by_place.get((expectation.signal, k)) for k in (i, i - 1))
                yield _answer(expectation, i, _pair(expectation.held, here, earlier), likely)


Estimate = tuple[float, float]  # a level and one standard error of it


def _pair(held: Held, here: Level | None, earlier: Level | None) -> tuple[Estimate, Estimate] | None:
    """The two levels that are compared; None where there are too few readings for one."""
    if here is None:
        return None
    if held is Held.ITSELF:
        return (here.early, here.early_error), (here.late, here.late_error)
    return None if earlier is None else ((earlier.mean, earlier.mean_error), (here.mean, here.mean_error))


def _answer(expectation: Expectation, phase: int, pair: tuple[Estimate, Estimate] | None, likely: float) -> Expected:
    if pair is None:
        where = "in the phase" if expectation.held is Held.ITSELF else "in it or before it"
        hidden = ", or the mean gradient is hidden by noise" if expectation.signal == NOISE_SCALE else ""
        why = f"too few readings {where}{hidden}"
        return Expected(expectation.code, expectation.signal, phase, Answer.CANNOT_TELL, why=why)
    (before, before_error), (after, after_error) = pair
    sigmas = (after - before) / max(math.hypot(before_error, after_error), 1e-300)
    sigmas = sigmas if expectation.up else -sigmas
    answer = Answer.AGREES if sigmas >= likely else Answer.CONTRARY if sigmas <= -likely else Answer.CANNOT_TELL
    why = "the difference is within the noise of the signal" if answer is Answer.CANNOT_TELL else ""
    return Expected(expectation.code, expectation.signal, phase, answer, before, after, sigmas, why)
