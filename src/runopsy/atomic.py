"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """A path to write to, whose file then takes the place of ``path`` at once: a reader sees the old or the new one.

    Where writing fails, the old file stays, and nothing lies beside it.

    Args:
        path: of the file; what is written first is ``NAME.tmp`` beside it.
        sync: so that it holds after a power cut too: the name never stands for data that is not there yet.

    Raises:
        OSError: the file system refuses it.

    Example:
        >>> with replacing(Path("stop.json")) as draft:
        ...     draft.write_text("{}")
    """
    draft = path.with_name(f"{path.name}.tmp")
    try:
        yield draft
        if sync:
            with draft.open("rb+") as file:
                os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):  # the folder may be gone; the first error is the one that matters
            draft.unlink(missing_ok=True)
        raise
