import numpy as np
import pytest

from runopsy.model import Signal
from runopsy.segments import segment
from runopsy.segments.decay import smooth_decay

T = np.arange(1.0, 3001)
FAMILIES = {
    "power law": 0.1 + 2 * (1 + T / 50) ** -0.7,
    "exponential": 0.3 + 2 * np.exp(-T / 200),
    "stretched exponential": 0.2 + 2 * np.exp(-((T / 100) ** 0.5)),
    "sum of two": 0.1 + np.exp(-T / 30) + (1 + T / 300) ** -0.8,
}


@pytest.mark.parametrize("curve", FAMILIES.values(), ids=FAMILIES)
def test_every_family_of_decays_is_a_mixture(curve):
    pick = np.unique(np.geomspace(1, 3000, 200).astype(int)) - 1
    fitted = smooth_decay(T[pick], curve[pick], 0.003 * curve[pick])
    np.testing.assert_allclose(fitted, curve[pick], rtol=0.01)


@pytest.mark.parametrize("curve", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("seed", range(3))
def test_a_noisy_decay_is_one_segment(curve, seed):
    noise = np.exp(0.05 * np.random.default_rng(seed).standard_normal(len(T)))
    found = segment(Signal("train/loss", "x", T, curve * noise), 1.0)
    assert found.smooth
    assert len(found.edges) == 2
    assert (np.diff(found.curve[5:]) <= 1e-9).all()


def test_a_late_drop_is_no_smooth_decay():
    curve = FAMILIES["power law"] - 0.1 * (T > 2000)
    noise = np.exp(0.03 * np.random.default_rng(0).standard_normal(len(T)))
    found = segment(Signal("train/loss", "x", T, curve * noise), 1.0)
    assert not found.smooth
    assert np.abs(found.edges - 2000).min() < 60


def test_a_droop_that_the_learning_rate_explains_is_a_smooth_decay():
    rate = 0.5 * (1 + np.cos(np.pi * T / 3000))
    curve = 0.3 + 0.3 * (1 + T / 50) ** -0.7 + 0.8 * rate
    noise = np.exp(0.01 * np.random.default_rng(0).standard_normal(len(T)))
    loss = Signal("train/loss", "x", T, curve * noise)
    assert not segment(loss, 1.0).smooth
    assert segment(loss, 1.0, rate=Signal("lr", "lr", T, rate)).smooth


def test_a_rise_is_never_smooth():
    curve = 1 + T / 3000
    assert not segment(Signal("val/loss", "x", T, curve), 1.0).smooth


def test_accuracy_that_saturates_is_smooth_and_a_second_rise_is_not():
    saturating = 0.9 - 0.8 * np.exp(-T / 200)
    rng = np.random.default_rng(0)
    noisy = np.clip(saturating + 0.01 * rng.standard_normal(len(T)), 0, 1)
    assert segment(Signal("val/acc", "x", T, noisy), 1.0).smooth
    later = np.clip(noisy * 0.5 + 0.45 / (1 + np.exp(-(T - 2000) / 50)), 0, 1)
    assert not segment(Signal("val/acc", "x", T, later), 1.0).smooth
