"""What a reading is called, and what a whole sequence of them says that no single one can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runopsy.model import Case
from runopsy.phases.readings import Reading
from runopsy.phases.spells import spells_of

STARTED = 0.05  # of the training loss's drop: below it, training has not begun to fit
MOSTLY_DONE = 0.6  # of the training loss's drop: a pause before it is a plateau on the way

Label = tuple[str, Callable[[Reading], bool]]

LABELS: tuple[Label, ...] = (
    ("diverged", lambda r: r.diverged),
    ("underfitting", lambda r: r.train_done < STARTED),
    ("feature_learning", lambda r: r.val_improves),
    ("feature_learning", lambda r: not r.val_known and r.fresh and r.train_improves),
    ("fitting", lambda r: not r.val_known and r.train_improves),
    ("memorization", lambda r: r.val_known and r.train_improves and not r.val_keeps_pace),
    ("memorization", lambda r: r.val_known and r.gap_open and not r.val_near_best),
    ("feature_learning", lambda r: r.val_known and (r.train_improves or r.train_done < MOSTLY_DONE)),
    ("converged", lambda r: True),
)


def label(reading: Reading) -> str:
    """The first of ``LABELS`` that fits."""
    return next(word for word, fits in LABELS if fits(reading))


def without_gap(labels: list[str], readings: list[Reading]) -> list[str]:
    """Memorization leaves a gap: a spell of it in which none ever opens was training that went ahead by chance."""
    told = list(labels)
    for start, stop, said in spells_of(labels):
        if said == "memorization" and not any(reading.gap_open for reading in readings[start:stop]):
            told[start:stop] = [label(replace(r, val_keeps_pace=True)) for r in readings[start:stop]]
    return told


def one_passage(labels: list[str], case: Case) -> list[str]:
    """Labels of a run whose validation is one smooth decay: a pause within it is no phase, whatever training does."""
    val = [case.segments[n] for n in ("val/loss", "val/acc") if n in case.segments]
    if not all(s.smooth for s in (val or [case.segments["train/loss"]])):
        return labels
    told = list(labels)
    learning = [i for i, said in enumerate(labels) if said in ("feature_learning", "fitting")]
    if learning:
        told[learning[0] : learning[-1]] = [labels[learning[0]]] * (learning[-1] - learning[0])
    tail = learning[-1] + 1 if learning else len(labels)
    if tail < len(labels) and "diverged" not in labels[tail:]:
        told[tail:] = [labels[-1]] * (len(labels) - tail)  # it ends in one way: in between, training only wandered
    return told
