"""False alarms of the classic threshold rule, with its own baseline and with a library's: bench_library.py [DIR]

41 seeds of each of two lab trainings (DIR holds them, or they are trained: some minutes) are split at random into a
library of 20 and runs that it judges; and the same on white noise, of which ``runopsy explain B01`` says what the rule
does without a library. Runs of other trainings are held against the library too.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import planted
import runopsy
from runopsy import lab
from runopsy.model import Autopsy
from runopsy.rules import CLASSIC
from runopsy.rules.thresholds import Departure
from runopsy.standards import Standards
from runopsy.study.kinship import Kinship, kinship
from runopsy.study.profiles import Profile, profile
from runopsy.thresholds import DEFAULTS

SEEDS, KEPT, SPLITS = 41, 20, 20
ONLY_B01 = Standards(rules=CLASSIC[-1:])


def alarms(autopsy: Autopsy, found: Kinship | None) -> bool:
    """Whether the classic rule finds a departure; nothing but signals, ends and limits of a case is read."""
    case = SimpleNamespace(signals=autopsy.signals, first=autopsy.first, last=autopsy.last, limits=DEFAULTS)
    return any(Departure(usual={} if found is None else found.baselines)(case))


def split_rates(autopsies: Sequence[Autopsy], profiles: Sequence[Profile]) -> tuple[float, float, int]:
    """(share of judged runs with an alarm, share called unlike their kind, judged)."""
    rng = np.random.default_rng(0)
    alarmed, unlike, judged = 0, 0, 0
    for _ in range(SPLITS):
        order = rng.permutation(len(profiles))
        kept = [profiles[i] for i in order[:KEPT]]
        for i in order[KEPT:]:
            found = kinship(profiles[i], kept)
            alarmed += alarms(autopsies[i], found)
            unlike += bool(found.unlike)
            judged += 1
    return alarmed / judged, unlike / judged, judged


def report(what: str, autopsies: Sequence[Autopsy]) -> list[Profile]:
    profiles = [profile(one, "bench") for one in autopsies]
    alone = np.mean([alarms(one, None) for one in autopsies])
    alarmed, unlike, judged = split_rates(autopsies, profiles)
    print(f"{what}: {100 * alone:.0f} % of {len(autopsies)} runs alarm with their own baseline")
    print(f"  with that of a library of {KEPT}: {100 * alarmed:.1f} % of {judged} judged")
    print(f"  called unlike their kind: {100 * unlike:.1f} %")
    return profiles


def trained(folder: Path, task: str) -> list[Path]:
    """Runs of a lab training, those that are there or fresh ones."""
    for seed in range(0 if any(folder.glob(f"{task}-*")) else SEEDS):
        lab.run(task, folder / f"{task}-{seed}", seed=seed, signals="scalars")
    return sorted(folder.glob(f"{task}-*"))[:SEEDS]


def white(seed: int) -> Autopsy:
    """5 000 rows of noise beside a validation that never changes."""
    rng = np.random.default_rng(seed)
    columns = {"train/loss": 1 + 0.1 * rng.standard_normal(5000), "grad/norm": 1 + 0.1 * rng.standard_normal(5000)}
    run = planted.run(np.arange(5000), columns)
    return runopsy.analyze(replace(run, id=f"white-{seed}"), standards=ONLY_B01)


def main() -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(aside)
        report("white noise", [white(seed) for seed in range(SEEDS)])
        kept = {}
        for task in ("overfitting", "healthy"):
            runs = [runopsy.analyze(path) for path in trained(folder, task)]
            kept[task] = report(f"lab {task}", runs)[:KEPT]
        held_against(kept["healthy"])


def held_against(kept: list[Profile]) -> None:
    """The samples against the healthy trainings, said to be of their kind, and said to be of another."""
    samples = Path(__file__).parents[2] / "sample_logs"
    for path in sorted(samples.iterdir()):
        own = profile(runopsy.analyze(path), "bench")
        same, other = kinship(own, kept), kinship(replace(own, kind="another"), kept)
        told = "no opinion" if same.unlike is None else "unlike" if same.unlike else "like"
        far = same.differences[0].what if same.differences else ""
        baselines = alarms(runopsy.analyze(path), same)
        print(
            f"  {path.name:16} of the same kind: {told:10} {far:34} alarm: {baselines!s:5}  of another: {other.unlike}"
        )


if __name__ == "__main__":
    main()
