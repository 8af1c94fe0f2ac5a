"""What a watch may take of a processor: all that it does is paid for by the time that passes.

One account for everything: looks at the whole log, glances at new rows, polls, and what shows and keeps what they
found. Nothing is saved up, so that no burst of looks follows a quiet hour. One look may be taken on credit, when new
rows ask for it, and the next only when all is paid back: over the whole time the share stays ``SHARE``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# Of one core. The promise is 2 %; the rest is for what is not counted: the sleep between two polls, other threads.
SHARE = 0.018


class Purse:
    """Seconds of processor that were taken, and are not paid for yet."""

    def __init__(self, now: float) -> None:
        """
        Args:
            now: unix s.
        """
        self._owed = self._given = 0.0
        self._paid = now  # until when it is
        self._lent = False  # a look was taken on credit, and not all is paid back
        self._is_counting = False

    def owes(self, now: float) -> bool:
        """Whether what was taken is not paid for yet."""
        self._owed = max(self._owed - SHARE * max(now - self._paid, 0.0), 0.0)
        self._paid, self._given = now, 0.0
        self._lent = self._lent and self._owed > 0
        return self._owed > 0

    def lends(self, now: float) -> bool:
        """Whether a look may be made, on credit if need be; it is then taken to be made."""
        if not self.owes(now):
            return True
        is_first, self._lent = not self._lent, True
        return is_first

    def take(self, seconds: float) -> None:
        """What something has cost."""
        charged = max(seconds - self._given, 0.0)
        self._given -= seconds - charged
        self._owed += charged

    def give(self, seconds: float) -> None:
        """So much of what is taken next costs nothing, until somebody asks what is owed."""
        self._given = seconds

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Take what the process spends within; what counts within that in turn is part of it."""
        if self._is_counting:
            yield
            return
        began, self._is_counting = time.process_time(), True
        try:
            yield
        finally:
            self._is_counting = False
            self.take(time.process_time() - began)
