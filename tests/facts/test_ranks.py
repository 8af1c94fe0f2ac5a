"""Kendall's rank test, against its definition."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.facts.ending import kendall


@given(st.lists(st.integers(-9, 9) | st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_it_counts_the_pairs_that_rise_less_those_that_fall(values):
    n = len(values)
    rises = sum((b > a) - (b < a) for a, b in combinations(values, 2))
    spread = (n * (n - 1) * (2 * n + 5) / 18) ** 0.5
    assert kendall(np.array(values, dtype=float)) == pytest.approx((rises - 1) / spread)
