"""The logs at hand, by set, and what is known to be right of them. Nothing sealed is among them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from worker import ROOT

SHARED = ROOT.parent / "shared"
NO_LOG = {".md", ".yaml", ".yml", ".py", ""}
ORDER = ("labelled", "epochs", "cases", "samples", "public", "sweeps")


@dataclass(frozen=True)
class Log:
    """One log: its set, its path, a short name, and the verdicts that are accepted (none where nothing is known)."""

    group: str
    name: str
    path: Path
    verdicts: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()  # verdicts that are wrong, where only those are known

    def right(self, verdict: str | None) -> bool | None:
        """Whether a verdict (None: no verdict was given) is right; None where that is not known."""
        if self.verdicts:
            return verdict in self.verdicts
        return verdict not in self.refused if self.refused else None


def every(shared: Path = SHARED) -> list[Log]:
    """All that are there; a set whose folder is missing is left out."""
    return [
        *_labelled(shared / "benchmark" / "runs"),
        *_epochs(ROOT / "tests" / "epochs"),
        *_cases(shared / "cases"),
        *(Log("samples", p.name, p, _sample_truth(p)) for p in sorted((ROOT / "sample_logs").iterdir()) if p.is_dir()),
        *_files("public", shared / "logs"),
        *_files("sweeps", shared / "data"),
    ]


def _labelled(folder: Path) -> list[Log]:
    found = []
    for labels in sorted(folder.glob("*/labels.json")):
        accepted = tuple(json.loads(labels.read_text())["verdict"] or ())
        found.append(Log("labelled", labels.parent.name, labels.parent / "metrics.csv", accepted))
    return found


def _epochs(folder: Path) -> list[Log]:
    truths = json.loads((folder / "truth.json").read_text())
    return [Log("epochs", t["file"], folder / "logs" / t["file"], tuple(t["verdict"])) for t in truths]


def _cases(folder: Path) -> list[Log]:
    if not (folder / "answers.json").exists():
        return []
    answers = json.loads((folder / "answers.json").read_text())
    return [
        Log("cases", a["file"], folder / a["file"], tuple(a.get("verdict", ())), tuple(a.get("not_verdict", ())))
        for a in answers
    ]


def _sample_truth(folder: Path) -> tuple[str, ...]:
    truth = folder / "truth.json"
    said = json.loads(truth.read_text()).get("verdict") if truth.exists() else None
    return () if said is None else tuple([said] if isinstance(said, str) else said)


def _files(group: str, folder: Path) -> list[Log]:
    if not folder.exists():
        return []
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix not in NO_LOG and p.name != "LICENSE"]
    return [Log(group, str(p.relative_to(folder)), p) for p in paths]
