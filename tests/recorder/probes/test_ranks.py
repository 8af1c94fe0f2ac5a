"""The ranks against their definitions, and against spectra that were built in."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402  # after the skip
from hypothesis import strategies as st  # noqa: E402

from runopsy.recorder.probes.ranks import ranks  # noqa: E402


def planted(s: list[float], n: int = 60, d: int = 20) -> torch.Tensor:
    """Features (n, d) whose centred part has exactly these singular values, with a large mean added."""
    rng = np.random.default_rng(0)
    u = rng.normal(size=(n, len(s)))
    u, _ = np.linalg.qr(u - u.mean(axis=0))
    v, _ = np.linalg.qr(rng.normal(size=(d, len(s))))
    return torch.from_numpy(u * s @ v.T + 100 * rng.normal(size=d))


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=15))
@settings(max_examples=40, deadline=None)
def test_the_ranks_of_a_known_spectrum_are_their_formulas(s: list[float]) -> None:
    """Relative error below 1e-6, whatever the mean of the features is."""
    p = [one / sum(s) for one in s]
    squares = [one**2 for one in s]
    expected = (
        math.exp(-sum(q * math.log(q) for q in p)),
        sum(squares) ** 2 / sum(one**2 for one in squares),
        sum(squares) / max(squares),
    )
    assert [float(r) for r in ranks(planted(s))] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("k", [1, 5, 20])
def test_equal_directions_are_counted(k: int) -> None:
    assert [float(r) for r in ranks(planted([3.0] * k))] == pytest.approx([k] * 3, rel=1e-6)


def test_isotropic_features_have_the_ranks_that_so_many_examples_allow() -> None:
    """n = 128, d = 512: participation ratio nd/(n + d) within 2 %."""
    torch.manual_seed(0)
    effective, participation, stable = (float(r) for r in ranks(torch.randn(128, 512)))
    assert participation == pytest.approx(128 * 512 / (128 + 512), rel=0.02)
    assert (effective, stable) == (pytest.approx(124, rel=0.02), pytest.approx(60, rel=0.1))


@pytest.mark.parametrize("features", [torch.ones(10, 4), torch.zeros(10, 4), torch.full((10, 4), 1e8)])
def test_features_that_do_not_vary_have_no_rank(features: torch.Tensor) -> None:
    assert ranks(features) == ()


def test_features_that_are_not_finite_have_no_rank_and_are_no_failure():
    assert ranks(torch.full((8, 4), float("nan"))) == ()
