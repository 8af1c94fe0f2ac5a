"""What each threshold decides: it is multiplied and divided by 1.5, and every log at hand is examined again.

``python tests/benchmarks/bench_thresholds.py [--only NAME] [--sets SET,…]``. The sets are those of ``verdict_diff.py``
and, written as CSV, nulls and planted runs of ``bench_nulls.py``. For each threshold: how many verdicts, phases and
events change in either direction, and how many verdicts become right or wrong. What moves nothing anywhere is listed
at the end: it goes, or its reason says what it guards. A value is kept within its domain, whole numbers stay whole.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "measures"))
sys.path.insert(0, str(Path(__file__).parent))

from bench_nulls import PLANTED, QUIET, level
from logs import SHARED, Log, every
from stories import null
from verdict_diff import change
from worker import ROOT, thresholds, tuned

from runopsy.model import Run

FACTOR = 1.5
MOST_ROWS = 3_000  # of a null curve: longer ones take most of the time
WHAT = ("verdict", "phases", "events")


def as_csv(run: Run, path: Path) -> None:
    tracks = list(run.tracks.values())
    cells: dict[float, dict[str, float]] = {}
    for track in tracks:
        for step, value in zip(track.step.tolist(), track.value.tolist(), strict=True):
            cells.setdefault(step, {})[track.name] = value
    with path.open("w", newline="") as out:
        table = csv.DictWriter(out, ["step", *(t.name for t in tracks)], lineterminator="\n")
        table.writeheader()
        table.writerows(
            {"step": f"{step:g}"} | {k: f"{v:.6g}" for k, v in cells[step].items()} for step in sorted(cells)
        )


def written(folder: Path, count: int) -> list[Log]:
    """Nulls and planted runs as files."""
    found = []
    for name, make in (("decay", null), ("flat", level)):
        for seed in range(count):
            run = make(seed)[1]
            if len(run.tracks["train/loss"].step) <= MOST_ROWS:
                found.append(Log("nulls", f"{name}-{seed}.csv", folder / f"{name}-{seed}.csv", QUIET))
                as_csv(run, found[-1].path)
    for name, story in PLANTED.items():
        for seed in range(max(count // 10, 1)):
            path = folder / f"{name.replace(' ', '-')}-{seed}.csv"
            found.append(Log("planted", path.name, path, story(seed).verdicts))
            as_csv(story(seed).run, path)
    return found


def moved(one: dict, factor: float) -> float:
    """The value times the factor, within its domain; a whole number moves by one at least."""
    new = one["value"] * factor
    if isinstance(one["value"], int):
        new = round(new) if round(new) != one["value"] else one["value"] + (1 if factor > 1 else -1)
    return min(max(new, one.get("low", new)), one.get("high", new))


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--only", default="", help="thresholds whose name holds this")
    ask.add_argument("--sets", default="labelled,epochs,cases,samples,public,nulls,planted")
    ask.add_argument("--nulls", type=int, default=40, help="of either kind; a tenth as many planted ones of each")
    ask.add_argument("--src", type=Path, default=ROOT / "src")
    ask.add_argument("--shared", type=Path, default=SHARED)
    ask.add_argument("--jobs", type=int, default=2)
    asked = ask.parse_args()
    began = time.perf_counter()
    table = [one for one in thresholds(asked.src) if asked.only in one["name"]]
    values = [(one, moved(one, factor)) for one in table for factor in (1 / FACTOR, FACTOR)]
    with tempfile.TemporaryDirectory() as scratch:
        logs = [
            log
            for log in [*every(asked.shared), *written(Path(scratch), asked.nulls)]
            if log.group in asked.sets.split(",")
        ]
        overrides = [None, *({one["name"]: value} for one, value in values)]
        found = tuned([log.path for log in logs], overrides, asked.src, asked.jobs)
    print(f"{len(table)} thresholds, {len(logs)} logs: {dict(Counter(log.group for log in logs))}")
    print("\nverdicts / phases / events that change (+ now right, - now wrong)")
    print(f"{'threshold':34s} {'value':>9s}   {'divided by 1.5':26s}   multiplied by 1.5")
    idle = []
    for k, one in enumerate(table):
        sides = ([answers[1 + 2 * k + side] for answers in found] for side in (0, 1))
        cells = [counted(logs, [answers[0] for answers in found], side) for side in sides]
        name = one["name"]
        print(f"{name:34s} {one['value']:9.4g}   {cells[0]:26s}   {cells[1]}")
        if cells == [NOTHING, NOTHING]:
            idle.append((name, one.get("reason", "")))
    print(f"\n{len(idle)} of {len(table)} move nothing anywhere")
    for name, reason in idle:
        print(f"  {name:34s} {reason}")
    print(f"{time.perf_counter() - began:.0f} s")


NOTHING = "-"


def counted(logs: list[Log], before: list[dict], after: list[dict]) -> str:
    changes = [c for c in map(change, logs, before, after) if c]
    if not changes:
        return NOTHING
    tally = Counter("verdict" if word == "read" else word for c in changes for word in c.what)
    turns = Counter((c.log.right(c.before.get("verdict")), c.log.right(c.after.get("verdict"))) for c in changes)
    return f"{' / '.join(str(tally[w]) for w in WHAT)}  (+{turns[False, True]} -{turns[True, False]})"


if __name__ == "__main__":
    main()
