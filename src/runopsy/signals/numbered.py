"""Sets that have numbers or letters for names: validation_0 and validation_1; loss0 and loss1; loss_t and loss_v."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from runopsy.model import Track
from runopsy.signals.names import Guess, guess, words

FIRST, SECOND = "0", "1"
ENDS_IN_A_NUMBER = re.compile(r"(?P<stem>.*[A-Za-z])\d")
LETTERS = {"t": "train", "v": "val"}
FEWEST = 5  # rounds before the shape of a curve means anything
RISES = 0.05  # share of the rounds in which the loss of the set that is fitted may rise: boosting lowers it in each


def of_training(tracks: Mapping[str, Track]) -> frozenset[str]:
    """The columns of set 0, where it is the one that is fitted; none where the log names a training side.

    ``eval_set=[(x_train, y_train), (x_test, y_test)]`` is what people pass to a booster, which numbers them. The set
    that is fitted is known by its loss: it falls in every round, and ends below that of set 1.
    """
    guesses = [g for name in tracks if (g := guess(name)) is not None]
    if any(g.side in ("train", "") for g in guesses):
        return frozenset()
    losses = {g.extra: tracks[g.track] for g in guesses if g.quantity == "loss" and g.side == "val"}
    fitted, other = losses.get((FIRST,)), losses.get((SECOND,))
    if fitted is None or other is None or len(fitted) != len(other) or len(fitted) < FEWEST:
        return frozenset()
    rises = np.diff(fitted.value) > 0
    if rises.mean() > RISES or not fitted.value[-1] < other.value[-1]:
        return frozenset()
    return frozenset(name for name in tracks if FIRST in words(name) and SECOND not in words(name))


def as_training(g: Guess) -> Guess:
    """What the name of a column of set 0 means where that is the training set."""
    return Guess(g.track, "train", g.quantity, (), g.doubt - len(g.extra), g.smoothed)


def unnamed_sets(names: Iterable[str]) -> dict[str, str]:
    """Columns such as ``loss0, loss1`` or ``acc0, acc1``, each with what it numbers: there acc1 is no top-1 accuracy.

    Which of them is of training nothing shows, and they may be parts or tasks as well.
    """
    by_stem: dict[str, list[str]] = {}
    for name in names:
        if (match := ENDS_IN_A_NUMBER.fullmatch(name)) and guess(match["stem"]) is not None:
            by_stem.setdefault(match["stem"], []).append(name)
    return {
        name: stem
        for stem, found in by_stem.items()
        if {f"{stem}{FIRST}", f"{stem}{SECOND}"} <= {*found}
        for name in found
    }


def lettered(guesses: Sequence[Guess]) -> list[Guess]:
    """The guesses, with ``loss_t`` as of training and ``loss_v`` as of validation where both are there."""
    stems = [{_without(g, letter) for g in guesses} for letter in LETTERS]
    both = set.intersection(*stems) - {None}
    return [next((_of_letter(g, letter) for letter in LETTERS if _without(g, letter) in both), g) for g in guesses]


def _without(g: Guess, letter: str) -> tuple[str, tuple[str, ...]] | None:
    """What a name means without the letter that it ends in; None where it names a side, or ends in another."""
    return (g.quantity, g.extra[:-1]) if g.side == "" and words(g.track)[-1:] == [letter] == [*g.extra[-1:]] else None


def _of_letter(g: Guess, letter: str) -> Guess:
    return replace(g, side=LETTERS[letter], extra=g.extra[:-1], doubt=g.doubt - 1)
