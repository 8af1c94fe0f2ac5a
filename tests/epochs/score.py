"""Scores the product on small real trainings that were logged once per epoch.

``python tests/epochs/score.py [--sealed] [--src SRC] [-v]``. Figures, by family: verdict (share accepted; a refusal
and ``inconclusive`` where the truth has a verdict count as wrong), phase (mean over runs of the share of the scored
rows with an accepted label; half by row, half by the logarithm of the row), recall and precision of events.

``--sealed`` scores the sealed half, prints its total alone unless ``--by-family`` is given, and adds a line to
``sealed/opened.csv``: how often the seal was opened is one of the figures.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import math
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "measures"))

from worker import ROOT, autopsies

HERE = Path(__file__).parent
WHERE_LISTED = {"loss_drop", "lr_change"}  # cost nothing on runs for which none is listed
SCORED = {
    *("grokking", "memorization_onset", "double_descent_peak", "divergence", "loss_spike", "lr_change", "loss_drop"),
    *("instability", "not_finite", "loss_jump", "data_change", "resume", "level_shift", "metric_anomaly"),
}
NEAR, NEAR_OF_RUN, NEAR_ROWS = (
    0.15,
    0.02,
    1.0,
)  # of the step, of the run, and rows, by which an event may miss its place


@dataclass(frozen=True)
class Score:
    """One run: phase share, events, and whether its verdict is accepted."""

    family: str
    phase: float | None
    found: int
    true: int
    reported: int
    matched: int
    verdict: bool
    inconclusive: bool


def in_epochs(truth: dict, got: dict, at: float) -> float:
    """A place on the product's axis, in epochs done."""
    offset, per = truth["axes"].get(got["x"], truth["axes"]["epoch"])
    return (at - offset) / per


def phase_share(truth: dict, got: dict) -> float | None:
    if all(labels is None for labels in truth["labels"]):
        return None
    spans = [(p["label"], in_epochs(truth, got, p["start"]), in_epochs(truth, got, p["end"])) for p in got["phases"]]
    shares = []
    for weight in (lambda t: 1.0, lambda t: math.log((t + 1) / t)):
        right = whole = 0.0
        for t, labels in enumerate(truth["labels"], start=1):
            if labels is None:
                continue
            whole += weight(t)
            said = [label for k, (label, a, b) in enumerate(spans) if a <= t < b or (k == len(spans) - 1 and t >= a)]
            right += weight(t) * (bool(said) and said[-1] in labels)
        shares.append(right / whole)
    return sum(shares) / 2


def judge(truth: dict, got: dict) -> Score:
    listed = truth["events"]
    must = [e for e in listed if not e["optional"]]
    if "error" in got:
        return Score(truth["family"], 0.0, 0, len(must), 0, 0, verdict=False, inconclusive=False)
    kinds = {e["kind"] for e in listed}
    told = [(e["kind"], in_epochs(truth, got, e["step"])) for e in got["events"]]
    told = [(kind, t) for kind, t in told if kind in SCORED]
    told = [(kind, t) for kind, t in told if kind in kinds or kind not in {*WHERE_LISTED, *truth["neutral"]}]
    used: set[int] = set()
    found = 0
    for event in listed:
        reach = max(NEAR * event["step"], NEAR_OF_RUN * truth["end"], NEAR_ROWS)
        for k, (kind, t) in enumerate(told):
            if k not in used and kind == event["kind"] and event["lo"] - reach <= t <= event["hi"] + reach:
                used.add(k)
                found += not event["optional"]
                break
    verdict = got["verdict"]
    accepted = verdict in truth["verdict"]
    undecided = verdict == "inconclusive" and not accepted
    return Score(
        truth["family"],
        phase_share(truth, got),
        found,
        len(must),
        len(told),
        len(used),
        accepted,
        inconclusive=undecided,
    )


def line(name: str, scores: list[Score]) -> str:
    phases = [s.phase for s in scores if s.phase is not None]
    true, told = sum(s.true for s in scores), sum(s.reported for s in scores)
    recall = sum(s.found for s in scores) / true if true else float("nan")
    precision = sum(s.matched for s in scores) / told if told else float("nan")
    return (
        f"{name:16s} {len(scores):5d} {sum(s.verdict for s in scores) / len(scores):8.2f} "
        f"{sum(s.inconclusive for s in scores):7d} {sum(phases) / max(len(phases), 1):7.2f} "
        f"{recall:7.2f} {true:5d} {precision:10.2f} {told:9d}"
    )


def write_down(commit: str, scores: list[Score], why: str) -> None:
    """A look at the sealed half is a line in a file."""
    path = HERE / "sealed" / "opened.csv"
    fresh = not path.exists()
    with path.open("a", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        if fresh:
            table.writerow(["date", "code", "why", "runs", "verdicts right"])
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M")
        table.writerow([now, commit, why, len(scores), sum(s.verdict for s in scores)])


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--sealed", action="store_true")
    ask.add_argument("--drawn", action="store_true", help="the 200 recipes drawn at random")
    ask.add_argument("--by-family", action="store_true", help="of the sealed half too")
    ask.add_argument("--why", default="", help="why the sealed half is looked at")
    ask.add_argument("--src", type=Path, default=ROOT / "src")
    ask.add_argument("--jobs", type=int, default=2)
    ask.add_argument("--json", type=Path)
    ask.add_argument("-v", action="store_true", help="what is wrong, run by run (never of the sealed half)")
    asked = ask.parse_args()
    folder = HERE / ("sealed" if asked.sealed else "drawn" if asked.drawn else "")
    truths = json.loads((folder / "truth.json").read_text())
    found = autopsies([folder / "logs" / t["file"] for t in truths], asked.src, asked.jobs)
    scores = [judge(t, got) for t, got in zip(truths, found, strict=True)]
    if asked.sealed:
        git = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=asked.src, capture_output=True, text=True, check=False
        )
        write_down(git.stdout.strip() or "unknown", scores, asked.why)
    families: dict[str, list[Score]] = defaultdict(list)
    for s in scores:
        families[s.family].append(s)
    print("family            runs  verdict  incon.   phase  recall  true  precision  reported")
    if not asked.sealed or asked.by_family:
        for family, some in sorted(families.items()):
            print(line(family, some))
    print(line("all", scores))
    if asked.v and not asked.sealed:
        for t, got, s in zip(truths, found, scores, strict=True):
            explain(t, got, s)
    if asked.json:
        asked.json.write_text(
            json.dumps([s.__dict__ | {"file": t["file"]} for s, t in zip(scores, truths, strict=True)], indent=1)
        )


def explain(truth: dict, got: dict, score: Score) -> None:
    """Said and wanted, where they differ."""
    clean = score.verdict and score.found == score.true and score.reported == score.matched
    if clean and (score.phase is None or score.phase > 0.85):
        return
    print(f"\n{truth['file']}: verdict {'ok' if score.verdict else 'WRONG'}, phase {score.phase}")
    if "error" in got:
        print("  refused:", got["error"])
        return
    print("  said  ", got["verdict"], "·", got["why"])
    phases = [(p["label"], round(in_epochs(truth, got, p["start"]), 1)) for p in got["phases"]]
    print("        ", phases, [(e["kind"], round(in_epochs(truth, got, e["step"]), 1)) for e in got["events"]])
    print(
        "  wanted",
        truth["verdict"],
        [(e["kind"], e["lo"], e["hi"], "optional" * e["optional"]) for e in truth["events"]],
    )
    runs: list[tuple[object, int]] = []
    for t, labels in enumerate(truth["labels"], start=1):
        if not runs or runs[-1][0] != labels:
            runs.append((labels, t))
    print("        ", runs)


if __name__ == "__main__":
    main()
