"""What left its range before a break, as planted; ``make bench-precursors`` counts the false ones."""

from __future__ import annotations

import numpy as np

from runopsy.model import Event, Severity, Signal
from runopsy.precursors import before_it_broke
from runopsy.thresholds import DEFAULTS

STEPS = np.arange(0.0, 400.0)
AT = 300.0


def noisy(name, seed, leaves=None, by=0.0):
    value = 1 + 0.01 * np.random.default_rng(seed).normal(size=len(STEPS))
    if leaves is not None:
        value[int(leaves) :] += by
    return Signal(name, "", STEPS, value)


def broke(*signals, events=(("divergence", AT),)):
    given = [Event(kind, "X", at, Severity.FATAL, ()) for kind, at in events]
    return before_it_broke(given, {one.name: one for one in signals}, DEFAULTS.outlier)


def test_the_order_in_which_signals_leave_is_named():
    quiet, late, early = noisy("grad/norm", 0), noisy("hessian/top", 1, 297, 0.5), noisy("lr", 2, 293, -0.4)
    (found,) = broke(quiet, late, early)
    assert found.asked == 3
    assert [(one.signal, one.step, one.up) for one in found.left] == [("lr", 293, False), ("hessian/top", 297, True)]


def test_what_leaves_with_the_break_or_after_it_is_no_precursor():
    (found,) = broke(noisy("grad/norm", 0, AT, 5.0), noisy("lr", 1, AT + 3, 5.0))
    assert found.left == ()


def test_a_signal_that_often_leaps_announces_nothing_by_leaping():
    restless = noisy("grad/norm", 3)
    restless.value[np.arange(25, 300, 60)] += 0.5
    restless.value[297] += 0.5
    (found,) = broke(restless)
    assert found.left == ()


def test_losses_and_what_is_counted_are_not_asked_nor_is_what_was_hardly_read():
    few = Signal("hessian/top", "", STEPS[::20], np.linspace(1, 2, 20))
    (found,) = broke(noisy("train/loss", 0, 290, 9.0), noisy("epoch", 1, 290, 9.0), few)
    assert (found.asked, found.left) == (0, ())


def test_a_trend_and_a_rate_that_is_set_leave_no_range():
    trend = Signal("weights/norm", "", STEPS, np.sqrt(1 + STEPS))
    rate = Signal("lr", "", STEPS, 0.5 * (1 + np.cos(np.pi * STEPS / 400)))
    (found,) = broke(trend, rate)
    assert (found.asked, found.left) == (2, ())


def test_after_a_divergence_nothing_is_asked_and_of_many_spikes_the_first():
    assert [one.step for one in broke(noisy("lr", 0), events=(("divergence", 200), ("loss_spike", 300)))] == [200]
    spikes = tuple(("loss_spike", float(at)) for at in (350, 250, 300, 380))
    assert [one.step for one in broke(noisy("lr", 0), events=spikes)] == [250, 300, 350]
    assert broke(noisy("lr", 0), events=(("grokking", 200.0),)) == ()
