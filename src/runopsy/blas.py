"""NumPy's linear algebra on one thread, while it is asked for much that is small.

Threads of OpenBLAS wait for each other in busy loops, for longer than the matrices of one run take: with two of them an
analysis took twice the time of the processor, and far more where other programs ran as well. What comes out is the
same to the last digit. Another BLAS than the one in NumPy's own wheels is left as it is.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np

FOLDERS = ("../numpy.libs", ".dylibs")  # of the libraries in a wheel, beside or inside the package
NAMES = tuple(
    (f"{before}openblas_get_num_threads{after}", f"{before}openblas_set_num_threads{after}")
    for before in ("scipy_", "")
    for after in ("64_", "")
)  # of the two functions, as NumPy 1.26 and later have built it

Threads = tuple[Callable[[], int], Callable[[int], object]]  # how many there are, and setting that

_LOCK = Lock()
_WITHIN: list[int] = []  # for each that is within: how many threads there were before the first of them


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one thread within the block; afterwards, and after the last of several, as it was."""
    threads = _threads()
    if threads is None:
        yield
        return
    get, put = threads
    with _LOCK:
        _WITHIN.append(_WITHIN[0] if _WITHIN else get())
        put(1)
    try:
        yield
    finally:
        with _LOCK:
            before = _WITHIN.pop()
            if not _WITHIN:
                put(before)


@lru_cache(maxsize=1)
def _threads() -> Threads | None:
    """The two functions of the library that NumPy has loaded; None where it is another one."""
    package = Path(np.__file__).parent
    for path in (path for folder in FOLDERS for path in sorted((package / folder).glob("*openblas*"))):
        try:
            library = ctypes.CDLL(str(path))  # loaded already: this gives a handle to it
        except OSError:
            continue
        for get, put in NAMES:
            if hasattr(library, get) and hasattr(library, put):
                return getattr(library, get), getattr(library, put)
    return None
