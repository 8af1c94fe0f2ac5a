"""Scaling laws and their fit: a Huber loss on log loss, with every law written as a sum of exponentials.

After Hoffmann et al. (arXiv 2203.15556, approach 3) and its replication by Besiroglu et al. (arXiv 2404.10102):
log L = LSE(a - α log N, b - β log D, e), so that E, A and B stay positive and numbers far apart stay comparable.
scipy minimises; coordinates are centred, without which log A and α rise and fall together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from runopsy.stats import Floats

DELTA = 1e-3  # of log loss: of both articles; a run farther off counts by its distance, not by its square
CONTINUED = (0.1, 0.01, DELTA)  # an almost absolute loss has corners, which a search from afar runs into
QUICK = (0.03,)  # nearly squares: to compare laws, where the last digit of a parameter does not matter
MOST = 150  # steps of a search: a corner is circled for ever
STILL = 1e-5  # relative step at which a search has ended: at a corner no slope ever comes to 0
EXPONENTS = (0.1, 0.3, 0.5, 0.8, 1.2)  # to start from: published ones lie between 0.05 and 1
STARTS = 3  # of all starts, those with the least squares
SMOOTH = 0.3  # of log size: a break goes over into the next law within about a factor of two
TINY = 1e-3  # share of the loss that a term starts with, at least: at 0 its logarithm has no slope


@dataclass(frozen=True, slots=True)
class Form:
    """A law as a function of its parameters; ``terms`` gives its exponents and their slopes."""

    name: str
    parameters: tuple[str, ...]
    terms: Callable[[Floats, Floats], tuple[Floats, Floats]]  # (θ, x) → (k, n) exponents, (k, p, n) their slopes
    starts: Callable[[Floats, Floats], Iterator[Floats]]  # (x, loss) → θ


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A law that has been fitted, in centred coordinates."""

    form: Form
    theta: Floats
    centre: Floats  # (q,) mean log size of each quantity
    cost: float

    def log_loss(self, sizes: Floats) -> Floats:
        """(n,) predicted log loss of (q, n) sizes."""
        return _sum(self.form.terms(self.theta, np.log(sizes) - self.centre[:, None])[0])


def fit(
    form: Form, sizes: Floats, loss: Floats, start: Fit | None = None, deltas: tuple[float, ...] = CONTINUED
) -> Fit:
    """The law that fits best.

    Args:
        form: one of ``JOINT``, ``POWER``, ``FLOOR``, ``BROKEN``.
        sizes: (q, n) of the quantities, above 0.
        loss: (n,) above 0.
        start: of a law fitted to nearly the same points; None: the best of many starts.
        deltas: of the Huber loss, one after the other; with a start, the last alone.
    """
    centre = np.log(sizes).mean(axis=1) if start is None else start.centre
    x, y = np.log(sizes) - centre[:, None], np.log(loss)
    if start is not None:
        theta, cost = _minimise(form, start.theta, x, y, deltas[-1:])
        return Fit(form, theta, centre, cost)
    tried = sorted(form.starts(x, loss), key=lambda theta: _squares(form, theta, x, y))[:STARTS]
    theta, cost = min((_minimise(form, one, x, y, deltas) for one in tried), key=lambda found: found[1])
    return Fit(form, theta, centre, cost)


def _minimise(form: Form, theta: Floats, x: Floats, y: Floats, deltas: tuple[float, ...]) -> tuple[Floats, float]:
    from scipy.optimize import minimize

    cost = np.inf
    for delta in deltas:
        found = minimize(
            _objective, theta, (form, x, y, delta), jac=True, method="BFGS", options={"maxiter": MOST, "xrtol": STILL}
        )
        theta, cost = found.x, float(found.fun)
    return theta, cost


def _objective(theta: Floats, form: Form, x: Floats, y: Floats, delta: float) -> tuple[float, Floats]:
    """Huber loss of the residuals of log loss over ``delta``, and its gradient."""
    exponents, slopes = form.terms(theta, x)
    top = exponents.max(axis=0)
    share = np.exp(exponents - top)
    total = share.sum(axis=0)
    off = top + np.log(total) - y
    away = np.abs(off)
    cost = np.where(away <= delta, 0.5 * off * off, delta * (away - 0.5 * delta)).sum() / delta
    pull = np.clip(off, -delta, delta) / delta
    return float(cost), np.einsum("n,kn,kpn->p", pull, share / total, slopes)


def _squares(form: Form, theta: Floats, x: Floats, y: Floats) -> float:
    return float(np.square(_sum(form.terms(theta, x)[0]) - y).sum())


def _sum(exponents: Floats) -> Floats:
    top = exponents.max(axis=0)
    return np.asarray(top + np.log(np.exp(exponents - top).sum(axis=0)))


def _weights(columns: list[Floats], loss: Floats) -> Floats:
    """Log weights of terms whose exponents are fixed: nonnegative least squares of relative errors."""
    from scipy.optimize import nnls

    design = np.stack(columns, axis=1) / loss[:, None]
    weight, _ = nnls(design, np.ones_like(loss))
    return np.asarray(np.log(np.maximum(weight, TINY * float(loss.min()))))


# --- E + A/N^α + B/D^β -----------------------------------------------------------------------------


def _joint_terms(theta: Floats, x: Floats) -> tuple[Floats, Floats]:
    a, alpha, b, beta, e = theta
    zero, one = np.zeros(x.shape[1]), np.ones(x.shape[1])
    exponents = np.stack([a - alpha * x[0], b - beta * x[1], e * one])
    slopes = np.stack(
        [
            np.stack([one, -x[0], zero, zero, zero]),
            np.stack([zero, zero, one, -x[1], zero]),
            np.stack([zero, zero, zero, zero, one]),
        ]
    )
    return exponents, slopes


def _joint_starts(x: Floats, loss: Floats) -> Iterator[Floats]:
    for alpha in EXPONENTS:
        for beta in EXPONENTS:
            a, b, e = _weights([np.exp(-alpha * x[0]), np.exp(-beta * x[1]), np.ones_like(loss)], loss)
            yield np.array([a, alpha, b, beta, e])


# --- laws in one quantity --------------------------------------------------------------------------


def _power_terms(theta: Floats, x: Floats) -> tuple[Floats, Floats]:
    a, alpha = theta
    return (a - alpha * x[0])[None], np.stack([np.ones_like(x[0]), -x[0]])[None]


def _power_starts(x: Floats, loss: Floats) -> Iterator[Floats]:
    slope, level = np.polyfit(x[0], np.log(loss), 1)
    yield np.array([level, -slope])


def _floor_terms(theta: Floats, x: Floats) -> tuple[Floats, Floats]:
    a, alpha, e = theta
    zero, one = np.zeros_like(x[0]), np.ones_like(x[0])
    return np.stack([a - alpha * x[0], e * one]), np.stack([np.stack([one, -x[0], zero]), np.stack([zero, zero, one])])


def _floor_starts(x: Floats, loss: Floats) -> Iterator[Floats]:
    for alpha in EXPONENTS:
        a, e = _weights([np.exp(-alpha * x[0]), np.ones_like(loss)], loss)
        yield np.array([a, alpha, e])


def _bend(x: Floats, at: float) -> tuple[Floats, Floats]:
    """How far each size lies beyond a break, smoothly from 0 on, and its slope."""
    share = 1 / (1 + np.exp(-np.clip((x - at) / SMOOTH, -60, 60)))
    return np.asarray(SMOOTH * np.logaddexp(0, (x - at) / SMOOTH)), np.asarray(share)


def _broken_terms(theta: Floats, x: Floats) -> tuple[Floats, Floats]:
    a, alpha, more, at = theta
    beyond, share = _bend(x[0], at)
    slopes = np.stack([np.ones_like(x[0]), -x[0], -beyond, more * share])
    return (a - alpha * x[0] - more * beyond)[None], slopes[None]


def _broken_starts(x: Floats, loss: Floats) -> Iterator[Floats]:
    for at in np.quantile(np.unique(x[0]), (0.2, 0.35, 0.5, 0.65, 0.8)):
        design = np.stack([np.ones_like(x[0]), -x[0], -_bend(x[0], at)[0]], axis=1)
        yield np.array([*np.linalg.lstsq(design, np.log(loss), rcond=None)[0], at])


JOINT = Form("E + A/N^alpha + B/D^beta", ("log_A", "alpha", "log_B", "beta", "log_E"), _joint_terms, _joint_starts)
POWER = Form("A/x^alpha", ("log_A", "alpha"), _power_terms, _power_starts)
FLOOR = Form("E + A/x^alpha", ("log_A", "alpha", "log_E"), _floor_terms, _floor_starts)
BROKEN = Form("A/x^alpha, from a break on A'/x^alpha'", ("log_A", "alpha", "more", "log_break"), _broken_terms,
              _broken_starts)  # fmt: skip
