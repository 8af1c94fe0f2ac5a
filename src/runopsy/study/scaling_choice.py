"""Which law the data ask for: by the likelihood of runs that were held out, the largest among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runopsy.stats import Floats
from runopsy.study.scaling_fits import BROKEN, FLOOR, POWER, QUICK, Fit, Form, fit

FOLDS = 6  # stretches of neighbouring sizes, each held out once: a law must predict what lies beyond or between
# Nats by which a law with more parameters must predict held-out runs better: 3 is a likelihood ratio of 20, the usual
# evidence; a break, whose place is searched for as well, takes twice as much. Measured by `make bench-sizes`.
BETTER = {FLOOR.name: 3.0, BROKEN.name: 6.0}
HEAVY = 4.0  # degrees of freedom of the noise: losses of trainings have heavier tails than Gaussian ones
SPARE = 2  # sizes more than parameters that a law takes
LEAST = 1e-4  # of log loss: what two runs of the same size differ by at least, rounding included


@dataclass(frozen=True, slots=True)
class Choice:
    """The law that was chosen, and how much better the others would be: nats on held-out runs, beside the power law."""

    fit: Fit
    gains: dict[str, float]


def choose(sizes: Floats, loss: Floats) -> Choice:
    """The simplest law in one quantity that predicts held-out runs as well as the others.

    Args:
        sizes: (1, n).
        loss: (n,).
    """
    count = len(np.unique(sizes[0]))
    forms = [form for form in (POWER, FLOOR, BROKEN) if count >= len(form.parameters) + SPARE]
    folds = list(folds_of(sizes[0]))
    scores = {form.name: held_out(form, sizes, loss, folds) for form in forms}
    gains = {name: float(sum(score) - sum(scores[POWER.name])) for name, score in scores.items()}
    best = POWER
    for form in forms[1:]:
        if gains[form.name] - gains[best.name] > BETTER[form.name]:
            best = form
    return Choice(fit(best, sizes, loss), gains)


def folds_of(size: Floats) -> Iterator[NDArray[np.bool_]]:
    """Which runs are held out in turn: stretches of the distinct sizes, the largest last."""
    distinct = np.unique(size)
    for part in np.array_split(distinct[1:], min(FOLDS, len(distinct) - 1)):  # without the smallest nothing begins
        yield np.isin(size, part)


def held_out(form: Form, sizes: Floats, loss: Floats, folds: Sequence[NDArray[np.bool_]]) -> list[float]:
    """Log likelihood of each fold under the law fitted to the others."""
    from scipy.stats import t

    scores, whole = [], fit(form, sizes, loss, deltas=QUICK)
    for out in folds:
        found = fit(form, sizes[:, ~out], loss[~out], whole, QUICK)
        spread = spread_of(found, sizes[:, ~out], loss[~out])
        off = np.log(loss[out]) - found.log_loss(sizes[:, out])
        scores.append(float(t.logpdf(off / spread, HEAVY).sum() - out.sum() * np.log(spread)))
    return scores


def spread_of(found: Fit, sizes: Floats, loss: Floats) -> float:
    """Standard deviation of log loss around a law, its parameters counted."""
    off = np.log(loss) - found.log_loss(sizes)
    free = max(len(off) - len(found.theta), 1)
    return float(max(np.sqrt(np.square(off).sum() / free), LEAST))
