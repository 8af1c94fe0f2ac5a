"""What the probes see of the model on its fixed batches, looked at once a step however many ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from runopsy.errors import Unavailable
from runopsy.recorder.alignment import Alignment, Undecided, of_model
from runopsy.recorder.anatomy import (
    PRODUCT,
    Head,
    Passing,
    Products,
    blocks,
    found_head,
    linears,
    main_tensor,
    named_head,
    plain,
)
from runopsy.recorder.batches import Batch, Labelled, LossFunction, labelled, own_loss
from runopsy.recorder.borrowing import borrowed

SHARE = 1 / 4  # of the training batch, that a dear probe takes: what it does with each example costs many gradients
FEWEST = 16  # but so many examples: of fewer, a variance says little
LAYERS = 4  # whose activations are compared, evenly over the depth: at most six pairs, of which four are recorded


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One forward pass in evaluation mode, without gradients."""

    output: Any  # as the model gave it
    y: Any  # the targets, on the model's device
    entered: Mapping[str, Tensor]  # by module: what went in
    left: Mapping[str, Tensor]  # and what came out

    def prediction(self) -> Tensor:
        return main_tensor(self.output)


@dataclass(slots=True, eq=False)
class Sight:
    """The model, its batches (by name: probe, heldout, canaries), and what was seen of them at this step."""

    model: nn.Module | None
    batches: Mapping[str, Batch]
    loss_fn: LossFunction | None = None
    given_head: Any = None
    trained_on: int | None = None  # examples of a training batch, once one was seen
    alignment: Alignment = field(default_factory=Alignment)  # of the labels of sequences
    _head: Head | Unavailable | None = None
    _rows: torch.Generator = field(default_factory=lambda: torch.Generator("cpu").manual_seed(0))
    _moved: dict[str, Batch] = field(default_factory=dict)
    _seen: dict[Any, Any] = field(default_factory=dict)
    _checked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.loss_fn is own_loss:
            self.alignment.shifted = of_model(self.model)

    def forget(self) -> None:
        """Let go of what was seen: the weights are about to change, and the memory is the training's."""
        self._seen.clear()

    def once(self, what: Any, look: Callable[[], Any]) -> Any:
        """The result of ``look``, computed at the first question of this step."""
        if what not in self._seen:
            try:
                self._seen[what] = look()
            except Unavailable as why:
                self._seen[what] = why
        if isinstance(self._seen[what], Unavailable):
            raise self._seen[what]
        return self._seen[what]

    def first_time(self, what: str, check: Callable[[], None]) -> None:
        """Run a check that holds for the whole run if it holds once."""
        if what not in self._checked:
            check()
            self._checked.add(what)

    def batch(self, side: str) -> Batch:
        """A batch on the model's device."""
        if side not in self._moved:
            given = self.batches[side]
            device = next((weight.device for weight in self._plain().parameters()), None)
            self._moved[side] = given if device is None else given.to(device)
        return self._moved[side]

    def drawn(self, side: str, most: int) -> Batch:
        """At most that many examples of a batch, others at each call; drawn by a generator of our own."""
        batch = self.batch(side)
        return (
            batch
            if len(batch) <= most
            else batch[torch.randperm(len(batch), generator=self._rows, device="cpu")[:most]]
        )

    def affordable(self, most: int, share: float = SHARE, least: int = FEWEST) -> int:
        """How many probe examples a dear probe takes: a share of the training batch, so that its price is in steps.

        ``most`` where no training batch was seen.
        """
        return most if self.trained_on is None else min(most, max(least, round(share * self.trained_on)))

    def see(self, side: str) -> Seen:
        """A forward pass over a batch.

        Raises:
            Unavailable: the model cannot be run here.
        """
        seen: Seen = self.once(("pass", side), lambda: self._look(side))
        return seen

    def hidden(self, side: str) -> Tensor:
        """The last hidden features (rows, d): what enters the head.

        Raises:
            Unavailable: no head was found.
        """
        seen = self.see(side)
        head = self.head()
        if head.name not in seen.entered:
            raise Unavailable(f"{head.name or 'the head'} was not run with a tensor on this batch")
        return head.rows(seen.entered[head.name])

    def head(self) -> Head:
        """The head, found on the first pass.

        Raises:
            Unavailable: there is none, or head= names none.
        """
        if self._head is None:
            raise Unavailable("the model has not been run yet")
        if isinstance(self._head, Unavailable):
            raise self._head
        return self._head

    def labelled(self, side: str) -> Labelled:
        """Logits and labels of a batch.

        Raises:
            Unavailable: the targets are no classes.
        Undecided: it is not known yet which label of a sequence belongs to which position.
        """

        def read() -> Labelled:
            seen = self.see(side)
            return labelled(seen.output, seen.y, self.loss_fn, self.alignment)

        answer: Labelled = self.once(("labelled", side, self.alignment.assumed), read)
        return answer

    def decide(self) -> bool | None:
        """Whether labels are shifted, if any of the batches says it by now."""
        for side in self.batches:
            if self.alignment.shifted is not None:
                break
            with suppress(Undecided, Unavailable):
                self.labelled(side)
        return self.alignment.shifted

    def layers(self) -> dict[str, nn.Module]:
        """Up to ``LAYERS`` blocks before the head, evenly spaced over the depth; normalisations alone are none."""
        head = self._head.module if isinstance(self._head, Head) else None
        inner = [
            (name, block)
            for name, block in blocks(self._plain()).items()
            if block is not head and any(weight.dim() > 1 for weight in block.parameters())
        ]
        count = min(LAYERS, len(inner))
        places = [round(i * (len(inner) - 1) / max(count - 1, 1)) for i in range(count)]
        return {inner[place][0]: inner[place][1] for place in places}

    def _plain(self) -> nn.Module:
        if self.model is None:
            raise Unavailable("needs model=")
        return plain(self.model)

    @torch.no_grad()
    def _look(self, side: str) -> Seen:
        seen = self._pass(side, isinstance(self._head, Head) and self._head.module is None)
        if self._head is not None:
            return seen
        self._head = self._choose(seen)
        if isinstance(self._head, Head) or self.given_head is not None:
            return seen
        again = self._pass(side, products=True)  # perhaps the head is no module
        product = next((name for name in again.entered if name.startswith(PRODUCT)), None)
        if product is not None:
            self._head = Head(product, None)
        return again

    def _pass(self, side: str, products: bool) -> Seen:
        """Run the model; with ``products``, see what the prediction is a product of."""
        batch, passing = self.batch(side), Passing()
        assert self.model is not None  # batch() has asked
        with borrowed(self.model) as model, passing.watch(self._watched(model)), ExitStack() as stack:
            multiplied = stack.enter_context(Products(model)) if products else None
            output = batch.run(model)
        if multiplied is not None and multiplied.last is not None:
            name, entering, leaving = multiplied.last
            if leaving.numel() == main_tensor(output).numel():
                passing.entered[PRODUCT + name] = entering
        return Seen(output, batch.y, passing.entered, passing.left)

    def _watched(self, model: nn.Module) -> dict[str, nn.Module]:
        """Every candidate at first; later the head and the layers that are compared."""
        if isinstance(self._head, Head):
            head = {} if self._head.module is None else {self._head.name: self._head.module}
            return {**self.layers(), **head}
        if self._head is not None:
            return self.layers()
        named = {} if self.given_head is None else _if_there(model, self.given_head)
        return {**blocks(model), **linears(model), **named}

    def _choose(self, seen: Seen) -> Head | Unavailable:
        try:
            if self.given_head is not None:
                return named_head(self._plain(), self.given_head)
            return found_head(self._plain(), seen.entered, seen.left, seen.prediction())
        except Unavailable as why:
            return why


def _if_there(model: nn.Module, head: Any) -> dict[str, nn.Module]:
    try:
        found = named_head(model, head)
    except Unavailable:
        return {}
    return {} if found.module is None else {found.name: found.module}
