"""Many logs examined by one version of the product: what the measures share.

As a script, ``PYTHONPATH=SRC python worker.py JOBS < asked.json``: a list of ``[path, thresholds or null]`` on
standard input, one JSON object per line on standard output, in the same order. ``autopsies`` runs it as a process of
its own, so that any version of the product can be asked.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
RENAMED = {  # kinds of events, old names to those of today
    "transition": "loss_drop",
    "suspect": "metric_anomaly",
    "unconfirmed_change": "level_shift",
    "departure": "baseline_departure",
    "first_mover": "leading_signal",
}
Asked = tuple[str, Mapping[str, float] | None]


def autopsies(
    paths: Sequence[Path],
    src: Path = ROOT / "src",
    jobs: int = 2,
    thresholds: Sequence[Mapping[str, float] | None] = (),
) -> list[dict]:
    """What the version in ``src`` says of each log, as its JSON has it; ``{"error": …}`` where it refuses or fails."""
    given = thresholds or [None] * len(paths)
    asked = json.dumps([[str(p.resolve()), t] for p, t in zip(paths, given, strict=True)])
    env = {**os.environ, "PYTHONPATH": str(src.resolve()), "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, str(Path(__file__)), str(jobs)]
    done = subprocess.run(command, input=asked, env=env, capture_output=True, text=True, check=False, cwd="/")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    if len(found) != len(paths):
        raise SystemExit(f"the worker stopped after {len(found)} of {len(paths)} logs:\n{done.stderr[-2000:]}")
    return found


def examine(asked: Asked) -> dict:
    """One log. Whatever goes wrong is an answer too: the measures count it."""
    path, thresholds = asked
    import runopsy

    warnings.simplefilter("ignore")
    try:
        more = {"thresholds": thresholds} if thresholds else {}
        return short(runopsy.analyze(path, **more).to_dict())
    except Exception as error:  # a measure goes on after a failure, and tells it
        return {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]}


def short(autopsy: dict) -> dict:
    """What the measures ask: verdict, phases and events, with the reason and the first evidence of each."""
    return {
        "verdict": autopsy["verdict"],
        "why": autopsy.get("verdict_why") or "",
        "x": autopsy["run"]["x"],
        "first": autopsy["run"]["first"],
        "last": autopsy["run"]["last"],
        "phases": [{k: p[k] for k in ("label", "start", "end")} for p in autopsy["phases"]],
        "events": [
            {"kind": RENAMED.get(e["kind"], e["kind"]), "step": e["step"], "says": says(e)} for e in autopsy["events"]
        ],
        "roles": autopsy.get("roles") or {},
    }


def says(event: dict) -> str:
    """The first evidence of an event, whatever form it has."""
    evidence: Iterable[object] = event.get("evidence") or ()
    if isinstance(evidence, Mapping):
        evidence = [{"says": f"{k}: {v}"} for k, v in evidence.items()]
    for one in evidence:
        if isinstance(one, Mapping) and (text := one.get("says") or one.get("name")):
            return str(text)[:160]
    return ""


def main() -> None:
    asked: list[Asked] = [(path, thresholds) for path, thresholds in json.load(sys.stdin)]
    jobs = int(sys.argv[1])
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for found in pool.imap(examine, asked, chunksize=4):
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
