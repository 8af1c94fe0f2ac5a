import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from runopsy.stats import (
    at_start,
    block_means,
    distinct,
    first_run,
    long_run_factor,
    median,
    medians,
    medians_of_five,
    quantiles,
    rolling_median,
    trailing_max,
    trailing_median,
    white_noise,
    white_noises,
)

finite = st.floats(-1e6, 1e6, allow_nan=False)


def naive_rolling_median(values, window):
    """As slow and as plain as the definition reads; the ends are mirrored without repeating the end value."""
    half, n = window // 2, len(values)

    def at(i):
        i = -i if i < 0 else i
        return values[2 * (n - 1) - i if i > n - 1 else i]

    return np.array([sorted(at(j) for j in range(i - half, i + half + 1))[half] for i in range(n)])


@given(arrays(np.float64, st.integers(1, 60), elements=finite))
def test_median_is_that_of_numpy_to_the_last_digit(values):
    assert median(values) == np.median(values)


@pytest.mark.parametrize("n", [511, 512, 513, 514, 5001])
def test_median_of_many_values_is_that_of_numpy_to_the_last_digit(n):
    values = np.random.default_rng(n).normal(size=n)
    assert median(values) == np.median(values)


@pytest.mark.parametrize("n", [1, 6, 700])
def test_median_of_values_of_which_one_is_no_number_is_none(n):
    assert np.isnan(median(np.array([np.nan, *range(n - 1)])))


@given(arrays(np.float64, st.tuples(st.integers(0, 9), st.integers(1, 9)), elements=finite))
def test_the_medians_of_rows_are_those_of_numpy(rows):
    np.testing.assert_array_equal(medians(rows), np.median(rows, axis=1))


@given(arrays(np.float64, st.integers(1, 40), elements=finite), st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_quantiles_are_those_of_numpy_to_the_last_digit(values, shares):
    np.testing.assert_array_equal(quantiles(values, shares), np.quantile(values, shares))


def test_median_of_nothing_is_no_number():
    assert np.isnan(median(np.empty(0)))


@given(arrays(np.float64, st.integers(0, 40), elements=st.integers(-9, 9).map(float)))
def test_distinct_values_are_those_of_numpy(values):
    np.testing.assert_array_equal(distinct(values), np.unique(values))


@given(arrays(np.float64, st.integers(5, 40), elements=finite))
def test_medians_of_five_match_their_definition(values):
    expected = [sorted(values[i : i + 5])[2] for i in range(len(values) - 4)]
    np.testing.assert_array_equal(medians_of_five(values), expected)


@pytest.mark.parametrize("most", [9, 255])
def test_the_noise_of_many_stretches_is_that_of_each_alone(most):
    values = np.random.default_rng(0).normal(size=4000).round(1)
    values[200:260] = 0.0
    first = np.arange(0, 3000, 7)
    count = np.random.default_rng(1).integers(1, 900, len(first))
    found = white_noises(values, first, count, most)
    for i, (a, n) in enumerate(zip(first, count, strict=True)):
        asked = a + np.arange(min(n, most)) * n // min(n, most)
        second = np.abs(values[asked] - 2 * values[asked + 1] + values[asked + 2])
        middle = np.median(second)
        if middle == 0 and (second > 0).any():
            middle = np.median(second[second > 0]) * (second > 0).mean()
        assert found[i] == pytest.approx(1.4826 * middle / 6**0.5, rel=1e-12)


@given(arrays(np.float64, st.integers(7, 60), elements=finite), st.sampled_from([1, 3, 7]))
def test_rolling_median_matches_its_definition(values, window):
    np.testing.assert_array_equal(rolling_median(values, window), naive_rolling_median(values, window))


@given(arrays(np.float64, st.integers(8, 60), elements=finite), st.sampled_from([3, 5, 7]))
def test_trailing_statistics_see_only_what_came_before(values, window):
    median, highest = trailing_median(values, window), trailing_max(values, window)
    for i in range(len(values)):
        if i < window:
            assert np.isnan(median[i])
            assert np.isnan(highest[i])
        else:
            assert median[i] == sorted(values[i - window : i])[window // 2]
            assert highest[i] == values[i - window : i].max()


@pytest.mark.parametrize(("window", "n"), [(4, 10), (7, 6)])
def test_a_window_without_a_middle_or_longer_than_the_series_is_refused(window, n):
    with pytest.raises(ValueError, match="window"):
        rolling_median(np.zeros(n), window)


@pytest.mark.parametrize("slope", [0.0, 0.3, -2.0])
def test_white_noise_is_measured_around_a_slope(slope):
    rng = np.random.default_rng(1)
    values = slope * np.arange(20_000) + rng.normal(0, 0.7, 20_000)
    assert white_noise(values) == pytest.approx(0.7, rel=0.03)


def test_white_noise_of_too_few_or_constant_values_is_zero():
    assert white_noise(np.array([1.0, 2.0])) == 0
    assert white_noise(np.ones(50)) == 0


def ar1(phi, n=60_000, seed=2):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=n)
    out = np.empty(n)
    out[0] = noise[0]
    for i in range(1, n):
        out[i] = phi * out[i - 1] + noise[i]
    return out


@given(arrays(np.float64, st.integers(1, 70), elements=st.floats(-1e6, 1e6)), st.sampled_from([2, 4, 8, 16]))
def test_means_of_blocks_are_those_of_numpy_to_the_last_digit(values, m):
    blocks = values[: len(values) // m * m].reshape(-1, m)
    np.testing.assert_array_equal(block_means(values, m), blocks.mean(axis=1))


def test_the_long_run_factor_of_white_noise_is_one():
    assert long_run_factor(ar1(0.0)) == pytest.approx(1, abs=0.25)


def test_the_long_run_factor_grows_with_autocorrelation():
    half, strong = long_run_factor(ar1(0.5)), long_run_factor(ar1(0.9))
    assert 2 < half < strong


def test_a_bending_curve_without_noise_is_not_taken_for_autocorrelation():
    curve = np.log(0.1 + 1 / (1 + np.arange(5000) / 100))
    assert long_run_factor(curve) < 4


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 5))
def test_the_first_run_is_that_of_the_definition(true, length):
    found = [i for i in range(len(true) - length + 1) if all(true[i : i + length])]
    assert first_run(np.array(true, dtype=bool), length) == (found[0] if found else None)


def test_one_spike_in_the_first_rows_is_no_start():
    values = np.concatenate([[6.94, 16.88], np.linspace(6.9, 2.0, 283)])
    assert at_start(values) == 6.94
