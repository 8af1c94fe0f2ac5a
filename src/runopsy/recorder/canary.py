"""Examples with labels that nothing but memorization can get right."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Protocol

from runopsy.errors import BadOption

SHARE = 0.01  # of the data set: too few to hurt what is learnt from the rest
LEAST, MOST = 32, 512  # canaries: with 32 the accuracy has a standard error below 0.09; more than 512 show no more


class Dataset(Protocol):
    """A map-style data set of (input, class number) pairs, as torch's are."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class Canaries:
    """A data set of classes in which the labels of a few examples are replaced by other ones, at random.

        data = runopsy.Canaries(data, classes=10)
        loader = DataLoader(data, batch_size=128, shuffle=True)
        runopsy.record("runs/a", model=model, loss_fn=loss_fn, canaries=data)

    Everything else is as it was. This does change what is trained on, and costs a little accuracy: it is
    the one thing in runopsy that does, and only where it is asked for. The choice depends on ``seed`` and
    the length alone, and draws from no other random state.

    Args:
        dataset: with ``len()`` and items (input, class number, …).
        classes: how many there are; labels are drawn from 0 … classes − 1, the right one left out.
        count: canaries; by default 1 % of the data, at least 32 and at most 512.
        seed: which examples, and which labels.

    Attributes:
        indices: the examples whose labels are false, in order.

    Raises:
        BadOption: fewer than two classes, or more canaries than examples.
    """

    def __init__(self, dataset: Dataset, *, classes: int, count: int | None = None, seed: int = 0) -> None:
        n = len(dataset)
        count = min(max(round(SHARE * n), LEAST), MOST, n) if count is None else count
        if classes < 2:
            raise BadOption(f"classes={classes!r}: there is no other label to give", hint="canaries need two classes")
        if not 0 < count <= n:
            raise BadOption(f"count={count!r} of {n} examples", hint=f"give a number from 1 to {n}")
        draw = random.Random(f"{seed}/{n}")  # noqa: S311  # no secret
        self.dataset, self.classes = dataset, classes
        self.indices: Sequence[int] = tuple(sorted(draw.sample(range(n), count)))
        self._turn = {index: draw.randrange(1, classes) for index in self.indices}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        item = self.dataset[index]
        turn = self._turn.get(index + len(self) if index < 0 else int(index))
        if turn is None:
            return item
        x, y, *rest = item
        return (
            type(item)((x, self._false(y, turn), *rest)) if type(item) in (tuple, list) else (x, self._false(y, turn))
        )

    def _false(self, y: Any, turn: int) -> Any:
        """Another class than y, of y's own kind."""
        label = (int(y) + turn) % self.classes
        return y * 0 + label if hasattr(y, "dtype") else label

    def batch(self) -> tuple[Any, Any]:
        """(inputs, false labels) of all canaries, stacked; what ``record(canaries=…)`` measures on."""
        from torch.utils.data import default_collate

        x, y, *_ = default_collate([self[index] for index in self.indices])
        return x, y
