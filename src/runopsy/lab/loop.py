"""The one training loop of the lab: batches, learning rate, validation and recording.

A task is an ``Experiment``; ``train`` runs it and returns the exact curves, taken on the whole
training and validation sets in evaluation mode, from which the task states its truth. The log holds
what a user would log: the loss and accuracy of each training batch, and validation now and then.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from runopsy.lab.task import Destination, Progress
from runopsy.recorder import Recording, record

REPORTS = 100  # calls of progress: a bar has about as many columns
PROBED = 256  # examples of each set handed to the recorder: enough for an average, cheap enough for a CPU
PROBED_BY_CLASS = 640  # the same where everything is recorded: linear probes want several examples of each class
GAUGED = 100  # linearly spaced readings of the recorder's own signals, beside the early ones
EARLY = 1.25  # growth between early steps: about ten per decade, as the recorder's own default

LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Examples:
    """Inputs (n, …) with their labels (n,) or targets (n, 1)."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Tensor | slice) -> Examples:
        return Examples(self.x[rows], self.y[rows])


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is trained, on what, and how closely it is watched."""

    model: nn.Module
    optimizer: Optimizer
    train: Examples
    val: Examples
    steps: int
    seed: int  # of the order of the batches; what came before has its own streams
    validate: frozenset[int]  # steps at which validation is logged
    config: Mapping[str, Any]  # what else the user would have written down
    batch: int | None = None  # examples per step; None: all of them
    loss_fn: LossFunction = nn.functional.cross_entropy
    rate: Callable[[int], float] | None = None  # learning rate by step; None: as the optimizer was given
    spoil: Callable[[int, Tensor], Tensor] | None = None  # what happens to the inputs of a batch
    watch: frozenset[int] = frozenset()  # further steps at which the exact curves are taken, unlogged
    probe: Examples | None = None  # what the recorder watches; None: the first training examples
    groups: Sequence[str] | None = None  # the group of each of these
    look: Callable[[int], None] | None = None  # what a task takes besides, where the exact curves are taken


@dataclass(slots=True)
class Curves:
    """Exact values on whole sets, in evaluation mode; all lists run with ``step``."""

    step: list[int] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    train_acc: list[float] = field(default_factory=list)  # empty where targets are no classes
    val_loss: list[float] = field(default_factory=list)
    val_acc: list[float] = field(default_factory=list)


def stream(seed: int, purpose: str) -> torch.Generator:
    """Random numbers for one purpose, unrelated to those of any other seed or purpose."""
    return torch.Generator().manual_seed(zlib.crc32(f"{seed}/{purpose}".encode()))


@contextmanager
def quiet_corner(seed: int) -> Iterator[None]:
    """One thread and a random state of its own; the process gets back what it had.

    One thread, because matrices this small are slower on several. Initial weights come from the global
    generator (layers draw from no other), which is therefore seeded here and restored afterwards.
    """
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(zlib.crc32(f"{seed}/weights".encode()))
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def every(stride: int, steps: int) -> frozenset[int]:
    """0, stride, 2 stride, … and the last step."""
    return frozenset(range(0, steps + 1, stride)) | {steps}


def log_spaced(until: int) -> frozenset[int]:
    """1, 2, 3, … with growing gaps, up to ``until``."""
    steps, at = set(), 1.0
    while at <= until:
        steps.add(round(at))
        at = max(at + 1, at * EARLY)
    return frozenset(steps)


def train(experiment: Experiment, to: Destination, progress: Progress) -> Curves:
    """Train, recorded.

    Raises:
        RunExists: the folder exists.
    """
    curves = Curves()
    e = experiment
    probed = PROBED_BY_CLASS if to.signals == "full" else PROBED
    with record(
        to.folder,
        model=e.model,
        optimizer=e.optimizer,
        loss_fn=e.loss_fn,
        probe=_pair(e.train[:probed] if e.probe is None else e.probe),
        groups=e.groups,
        heldout=_pair(e.val[:probed]),
        # fixed steps and no budget, so that a seed gives the same rows on a slow machine as on a fast one
        every=sorted(log_spaced(e.steps) | every(max(1, e.steps // GAUGED), e.steps)),
        budget=None,
        signals=to.signals,
        sizes={"train": len(e.train), "val": len(e.val)},
        config={**e.config, "batch_size": e.batch or len(e.train), "steps": e.steps, "seed": e.seed},
    ) as run:
        batches = _batches(e)
        for step in range(e.steps + 1):
            _look(e, step, run, curves)
            if REPORTS * step // e.steps > REPORTS * (step - 1) // e.steps:
                progress(step / e.steps)
            if step < e.steps:
                _update(e, step, run, next(batches))
    return curves


def _update(e: Experiment, step: int, run: Recording, batch: tuple[float, Examples]) -> None:
    """One optimizer step. Values are those of the batch before the update, as a training script has them."""
    epoch, examples = batch
    if e.rate is not None:
        for group in e.optimizer.param_groups:
            group["lr"] = e.rate(step)
    x = e.spoil(step, examples.x) if e.spoil is not None else examples.x
    output = e.model(x)
    loss = e.loss_fn(output, examples.y)
    e.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    values: dict[str, float | Tensor] = {"train/loss": loss.detach()}
    if _classes(examples):
        values["train/acc"] = _accuracy(output.detach(), examples.y)
    if e.batch is not None:
        values["epoch"] = epoch
    run.step(step, values)
    e.optimizer.step()


def _look(e: Experiment, step: int, run: Recording, curves: Curves) -> None:
    """Take the exact curves where they are due, and log the validation part of them where that is due."""
    if step not in e.validate and step not in e.watch:
        return
    train_loss, train_acc = evaluate(e.model, e.train, e.loss_fn)
    val_loss, val_acc = evaluate(e.model, e.val, e.loss_fn)
    if e.look is not None:
        e.look(step)
    curves.step.append(step)
    curves.train_loss.append(train_loss)
    curves.val_loss.append(val_loss)
    if train_acc is not None and val_acc is not None:
        curves.train_acc.append(train_acc)
        curves.val_acc.append(val_acc)
    if step in e.validate:
        run.log(step, {"val/loss": val_loss} | ({"val/acc": val_acc} if val_acc is not None else {}))


@torch.no_grad()
def evaluate(model: nn.Module, examples: Examples, loss_fn: LossFunction) -> tuple[float, float | None]:
    """Mean loss, and accuracy where the targets are classes, over a whole set in evaluation mode."""
    model.eval()
    output = model(examples.x)
    model.train()
    accuracy = float(_accuracy(output, examples.y)) if _classes(examples) else None
    return float(loss_fn(output, examples.y)), accuracy


def _batches(e: Experiment) -> Iterator[tuple[float, Examples]]:
    """(epochs completed, batch), each epoch in a new order; what does not fill a batch is left out."""
    if e.batch is None:
        while True:
            yield 0.0, e.train
    n, done = len(e.train), 0
    generator = stream(e.seed, "order")
    while True:
        order = torch.randperm(n, generator=generator)
        for start in range(0, n - e.batch + 1, e.batch):
            yield done / n, e.train[order[start : start + e.batch]]
            done += e.batch


def _classes(examples: Examples) -> bool:
    return examples.y.dtype == torch.int64


def _accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.argmax(dim=-1) == labels).float().mean()


def _pair(examples: Examples) -> tuple[Tensor, Tensor]:
    return examples.x, examples.y
