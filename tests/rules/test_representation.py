from dataclasses import replace

import numpy as np

import planted
import runopsy
from runopsy.model import Track


def grokking(**inside):
    """Fitted by step 100, validation accuracy half way at 1500; and signals of the inside."""
    run = planted.grokking()
    step = run.tracks["train/loss"].step
    more = {name: Track(name, step, np.asarray(of(step), dtype=float)) for name, of in inside.items()}
    return runopsy.analyze(replace(run, tracks={**run.tracks, **more}))


def found(autopsy, *kinds):
    return [e for e in autopsy.events if e.kind in kinds]


def rises(half, low=0.0, high=1.0):
    return lambda step: planted.noisy(planted.sigmoid(step, half, half / 10, low, high) + 0.01, 0.005, 3)


def test_what_moves_before_validation_is_named_with_its_lead():
    autopsy = grokking(**{"pred/entropy": rises(1000, 3, 0.2), "features/effective_rank": rises(1500, 50, 10)})
    event = found(autopsy, "leading_signal")[0]
    assert [e.signal for e in event.evidence] == ["pred/entropy"]
    # both curves are half way in the middle of their rise: 1500 - 1000
    lead = 500
    assert abs(event.step - 1000) < 60
    said = float(event.evidence[0].text.split()[5].replace(",", ""))
    assert abs(said - lead) < 60


def test_the_order_is_that_of_the_dates():
    autopsy = grokking(**{"pred/entropy": rises(1200, 3, 0.2), "probe/acc_heldout": rises(900)})
    assert [e.signal for e in found(autopsy, "leading_signal")[0].evidence] == ["probe/acc_heldout", "pred/entropy"]


def test_what_moves_with_validation_or_after_it_comes_not_first():
    assert not found(grokking(**{"features/effective_rank": rises(1500, 50, 10)}), "leading_signal")
    assert not found(grokking(**{"features/effective_rank": rises(2200, 50, 10)}), "leading_signal")


def test_noise_has_no_date():
    wander = planted.noisy(np.ones(401), 0.2, 7)
    assert not found(grokking(**{"pred/entropy": lambda step: wander}), "leading_signal")


def test_without_signals_of_the_inside_it_is_not_checked():
    outcome = {c.code: (c.outcome, c.why) for c in grokking().checks}
    assert outcome["G02"] == ("not_checked", "no signal of features or predictions was recorded")
    assert outcome["G03"][0] == "not_checked"


def test_a_probe_that_learns_with_validation_says_genuine():
    autopsy = grokking(**{"probe/acc_heldout": rises(1300)})
    assert [e.kind for e in found(autopsy, "genuine_grokking", "apparent_grokking")] == ["genuine_grokking"]


def test_a_probe_that_held_the_answer_all_along_says_apparent():
    autopsy = grokking(**{"probe/acc_heldout": rises(20, 0.3, 0.97)})
    assert [e.kind for e in found(autopsy, "genuine_grokking", "apparent_grokking")] == ["apparent_grokking"]


def test_a_representation_that_is_spoilt_and_restored_says_apparent():
    def falls_and_returns(step):
        return 0.9 - planted.sigmoid(step, 60, 10, 0, 0.5) + planted.sigmoid(step, 1500, 150, 0, 0.5)

    autopsy = grokking(**{"probe/acc_heldout": falls_and_returns})
    assert [e.kind for e in found(autopsy, "genuine_grokking", "apparent_grokking")] == ["apparent_grokking"]
