"""All that a watch takes of a processor is paid for by the time that passes, whatever asks for it."""

import random

import pytest

from runopsy.watch import purse
from runopsy.watch.purse import SHARE, Purse


@pytest.fixture
def spent(monkeypatch):
    """Seconds of processor that grow on request alone."""
    now = {"process_time": 0.0}
    monkeypatch.setattr(purse.time, "process_time", lambda: now["process_time"])
    return now


def test_what_was_taken_is_owed_until_its_share_of_the_time_has_passed():
    one = Purse(1000.0)
    assert not one.owes(1000.0)
    one.take(0.5)
    assert one.owes(1000.0 + 0.5 / SHARE - 1)
    assert not one.owes(1000.0 + 0.5 / SHARE + 1)


def test_nothing_is_saved_up():
    one = Purse(0.0)
    assert not one.owes(1e6)
    one.take(0.1)
    assert one.owes(1e6 + 1)


def test_one_look_is_lent_and_the_next_when_all_is_paid_back():
    one = Purse(0.0)
    one.take(1.0)
    assert one.lends(0.0)
    one.take(1.0)
    assert not one.lends(0.0)
    assert not one.lends(2 / SHARE - 1)
    assert one.lends(2 / SHARE + 1)  # it needs no credit
    one.take(1.0)
    assert one.lends(2 / SHARE + 2)
    assert not one.lends(2 / SHARE + 3)


def test_a_clock_that_is_set_back_pays_for_nothing_and_takes_nothing():
    one = Purse(1000.0)
    one.take(0.5)
    assert one.owes(0.0)
    assert one.owes(0.5 / SHARE - 1)
    assert not one.owes(0.5 / SHARE + 1)


def test_what_is_given_is_not_owed():
    one = Purse(0.0)
    one.give(1.0)
    one.take(0.4)
    one.take(0.6)
    assert not one.owes(0.0)
    one.take(0.1)
    assert one.owes(0.0)


def test_what_is_given_for_one_thing_pays_for_no_other():
    one = Purse(0.0)
    one.give(1.0)
    one.take(0.1)
    assert not one.owes(0.0)
    one.take(0.1)
    assert one.owes(0.0)


def test_what_counts_within_something_that_counts_is_taken_once(spent):
    one = Purse(0.0)
    with one.counting():
        spent["process_time"] += 0.2
        with one.counting():
            spent["process_time"] += 0.3
    assert one.owes(0.5 / SHARE - 1)
    assert not one.owes(0.5 / SHARE + 1)


def test_what_fails_is_paid_for_too(spent):
    one = Purse(0.0)

    def fails():
        with one.counting():
            spent["process_time"] += 0.5
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert one.owes(0.5 / SHARE - 1)


@pytest.mark.parametrize("seed", range(5))
def test_over_the_whole_time_the_share_is_kept_however_often_a_look_is_asked_for(seed):
    draw, one, taken, hours = random.Random(seed), Purse(0.0), 0.0, 3
    for half_second in range(hours * 7200):
        now = half_second / 2
        if (draw.random() < 0.05 and one.lends(now)) or not one.owes(now):
            cost = draw.uniform(0.1, 2.0)
            one.take(cost)
            taken += cost
    assert 0.9 * SHARE * hours * 3600 < taken <= SHARE * hours * 3600 + 2 * 2.0  # one that was due, and one on credit
