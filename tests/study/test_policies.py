"""Conditions of stopping against naive twins, and the promise that nothing later than now decides."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.errors import BadOption, NotChecked
from runopsy.model import Signal
from runopsy.study.backtest import USUAL
from runopsy.study.policies import (
    Budget,
    Crosses,
    GeneralizationLoss,
    Memorization,
    NoiseFalls,
    Patience,
    Policy,
    ProgressQuotient,
    Rises,
    decide,
)
from runopsy.study.view import Log, views, with_trailing_noise_scale


def signal(name, values, every=10.0, start=0.0):
    value = np.asarray(values, dtype=float)
    step = start + every * np.arange(len(value))
    finite = np.isfinite(value)
    return Signal(name, name, step[finite], value[finite], broken=None if finite.all() else step[~finite])


def log(witness="val/loss", **columns):
    made = {}
    for name, values in columns.items():
        role = name.replace("_", "/")
        made[role] = values if isinstance(values, Signal) else signal(role, values)
    last = max(float(s.step[-1]) for s in made.values())
    return Log("run", "step", made, witness, 0.0, last)


def stop(condition, run):
    found = decide(Policy(condition), run)
    return None if found is None else found.step


LOSSES = st.lists(st.integers(0, 12).map(lambda k: k / 4), min_size=2, max_size=40)


@given(LOSSES, st.integers(1, 6), st.sampled_from([0.0, 0.25, 0.5]), st.integers(0, 5))
def test_patience_is_what_a_reader_would_count(losses, evals, delta, warm_up):
    expected = None
    for now in range(warm_up, len(losses)):
        best, since = losses[warm_up], warm_up
        for i in range(warm_up + 1, now + 1):
            if losses[i] + delta < best:
                best, since = losses[i], i
        if now - since >= evals:
            expected = 10.0 * now
            break
    assert stop(Patience(evals, delta, warm_up), log(val_loss=losses)) == expected


def test_patience_on_an_accuracy_waits_for_higher_values():
    run = log("val/acc", val_acc=[0.1, 0.5, 0.4, 0.4, 0.9])
    assert stop(Patience(2), run) == 30.0
    assert stop(Patience(3), run) is None


def test_what_is_not_finite_ends_a_run_or_counts_as_no_improvement():
    run = log(val_loss=[3, math.nan, 2, 1])
    assert stop(Patience(2), run) == 10.0
    assert stop(Patience(2, finite=False), run) is None


@given(LOSSES.filter(lambda x: min(x) > 0), st.sampled_from([1.0, 5.0, 30.0]))
def test_generalization_loss_is_the_formula(losses, alpha):
    above = [100 * (loss / min(losses[: i + 1]) - 1) for i, loss in enumerate(losses)]
    expected = next((10.0 * i for i, gl in enumerate(above) if gl > alpha), None)
    assert stop(GeneralizationLoss(alpha), log(val_loss=losses)) == expected


def test_generalization_loss_of_an_accuracy_is_of_the_error():
    assert stop(GeneralizationLoss(50), log("val/acc", val_acc=[0.5, 0.9, 0.86, 0.84])) == 30.0


def test_a_score_without_an_end_has_no_generalization_loss():
    score = signal("reward", [1.0, 2.0])
    with pytest.raises(NotChecked, match="has no end"):
        decide(Policy(GeneralizationLoss(5, "reward")), log(reward=score))


@given(LOSSES.filter(lambda x: min(x) > 0), st.data(), st.integers(1, 5), st.sampled_from([0.1, 0.5, 2.0]))
def test_the_progress_quotient_is_the_formula(losses, data, strip, alpha):
    training = data.draw(st.lists(st.integers(1, 12).map(lambda k: k / 4), min_size=len(losses), max_size=len(losses)))
    expected = None
    for t in range(strip, len(losses) + 1, strip):
        recent = training[t - strip : t]
        progress = 1000 * (sum(recent) / (strip * min(recent)) - 1)
        above = 100 * (losses[t - 1] / min(losses[:t]) - 1)
        if above > alpha * progress:
            expected = 10.0 * (t - 1)
            break
    assert stop(ProgressQuotient(alpha, strip), log(val_loss=losses, train_loss=training)) == expected


@given(LOSSES, st.integers(1, 3), st.integers(1, 5))
def test_rises_is_the_recursion(losses, strips, strip):
    def up(s, t):  # UP_s: worse than a strip ago, and UP_{s - 1} held there
        rose = t - strip >= 1 and losses[t - 1] > losses[t - strip - 1]
        return rose if s == 1 else rose and up(s - 1, t - strip)

    ends = range(strip, len(losses) + 1, strip)
    expected = next((10.0 * (t - 1) for t in ends if up(strips, t)), None)
    assert stop(Rises(strips, strip), log(val_loss=losses)) == expected


def memorizing(rows=200, turn=60, late=None):
    """Training falls throughout; validation turns at ``turn`` and, where asked, falls again at ``late``."""
    at = np.arange(rows)
    training = 4 * np.exp(-at / 40)
    validation = np.where(at < turn, 4 * np.exp(-at / 40), 4 * np.exp(-turn / 40) + (at - turn) / 100)
    if late is not None:
        validation = np.where(at < late, validation, 0.1)
    return log(val_loss=validation, train_loss=training)


def test_memorization_begins_after_validation_has_turned():
    found = stop(Memorization(), memorizing())
    assert 600 < found < 1100


def test_an_allowance_waits_for_a_late_gain():
    early = stop(Memorization(), memorizing(late=150))
    assert early is not None
    assert stop(Memorization(3), memorizing(late=150)) is None
    assert stop(Memorization(1), memorizing()) == pytest.approx(2 * early, abs=10)


def test_memorization_is_seen_where_validation_is_logged_before_training():
    run = memorizing()
    later = signal("train/loss", run.signals["train/loss"].value, start=25.0)
    assert stop(Memorization(), log(val_loss=run.signals["val/loss"], train_loss=later)) is not None


def test_memorization_is_not_seen_while_validation_follows():
    assert stop(Memorization(), log(val_loss=np.geomspace(4, 0.1, 80), train_loss=np.geomspace(4, 0.1, 80))) is None


def test_the_noise_scale_is_made_of_readings_until_now():
    rng = np.random.default_rng(0)
    pieces = {"gns/g2": signal("gns/g2", 1 + rng.random(90)), "gns/s": signal("gns/s", 3 + rng.random(90))}
    made = with_trailing_noise_scale(pieces)["gns"]
    for i, (step, value) in enumerate(zip(made.step, made.value, strict=True)):
        until = pieces["gns/g2"].step <= step
        g2, s = (pieces[name].value[until][-20:].mean() for name in ("gns/g2", "gns/s"))
        assert value == pytest.approx(s / g2), i


def test_the_noise_scale_falls_below_half_of_its_highest():
    assert stop(NoiseFalls(50), log(gns=[1, 4, 3, 1.9, 5], val_loss=[1, 1])) == 30.0


def test_a_signal_crosses_a_number():
    run = log(gns=[1, 4, 3, 1.9, 5], val_loss=[1, 1])
    assert stop(Crosses("gns", below=False, number=3.5), run) == 10.0
    assert stop(Crosses("gns", below=True, number=0.5), run) is None


def test_a_budget_is_of_the_planned_length():
    run = log(val_loss=np.ones(11))
    assert stop(Budget(percent=50), run) == 50.0
    assert stop(Budget(steps=70), run) == 70.0


def test_what_a_log_does_not_have_is_not_checked():
    with pytest.raises(NotChecked, match="has no gns"):
        decide(Policy(NoiseFalls(50)), log(val_loss=[1, 2]))


@pytest.mark.parametrize("wrong", [lambda: Patience(0), lambda: Rises(0), lambda: ProgressQuotient(1, 0)])
def test_a_policy_that_never_waits_is_refused(wrong):
    with pytest.raises(BadOption, match="never waits"):
        wrong()


# --- causality -----------------------------------------------------------------------------------


def test_a_view_holds_nothing_of_later_rows():
    run = log(val_loss=signal("val/loss", range(5)), train_loss=signal("train/loss", range(50), every=1.0))
    for view in views(run, "validation", ("train/loss",)):
        assert view.value == view.now / 10
        assert max(view.values("train/loss")) == view.now
        assert len(view.values("val/loss")) == view.row
        assert view.values("train/acc") == ()


@given(st.data(), st.integers(0, 2**32 - 1))
def test_values_after_a_decision_never_change_it(data, seed):
    rng = np.random.default_rng(seed)
    rows = 120
    turn, slope = rng.integers(5, rows), rng.uniform(0, 0.05)
    at = np.arange(rows)
    validation = np.exp(-np.minimum(at, turn) / 30) + slope * np.maximum(at - turn, 0) + 0.05 * rng.random(rows)
    columns = {
        "val_loss": validation,
        "train_loss": np.exp(-at / 30) + 0.02 * rng.random(rows),
        "gns_g2": 1 + rng.random(rows) + at / 20,
        "gns_s": 5 + rng.random(rows),
    }
    conditions = [one.condition for one in USUAL] + [Crosses("gns", below=True, number=2.0)]
    condition = data.draw(st.sampled_from(conditions))
    whole = decide(Policy(condition), built(columns))
    if whole is None:
        return
    later = {}
    for name, values in columns.items():
        after = at * 10.0 > whole.step
        later[name] = np.where(after, rng.choice([-5.0, 0.0, 1e6, math.nan], rows), values)
    assert decide(Policy(condition), built(later)) == whole


def built(columns):
    made = log(**columns)
    return Log("run", "step", with_trailing_noise_scale(made.signals), "val/loss", 0.0, 1190.0)
