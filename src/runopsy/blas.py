"""NumPy's linear algebra on one thread, while it is asked for much that is small.

Threads of OpenBLAS wait for each other in busy loops, for longer than the matrices of one run take: with two of them an
analysis took twice the time of the processor, and far more where other programs ran as well. What comes out is the
same to the last digit.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

ONE = "OPENBLAS_NUM_THREADS"  # with one thread from the start, as in our own commands, nothing is left to do


def one_thread() -> AbstractContextManager[object]:
    """Linear algebra on one thread within the block, and afterwards as it was."""
    return nullcontext() if os.environ.get(ONE) == "1" else _controller().limit(limits=1, user_api="blas")


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    """The libraries that are loaded, looked for once."""
    import numpy as np  # noqa: F401  # its library is to be among them
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
