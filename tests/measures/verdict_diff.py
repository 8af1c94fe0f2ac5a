"""What a change of the code changes: whose verdict, phases or events, and by which fact.

``python tests/measures/verdict_diff.py [BASE [NEW]]``: BASE is a commit (the merge base with main unless told), NEW
another (the working tree unless told). Every log at hand is examined by both, in one process each; what a version
said is kept in ``build/verdict-diff`` by the content of its ``src`` and of the worker, so that a version is asked once.
``--only SET`` looks at one set (labelled, epochs, cases, samples, public, sweeps), ``-q`` prints the tables alone.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from logs import ORDER, SHARED, Log, every
from worker import ROOT, autopsies

CACHE = ROOT / "build" / "verdict-diff"
MOVED, MOVED_OF_RUN = 0.12, 0.02  # of the step and of the run: a bound or an event that moved by less stayed


@dataclass(frozen=True)
class Change:
    """One log of which the two versions say different things."""

    log: Log
    before: dict
    after: dict
    what: tuple[str, ...]  # of "read", "verdict", "phases", "events"
    gone: tuple[dict, ...] = ()  # events
    new: tuple[dict, ...] = ()


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def tree_of(commit: str, into: Path) -> Path:
    """The ``src`` of a commit, written out."""
    packed = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(into, filter="data")
    return into / "src"


def digest(src: Path) -> str:
    """A name for the content of a source tree and of what asks it."""
    found = hashlib.sha256()
    for path in [*sorted(src.rglob("*.py")), Path(__file__).parent / "worker.py"]:
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def content(path: Path) -> str:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    found = hashlib.sha256(str(path).encode())
    for one in files:
        found.update(one.read_bytes())
    return found.hexdigest()[:16]


def asked(src: Path, logs: Sequence[Log], jobs: int) -> list[dict]:
    """What this version says of each log: from the cache, or asked now."""
    CACHE.mkdir(parents=True, exist_ok=True)
    kept = CACHE / f"{digest(src)}.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    keys = [content(log.path) for log in logs]
    missing = [k for k, key in enumerate(keys) if key not in known]
    if missing:
        found = autopsies([logs[k].path for k in missing], src, jobs)
        known |= {keys[k]: one for k, one in zip(missing, found, strict=True)}
        kept.write_text(json.dumps(known))
    return [known[key] for key in keys]


def near(got: dict, one: float, other: float) -> bool:
    return abs(one - other) <= max(MOVED * max(abs(one), abs(other)), MOVED_OF_RUN * (got["last"] - got["first"]))


def same_phases(one: dict, other: dict) -> bool:
    labels = [[p["label"] for p in got["phases"]] for got in (one, other)]
    return labels[0] == labels[1] and all(
        near(one, p["start"], q["start"]) for p, q in zip(one["phases"], other["phases"], strict=True)
    )


def only_in(one: dict, other: dict) -> tuple[dict, ...]:
    """Events of the first that the second has not, each matched once."""
    left = list(other["events"])
    gone = []
    for event in one["events"]:
        match = next((e for e in left if e["kind"] == event["kind"] and near(one, e["step"], event["step"])), None)
        left.remove(match) if match else gone.append(event)
    return tuple(gone)


def change(log: Log, before: dict, after: dict) -> Change | None:
    if "error" in before or "error" in after:
        both = "error" in before and "error" in after
        return None if both else Change(log, before, after, ("read",))
    gone, new = only_in(before, after), only_in(after, before)
    what = [
        *(["verdict"] if before["verdict"] != after["verdict"] else []),
        *(["phases"] if not same_phases(before, after) else []),
        *(["events"] if gone or new else []),
    ]
    return Change(log, before, after, tuple(what), gone, new) if what else None


# ---- saying it


def mark(log: Log, before: dict, after: dict) -> str:
    one, other = (log.right(got.get("verdict")) for got in (before, after))
    if one is None or one == other:
        return "" if one is None else ("  (right as before)" if one else "  (wrong as before)")
    return "  (now RIGHT)" if other else "  (now WRONG)"


def spoken(phases: list[dict]) -> str:
    return " ".join(f"{p['label'][:5]}@{p['start']:g}" for p in phases) or "none"


def tell(one: Change) -> None:
    log, before, after = one.log, one.before, one.after
    print(f"\n{log.group}/{log.name}: {', '.join(one.what)}")
    if "read" in one.what:
        for word, got in (("before", before), ("now", after)):
            print(f"  {word:7s}{got.get('error') or got['verdict'] + ' · ' + got['why']}")
        return
    if "verdict" in one.what:
        print(f"  verdict {before['verdict']} → {after['verdict']}{mark(log, before, after)}")
        print(f"    before: {before['why']}\n    now:    {after['why']}")
    if "phases" in one.what:
        print(f"  phases  {spoken(before['phases'])}\n       →  {spoken(after['phases'])}")
    for sign, events in (("-", one.gone), ("+", one.new)):
        for event in events:
            print(f"  {sign} {event['kind']} at {event['step']:g}: {event['says']}")


def plain(why: str) -> str:
    """A reason without its figures and names, so that the same reason counts as one."""
    return re.sub(r"'[^']*'", "…", re.sub(r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?", "…", why))


def share(found: list[dict], verdict: str) -> str:
    return f"{100 * sum(got.get('verdict') == verdict for got in found) / max(len(found), 1):.0f} %"


def tables(logs: list[Log], before: list[dict], after: list[dict], changes: list[Change]) -> None:
    print("\nset        logs  read       verdicts right    inconclusive    changed: verdict  phases  events")
    for group in ORDER:
        rows = [k for k, log in enumerate(logs) if log.group == group]
        if not rows:
            continue
        one, other = [before[k] for k in rows], [after[k] for k in rows]
        here = Counter(word for c in changes if c.log.group == group for word in c.what)
        known = [k for k in rows if logs[k].right("") is not None]
        right = [sum(bool(logs[k].right(found[k].get("verdict"))) for k in known) for found in (before, after)]
        read = [sum("error" not in got for got in found) for found in (one, other)]
        print(
            f"{group:10s} {len(rows):4d}  {read[0]:3d} → {read[1]:3d}  {right[0]:3d} → {right[1]:3d} of {len(known):3d}"
            f"  {share(one, 'inconclusive'):>5s} → {share(other, 'inconclusive'):5s}"
            f"  {here['verdict'] + here['read']:16d} {here['phases']:7d} {here['events']:7d}"
        )
    turns = Counter(
        (c.before["verdict"], plain(c.before["why"]), c.after["verdict"], plain(c.after["why"]))
        for c in changes
        if "verdict" in c.what
    )
    if turns:
        print("\nverdicts, by what was said")
    for (old, why_old, new, why_new), times in turns.most_common():
        print(f"{times:4d}  {old} ({why_old}) → {new} ({why_new})")
    kinds = Counter(("-", e["kind"]) for c in changes for e in c.gone) + Counter(
        ("+", e["kind"]) for c in changes for e in c.new
    )
    if kinds:
        print("\nevents gone (-) and new (+)")
    for (sign, kind), times in sorted(kinds.items(), key=lambda item: (item[0][1], item[0][0])):
        print(f"{times:4d}  {sign} {kind}")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("base", nargs="?", help="a commit; the merge base with main unless told")
    ask.add_argument("new", nargs="?", help="a commit; the working tree unless told")
    ask.add_argument("--only", default="", help="one set of logs")
    ask.add_argument("--shared", type=Path, default=SHARED)
    ask.add_argument("--jobs", type=int, default=2)
    ask.add_argument("-q", action="store_true", help="the tables alone")
    given = ask.parse_args()
    base = git("rev-parse", "--short", given.base or git("merge-base", "main", "HEAD"))
    logs = [log for log in every(given.shared) if given.only in ("", log.group)]
    with tempfile.TemporaryDirectory() as folder:
        old = tree_of(base, Path(folder) / "old")
        src = tree_of(given.new, Path(folder) / "new") if given.new else ROOT / "src"
        before, after = asked(old, logs, given.jobs), asked(src, logs, given.jobs)
    found = [change(*three) for three in zip(logs, before, after, strict=True)]
    changes = [one for one in found if one]
    print(f"{len(logs)} logs, {base} → {given.new or 'the working tree'}: {len(changes)} changed")
    if not given.q:
        for one in changes:
            tell(one)
    tables(logs, before, after, changes)


if __name__ == "__main__":
    main()
