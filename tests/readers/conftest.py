"""What the readers' tests share: a log from its text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runopsy.model import Run
from runopsy.readers import read

ReadText = Callable[..., Run]


@pytest.fixture
def read_text(tmp_path: Path) -> ReadText:
    """Writes a text (or the lines of one) to a file and reads it."""

    def run(*lines: str) -> Run:
        path = tmp_path / "log"
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
        return read(path)

    return run
