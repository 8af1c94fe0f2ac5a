"""The fixed batches that signals are measured on: a probe batch of training examples, a held-out one, canaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from runopsy.errors import BadOption, Unavailable
from runopsy.recorder.alignment import Alignment, Undecided, by_gradient, by_value, next_labels, with_logits
from runopsy.recorder.anatomy import main_tensor

__all__ = [
    "Alignment",
    "Batch",
    "Labelled",
    "LossFunction",
    "Undecided",
    "labelled",
    "own_loss",
    "shuffled",
    "some_rows",
]
LossFunction = Callable[[Any, Any], Tensor]


def some_rows(n: int, most: int) -> Tensor:
    """The same ``most`` of ``n`` row numbers at every call, in order; all where there are no more.

    Drawn at random with a generator of our own: the first ones may be of one class, and every k-th row of
    one position of a sequence.
    """
    return torch.arange(n, device="cpu") if n <= most else shuffled(n)[:most].sort().values


def shuffled(n: int) -> Tensor:
    """The numbers below n in a random order, the same at every call."""
    return torch.randperm(n, generator=torch.Generator("cpu").manual_seed(0), device="cpu")


def own_loss(output: Any, y: Any) -> Tensor:
    """The loss that the model computes itself, where it is given its labels as Hugging Face models are.

    Raises:
        Unavailable: it computes none.
    """
    loss = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
    if isinstance(loss, Tensor):
        return loss
    raise Unavailable("needs loss_fn=: the model returns no loss of its own")


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Inputs as ``model(*args, **kwargs)`` takes them, and targets as ``loss_fn(output, y)`` does."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    y: Any

    @classmethod
    def of(cls, given: Any, option: str) -> Batch:
        """From ``(x, y)``, x being a tensor, a tuple of arguments or a dict of keywords; or from one dict with labels.

        Tensors are copied: what the loop does to its own later is not seen.

        Raises:
            BadOption: it is nothing of that kind.
        """
        if isinstance(given, Mapping):
            return cls((), _map(dict(given), _copied), _map(given.get("labels"), _copied))
        if not isinstance(given, Sequence) or len(given) != 2:
            raise BadOption(f"{option}= is a {type(given).__name__}", hint=f"give {option}=(inputs, targets)")
        x, y = given
        if isinstance(x, Mapping):
            return cls((), _map(dict(x), _copied), _map(y, _copied))
        args = tuple(x) if isinstance(x, (tuple, list)) else (x,)
        return cls(_map(args, _copied), {}, _map(y, _copied))

    def to(self, device: torch.device) -> Batch:
        def move(t: Tensor) -> Tensor:
            return t.to(device)

        return Batch(_map(self.args, move), _map(self.kwargs, move), _map(self.y, move))

    def __len__(self) -> int:
        """Examples, taken along the first dimension."""
        tensors = self._tensors()
        if not tensors:
            raise Unavailable("the batch holds no tensor")
        return len(tensors[0])

    def __getitem__(self, rows: slice | Tensor) -> Batch:
        """Some of the examples. Tensors of another length than the first (a mask for all, say) stay as they are."""
        n = len(self)

        def take(t: Tensor) -> Tensor:
            return t[rows] if t.dim() and len(t) == n else t

        return Batch(_map(self.args, take), _map(self.kwargs, take), _map(self.y, take))

    def some(self, most: int) -> Batch:
        """At most that many examples, always the same."""
        n = len(self)
        return self if n <= most else self[some_rows(n, most)]

    def run(self, model: nn.Module) -> Any:
        return model(*self.args, **self.kwargs)

    def per_example(self) -> list[Tensor]:
        """The tensors that hold one entry per example, in the order in which ``made_of`` wants them."""
        found: list[Tensor] = []

        def note(t: Tensor) -> Tensor:
            if t.dim() and len(t) == len(self):
                found.append(t)
            return t

        _map((self.args, self.kwargs, self.y), note)
        return found

    def made_of(self, tensors: Sequence[Tensor]) -> Batch:
        """The same batch with other values in the places of ``per_example``."""
        n, left = len(self), iter(tensors)
        args, kwargs, y = _map((self.args, self.kwargs, self.y), lambda t: next(left) if t.dim() and len(t) == n else t)
        return Batch(args, kwargs, y)

    def _tensors(self) -> list[Tensor]:
        values = (*self.args, *self.kwargs.values())
        return [value for value in values if isinstance(value, Tensor) and value.dim()]


def _copied(t: Tensor) -> Tensor:
    return t.detach().clone()


def _map(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """The same nest of tuples, lists and dicts with ``function`` applied to its tensors."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, (tuple, list)):
        return tuple(_map(inner, function) for inner in value)
    if isinstance(value, Mapping):
        return {key: _map(inner, function) for key, inner in value.items()}
    return value


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Logits (N, K) with their labels (N,): one row for each position that has a label."""

    logits: Tensor
    y: Tensor
    rows: Tensor  # (N,) where each stands among all positions, row by row
    positions: int
    right: Tensor = field(init=False)  # (N,) whether the largest logit is that of the label

    def __post_init__(self) -> None:
        object.__setattr__(self, "right", self.logits.argmax(dim=1) == self.y)

    def accuracy(self) -> Tensor:
        return self.right.float().mean()

    def example_of_row(self, examples: int) -> Tensor | None:
        """(N,) the number of the example that each row belongs to; None where predictions are none of examples."""
        each = self.positions // max(examples, 1)
        return self.rows // each if each and each * examples == self.positions else None

    def of(self, features: Tensor) -> Tensor:
        """The features (N, d) of the labelled positions.

        Raises:
            Unavailable: there is not one row of features per position.
        """
        if len(features) != self.positions:
            raise Unavailable(f"{len(features)} rows of features for {self.positions} predictions: no one-to-one match")
        return features[self.rows]


def labelled(output: Any, y: Any, loss_fn: LossFunction | None, alignment: Alignment | None = None) -> Labelled:
    """Read a classifier's output and targets.

    Class numbers (any shape; below zero: no label), rows that are exactly one-hot, and 0/1 targets of
    a single logit under BCEWithLogitsLoss are classes. Where a sequence model shifts the labels by one
    position inside its loss, the loss says so, and the labels are shifted here too; what was found is kept in
    ``alignment`` for the run.

    Raises:
        Unavailable: the targets are no classes, or it is not known which logits they belong to.
        Undecided: the loss of these labels is that of both alignments.
    """
    alignment = Alignment() if alignment is None else alignment
    given = main_tensor(output).detach()
    logits = given.float()
    if not isinstance(y, Tensor):
        raise Unavailable("the targets are no tensor of classes")
    if _binary(loss_fn) and logits.numel() == y.numel():
        z = logits.reshape(-1)
        return _kept(torch.stack([torch.zeros_like(z), z], dim=1), y.reshape(-1).long())
    if y.is_floating_point():
        return _kept(logits, _one_hot(logits, y))
    if y.dtype == torch.bool:
        raise Unavailable("the targets are no classes")
    order = _order(output, y, loss_fn)
    logits = order(logits)
    if logits.dim() == 3 and y.shape[1] > 1:
        return _in_step(logits, y, output, loss_fn, alignment, order)
    return _kept(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))


def _binary(loss_fn: LossFunction | None) -> bool:
    return isinstance(loss_fn, nn.BCEWithLogitsLoss) or loss_fn is torch.nn.functional.binary_cross_entropy_with_logits


def _one_hot(logits: Tensor, y: Tensor) -> Tensor:
    one_hot = y.dim() == 2 and y.shape[1] > 1 and y.shape == logits.shape
    if one_hot and bool(((y == 1).sum(dim=1) == 1).all()) and bool(((y == 0) | (y == 1)).all()):
        return y.argmax(dim=1)
    raise Unavailable("the targets are no classes")


def _order(output: Any, y: Tensor, loss_fn: LossFunction | None) -> Callable[[Tensor], Tensor]:
    """How classes become the last dimension: they are, or they are the second as torch's cross_entropy wants them.

    Raises:
        Unavailable: it is not known, or they are neither.
    """
    logits = main_tensor(output)
    last = logits.dim() == y.dim() + 1 and logits.shape[:-1] == y.shape
    second = logits.dim() == y.dim() + 1 > 2 and (logits.shape[0], *logits.shape[2:]) == tuple(y.shape)
    if not last and not second:
        raise Unavailable(f"logits {tuple(logits.shape)} do not fit targets {tuple(y.shape)}")
    orders = [*([_as_it_is] if last else []), *([_second_last] if second else [])]
    if len(orders) == 1 or loss_fn is own_loss:
        return orders[0]
    for order in orders if loss_fn is not None and logits.dim() == 3 else []:  # as many classes as positions
        if _by_gradient(logits, y, output, loss_fn, order) is not None:
            return order
    raise Unavailable("as many classes as positions, and loss_fn= does not show which is which: give other lengths")


def _as_it_is(logits: Tensor) -> Tensor:
    return logits


def _second_last(logits: Tensor) -> Tensor:
    return logits.movedim(1, -1)


def _by_gradient(given: Tensor, y: Tensor, output: Any, loss_fn: Any, order: Callable[[Tensor], Tensor]) -> bool | None:
    """What the gradient of the loss says of the labels, see ``by_gradient``."""
    return by_gradient(given, y, lambda free: loss_fn(with_logits(output, free), y), order)


def _in_step(
    logits: Tensor,
    y: Tensor,
    output: Any,
    loss_fn: LossFunction | None,
    alignment: Alignment,
    order: Callable[[Tensor], Tensor],
) -> Labelled:
    """Logits (n, T, K) and labels (n, T): position by position, or each for the next one."""
    if alignment.now is None and loss_fn is not None:
        alignment.shifted = _shifted(logits, y, output, loss_fn, order)
    return _kept(logits.flatten(0, 1), (next_labels(y) if alignment.now else y).flatten())


def _shifted(logits: Tensor, y: Tensor, output: Any, loss_fn: LossFunction, order: Callable[[Tensor], Tensor]) -> bool:
    """What the loss says of it.

    Raises:
        Undecided, Unavailable: see ``by_value``.
    """
    if loss_fn is not own_loss:
        answer = _by_gradient(main_tensor(output), y, output, loss_fn, order)
        if answer is not None:
            return answer
    here, following = (_cross_entropy(logits, labels) for labels in (y, next_labels(y)))
    return by_value(float(loss_fn(output, y)), here, following)


def _cross_entropy(logits: Tensor, y: Tensor) -> float:
    one = _kept(logits.flatten(0, 1), y.flatten())
    return float(nn.functional.cross_entropy(one.logits, one.y))


def _kept(logits: Tensor, y: Tensor) -> Labelled:
    """What has a label."""
    rows = torch.arange(len(y), device=y.device)
    keep = y >= 0
    if logits.shape[1] < 2 or not bool(keep.any()):
        raise Unavailable("the targets are no classes")
    if int(y.max()) >= logits.shape[1]:
        raise Unavailable(f"a target is {int(y.max())}, and there are {logits.shape[1]} logits")
    return Labelled(logits[keep], y[keep].long(), rows[keep], len(y))
