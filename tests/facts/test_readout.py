"""Representation and readout, against planted gaps and against noise."""

from __future__ import annotations

import numpy as np
import pytest

import planted
import runopsy
from runopsy.facts.readout import readout_of
from runopsy.model import Signal
from runopsy.segments import segment
from runopsy.thresholds import DEFAULTS

STEP = np.arange(0.0, 2000, 10)


def found(gap, probe=None, noise=0.005, seed=0, **further):
    draw = np.random.default_rng(seed)
    probe = planted.sigmoid(STEP, 500, 60, 0.1, 0.9) if probe is None else probe
    curves = {"probe/acc_heldout": probe, "readout/gap": gap, **further}
    signals = {
        name: Signal(name, name, STEP, np.asarray(values, float) + noise * draw.normal(size=len(STEP)))
        for name, values in curves.items()
    }
    cut = {name: segment(signal, 0.0) for name, signal in signals.items()}
    return readout_of({name: one for name, one in cut.items() if one is not None}, DEFAULTS)


def bump(low, high, size):
    return np.where((low <= STEP) & (high >= STEP), size, 0.0)


def test_a_planted_gap_is_found_where_it_is_and_nowhere_else():
    one = found(bump(400, 900, 0.3)).gap
    assert one.above is not None
    assert one.below is None
    assert one.above.since == pytest.approx(400, abs=40)
    assert one.above.until == pytest.approx(900, abs=60)
    assert one.above.since <= one.above.at <= one.above.until
    assert one.above.value == pytest.approx(0.3, abs=0.03)
    assert one.last == pytest.approx(0, abs=0.02)


def test_a_gap_below_0_is_told_as_such():
    one = found(bump(1000, 1500, -0.2)).gap
    assert one.above is None
    assert one.below.value == pytest.approx(-0.2, abs=0.03)


def test_of_two_stretches_the_larger_one_is_told():
    one = found(bump(100, 400, 0.1) + bump(1000, 1400, 0.3)).gap
    assert one.above.since == pytest.approx(1000, abs=60)


def test_noise_alone_is_no_gap():
    told = [found(np.zeros_like(STEP), noise=noise, seed=seed).gap for noise in (0.02, 0.1) for seed in range(40)]
    assert np.mean([one.above is not None or one.below is not None for one in told]) <= 0.05


def test_a_difference_that_nobody_would_see_is_none():
    assert found(np.full_like(STEP, 0.01), noise=1e-4).gap.above is None


def test_an_error_over_examples_that_is_larger_decides():
    wide = {"readout/gap/se": np.full_like(STEP, 0.2)}
    assert found(bump(400, 900, 0.3), **wide).gap.above is None
    bias = {"readout/train_bias": bump(400, 900, 0.3)}
    assert found(np.zeros_like(STEP), **bias).bias.above is not None
    parts = {"probe/acc_heldout/se": np.full_like(STEP, 0.2), "probe/acc_train/se": np.full_like(STEP, 0.2)}
    assert found(np.zeros_like(STEP), **bias, **parts).bias.above is None


def test_the_halves_are_those_of_the_probe_and_of_the_model():
    probe = planted.sigmoid(STEP, 500, 60, 0.1, 0.9)
    own = planted.sigmoid(STEP, 1200, 60, 0.1, 0.9)
    one = found(probe - own, probe)
    assert one.probe_half == pytest.approx(500, abs=40)
    assert one.own_half == pytest.approx(1200, abs=60)


def test_a_curve_without_a_gain_has_no_half():
    one = found(np.zeros_like(STEP), np.full_like(STEP, 0.5))
    assert (one.probe_half, one.own_half) == (None, None)


def test_a_run_without_probes_has_none():
    assert readout_of({}, DEFAULTS) is None
    assert runopsy.analyze(planted.grokking()).readout is None


def test_the_page_draws_it_and_says_what_it_means_on_either_side():
    step = np.arange(0, 2000, 10)
    probe, own = planted.sigmoid(step, 500, 60, 0.1, 0.9), planted.sigmoid(step, 1200, 60, 0.1, 0.9)
    loss, train = planted.noisy(planted.decay(step), 0.01), planted.sigmoid(step, 200, 30, 0.1, 1)
    run = planted.run(step, {
        "train/loss": loss, "val/acc": own, "train/acc": train,
        "probe/acc_heldout": probe, "readout/gap": probe - own, "readout/train_bias": 0 * step,
    })  # fmt: skip
    autopsy = runopsy.analyze(run)
    text = " ".join(runopsy.render(autopsy, "text", verbose=True).split())
    assert "Representation and readout" in text
    assert "the features held more than the model's head read from them" in text
    assert "readout/train_bias: nowhere visibly different from 0" in text
    page = runopsy.render(autopsy, "html")
    drawn = page[page.index("Representation and readout") :]
    for name in ("train/acc", "val/acc", "probe/acc_heldout", "readout/gap"):
        assert f"</span>{name}</label>" in drawn[: drawn.index("</details>")], name


def test_of_few_readings_it_is_drawn_and_not_judged():
    step = np.arange(0, 2000, 10)
    run = planted.run(step, {"train/loss": planted.decay(step), "val/loss": planted.decay(step)})
    few = planted.run(step[::100], {"probe/acc_heldout": [0.1, 0.8], "readout/gap": [0.1, 0.2], "gns/s": [1.0, 2.0]})
    run = type(run)(run.path, run.id, run.axis, {**run.tracks, **few.tracks}, taken={"lr": {}})
    text = runopsy.render(runopsy.analyze(run), "text", verbose=True)
    assert "Not checked: too few readings to separate" in text
