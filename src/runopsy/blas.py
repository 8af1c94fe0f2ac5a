"""NumPy's linear algebra on one thread, while it is asked for much that is small.

Threads of OpenBLAS wait for each other in busy loops, for longer than the matrices of one run take: with two of them an
analysis took twice the time of the processor, and far more where other programs ran as well. What comes out is the
same to the last digit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

ONE = "OPENBLAS_NUM_THREADS"  # with one thread from the start, as in our own commands, nothing is left to do

_LOCK = Lock()
_LIMIT = ExitStack()  # sets the number of threads back that was there before the first of those within
_within = 0


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one thread within the block; afterwards, and after the last of several, as it was."""
    if os.environ.get(ONE) == "1":
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _within  # noqa: PLW0603  # the library's number of threads is one of the whole process
    with _LOCK:
        if not _within:
            _LIMIT.enter_context(_controller().limit(limits=1, user_api="blas"))
        _within += 1


def _leave() -> None:
    global _within  # noqa: PLW0603  # as above
    with _LOCK:
        _within -= 1
        if not _within:
            _LIMIT.close()


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    """The libraries that are loaded, looked for once."""
    import numpy as np  # noqa: F401  # its library is to be among them
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
