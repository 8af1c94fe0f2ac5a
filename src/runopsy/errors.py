"""Everything runopsy raises on purpose."""

from __future__ import annotations


class RunopsyError(Exception):
    """Something the user can mend: what is so, and what to do next.

    The command line prints both lines and exits with 2; nothing else in runopsy prints an error.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UnreadableLog(RunopsyError):
    """The path names nothing that can be read as a training log."""


class CannotJudge(RunopsyError):
    """The log was read, but holds nothing an examination could start from."""


class BadOption(RunopsyError):
    """An option or a setting that names something that does not exist."""


class RunExists(RunopsyError):
    """The path given to the recorder is taken."""


class NotChecked(RunopsyError):
    """A rule cannot be checked on this log; the message names what is missing."""


class Unavailable(RunopsyError):
    """A signal that this run cannot have, and why: it is *not checked*, which is no failure."""
