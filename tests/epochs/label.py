"""Makes the truth of a training from its dense curves: a simple reading of the definitions, independent of the product.

``python tests/epochs/label.py DIR OUT``: DIR is what ``train.py --into`` wrote. Every decision is taken twice, with
its bound halved and doubled (or a stated margin); where the two differ, both answers are accepted. What the reading
gets wrong is put right by hand, with a reason, in ``corrections.json`` beside the logs.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
WINDOW = 0.12  # of the elapsed time: over it a curve moves or does not
LOSS_MOVES, ACC_MOVES = 0.02, 0.015  # of the whole drop; points of accuracy
STARTED, MOSTLY = 0.05, 0.6  # of training's drop
OFF_CHANCE = 0.05  # above chance
PARTIAL = 0.3  # above chance: less than that is a partial gain
UNSURE = 2.0  # a bound is tried divided and multiplied by this


@dataclass(frozen=True)
class Curves:
    """Dense curves in evaluation mode over time in epochs; accuracies are absent (NaN) for a regression."""

    t: Array
    train: Array
    train_acc: Array
    val: Array
    val_acc: Array
    classes: int
    trained: bool
    chance: float
    rough: dict[str, float]  # by curve: how much two smoothed readings differ by chance
    absolute: bool = False  # the loss of a regression is in the unit of its targets, and no square of it

    def at(self, name: str, t: float) -> float:
        y = getattr(self, name)
        good = np.isfinite(y)
        return float(np.interp(t, self.t[good], y[good])) if good.any() else float("nan")


def smooth(t: Array, y: Array) -> Array:
    """A running mean over half an epoch or a tenth of the elapsed time to either side; the first reading is kept."""
    reach = np.maximum(0.5, 0.1 * t)
    near = [(np.abs(t - at) <= r) & (t > 0) for at, r in zip(t, reach, strict=True)]
    return np.array([y[0] if k == 0 else np.mean(y[rows]) for k, rows in enumerate(near)])


def wobble(y: Array, smoothed: Array) -> float:
    """How much two smoothed readings differ by chance: the scatter about the mean, for some eight readings each."""
    rest = (y - smoothed)[len(y) // 3 :]
    rest = rest[np.isfinite(rest)]
    return float(np.sqrt(2 / 4) * 1.48 * np.median(np.abs(rest))) if len(rest) > 4 else 0.0


def load(path: Path) -> tuple[dict, Curves, Curves, dict[str, Array]]:
    """What is known of the training, its curves (held-out, and those of the logged set), and the rows of the log."""
    with np.load(path) as raw:
        about = json.loads(str(raw["about"]))
        t, *five = raw["curves"][:6]
        rows = {k: raw[k] for k in ("train_loss", "train_acc", "val_loss", "val_acc", "lr", "axis")}
    train, train_acc, val, val_acc, logged = (smooth(t, y) for y in five)
    rough = {
        n: wobble(y, f)
        for n, y, f in zip(
            ("train", "train_acc", "val", "val_acc"), five, (train, train_acc, val, val_acc), strict=False
        )
    }
    absolute = not about["classes"] and bool(np.allclose(five[0], five[1], equal_nan=True))
    if not about["classes"]:
        train_acc = val_acc = np.full(len(t), np.nan)
    held = Curves(
        t,
        train,
        train_acc,
        val,
        val_acc,
        about["classes"],
        about["trained"],
        about["chance"] if "chance" in about else 1 / about["classes"],
        rough,
        absolute,
    )
    return about, held, replace(held, val=logged), rows


# ---- what is so


def start(c: Curves) -> float:
    return float(c.train[0])


def drop(c: Curves) -> float:
    return max(start(c) - float(np.nanmin(c.train)), 1e-12)


def end(y: Array, share: float = 0.1) -> float:
    return float(np.mean(y[-max(2, round(share * len(y))) :]))


def off_chance(c: Curves) -> bool | None:
    """Whether the held-out accuracy ever rose above chance (None: within a hair of the bound)."""
    if not c.classes:
        return start(c) - float(np.nanmin(c.val)) >= 0.1 * drop(c)
    best = float(np.nanmax(c.val_acc)) - c.chance
    return None if 0.5 * OFF_CHANCE < best < 1.2 * OFF_CHANCE else best >= OFF_CHANCE


def fitted(c: Curves) -> set[bool]:
    """By training accuracy, or the share of the starting loss that is gone."""
    if c.classes:
        acc = end(c.train_acc)
        return {acc >= 0.9} if not 0.85 < acc < 0.93 else {True, False}
    gone = 1 - (end(c.train) / start(c)) ** (2 if c.absolute else 1)  # of the variance, whatever the loss is in
    return {gone >= 0.9} if not 0.75 < gone < 0.92 else {True, False}


def broken_at(c: Curves, rows: dict[str, Array]) -> float | None:
    """When the training was lost for good: not finite, or most of what was learnt gone, to the end."""
    bad = ~(np.isfinite(c.train) & np.isfinite(c.val))
    if not bad.any() and not np.isfinite(rows["train_loss"][-1]):
        return float(len(rows["train_loss"]))
    far = c.train > 3 * max(start(c), c.val[0])
    lost = c.train > start(c) - 0.5 * drop(c)
    best = np.maximum.accumulate(np.where(np.isfinite(c.train), start(c) - c.train, 0))
    had = best > max(0.15 * start(c), 0.5 * drop(c))
    gone = bad | far | (lost & had)
    if not gone[-max(2, len(gone) // 20) :].all():
        return None
    return float(c.t[len(gone) - int(np.argmin(gone[::-1]))]) if not gone.all() else float(c.t[1])


def turned(c: Curves) -> tuple[set[bool], float, float, float]:
    """Whether validation was better before, the time of its loss minimum, and the ends of the valley around it."""
    k = int(np.nanargmin(c.val))
    low, last = float(c.val[k]), end(c.val)
    rise = last - low
    fall = max(start(c) - low, 1e-12)
    real = c.trained or fall >= 0.1 * drop(c) or bool(c.classes and np.nanmax(c.val_acc) >= c.chance + OFF_CHANCE)
    said = {rise > bound * max(low, 0.05 * start(c)) for bound in (0.04, 0.12)}
    if c.classes:
        loss = float(np.nanmax(c.val_acc)) - end(c.val_acc)
        said = {True} if loss > 0.03 else said | ({True} if loss > 0.015 else set())
    deep = low + max(0.03 * fall, 0.1 * rise, 0.01 * low)
    inside = c.val <= deep + c.rough["val"]
    a = k - int(np.argmin(inside[: k + 1][::-1])) if not inside[: k + 1].all() else -1
    a = max(a + 1, 0)
    b = k + int(np.argmin(inside[k:])) - 1 if not inside[k:].all() else len(inside) - 1
    went_on = c.train[k] - end(c.train) > 0.02 * drop(c) or bool(c.classes and end(c.train_acc) - c.train_acc[k] > 0.02)
    if True in fitted(c):  # nothing is left to fit: it is enough that it stays fitted
        went_on = went_on or end(c.train) - c.train[k] < 0.05 * drop(c)
    return ({False} if not real or not went_on else said), float(c.t[k]), float(c.t[a]), float(c.t[b])


def real_descent(c: Curves) -> bool:
    fall = start(c) - float(np.nanmin(c.val))
    return c.trained or fall >= 0.1 * drop(c) or bool(c.classes and np.nanmax(c.val_acc) >= c.chance + OFF_CHANCE)


def improving(c: Curves) -> set[bool]:
    """Whether validation still gained over the last fifth of the run."""
    a, b = 0.8 * c.t[-1], c.t[-1]
    fall = c.at("val", a) - c.at("val", b)
    whole = max(float(c.val[0]) - float(np.nanmin(c.val)), 1e-12)
    gain = c.at("val_acc", b) - c.at("val_acc", a) if c.classes else 0.0
    loss, acc = 2 * c.rough["val"], 2 * c.rough["val_acc"]
    strong = fall > max(0.04 * whole, loss) or gain > max(0.03, acc)
    weak = fall > max(0.012 * whole, loss) or gain > max(0.012, acc)
    return {strong} if strong == weak else {True, False}


def verdicts(c: Curves, rows: dict[str, Array]) -> list[str]:
    """Every verdict that a careful reader could give."""
    if broken_at(c, rows) is not None:
        return ["diverged"]
    off = off_chance(c)
    fits = fitted(c)
    found: set[str] = set()
    if off is not True:
        found |= {"memorized" if f else "underfit" for f in fits}
    if off is not False:
        rose, *_ = turned(c)
        better = improving(c)
        gap = end(c.train_acc) - end(c.val_acc) if c.classes else (end(c.val) - end(c.train)) / start(c)
        accuracy_gains = 0.0
        if c.classes:
            accuracy_gains = end(c.val_acc) - c.at("val_acc", turned(c)[1])
        for r in rose:
            if r and (accuracy_gains < 0.04 or not c.classes):
                found.add("overfit")
                continue
            if r and accuracy_gains >= 0.025:
                found |= {"overfit"} if accuracy_gains < 0.04 else set()
            for f in fits:
                for b in better:
                    if f:
                        found |= {"overfit"} if gap > 0.17 and not b else set()
                        found |= {"healthy"} if gap < 0.25 or b else set()
                        found |= {"undertrained"} if b else set()
                        found |= {"overfit", "undertrained"} if gap > 0.17 and b else set()
                    elif gap > 0.2:
                        found |= {"undertrained"} if b else {"overfit", "underfit"}
                    else:
                        found.add("undertrained" if b else "underfit")
    best = float(np.nanmax(c.val_acc)) if c.classes else 1.0
    partial = best < c.chance + PARTIAL and end(c.val_acc) > best - 0.03  # and ends at its best
    if "overfit" in found and fits == {True} and partial:
        found.add("memorized")
    return sorted(found)


# ---- phases


def label(c: Curves, t: float, factor: float, lost: float | None, underfit: bool) -> set[str]:
    """The labels at a time, its bounds multiplied by ``factor``."""
    if lost is not None and t > lost:
        return {"diverged"}
    half = max(WINDOW * t, 1.0) / 2
    a, b = max(t - half, 0.0), min(t + half, float(c.t[-1]))
    scale = (b - a) / (2 * half)  # at the ends the window is shorter

    def moves(name: str, least: float) -> bool:
        return c.at(name, a) - c.at(name, b) > max(factor * least * scale, 2 * c.rough[name])

    def gains(name: str) -> bool:
        return bool(c.classes) and c.at(name, b) - c.at(name, a) > max(factor * ACC_MOVES * scale, 2 * c.rough[name])

    upto = c.t <= (lost if lost is not None else np.inf)
    low = float(np.nanmin(c.val[upto])) if upto.any() else float(c.val[0])
    whole = max(float(c.val[0]) - low, 1e-12)
    carries = whole >= 0.1 * drop(c)
    train = moves("train", LOSS_MOVES * drop(c)) or gains("train_acc")
    val = (carries and moves("val", LOSS_MOVES * whole)) or gains("val_acc")
    done = (start(c) - c.at("train", t)) / drop(c)
    at_chance = (
        bool(c.classes) and c.at("val_acc", t) < c.chance + OFF_CHANCE and c.at("val", t) >= 0.99 * float(c.val[0])
    )
    fits = c.at("train_acc", t) >= 0.9 if c.classes else done >= 0.9
    if drop(c) < 0.02 * start(c):
        return {"underfitting"}
    if done < STARTED and not val:
        return {"underfitting"}
    if c.classes and not c.trained and not fits and c.at("val_acc", t) < c.chance + OFF_CHANCE and not at_chance:
        return {"underfitting", "feature_learning"} if val else {"underfitting"}
    if at_chance and not c.trained:
        if fits:
            return {"memorization"}
        return (
            {"underfitting", "memorization"} if done > 0.3 and float(np.nanmax(c.train_acc)) > 0.8 else {"underfitting"}
        )
    if val:
        return {"feature_learning", "underfitting"} if done < MOSTLY else {"feature_learning"}
    if train:
        return {"memorization"} | ({"underfitting"} if done < STARTED * 2 else set())
    best = float(np.nanmax(c.val_acc)) if c.classes else float("nan")
    near = c.at("val", t) <= low + 0.1 * max(whole, 0.3 * low)
    near = near and (not c.classes or c.at("val_acc", t) >= best - 0.03 * factor - 2 * c.rough["val_acc"])
    if underfit:
        return {"underfitting", "converged"}
    if near:
        return {"converged", "feature_learning"} if t < 0.8 * c.t[-1] else {"converged"}
    return {"memorization"}


def grid(c: Curves, rows: int, lost: float | None, said: list[str]) -> list[list[str] | None]:
    """Accepted labels at each row; none beside a change from one set to a disjoint one, or where three are open."""
    flat = set(said) == {"underfit"}
    times = np.arange(1, rows + 1, dtype=float)
    found = [set().union(*(label(c, t, f, lost, flat) for f in (1 / UNSURE, 1.0, UNSURE))) for t in times]
    keep = [len(labels) <= 2 for labels in found]
    if "underfit" in said:  # where it may be read as far from fitting, so may its standing still
        found = [f | {"underfitting"} if f <= {"converged", "memorization"} else f for f in found]
    if "overfit" in said:  # a rise that decides the verdict may be read into the phase, however near the best it stays
        found = [
            f | {"memorization"} if "converged" in f and t > turned(c)[1] else f
            for f, t in zip(found, times, strict=True)
        ]
    for k, (one, other) in enumerate(pairwise(found)):
        if not one & other:
            near = np.abs(times - (times[k] + 0.5)) <= max(WINDOW * times[k], 0.6)
            keep = [kept and not close for kept, close in zip(keep, near, strict=True)]
    return [sorted(labels) if kept else None for labels, kept in zip(found, keep, strict=True)]


# ---- events


def event(kind: str, lo: float, hi: float, *, optional: bool = False) -> dict:
    return {"kind": kind, "lo": lo, "hi": hi, "step": (lo + hi) / 2, "optional": optional}


def jumps(about: dict, rows: dict[str, Array]) -> list[dict]:
    """Each jump of a logged rate, at least twofold: up by half of the highest, or down between rows of rest."""
    if not about["lr_logged"]:
        return []
    step = np.diff(np.log(np.maximum(rows["lr"], 1e-12)))
    calm = np.abs(np.concatenate([[0.0], step, [0.0]])) < 0.1
    found = []
    for k, change in enumerate(step.tolist()):
        up = change > np.log(2) and rows["lr"][k + 1] - rows["lr"][k] > 0.5 * rows["lr"].max()
        usual = np.sum(step > 0.5 * change) if change > 0 else 0
        if (up and usual <= len(step) / 5) or (change < -np.log(2) and calm[k] and calm[k + 2]):
            found.append(event("lr_change", k + 1.0, k + 2.0))
    return found


def events(about: dict, c: Curves, logged: Curves, rows: dict[str, Array], said: list[str]) -> list[dict]:
    found = jumps(about, rows)
    lost = broken_at(c, rows)
    shown = ~(np.isfinite(rows["train_loss"]) & np.isfinite(rows["val_loss"]))
    if shown.any():
        at = float(np.argmax(shown)) + 1
        return [*found, event("not_finite", at, at), event("divergence", max(at - 1, 0), at, optional=True)]
    if lost is not None:
        return [*found, event("divergence", max(lost - 1, 0), lost + 1)]
    if "memorized" in said and not real_descent(c):
        share = (start(c) - c.train) / drop(c)
        lo, hi = (float(c.t[int(np.argmax(share >= s))]) for s in (0.12, 0.55))
        found.append(event("memorization_onset", lo, hi, optional=said != ["memorized"]))
    elif "overfit" in said or "memorized" in said:
        rose, _, a, b = turned(c)
        least = float(c.t[-1]) * 0.95
        lowest = float(np.nanargmin(rows["val_loss"])) + 1, turned(logged)[1]  # as the log itself shows it
        a, b = min(a, *lowest), max(b, *lowest)
        found.append(
            event(
                "memorization_onset",
                a,
                min(b, least),
                optional=rose != {True} or not {*said} <= {"overfit", "memorized"},
            )
        )
    return found


def truth(path: Path) -> dict:
    about, c, logged, rows = load(path)
    said = sorted({*verdicts(c, rows), *verdicts(logged, rows)})
    n = about["epochs"]
    e0, e1, s0, s1 = (float(v) for v in rows["axis"])
    return {
        "file": about["file"],
        "family": about["family"],
        "verdict": said,
        "axes": {"epoch": [e0, e1], "step": [s0, s1]},
        "labels": grid(c, n, broken_at(c, rows), said),
        "events": [e | {k: round(e[k], 2) for k in ("lo", "hi", "step")} for e in events(about, c, logged, rows, said)],
        "neutral": ["loss_drop", "loss_spike"] if about["scheduled"] else [],
        "end": n,
    }


def corrected(found: dict, by_hand: dict) -> dict:
    return found | {k: v for k, v in by_hand.get(found["file"], {}).items() if k != "why"}


def main() -> None:
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    by_hand = out / "corrections.json"
    hand = json.loads(by_hand.read_text()) if by_hand.exists() else {}
    every = [corrected(truth(path), hand) for path in sorted((source / "dense").glob("*.npz"))]
    lines = ",\n ".join(json.dumps(one) for one in every)
    (out / "truth.json").write_text(f"[{lines}]\n")
    print(f"{len(every)} trainings, {len(hand)} of them put right by hand")


if __name__ == "__main__":
    main()
