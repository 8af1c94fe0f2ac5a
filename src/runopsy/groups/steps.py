"""Which groups of examples were learnt in a step, and where; false discoveries over all groups are controlled.

A group's accuracy is fitted by a rise from one level to another along log elapsed steps, of any place and breadth. It
is a step where the rise is more than noise: than the scatter of its readings, slow scatter included, and than what so
few examples can differ by. Of all groups asked, those are kept that Benjamini and Hochberg (1995) keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runopsy.model import GroupStep, GroupSteps, Signal
from runopsy.stats import Z90, Floats, first_spacing, long_run_factor, white_noise

START, END = "groups/", "/acc"  # of the signals that are asked
FALSE = 0.10  # share of the steps that may be false, on average: the usual limit of false discoveries
FEWEST = 12  # readings: a rise has four numbers of its own
PLACES = 30  # independent places of a rise, about: readings beside each other are no independent tries
CENTRES, BREADTHS = 80, (0.02, 0.05, 0.1, 0.2, 0.35, 0.6)  # of the grid of rises; breadths in e-foldings of steps
QUARTERS = 2 * np.log(3.0)  # breadths of a logistic rise from a quarter to three quarters of it
BEYOND = 0.03  # of accuracy: a fitted level so far below 0 or above 1 is none
SMOOTH = 2.0  # x the median breadth of the groups' rises, that the mean's is at least, to hide them


@dataclass(frozen=True, slots=True, eq=False)
class _Rise:
    """The best rise of one group."""

    place: float  # where half of it is made, in log elapsed steps
    breadth: float
    before: float
    after: float
    error: float  # of the difference of the two levels
    reach: tuple[float, float]  # of the place


def steps_of(signals: Mapping[str, Signal], first: float) -> GroupSteps | None:
    """The steps of the groups; None where no accuracy of groups was recorded.

    Args:
        signals: of the run.
        first: its first step; elapsed steps are counted from just before it.
    """
    groups = {
        name.removeprefix(START).removesuffix(END): signal
        for name, signal in signals.items()
        if name.startswith(START) and name.endswith(END) and len(signal) >= FEWEST
    }
    if not groups:
        return None
    rises = {name: rise for name, signal in groups.items() if (rise := _rise(signal, first)) is not None}
    chances = {name: _chance(rise) for name, rise in rises.items()}
    kept = discovered(chances, len(groups))
    spacing = min(first_spacing(signal.step) for signal in groups.values())
    steps = sorted(
        (_step(name, rises[name], chances[name], first - spacing) for name in kept), key=lambda one: one.step
    )
    return GroupSteps(len(groups), tuple(steps), tuple(sorted(set(groups) - set(kept))), _hidden(groups, steps, first))


def discovered(chances: Mapping[str, float], asked: int) -> list[str]:
    """Those whose chance under the null is small enough that of all kept a share of ``FALSE`` is expected to be false.

    Args:
        chances: by name, of those that have one.
        asked: how many were asked in all.
    """
    ordered = sorted(chances, key=lambda name: chances[name])
    below = [i for i, name in enumerate(ordered, 1) if chances[name] <= FALSE * i / asked]
    return ordered[: max(below, default=0)]


def _chance(rise: _Rise) -> float:
    """Of a rise as large as that at any place, in noise alone."""
    from scipy.special import ndtr

    return float(min(1.0, PLACES * 2 * ndtr(-abs(rise.after - rise.before) / max(rise.error, 1e-300))))


def _rise(signal: Signal, first: float) -> _Rise | None:
    """The least squares rise of a group between 0 and 1; None where its accuracy never moves.

    The reach of its place: the rises that fit about as well, wider by what the examples of a group may be off at half
    of the rise. One of breadth b is 4 b long at the slope of its middle: an accuracy off by a share s moves
    it by 4 b s.
    """
    value = signal.value
    if float(np.ptp(value)) == 0:
        return None
    at = np.log(signal.step - first + first_spacing(signal.step))
    centres, breadths = np.linspace(at[1], at[-2], CENTRES), np.array(BREADTHS)
    centre, breadth = (grid.ravel() for grid in np.meshgrid(centres, breadths, indexing="ij"))
    shape = 0.5 * (1 + np.tanh((at[None, :] - centre[:, None]) / (2 * breadth[:, None])))
    spread = shape - shape.mean(axis=1, keepdims=True)
    power = np.maximum((spread**2).sum(axis=1), 1e-12)
    size = spread @ (value - value.mean()) / power
    low = value.mean() - size * shape.mean(axis=1)
    left = ((value - value.mean()) ** 2).sum() - size**2 * power
    left[(np.minimum(low, low + size) < -BEYOND) | (np.maximum(low, low + size) > 1 + BEYOND)] = np.inf
    best = int(np.argmin(left))
    if not np.isfinite(left[best]):
        return None
    middle = (shape[:, 0] + shape[:, -1]) / 2  # half of what is made by the last reading, though more may follow
    place = centre + breadth * np.log(middle / (1 - middle))
    before, after = np.clip(low[best] + size[best] * shape[best, [0, -1]], 0, 1).tolist()
    sampled = _sampling(value)
    noise = white_noise(value) * np.sqrt(long_run_factor(value))
    row = max(noise, np.sqrt(max(float(left[best]), 0.0) / (len(value) - 4)))
    error = float(np.hypot(row * np.sqrt(1 / power[best]), np.sqrt(2.0) * sampled))
    near = left <= left[best] + (Z90 * max(row, 1e-9)) ** 2
    apart = (at[-1] - at[0]) / CENTRES
    off = Z90 * 4 * float(breadth[near].max()) * sampled / max(abs(after - before), 1e-12) + apart / 2
    reach = (float(place[near].min()) - off, float(place[near].max()) + off)
    return _Rise(float(place[best]), float(breadth[best]), before, after, error, reach)


def _sampling(value: Floats) -> float:
    """How far the accuracy of so few examples may lie from that of all, one standard error at chance of one half.

    The number of examples is read off the distance between its values, which is one over it or more.
    """
    gaps = np.diff(np.unique(np.round(value, 9)))
    return float(0.5 * np.sqrt(gaps.min()))


def _step(name: str, rise: _Rise, chance: float, origin: float) -> GroupStep:
    low, high = (float(np.exp(end) + origin) for end in rise.reach)
    breadth = float(np.exp(QUARTERS * rise.breadth))
    return GroupStep(name, float(np.exp(rise.place) + origin), (low, high), rise.before, rise.after, chance, breadth)


def _hidden(groups: Mapping[str, Signal], steps: list[GroupStep], first: float) -> bool:
    """Whether the mean of the groups rises so slowly that it shows none of their steps."""
    if len(steps) < 2:
        return False
    step = next(iter(groups.values())).step
    mean = np.mean([np.interp(step, one.step, one.value) for one in groups.values()], axis=0)
    whole = _rise(Signal("", "", step, mean), first)
    if whole is None:
        return False
    risen = (np.maximum.accumulate(mean) - mean[0]) / max(float(mean.max() - mean[0]), 1e-12)
    quarter, three = (float(step[int(np.argmax(risen >= share))]) for share in (0.25, 0.75))
    spacing = first_spacing(step)
    breadth = (three - first + spacing) / (quarter - first + spacing)
    return bool(np.log(breadth) >= SMOOTH * np.log(np.median([one.breadth for one in steps])))
