"""What a reading is called, and what a whole sequence of them says that no single one can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runopsy.model import Case
from runopsy.phases.readings import Reading
from runopsy.phases.spells import spells_of

STARTED = 0.05  # of the training loss's drop: below it, training has not begun to fit
CARRIES = 0.1  # of validation's own way, made over a spell: it was learning there
MOSTLY_DONE = 0.6  # of the training loss's drop: a pause before it is a plateau on the way

Label = tuple[str, Callable[[Reading], bool]]

LABELS: tuple[Label, ...] = (
    ("diverged", lambda r: r.diverged),
    ("underfitting", lambda r: r.train_done < STARTED),
    ("feature_learning", lambda r: r.val_improves),
    ("feature_learning", lambda r: not r.val_known and r.fresh and (r.train_improves or r.train_done < MOSTLY_DONE)),
    ("fitting", lambda r: not r.val_known and (r.train_improves or r.train_done < MOSTLY_DONE)),
    ("memorization", lambda r: r.val_known and r.train_improves and not r.val_keeps_pace),
    ("memorization", lambda r: r.val_known and r.gap_open and not r.val_near_best),
    ("feature_learning", lambda r: r.val_known and (r.train_improves or r.train_done < MOSTLY_DONE)),
    ("converged", lambda r: True),
)


def label(reading: Reading) -> str:
    """The first of ``LABELS`` that fits."""
    return next(word for word, fits in LABELS if fits(reading))


def plausible(labels: list[str], readings: list[Reading]) -> list[str]:
    """Labels that hold over their whole spell, not only from moment to moment.

    Memorization leaves a gap, and validation does not improve over it; a run in which validation makes
    a visible part of its own way is still learning, however slowly.
    """
    told = list(labels)
    for start, stop, said in spells_of(labels):
        here = readings[start:stop]
        gained = here[-1].val_done - here[0].val_done
        if said == "memorization" and (gained > CARRIES or not any(r.gap_open for r in here)):
            told[start:stop] = [_unless_memorized(r, gained) for r in here]
        elif said == "converged" and gained > CARRIES:
            told[start:stop] = ["feature_learning"] * (stop - start)
    return told


def _unless_memorized(reading: Reading, gained: float) -> str:
    if gained > CARRIES:
        return "feature_learning"
    return label(replace(reading, val_keeps_pace=True, gap_open=False))


def one_passage(labels: list[str], readings: list[Reading], case: Case) -> list[str]:
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
        # it ends in one way: in between, training only wandered
        behind = sum(r.gap_open for r in readings[tail:]) > (len(labels) - tail) / 2
        word = "memorization" if behind and "memorization" in labels[tail:] else labels[-1]
        told[tail:] = [word] * (len(labels) - tail)
    return told
