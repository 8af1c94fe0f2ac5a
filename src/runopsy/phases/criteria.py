"""The thresholds by which a stretch of a run gets its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True, slots=True)
class Criteria:
    """What each stretch of the run is called.

    A moment is read by how far training has come and whether validation follows, each judged over a window of
    the elapsed steps; the first label that fits is its name, and spells too short to be seen join a neighbour.
    """

    code: ClassVar[str] = "P01"
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)

    window: float = 0.12  # of the elapsed steps, over which a change is judged: DEFINITIONS of the labelled runs
    loss_moves: float = 0.02  # of the loss's whole drop, over the window: likewise
    acc_moves: float = 0.015  # of accuracy, over the window: likewise
    hold: float = 0.6  # of the two thresholds above, while moving already: one threshold alone would flicker
    noise: float = 2.0  # standard errors of the fitted curve that a change over the window must exceed
    started: float = 0.05  # of the training loss's drop: below it, training has not begun to fit
    mostly_done: float = 0.6  # of the training loss's drop: a pause before it is a plateau on the way
    near_best: float = 0.1  # of validation's own drop, or of accuracy's gain: closer than this is at its best
    risen: float = 0.25  # of its lowest value, by which validation loss has left its best …
    visible: float = 0.03  # … unless that is less than this share of its drop: late in a fitted run, 1e-6 may double
    learnt: float = 0.1  # of the loss's start, or of accuracy: a smaller change is no learning at all
    # of the training loss's drop, or of accuracy, by which validation is worse: smaller gaps every run has
    gap: float = 0.05
    pace: float = 0.3  # of training's progress, each in shares of its own drop, that validation must make to follow it
    carries: float = 0.1  # of validation's own way, made over a spell: it was learning there
    shortest: float = 0.15  # in log elapsed steps: a spell shorter than this (16 % of the steps before it) …
    shortest_of_run: float = 0.03  # … and than this share of the run joins a neighbour
    # evaluations in a spell that says validation does not move: with fewer, it may have
    fewest_readings: float = 3
