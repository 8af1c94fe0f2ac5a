"""An interval for the mean of numbers between 0 and 1 that holds it whatever their distribution is.

Regret is 0 in most runs and large in a few. Drawing the runs again (the bootstrap) then gives intervals that are far
too short: of 90 % intervals from 10 runs, half held the mean, from 40 three quarters (``make bench-backtest``). Here
a gambler bets against each possible mean; a mean at which a fair game would have made him ten times as rich is left out
(Waudby-Smith and Ramdas 2024, arXiv 2010.09686). By Ville's inequality that leaves out the true mean in at most 1 of
10 sets of runs.
"""

from __future__ import annotations

import numpy as np

from runopsy.stats import Floats

MISSES = 0.1  # of sets of runs, at most: 90 % intervals as elsewhere
MEANS = 1001  # tried: to a tenth of a percent
ORDERS = 20  # of the runs: the mean of fair games is fair, and depends less on the order in which runs were given
CAUTION = 0.75  # of what a bet may lose at most; below 1, so that no single run ends the game


def of_mean(values: Floats) -> tuple[float, float]:
    """The interval for the mean of what ``values`` (n,), each in [0, 1], were drawn from independently."""
    means = np.linspace(0.0, 1.0, MEANS)
    generator = np.random.default_rng(0)
    up, down = np.zeros(MEANS), np.zeros(MEANS)
    for _ in range(ORDERS):
        drawn = generator.permutation(values)
        bets = _bets(drawn)
        up += _capital(drawn, means, np.minimum(bets[:, None], CAUTION / np.maximum(means, 1e-9)))
        down += _capital(drawn, means, -np.minimum(bets[:, None], CAUTION / np.maximum(1 - means, 1e-9)))
    kept = means[(up + down) / (2 * ORDERS) < 1 / MISSES]
    return (float(kept[0]), float(kept[-1])) if len(kept) else (float(np.mean(values)),) * 2


def _bets(drawn: Floats) -> Floats:
    """How much is bet before each value: the less they have spread until then, the more."""
    count = np.arange(1, len(drawn) + 1)
    middle = (0.5 + np.cumsum(drawn)) / (count + 1)
    spread = (0.25 + np.cumsum((drawn - middle) ** 2)) / (count + 1)
    before = np.concatenate([[0.25], spread[:-1]])
    return np.asarray(np.sqrt(2 * np.log(2 / MISSES) / (len(drawn) * before)))


def _capital(drawn: Floats, means: Floats, bets: Floats) -> Floats:
    """What 1 has become at the end, for each mean against which it was bet."""
    return np.asarray(np.exp(np.log1p(bets * (drawn[:, None] - means)).sum(axis=0)))
