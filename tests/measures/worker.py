"""Many logs examined by one version of the product: what the measures share.

As a script, ``PYTHONPATH=SRC python worker.py JOBS < asked.json``: a list of ``[path, overrides]`` on standard input,
one JSON list per line on standard output, in the same order, with an answer for each override (threshold → value, or
null). ``autopsies`` and ``tuned`` run it as a process of its own, so that any version of the product can be asked.
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
Override = Mapping[str, float] | None
Asked = tuple[str, Sequence[Override]]


def autopsies(paths: Sequence[Path], src: Path = ROOT / "src", jobs: int = 2) -> list[dict]:
    """What the version in ``src`` says of each log, as its JSON has it; ``{"error": …}`` where it refuses or fails."""
    return [found[0] for found in tuned(paths, [None], src, jobs)]


def tuned(
    paths: Sequence[Path], overrides: Sequence[Override], src: Path = ROOT / "src", jobs: int = 2
) -> list[list[dict]]:
    """The same for each log and each set of thresholds."""
    answers = _run(src, [str(jobs)], json.dumps([[str(p.resolve()), list(overrides)] for p in paths])).splitlines()
    if len(answers) != len(paths):
        raise SystemExit(f"the worker stopped after {len(answers)} of {len(paths)} logs")
    return [json.loads(line) for line in answers]


def thresholds(src: Path = ROOT / "src") -> list[dict]:
    """Every threshold of a version: name, value, unit, domain, reason, source."""
    return json.loads(_run(src, ["--thresholds"], ""))


def _run(src: Path, words: list[str], said: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(src.resolve()), "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, str(Path(__file__)), *words]
    done = subprocess.run(command, input=said, env=env, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise SystemExit(f"the worker failed:\n{done.stderr[-2000:]}")
    return done.stdout


def listed() -> list[dict]:
    """In the worker: the thresholds of the version that is imported."""
    from dataclasses import asdict

    from runopsy.thresholds import THRESHOLDS

    return [asdict(one) for one in THRESHOLDS]


def examine(asked: Asked) -> list[dict]:
    """One log, read once. Whatever goes wrong is an answer too: the measures count it."""
    path, overrides = asked
    import runopsy

    warnings.simplefilter("ignore")
    try:
        run = runopsy.read(path)
    except Exception as error:  # a refusal, or a failure: a measure goes on after it, and tells it
        return [_failed(error)] * len(overrides)
    return [_examined(run, override) for override in overrides]


def _examined(run: object, override: Override) -> dict:
    import runopsy

    try:
        more = {"thresholds": override} if override else {}
        return short(runopsy.analyze(run, **more).to_dict())
    except Exception as error:  # as above
        return _failed(error)


def _failed(error: Exception) -> dict:
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
    if sys.argv[1] == "--thresholds":
        print(json.dumps(listed()))
        return
    asked: list[Asked] = [(path, overrides) for path, overrides in json.load(sys.stdin)]
    with multiprocessing.get_context("spawn").Pool(int(sys.argv[1])) as pool:
        for found in pool.imap(examine, asked, chunksize=4):
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
