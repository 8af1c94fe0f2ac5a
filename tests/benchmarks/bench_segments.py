"""How often the examination cries wolf, how often it misses, and how near it is.

``python tests/benchmarks/bench_segments.py [N] [FIRST] [-v]``: N curves of either kind, 600 unless told; -v names
what is wrong. Seeds count from FIRST on: from 0, where the places of events were tuned, unless told. Null curves
are smooth decays that a reader calls one passage (underfitting, feature learning, converged) with no event in it;
positives carry one planted story each (``stories.py``).
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from stories import Story, null, positive

import runopsy
from runopsy.model import Event, Run

PASSAGE = ("underfitting", "feature_learning", "converged")
NEAR, NEAR_OF_RUN = (
    0.15,
    0.02,
)  # of the step, and of the run, within which an event is the planted one


def alarms(run: Run) -> tuple[str, ...]:
    """What is said of a null run that should not be."""
    autopsy = runopsy.analyze(run)
    labels = [p.label for p in autopsy.phases]
    said = [f"{e.kind}" for e in autopsy.events]
    if labels != sorted(set(labels), key=labels.index) or any(label not in PASSAGE for label in labels):
        said.append("labels " + ">".join(label[:4] for label in labels))
    elif labels != sorted(labels, key=PASSAGE.index):
        said.append("order " + ">".join(label[:4] for label in labels))
    return tuple(said)


def bench_null(seeds: range) -> None:
    wrong: Counter[str] = Counter()
    hit = 0
    for seed in seeds:
        name, run = null(seed)
        found = alarms(run)
        hit += bool(found)
        wrong.update(found)
        if found and "-v" in sys.argv:
            print("  ", seed, name, found)
    print(f"null curves: {hit} of {len(seeds)} raise an alarm ({100 * hit / len(seeds):.1f} %)")
    for what, times in wrong.most_common(12):
        print(f"  {times:4d}  {what}")


@dataclass
class Tally:
    """What became of the planted events of one kind of story."""

    planted: int = 0
    extra: int = 0
    errors: list[float] = field(default_factory=list)  # of n
    held: list[bool] = field(default_factory=list)  # of each interval that was given: whether the planted step is in it
    widths: list[float] = field(default_factory=list)  # of n
    rows: int = 0  # intervals no wider than the distance of two logged values: nothing narrower can be said

    def add(self, story: Story, events: list[Event]) -> None:
        left = list(events)
        n = story.run.tracks["train/loss"].step[-1]
        for kind, at in story.events:
            self.planted += 1
            reach = max(NEAR * at, NEAR_OF_RUN * n)
            match = next((e for e in left if e.kind == kind and abs(e.step - at) <= reach), None)
            if match is None:
                continue
            left.remove(match)
            self.errors.append(abs(match.step - at) / n)
            if match.interval is not None:
                low, high = match.interval
                self.held.append(low <= at <= high)
                self.widths.append((high - low) / n)
                self.rows += high - low <= (match.resolution or 0.0)
        self.extra += sum(e.kind not in story.fair for e in left)

    def line(self, name: str) -> str:
        found, given = len(self.errors), len(self.held)
        recall, precision = found / max(self.planted, 1), found / max(found + self.extra, 1)
        coverage = float(np.mean(self.held or [np.nan]))
        median, width = (100 * float(np.median(of or [np.nan])) for of in (self.errors, self.widths))
        return (
            f"{name:14s} {self.planted:5d} {recall:7.3f} {precision:10.3f} {median:8.2f} % {coverage:9.3f}"
            f" {width:8.2f} % {found - given:11d} {self.rows / max(given, 1):7.2f}"
        )


def bench_positive(seeds: range) -> None:
    tallies: dict[str, Tally] = {}
    everything = Tally()
    for seed in seeds:
        story = positive(seed)
        events = list(runopsy.analyze(story.run).events)
        for tally in (tallies.setdefault(story.name, Tally()), everything):
            tally.add(story, events)
        told = [(e.kind, e.step) for e in events if e.kind not in story.fair]
        if "-v" in sys.argv and [k for k, _ in told] != [k for k, _ in story.events]:
            print("  ", seed, story.name, story.events, "told", told)
    print("planted            n  recall  precision    error  coverage     width  unresolved  at row")
    for name, tally in tallies.items():
        print(tally.line(name))
    print(everything.line("all"))
    print("error and width are medians, of n; at row: share of intervals that only say between which rows it is")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    count, first = (*numbers, *(600, 0)[len(numbers) :])
    seeds = range(first, first + count)
    began = time.perf_counter()
    if "-p" not in sys.argv:  # positives only
        bench_null(seeds)
    bench_positive(seeds)
    print(f"{time.perf_counter() - began:.0f} s")
