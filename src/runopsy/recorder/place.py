"""Which process of a job this is, and which session the job writes."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

ASK_AGAIN = 0.5  # s between questions to rank 0's store: one takes about a tenth of a millisecond
_BEGUN: Counter[str] = Counter()  # recordings by folder, in this process: every rank counts alike


class Place(NamedTuple):
    """One of ``world`` processes, from 0."""

    rank: int = 0
    world: int = 1


ALONE = Place()


def place() -> Place:
    """As ``torch.distributed`` says, or ``torchrun``'s environment where it has not been started yet.

    Other variables named RANK are not believed: a scheduler also sets them for runs that have nothing to
    do with each other, and all but the first would stay without a record.
    """
    distributed = _distributed()
    if distributed is not None:
        return Place(distributed.get_rank(), distributed.get_world_size())
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return Place(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))
    return ALONE


def _distributed() -> Any:
    """``torch.distributed``, once it has been started."""
    module = sys.modules.get("torch.distributed")  # never imported for this: scalars need no torch
    return module if module is not None and module.is_available() and module.is_initialized() else None


class Agreement:
    """How the ranks of a job come to write the same session, without ever waiting for each other.

    Rank 0 finds the number and leaves it in the key-value store that the processes met through; the
    others look there now and then, and hold their rows until it is known. No collective operation is
    used: a rank that does not record, or has died, must not stop those that do.
    """

    def __init__(self, folder: Path, where: Place) -> None:
        _BEGUN[str(folder)] += 1
        self._key = f"runopsy/{folder}/{_BEGUN[str(folder)]}"
        self._rank = where.rank
        self._open = where.world > 1
        self._next = 0.0

    def settle(self, mine: int | None, now: float) -> int | None:
        """The session to write, as far as is known at ``now`` s; ``mine`` is rank 0's.

        Raises:
            RuntimeError: the store has gone, and rank 0 with it.
        """
        if not self._open or now < self._next:
            return mine
        self._next = now + ASK_AGAIN
        distributed = _distributed()
        if distributed is None:
            return mine
        store = distributed.distributed_c10d._get_default_store()  # noqa: SLF001  # torch has no public name for it
        if self._rank == 0:
            store.set(self._key, str(mine))
        elif store.check([self._key]):
            mine = int(store.get(self._key))
        self._open = mine is None
        return mine
