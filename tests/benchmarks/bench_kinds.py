"""Recall and false alarms of every kind of event, as the manual prints them: ``make figures-of-kinds``.

``python tests/benchmarks/bench_kinds.py [--runs 20] [--nulls 60] [-o docs/figures-of-kinds.json] [-v]``. Recall: the
share of planted runs (``kinds_planted.py``) whose event is found, no further from its place than 15 % of the step or
3 % of the run. False alarms: the share of runs without any event in which the kind is found, among those in which its
rule could be asked; the runs are the smooth decays of ``bench_segments.py`` and runs with everything recorded.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from stories import null

import runopsy
from kinds_planted import PLANTED, draw, nothing
from runopsy.kinds import KINDS
from runopsy.model import Run
from runopsy.rules import PRESETS
from runopsy.standards import Standards

NEAR, NEAR_OF_RUN = 0.15, 0.03  # of the step and of the run, by which an event may miss its place
RULES = {rule.code: rule for preset in PRESETS.values() for rule in preset}


def found(asked: tuple[str, int]) -> tuple[str, int, str]:
    """(kind, seed, what was found instead: empty where the event was found)."""
    kind, seed = asked
    warnings.simplefilter("ignore")
    story = draw(kind, seed)
    autopsy = runopsy.analyze(story.run, standards=Standards(rules=PRESETS[story.rules]))
    reach = max(NEAR * story.hi, NEAR_OF_RUN * (autopsy.last - autopsy.first), 1.0)
    events = [(event.kind, round(event.step)) for event in autopsy.events]
    hit = any(name == kind and story.lo - reach <= step <= story.hi + reach for name, step in events)
    why = next((c.why for c in autopsy.checks if kind in RULES[c.code].kinds and c.why), "")
    return kind, seed, "" if hit else f"wanted at {story.lo:.0f}, found {events} {why}"


def alarms(asked: tuple[str, int]) -> tuple[list[str], list[str]]:
    """(kinds whose rule was asked, kinds that were found) in a run without events."""
    which, seed = asked
    warnings.simplefilter("ignore")
    run: Run = null(seed)[1] if which == "decay" else nothing(seed)
    asked_kinds: set[str] = set()
    raised: set[str] = set()
    for rules in PRESETS.values():
        autopsy = runopsy.analyze(run, standards=Standards(rules=rules))
        asked_kinds |= {kind for c in autopsy.checks if c.outcome != "not_checked" for kind in RULES[c.code].kinds}
        raised |= {event.kind for event in autopsy.events}
    return sorted(asked_kinds), sorted(raised)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--runs", type=int, default=20, help="planted runs of each kind")
    ask.add_argument("--nulls", type=int, default=60, help="runs without events, of either family")
    ask.add_argument("--jobs", type=int, default=2)
    ask.add_argument("-o", "--output", type=Path)
    ask.add_argument("-v", action="store_true", help="name what is wrong")
    asked = ask.parse_args()
    began = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(asked.jobs) as pool:
        hits = pool.map(found, [(kind, seed) for kind in PLANTED for seed in range(asked.runs)], chunksize=4)
        nulls = pool.map(
            alarms, [(which, 10_000 + s) for which in ("decay", "recorded") for s in range(asked.nulls)], chunksize=4
        )
    right = Counter(kind for kind, _, wrong in hits if not wrong)
    could = Counter(kind for could_be, _ in nulls for kind in could_be)
    raised = Counter(kind for _, kinds in nulls for kind in kinds)
    figures = {
        kind: {"planted": asked.runs, "found": right[kind], "asked": could[kind], "alarms": raised[kind]}
        for kind in KINDS
    }
    print(f"{'kind':22s}{'recall':>10s}{'false alarms':>16s}")
    for kind, n in figures.items():
        print(f"{kind:22s}{n['found']:>5d} / {n['planted']:<3d}{n['alarms']:>8d} / {n['asked']:<3d}")
    if asked.v:
        print("\n".join(f"{kind} {seed}: {wrong}" for kind, seed, wrong in hits if wrong))
    if asked.output:
        content = {"version": runopsy.__version__, "kinds": figures}
        asked.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
