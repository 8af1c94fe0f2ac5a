import numpy as np
import pytest

import planted
import runopsy
from runopsy.model import Outcome, Signal
from runopsy.report import render
from runopsy.rules.common import recorded

NAMES = ("grad/norm", "weights/norm", "features/entropy", "pred/entropy", "logits/scale")


def a_run(moving=4, val_moves=False, names=NAMES):
    rng = np.random.default_rng(3)
    step = np.arange(1200)
    table = {"train/loss": planted.noisy(planted.decay(step), 0.05)}
    table["val/loss"] = planted.noisy(planted.decay(step), 0.02, 1) + val_moves * 1.0 * (step >= 700)
    for i, name in enumerate(names):
        table[name] = 10 + rng.standard_normal(1200) + 4.0 * (i < moving) * (-1) ** i * (step >= 700)
    return planted.run(step, table)


def check(autopsy):
    return next(c for c in autopsy.checks if c.code == "C02")


def test_what_changes_together_is_told_with_its_signals_and_whether_validation_did():
    (event,) = check(runopsy.analyze(a_run())).events
    assert event.interval[0] <= 700 <= event.interval[1]
    summary = event["signals"]
    assert (summary.observed, summary.limit) == (4, 5)
    assert "grad/norm up" in summary.text
    assert "weights/norm down" in summary.text
    assert "no validation curve with them" in summary.text
    assert {e.signal for e in event.evidence if e.name == "signal"} == set(NAMES[:4])
    (event,) = check(runopsy.analyze(a_run(val_moves=True))).events
    assert event["validation"].signal == "val/loss"
    assert "val/loss with them" in event["signals"].text


def test_a_run_without_signals_of_its_inside_was_not_checked():
    found = check(runopsy.analyze(a_run(names=NAMES[:2])))
    assert found.outcome is Outcome.NOT_CHECKED
    assert "fewer than 3 signals" in found.why


def test_nothing_common_is_quiet():
    assert check(runopsy.analyze(a_run(moving=1))).outcome is Outcome.NOT_FOUND


@pytest.mark.parametrize("format", ["text", "markdown", "html"])
def test_the_matrix_is_shown(format):
    said = render(runopsy.analyze(a_run()), format, verbose=True)
    assert "Signals that change together" in said
    assert "▲" in said
    assert "▼" in said


def test_how_fast_the_machine_was_is_no_signal_of_the_model():
    names = ("eval_runtime", "eval_samples_per_second", "train_steps_per_second", "gpu_memory", "grad_norm")
    signals = {name: Signal(name, name, np.arange(3.0), np.ones(3)) for name in names}
    assert list(recorded(signals)) == ["grad_norm"]
