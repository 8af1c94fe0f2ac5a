"""The examples of one batch, watched one by one: when each is right, and how sure the model is of its label."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from runopsy.recorder.batches import Labelled
from runopsy.recorder.probes.base import Table

MOST_TURNS = 500_000  # rows of the table of turns, some 4 MB: a sequence model that wavers would fill the memory
MOST_CLASSES = 2_000_000  # examples x classes whose mean probabilities are kept: 8 MB, and no language model


@dataclass(slots=True)
class Watched:
    """What is kept of the (N,) labelled examples (or positions) of a batch over the readings so far."""

    groups: Sequence[str] = ()  # one name per example of the batch; empty: none were given
    first: Tensor = field(default_factory=lambda: torch.empty(0, device="cpu"))  # (N,) first step right; −1: never
    learnt: Tensor = field(default_factory=lambda: torch.empty(0, device="cpu"))  # (N,) right from here to now; −1
    last_wrong: Tensor = field(default_factory=lambda: torch.empty(0, device="cpu"))  # (N,) last step wrong; −1: never
    events: Tensor = field(default_factory=lambda: torch.empty(0, device="cpu"))  # (N,) times forgotten
    right: Tensor | None = None  # (N,) at the last reading
    readings: int = 0  # whose logits were finite: those that the sums below hold
    _sums: Tensor = field(
        default_factory=lambda: torch.empty(0, device="cpu")
    )  # (3, N) probability, its square, margin
    _last: Tensor = field(
        default_factory=lambda: torch.empty(0, device="cpu")
    )  # (2, N) loss, class at the last reading
    _classes: Tensor | None = None  # (N, K) probabilities summed; None where there are too many
    _labels: Tensor = field(default_factory=lambda: torch.empty(0, device="cpu"))  # (N,)
    _example_of_row: Tensor | None = None  # (N,) where there are groups
    # (step, examples that turned, to what); no tensors, of which a run would collect ever more
    _turns: list[tuple[int, array[int], bytes]] = field(default_factory=list)
    _turned: int = 0

    def see(self, step: int, seen: Labelled, examples: int) -> None:
        """One reading of a batch of ``examples`` examples."""
        right = seen.right.cpu()
        if self.right is None:
            self._begin(seen, examples)
            turned = torch.arange(len(right), device="cpu")
        else:
            turned = torch.nonzero(self.right != right).flatten()
            self.events += self.right & ~right
        self._note_turns(step, turned, right)
        self.first[right & (self.first < 0)] = step
        self.learnt[right & (self.learnt < 0)] = step
        self.learnt[~right] = -1
        self.last_wrong[~right] = step
        self.right = right
        self._add(seen)

    def _begin(self, seen: Labelled, examples: int) -> None:
        n, k = seen.logits.shape
        never = torch.full((n,), -1, device="cpu")
        self.first, self.learnt, self.last_wrong = never, never.clone(), never.clone()
        self.events = torch.zeros_like(never)
        self._sums = torch.zeros((3, n), dtype=torch.float64, device="cpu")
        self._last = torch.full((2, n), float("nan"), dtype=torch.float64, device="cpu")
        self._labels = seen.y.cpu()
        if n * k <= MOST_CLASSES:
            self._classes = torch.zeros((n, k), device=seen.logits.device)
        example = seen.example_of_row(examples) if self.groups else None
        self._example_of_row = None if example is None else example.cpu()

    def _note_turns(self, step: int, turned: Tensor, right: Tensor) -> None:
        self._turned += len(turned)
        if self._turned <= MOST_TURNS and len(turned):
            self._turns.append((step, array("q", turned.tolist()), bytes(right[turned].tolist())))

    def _add(self, seen: Labelled) -> None:
        """Probabilities of the labels, and by how much they exceed those of the best other class."""
        rest = seen.logits.logsumexp(dim=1)
        two = seen.logits.topk(2, dim=1)
        other = torch.where(two.indices[:, 0] == seen.y, two.values[:, 1], two.values[:, 0])
        own = seen.logits.gather(1, seen.y[:, None])[:, 0]
        sure, rival = (own - rest).exp(), (other - rest).exp()
        values = torch.stack([sure, sure.square(), sure - rival, rest - own, two.indices[:, 0].float()]).double().cpu()
        if not bool(values.isfinite().all()):  # the run has diverged: a mean would hold nothing else
            return
        self.readings += 1
        self._sums += values[:3]
        self._last = values[3:]
        if self._classes is not None:
            self._classes += (seen.logits - rest[:, None]).exp()

    def table(self) -> Table:
        """One row an example; None where it never was right, or never wrong, or nothing finite was read."""
        if self.right is None:
            return {}
        table: dict[str, Sequence[float | int | str | None]] = {
            "example": list(range(len(self.first))),
            "label": self._labels.tolist(),
            "first_right": _steps(self.first),
            "learnt": _steps(self.learnt),
            "last_wrong": _steps(self.last_wrong),
            "forgotten": self.events.tolist(),
            "right": [int(r) for r in self.right.tolist()],
        }
        if self._example_of_row is not None:
            table["group"] = [self.groups[i] for i in self._example_of_row.tolist()]
        return table | self._means()

    def _means(self) -> dict[str, Sequence[float | int | str | None]]:
        if not self.readings:
            return {}
        confidence, square, margin = self._sums / self.readings
        spread = (square - confidence.square()).clamp(min=0).sqrt()
        found: dict[str, Sequence[float | int | str | None]] = {
            "readings": [self.readings] * len(confidence),
            "confidence": confidence.tolist(),
            "variability": spread.tolist(),
            "margin": margin.tolist(),
            "loss": self._last[0].tolist(),
            "predicted": self._last[1].long().tolist(),
        }
        if self._classes is not None:
            others = self._classes.cpu().scatter(1, self._labels[:, None], -1.0)
            found["rather"] = others.argmax(dim=1).tolist()
        return found

    def turns(self) -> Table:
        """One row for each time that an example became right (1) or wrong (0); at the first reading all have one.

        Empty where there were more than ``MOST_TURNS``: a part of them would give a wrong picture.
        """
        if not self._turns or self._turned > MOST_TURNS:
            return {}
        return {
            "example": [example for _, examples, _ in self._turns for example in examples],
            "step": [step for step, examples, _ in self._turns for _ in range(len(examples))],
            "right": [r for _, _, right in self._turns for r in right],
        }


def _steps(values: Tensor) -> list[int | None]:
    return [s if s >= 0 else None for s in values.tolist()]
