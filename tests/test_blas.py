"""Linear algebra on one thread: while it is asked for, and never beyond."""

from threading import Barrier, Thread

import numpy as np
import pytest

import planted
import runopsy
from runopsy.blas import _threads, one_thread

THREADS = _threads()
needed = pytest.mark.skipif(THREADS is None, reason="NumPy has another BLAS here")


@pytest.fixture
def two():
    get, put = THREADS
    before = get()
    put(2)
    yield get
    put(before)


@needed
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


@needed
def test_the_last_of_several_that_overlap_restores_it(two):
    seen, both, first_gone = [], Barrier(2), Barrier(2)

    def first():
        with one_thread():
            both.wait()
        first_gone.wait()

    other = Thread(target=first)
    other.start()
    with one_thread():
        both.wait()
        first_gone.wait()
        seen.append(two())
    other.join()
    assert (seen, two()) == ([1], 2)


@needed
def test_an_autopsy_asks_for_it_and_gives_it_back(two, monkeypatch):
    seen, qr = [], np.linalg.qr
    monkeypatch.setattr(np.linalg, "qr", lambda *args, **kwargs: (seen.append(two()), qr(*args, **kwargs))[1])
    runopsy.analyze(planted.healthy())
    assert set(seen) == {1}
    assert two() == 2


def test_without_that_library_nothing_is_done(monkeypatch):
    monkeypatch.setattr("runopsy.blas._threads", lambda: None)
    with one_thread():
        assert np.linalg.norm([3.0, 4.0]) == 5
