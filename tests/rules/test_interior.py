from dataclasses import replace

import numpy as np
import pytest

import planted
import runopsy
from runopsy.model import Track


def examined(config=None, last=4000, taken=None, **inside):
    run = planted.healthy(last)
    step = run.tracks["train/loss"].step
    more = {name: Track(name, step, np.asarray(of(step), dtype=float)) for name, of in inside.items()}
    return runopsy.analyze(replace(run, tracks={**run.tracks, **more}, config=config or {}, taken=taken or {}))


def found(autopsy, kind):
    return [e for e in autopsy.events if e.kind == kind]


def pieces(true_g2, true_s, sd, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "gns/g2": lambda step: true_g2 + sd * true_g2 * rng.standard_normal(len(step)),
        "gns/s": lambda step: true_s + sd * true_s * rng.standard_normal(len(step)),
    }


def test_the_noise_scale_is_the_ratio_of_means_and_its_interval_holds_the_truth():
    held = []
    for seed in range(40):
        event = found(examined({"batch_size": 64}, **pieces(1.0, 200.0, 0.8, seed)), "noise_scale")
        if event:
            proof = event[0].evidence[0]
            low, high = (float(w) for w in proof.text.partition("(")[2].partition(" by")[0].split(" to "))
            held.append(low <= 200 <= high)
    assert len(held) > 30
    assert np.mean(held) >= 0.75  # nine in ten, less three standard errors of forty


def test_single_ratios_are_never_averaged():
    scale = examined(**pieces(1.0, 200.0, 1.5)).signals["gns"]
    assert np.median(scale.value) == pytest.approx(200, rel=0.4)
    assert scale.value.min() > 0


def test_a_gradient_that_is_not_told_from_zero_gives_no_noise_scale():
    assert not found(examined(**pieces(1e-6, 200.0, 0.0) | {"gns/g2": np.sin}), "noise_scale")


def test_sharpness_at_the_threshold_of_its_optimizer_is_the_edge_of_stability():
    inside = {"hessian/top": lambda step: np.minimum(5 + step / 50, 40), "lr": lambda step: np.full(len(step), 0.05)}
    event = found(examined({"optimizer": "SGD"}, **inside), "edge_of_stability")[0]
    assert event.step == pytest.approx((0.95 * 40 - 5) * 50, abs=20)
    assert event.evidence[0].limit == pytest.approx(40)
    assert not found(examined({"optimizer": "SGD", "momentum": 0.9}, **inside), "edge_of_stability")  # 76 it is then


@pytest.mark.parametrize(
    ("how", "says"),
    [({"targets": 256}, None), ({"targets": 255}, "is of 255 examples"), ({"unit": ""}, "does not show of how many")],
)
def test_of_a_small_sample_no_edge_is_claimed(how, says):
    inside = {"hessian/top": lambda step: np.minimum(5 + step / 50, 40), "lr": lambda step: np.full(len(step), 0.05)}
    autopsy = examined({"optimizer": "SGD"}, taken={"hessian/top": how}, **inside)
    check = next(c for c in autopsy.checks if c.code == "H01")
    assert (says is None) == bool(found(autopsy, "edge_of_stability"))
    assert says is None or says in check.why


@pytest.mark.parametrize(("config", "says"), [({"optimizer": "AdamW"}, "adamw"), ({}, "depends on the optimizer")])
def test_without_a_known_threshold_sharpness_is_not_checked(config, says):
    inside = {"hessian/top": lambda step: np.full(len(step), 40.0), "lr": lambda step: np.full(len(step), 0.05)}
    check = next(c for c in examined(config, **inside).checks if c.code == "H01")
    assert check.outcome == "not_checked"
    assert says in check.why


def test_canaries_that_are_learnt_are_memorization_and_those_that_are_not_are_quiet():
    learnt = examined(**{"canary/acc": lambda step: planted.sigmoid(step, 2000, 100, 0.1, 0.9)})
    assert found(learnt, "canaries_learnt")[0].step == pytest.approx(2080, abs=40)
    assert not found(
        examined(**{"canary/acc": lambda step: planted.sigmoid(step, 2000, 100, 0.1, 0.3)}), "canaries_learnt"
    )
