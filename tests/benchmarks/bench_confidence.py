"""What a confidence is worth: python tests/benchmarks/bench_confidence.py [N] [LABELLED_RUNS]

Runs whose truth is known are read as they are and made worse (rows left out, noise added), and every phase and
verdict is put beside the truth: of those given at 0.9, about nine in ten should be right. Truth is, for the
labelled runs, what careful readers accepted; for N planted runs (default 150), the labels of the same curves
without noise, so that there the table counts the noise alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

import planted
import runopsy
from runopsy.model import Autopsy, Phase, Run

Array = NDArray[np.float64]
LEVELS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.01)
WORSE = (("as it is", 1, 0.0), ("every 2nd row", 2, 0.0), ("every 5th row", 5, 0.0), ("noise added", 1, 0.02))


@dataclass(frozen=True)
class Answer:
    """A claim, how sure it was, and whether it was right (a share of the phase; 0 or 1 for a verdict)."""

    kind: str
    confidence: float
    right: float


def worse(run: Run, every: int, noise: float, seed: int) -> Run:
    """The same run as a poorer logger would have kept it."""
    rng = np.random.default_rng(seed)
    tracks = {}
    for name, t in run.tracks.items():
        kept = np.isin(t.step, np.unique(t.step)[::every])
        value = t.value[kept]
        if noise and name not in ("lr", "epoch"):
            bounded = np.nanmax(value) <= 1 and "acc" in name.lower()
            value = (
                np.clip(value + noise * rng.standard_normal(len(value)), 0, 1)
                if bounded
                else (value * np.exp(noise * rng.standard_normal(len(value))))
            )
        tracks[name] = replace(
            t,
            step=t.step[kept],
            value=value,
            time=None if t.time is None else t.time[kept],
            session=None if t.session is None else t.session[kept],
        )
    return replace(run, tracks=tracks)


def share_right(phase: Phase, steps: Array, accepted: list[list[str] | None]) -> float | None:
    """How much of a phase is named as accepted, half by step and half by log step; None where nothing is scored."""
    widths = np.append(np.diff(steps), steps[-1] - steps[-2])
    logs = np.log((steps + widths + 1) / (steps + 1))
    inside = [i for i, s in enumerate(steps) if phase.start <= s < phase.end and accepted[i]]
    if not inside:
        return None
    right = np.array([phase.label in (accepted[i] or ()) for i in inside])
    return float(np.mean([(w[inside] * right).sum() / w[inside].sum() for w in (widths, logs)]))


def labelled(folder: Path) -> Iterator[tuple[str, Answer]]:
    for path in sorted(folder.glob("*/labels.json")):
        truth = json.loads(path.read_text())
        log = runopsy.read(path.parent / "metrics.csv")
        for how, every, noise in WORSE:
            autopsy = runopsy.analyze(worse(log, every, noise, 0))
            for phase in autopsy.phases:
                right = share_right(phase, np.array(truth["grid"], float), truth["labels"])
                if right is not None and phase.confidence is not None:
                    yield how, Answer("phase", phase.confidence, right)
            verdict = autopsy.verdict
            if verdict.confidence is not None:
                yield how, Answer("verdict", verdict.confidence, float(verdict.name in truth["verdict"]))


def story(rng: np.random.Generator) -> Run:
    """One of three stories, without noise: grokking, overfitting, a healthy run."""
    last = int(10 ** rng.uniform(3, 4.5))
    step = np.arange(0, last + 1, max(1, last // 1000), dtype=np.float64)
    fit = last * 10 ** rng.uniform(-2, -1)
    floor = 10 ** rng.uniform(-3, -0.5)
    train = planted.decay(step, rng.uniform(1, 5), floor, fit / 3)
    kind = rng.choice(["grokking", "overfitting", "healthy"])
    if kind == "healthy":
        val = train + rng.uniform(0, 0.03)
        return planted.run(step, {"train/loss": train, "val/loss": val})
    if kind == "overfitting":
        turn = last * rng.uniform(0.05, 0.5)
        rise = rng.uniform(0.05, 0.8) * np.maximum(np.log((step + 1) / (turn + 1)), 0) ** 2
        return planted.run(
            step, {"train/loss": train, "val/loss": planted.decay(step, train[0], floor + 0.1, turn / 6) + rise}
        )
    half = last * rng.uniform(0.25, 0.7)
    width = half * rng.uniform(0.02, 0.12)
    return planted.run(
        step,
        {
            "train/loss": train[0] * np.exp(-step / fit * 4) + 1e-3,
            "train/acc": planted.sigmoid(step, fit, fit / 5, 0.02, 1.0),
            "val/loss": (train[0] + planted.sigmoid(step, fit, fit / 4, 0, 2))
            * (1 - planted.sigmoid(step, half, width, 0, 0.98)),
            "val/acc": planted.sigmoid(step, half, width, 0.02, rng.uniform(0.7, 1.0)),
        },
    )


def accepted_labels(truth: Autopsy, steps: Array, spacing: float) -> list[list[str] | None]:
    """The noise-free label of each step; None near a change, as in the labelled runs, or nearer than the log tells."""
    told: list[list[str] | None] = []
    for s in steps:
        near = max(0.12 * s, 0.004 * truth.last, spacing)
        changed = any(abs(t.step - s) <= near for t in truth.transitions)
        told.append(None if changed else [next(p.label for p in truth.phases if p.start <= s <= p.end)])
    return told


def planted_answers(n: int) -> Iterator[tuple[str, Answer]]:
    """Phases of noisy runs against those of the same curves without noise; transitions against theirs."""
    for seed in range(n):
        rng = np.random.default_rng(seed)
        clean = story(rng)
        noisy = worse(clean, int(rng.choice([1, 2, 5])), float(10 ** rng.uniform(-2.5, -0.8)), seed)
        truth, got = runopsy.analyze(clean), runopsy.analyze(noisy)
        steps = clean.tracks["train/loss"].step
        accepted = accepted_labels(truth, steps, float(np.diff(noisy.tracks["train/loss"].step).max()))
        for phase in got.phases:
            right = share_right(phase, steps, accepted)
            if right is not None and phase.confidence is not None:
                yield "planted", Answer("phase", phase.confidence, right)
        if got.verdict.confidence is not None:
            yield "planted", Answer("verdict", got.verdict.confidence, float(got.verdict.name == truth.verdict.name))
        yield from _places(truth, got)


def _places(truth: Autopsy, got: Autopsy) -> Iterator[tuple[str, Answer]]:
    """Whether the transition of the noise-free run lies in the interval; one that it lacks counts in its own line."""
    for t in got.transitions:
        same = [u.step for u in truth.transitions if (u.before, u.after) == (t.before, t.after)]
        name = f"{t.before} → {t.after}"
        if not same:
            yield (
                ("not in the truth, with a place" if t.interval else "not in the truth, unresolved"),
                Answer(name, 0, 0),
            )
        elif t.interval is None:
            yield "in the truth, unresolved", Answer(name, 0, 0)
        else:
            low, high = t.interval
            near = min(same, key=lambda s: abs(s - t.step))
            width = np.log((high - got.first + 1) / (low - got.first + 1))
            yield "place", Answer(name, float(width), float(low <= near <= high))


def reliability(title: str, answers: list[Answer]) -> None:
    print(f"\n{title}: {len(answers)} claims")
    print(f"{'given at':>12} {'claims':>7} {'mean given':>11} {'right':>7}")
    for low, high in zip(LEVELS, LEVELS[1:], strict=False):
        here = [a for a in answers if low <= a.confidence < high]
        if here:
            given, right = np.mean([a.confidence for a in here]), np.mean([a.right for a in here])
            print(f"{low:5.2f} – {min(high, 1):.2f} {len(here):7} {given:11.2f} {right:7.3f}")


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 150
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else "../shared/benchmark/runs")
    found = [*labelled(folder), *planted_answers(n)]
    for kind in ("phase", "verdict"):
        for how in [*(w for w, _, _ in WORSE), "planted"]:
            mine = [a for h, a in found if h == how and a.kind == kind]
            if mine:
                reliability(f"{kind}, {'labelled runs ' if how != 'planted' else ''}{how}", mine)
        reliability(f"{kind}, labelled runs, all four", [a for h, a in found if h != "planted" and a.kind == kind])
    print(f"\n{'transition of planted runs':40} {'places':>7} {'cover':>7} {'log width':>10}")
    places = [a for h, a in found if h == "place"]
    for name in [*sorted({a.kind for a in places}), ""]:
        mine = [a for a in places if name in ("", a.kind)]
        cover, width = np.mean([a.right for a in mine]), np.median([a.confidence for a in mine])
        print(f"{name or 'all':40} {len(mine):7} {cover:7.2f} {width:10.2f}")
    for h in ("in the truth, unresolved", "not in the truth, with a place", "not in the truth, unresolved"):
        print(f"{h:40} {sum(how == h for how, _ in found):7}")


if __name__ == "__main__":
    main()
