"""What left its range before a break: how often something is named where nothing happened, and planted ones found.

Runs of 20 signals of 200 to 2000 readings, with white and slow noise, Gaussian and heavy-tailed, some with a trend, and
a break at a random place. In nulls nothing precedes it; in the others one signal leaves by 20 of its standard
deviations some readings earlier and stays. ``python tests/benchmarks/bench_precursors.py [RUNS]``; a minute.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.signal import lfilter

from runopsy.model import Event, Severity, Signal
from runopsy.precursors import before_it_broke
from runopsy.thresholds import DEFAULTS

SIGNALS, LENGTH, LEAVES, PLANTED = 20, 5000.0, 3, 20.0


def noise(draw: np.random.Generator, n: int, slow: float, heavy: bool) -> np.ndarray:
    """Of unit standard deviation, about."""
    rows = draw.standard_t(4, n) / np.sqrt(2) if heavy else draw.normal(size=n)
    return lfilter([np.sqrt(1 - slow**2)], [1, -slow], rows)


def run(draw: np.random.Generator, slow: float, heavy: bool, planted: bool) -> tuple[int, bool, bool]:
    """(signals asked, whether one was named that nothing happened to, whether the planted one was)."""
    at = float(draw.uniform(LENGTH / 2, LENGTH))
    signals = {}
    for j in range(SIGNALS):
        n = int(draw.choice([200, 500, 2000]))
        step = np.linspace(0, LENGTH, n)
        value = 0.1 * noise(draw, n, slow, heavy)
        if planted and j == 0:
            value[int(np.searchsorted(step, at)) - LEAVES :] += 0.1 * PLANTED
        value = (
            value + np.log1p(step / 50)
            if j % 3 == 0
            else np.exp(value) / np.sqrt(1 + step / 500)
            if j % 3 == 1
            else value
        )
        signals[f"s{j}"] = Signal(f"s{j}", "", step, value)
    (found,) = before_it_broke([Event("divergence", "D01", at, Severity.FATAL, ())], signals, DEFAULTS.outlier)
    named = {one.signal for one in found.left}
    return found.asked, bool(named - ({"s0"} if planted else set())), "s0" in named


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    draw = np.random.default_rng(0)
    print(f"{'slow':>6}{'heavy tails':>13}{'runs with a false one':>24}{'planted ones found':>21}")
    false, planted = [], []
    for slow in (0.0, 0.9, 0.99):
        for heavy in (False, True):
            nulls = [run(draw, slow, heavy, planted=False) for _ in range(runs)]
            with_one = [run(draw, slow, heavy, planted=True) for _ in range(runs // 3)]
            false.append(np.mean([one[1] for one in nulls]))
            planted.append(np.mean([one[2] for one in with_one]))
            print(f"{slow:6.2f}{heavy!s:>13}{false[-1]:24.3f}{planted[-1]:21.3f}", flush=True)
    print(f"{'mean':>19}{np.mean(false):24.3f}{np.mean(planted):21.3f}")


if __name__ == "__main__":
    main()
