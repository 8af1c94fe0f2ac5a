"""Linear algebra on one thread: while it is asked for, and never beyond."""

import numpy as np
import pytest

import planted
import runopsy
from runopsy.blas import ONE, one_thread

threadpoolctl = pytest.importorskip("threadpoolctl")


def threads() -> set[int]:
    return {library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture
def two(monkeypatch):
    monkeypatch.delenv(ONE, raising=False)
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        if threads() != {2}:
            pytest.skip("NumPy has a BLAS here whose threads cannot be set")
        yield lambda: min(threads())  # of NumPy; PyTorch may have loaded another


def test_within_it_is_one_thread_and_afterwards_as_it_was(two):
    with one_thread():
        assert two() == 1
        with one_thread():
            assert two() == 1
        assert two() == 1
    assert two() == 2
    with pytest.raises(ZeroDivisionError), one_thread():
        raise ZeroDivisionError
    assert two() == 2


def test_an_autopsy_asks_for_it_and_gives_it_back(two, monkeypatch):
    seen, qr = [], np.linalg.qr
    monkeypatch.setattr(np.linalg, "qr", lambda *args, **kwargs: (seen.append(two()), qr(*args, **kwargs))[1])
    runopsy.analyze(planted.healthy())
    assert set(seen) == {1}
    assert two() == 2


def test_one_thread_from_the_start_is_left_as_it_is(two, monkeypatch):
    monkeypatch.setenv(ONE, "1")
    with one_thread():
        assert two() == 2
