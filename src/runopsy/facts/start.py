"""Where training began: its first loss and accuracy, whether the model had learnt before, how late the log begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runopsy.facts.curve import Curve, Curves
from runopsy.model import Position
from runopsy.thresholds import Limits

CROSS_ENTROPIES = (0.5, 8.0)  # nats: a first loss between them may be that of guessing among 2 to 3000 classes
LN2 = 0.693  # nats: the cross-entropy of guessing between two classes, the least that guessing costs
CLASSES = (*range(2, 21), 50, 100, 200, 1000)
GUESSING = {k: float(np.log(k)) for k in CLASSES}  # nats: the cross-entropy of guessing among them
LATE = 0.25  # of the last position, or of training: what begins beyond it shows a part only
TRAINED_LOSS = 0.9  # of LN2: a classifier whose first loss is lower had learnt before its first row
TRAINED_ACC = 0.55  # of accuracy, that it must have had with it: more than one class in two by chance
TRAINED_ACC_ALONE = 0.8  # of accuracy: a first row so high is of a trained model, whatever the loss is


@dataclass(frozen=True, slots=True)
class Start:
    """Where training began. A validation curve that begins later began here too."""

    late: bool  # the log begins late: it is a window out of a longer run
    loss: float | None  # first level of the loss, of training or of a validation before training's first row
    accuracy: float | None  # lowest first level of an accuracy
    trained: bool  # the log begins with a model that had learnt before


def start_of(curves: Curves, first: Position, last: Position, limits: Limits) -> Start:
    """Where training began, of a log that runs from one position to another."""
    loss = curves.get("train/loss") or curves.get("val/loss")
    one_class = _one_class(curves, limits)
    firsts = [curves[n].begins for n in ("train/acc", "val/acc") if n in curves and not (one_class and n == "val/acc")]
    low = loss is not None and 0 <= loss.begins < TRAINED_LOSS * LN2
    trained = bool(firsts) and ((low and max(firsts) >= TRAINED_ACC) or max(firsts) >= TRAINED_ACC_ALONE)
    accuracy = min(firsts, default=None)
    if one_class or (accuracy is not None and _untrained(curves, loss)):
        accuracy = curves["val/acc"].begins
    began = _first_loss(curves)
    classes = None if began is None else guessed_among(began, firsts, limits)
    if accuracy is not None and classes is not None:
        accuracy = max(accuracy, 1 / classes)  # a first row may lie below chance, by few examples or by bad luck
    return Start(first > LATE * last > 0, began, accuracy, trained)


def _first_loss(curves: Curves) -> float | None:
    """The level from which the loss came down: where training is logged seldom, its first row comes late.

    Validation before it is a witness of a model that had learnt less, where it stands higher.
    """
    train, val = curves.get("train/loss"), curves.get("val/loss")
    loss = train or val
    if loss is None:
        return None
    earlier = train is not None and val is not None and val.begins_at < train.begins_at
    return max(loss.begins, val.begins) if earlier and val is not None else loss.begins


def _one_class(curves: Curves, limits: Limits) -> bool:
    """Whether validation accuracy begins as of a model that always answers the most frequent class.

    It is the same to the last digit in its first rows, and higher than that of training, which has learnt nothing yet;
    and its loss is no lower than what such an answer costs, the entropy of the classes.
    """
    train, val, loss = (curves.get(name) for name in ("train/acc", "val/acc", "val/loss"))
    if train is None or val is None or val.rows < 2 * limits.level_rows or not 0 < val.begins < TRAINED_ACC_ALONE:
        return False
    still = float(np.ptp(val.signal.value[: limits.level_rows])) == 0
    entropy = -val.begins * np.log(val.begins) - (1 - val.begins) * np.log(1 - val.begins)  # of two classes, the least
    dear = loss is None or loss.begins >= entropy
    return bool(still and dear and train.begins <= min(TRAINED_ACC, val.begins))


def _untrained(curves: Curves, train: Curve | None) -> bool:
    """Whether the first validation is of a model that has learnt nothing: then its own accuracy is that of chance."""
    loss, acc = curves.get("val/loss"), curves.get("val/acc")
    if train is None or loss is None or acc is None or loss is train:
        return False
    return bool(loss.begins_at <= train.begins_at and loss.begins >= train.begins and acc.begins <= TRAINED_ACC)


def guessed_among(loss: float, accuracies: Sequence[float], limits: Limits) -> int | None:
    """The number of classes among which a model guesses whose loss and accuracies stand so; None where it does not."""
    classes = min(CLASSES, key=lambda k: abs(GUESSING[k] - loss))
    near = abs(loss - GUESSING[classes]) <= limits.slight * GUESSING[classes]
    return classes if near and all(abs(a - 1 / classes) <= limits.half_way / classes for a in accuracies) else None
