"""Which training examples the model disbelieved: a ranking of labels that are probably wrong.

The mean, over the readings of a run, of the probability of the label less that of the best other class. A label that
is right is soon believed; a false one is held against what is learnt from the others until it is learnt by heart, and
the time that this takes stays in the mean when at the end both have loss 0 (Pleiss et al. 2020, arXiv 2001.10528, with
logits; Swayamdipta et al. 2020, arXiv 2009.10795, with the label's probability alone).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from runopsy.model import Examples, Suspect

NAMED = 0.0  # margin: below it another class was more probable on average, over the whole run
ENOUGH = 0.5  # of the examples have a margin above that, or the run has not learnt enough to doubt a label
SHOWN = 20  # suspects that a page names; the CSV has all
LEAST_READINGS = 8  # a mean over fewer is the last reading by another name


def ranking(examples: Examples) -> NDArray[np.int64]:
    """(n,) the examples, the most doubtful label first.

    Raises:
        ValueError: the recorder kept no margins.
    """
    if examples.margin is None:
        raise ValueError("no margins were recorded")
    return np.argsort(examples.margin, kind="stable")


def doubts(examples: Examples | None) -> tuple[int | None, str, tuple[Suspect, ...]]:
    """How many labels are probably wrong, or why that is not known; and the first of the ranking."""
    if examples is None:
        return None, "no training examples were watched", ()
    if examples.margin is None:
        return None, "an older recorder kept no margins", ()
    if (examples.readings or 0) < LEAST_READINGS:
        return None, f"{examples.readings} readings, fewer than {LEAST_READINGS}", ()
    believed = float((examples.margin > NAMED).mean())
    if believed < ENOUGH:
        return None, f"{100 * believed:.0f} % of the labels were believed on average: too little was learnt", ()
    named = int((examples.margin < NAMED).sum())
    return named, "", tuple(listed(examples, min(named, SHOWN)))


def listed(examples: Examples, most: int | None = None) -> Iterator[Suspect]:
    """The ranking, row by row.

    Args:
        examples: with margins.
        most: rows; None: all.
    """
    sure, spread, margin, loss = examples.confidence, examples.variability, examples.margin, examples.loss
    assert sure is not None  # one recorder kept all four, or none
    assert spread is not None
    assert margin is not None
    assert loss is not None
    for i in ranking(examples)[:most].tolist():
        learnt = float(examples.learnt[i])
        yield Suspect(
            example=i,
            label=-1 if examples.label is None else int(examples.label[i]),
            rather=None if examples.rather is None else int(examples.rather[i]),
            margin=float(margin[i]),
            confidence=float(sure[i]),
            variability=float(spread[i]),
            loss=float(loss[i]),
            learnt=learnt if np.isfinite(learnt) else None,
            forgotten=int(examples.forgotten[i]),
        )
