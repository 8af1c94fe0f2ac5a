"""Many small grokkings: multitask sparse parity, whose mean loss is smooth and whose subtasks are learnt in steps.

Each example names its subtask and asks for the parity of three of sixteen bits, which three the subtask alone knows.
Subtasks are as frequent as a geometric series has it, so that they are found one after the other. (Michaud et al.
2023, "The quantization model of neural scaling", arXiv 2303.13506.)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from runopsy.lab.loop import Curves, Examples, Experiment, every, quiet_corner, stream, train
from runopsy.lab.task import Destination, Planted, Progress, Truth, expect

SUBTASKS, BITS, ASKED = 10, 16, 3
COMMON = 0.75  # how frequent a subtask is, x the one before it
KNOWN, HELD = 40_000, 2000  # examples: each is seen some twenty times, and none is learnt by heart meanwhile
PROBED = 64  # of each subtask
EXACT = 1000  # fresh examples of each, from which the truth is taken: to 0.016 of accuracy
STEPS, BATCH, RATE, WIDTH = 3000, 256, 2e-3, 128
LOOK = 25  # steps between exact readings
CHANCE, FOUND = 0.5, 0.9  # accuracy of a guess; of a subtask that was found
UNLEARNT = 0.56  # accuracy up to which a subtask shows nothing: chance and four standard errors
LOW, HIGH = 0.1, 0.9  # of its gain: a careful reader puts a step between these


def quanta(to: Destination, seed: int, progress: Progress) -> Truth:
    """Some subtasks are found by the end, each at its own time; some are not."""
    with quiet_corner(seed):
        draw = stream(seed, "data")
        asked = [torch.randperm(BITS, generator=draw)[:ASKED] for _ in range(SUBTASKS)]
        shares = COMMON ** torch.arange(SUBTASKS)
        known, held = (
            _examples(torch.multinomial(shares, n, True, generator=draw), asked, draw) for n in (KNOWN, HELD)
        )
        exact = _examples(torch.arange(SUBTASKS).repeat_interleave(EXACT), asked, draw)
        model = nn.Sequential(nn.Linear(SUBTASKS + BITS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2))
        found: list[tuple[int, list[float]]] = []
        rows = _first_of_each(known)
        experiment = Experiment(
            model,
            torch.optim.Adam(model.parameters(), lr=RATE),
            known,
            held,
            STEPS,
            seed,
            every(LOOK, STEPS),
            {"data": "multitask sparse parity", "subtasks": SUBTASKS, "bits": BITS, "asked": ASKED, "model": "MLP",
             "width": WIDTH, "optimizer": "Adam", "lr": RATE},
            batch=BATCH,
            probe=known[rows],
            groups=[str(subtask) for subtask in _subtask(known.x[rows]).tolist()],
            look=lambda step: found.append((step, _accuracies(model, exact))),
        )  # fmt: skip
        curves = train(experiment, to, progress)
    return _truth(seed, curves, found)


def _examples(subtasks: Tensor, asked: Sequence[Tensor], draw: torch.Generator) -> Examples:
    """One-hot subtasks beside random bits (as −1 and 1), and the parity of those that the subtask asks for."""
    bits = torch.randint(0, 2, (len(subtasks), BITS), generator=draw)
    parity = bits.gather(1, torch.stack(list(asked))[subtasks]).sum(dim=1) % 2
    x = torch.cat([nn.functional.one_hot(subtasks, SUBTASKS).float(), 2.0 * bits - 1.0], dim=1)
    return Examples(x, parity)


def _subtask(x: Tensor) -> Tensor:
    return x[:, :SUBTASKS].argmax(dim=1)


def _first_of_each(known: Examples) -> Tensor:
    """The rows of the first examples of each subtask."""
    of = _subtask(known.x)
    return torch.cat([torch.nonzero(of == subtask).flatten()[:PROBED] for subtask in range(SUBTASKS)])


@torch.no_grad()
def _accuracies(model: nn.Module, exact: Examples) -> list[float]:
    right = model(exact.x).argmax(dim=1) == exact.y
    means: list[float] = right.float().reshape(SUBTASKS, EXACT).mean(dim=1).tolist()
    return means


def _truth(seed: int, curves: Curves, found: list[tuple[int, list[float]]]) -> Truth:
    steps = [step for step, _ in found]
    groups: dict[str, Planted | None] = {}
    for subtask in range(SUBTASKS):
        accuracy = [each[subtask] for _, each in found]
        if accuracy[-1] >= FOUND:
            groups[str(subtask)] = _step(steps, accuracy)
        elif max(accuracy) <= UNLEARNT:
            groups[str(subtask)] = None  # one that has begun and not come far is in neither list
    expect(sum(step is not None for step in groups.values()) >= 3, "several subtasks are found", seed)
    falls = max(b / a for a, b in zip(curves.val_loss[:-1], curves.val_loss[1:], strict=True))
    expect(falls < 1.5, "the mean loss is smooth", seed)
    why = (
        f"each subtask evaluated on {EXACT} fresh examples every {LOOK} steps: the step of one that ends above {FOUND} "
        "is where it has made half of what it gains over chance (from 10 % to 90 %), and one that never leaves "
        f"{UNLEARNT} has none"
    )
    return Truth("quanta", seed, ("healthy", "undertrained"), (), why, groups)


def _step(steps: list[int], accuracy: list[float]) -> Planted:
    """Where a subtask has made half of its gain over chance."""
    gain = accuracy[-1] - CHANCE
    low, at, high = (
        next(step for step, acc in zip(steps, accuracy, strict=True) if acc >= CHANCE + share * gain)
        for share in (LOW, 0.5, HIGH)
    )
    return Planted("group_step", at, low, high)
