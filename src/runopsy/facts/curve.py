"""A judged curve as a careful reader sees it: its points, their noise, its shape, its ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from runopsy.facts.counting import set_size
from runopsy.facts.shape import Piece, Shape, shape_of
from runopsy.facts.spikes import Spike
from runopsy.model import Position, Positions, Signal, Values
from runopsy.segments.bins import Bins, bin_signal
from runopsy.stats import ROUGHEST, Floats, at_start, median, medians_of_five, noise_of, white_noise
from runopsy.thresholds import DEFAULTS, Limits

EVALUATIONS = 150  # rows: in a log so short each is a mean over an epoch or a set; in a longer one it may be a batch
POINTS = 96  # at most: quadratic work in the levels, and a turn is placed to a hundredth of the run
VISIBLE = 0.003  # of a loss's range: smaller differences are seen by nobody, also where a log scale would show them
BEYOND = 10.0  # x the way down from its start, or x that start: a loss that blows up sets no scale for what it learnt
CAP = 1000.0  # x the start or the median of a loss: how far beyond it went adds nothing
FEW = 4.0  # rows that are added in doubt: the noise of n rows is known to a share of about 1 / √n, and may be larger
LONG_ENOUGH = 96  # rows from which blocks of rows show how noise wanders
MEDIAN_ERROR = 2.3  # / √n: two standard errors of a variance estimated by the median of n second differences, measured
FEWEST_SECOND = 4  # second differences: the median of fewer means nothing
FEWEST_FIT = 5  # rows, from which noise can be separated from shape: of fewer, each value is taken as logged
OF_GAIN = 0.5  # x the root of a move's gain, that is sure: the best move of a flat curve gains a little over 3 log m


@dataclass(frozen=True, slots=True)
class Move:
    """A stretch over which a curve moves in one direction, in the curve's own unit."""

    start: Position
    end: Position
    begins: float
    ends: float
    gain: float  # likelihood: how much worse a flat stretch would fit, in units of noise variance
    sure: (
        float  # its change in standard errors, on the scale on which the noise is even: of a loss, the logarithmic one
    )

    @property
    def change(self) -> float:
        return self.ends - self.begins


@dataclass(frozen=True, eq=False)  # without slots, which have no place for what is worked out once
class Curve:
    """One curve that is judged. Values are in the signal's own unit; ``sign`` is +1 where higher is better."""

    name: str
    sign: float
    signal: Signal
    calm: Values  # (n,) of the signal's rows, or the medians of five where there are rows enough
    step: Positions  # (m,) of the points
    value: Values  # (m,) mean of the rows of each
    error: Values  # (m,) one standard error of each, slow noise included
    fit: Values  # (m,) the piecewise monotone fit
    moves: tuple[Move, ...]  # its monotone pieces; none where it is flat beyond noise
    noise: float  # standard deviation of one row
    scatter: float  # the same around its neighbours, over the whole curve
    begins: float  # first level: of the rows that differ by noise alone
    ends: float  # last level
    ends_error: float  # one standard error of it

    @property
    def rows(self) -> int:
        return len(self.signal)

    @property
    def begins_at(self) -> Position:
        return float(self.signal.step[0])

    @property
    def flat(self) -> bool:
        return not self.moves

    @cached_property
    def below_zero(self) -> bool:
        """Whether a loss goes below 0, as that of densities does: a share of its first level then means nothing."""
        return self.sign < 0 and bool(self.fit.min() < 0)

    @cached_property
    def low(self) -> float:
        return float(self.fit.min())

    @cached_property
    def high(self) -> float:
        return float(self.fit.max())

    @property
    def best(self) -> float:
        """The best level it had, noise aside."""
        return self.high if self.sign > 0 else self.low

    @cached_property
    def best_at(self) -> Position:
        """Where it had its best level: the best point of the stretch over which the fit holds it."""
        held = np.flatnonzero(self.fit == self.best)
        return float(self.step[held[np.argmax(self.sign * self.value[held])]])

    @property
    def best_row(self) -> int:
        """The first logged row at or after its best level."""
        return int(np.searchsorted(self.signal.step, self.best_at))

    @cached_property
    def best_point(self) -> int:
        """The first point at which the fit has its best level."""
        return int(np.argmax(self.fit) if self.sign > 0 else np.argmin(self.fit))

    @property
    def worst(self) -> float:
        return self.low if self.sign > 0 else self.high

    def at(self, step: Position) -> float:
        """The fitted value at any step."""
        return float(np.interp(step, self.step, self.fit))

    def reaches(self, level: float, since: Position) -> Position:
        """Where the fit first reaches a level in its good direction after a position; else where it is best."""
        better = self.sign * (self.fit - level) >= 0
        where = np.flatnonzero(better & (self.step >= since))
        if not len(where):
            return self.best_at
        at = int(where[0])
        if at == 0 or better[at - 1]:
            return float(self.step[at])
        share = (level - self.fit[at - 1]) / (self.fit[at] - self.fit[at - 1])
        return float(max(since, self.step[at - 1] + share * (self.step[at] - self.step[at - 1])))


Curves = Mapping[str, Curve]  # by name


def curve_of(signal: Signal, first: Position, spikes: Sequence[Spike] = (), limits: Limits = DEFAULTS) -> Curve | None:
    """A signal as a curve, without the rows of spikes; None where it has no finite value."""
    signal = _without(signal, spikes, limits)
    if not len(signal):
        return None
    accuracy = signal.name.endswith("acc")
    sign = 1.0 if accuracy or signal.better == "higher" else -1.0
    began, low = at_start(signal.value), float(signal.value.min())
    reach = min(float(np.ptp(signal.value)), BEYOND * max(began - low, abs(began)))
    offset = VISIBLE * reach - min(0.0, low)
    cap = CAP * max(abs(began), median(signal.value))
    logarithm = signal.name.endswith("loss") and reach > 0

    def to(value: Floats) -> Floats:
        return np.log(np.minimum(value, cap) + offset) if logarithm else value

    def back(value: Floats) -> Floats:
        return np.exp(value) - offset if logarithm else value

    bins = bin_signal(signal, to(signal.value), first, most=POINTS)
    wanders = np.sqrt(np.maximum(bins.error**2 - bins.floor**2, 0.0)) * _slow(bins.level, len(signal))
    error = np.hypot(wanders, bins.floor) * (1 + FEW / len(signal))
    if accuracy and sign > 0:
        error = np.maximum(error, _of_counting(signal, bins))
    shape = shape_of(bins.level, error)
    step = _logged(bins, signal)
    unit = back(bins.level) + offset if logarithm else np.ones_like(error)
    ends, ends_error, noise = _ends(signal, bins, error * unit, limits)
    return Curve(
        name=signal.name,
        sign=sign,
        signal=signal,
        calm=_calm(signal.value),
        step=step,
        value=back(bins.level),
        error=error * unit,
        fit=back(shape.fit if len(signal) >= FEWEST_FIT else bins.level),
        moves=_moves(shape, step, error, back),
        noise=noise,
        scatter=white_noise(signal.value),
        begins=began,
        ends=ends,
        ends_error=ends_error,
    )


def _without(signal: Signal, spikes: Sequence[Spike], limits: Limits) -> Signal:
    """The signal without the rows of spikes; all of them where nothing else would be left."""
    if not spikes or len(signal) < 2:
        return signal
    rare = median(np.diff(signal.step))
    kept = np.ones(len(signal), dtype=bool)
    for spike in spikes:  # where evaluations are rare, the first one after a spike still feels it
        kept &= (signal.step < spike.start) | (signal.step >= spike.end + (rare if rare > 1 else 0))
    if kept.all() or kept.sum() <= limits.few_rows:
        return signal
    return replace(signal, step=signal.step[kept], value=signal.value[kept], time=None)


def _calm(value: Values) -> Values:
    """Medians of five rows where there are rows enough: one lucky batch is no recovery."""
    if len(value) <= EVALUATIONS:
        return value
    return medians_of_five(np.concatenate([value[:1], value[:1], value, value[-1:], value[-1:]]))


def _of_counting(signal: Signal, bins: Bins) -> Floats:
    """(m,) standard error of an accuracy that counts right answers among n examples, √(p (1 − p) / n)."""
    size = set_size(signal.value)
    if size is None:
        return np.zeros(len(bins.level))
    p = np.clip(bins.level, 0.0, 1.0)
    per_point = max(1.0, len(signal) / len(bins.level))
    return np.asarray(np.sqrt(p * (1 - p) / size / per_point))


def _slow(level: Floats, rows: int) -> float:
    """How much larger the noise of a mean is than neighbouring rows show, in a log too short for ``long_run_factor``.

    Overlapping means of 2 and 4 rows take the place of its blocks: noise that wanders slowly makes their second
    differences larger than those of single rows would have it.
    """
    if rows > LONG_ENOUGH:
        return 1.0
    base, factor = white_noise(level) ** 2, 1.0
    for width in (2, 4):
        means = np.convolve(level, np.full(width, 1 / width), mode="valid")
        second = np.abs(means[: -2 * width] - 2 * means[width:-width] + means[2 * width :])
        if len(second) < FEWEST_SECOND or base == 0:
            break
        longer = width * noise_of(second) ** 2 / base
        if longer > ROUGHEST * factor:
            break  # the curve bends: that is no noise
        factor = max(factor, longer / (1 + MEDIAN_ERROR / len(second) ** 0.5))
    return float(factor**0.5)


def _logged(bins: Bins, signal: Signal) -> Positions:
    """The logged step nearest to each point: a mean of several rows may lie between two."""
    after = np.clip(np.searchsorted(signal.step, bins.step), 1, max(len(signal) - 1, 1))
    if len(signal) == 1:
        return signal.step.copy()
    before = signal.step[after - 1]
    return np.where(bins.step - before < signal.step[after] - bins.step, before, signal.step[after])


def _moves(shape: Shape, step: Positions, error: Values, back: Callable[[Floats], Floats]) -> tuple[Move, ...]:
    return tuple(
        Move(
            float(step[p.first]),
            float(step[p.last]),
            float(back(np.array(p.begins))),
            float(back(np.array(p.ends))),
            p.gain,
            _sure(p, error),
        )
        for p in shape.pieces
    )


def _sure(piece: Piece, error: Values) -> float:
    """A change in standard errors: of its two ends, or of all its points, whichever is larger.

    Two points of a noisy loss show little, even where the loss fell to a hundredth: all of them together do.
    """
    of_ends = abs(piece.change) / max(float(np.hypot(error[piece.first], error[piece.last])), 1e-300)
    return float(max(of_ends, OF_GAIN * max(piece.gain, 0.0) ** 0.5))


def _ends(signal: Signal, bins: Bins, error: Values, limits: Limits) -> tuple[float, float, float]:
    """(level of the last tenth of the rows, its standard error, standard deviation of one row there)."""
    rows = max(1, int(limits.tail * len(signal)))
    tail = signal.value[-rows:]
    level = median(tail) if rows > 2 else float(tail.mean())
    per_row = error[-1] * max(1.0, len(signal) / len(bins.level)) ** 0.5
    return level, float(per_row / rows**0.5), float(per_row)


def noise_at(curve: Curve, best: float) -> float:
    """One standard error of the difference between a curve's last level and one of its fitted levels."""
    at = curve.best_point if best == curve.best else int(np.argmin(np.abs(curve.fit - best)))
    return float(np.hypot(curve.ends_error, curve.error[at]))
