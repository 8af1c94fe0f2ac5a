import numpy as np
import pytest

import planted
import runopsy


def events(run, kind):
    return [e for e in runopsy.analyze(run).events if e.kind == kind]


def with_loss(change, n=3000, seed=0):
    step = np.arange(n)
    loss = planted.noisy(planted.decay(step, 2.3, 0.3, 200), 0.05, seed)
    return planted.run(step, {"train/loss": change(step, loss)})


@pytest.mark.parametrize("width", [4, 5, 60])
def test_a_spike_is_one_event_from_leap_to_return(width):
    run = with_loss(lambda s, y: np.where((s >= 1500) & (s < 1500 + width), 5 * y, y))
    (event,) = events(run, "loss_spike")
    assert event.step == 1500
    assert event.until == pytest.approx(1500 + width, abs=5)


def test_one_high_row_is_a_hard_batch_and_no_spike():
    assert not events(with_loss(lambda s, y: np.where(s == 1500, 5 * y, y)), "loss_spike")


def test_a_decaying_spike_ends_where_the_loss_is_back():
    run = with_loss(lambda s, y: y * (1 + 6 * np.exp(-np.maximum(s - 1500, 0) / 30) * (s >= 1500)))
    (event,) = events(run, "loss_spike")
    assert event.step == 1500
    assert 1540 <= event.until <= 1680


@pytest.mark.parametrize("seed", range(10))
def test_noise_is_no_spike(seed):
    rng = np.random.default_rng(seed)
    step = np.arange(5000)
    loss = planted.decay(step) * np.exp(0.1 * rng.standard_t(4, len(step)))
    assert not events(planted.run(step, {"train/loss": loss}), "loss_spike")


def test_a_loss_that_leaps_and_stays_is_no_spike():
    assert not events(with_loss(lambda s, y: np.where(s >= 1500, 3 * y, y)), "loss_spike")


def test_a_tiny_leap_of_a_tiny_loss_is_beneath_notice():
    step = np.arange(3000)
    loss = planted.noisy(2 * np.exp(-step / 100) + 1e-6, 0.05)
    loss[2000] *= 50
    assert not events(planted.run(step, {"train/loss": loss}), "loss_spike")


def test_a_loss_back_above_its_start_has_diverged():
    run = with_loss(lambda s, y: np.where(s >= 2000, 8.0 + 0 * y, y))
    (event,) = events(run, "divergence")
    assert event.step == pytest.approx(2000, abs=30)
    assert runopsy.analyze(run).verdict.name == "diverged"
    assert runopsy.analyze(run).phases[-1].label == "diverged"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_not_finite_to_the_end_has_diverged(bad):
    run = with_loss(lambda s, y: np.where(s >= 2000, bad, y))
    (event,) = events(run, "divergence")
    assert event.step == 2000
    assert runopsy.analyze(run).verdict.name == "diverged"


def test_a_few_values_not_finite_in_between_are_no_divergence():
    run = with_loss(lambda s, y: np.where((s >= 2000) & (s < 2003), np.nan, y))
    assert not events(run, "divergence")
    (event,) = events(run, "not_finite")
    assert (event.step, event.until) == (2000, 2002)


def test_a_run_that_never_learnt_cannot_diverge():
    step = np.arange(2000)
    assert not events(planted.run(step, {"train/loss": planted.noisy(np.full(2000, 2.3), 0.02)}), "divergence")


def test_many_spikes_are_one_event_with_their_number():
    run = with_loss(lambda s, y: np.where((s > 200) & (s % 100 < 6), 5 * y, y), n=4000)
    (event,) = events(run, "loss_spike")
    assert event.evidence[0].text.startswith("38 leaps")
    assert event.until > 3800
