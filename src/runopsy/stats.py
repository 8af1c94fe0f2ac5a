"""Robust statistics on plain arrays; knows nothing of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_Number = TypeVar("_Number", bound=np.generic)

MOST_FIRST = 5  # values whose median is where a series begins: enough against one hard batch
FIRST_ROWS = 8  # values whose distance shows how finely a log begins
OF_MEDIAN = 1.25  # x the standard error of a mean of Gaussian values: that of their median
Z90 = 1.645  # standard errors on either side that hold 90 % of a Gaussian
MAD_TO_SD = 1.4826  # 1 / Φ⁻¹(3/4): makes the median absolute deviation of a Gaussian its standard deviation
ROUGHEST = 6.5  # 4 for a random walk, the roughest noise there is, x what medians of 100 blocks may err by
ENOUGH_ROWS = 1 << 17  # second differences whose median is as good as that of 1e7: to 0.3 %
MOST_SORTED = 1 << 21  # rows x window, up to which NumPy sorts every window sooner than SciPy is loaded
# Numbers that are worked on at a time where all at once are many: 64 KB stay near the processor, and below the size
# from which memory is asked of the system, and cleared by it, each time.
IN_A_BLOCK = 1 << 13
MOST_ORDERED = 512  # values that are put in order to find their median: of so few, that is sooner than parting them
ENOUGH_BLOCKS = 24  # second differences of block means that a median is trusted to


def first_spacing(steps: Floats) -> float:
    """The distance between the first values: what is resolved at the start, also where logging thins out later."""
    few = steps[:FIRST_ROWS].tolist()  # plain Python: ten times faster than NumPy on so few, and asked very often
    if len(few) < 2:
        return 1.0
    apart = sorted(b - a for a, b in pairwise(few))
    half = len(apart) // 2
    return float(apart[half] if len(apart) % 2 else (apart[half - 1] + apart[half]) / 2)


def median(values: Floats | NDArray[np.int64]) -> float:
    """The value in the middle, or the mean of the two there; NaN where one is NaN, or there is none.

    To the last digit ``np.median``, whose care for axes and types takes twenty times as long on some hundred
    values, and is asked for thousands of times a run.
    """
    n = len(values)
    half = n // 2
    if n <= MOST_ORDERED:
        ordered = np.sort(values)
        above, below = ordered[half:], ordered[:half]
    else:
        parted = np.partition(values, half)
        above, below = parted[half:], parted[:half]
    if not n or np.isnan(above.max()):  # NaN is put last
        return float("nan")
    return float(above[0] if n % 2 else (below.max() + above[0]) / 2)


def weighted_mean(values: Floats, weights: Floats) -> float:
    """To the last digit ``np.average``, without its care for axes and types; the weights are all above zero."""
    return float((values * weights).sum() / weights.sum())


def medians(rows: Floats) -> Floats:
    """(n,) ``median`` of each of n rows, of at least one value each; none is NaN."""
    ordered, half = np.sort(rows, axis=1), rows.shape[1] // 2
    return np.asarray(ordered[:, half] if rows.shape[1] % 2 else (ordered[:, half - 1] + ordered[:, half]) / 2)


def quantiles(values: Floats | Sequence[float], shares: Sequence[float]) -> Floats:
    """The values, of at least one and none NaN, below which such shares of them lie, straight between two neighbours.

    To the last digit ``np.quantile``, without the masked arrays that it loads.
    """
    ordered, at = np.sort(values), (len(values) - 1) * np.asarray(shares)
    below = np.floor(at).astype(int)
    low, high, part = ordered[below], ordered[np.minimum(below + 1, len(values) - 1)], at - below
    return np.asarray(np.where(part >= 0.5, high - (high - low) * (1 - part), low + (high - low) * part))


def distinct(values: NDArray[_Number]) -> NDArray[_Number]:
    """The values in order, each once; none is NaN. ``np.unique`` loads NumPy's masked arrays first."""
    ordered = np.sort(values)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def at_start(values: Floats) -> float:
    """Where a series begins: the median of its first values, a hundredth of them and at most five.

    A single minibatch is noisy, so a long log is asked for several rows; but only where they differ by noise. Where the
    first row lies apart from those after it, learning has begun between them, and the first row is the start.
    """
    few = max(1, min(MOST_FIRST, len(values) // 100))
    few -= 1 - few % 2  # the median of two is their mean, which one spike takes along
    if few == 1:
        return float(values[0])
    after = values[1 : 2 * few]
    middle, reach = median(after), float(np.ptp(after))
    near = min(after.min(), middle - reach) <= values[0] <= max(after.max(), middle + reach)
    return median(values[:few]) if near else float(values[0])


def first_run(true: NDArray[np.bool_], length: int) -> int | None:
    """Where the first run of ``length`` (at least 1) True begins; None where there is none."""
    if len(true) < length:
        return None
    summed = np.cumsum(np.concatenate([[0], true.astype(int)]))
    full = np.flatnonzero(summed[length:] - summed[:-length] == length)
    return int(full[0]) if len(full) else None


def white_noise(values: Floats) -> float:
    """Standard deviation of the noise of one row around a locally straight line, from second differences.

    One of unit white noise has variance 6. Of a long series, ``ENOUGH_ROWS`` evenly spread ones are asked.
    """
    every = max(1, len(values) // ENOUGH_ROWS)
    return noise_of(second_differences(values, every))


def noise_of(second: Floats) -> float:
    """The same from absolute second differences.

    Differences that are exactly zero (a value carried over, a rounded log) are left out if they would
    make the median zero.
    """
    if not len(second):
        return 0.0
    middle = median(second)
    if middle == 0 and (moving := second[second > 0]).size:
        middle = median(moving) * len(moving) / len(second)
    return float(MAD_TO_SD * middle / np.sqrt(6))


def white_noises(values: Floats, first: NDArray[np.int64], count: NDArray[np.int64], most: int) -> Floats:
    """(m,) ``white_noise`` of many stretches at once, each from at most ``most`` second differences, evenly spread.

    Args:
        values: (n,) of the whole series.
        first: (m,) row with which each stretch begins.
        count: (m,) its second differences, at least 1: rows less two.
        most: of them are asked.
    """
    noise = np.empty(len(count))
    at = np.arange(min(most, int(count.max(initial=0))))
    rows = max(1, IN_A_BLOCK // max(1, len(at)))
    many = len(count) and len(values) <= most * len(count)  # of a longer series few second differences are asked
    windows = _windows(values, len(at)) if many else None
    for start in range(0, len(count), rows):
        here = slice(start, start + rows)
        longest = at[: int(count[here].max())]
        noise[here] = _noises(values, windows, first[here], count[here], most, longest)
    return noise


def _windows(values: Floats, length: int) -> Floats:
    """(n - 2, length) the second differences from each on, repeated at the end: a view, which takes no memory."""
    second = second_differences(values)
    longer = np.concatenate([second, np.full(length - 1, second[-1])])  # a fifth of the time of ``np.pad``
    return np.lib.stride_tricks.sliding_window_view(longer, length)


def second_differences(values: Floats, every: int = 1) -> Floats:
    """(n - 2,) how far each inner value lies off the line through its neighbours, twice; or one in ``every``."""
    return np.abs(values[:-2:every] - 2 * values[1:-1:every] + values[2::every])


def _noises(
    values: Floats,
    windows: Floats | None,
    first: NDArray[np.int64],
    count: NDArray[np.int64],
    most: int,
    at: NDArray[np.int64],
) -> Floats:
    """``white_noises`` of a block of stretches; ``at`` counts the second differences of the longest.

    ``windows`` has the second differences from each row on, where those of the whole series have been worked out.
    """
    asked, length = np.minimum(count, most), len(at)
    thinned = np.flatnonzero(count > most)
    spread = at * count[thinned, None] // most + first[thinned, None]
    if windows is not None:
        second = windows[first, :length]  # a copy, which is put in order below
        second[thinned] = windows[spread, 0]
    else:
        row = np.minimum(at + first[:, None], len(values) - 3)
        row[thinned] = spread
        second = np.abs(values[row] - 2 * values[row + 1] + values[row + 2])
    if asked.min() == length:
        second.partition(sorted({(length - 1) // 2, length // 2}), axis=1)
        middle = second[:, (length - 1) // 2] + second[:, length // 2]
    else:
        second[at >= asked[:, None]] = np.inf
        second.sort(axis=1)
        each = np.arange(len(asked))
        middle = second[each, (asked - 1) // 2] + second[each, asked // 2]
    noise = MAD_TO_SD * middle / 2 / np.sqrt(6)
    still = np.flatnonzero(noise == 0)
    for i in still[((second[still] > 0) & (at < asked[still, None])).any(axis=1)].tolist():
        noise[i] = noise_of(second[i, : asked[i]])
    return np.asarray(noise)


def long_run_factor(values: Floats) -> float:
    """How much larger the variance of a mean of m rows is than white noise would have it, m large; at least 1.

    Block means of m = 1, 2, 4, … rows: m times the variance of their noise (from second differences)
    rises to a plateau, the long-run variance, where the rows are autocorrelated. Noise as rough as a
    random walk makes that product grow 4-fold when m doubles, a bending curve 32-fold: growth beyond
    the first is the curve's, and the search ends.
    """
    base = white_noise(values) ** 2
    if base == 0:
        return 1.0
    factor, m = 1.0, 2
    while len(values) // m >= ENOUGH_BLOCKS:
        blocks = block_means(values, m)
        longer = m * white_noise(blocks) ** 2 / base
        if longer > ROUGHEST * factor:
            break
        factor = max(factor, longer)
        m *= 2
    return factor


def block_means(values: Floats, m: int) -> Floats:
    """(n // m,) the mean of each m values, one block after the other.

    To the last digit those of NumPy, which adds a few neighbours in order, and takes ten times as long over it.
    """
    blocks = values[: len(values) // m * m].reshape(-1, m)
    if m not in (2, 4):
        return np.asarray(blocks.mean(axis=1))
    summed = blocks[:, 0] + blocks[:, 1]
    for column in range(2, m):
        summed += blocks[:, column]
    return np.asarray(summed / m)


def rolling_median(values: Floats, window: int) -> Floats:
    """The median of the ``window`` (odd) values around each; at the ends the values are mirrored.

    Raises:
        ValueError: an even window, or fewer values than the window.
    """
    if window % 2 == 0:
        raise ValueError(f"window={window} has no middle")
    if len(values) < window:
        raise ValueError(f"{len(values)} values are fewer than window={window}")
    if len(values) * window > MOST_SORTED:
        from scipy.ndimage import median_filter  # O(n log window), and a tenth of a second to load

        return np.asarray(median_filter(values, size=window, mode="mirror"))
    return np.frombuffer(_rolling_median(np.asarray(values, dtype=np.float64).tobytes(), window))


@lru_cache(maxsize=2)  # spikes and jumps ask it of the same loss, one after the other
def _rolling_median(values: bytes, window: int) -> bytes:
    """The bytes of ``rolling_median``, from those of its values."""
    row, half = np.frombuffer(values), window // 2
    padded = np.concatenate([row[half:0:-1], row, row[-2 : -half - 2 : -1]])
    return _over_windows(padded, window, _middle).tobytes()


def medians_of_five(values: Floats) -> Floats:
    """(n - 4,) the median of each five neighbouring values, from the lower and the higher of two and two of them."""
    a, b, c, d, e = (values[i : len(values) - 4 + i] for i in range(5))
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return np.asarray(np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e)))


def trailing_median(values: Floats, window: int) -> Floats:
    """The median of the ``window`` (odd) values before each, itself left out; NaN where there are fewer."""
    out = np.full(len(values), np.nan)
    if len(values) > window:
        half = window // 2
        out[window:] = rolling_median(values, window)[half : len(values) - half - 1]
    return out


def trailing_max(values: Floats, window: int) -> Floats:
    """The largest of the ``window`` values before each, itself left out; NaN where there are fewer."""
    out = np.full(len(values), np.nan)
    if len(values) > window:
        out[window:] = _largest(values[:-1], window)
    return out


def _largest(values: Floats, window: int) -> Floats:
    """The largest of each ``window`` neighbouring values, by doubling: of 1, 2, 4, … of them."""
    largest, width = values, 1
    while width < window:
        step = min(width, window - width)
        largest = np.maximum(largest[:-step], largest[step:])
        width += step
    return largest


def _middle(windows: Floats) -> Floats:
    """(n,) median of each row of an odd number of values; changes their order."""
    half = windows.shape[1] // 2
    windows.partition(half, axis=1)
    return windows[:, half]


def _over_windows(values: Floats, window: int, of: Callable[[Floats], Floats]) -> Floats:
    """Something of every window of neighbouring values; block by block: all windows at once are n x window numbers."""
    windows = np.lib.stride_tricks.sliding_window_view(values, window)
    rows = max(1, IN_A_BLOCK // window)
    blocks = [of(windows[start : start + rows].copy()) for start in range(0, len(windows), rows)]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
