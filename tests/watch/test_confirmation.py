"""An event is reported once, when the growing log has kept it."""

import math

import numpy as np
import pytest

from runopsy.model import Event, Evidence, Severity, Signal
from runopsy.watch.confirmation import (
    BACK,
    BESIDE,
    CERTAIN,
    LATE,
    SOON,
    STAYS,
    SWINGS,
    Ledger,
    Sighting,
    at_same_place,
    confirm_at_once,
    follow,
    is_open,
    may_be_padding,
    wait_of,
)


def wait(s):
    return (0, 0.0) if s.event.kind in CERTAIN else (10, 0.05)


def event(kind, step, low=None, high=None, until=None, proof=()):
    interval = None if low is None else (low, high)
    return Event(kind, "", step, Severity.INFO, proof, until=until, interval=interval)


def proof(name, signal="val/loss", observed=1.0):
    return (Evidence(signal, 1.0, observed, None, "", "", name),)


def run(looks, over=False):
    ledger, fresh = Ledger(), []
    for rows, events in looks:
        ledger = follow(ledger, events, rows, (0.0, float(rows)), over=over, wait=wait)
        fresh.append([s.event.kind for s in ledger.fresh])
    return ledger, fresh


def test_what_stays_is_confirmed_once_and_not_before_the_log_has_grown():
    spike = event("loss_spike", 50, 49, 51)
    ledger, fresh = run([(60, [spike]), (65, [spike]), (70, [spike]), (80, [spike]), (90, [spike])])
    assert fresh == [[], [], ["loss_spike"], [], []]
    assert ledger.sightings[0].confirmed == 70


def test_of_a_long_log_the_share_counts():
    spike = event("loss_spike", 950, 949, 951)
    _, fresh = run([(1000, [spike]), (1010, [spike]), (1040, [spike]), (1050, [spike])])
    assert fresh == [[], [], [], ["loss_spike"]]


def test_a_jump_of_a_setting_is_decided_by_a_row_after_it_whenever_that_came():
    change = event("lr_change", 50, 50, 50)
    for looks, expected in (
        ([(50, [change]), (51, [change])], [[], ["lr_change"]]),  # at its last row, and one more
        ([(60, [change])], [["lr_change"]]),  # the rows are there already
        ([(50, [change]), (51, []), (52, [change])], [[], [], ["lr_change"]]),
    ):
        assert run(looks)[1] == expected
    assert run([(60, [event("loss_spike", 50, 49, 51)])])[1] == [[]]  # of what else is found it decides nothing


def test_what_one_look_misses_begins_again():
    spike = event("loss_spike", 50, 49, 51)
    _, fresh = run([(60, [spike]), (65, []), (70, [spike]), (75, [spike]), (80, [spike])])
    assert fresh == [[], [], [], [], ["loss_spike"]]


def test_what_moves_out_of_its_interval_begins_again():
    _, fresh = run(
        [(60, [event("memorization_onset", 30, 28, 32)]), (70, [event("memorization_onset", 50, 48, 52)]),
         (80, [event("memorization_onset", 50, 48, 52)])]
    )  # fmt: skip
    assert fresh == [[], [], ["memorization_onset"]]


def test_what_happens_once_is_reported_once_wherever_later_looks_place_it():
    looks = [(60 + 10 * k, [event("grokking", 30 + 10 * (k // 3), 29, 31)]) for k in range(12)]
    ledger, fresh = run(looks)
    assert sum(map(len, fresh)) == 1
    assert len(ledger.sightings) == 1


def test_two_of_a_kind_are_two():
    a, b = event("loss_spike", 20, 19, 21), event("loss_spike", 60, 59, 61)
    ledger, fresh = run([(70, [a, b]), (80, [a, b])])
    assert fresh[-1] == ["loss_spike", "loss_spike"]
    assert [s.number for s in ledger.sightings] == [1, 2]


def test_a_crash_that_two_lines_of_a_log_tell_is_one():
    assert run([(60, [event("crashed", 59), event("crashed", 59)])])[1] == [["crashed"]]


def test_spikes_that_a_later_look_merges_are_not_reported_again():
    spikes = [event("loss_spike", at, at - 1, at + 1) for at in (20, 40)]
    merged = event("loss_spike", 20, 19, 21, until=75)
    _, fresh = run([(50, spikes), (60, spikes), (80, [merged]), (90, [merged]), (100, [merged])])
    assert [len(t) for t in fresh] == [0, 2, 0, 0, 0]


def test_what_was_told_and_is_found_beside_its_place_is_not_told_again():
    told, moved = event("loss_drop", 100, 99, 101), event("loss_drop", 108, 107, 109)
    ledger, fresh = run([(120, [told]), (130, [told]), (140, [moved]), (150, [moved]), (160, [moved])])
    assert sum(map(len, fresh)) == 1
    assert [(s.event.step, s.reported) for s in ledger.sightings] == [(108, 100)]
    _, fresh = run([(120, [told]), (130, [told]), (140, [told, moved]), (150, [told, moved])])  # both: there are two
    assert sum(map(len, fresh)) == 2
    far = event("loss_drop", 120, 119, 121)
    _, fresh = run([(125, [told]), (135, [told]), (145, [far]), (155, [far])])
    assert sum(map(len, fresh)) == 2


def test_a_confirmed_event_that_is_gone_is_kept_and_marked():
    spike = event("loss_spike", 50, 49, 51)
    ledger, fresh = run([(60, [spike]), (70, [spike]), (80, []), (90, [spike]), (100, [spike])])
    assert sum(map(len, fresh)) == 1
    assert ledger.sightings[0].here
    assert not run([(60, [spike]), (70, [spike]), (80, [])])[0].sightings[0].here


def test_the_end_of_a_run_confirms_what_is_found_there():
    assert run([(60, [event("grokking", 50, 49, 51)])], over=True)[1] == [["grokking"]]


@pytest.mark.parametrize("kind", CERTAIN)
def test_what_is_no_estimate_is_reported_at_once(kind):
    assert run([(60, [event(kind, 59, 59, 59)])])[1] == [[kind]]


def test_an_unresolved_event_is_at_the_place_of_its_own_step():
    span = (0.0, 100.0)
    assert at_same_place(event("loss_spike", 50), event("loss_spike", 50), span)
    assert not at_same_place(event("loss_spike", 50), event("loss_spike", 54), span)
    assert at_same_place(event("grokking", 50), event("grokking", 54), span)  # of what happens once, near by


def waits(kind, *evidence, since=100, prompt=False):
    return wait_of(Sighting(1, event(kind, 5, proof=proof(*evidence) if evidence else ()), since, prompt=prompt))


def test_what_the_rows_so_far_show_badly_waits_longer():
    assert waits("loss_drop") == waits("divergence", "left", "val/acc") == LATE
    assert waits("divergence", "left", "train/loss") == SWINGS
    assert waits("divergence", "left", "train/loss", since=20) == (20, SWINGS[1])
    assert waits("divergence", "left", "train/loss", math.nan) == SOON
    assert waits("loss_drop", prompt=True) == waits("memorization_onset", "validation") == STAYS
    assert waits("memorization_onset", "turn") == waits("loss_jump") == SOON


def test_what_hardly_anything_can_undo_waits_less():
    assert {waits(kind) for kind in ("loss_spike", "double_descent_peak", "grokking")} == {BACK}
    assert {waits(kind) for kind in ("lr_change", "batch_size_change")} == {BESIDE}
    assert waits("not_finite") == (0, 0.0)


def test_prompt_is_what_the_first_rows_that_can_show_it_show():
    assert [run([(rows, [event("loss_drop", 100, 99, 101)])])[0].sightings[0].prompt for rows in (120, 124, 130)] == [
        True, True, False]  # fmt: skip
    late, moved = event("loss_drop", 20, 19, 21), event("loss_drop", 55, 54, 56)
    ledger, _ = run([(60, [late, moved])])
    assert [s.prompt for s in ledger.sightings] == [False, True]
    ledger, _ = run([(60, [event("grokking", 20, 19, 21)]), (70, [event("grokking", 60, 59, 61)])])
    assert [(s.since, s.prompt) for s in ledger.sightings] == [(70, True)]  # it is found elsewhere, and begins again


def test_open_is_what_validation_alone_shows_after_it_had_followed():
    assert is_open(event("memorization_onset", 5, proof=proof("turn")))
    assert not is_open(event("memorization_onset", 5, proof=proof("validation")))  # it never followed
    assert is_open(event("divergence", 5, proof=proof("left", "val/acc")))
    assert not is_open(event("divergence", 5, proof=proof("left", "train/loss")))
    assert not is_open(event("loss_jump", 5, proof=proof("levels", "val/loss")))


ONSET, PEAK = event("memorization_onset", 30, 29, 31), event("double_descent_peak", 70, 69, 71)


def test_what_takes_the_place_of_a_confirmed_event_is_a_revision_of_it_once_it_is_confirmed_itself():
    ledger, fresh = run([(60, [ONSET]), (80, [ONSET]), (90, [PEAK])])
    assert (ledger.sightings[0].here, ledger.sightings[0].became) == (False, None)
    ledger, fresh = run([(60, [ONSET]), (80, [ONSET]), (90, [PEAK]), (100, [PEAK])])
    assert fresh == [[], ["memorization_onset"], [], ["double_descent_peak"]]
    assert ledger.sightings[0].became == ledger.sightings[1].number
    assert ledger.revised_by(ledger.fresh[0]) == (ledger.sightings[0],)


def test_what_was_found_beside_it_revises_it_when_it_is_gone():
    ledger, fresh = run([(60, [ONSET]), (80, [ONSET, PEAK]), (90, [ONSET, PEAK]), (100, [PEAK]), (110, [PEAK])])
    assert fresh == [[], ["memorization_onset"], ["double_descent_peak"], ["double_descent_peak"], []]
    assert ledger.sightings[0].became == 2


def test_nothing_else_takes_its_place():
    other = event("loss_spike", 70, 69, 71)
    ledger, _ = run([(60, [ONSET]), (80, [ONSET]), (90, [other]), (100, [other])])
    assert ledger.sightings[0].became is None
    assert ledger.revised_by(ledger.sightings[1]) == ()


def test_an_event_that_is_found_again_has_become_nothing_else():
    looks = [(60, [ONSET]), (80, [ONSET]), (90, [PEAK]), (100, [PEAK]), (110, [ONSET, PEAK])]
    assert run(looks)[0].sightings[0].became is None


def test_the_place_by_which_it_was_told_stays_when_it_moves():
    moved = event("memorization_onset", 40, 39, 41)
    ledger, _ = run([(60, [ONSET]), (80, [ONSET]), (90, [moved])])
    assert (ledger.sightings[0].event.step, ledger.sightings[0].reported) == (40, 30)


def test_what_needs_no_look_is_told_at_once_and_is_the_event_that_a_look_finds_later():
    spike, broke = event("loss_spike", 20, 19, 21), event("divergence", 55)
    ledger, _ = run([(50, [spike])])
    ledger = confirm_at_once(ledger, [broke], 60, (0.0, 60.0))
    assert [s.event.kind for s in ledger.fresh] == ["divergence"]
    assert confirm_at_once(ledger, [broke], 61, (0.0, 61.0)).fresh == ()
    later = follow(ledger, [spike, event("divergence", 56, 54, 58)], 70, (0.0, 70.0), wait=wait)
    assert [s.event.kind for s in later.fresh] == ["loss_spike"]
    assert len(later.sightings) == 2


def test_a_provisional_event_is_confirmed_by_what_needs_no_look():
    ledger, _ = run([(50, [event("divergence", 45)])])
    assert not ledger.fresh
    told = confirm_at_once(ledger, [event("divergence", 46)], 55, (0.0, 55.0))
    assert [(s.number, s.since, s.confirmed) for s in told.fresh] == [(1, 50, 55)]


def test_nan_of_a_validation_curve_with_one_value_may_be_padding():
    def broken(*names):
        proof = tuple(Evidence(name, 5.0, math.nan, None, "", "", "values") for name in names)
        return Event("not_finite", "", 5.0, Severity.FATAL, proof)

    def curve(rows):
        return Signal("val/loss", "val/loss", np.arange(rows, dtype=float), np.ones(rows))

    assert may_be_padding(broken("val/loss"), {"val/loss": curve(1)})
    assert not may_be_padding(broken("val/loss"), {"val/loss": curve(2)})
    assert not may_be_padding(broken("train/loss", "val/loss"), {"val/loss": curve(1)})
    assert not may_be_padding(event("loss_spike", 5), {})


# --- what is reported as so far

TURN = event("memorization_onset", 30, 29, 31, proof=proof("turn"))


def test_an_open_event_is_told_once_as_so_far_and_not_confirmed_while_the_run_goes_on():
    ledger, fresh = run([(60, [TURN]), (70, [TURN]), (80, [TURN]), (900, [TURN])])
    assert fresh == [[], ["memorization_onset"], [], []]
    (told,) = ledger.sightings
    assert (told.so_far, told.confirmed, told.reported) == (70, None, 30)
    assert told.is_reported
    assert told.is_so_far


def test_it_is_confirmed_without_another_word_when_no_row_will_follow():
    ledger, _ = run([(60, [TURN]), (70, [TURN])])
    moved = event("memorization_onset", 32, 30, 34, proof=proof("turn"))
    ended = follow(ledger, [moved], 80, (0.0, 80.0), over=True, wait=wait)
    assert ended.fresh == ()
    assert [(s.confirmed, s.is_so_far, s.reported) for s in ended.sightings] == [(80, False, 30)]
    at_once = follow(Ledger(), [TURN], 80, (0.0, 80.0), over=True, wait=wait)
    assert [(s.confirmed, s.so_far) for s in at_once.fresh] == [(80, None)]


def test_it_is_confirmed_when_it_is_open_no_more():
    never = event("memorization_onset", 30, 29, 31, proof=proof("validation"))
    ledger, fresh = run([(60, [TURN]), (70, [TURN]), (80, [never])])
    assert fresh == [[], ["memorization_onset"], []]
    assert ledger.sightings[0].confirmed == 80


def test_what_takes_the_place_of_what_was_so_far_revises_it():
    ledger, fresh = run([(60, [TURN]), (80, [TURN]), (90, [PEAK]), (100, [PEAK])])
    assert fresh == [[], ["memorization_onset"], [], ["double_descent_peak"]]
    (told,) = ledger.revised_by(ledger.fresh[0])
    assert (told.event.kind, told.here, told.so_far) == ("memorization_onset", False, 80)


def test_what_a_swing_takes_the_place_of_is_revised_by_it():
    left, jump, drop = event("divergence", 30, 29, 31), event("loss_jump", 40, 39, 41), event("loss_drop", 20, 19, 21)
    swings = event("instability", 30, 29, 31)
    ledger, _ = run([(60, [left, jump, drop]), (80, [left, jump, drop]), (90, [swings]), (100, [swings])])
    assert {s.event.kind: s.became for s in ledger.sightings} == {
        "divergence": 4, "loss_jump": 4, "loss_drop": None, "instability": None}  # fmt: skip


def test_a_training_that_leaves_after_validation_has_lost_what_it_had_is_told_for_good():
    lost = event("divergence", 30, 29, 31, proof=proof("left", "val/acc"))
    ledger, _ = run([(60, [lost]), (80, [lost])])
    assert ledger.sightings[0].is_so_far
    told = confirm_at_once(ledger, [event("divergence", 85, proof=proof("left", "train/loss"))], 90, (0.0, 90.0))
    assert [(s.number, s.confirmed, s.is_so_far, s.reported) for s in told.fresh] == [(1, 90, False, 85)]
