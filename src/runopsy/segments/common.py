"""Where several signals of a run change together.

ruptures proposes places on the whole matrix of binned signals; at each of them every signal is asked for a step of
its own (``contrast``), and the steps together are compared with what noise as alike as theirs would show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runopsy.model import Position, Signal
from runopsy.segments.contrast import FEWEST, Step, step_at
from runopsy.segments.grid import Grid, grid
from runopsy.segments.moment import moment
from runopsy.stats import Floats

FEWEST_SIGNALS = 3  # fewer have nothing in common that a report on each would not state
FEWEST_ROWS = 24  # of a signal: the noise of fewer is not known
MOST_SIGNALS = 40  # the longest ones: a log of a thousand layers repeats itself a thousand times
DEGREE = 3  # of the polynomial taken out before places are proposed
CAP = 6.0  # standard errors at which cells are cut off for proposals: one wild bin is no change
CHANCE = 0.05  # of a proposal on noise, by a bound that holds for any correlation …
LOOSE = 0.4  # … x this: the bound is wide, proposals are cheap, and what they are worth is asked afterwards
SHORTEST = 4  # bins between proposals
NEAR = 2  # bins on either side of a proposal in which the surest place is looked for
APART = 8  # bins between two changes: nearer ones share most of the bins that they are seen in
TAKES_PART = 3.0  # standard errors of a signal's own step
SHARE = 0.25  # of the signals that can be asked, that must take part; two at least
# Standard deviations of a Gaussian that all steps together reach in 3 of 600 null runs (make bench-common).
CHANCE_FREE = 4.7
STRADDLED = 4  # rows in a bin from which the bin of the change itself is left out


@dataclass(frozen=True, slots=True)
class Move:
    """One signal's part in a common change."""

    signal: str
    before: float  # level next to it, in the signal's own unit
    after: float
    sigmas: float  # the step in standard errors, with its sign
    rows: float  # the step in standard deviations of one row

    @property
    def up(self) -> bool:
        return self.sigmas > 0


@dataclass(frozen=True, slots=True)
class CommonChange:
    """A place at which several signals step."""

    step: Position
    interval: tuple[Position, Position]  # 90 % of such intervals hold the true step
    moves: tuple[Move, ...]  # the signals that take part, the surest first
    asked: int  # signals that could be asked there
    sure: float  # all steps together, in standard deviations of a Gaussian
    validation: tuple[Move, ...] = ()  # of validation curves that step there too


def common_changes(
    signals: Mapping[str, Signal], also: Mapping[str, Signal] | None = None, sure: float = CHANCE_FREE
) -> tuple[CommonChange, ...]:
    """The places at which several signals change together, in order.

    Args:
        signals: by name; those with too few rows, or without noise and movement, are left out.
        also: validation curves: they confirm a change, and are no part of it.
        sure: standard deviations that all steps together must reach.
    """
    asked = usable(signals)
    if len(asked) < FEWEST_SIGNALS:
        return ()
    table = grid(asked)
    alike = likeness(table)
    found = [change for at in proposals(table, alike) if (change := _surest(table, at, alike, sure)) is not None]
    changes: list[tuple[float, int, list[tuple[int, Step]]]] = []
    for candidate in sorted(found, key=lambda one: -one[0]):
        if all(abs(candidate[1] - other[1]) >= APART for other in changes):
            changes.append(candidate)
    confirm = grid({**asked, **usable(also)}) if also else table
    return tuple(
        _common_change(asked, table, alike, confirm, change) for change in sorted(changes, key=lambda one: one[1])
    )


def usable(signals: Mapping[str, Signal]) -> dict[str, Signal]:
    """The signals that can be asked: rows enough, and values that move."""
    enough = {n: s for n, s in signals.items() if len(s) >= FEWEST_ROWS and float(np.ptp(s.value)) > 0}
    longest = sorted(enough, key=lambda name: -len(enough[name]))[:MOST_SIGNALS]
    return {name: enough[name] for name in signals if name in longest}


def likeness(table: Grid) -> Floats:
    """(p, p) correlation of the noise of the signals: of the changes from bin to bin, wild ones cut off."""
    change = np.diff(table.value, axis=0)
    known = np.isfinite(change)
    scale = np.array([np.median(np.abs(c[k])) if k.any() else 1.0 for c, k in zip(change.T, known.T, strict=True)])
    with np.errstate(invalid="ignore", divide="ignore"):
        cut = np.where(known, np.clip(change / np.where(scale > 0, scale, 1.0), -CAP, CAP), 0.0)
    both = known.T.astype(float) @ known
    power = np.maximum((cut**2).T @ known, 1e-12)  # of the one where both are known
    alike = (cut.T @ cut) / np.sqrt(power * power.T)
    alike[both < FEWEST] = 0.0
    squared = np.maximum(alike**2 - 1 / np.maximum(both, 1.0), 0.0)  # what chance alone would show is taken off
    alike = np.sign(alike) * np.sqrt(squared)
    np.fill_diagonal(alike, 1.0)
    return np.asarray(alike)


def together(sigmas: Floats, alike: Floats) -> float:
    """Steps in standard errors, summed in squares, as the deviation of a Gaussian that is as unlikely.

    A sum of squares of correlated Gaussians is about a scaled chi-square (Satterthwaite 1946); its cube root is
    about Gaussian (Wilson and Hilferty 1931).
    """
    squares = float((alike**2).sum())
    scale, freedom = squares / len(sigmas), len(sigmas) ** 2 / squares
    share = float((sigmas**2).sum()) / scale / freedom
    return float((share ** (1 / 3) - (1 - 2 / (9 * freedom))) / np.sqrt(2 / (9 * freedom)))


def whitened(table: Grid) -> Floats:
    """(m, p) the matrix for ruptures: trends taken out, in standard errors, holes filled, wild cells cut off.

    KernelCPD takes no weights and answers a NaN with no change at all, without a word: a hole gets the mean of its
    neighbours, which claims nothing, and a signal that begins later or ends sooner keeps its first and last level.
    """
    m = len(table.value)
    at = np.linspace(-1, 1, m)
    basis = np.polynomial.legendre.legvander(at, DEGREE)
    cells = np.zeros((m, len(table.names)))
    for i in range(len(table.names)):
        here = table.filled(i)
        weight = 1 / table.error[here, i]
        design = basis[here] * weight[:, None]
        answer = np.linalg.lstsq(design, table.value[here, i] * weight, rcond=None)[0]
        left = table.value[here, i] * weight - design @ answer
        cells[:, i] = np.interp(np.arange(m), here, np.clip(left, -CAP, CAP))
    return cells


def penalty(bins: int, alike: Floats) -> float:
    """The gain of one more piece that noise reaches with a chance of ``CHANCE``, at any of the bins.

    The tail of a sum of squares of correlated Gaussians: Laurent and Massart 2000, lemma 1.
    """
    squares, most = float((alike**2).sum()), float(np.linalg.eigvalsh(alike).max())
    depth = float(np.log(bins / CHANCE))
    return LOOSE * (len(alike) + 2 * float(np.sqrt(squares * depth)) + 2 * most * depth)


def proposals(table: Grid, alike: Floats) -> list[int]:
    """The bins before which ruptures cuts the matrix."""
    if len(table.value) < 2 * SHORTEST:
        return []
    import ruptures  # half a second to load: only a run with signals of its inside pays

    cells = whitened(table)
    cut = ruptures.KernelCPD(kernel="linear", min_size=SHORTEST).fit(cells).predict(pen=penalty(len(cells), alike))
    return [int(at) for at in cut[:-1]]


def _surest(table: Grid, about: int, alike: Floats, sure: float) -> tuple[float, int, list[tuple[int, Step]]] | None:
    """(how sure, bin, steps of the signals) of the surest place near a proposal; None where nothing is common."""
    best: tuple[float, int, list[tuple[int, Step]]] | None = None
    for at in range(max(about - NEAR, 1), min(about + NEAR + 1, len(table.value))):
        steps = _steps(table, at)
        if len(steps) < FEWEST_SIGNALS:
            continue
        sigmas = np.array([step.sigmas for _, step in steps])
        taking = int((np.abs(sigmas) >= TAKES_PART).sum())
        if taking < max(2, int(np.ceil(SHARE * len(steps)))):
            continue
        which = [i for i, _ in steps]
        surest = np.sort(np.abs(sigmas))[-2]  # one signal's step, however sure, is no common change
        score = together(np.minimum(np.abs(sigmas), surest), alike[np.ix_(which, which)])
        if score >= sure and (best is None or score > best[0]):
            best = (score, at, steps)
    return best


def _steps(table: Grid, at: int) -> list[tuple[int, Step]]:
    """Each signal's step before a common bin, of those that have bins enough beside it."""
    steps = []
    for i in range(len(table.names)):
        here = table.filled(i)
        k = int(np.searchsorted(here, at))
        gap = int(table.rows[i] >= STRADDLED)
        found = step_at(table.value[here, i], table.error[here, i], k, gap=gap)
        if found is not None:
            steps.append((i, found))
    return steps


def _common_change(
    signals: Mapping[str, Signal],
    table: Grid,
    alike: Floats,
    confirm: Grid,
    change: tuple[float, int, list[tuple[int, Step]]],
) -> CommonChange:
    """A change in the signals' own units, placed among their rows."""
    sure, at, steps = change
    taking = sorted(((i, s) for i, s in steps if abs(s.sigmas) >= TAKES_PART), key=lambda one: -abs(one[1].sigmas))
    low, high = (float(table.edges[min(max(at + k, 1), len(table.edges) - 2)]) for k in (-NEAR - 1, NEAR + 2))
    which = [i for i, _ in taking]
    place, interval = moment([signals[table.names[i]] for i in which], low, high, alike[np.ix_(which, which)])
    moves = tuple(_move(table, i, step) for i, step in taking)
    return CommonChange(place, interval, moves, len(steps), sure, _followed(confirm, table, place))


def _followed(confirm: Grid, table: Grid, place: Position) -> tuple[Move, ...]:
    """The moves of those signals of a wider grid that are none of the first."""
    if confirm is table:
        return ()
    there = max(int(np.searchsorted(confirm.edges, place, side="right")) - 1, 1)
    steps = [(i, step) for i, step in _steps(confirm, there) if confirm.names[i] not in table.names]
    return tuple(_move(confirm, i, step) for i, step in steps if abs(step.sigmas) >= TAKES_PART)


def _move(table: Grid, i: int, step: Step) -> Move:
    before, after = step.before, step.before + step.size
    if table.by_factors[i]:
        before, after = float(np.exp(before)), float(np.exp(after))
    return Move(table.names[i], before, after, step.sigmas, step.size / max(float(table.noise[i]), 1e-300))
