"""What stopping rules save and miss on every log at hand: python tests/benchmarks/bench_backtest.py [--shared DIR]

First each policy over all runs, by where the runs come from; then policies over sets that were tried against each
other; then how often the interval of a mean holds it, by drawing few runs from all of them.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "measures"))

import logs

import runopsy
from runopsy.study import intervals
from runopsy.study.backtest import USUAL
from runopsy.study.outcome_table import Backtest, Mean, Outcome, Summary
from runopsy.study.policies import Memorization, Patience, Policy

GROUPS = ("samples", "labelled", "epochs", "public")
MORE = (
    Policy(Patience(20)),
    Policy(Memorization(3)),
    Policy(Memorization(30)),
    *(f"after {p} % of the run: stop" for p in (50, 90)),
)
OVER_SETS = ("median stopping", "asha by 3", "successive halving by 3", "hyperband by 3")
DRAWS = 30  # of runs, per policy and size


def shown(mean: Mean) -> str:
    low, high = mean.interval or (float("nan"),) * 2
    return f"{100 * mean.value:5.1f} [{100 * low:5.1f}, {100 * high:5.1f}]"


def table(found: Backtest) -> None:
    print(f"{'':68} {'stops':>9}  {'saves, %':21}  {'misses, %':21}  90 % miss  cut off")
    for row in found.summaries:
        means, high = f"{shown(row.saved)}  {shown(row.regret)}", 100 * row.regret_high
        print(f"{row.policy.removesuffix(': stop'):68} {row.stopped:3} of {row.runs:3}  {means}  {high:7.1f}    "
              f"{row.cut_off:3} {'' if row.dominated else '*'}")  # fmt: skip


def by_group(found: Backtest, groups: dict[str, str]) -> None:
    """Per policy and source of the runs, what is saved and missed."""
    print(f"\n{'saves / misses / cut off, by source':68}", *(f"{g:>22}" for g in GROUPS))
    for row in found.summaries:
        cells = []
        for group in GROUPS:
            mine = [o for o in found.outcomes if o.policy == row.policy and groups[o.run] == group]
            if not mine:
                cells.append(f"{'-':>22}")
                continue
            one = Summary.of(mine)
            cells.append(
                f"{100 * one.saved.value:5.0f} / {100 * one.regret.value:4.1f} / {one.cut_off:2} of {one.runs:2}".rjust(
                    22
                )
            )
        print(f"{row.policy.removesuffix(': stop'):68}", *cells)


def coverage(outcomes: Sequence[Outcome]) -> None:
    """How often the interval of a mean of few runs holds the mean of all, over policies; nominal is 90 %."""
    rng = np.random.default_rng(0)
    columns: dict[str, dict[str, list[float]]] = {"saved": {}, "regret": {}}
    for o in outcomes:
        columns["saved"].setdefault(o.policy, []).append(o.saved)
        columns["regret"].setdefault(o.policy, []).append(o.regret)
    print(
        "\nshare of 90 % intervals that hold the mean, and their mean width, by runs drawn: ours, and the bootstrap's"
    )
    for what, by_policy in columns.items():
        for runs in (5, 10, 20, 40):
            held: dict[str, list[tuple[bool, float]]] = {"ours": [], "bootstrap": []}
            for values in by_policy.values():
                all_runs = np.array(values)
                for _ in range(DRAWS if np.ptp(all_runs) > 0 else 0):
                    drawn = rng.choice(all_runs, runs)
                    again = drawn[rng.integers(runs, size=(1000, runs))].mean(axis=1)
                    both = {"ours": intervals.of_mean(drawn), "bootstrap": tuple(np.percentile(again, [5, 95]))}
                    for name, (low, high) in both.items():
                        held[name].append((low <= all_runs.mean() <= high, high - low))
            shown = [f"{name} {100 * np.mean([h for h, _ in found]):5.1f} % ({np.mean([w for _, w in found]):.2f})"
                     for name, found in held.items()]  # fmt: skip
            print(f"  {what:7} {runs:3} runs: {', '.join(shown)}")


def sets(shared: Path) -> None:
    """Policies over sets: the widths of the public sweep, and each family of the trainings per epoch."""
    trainings: dict[str, list[str]] = {}
    for log in logs.every(shared):
        if log.group == "epochs":
            trainings.setdefault(log.name.rsplit("-", 1)[0], []).append(str(log.path))
    sweep = sorted(str(path) for path in (shared / "data" / "width-sweep").glob("*.csv"))
    print("\nsets: saves of all steps / misses of the best run's gain / how often the best is found, means over orders")
    for name, runs in [*((path, [path]) for path in sweep), *((n, r) for n, r in trainings.items() if len(r) >= 4)]:
        try:
            found = runopsy.backtest(runs, list(OVER_SETS))
        except runopsy.RunopsyError as error:
            print(f"  {Path(name).name}: {error.message}")
            continue
        for one in found.sets:
            print(f"  {Path(name).name:22} {one.runs:3} runs  {one.policy:32} {100 * one.saved:5.1f} / "
                  f"{100 * one.regret:5.1f} / {100 * one.best_kept:5.1f} %")  # fmt: skip
        for one in found.unjudged:
            print(f"  {Path(name).name:22} {one.policy}: {one.why}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=logs.SHARED)
    shared = parser.parse_args().shared
    warnings.simplefilter("ignore")
    found_logs = [log for log in logs.every(shared) if log.group in GROUPS]
    found = runopsy.backtest([str(log.path) for log in found_logs], [*USUAL, *MORE])
    of_path = {str(log.path): log.group for log in found_logs}
    groups = {
        run: next(g for path, g in of_path.items() if run == path or run.startswith(f"{path}: ")) for run in found.runs
    }
    print(
        f"{len(found.runs)} runs: "
        + ", ".join(f"{sum(g == group for g in groups.values())} {group}" for group in GROUPS)
    )
    table(found)
    by_group(found, groups)
    for why in sorted({(one.policy, one.why) for one in found.unjudged if not one.policy}):
        print("not replayed:", why[1], sum((one.policy, one.why) == why for one in found.unjudged))
    coverage(found.outcomes)
    sets(shared)


if __name__ == "__main__":
    main()
