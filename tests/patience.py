"""How long a test waits: for a process, and for an answer that must not take long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

HANGS = 600  # s after which a process hangs: the longest takes ten, and a busy machine may make that two minutes


@contextmanager
def quick(seconds: float) -> Iterator[None]:
    """What is inside takes fewer seconds of the processor, of all threads together.

    Of the processor, for the wall clock counts what the neighbours do. ``seconds`` lies far above what is needed,
    and far below what the mistake takes that the test looks for: it holds on a machine ten times as slow.
    """
    began = time.process_time()
    yield
    took = time.process_time() - began
    assert took < seconds, f"{took:.1f} s of the processor"
