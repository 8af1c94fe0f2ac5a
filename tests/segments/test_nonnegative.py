import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from runopsy.segments.decay import mixture
from runopsy.segments.nonnegative import nonnegative


def loss_of(design, value, weights):
    return float(((design @ weights - value) ** 2).sum())


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 12))
def test_the_fit_is_that_of_scipy(seed, m, n):
    rng = np.random.default_rng(seed)
    design, value = rng.standard_normal((m, n)), rng.standard_normal(m)
    ours, theirs = nonnegative(design, value), nnls(design, value)[0]
    assert (ours >= 0).all()
    assert loss_of(design, value, ours) == pytest.approx(loss_of(design, value, theirs), rel=1e-6, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_mixture_whose_columns_are_nearly_alike_is_fitted_as_well_as_by_scipy(seed):
    rng = np.random.default_rng(seed)
    elapsed = np.sort(rng.uniform(1, 5000, 150))
    truth = 0.1 + 2 * (1 + elapsed / 50) ** -rng.uniform(0.3, 1.5)
    error = 0.03 * truth
    value = truth + error * rng.standard_normal(150)
    design = mixture(elapsed) / error[:, None]
    ours, theirs = (design @ f(design, value / error) for f in (nonnegative, lambda a, b: nnls(a, b, maxiter=5000)[0]))
    np.testing.assert_allclose(ours, theirs, atol=0.05)  # of a standard error


def test_what_only_negative_weights_could_fit_gets_none():
    assert nonnegative(np.ones((4, 2)), -np.ones(4)).tolist() == [0.0, 0.0]


def test_columns_without_a_row_of_their_own_do_no_harm():
    weights = nonnegative(np.column_stack([np.zeros(3), np.arange(3.0), np.arange(3.0)]), np.arange(3.0))
    assert weights.sum() == pytest.approx(1.0)
