"""Two ways of being thrown off: a learning rate past what is stable, and a batch that should not have been there.

Gradient descent on a curvature λ is stable for learning rates below 2/λ, and with momentum β below
(2 + 2β)/λ (Cohen et al., "Edge of stability", arXiv 2103.00065). Above, errors grow from step to step.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from runopsy.lab.loop import Curves, Experiment, every, quiet_corner, train
from runopsy.lab.task import Destination, Planted, Progress, Truth, expect
from runopsy.lab.teacher import MEDIUM, PLENTY, about, lesson, student

BATCH = 128
MOMENTUM = 0.9
LOOK = 10  # steps between validations: a spike lasts some tens of steps

SAFE, WILD = 0.1, 5.0  # learning rates; at ten times the safe one some runs come back, at fifty times none did
RAISED = 1000  # the step whose update is the first with the wild rate; the task is learnt by about 500
AFTER = 400  # steps after that: the loss overflows to NaN in about 300
CLOSE = 60  # steps after RAISED that are looked at one by one, for the first one beyond recovery

CALM = 0.05  # learning rate of the run with bad batches
BAD = (900, 1700)  # batches that arrive wrong, on the plateau and far enough apart to be back in between
UNSCALED = 5.0  # the factor on their inputs, whose columns are reversed besides
SPOILT = 0.03  # wrong labels, in validation too: a floor under the loss, so that the run has come to rest
LEAP, BACK, WITHIN = 1.5, 1.25, 80  # validation loss at least leaps by, and is down to, within so many steps


def divergence(to: Destination, seed: int, progress: Progress) -> Truth:
    """A schedule that multiplies the learning rate by fifty in the middle of a good run."""
    steps = RAISED + AFTER
    curves = _train(
        to,
        seed,
        progress,
        steps,
        rate=lambda step: SAFE if step < RAISED else WILD,
        watch=frozenset(range(RAISED, RAISED + CLOSE)),
        schedule={"lr": SAFE, "then": WILD, "at": RAISED},
    )
    first = _lost(curves)
    expect(RAISED < first < RAISED + CLOSE, "the loss leaves for good where the rate is raised", seed)
    why = (
        f"the learning rate was raised from {SAFE} to {WILD} at step {RAISED}; evaluated on the whole training set "
        f"after each of the next {CLOSE} updates and then every {LOOK}, the loss was above that of the untrained "
        f"network from step {first} to the end"
    )
    events = (
        Planted("lr_change", RAISED, RAISED - 1, RAISED + 1),
        Planted("divergence", first, RAISED, first + LOOK),  # validation shows it one interval later
    )
    return Truth("divergence", seed, ("diverged",), events, why)


def spike(to: Destination, seed: int, progress: Progress) -> Truth:
    """Two batches with their columns reversed and unscaled, in a run that is otherwise healthy."""

    def spoil(step: int, x: Tensor) -> Tensor:
        return UNSCALED * x.flip(1) if step in BAD else x

    curves = _train(to, seed, progress, 2500, rate=lambda _: CALM, spoil=spoil, mislabelled=SPOILT)
    loss = dict(zip(curves.step, curves.val_loss, strict=True))
    for bad in BAD:
        later = [loss[step] for step in range(bad + LOOK, bad + WITHIN + 1, LOOK)]
        expect(max(later) >= LEAP * loss[bad], f"the loss leaps at step {bad}", seed)
        expect(later[-1] <= BACK * loss[bad], f"the loss is back {WITHIN} steps after step {bad}", seed)
    # the batch's own loss shows it at once, validation one interval later
    events = tuple(Planted("loss_spike", bad, bad, bad + LOOK) for bad in BAD)
    why = (
        f"the batches of steps {' and '.join(map(str, BAD))} had their columns reversed and multiplied by "
        f"{UNSCALED:g}; full-set validation leapt after each and came back, and nothing else was planted"
    )
    return Truth("spike", seed, ("healthy", "undertrained"), events, why)


def _train(
    to: Destination,
    seed: int,
    progress: Progress,
    steps: int,
    *,
    rate: Callable[[int], float],
    spoil: Callable[[int, Tensor], Tensor] | None = None,
    watch: frozenset[int] = frozenset(),
    mislabelled: float = 0.0,
    schedule: dict[str, float] | None = None,
) -> Curves:
    """The one classifier of this page, under stochastic gradient descent with momentum."""
    with quiet_corner(seed):
        known, held = lesson(seed, PLENTY, mislabelled=mislabelled, both=True)
        model = student(MEDIUM)
        config = {
            **about(MEDIUM, known, mislabelled),
            "optimizer": "SGD",
            "momentum": MOMENTUM,
            "lr": rate(0),
            "schedule": schedule,
        }
        experiment = Experiment(
            model,
            torch.optim.SGD(model.parameters(), lr=rate(0), momentum=MOMENTUM),
            known,
            held,
            steps,
            seed,
            every(LOOK, steps),
            config,
            batch=BATCH,
            rate=rate,
            spoil=spoil,
            watch=watch,
        )
        return train(experiment, to, progress)


def _lost(curves: Curves) -> int:
    """The first step from which the training loss is never again at or below that of the untrained network."""
    start = curves.train_loss[0]
    sound = [i for i, loss in enumerate(curves.train_loss) if math.isfinite(loss) and loss <= start]
    return curves.step[min(sound[-1] + 1, len(curves.step) - 1)]
