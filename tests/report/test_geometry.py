import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from runopsy.report.document import Chart, Line, Scale
from runopsy.report.geometry import across, decades, extent, places, stacked, thinned, ticks, up

finite = st.floats(-1e6, 1e6, allow_nan=False)


def scale(last=1000.0, log=False, first=0.0):
    return Scale(first, last, log, 1.0, "step")


def naive_thinned(shares, value, buckets):
    """The definition: of each bucket the first least and the first largest, and both ends."""
    kept = {0, len(value) - 1}
    for k in range(buckets):
        mine = [i for i, s in enumerate(shares) if min(int(s * buckets), buckets - 1) == k]
        if mine:
            kept |= {min(mine, key=lambda i: (value[i], i)), min(mine, key=lambda i: (-value[i], i))}
    return sorted(kept)


@given(arrays(np.float64, st.integers(1, 300), elements=finite), st.integers(1, 40), st.booleans())
def test_thinning_is_what_its_definition_says(value, buckets, log):
    step = np.arange(len(value), dtype=float) * 3
    axis = scale(float(max(step[-1], 1)), log)
    kept = thinned(axis, step, value, buckets)
    if len(value) <= 2 * buckets:
        assert kept.tolist() == list(range(len(value)))
    else:
        assert kept.tolist() == naive_thinned(across(axis, step), value, buckets)


def test_a_single_row_among_a_million_is_still_drawn():
    value = np.zeros(1_000_000)
    value[123_456] = 9
    kept = thinned(scale(1e6), np.arange(1e6), value, 800)
    assert 123_456 in kept
    assert len(kept) <= 1602


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(1, 12))
def test_ticks_are_even_inside_and_few(low, width, most):
    found = ticks(low, low + width, most)
    assert len(found) <= most + 1
    assert all(low - 1e-6 * width <= t <= low + width * (1 + 1e-6) for t in found)
    assert np.allclose(np.diff(found, 2), 0, atol=1e-6 * width)


@given(st.floats(1e-30, 1e30), st.floats(1.01, 1e30), st.integers(2, 8))
def test_decades_are_inside_and_few(low, factor, most):
    found = decades(low, low * factor, most)
    assert len(found) <= most + 1
    assert all(low * (1 - 1e-6) <= t <= low * factor * (1 + 1e-6) for t in found)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("first", [0.0, 1.0, 500.0, -3.5])
def test_places_keep_their_distance(first, log):
    axis = Scale(first, first + 10_000, log, 1.0, "step")
    found = places(axis, 8)
    assert 2 <= len(found) <= 10
    assert all(axis.first <= p <= axis.last for p in found)
    assert np.diff(across(axis, found)).min() >= 1 / 12


@given(st.floats(0, 1000), st.booleans())
def test_across_rises_from_edge_to_edge(at, log):
    assert 0 <= across(scale(log=log), at) <= 1
    assert across(scale(log=log), [0, 1000]).tolist() == [0, 1]
    assert across(scale(log=log), at) <= across(scale(log=log), at + 1)


def test_a_run_of_one_step_lies_on_the_left_edge():
    assert across(scale(0.0), [0.0]).tolist() == [0.0]


def test_labels_that_would_meet_stand_in_rows_and_the_rest_is_left_out():
    assert stacked([(0, 3), (4, 6), (5, 9), (6, 8), (7, 8)], 1, 2) == [0, 0, 1, -1, 0]


def test_a_ceiling_cuts_the_scale_and_a_flat_curve_gets_room():
    line = Line("a", np.arange(3.0), np.array([1.0, 2.0, 1e9]))
    assert extent(Chart("t", scale(), (line,), False, (), 5, ceiling=20.0)) == (1.0, 20.0)
    flat = Line("a", np.arange(3.0), np.ones(3))
    assert extent(Chart("t", scale(), (flat,), False, (), 5)) == (0.5, 1.5)


def test_a_logarithmic_height_puts_the_geometric_mean_in_the_middle():
    assert up([0.01, 1.0, 100.0], 0.01, 100.0, log=True).tolist() == pytest.approx([0, 0.5, 1])
