"""The best fit of straight pieces to weighted points: exact, by dynamic programming.

ruptures has no weighted piecewise-linear cost that is fast enough (its linear costs solve one least
squares problem per candidate, in Python); this is O(m²) in numpy. The test's twin tries every cut.
"""

from __future__ import annotations

import numpy as np

from runopsy.stats import IN_A_BLOCK, Floats, weighted_mean

SHORTEST = 2  # points in a piece


def line_costs(x: Floats, y: Floats, weight: Floats) -> Floats:
    """(m + 1, m + 1) cost of one straight line through points [i, j); inf where j - i < ``SHORTEST``.

    The weighted sum of squared residuals about the least-squares line, from prefix sums. ``x`` and
    ``y`` are centred first, because prefix sums lose digits on large offsets.
    """
    x, y = x - weighted_mean(x, weight), y - weighted_mean(y, weight)
    sums = [np.concatenate([[0.0], np.cumsum(weight * part)]) for part in (np.ones_like(x), x, y, x * x, x * y, y * y)]
    m = len(x)
    cost = np.full((m + 1, m + 1), np.inf)  # by j, then i
    rows = max(1, IN_A_BLOCK // (m + 1))
    corner = np.tri(rows, rows - 1, -1, dtype=bool)  # of a block: lines long enough beside others too short
    for start in range(SHORTEST, m + 1, rows):
        stop, solid = min(start + rows, m + 1), start - SHORTEST + 1
        block = _costs(*(s[start:stop, None] - s[: stop - SHORTEST] for s in sums))
        cost[start:stop, :solid] = block[:, :solid]
        long_enough = corner[: stop - start, : stop - start - 1]
        np.copyto(cost[start:stop, solid : stop - SHORTEST], block[:, solid:], where=long_enough)
    return cost.T


def _costs(w: Floats, sx: Floats, sy: Floats, vx: Floats, cxy: Floats, vy: Floats) -> Floats:
    """The costs of lines, from the sums over their points of weights, x, y and their products; changes them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        enough = 1e-12 * np.abs(vx)
        share = sx / w
        vx -= share * sx
        cxy -= share * sy
        np.divide(sy, w, out=share)
        share *= sy
        vy -= share
        np.multiply(cxy, cxy, out=cxy)
        np.divide(cxy, vx, out=cxy)
        np.copyto(cxy, 0.0, where=~(vx > enough))
        vy -= cxy
    return np.asarray(np.maximum(vy, 0.0, out=vy))


def best_pieces(cost: Floats, penalty: float) -> list[int]:
    """The cuts 0 < c < m that minimise the summed cost plus ``penalty`` per piece."""
    m = cost.shape[0] - 1
    best = np.full(m + 1, np.inf)
    best[0] = -penalty
    came, totals, by_end = [0] * (m + 1), np.empty(m + 1), cost.T
    for j in range(SHORTEST, m + 1):
        total = np.add(best[:j], by_end[j, :j], out=totals[:j])
        total += penalty
        came[j] = at = int(total.argmin())
        best[j] = total[at]
    cuts, at = [], m
    while at > 0 and came[at] > 0:
        at = came[at]
        cuts.append(at)
    return cuts[::-1]


def fit_pieces(x: Floats, y: Floats, weight: Floats, cuts: list[int]) -> tuple[Floats, Floats, Floats]:
    """The fitted lines at the points, one standard error of them, and one of their slopes (from the weights alone)."""
    begins = np.array([0, *cuts])
    points = np.diff(begins, append=len(x))

    def in_piece(values: Floats) -> Floats:
        return np.repeat(np.add.reduceat(values, begins), points)

    total = in_piece(weight)
    u = x - in_piece(weight * x) / total
    around = in_piece(weight * u * u)
    known = around > 0  # more than one place
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(known, in_piece(weight * u * y) / around, 0.0)
        slope_error = np.where(known, around**-0.5, np.inf)
        spread = np.sqrt(1 / total + np.where(known, u * u / around, 0.0))
    return in_piece(weight * y) / total + slope * u, spread, slope_error


def local_slope(x: Floats, y: Floats, error: Floats, width: float) -> tuple[Floats, Floats]:
    """(m,) slope at each point of a line fitted to its neighbourhood, and one standard error of it.

    Weighted least squares with a Gaussian kernel of standard deviation ``width`` (in x) around each
    point; where too few points lie near, the error is infinite.
    """
    away = np.subtract.outer(x, x).T
    weight = -0.5 / width**2 * away  # from here on in place: memory costs as much as the sums
    weight *= away
    np.exp(weight, out=weight)
    weight /= error * error
    moment = weight * away
    s0, s1, s2 = weight.sum(1), moment.sum(1), np.einsum("ij,ij->i", moment, away)
    spread = s0 * s2 - s1**2
    known = spread > 1e-9 * s0 * s2
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.multiply(s0[:, None], moment, out=moment)
        share -= np.multiply(s1[:, None], weight, out=weight)
        share /= spread[:, None]
        slope = np.where(known, share @ y, 0.0)
        share *= error
        slope_error = np.where(known, np.sqrt(np.einsum("ij,ij->i", share, share)), np.inf)
    return slope, slope_error
