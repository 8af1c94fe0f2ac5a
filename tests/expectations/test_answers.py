"""Levels and answers, against planted steps and trends, and against noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import runopsy
from runopsy.expectations import BY_CODE, EXPECTATIONS, RATES, answers, levels
from runopsy.model import Answer, Phase, Signal
from runopsy.segments import segment

STEPS = np.arange(1.0, 1001)
PHASES = (Phase("memorization", 1, 300), Phase("feature_learning", 300, 1000))
LIKELY = 2.0


def curve(name, values, noise=0.01, seed=0):
    values = values(STEPS) + noise * np.random.default_rng(seed).normal(size=len(STEPS))
    return Signal(name, name, STEPS, values)


def answered(*signals, phases=PHASES):
    by_name = {signal.name: signal for signal in signals}
    cut = {name: segment(signal, 1.0) for name, signal in by_name.items() if not name.startswith("features/cka/")}
    found = levels(phases, by_name, cut)
    return {one.code: one for one in answers(phases, found, LIKELY)}, found


def test_a_step_at_the_onset_agrees_in_its_direction_and_is_contrary_in_the_other():
    for sign, answer in ((1, Answer.AGREES), (-1, Answer.CONTRARY)):
        found, _ = answered(curve("features/effective_rank", lambda s, sign=sign: 5 + sign * (s >= 300)))
        assert found["rank-rises"].answer is answer
        assert found["rank-rises"].observed - found["rank-rises"].before == pytest.approx(sign, abs=0.05)


def test_a_level_is_the_mean_over_the_points_and_a_trend_goes_from_the_first_third_to_the_last():
    _, found = answered(curve("grad/variance", lambda s: s / 100, noise=0.0))
    one = next(level for level in found if level.phase == 0)
    assert one.early < one.mean < one.late
    assert one.trend > 10
    assert 1 / 100 <= one.early <= 300 / 100


def test_of_noise_about_as_many_are_decided_as_two_standard_errors_allow():
    given = [
        answered(curve("features/effective_rank", np.zeros_like, noise=1.0, seed=seed))[0]["rank-rises"].answer
        for seed in range(40)
    ]
    assert np.mean([answer is not Answer.CANNOT_TELL for answer in given]) <= 0.15


def test_a_recorded_standard_error_that_is_larger_decides():
    rank, error = curve("eval/loss_train", lambda s: 5 + 0.05 * (s >= 300)), curve("x", lambda s: 3.0 + 0 * s, 0.0)
    rank = replace(rank, name="features/effective_rank")
    assert answered(rank)[0]["rank-rises"].answer is Answer.AGREES
    error = replace(error, name="features/effective_rank/se")
    assert answered(rank, error)[0]["rank-rises"].answer is Answer.CANNOT_TELL


def test_a_family_is_asked_as_the_mean_of_its_signals():
    one = curve("features/cka/a~b", lambda s: 0.2 + 0.3 * (s >= 300))
    other = curve("features/cka/b~c", lambda s: 0.4 - 0.1 * (s >= 300), seed=1)
    found, _ = answered(one, other)
    assert found["layers-alike"].answer is Answer.AGREES
    assert found["layers-alike"].observed - found["layers-alike"].before == pytest.approx(0.1, abs=0.02)


def test_the_noise_scale_is_the_quotient_of_means_and_not_asked_where_noise_hides_the_gradient():
    trace = curve("gns/s", lambda s: 100 + 0 * s)
    falls = curve("gns/g2", lambda s: 1 + s / 500, 0.05, seed=1)
    found, all_levels = answered(trace, falls)
    assert found["noise-falls"].answer is Answer.AGREES
    assert found["noise-rises"].answer is Answer.CONTRARY
    middle = next(level for level in all_levels if level.signal == "gns" and level.phase == 1)
    assert 100 / 3 < middle.late < middle.mean < middle.early < 100
    hidden, _ = answered(trace, curve("gns/g2", lambda s: np.where(s < 300, 1.0, 0.0), 0.05, seed=1))
    assert hidden["noise-falls"].answer is Answer.CANNOT_TELL
    assert "hidden by noise" in hidden["noise-falls"].why


def test_a_phase_without_readings_cannot_tell_and_the_first_phase_has_no_onset():
    late = Signal("features/effective_rank", "x", STEPS[400:], 1 + 0 * STEPS[400:])
    found, _ = answered(late)
    assert found["rank-rises"].answer is Answer.CANNOT_TELL
    assert "too few" in found["rank-rises"].why
    assert answered(late, phases=(Phase("feature_learning", 1, 1000),))[0] == {}


def test_every_expectation_is_of_a_signal_that_is_recorded_and_has_a_code_of_its_own():
    PROBES = pytest.importorskip("runopsy.recorder.probes").PROBES
    known = {name for probe in PROBES for name in probe.units} | {"gns"}
    for one in EXPECTATIONS:
        assert any(name == one.signal or (one.signal.endswith("/") and name.startswith(one.signal)) for name in known)
    assert len(BY_CODE) == len(EXPECTATIONS)
    assert set(RATES) <= set(BY_CODE)


def test_a_plain_log_asks_for_nothing_of_it(tmp_path):
    (tmp_path / "a.csv").write_text("step,train/loss\n" + "".join(f"{i},{1 / (1 + i)}\n" for i in range(50)))
    autopsy = runopsy.analyze(tmp_path / "a.csv")
    assert autopsy.levels == autopsy.expected == ()
    assert "levels" not in autopsy.to_dict()
