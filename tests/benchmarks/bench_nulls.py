"""What is raised where nothing happened, by autocorrelation and rows; and what is missed of planted kinds.

``python tests/benchmarks/bench_nulls.py [--decays 600] [--flat 300] [--planted 12] [-v]``. Nulls: the smooth decays of
``bench_segments.py`` and flat curves with AR(1) noise. An alarm is any event, or a verdict other than healthy,
undertrained, underfit or inconclusive. Planted: instability, double descent, a jump of the loss, validation better
than training, and logs of accuracies alone; each run is right or not, by the event, the verdict or the words asked.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "measures"))
sys.path.insert(0, str(Path(__file__).parent))

from stories import Array, as_log, noise, null
from worker import short

import planted
import runopsy
from runopsy.model import Run

QUIET = ("healthy", "undertrained", "underfit", "inconclusive")
PHI = (0.0, 0.3, 0.5, 0.7, 0.9, 0.97)
ROWS = (10, 20, 50, 100, 300, 1_000, 3_000, 20_000)
NOISE = (0.01, 0.03, 0.1)
NEAR, NEAR_OF_RUN = 0.15, 0.03  # of the step and of the run, by which an event may miss its place
EXPLAINS = re.compile(r"(?i)dropout|augmentation|running|averaged|training mode|evaluation mode|regulari[sz]ation")


@dataclass(frozen=True)
class Story:
    """A run, and what must be said of it: an event between two steps, or one of some verdicts, or an explanation."""

    run: Run
    kind: str = ""
    lo: float = 0.0
    hi: float = 0.0
    verdicts: tuple[str, ...] = ()
    explained: bool = False


# ---- where nothing happens


def level(seed: int) -> tuple[str, Run]:
    """A flat log: losses about a level (ln K in a third), AR(1) noise of 1 to 10 %, accuracies in half of them."""
    rng = np.random.default_rng([3, seed])
    phi, n, sd = PHI[seed % len(PHI)], ROWS[seed // len(PHI) % len(ROWS)], float(rng.choice(NOISE))
    classes = int(rng.choice([2, 10, 100]))
    at_chance = rng.random() < 1 / 3
    base = np.log(classes) if at_chance else rng.uniform(0.2, 5)
    step = np.arange(n, dtype=float)
    every = 1 if n <= 100 else max(1, n // int(rng.choice([50, 100, 300])))
    curves = {
        "train/loss": base * np.exp(noise(rng, n, "gauss", phi, sd)),
        "val/loss": base * rng.uniform(1, 1.05) * np.exp(noise(rng, n, "gauss", phi, sd * rng.uniform(0.3, 1))),
    }
    if seed % 2:
        acc = 1 / classes if at_chance else rng.uniform(0.3, 0.9)
        spread = sd * min(acc, 1 - acc)
        curves["train/acc"] = np.clip(acc + noise(rng, n, "gauss", phi, spread), 0, 1)
        curves["val/acc"] = np.clip(acc - rng.uniform(0, 0.02) + noise(rng, n, "gauss", phi, spread), 0, 1)
    return f"flat phi={phi} sd={sd} n={n}", as_log(step, curves, every)


# ---- where something does


def _rng(kind: int, seed: int) -> tuple[np.random.Generator, int, Array]:
    rng = np.random.default_rng([4, kind, seed])
    n = (25, 60, 100, 300, 1_000, 3_000)[seed % 6]
    return rng, n, np.arange(n, dtype=float)


def _rough(rng: np.random.Generator, curve: Array, sd: float) -> Array:
    return curve * np.exp(noise(rng, len(curve), "gauss", 0.3, sd))


def _every(n: int) -> int:
    return 1 if n <= 100 else max(1, n // 100)


def swinging(seed: int) -> Story:
    """Training fitted and lost again and again, or validation swinging beside a smooth training curve."""
    rng, n, step = _rng(0, seed)
    begins = 0.15 * n
    period = n / rng.uniform(6, 12)
    out = (np.sin(2 * np.pi * (step - begins) / period + rng.uniform(0, 1)) > 0.2) & (step > begins)
    first = float(step[int(np.argmax(out))])
    fit = 2.3 * np.exp(-step / (n / 30)) + 1e-3
    acc = 1 - 0.9 * np.exp(-step / (n / 30))
    low = rng.uniform(0.05, 0.3, n)
    if seed % 2:
        curves = {
            "train/loss": _rough(rng, np.where(out, rng.uniform(1.5, 3, n), fit), 0.1),
            "train/acc": np.where(out, low, acc),
            "val/loss": _rough(rng, np.where(out, rng.uniform(2, 4, n), fit + 0.5), 0.1),
            "val/acc": np.where(out, low, 0.85 * acc),
        }
    else:
        curves = {
            "train/loss": _rough(rng, fit + 0.1, 0.03),
            "train/acc": np.clip(acc - 0.03, 0, 1),
            "val/loss": _rough(rng, np.where(out, rng.uniform(2, 5, n), fit + 0.4), 0.1),
            "val/acc": np.where(out, low, 0.85 * acc),
        }
    return Story(as_log(step, curves, 1 if n <= 100 else max(1, n // 200)), "instability", first, first + 2 * period)


def twice(seed: int) -> Story:
    """Validation falls, rises to a peak and falls again, below where it was."""
    rng, n, step = _rng(1, seed if seed % 6 else seed + 1)  # in 25 rows the first descent would be one row
    peak = n * rng.uniform(0.2, 0.35)
    u = np.log((step + 1) / (peak + 1))
    bump = rng.uniform(0.5, 1.0) * np.exp(-(u**2) / 0.15)
    val = 0.8 + 1.4 * planted.sigmoid(-u, 1.3, 0.15, 0, 1) + bump - 0.4 * planted.sigmoid(u, 0.6, 0.15, 0, 1)
    top = float(step[np.argmax(np.where(np.abs(u) < 0.8, val, 0))])
    train = 0.02 + 2.2 / (1 + step / (n / 60))
    curves = {"train/loss": _rough(rng, train, 0.03), "val/loss": _rough(rng, val, 0.01)}
    if seed % 2:
        curves["train/acc"] = np.clip(1 - train / 2.4, 0, 1)
        curves["val/acc"] = np.clip(0.9 - 0.3 * val + 0.005 * rng.standard_normal(n), 0, 1)
    return Story(as_log(step, curves, _every(n)), "double_descent_peak", top, top)


def jumped(seed: int) -> Story:
    """From one row to the next the training loss stands at a higher level, and stays there."""
    rng, n, step = _rng(2, seed)
    at = round(n * rng.uniform(0.35, 0.7))
    base = 0.6 + 1.9 / (1 + step / (n / 40))
    factor = rng.uniform(1.4, 1.9)
    curve = np.where(step >= at, base * factor, base)
    curves = {"train/loss": _rough(rng, curve, 0.02)}
    if seed % 2:
        curves["val/loss"] = _rough(rng, curve * 1.05, 0.01)
    return Story(as_log(step, curves, _every(n)), "loss_jump", float(at), float(at))


def easier(seed: int) -> Story:
    """Validation better than training throughout: dropout, augmentation, or means over the epoch."""
    rng, n, step = _rng(3, seed)
    done = 1 - np.exp(-(step + 0.5) / (n / 12))
    gap = rng.uniform(0.04, 0.1)
    val = 2.3 * (1 - done) + rng.uniform(0.08, 0.15)
    train = val * rng.uniform(1.3, 1.8)
    curves = {
        "train/loss": _rough(rng, train, 0.02),
        "train/acc": np.clip((0.97 - gap) * done + 0.1 * (1 - done) + 0.004 * rng.standard_normal(n), 0, 1),
        "val/loss": _rough(rng, val, 0.02),
        "val/acc": np.clip(0.97 * done + 0.1 * (1 - done) + 0.004 * rng.standard_normal(n), 0, 1),
    }
    return Story(as_log(step, curves, _every(n)), verdicts=("healthy", "undertrained"), explained=True)


def accuracies(seed: int) -> Story:
    """No loss at all: overfitting, a late gain, a healthy run, one that stays far from fitting."""
    rng, n, step = _rng(4, seed)
    t = step / n
    rough = 0.008 * rng.standard_normal((2, n))
    train = 1 - 0.9 * np.exp(-t * 25)
    which = (seed // 6 + seed) % 4
    if which == 0:
        val = 0.85 - 0.75 * np.exp(-t * 25) - rng.uniform(0.1, 0.2) * np.clip((t - 0.25) / 0.75, 0, 1)
        says = ("overfit",)
    elif which == 1:
        train = 1 - 0.98 * np.exp(-t * 60)
        val = planted.sigmoid(t, rng.uniform(0.5, 0.65), 0.03, 0.02, 0.97)
        says = ("grokked",)
    elif which == 2:
        val = 0.93 - 0.83 * np.exp(-t * 25)
        says = ("healthy",)
    else:
        train, val = 0.55 - 0.45 * np.exp(-t * 25), 0.53 - 0.43 * np.exp(-t * 25)
        says = ("underfit",)
    curves = {"train/acc": np.clip(train + rough[0], 0, 1), "val/acc": np.clip(val + rough[1], 0, 1)}
    return Story(as_log(step, curves, _every(n)), verdicts=says)


PLANTED: dict[str, Callable[[int], Story]] = {
    "instability": swinging,
    "double descent": twice,
    "loss jump": jumped,
    "validation better": easier,
    "accuracies alone": accuracies,
}


# ---- asking


def said(run: Run) -> tuple[dict, str]:
    """The short answer, and all words of the autopsy that speak of this run."""
    warnings.simplefilter("ignore")
    try:
        whole = runopsy.analyze(run).to_dict()
    except Exception as error:  # a refusal or a fault of the product is an answer: nothing was found
        return {"verdict": f"error: {error}", "why": "", "phases": [], "events": []}, ""
    told = {k: v for k, v in whole.items() if k not in ("thresholds", "checks", "roles")}
    return short(whole), json.dumps(told)


def ask_null(asked: tuple[str, int]) -> tuple[str, list[str], bool]:
    """Name, what is raised, and whether the phases go back."""
    which, seed = asked
    name, run = null(seed) if which == "decays" else level(seed)
    got, _ = said(run)
    order = ("underfitting", "feature_learning", "fitting", "converged")
    labels = [p["label"] for p in got["phases"]]
    places = [order.index(label) if label in order else 9 for label in labels]
    raised = [e["kind"] for e in got["events"]] + (
        [] if got["verdict"] in QUIET else [f"verdict {got['verdict'][:60]}"]
    )
    return name, raised, 9 in places or places != sorted(places)


def ask_planted(asked: tuple[str, int]) -> tuple[str, str]:
    """An empty string where it is right, else what was said."""
    which, seed = asked
    story = PLANTED[which](seed)
    got, words = said(story.run)
    track = next(iter(story.run.tracks.values()))
    shown = f"{got['verdict']} ({got['why']}), {[(e['kind'], round(e['step'])) for e in got['events']]}"
    right = True
    if story.kind:
        reach = max(NEAR * story.hi, NEAR_OF_RUN * float(track.step[-1]), 1.0)
        right = any(
            e["kind"] == story.kind and story.lo - reach <= e["step"] <= story.hi + reach for e in got["events"]
        )
        shown += f", wanted at {story.lo:.0f}"
    if story.verdicts:
        right = got["verdict"] in story.verdicts and (story.explained or bool(got["phases"]))
        shown += f", wanted {'/'.join(story.verdicts)}"
    if story.explained and right:
        right = bool(EXPLAINS.search(words)) and not got["events"]
        shown += " and an explanation, without an event"
    return which, "" if right else f"{seed}: {shown}"


# ---- saying


def bins(rows: int) -> str:
    return next(f"≤ {most:,}" for most in (20, 100, 1_000, 10_000, 10**9) if rows <= most).replace(
        "≤ 1,000,000,000", "more"
    )


def table(title: str, found: list[tuple[str, list[str], bool]]) -> None:
    cells: Counter[tuple[float, str]] = Counter()
    hits: Counter[tuple[float, str]] = Counter()
    kinds: Counter[str] = Counter()
    for name, raised, _ in found:
        where = re.search(r"phi=(\S+) .*n=(\d+)", name)
        assert where
        cell = float(where[1]), bins(int(where[2]))
        cells[cell] += 1
        hits[cell] += bool(raised)
        kinds.update(set(raised))
    alarms, back = sum(bool(r) for _, r, _ in found), sum(b for _, _, b in found)
    print(
        f"\n{title}: {alarms} of {len(found)} raise an event or verdict ({100 * alarms / max(len(found), 1):.1f} %)",
        end="",
    )
    print(f"; {back} have phases out of order")
    columns = [c for c in ("≤ 20", "≤ 100", "≤ 1,000", "≤ 10,000", "more") if any(key[1] == c for key in cells)]
    print("phi \\ rows" + "".join(f"{c:>12s}" for c in columns))
    for phi in sorted({key[0] for key in cells}):
        print(f"{phi:<10g}" + "".join(f"{hits[phi, c]:>6d} / {cells[phi, c]:<3d}" for c in columns))
    for kind, times in kinds.most_common(12):
        print(f"  {times:4d}  {kind}")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--decays", type=int, default=600)
    ask.add_argument("--flat", type=int, default=300)
    ask.add_argument("--planted", type=int, default=12, help="runs of each kind")
    ask.add_argument("--first", type=int, default=0, help="the first seed")
    ask.add_argument("--jobs", type=int, default=2)
    ask.add_argument("-v", action="store_true", help="name what is wrong")
    asked = ask.parse_args()
    began = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(asked.jobs) as pool:
        for title, count in (("decays", asked.decays), ("flat", asked.flat)):
            seeds = [(title, asked.first + k) for k in range(count)]
            found = pool.map(ask_null, seeds, chunksize=8)
            table(title, found)
            if asked.v:
                print(
                    "\n".join(
                        f"    {seed} {name} {raised}"
                        for (_, seed), (name, raised, _) in zip(seeds, found, strict=True)
                        if raised
                    )
                )
        every = [(name, asked.first + k) for name in PLANTED for k in range(asked.planted)]
        answers = pool.map(ask_planted, every, chunksize=4)
    print("\nplanted            runs   recall")
    for name in PLANTED:
        mine = [wrong for which, wrong in answers if which == name]
        print(f"{name:18s} {len(mine):4d} {sum(not w for w in mine) / max(len(mine), 1):8.2f}")
        if asked.v:
            print("\n".join(f"    {wrong}" for wrong in mine if wrong))
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
