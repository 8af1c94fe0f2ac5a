"""What can be said of each moment of a run: how far training has come, and whether validation follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runopsy.model import Case, Position, Positions, Segments, Values
from runopsy.stats import at_start, first_spacing

WATCHED = ("train/loss", "train/acc", "val/loss", "val/acc")
WINDOW = 0.12  # of the elapsed steps, over which a change is judged
LOSS_MOVES = 0.02  # of the loss's whole drop, over the window
ACC_MOVES = 0.015  # of accuracy, over the window
HOLD = 0.6  # of the two thresholds above, while moving already
NEAR_BEST = 0.1  # of validation's own drop, or of accuracy's gain: closer than this is at its best
LEARNT = 0.1  # of the loss's start, or of accuracy: a smaller change is no learning at all
GAP = 0.05  # of the training loss's drop, or of accuracy, by which validation is worse: smaller gaps every run has
PACE = 0.3  # of training's progress, each in shares of its own drop, that validation must make to follow it
NOISE = 2.0  # standard errors of the fitted curve that a change over the window must exceed


@dataclass(frozen=True, slots=True)
class Reading:
    """What can be said of one moment of a run. Shares are of the whole run's change."""

    step: Position
    train_done: float  # share of the training loss's drop already made
    train_improves: bool
    val_known: bool
    val_done: float  # how far validation has come between its worst and its best, by whichever curve came further
    val_improves: bool
    val_keeps_pace: bool  # validation makes, in shares of its own drop, a fair part of what training makes
    val_near_best: bool
    gap_open: bool  # validation stands clearly worse than training
    fresh: bool  # no example has been seen twice by the end of the run: training loss is a validation
    diverged: bool


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """A fitted signal on the grid: its value, and its change over the window centred at each point."""

    value: Values
    change: Values
    error: Values  # one standard error of that change
    spread: Values  # one standard error of the value


def read(case: Case, grid: Positions, diverged_from: Position | None) -> list[Reading]:
    """One reading for each point of the grid."""
    raw = {n: _motion(s, grid, case.first) for n, s in case.segments.items() if n in WATCHED}
    motions = {n: _motion(_new_ground(case.segments[n]), grid, case.first) for n in raw}
    train, train_acc = motions["train/loss"], motions.get("train/acc")
    start = at_start(case.signals["train/loss"].value)  # as logged: a fitted line overshoots at its end
    drop = float(start - train.value.min())
    done = np.clip((start - train.value) / drop, 0, 1) if drop > 0 else np.zeros_like(grid)
    if drop < LEARNT * abs(start) and (train_acc is None or np.ptp(train_acc.value) < LEARNT):
        done = np.zeros_like(grid)  # it never learnt anything: no drop to take shares of
    train_improves = _falls(train, drop) | _rises(train_acc)
    val_improves, near = np.zeros(len(grid), bool), np.ones(len(grid), bool)
    if (loss := motions.get("val/loss")) is not None:
        fall = _own_drop(loss)
        val_improves |= _falls(loss, fall)
        near &= loss.value - loss.value.min() <= NEAR_BEST * fall
    if (acc := motions.get("val/acc")) is not None:
        val_improves |= _rises(acc)
        near &= np.asarray(acc.value.max() - acc.value <= max(NEAR_BEST * np.ptp(acc.value), 2 * ACC_MOVES))
        near &= bool(acc.value.max() - acc.value[0] > LEARNT)  # at its best, and that is chance
    known = loss is not None or acc is not None
    way = _way(loss, acc, len(grid))
    gap, pace = _gap(raw, drop), _pace(motions, drop)
    reached = np.maximum.accumulate(done)
    reached[0] = 0.0  # by definition: noise in the first rows is no learning
    fresh = _never_repeats(case)
    return [
        Reading(
            step=float(step),
            train_done=float(reached[i]),
            train_improves=bool(train_improves[i]),
            val_known=known,
            val_done=float(way[i]),
            val_improves=bool(val_improves[i]),
            val_keeps_pace=bool(pace[i]),
            val_near_best=bool(near[i]),
            gap_open=bool(gap[i]),
            fresh=fresh,
            diverged=diverged_from is not None and bool(step >= diverged_from),
        )
        for i, step in enumerate(grid)
    ]


def _motion(segments: Segments, grid: Positions, first: Position) -> Motion:
    elapsed = np.maximum(grid - first, first_spacing(segments.step))
    early, late = elapsed / (1 + WINDOW / 2) + first, elapsed * (1 + WINDOW / 2) + first

    def at(where: Positions, values: Values) -> Values:
        return np.interp(where, segments.step, values)

    change = at(late, segments.curve) - at(early, segments.curve)
    error = at(grid, segments.rate_spread) * np.log1p(WINDOW)
    return Motion(at(grid, segments.curve), change, error, at(grid, segments.spread))


def _way(loss: Motion | None, acc: Motion | None, n: int) -> Values:
    """Share of validation's own drop or gain that stands made at each point; 0 where it makes none."""
    way = np.full(n, -np.inf)
    if loss is not None:
        way = np.maximum(way, (loss.value.max() - loss.value) / _own_drop(loss))
    if acc is not None and np.ptp(acc.value) > LEARNT:
        way = np.maximum(way, (acc.value - acc.value.min()) / np.ptp(acc.value))
    return way if loss is not None or acc is not None else np.zeros(n)


def _new_ground(segments: Segments) -> Segments:
    """Training counts where it is better than ever before: climbing out of a spike is no learning."""
    if segments.signal == "train/loss":
        return replace(segments, curve=np.minimum.accumulate(segments.curve))
    if segments.signal == "train/acc":
        return replace(segments, curve=np.maximum.accumulate(segments.curve))
    return segments


def _gap(motions: Mapping[str, Motion], drop: float) -> NDArray[np.bool_]:
    """Whether validation stands clearly worse than training: without a gap, what is learnt carries over."""
    train, val = motions["train/loss"], motions.get("val/loss")
    train_acc, val_acc = motions.get("train/acc"), motions.get("val/acc")
    open_ = np.zeros(len(train.value), bool)
    if val is not None:
        open_ |= _stands_out(val.value - train.value, GAP * max(drop, 1e-12), val, train)
    if train_acc is not None and val_acc is not None:
        open_ |= _stands_out(train_acc.value - val_acc.value, GAP, val_acc, train_acc)
    return open_


def _stands_out(gap: Values, least: float, val: Motion, train: Motion) -> NDArray[np.bool_]:
    return np.asarray((gap > least) & (gap > NOISE * np.hypot(val.spread, train.spread)))


def _own_drop(loss: Motion) -> float:
    """From where it starts, or from its highest later point, down to its lowest: the scale of its changes."""
    falls = np.maximum.accumulate(loss.value) - loss.value
    return float(max(falls.max(), 0.05 * abs(loss.value[0])))


def _falls(loss: Motion, drop: float) -> NDArray[np.bool_]:
    return _held(-loss.change / max(drop, 1e-12) / LOSS_MOVES, -loss.change > NOISE * loss.error)


def _rises(acc: Motion | None) -> NDArray[np.bool_] | bool:
    if acc is None:
        return False
    return _held(acc.change / ACC_MOVES, acc.change > NOISE * acc.error)


def _held(strength: Values, real: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where something moves: from strength 1 on, until it falls below ``HOLD``. One threshold would flicker."""
    moving, now = np.zeros(len(strength), bool), False
    for i, (s, r) in enumerate(zip(strength.tolist(), real.tolist(), strict=True)):
        now = r and s > (HOLD if now else 1.0)
        moving[i] = now
    return moving


def _pace(motions: Mapping[str, Motion], drop: float) -> NDArray[np.bool_]:
    """Whether validation follows: by its loss or by its accuracy, whichever does better."""
    follows = np.zeros(len(motions["train/loss"].value), bool)
    for train, val, sign in (("train/loss", "val/loss", -1.0), ("train/acc", "val/acc", 1.0)):
        if train in motions and val in motions:
            scale, own = max(np.ptp(motions[train].value), 1e-12), max(np.ptp(motions[val].value), 1e-12)
            if val == "val/loss":
                scale, own = max(drop, 1e-12), _own_drop(motions[val])
            made, trained = sign * motions[val].change / own, sign * motions[train].change / scale
            follows |= (made >= PACE * trained) & (made > 0)
    return follows


def _never_repeats(case: Case) -> bool:
    epoch = case.signals.get("epoch")
    return epoch is not None and len(epoch) > 0 and float(epoch.value.max()) <= 1.0
