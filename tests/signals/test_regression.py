"""Whether a log is of a regression, and the power of its loss."""

import numpy as np
import pytest

from runopsy.model import Signal
from runopsy.signals import with_powers

STEP = np.arange(10.0)
LOSS = np.linspace(2, 1, 10)


def signal(name, source, value=LOSS):
    return Signal(name, source, STEP, np.asarray(value, dtype=float))


@pytest.mark.parametrize(
    ("source", "beside", "power"),
    [
        ("loss", {}, 0),  # nothing says that it is a regression
        ("loss", {"mae": 0.7 * LOSS}, 2),
        ("loss", {"mae": LOSS}, 1),  # the loss is that very error
        ("mse", {}, 2),
        ("train_mae", {}, 1),
        ("rmse", {}, 1),
        ("mean_squared_error", {}, 2),
        ("loss", {"val_mean_absolute_error": 0.7 * LOSS}, 2),
        ("loss", {"mse": LOSS, "mae": 0.7 * LOSS}, 2),  # the loss is that very error
        ("loss", {"mse": LOSS**2, "mae": 0.7 * LOSS}, 1),  # a squared error is there, and the loss is another one
    ],
)
def test_the_power_of_a_loss(source, beside, power):
    made = {"train/loss": signal("train/loss", source)} | {n: signal(n, n, v) for n, v in beside.items()}
    assert with_powers(made)["train/loss"].power == power


def test_beside_an_accuracy_nothing_is_a_regression():
    made = {
        "train/loss": signal("train/loss", "loss"),
        "mae": signal("mae", "mae"),
        "val/acc": signal("val/acc", "acc"),
    }
    assert with_powers(made)["train/loss"].power == 0
