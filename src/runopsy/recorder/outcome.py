"""What ended a loop, in the words of run.json."""

from __future__ import annotations

import sys
from typing import Any

from runopsy.endings import LONGEST


def status_of(cause: BaseException | None) -> str:
    """``finished``, ``interrupted`` or ``failed``."""
    if cause is None or (isinstance(cause, SystemExit) and not cause.code):
        return "finished"
    return "interrupted" if isinstance(cause, KeyboardInterrupt) else "failed"


def exception_detail(cause: BaseException, step: int | None) -> dict[str, Any]:
    """Type and message of an exception, and the last step before it."""
    return {"type": type(cause).__name__, "message": str(cause)[:LONGEST], "step": step}


def how_the_script_ended() -> BaseException | None:
    """The exception that nobody caught and that ends the interpreter, if there is one.

    In an interactive session such exceptions end nothing: the last one may be hours old.
    """
    if hasattr(sys, "ps1"):
        return None
    cause = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    return cause if isinstance(cause, BaseException) else None
