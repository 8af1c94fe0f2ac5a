"""Loss and accuracy of groups of probe examples: a mean hides that they are learnt one after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from runopsy.errors import Unavailable
from runopsy.recorder.probes.base import Gauge, Loop, Reading, Simple
from runopsy.signal_specs import cost_of, needs_of, units_of

MOST = 50  # groups, two signals each: more make a run that nobody can look at
LEAST = 2  # examples of a group: one alone is in the table of examples


@dataclass(frozen=True, slots=True)
class GroupCurves:
    """Mean cross-entropy and accuracy of each group of the probe batch, in evaluation mode.

    ``groups=`` of ``record`` names the group of each probe example: a subtask, a class, a source of data. The
    ``MOST`` largest groups of at least two examples are read. Of sequences, all positions of an example are in its
    group. (That a smooth loss is many steps: Michaud et al. 2023, arXiv 2303.13506.)
    """

    units: ClassVar[Mapping[str, str]] = units_of("groups/<group>/loss", "groups/<group>/acc")
    needs: ClassVar[tuple[str, ...]] = needs_of("groups/<group>/loss")
    cost: ClassVar[str] = cost_of("groups/<group>/loss")

    def start(self, loop: Loop) -> Gauge:
        assert loop.groups is not None  # stated in ``needs``
        sizes = Counter(loop.groups)
        names = [name for name, size in sizes.most_common(MOST) if size >= LEAST]
        for signal in self.units:
            loop.note(signal, groups=len(names), left_out=len(sizes) - len(names))
        numbers = {name: i for i, name in enumerate(names)}
        of_example = torch.tensor([numbers.get(name, len(names)) for name in loop.groups], device="cpu")

        def read(step: int) -> Iterable[Reading]:
            loss, right, group = _by_row(loop, of_example)
            count = torch.bincount(group, minlength=len(names) + 1)
            for signal, values in (("loss", loss), ("acc", right)):
                sums = torch.zeros(len(count), dtype=torch.float64, device="cpu").index_add_(0, group, values)
                for i, mean in enumerate((sums / count)[: len(names)].tolist()):
                    if count[i]:
                        yield step, f"groups/{names[i]}/{signal}", mean

        return Simple(read)


def _by_row(loop: Loop, of_example: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(N,) loss, whether it is right, and the group of each labelled row.

    Raises:
        Unavailable: the rows of a prediction do not belong to examples one by one.
    """
    seen = loop.sight.labelled("probe")
    example = seen.example_of_row(len(of_example))
    if example is None:
        raise Unavailable(f"{seen.positions} predictions for {len(of_example)} examples: no group for each")
    loss = seen.logits.logsumexp(dim=1) - seen.logits.gather(1, seen.y[:, None])[:, 0]
    return loss.double().cpu(), seen.right.double().cpu(), of_example[example.cpu()]
