"""Each fact against a log in which it is known to hold, and one in which it does not."""

import numpy as np
import pytest

import planted
from runopsy.facts import facts_of
from runopsy.facts.counting import set_size
from runopsy.facts.schedule import jumps
from runopsy.facts.spikes import spikes_of
from runopsy.model import Mark, Signal
from runopsy.stats import at_start
from runopsy.thresholds import DEFAULTS


def signals(step, **curves):
    names = {"loss": "train/loss", "acc": "train/acc", "val_loss": "val/loss", "val_acc": "val/acc"}
    step = np.asarray(step, dtype=float)
    return {names[n]: Signal(names[n], n, step, np.asarray(v, dtype=float)) for n, v in curves.items()}


EPOCHS = np.arange(1, 31)


def test_a_series_begins_at_its_first_row_where_learning_begins_between_rows():
    fast = np.array([2.6, *np.full(400, 0.004)])
    noisy = planted.noisy(np.full(1000, 2.3), 0.1)
    assert at_start(fast) == 2.6
    assert at_start(noisy) == pytest.approx(np.median(noisy[:5]))


@pytest.mark.parametrize("size", [7, 60, 333])
def test_the_size_of_an_evaluation_set_is_seen_in_its_accuracies(size):
    counts = np.random.default_rng(size).integers(0, size + 1, 30)
    assert set_size(np.round(counts / size, 4)) == size


def test_means_over_batches_show_no_size():
    assert set_size(np.random.default_rng(0).uniform(0, 1, 30)) is None
    assert set_size(np.round(np.random.default_rng(0).uniform(0, 1, 30), 2)) is None  # the grid of its digits


def test_validation_that_turned_was_better_before_and_one_that_did_not_was_not():
    u = (EPOCHS - 1) / 29
    train = planted.noisy(2 * np.exp(-u / 0.2) + 0.02, 0.02)
    falls, turns = 0.6 + 1.4 * np.exp(-u / 0.1), 0.6 + 1.4 * np.exp(-u / 0.1) + 0.6 * np.maximum(u - 0.4, 0)
    better = facts_of(signals(EPOCHS, loss=train, val_loss=planted.noisy(turns, 0.02, 1)))
    not_better = facts_of(signals(EPOCHS, loss=train, val_loss=planted.noisy(falls, 0.02, 1)))
    assert better.better_loss
    assert 6 <= better.better_loss.at <= 20
    assert better.turn
    assert not not_better.better_loss
    assert not not_better.turn


def test_a_log_that_begins_with_a_trained_model_says_so():
    flat = np.full(30, 0.02)
    trained = facts_of(signals(EPOCHS, loss=flat, acc=np.full(30, 0.995), val_loss=flat, val_acc=np.full(30, 0.99)))
    fresh = facts_of(signals(EPOCHS, loss=2.3 * np.exp(-EPOCHS / 8), acc=1 - 0.9 * np.exp(-EPOCHS / 8)))
    assert trained.start.trained
    assert not fresh.start.trained


def test_a_window_of_a_longer_run_begins_late():
    step = np.arange(5000, 5100)
    assert facts_of(signals(step, loss=planted.noisy(np.full(100, 0.7), 0.05))).start.late
    assert not facts_of(signals(step - 5000, loss=planted.noisy(np.full(100, 0.7), 0.05))).start.late


def test_a_jump_that_lasts_is_told_with_both_levels():
    loss = planted.noisy(np.where(np.arange(300) < 200, 0.92, 1.6), 0.03)
    jump = facts_of(signals(np.arange(300), loss=loss)).jump
    assert jump
    assert jump.at == 200
    assert jump.size == pytest.approx(1.6 / 0.92, rel=0.03)


def test_a_leap_that_comes_back_is_a_spike_and_no_jump():
    loss = np.where((np.arange(300) >= 200) & (np.arange(300) < 206), 9.0, 0.92)
    made = signals(np.arange(300), loss=planted.noisy(loss, 0.03))
    (spike,) = spikes_of(made["train/loss"], DEFAULTS)
    assert (spike.start, spike.end) == (200, 206)
    assert not facts_of(made, (spike,)).jump


def test_one_row_of_a_thousandfold_loss_is_a_spike_also_in_a_short_log():
    loss = np.array([0.9, 0.8, 0.75, 0.7, 0.68, 0.66, 0.65, 900.0, 0.64, 0.63, 0.62, 0.61])
    (spike,) = spikes_of(signals(np.arange(12), loss=loss)["train/loss"], DEFAULTS)
    assert spike.start == 7


def test_swings_are_counted_from_the_first_loss_of_what_was_learnt():
    acc = np.where(np.arange(60) % 10 < 5, 0.95, 0.1)
    acc[:4] = 0.05
    swings = facts_of(signals(np.arange(60), loss=np.linspace(2, 0.1, 60), acc=acc))
    assert swings.swings
    assert swings.swings.at == 5
    assert swings.ends_swinging
    once = np.where(np.arange(60) < 30, 0.1, 0.95)
    assert not facts_of(signals(np.arange(60), loss=np.linspace(2, 0.1, 60), acc=once)).swings


def test_a_late_gain_needs_rows_between_fitting_and_gaining():
    acc, val = np.ones(20), np.zeros(20)
    acc[0], val[12:] = 0.1, 1.0
    assert facts_of(signals(np.arange(20) * 100, acc=acc, val_acc=val)).late_gain is not None
    val[2:] = 1.0
    assert facts_of(signals(np.arange(20) * 100, acc=acc, val_acc=val)).late_gain is None


def test_the_last_line_of_a_log_may_say_that_it_broke():
    made = signals(np.arange(10), loss=np.linspace(1.7, 1.6, 10))
    assert facts_of(made, marks=[Mark(12, "not_finite", {"text": "loss became NaN"})]).broken
    assert not facts_of(made).broken


def test_training_data_read_in_evaluation_mode_tell_a_gap_of_modes():
    made = signals(EPOCHS, loss=2 * np.exp(-EPOCHS / 5), acc=1 - 0.9 * np.exp(-EPOCHS / 5), val_acc=np.full(30, 0.4))
    read = {"eval/acc_train": Signal("eval/acc_train", "e", EPOCHS.astype(float), np.full(30, 0.45))}
    assert facts_of({**made, **read}).mode_gap
    assert not facts_of({**made, **read}).gap  # the gap is judged in one mode
    assert facts_of(made).gap


def lr(*values):
    return Signal("lr", "lr", np.arange(len(values), dtype=float), np.array(values, dtype=float))


def test_steps_and_restarts_of_a_rate_are_jumps_and_smooth_schedules_are_none():
    assert [at for at, _, _ in jumps(lr(*[0.1] * 10, *[0.01] * 10), DEFAULTS)] == [10]
    cosine = 0.05 * (1 + np.cos(np.linspace(0, np.pi, 10))) + 1e-4
    assert [at for at, _, _ in jumps(lr(*cosine, *cosine), DEFAULTS)] == [10]
    assert not list(jumps(lr(*np.linspace(0.1, 0, 20)), DEFAULTS))
    assert not list(jumps(lr(*cosine), DEFAULTS))
    assert not list(jumps(lr(*10.0 ** np.arange(-6, -2), *[0.01] * 5), DEFAULTS))


def test_an_accuracy_below_that_of_guessing_has_not_left_chance_when_it_comes_up_to_it():
    """Two classes, a first loss of ln 2: an accuracy that rises from .35 to .48 has learnt nothing."""
    loss, val = np.linspace(0.695, 0.64, 30), planted.noisy(np.full(30, 0.715), 0.004)
    up, beyond = np.linspace(0.35, 0.48, 30), np.linspace(0.35, 0.7, 30)
    train = np.linspace(0.5, 0.66, 30)
    stays = facts_of(signals(EPOCHS, loss=loss, acc=train, val_loss=val, val_acc=up))
    leaves = facts_of(signals(EPOCHS, loss=loss, acc=train, val_loss=val, val_acc=beyond))
    assert stays.start.accuracy == 0.5
    assert stays.stays_at_chance
    assert leaves.left_chance
    assert not leaves.stays_at_chance


def test_losses_cannot_open_a_gap_where_the_accuracy_leaves_no_room_for_one():
    train, val = np.linspace(0.013, 0.008, 15), np.linspace(0.025, 0.0206, 15)
    right = facts_of(signals(np.arange(15), loss=train, val_loss=val, val_acc=np.full(15, 0.993)))
    wrong = facts_of(signals(np.arange(15), loss=train, val_loss=val + 0.5, val_acc=np.full(15, 0.7)))
    assert not right.gap
    assert wrong.gap


def test_how_far_a_cross_entropy_came_down_says_whether_training_fits_where_only_validation_has_an_accuracy():
    """Half of 2.3 nats is far from fitting ten classes; a quarter of a nat is not."""
    falls = np.exp(-EPOCHS / 6)
    acc = 0.6 - 0.5 * falls
    far = facts_of(signals(EPOCHS, loss=1.1 + 1.2 * falls, val_loss=1.15 + 1.15 * falls, val_acc=acc))
    near = facts_of(signals(EPOCHS, loss=0.25 + 2.0 * falls, val_loss=1.15 + 1.15 * falls, val_acc=acc))
    assert not far.fits
    assert near.fits


@pytest.mark.parametrize(
    ("power", "left", "fits"), [(1, 0.4, True), (1, 0.6, False), (2, 0.2, True), (2, 0.4, False), (0, 0.4, True)]
)
def test_a_squared_error_is_judged_in_the_unit_of_its_targets(power, left, fits):
    level = np.maximum(np.exp(-(EPOCHS - 1) / 3), left)
    found = facts_of({"train/loss": Signal("train/loss", "loss", EPOCHS.astype(float), level, power=power)})
    assert bool(found.fits) is fits
    assert bool(found.far) is (power > 0 and not fits)


def test_a_loss_far_above_its_start_has_run_away_whatever_a_poor_accuracy_does():
    loss = np.concatenate([[4.0, 90, 3e3], np.full(27, 1e9)]) * np.exp(0.02 * np.sin(EPOCHS))
    poor, good = np.linspace(0.25, 0.42, 30), np.linspace(0.25, 0.95, 30)
    assert facts_of(signals(EPOCHS, loss=loss, acc=poor)).lost
    assert not facts_of(signals(EPOCHS, loss=loss, acc=good)).lost


def test_a_regression_whose_validation_loses_what_it_had_while_training_ends_no_better_has_diverged():
    val = np.array([334, 248, 211, 343, 413, *([411] * 10)], dtype=float)
    train = np.array([334, 335, 286, 381, 391, *([402] * 10)], dtype=float)
    better = np.linspace(334, 100, 15)
    assert facts_of(signals(np.arange(15), loss=train, val_loss=val)).lost
    assert not facts_of(signals(np.arange(15), loss=better, val_loss=val)).lost


def test_two_drops_of_a_rate_by_the_same_factor_are_two_jumps_and_an_exponential_decay_is_none():
    stairs = np.array([5e-4] * 5 + [5e-5] * 2 + [5e-6] * 3)
    smooth = 5e-4 * 0.5 ** np.arange(10)
    at = lambda rate: [j[0] for j in jumps(Signal("lr", "lr", np.arange(10.0), rate), DEFAULTS)]  # noqa: E731
    assert at(stairs) == [5, 7]
    assert at(smooth) == []


def test_a_loss_that_came_down_to_that_of_guessing_has_learnt_nothing():
    loss = [2.64, 2.312, 2.311, 2.312, 2.309, 2.31, 2.311, 2.312]
    chance = planted.noisy(np.full(8, 0.1), 0.02)
    guesses = facts_of(signals(EPOCHS[:8], loss=loss, acc=chance, val_acc=chance[::-1]))
    learns = facts_of(signals(EPOCHS[:8], loss=loss, acc=chance, val_acc=np.linspace(0.1, 0.3, 8)))
    alone = facts_of(signals(EPOCHS[:8], loss=loss))
    assert guesses.at_chance
    assert not guesses.moved
    assert learns.moved
    assert alone.moved


def test_an_accuracy_that_repeats_its_first_digits_while_training_has_learnt_nothing_is_of_one_class():
    train = np.concatenate([np.full(5, 0.5), np.linspace(0.6, 0.99, 16)])
    val = np.full(21, 0.7667)
    val[14] = 0.7778
    loss = planted.noisy(np.linspace(0.7, 0.05, 21), 0.02)
    stays = facts_of(signals(EPOCHS[:21], loss=loss, acc=train, val_acc=val))
    learns = facts_of(signals(EPOCHS[:21], loss=loss, acc=train, val_acc=np.maximum(val, train - 0.05)))
    cheap = facts_of(signals(EPOCHS[:21], loss=loss, acc=train, val_acc=val, val_loss=np.linspace(0.45, 0.4, 21)))
    assert stays.stays_at_chance
    assert learns.left_chance
    assert cheap.left_chance


@pytest.mark.parametrize("seed", range(5))
def test_an_accuracy_that_has_levelled_off_within_its_last_part_no_longer_improves(seed):
    noise = 0.0008 * np.random.default_rng(seed).standard_normal(80)
    rows = np.arange(80)
    loss = planted.noisy(2 * np.exp(-rows / 15) + 0.02, 0.01, seed)
    levelled = np.minimum(0.6 + 0.31 * rows / 66, 0.91) + noise
    rising = 0.6 + 0.31 * rows / 80 + noise
    slow = 0.91 - 0.4 * np.exp(-rows / 40) + noise
    ask = [facts_of(signals(rows, loss=loss, acc=v, val_loss=loss + 0.1, val_acc=v)) for v in (levelled, rising, slow)]
    assert [bool(facts.accuracy_improves) for facts in ask] == [False, True, True]


@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_a_training_loss_of_another_quantity_hides_no_rise_of_validation_and_opens_no_gap(scale):
    train = planted.noisy(0.9 * np.exp(-EPOCHS / 15) + 0.25, 0.01)
    val = planted.noisy(0.6 + 0.4 * np.exp(-EPOCHS / 3) + 0.02 * np.maximum(EPOCHS - 8, 0), 0.01, 1)
    facts = facts_of(signals(EPOCHS, loss=scale * train, val_loss=val))
    good = facts_of(signals(EPOCHS, loss=scale * train, val_loss=planted.noisy(train, 0.01, 2)))
    assert facts.better_loss
    assert facts.turn
    assert (bool(good.gap), bool(good.ahead)) == (False, False)


def test_a_run_that_noise_hides_is_not_far_from_fitting_and_a_calm_one_at_the_same_level_is():
    loss = planted.noisy(1.06 * np.exp(-EPOCHS / 10) + 0.55, 0.01)
    level = 0.82 - 0.5 * np.exp(-EPOCHS / 4)
    noise = np.random.default_rng(3).uniform(-1, 1, 30)
    calm, loud = (facts_of(signals(EPOCHS, loss=loss, val_acc=level + sd * noise)).far for sd in (0.005, 0.17))
    assert calm.sure > 2 > loud.sure


def test_validation_that_had_learnt_before_its_first_row_and_improves_by_both_witnesses_follows():
    step, train = np.arange(10, 160, 10), np.linspace(0.71, 0.3, 15)
    falls, stands = np.linspace(0.6, 0.44, 15), np.linspace(0.72, 0.7, 15)
    acc = np.linspace(0.74, 0.81, 15)
    assert not facts_of(signals(step, loss=train, val_loss=falls, val_acc=acc)).never_follows
    assert facts_of(signals(step, loss=train, val_loss=stands, val_acc=acc)).never_follows


@pytest.mark.parametrize("seed", [5, 9, 17, 31])  # with the narrow bump, each was one before its rows were asked
def test_a_bump_in_the_noisy_tail_of_a_fitted_run_is_no_second_descent_and_a_wide_one_is(seed):
    rows, rng, wanders = np.arange(300), np.random.default_rng(seed), np.zeros(300)
    for i in range(1, 300):
        wanders[i] = 0.6 * wanders[i - 1] + 0.08 * rng.standard_normal()
    loss = planted.noisy(0.43 * np.exp(-rows / 12) + 0.001, 0.05, seed)
    val = (0.15 + 0.4 * np.exp(-rows / 8)) * np.exp(wanders)
    bump = lambda width: 0.14 * np.exp(-(((rows - 131) / width) ** 2) / 2)  # noqa: E731
    narrow, wide = (facts_of(signals(rows, loss=loss, val_loss=val + bump(width))).peak for width in (3, 25))
    assert narrow is None
    assert wide is not None
    assert abs(wide.at - 131) <= 25


def test_validation_that_lies_a_little_better_in_nearly_all_rows_is_ahead():
    train = planted.noisy(0.9 * np.exp(-EPOCHS / 4) + 0.01, 0.05)
    assert facts_of(signals(EPOCHS, loss=train, val_loss=0.8 * train)).ahead
    assert not facts_of(signals(EPOCHS, loss=train, val_loss=0.99 * train)).ahead


def test_a_first_row_that_is_high_by_luck_is_no_better_accuracy_and_one_that_had_learnt_is():
    rows, rng = np.arange(100), np.random.default_rng(1)
    loss, train = planted.noisy(np.exp(-rows / 30) + 0.1, 0.02), np.linspace(0.5, 0.95, 100)
    later = rng.binomial(54, np.linspace(0.5, 0.41, 100)) / 54
    ask = lambda first, calm: facts_of(signals(rows, loss=loss, acc=train, val_acc=np.array([first, *calm[1:]])))  # noqa: E731
    assert not ask(0.65, later).better_accuracy
    assert ask(0.78, 0.6 + (later - 0.45) / 3).better_accuracy
