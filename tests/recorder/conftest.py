"""What the recorder's tests share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runopsy.recorder.session import Recording

Start = Callable[..., Recording]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts scalar recordings, with parts as small as a test wants; whatever is still open is closed."""
    begun: list[Recording] = []

    def begin(folder: Path | None = None, rows_per_part: int = 1_000_000) -> Recording:
        about = {"config": {}, "given": []}
        begun.append(Recording(folder or tmp_path / "run", None, about, rows_per_part=rows_per_part))
        return begun[-1]

    yield begin
    for recording in begun:
        recording.finish()


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """Reads run.json of the test's run."""
    return lambda: json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))


@pytest.fixture
def some_os() -> Callable[..., object]:
    """Makes an ``os`` with a few calls of the test's own; the real one stays as it is, for pytest needs it too."""

    class Some:
        def __init__(self, calls: dict[str, Any]) -> None:
            self._calls = calls

        def __getattr__(self, name: str) -> Any:
            return self._calls.get(name) or getattr(os, name)

    return lambda **calls: Some(calls)
