"""An event is reported once, when the growing log has kept it."""

import pytest

from runopsy.model import Event, Evidence, Severity
from runopsy.watch.confirmation import CERTAIN, LATE, SOON, Ledger, at_same_place, follow, is_revised, wait_of


def wait(event):
    return (0, 0.0) if event.kind in CERTAIN else (10, 0.05)


def event(kind, step, low=None, high=None, until=None):
    interval = None if low is None else (low, high)
    return Event(kind, "", step, Severity.INFO, (), until=until, interval=interval)


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


def test_spikes_that_a_later_look_merges_are_not_reported_again():
    spikes = [event("loss_spike", at, at - 1, at + 1) for at in (20, 40)]
    merged = event("loss_spike", 20, 19, 21, until=75)
    _, fresh = run([(50, spikes), (60, spikes), (80, [merged]), (90, [merged]), (100, [merged])])
    assert [len(t) for t in fresh] == [0, 2, 0, 0, 0]


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


def test_a_fall_of_the_loss_and_a_loss_of_validation_wait_longer():
    def left(signal):
        return Event("divergence", "", 1.0, Severity.FATAL, (Evidence(signal, 1.0, 1.0, None, "", "", "left"),))

    assert wait_of(event("loss_drop", 5)) == wait_of(left("val/acc")) == LATE
    assert wait_of(left("train/loss")) == wait_of(event("grokking", 5)) == SOON
    assert wait_of(event("not_finite", 5)) == (0, 0.0)


def test_memorized_so_far_is_revised_by_a_second_descent():
    ledger, _ = run([(60, [event("memorization_onset", 30, 29, 31)]), (80, [event("memorization_onset", 30, 29, 31)])])
    assert is_revised(ledger.sightings[0], ["double_descent_peak"])
    assert not is_revised(ledger.sightings[0], ["loss_spike"])
