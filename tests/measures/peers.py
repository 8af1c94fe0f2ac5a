"""Two other tools that judge logs, on the trainings logged once per epoch, beside the product.

``python tests/measures/peers.py --peers BIN [--sealed]``: BIN is the ``bin`` folder of an environment with ``runmedic``
and ``trainproof``. All three are read in five words, for the others have no more: *diverged*, *overfit* (memorized
too), *underfit* (nothing learnt, or stopped), *unstable*, and *fine* (healthy, undertrained). Another tool is right if
any of its warnings is one of the accepted words, or if it warns of nothing and fine is accepted; of informations only
those on overfitting and on spikes count, and only where they are not wrong. A tool that does not find a loss column is
told which it is. A log that it cannot read counts as wrong.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "epochs"))
sys.path.insert(0, str(Path(__file__).parent))

from worker import ROOT, autopsies

WORDS = {
    "healthy": "fine",
    "undertrained": "fine",
    "grokked": "fine",
    "overfit": "overfit",
    "memorized": "overfit",
    "double_descent": "overfit",
    "underfit": "underfit",
    "diverged": "diverged",
    "unstable": "unstable",
}
RUNMEDIC = {  # its checks → our words
    "non_finite": "diverged",
    "divergence": "diverged",
    "loss_spikes": "unstable",
    "no_learning": "underfit",
    "overfitting": "overfit",
    "constant_lr_plateau": "underfit",
    "val_below_train": "",  # an explanation, no verdict
    "grad_spikes": "unstable",
}
TRAINPROOF = {  # its findings → our words
    "TP-NAN": "diverged",
    "TP-NAN-GRAD": "diverged",
    "TP-DIVERGE": "diverged",
    "TP-ZERO-LOSS": "diverged",
    "TP-ZERO-LOSS-ONSET": "diverged",
    "TP-FLAT": "underfit",
    "TP-DEAD-RUN": "underfit",
    "TP-OVERFIT": "overfit",
    "TP-GRAD-SPIKE": "unstable",
    "TP-PASS": "",
    "TP-NOT-CHECKED": "",
    "TP-ZERO-LR": "",
    "TP-ZERO-LR-PARTIAL": "",
}
UNREAD = "unread"


def asked(command: list[str]) -> object:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return None


def columns(path: Path, roles: dict) -> dict[str, str]:
    """The loss columns of a log, by side: those that the product found."""
    return {side: roles[f"{side}/loss"] for side in ("train", "val") if f"{side}/loss" in roles}


def runmedic(bin_: Path, path: Path, roles: dict) -> list[tuple[str, str]]:
    found = columns(path, roles)
    more = [word for side, name in found.items() for word in (f"--{side}-loss", name)]
    said = asked([str(bin_ / "runmedic"), "diagnose", "--json", *more, str(path)])
    if not isinstance(said, list) or not said:
        return [(UNREAD, UNREAD)]
    findings = [f for one in said for f in one["findings"]]
    return [(f["check"], RUNMEDIC.get(f["check"], "")) for f in findings if _counts(f["check"], f["severity"])]


def _counts(check: str, severity: str) -> bool:
    return severity != "info" or check in ("overfitting", "loss_spikes")


def trainproof(bin_: Path, path: Path, roles: dict) -> list[tuple[str, str]]:
    found = columns(path, roles)
    names = {"train": "loss", "val": "eval_loss"}
    more = [word for side, name in found.items() for word in ("--map", f"{names[side]}={name}")]
    said = asked([str(bin_ / "trainproof"), "doctor", "--json", *more[:2], *more[2:], str(path)])
    reports = said.get("reports") if isinstance(said, dict) else None
    if not reports:
        return [(UNREAD, UNREAD)]
    findings = [f for one in reports for f in one["findings"]]
    if any(f["id"] in ("TP-NO-RECORDS", "TP-NO-LOSS") for f in findings):
        return [(UNREAD, UNREAD)]
    return [(f["id"], TRAINPROOF.get(f["id"], "")) for f in findings if f["level"] in ("FAIL", "WARN")]


def right(found: list[tuple[str, str]], accepted: set[str]) -> bool:
    words = {word for _, word in found if word}
    return bool(words & accepted) if words else "fine" in accepted


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--peers", type=Path, required=True)
    ask.add_argument("--sealed", action="store_true", help="the sealed half: its total alone")
    ask.add_argument("--src", type=Path, default=ROOT / "src")
    ask.add_argument("--jobs", type=int, default=2)
    ask.add_argument("-v", action="store_true", help="every warning (never of the sealed half)")
    given = ask.parse_args()
    folder = ROOT / "tests" / "epochs" / ("sealed" if given.sealed else "")
    truths = json.loads((folder / "truth.json").read_text())
    paths = [folder / "logs" / t["file"] for t in truths]
    ours = autopsies(paths, given.src, given.jobs)
    tally: dict[str, list[list[bool]]] = defaultdict(list)
    said: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for truth, path, got in zip(truths, paths, ours, strict=True):
        accepted = {WORDS[v] for v in truth["verdict"]}
        roles = got.get("roles", {})
        one, other = runmedic(given.peers, path, roles), trainproof(given.peers, path, roles)
        word = WORDS.get(got.get("verdict", ""), "")
        tally[truth["family"]].append([word in accepted, right(one, accepted), right(other, accepted)])
        for tool, found in (("runmedic", one), ("trainproof", other)):
            for name, _ in found:
                said[truth["family"]][tool].add(name)
        if given.v and not given.sealed:
            print(f"{path.name:26s} accepted {sorted(accepted)}: ours {got.get('verdict')}, {one}, {other}")
    print("family            runs   product  runmedic  trainproof   what the others warned of")
    for family, rows in sorted(tally.items()):
        if not given.sealed:
            words = "; ".join(f"{tool}: {', '.join(sorted(names))}" for tool, names in said[family].items() if names)
            print(row(family, rows) + "   " + words)
    print(row("all", [one for rows in tally.values() for one in rows]))
    if given.sealed:
        behind = [
            f for f, rows in tally.items() if sum(r[0] for r in rows) < max(sum(r[k] for r in rows) for k in (1, 2))
        ]
        print(f"the product is behind in {len(behind)} of {len(tally)} families")


def row(name: str, rows: list[list[bool]]) -> str:
    shares = [sum(r[k] for r in rows) / len(rows) for k in range(3)]
    return f"{name:16s} {len(rows):5d} {shares[0]:9.2f} {shares[1]:9.2f} {shares[2]:11.2f}"


if __name__ == "__main__":
    main()
