"""The steps of subtasks, found again: intervals that hold the truth, steps that were missed, steps that were invented.

The lab's multitask sparse parity with ten seeds; the truth is taken on fresh examples. Beside it, 400 runs of ten
groups in which nothing happens, each group a walk around chance.
``python tests/benchmarks/bench_quanta.py SEEDS [FOLDER]``; some ten seconds a seed, and what lies in FOLDER already
(quanta-SEED) is not trained again.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

import runopsy
from runopsy import lab
from runopsy.groups import steps_of
from runopsy.model import Signal

STEPS = np.unique(np.concatenate([np.round(1.25 ** np.arange(36)), np.arange(0, 3001, 30)]))
EXAMPLES, GROUPS, NULLS = 64, 10, 400


def null(draw: np.random.Generator, persistent: float) -> dict[str, Signal]:
    """Ten groups of 64 examples at chance, whose answers change slowly: a share stays from one reading to the next."""
    found = {}
    for group in range(GROUPS):
        right = draw.random(EXAMPLES) < 0.5
        values = []
        for _ in STEPS:
            again = draw.random(EXAMPLES) >= persistent
            right = np.where(again, draw.random(EXAMPLES) < 0.5, right)
            values.append(right.mean())
        name = f"groups/{group}/acc"
        found[name] = Signal(name, name, STEPS, np.array(values))
    return found


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    planted = held = missed = invented = unclear = hidden = 0
    with tempfile.TemporaryDirectory() as aside:
        room = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(aside)
        for seed in range(seeds):
            folder = room / f"quanta-{seed}"
            if not folder.exists():
                lab.run("quanta", folder, seed)
            truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["groups"]
            found = runopsy.analyze(folder).groups
            assert found is not None
            hidden += found.hidden
            steps = {one.group: one for one in found.steps}
            for group, true in truth.items():
                if true is None:
                    invented += group in steps
                    continue
                planted += 1
                one = steps.get(group)
                missed += one is None
                held += one is not None and one.interval[0] <= true["step"] <= one.interval[1]
            unclear += len(set(steps) - set(truth))
    print(f"{seeds} trainings: of {planted} planted steps {planted - missed} found, {held} within their interval; "
          f"{invented} invented in groups at chance; {unclear} in groups that have only begun; "
          f"{hidden} means smoother than the steps")  # fmt: skip
    draw = np.random.default_rng(0)
    for persistent in (0.0, 0.5, 0.9, 0.98):
        runs = [steps_of(null(draw, persistent), 0.0) for _ in range(NULLS)]
        any_found = np.mean([bool(run.steps) for run in runs if run is not None])
        print(f"{NULLS} runs without a step, {persistent:.0%} of answers kept: a step in {any_found:.1%} of them")


if __name__ == "__main__":
    main()
