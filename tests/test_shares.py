"""Shares of several processes become one signal: nothing is counted twice, no share is taken for the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.shares import Rows, joined, whole_name


def rows(*given: tuple[int, int, int, float]) -> Rows:
    """(session, step, rank, value)."""
    session, step, rank, value = (np.array(column) for column in zip(*given, strict=True))
    return Rows(session, step, rank, step.astype(float), value.astype(float))


def told(found: Rows) -> list[tuple[int, int, float]]:
    return list(zip(found.session.tolist(), found.step.tolist(), found.value.tolist(), strict=True))


def test_the_pieces_of_a_noise_scale_are_averaged_over_the_ranks_that_are_there() -> None:
    found, note = joined("gns/s", rows((0, 1, 0, 2.0), (0, 1, 1, 4.0), (0, 2, 1, 8.0)), world=2)
    assert (told(found), note) == ([(0, 1, 3.0), (0, 2, 8.0)], None)


def test_squares_of_shards_add_up_and_a_step_that_lacks_one_is_left_out() -> None:
    found, note = joined("shard/grad/norm", rows((0, 1, 0, 3.0), (0, 1, 1, 4.0), (0, 2, 0, 3.0)), world=2)
    assert told(found) == [(0, 1, 5.0)]
    assert note == "grad/norm: 1 steps lack the share of some process and were left out"
    assert whole_name("shard/grad/norm") == "grad/norm"


def test_a_shard_alone_is_never_taken_for_the_whole() -> None:
    found, note = joined("shard/grad/norm", rows((0, 1, 0, 3.0)), world=2)
    assert told(found) == []
    assert note is not None


def test_what_is_the_same_on_all_is_counted_once() -> None:
    found, _ = joined("train/loss", rows((0, 1, 1, 9.0), (0, 1, 0, 1.0), (0, 2, 0, 2.0)), world=2)
    assert told(found) == [(0, 1, 1.0), (0, 2, 2.0)]


def test_losses_add_up_and_the_slowest_rank_says_what_recording_costs() -> None:
    given_rows = rows((0, 5, 0, 1.0), (0, 5, 1, 2.0))
    assert told(joined("recorder/dropped", given_rows, 2)[0]) == [(0, 5, 3.0)]
    assert told(joined("recorder/overhead", given_rows, 2)[0]) == [(0, 5, 2.0)]


def test_sessions_are_joined_apart() -> None:
    found, _ = joined("gns/s", rows((0, 1, 0, 2.0), (1, 1, 0, 4.0), (1, 1, 1, 6.0)), world=2)
    assert told(found) == [(0, 1, 2.0), (1, 1, 5.0)]


@pytest.mark.parametrize("name", ["train/loss", "gns/s"])
def test_one_rank_alone_keeps_all_its_rows_in_their_order(name: str) -> None:
    given_rows = rows((0, 2, 0, 2.0), (0, 1, 0, 1.0), (0, 1, 0, 7.0))
    assert joined(name, given_rows, world=1)[0] is given_rows


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 3), st.integers(-9, 9)), min_size=1, max_size=60
    )
)
def test_the_shares_of_a_step_are_what_a_loop_over_all_rows_says(given_rows: list[tuple[int, int, int, int]]) -> None:
    last: dict[tuple[int, int], dict[int, float]] = {}
    for session, step, rank, value in given_rows:
        last.setdefault((session, step), {})[rank] = float(value)
    if len({rank for *_, rank, _ in given_rows}) > 1:
        found, _ = joined("gns/s", rows(*given_rows), world=4)
        assert told(found) == [(*at, pytest.approx(np.mean(list(last[at].values())))) for at in sorted(last)]
    whole, _ = joined("shard/weights/norm", rows(*given_rows), world=2)
    complete = [at for at in sorted(last) if len(last[at]) == 2]
    assert told(whole) == [(*at, pytest.approx(np.linalg.norm(list(last[at].values())))) for at in complete]
