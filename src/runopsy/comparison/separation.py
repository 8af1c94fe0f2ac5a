"""Where two curves part beyond noise.

Of two runs the difference of the curves, row by row, is one series. If nothing but noise sets them
apart it scatters around zero, with a scatter that its own second differences measure and a long-run
variance that its block means measure; the runs have parted where the mean over some stretch lies
further from zero than noise carries any of the stretches that are looked at.

Of several runs a side, the scatter is that between the runs of one side, and the stretches are judged
by the largest statistic that any other split of the runs would show (a permutation test of the
maximum, Westfall and Young 1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runopsy.comparison.alignment import Alignment
from runopsy.comparison.seeds import ALPHA, Splits
from runopsy.model import Autopsy, Counts, Outcome, Positions, Separation, Values
from runopsy.segments.bins import edges
from runopsy.stats import MAD_TO_SD, first_spacing, long_run_factor, noise_of, rolling_median, white_noise

HANDLES = ("lr", "epoch", "tokens", "batch_size", "time")  # set by hand or counted, not measured
OWN = "recorder/"  # what recording cost is about the machine
FEWEST = 12  # rows that both have: of fewer, the noise of their difference is not known
STRETCHES = 128  # the finest of them: 2 % of the elapsed steps each, or a 128th of the run
# of pairs that differ by noise alone, per signal: `make bench-diff` measures 0.0 to 0.3 %, 1 % in the worst noise
FALSE = 0.002
AROUND = 100  # rows around a stretch that show the noise of a row: enough for 10 %, few enough to follow its changes
WORTH = 0.37 / 2  # of a row, as a degree of freedom: a median of absolute differences of neighbours wastes the rest
UPPER = 3.0  # / √rows: about three standard errors of a correlation
SMOOTH = 2.2  # noise of 60 rows gives up to 1.9 by chance, a smooth curve 3
MOST_PERSISTENT = 0.995  # beyond it noise wanders like a curve; running means over 200 rows are rarely logged
OUTLIER = 5.0  # standard deviations, of a row or of a difference of rows
LONE = 5  # rows around one, of whose median an outlier and its neighbour are no part
BY_FACTORS = 0.02  # in log units: two losses closer than 2 % look the same to any reader
ACCURACY = 0.01  # of accuracy, likewise
OF_RANGE = 0.02  # of the range of any other signal, likewise


@dataclass(frozen=True, slots=True, eq=False)
class _Curves:
    """The same signal of all runs, at places that all of them have."""

    place: Positions  # (n,)
    value: Values  # (runs, n) on the scale on which noise is even
    least: float  # a smaller difference is beneath notice


@dataclass(frozen=True, slots=True, eq=False)
class Parting:
    """A separation, and of several runs a side how far every split of them lies apart at most, (splits,)."""

    separation: Separation
    statistic: Values | None = None


def separations(autopsies: Sequence[Autopsy], splits: Splits, axis: Alignment) -> list[Parting]:
    """Every measured signal that all runs have, judged ones first."""
    names = [n for n in autopsies[0].signals if all(n in x.signals for x in autopsies[1:])]
    measured = [n for n in names if n not in HANDLES and not n.startswith((OWN, "lr/"))]
    judged = [n for n in ("train/loss", "val/loss", "train/acc", "val/acc") if n in measured]
    skip = {"train/loss"} if axis.name == "loss" else set()
    ordered = [*judged, *sorted(n for n in measured if n not in judged)]
    return [_parting(n, autopsies, splits, axis) for n in ordered if n not in skip]


def by_seeds(parting: Parting) -> Parting:
    """The same, known to be no more than seeds do."""
    if parting.separation.outcome is not Outcome.FOUND:
        return parting
    return Parting(Separation(parting.separation.signal, Outcome.NOT_FOUND), parting.statistic)


def _parting(name: str, autopsies: Sequence[Autopsy], splits: Splits, axis: Alignment) -> Parting:
    curves = _curves(name, autopsies, axis)
    if curves is None:
        return Parting(Separation(name, Outcome.NOT_CHECKED, why=f"the runs share fewer than {FEWEST} rows of it"))
    alone = len(autopsies) == 2
    if not alone and splits.least_p > ALPHA:
        return Parting(Separation(name, Outcome.NOT_CHECKED, why="too few runs to distinguish it from seed noise"))
    starts, ends = _stretches(curves.place)
    if alone:
        return Parting(_separation(name, curves, starts, ends, *_noise_test(curves, starts, ends)))
    gap, far, statistic = _seed_test(curves, starts, ends, splits)
    return Parting(_separation(name, curves, starts, ends, gap, far), statistic)


def _separation(
    name: str, curves: _Curves, starts: Counts, ends: Counts, gap: Values, far: NDArray[np.bool_]
) -> Separation:
    """The stretch that ends first, and among those the shortest."""
    apart = far & (np.abs(gap) > curves.least)
    if not apart.any():
        return Separation(name, Outcome.NOT_FOUND)
    first = min(np.flatnonzero(apart), key=lambda i: (ends[i], -starts[i]))
    at_end = apart & (ends == len(curves.place))
    low, high = float(curves.place[starts[first]]), float(curves.place[ends[first] - 1])
    return Separation(name, Outcome.FOUND, high, (low, high), bool(gap[first] > 0), bool(at_end.any()))


# --- one series out of two ------------------------------------------------------------------------


def _curves(name: str, autopsies: Sequence[Autopsy], axis: Alignment) -> _Curves | None:
    """All runs at the places of the one that has the fewest between the first and the last that all reach.

    The others are interpolated between their rows, which holds for values at a step; where one log
    averages over the steps between its rows and another does not, a steep curve shows as a difference.
    """
    placed = [_on(axis, i, x.signals[name].step, x.signals[name].value) for i, x in enumerate(autopsies)]
    if any(not len(place) for place, _ in placed):
        return None
    low, high = max(p[0] for p, _ in placed), min(p[-1] for p, _ in placed)
    shared = [place[(place >= low) & (place <= high)] for place, _ in placed]
    rows = min(shared, key=len)
    if len(rows) < FEWEST:
        return None
    values = np.array([_at(rows, place, value) for place, value in placed])
    everything = np.concatenate([value for _, value in placed])
    if name.endswith(("loss", "norm")) and float(everything.min()) > 0:
        return _Curves(rows, np.log(values), BY_FACTORS)
    if name.endswith("acc"):
        return _Curves(rows, values, ACCURACY)
    return _Curves(rows, values, OF_RANGE * float(np.ptp(everything)))


def _at(rows: Positions, place: Positions, value: Values) -> Values:
    """A curve's values there, which it may have without reading between its rows."""
    return value if np.array_equal(rows, place) else np.interp(rows, place, value)


def _on(axis: Alignment, run: int, step: Positions, value: Values) -> tuple[Positions, Values]:
    """The rows on the common axis; those that fall on one place are averaged."""
    place = axis.maps[run](step)
    if np.all(place[1:] > place[:-1]):
        return place, value
    place, where = np.unique(place, return_inverse=True)
    return place, np.bincount(where, value) / np.bincount(where)


def _stretches(place: Positions) -> tuple[Counts, Counts]:
    """First row and row after the last of every stretch: fine ones, and two, four, … neighbours together."""
    cut = edges(place - place[0] + first_spacing(place), STRETCHES)
    starts, ends = [], []
    width = 1
    while width < len(cut):
        at = np.arange(0, len(cut) - width, max(1, width // 2))
        starts.append(cut[at])
        ends.append(cut[at + width])
        width *= 2
    return np.concatenate(starts), np.concatenate(ends)


def _means(values: Values, starts: Counts, ends: Counts) -> Values:
    """(…, stretches) of rows (…, n)."""
    sums = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)], axis=-1)
    return np.asarray((sums[..., ends] - sums[..., starts]) / (ends - starts))


# --- the two tests -------------------------------------------------------------------------------


def _noise_test(curves: _Curves, starts: Counts, ends: Counts) -> tuple[Values, NDArray[np.bool_]]:
    """(mean difference of each stretch, whether noise carries none of them so far)."""
    from scipy.stats import t as student

    gap = _tamed(curves.value[1] - curves.value[0])
    noise, freedom = _noise(gap, starts, ends)
    rows = ends - starts
    error = noise * np.sqrt(np.maximum(long_run_factor(gap), _of_means(_persistence(gap), rows)) / rows)
    mean = _means(gap, starts, ends)
    limit = student.isf(FALSE / 2 / len(starts), freedom)
    return mean, np.abs(mean) > limit * error


def _tamed(gap: Values) -> Values:
    """Lone rows far out count no more than an outlier may: one bad batch is no parting."""
    usual, reach = rolling_median(gap, LONE), OUTLIER * white_noise(gap)
    return np.asarray(np.clip(gap, usual - reach, usual + reach))


def _persistence(gap: Values) -> float:
    """The correlation of neighbouring rows of the noise, at the upper end of what the rows allow; 0 for a smooth curve.

    Rows k apart differ by (1 - φ^k) of the variance, twice over, so two apart against one apart gives
    1 + φ; a curve without noise gives 4. Blocks of rows (``long_run_factor``) show more, but only of
    logs that are long against the correlation.
    """
    apart = [_scatter(gap[k:] - gap[:-k]) for k in (1, 2)]
    if apart[0] == 0:
        return 0.0
    phi = apart[1] / apart[0] - 1
    if phi > SMOOTH:
        return 0.0
    return float(np.clip(phi + UPPER / np.sqrt(len(gap)), 0.0, MOST_PERSISTENT))


def _scatter(differences: Values) -> float:
    """Mean square, what lies far out counting no more than an outlier may: a step is one difference."""
    size = np.abs(differences)
    far = OUTLIER * MAD_TO_SD * float(np.median(size))
    return float(np.mean(np.minimum(size, far) ** 2 if far > 0 else size**2))


def _of_means(phi: float, rows: Counts) -> Values:
    """Per stretch, how much larger the variance of its mean is than its rows' second differences would have it.

    Of noise x_i = φ x_(i-1) + white, a mean of m rows has σ²/m ((1 + φ)/(1 - φ) - 2 φ (1 - φ^m) / m (1 - φ)²),
    and its second differences, divided by 6, estimate σ² (1 - φ) (3 - φ) / 3.
    """
    inflated = (1 + phi) / (1 - phi) - 2 * phi * (1 - phi**rows) / (rows * (1 - phi) ** 2)
    return np.asarray(inflated * 3 / ((1 - phi) * (3 - phi)))


def _noise(gap: Values, starts: Counts, ends: Counts) -> tuple[Values, Values]:
    """Per stretch the standard deviation of a row around it, and the degrees of freedom that this rests on."""
    second = np.abs(np.diff(gap, 2))
    noise = np.empty(len(starts))
    rows = np.maximum(ends - starts, AROUND)
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        spare = max(AROUND - (end - start), 0)
        first = min(max(start - spare // 2, 0), max(len(gap) - rows[i], 0))
        here = second[first : max(first, first + rows[i] - 2)]
        noise[i] = noise_of(here[:: max(1, len(here) // (20 * AROUND))])
    return noise, np.maximum(WORTH * (np.minimum(rows, len(gap)) - 2), 1.0)


def _seed_test(
    curves: _Curves, starts: Counts, ends: Counts, splits: Splits
) -> tuple[Values, NDArray[np.bool_], Values]:
    """(mean difference of each stretch, whether few other splits show any stretch so far apart, how far each does)."""
    mean = _means(curves.value, starts, ends)
    observed, gap = _apart(mean, splits.b[0], curves.least)
    others = np.array([_apart(mean, split, curves.least)[0].max() for split in splits.b])
    same = others >= others[0] - 1e-9
    if same.mean() > ALPHA:
        return gap, np.zeros(len(gap), dtype=bool), others
    limit = np.sort(others)[::-1][int(ALPHA * len(others) + 1e-9) :].max()
    return gap, observed > limit, others


def _apart(mean: Values, b: NDArray[np.bool_], least: float) -> tuple[Values, Values]:
    """(|difference of the sides| / scatter within them, the difference); ``least`` keeps a scatter of 0 from ruling."""
    sides = mean[~b], mean[b]
    gap = sides[1].mean(axis=0) - sides[0].mean(axis=0)
    squares = sum(((side - side.mean(axis=0)) ** 2).sum(axis=0) for side in sides)
    scatter = np.sqrt(squares / max(len(mean) - 2, 1))
    return np.abs(gap) / (scatter + least), gap
