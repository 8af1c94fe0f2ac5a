"""The cases again, each changed in a way that a careful reader would not mind.

``python tests/measures/perturb.py [--cases DIR] [--kinds curves,…] [--cmd "runopsy"]``: each case as it is, then with
its losses x 3, with every second row, with its columns renamed in another tool's words and reordered, and with its
axis shifted. A case that cannot be changed faithfully is left out there, and the unperturbed figure beside it counts
the same cases. Exit code 1 where a change costs more than ``--at-most`` points (2).

Verdict, events and phases are asked, of the unperturbed cases too; words, values, roles and spans are not, for some
rest on the scale, the rows or the names themselves (three times ln 10 is no chance any more). A grokking is late by a
ratio of steps: there the axis moves by one row only.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
KINDS = "curves,chance,numbers,resume,short"
NUMBER = r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?"
LOSS = re.compile(rf"(?i)(loss[\w]*['\"]?\s*[:=]?\s*['\"]?)({NUMBER})(?![\w.])")
HEADING = re.compile(r"(?i)^\s*epoch \d+/\d+")
AXES = ("step", "epoch", "global_step", "iter")
NOT_ASKED = ("says", "never_says", "values", "roles", "span", "axis")
PATIENCE = 300  # seconds: how long it takes is asked elsewhere
FEWEST = 16  # rows: a shorter log has nothing to spare
ROWS, SHARE = 10, 0.25  # by which the axis moves: rows, at most this share of the run
Table = tuple[list[str], list[list[str]]]
Answer = dict
Changed = tuple[str, Answer] | None


def read_csv(text: str) -> Table:
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    return rows[0], rows[1:]


def write_csv(header: list[str], rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def without(answer: Answer, *keys: str) -> Answer:
    return {k: v for k, v in answer.items() if k not in keys}


# ---- losses x 3


def times_three(text: str) -> str:
    """A printed number x 3, with as many digits behind its point."""
    value = number(text)
    if not math.isfinite(value):
        return text
    if "e" in text.lower():
        return f"{3 * value:.6g}"
    return f"{3 * value:.{len(text.split('.')[1]) if '.' in text else 0}f}"


def scaled(path: str, text: str, answer: Answer) -> Changed:
    if not path.endswith(".csv"):
        new = LOSS.sub(lambda m: m[1] + times_three(m[2]), text)
        return None if new == text else (new, answer)
    header, rows = read_csv(text)
    which = [k for k, name in enumerate(header) if "loss" in name.lower()]
    if not which:
        return None
    return write_csv(header, [[times_three(c) if k in which else c for k, c in enumerate(row)] for row in rows]), answer


# ---- every second row


def halves(marks: list[float], groups: list[object]) -> list[bool]:
    """Every second row of each group of rows that hold the same columns; of the two halves the one with the highest."""
    seen: dict[object, int] = defaultdict(int)
    parity = []
    for group in groups:
        parity.append(seen[group] % 2)
        seen[group] += 1
    highest = max(range(len(marks)), key=lambda k: math.inf if math.isnan(marks[k]) else marks[k])
    return [p == parity[highest] for p in parity]


def blocks(text: str) -> list[str]:
    """The readings of a console: a heading with what follows it, or each line that holds a loss."""
    lines = text.splitlines(keepends=True)
    headed = sum(bool(HEADING.match(line)) for line in lines) >= 3
    found: list[str] = []
    for line in lines:
        begins = HEADING.match(line) if headed else LOSS.search(line)
        if begins or not found:
            found.append(line)
        else:
            found[-1] += line
    return found


def thinned(path: str, text: str, answer: Answer) -> Changed:
    if path.endswith(".csv"):
        header, rows = read_csv(text)
        which = [k for k, name in enumerate(header) if "loss" in name.lower()] or [len(header) - 1]
        marks = [number(row[which[0]]) if row[which[0]] else -math.inf for row in rows]
        keep = halves(marks, [tuple(bool(c) for c in row) for row in rows])
        new = write_csv(header, [row for row, kept in zip(rows, keep, strict=True) if kept])
        return (new, answer) if len(rows) >= FEWEST else None
    parts = blocks(text)
    found = [LOSS.search(part) for part in parts]
    if sum(f is not None for f in found) < FEWEST:
        return None
    keep = halves([number(f[2]) if f else -math.inf for f in found], [f is None for f in found])
    return "".join(p for p, f, kept in zip(parts, found, keep, strict=True) if kept or f is None), answer


# ---- another tool's words

OTHER_WORDS = {  # (side, quantity) of a column → the words of a table that says it otherwise
    ("train", "loss"): ("loss", "training_loss"),
    ("train", "acc"): ("accuracy", "train_accuracy"),
    ("val", "loss"): ("val_loss", "validation_loss"),
    ("val", "acc"): ("val_accuracy", "valid_acc"),
}
OTHER_TEXT = (
    (r"\bval_loss\b", "valid_loss"),
    (r"\bval_acc(uracy)?\b", "valid_acc"),
    (r"\bTraining Loss\b", "train_loss"),
    (r"\bValidation Loss\b", "valid_loss"),
    (r"\btrain loss\b", "train_loss"),
    (r"\bval loss\b", "val_loss"),
    (r"\bval acc\b", "val_accuracy"),
    (r"(?<![_\w])accuracy\b", "acc"),
    (r"'loss'", "'train_loss'"),
    (r"'grad_norm'", "'gradient_norm'"),
)


def meaning(name: str) -> tuple[str, str] | None:
    low = name.lower()
    quantity = "loss" if "loss" in low else "acc" if "acc" in low else ""
    side = "val" if re.search(r"val|test|eval", low) else "train"
    return (side, quantity) if quantity else None


def renamed(path: str, text: str, answer: Answer) -> Changed:
    if not path.endswith(".csv"):
        new = text
        for pattern, word in OTHER_TEXT:
            new = re.sub(pattern, word, new)
        return None if new == text else (new, answer)
    header, rows = read_csv(text)
    words = []
    for name in header:
        what = meaning(name)
        choice = OTHER_WORDS.get(what, ()) if what else ()
        words.append(next((w for w in choice if w != name), name if name != "step" else "global_step"))
    order = list(range(len(header)))[::-1]
    return write_csv([words[k] for k in order], [[row[k] for k in order] for row in rows]), answer


# ---- another beginning

PLACE = re.compile(r"(?i)((?:epoch|step|iter)['\"]?\s*[: ]\s*['\"]?)(\d+(?:\.\d+)?)(/\d+)?(?![\w.])")


def moved(answer: Answer, by: float) -> Answer:
    """The answer, its places moved as well."""
    new = dict(answer)
    for key in ("events", "no_events"):
        if key in new:
            new[key] = [
                e if isinstance(e, str) else e | {k: e[k] + by for k in ("lo", "hi") if k in e} for e in new[key]
            ]
    if "phase_at" in new:
        new["phase_at"] = [p | {"at": p["at"] + by} for p in new["phase_at"]]
    return new


def shifted(path: str, text: str, answer: Answer) -> Changed:
    rows_by = 1 if answer.get("verdict") == ["grokked"] else ROWS
    if path.endswith(".csv"):
        header, rows = read_csv(text)
        at = next((k for k, name in enumerate(header) if name.lower() in AXES), None)
        if at is None:
            return None
        first, last = number(rows[0][at]), number(rows[-1][at])
        by = max(round(min(rows_by / max(len(rows) - 1, 1), SHARE) * (last - first)), 1)
        new = [[f"{number(c) + by:g}" if k == at else c for k, c in enumerate(row)] for row in rows]
        return write_csv(header, new), moved(answer, by)
    places = [float(m[2]) for m in PLACE.finditer(text)]
    losses = len(LOSS.findall(text))
    if len(places) < 0.4 * losses or len(places) < 3 or "][" in text:
        return None
    by = min(rows_by / max(len(places) - 1, 1), SHARE) * (places[-1] - places[0])
    by = max(round(by), 1) if all(p == int(p) for p in places) else round(by, 4)

    def move(m: re.Match[str]) -> str:
        total = f"/{int(m[3][1:]) + int(by)}" if m[3] else ""
        digits = len(m[2].split(".")[1]) if "." in m[2] else 0
        return f"{m[1]}{float(m[2]) + by:.{digits}f}{total}"

    return PLACE.sub(move, text), moved(answer, by)


CHANGES: dict[str, Callable[[str, str, Answer], Changed]] = {
    "loss x 3": scaled,
    "every second row": thinned,
    "other words": renamed,
    "axis moved": shifted,
}


# ---- scoring


def write(cases: Path, answers: list[Answer], into: Path, change: Callable[[str, str, Answer], Changed]) -> list[str]:
    """A folder of changed cases; the names of those that could be changed."""
    done = []
    for answer in answers:
        text = (cases / answer["file"]).read_text(encoding="utf-8")
        new = change(answer["file"], text, answer)
        if new is None:
            continue
        path = into / answer["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(new[0], encoding="utf-8")
        done.append(new[1])
    (into / "answers.json").write_text(json.dumps(done))
    return [answer["file"] for answer in done]


def score(cases: Path, folder: Path, cmd: str, jobs: int) -> tuple[set[str], str]:
    """The cases that are wrong, and the lines that say how."""
    command = [sys.executable, str(cases / "score_cases.py"), str(folder), "--cmd", cmd, "-j", str(jobs)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    if " cases right" not in done.stdout:
        raise SystemExit(f"score_cases.py gave no figure:\n{done.stdout[-500:]}\n{done.stderr[-1500:]}")
    lines = [line for line in done.stdout.splitlines() if ": wanted " in line]
    return {line.split(": wanted ")[0] for line in lines}, "\n".join(lines)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--cases", type=Path, default=ROOT.parent / "shared" / "cases")
    ask.add_argument("--kinds", default=KINDS)
    ask.add_argument("--cmd", default=f"{shlex.quote(sys.executable)} -m runopsy")
    ask.add_argument("--at-most", type=float, default=2.0, help="points that a change may cost")
    ask.add_argument("--jobs", type=int, default=2)
    ask.add_argument("--keep", type=Path, help="write the changed cases here")
    ask.add_argument("-v", action="store_true", help="what became wrong")
    asked = ask.parse_args()
    if not (asked.cases / "answers.json").exists():
        print(f"no cases in {asked.cases}: nothing to perturb")
        return
    kinds = set(asked.kinds.split(","))
    every = json.loads((asked.cases / "answers.json").read_text())
    answers = [without(a, *NOT_ASKED) | {"max_seconds": PATIENCE} for a in every if a["file"].split("/")[0] in kinds]
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch)
        plain = write(asked.cases, answers, folder / "plain", lambda _, text, answer: (text, answer))
        wrong, _ = score(asked.cases, folder / "plain", asked.cmd, asked.jobs)
        print(f"unperturbed: {len(plain) - len(wrong)} of {len(plain)} right\n")
        print("change             cases   before    after   points   now wrong   now right")
        worst = 0.0
        for name, change in CHANGES.items():
            done = write(asked.cases, answers, folder / name.replace(" ", "-"), change)
            now, said = score(asked.cases, folder / name.replace(" ", "-"), asked.cmd, asked.jobs)
            before = len(done) - len(wrong & set(done))
            after = len(done) - len(now)
            points = 100 * (after - before) / len(done)
            worst = min(worst, points)
            lost, won = now - wrong, (wrong & set(done)) - now
            print(
                f"{name:18s} {len(done):5d} {before:8d} {after:8d} {points:+8.1f} {len(lost):11d} {len(won):11d}",
                flush=True,
            )
            if asked.v:
                print("\n".join(f"    {line}" for line in said.splitlines() if line.split(": wanted ")[0] in lost))
    sys.exit(1 if -worst > asked.at_most else 0)


if __name__ == "__main__":
    main()
