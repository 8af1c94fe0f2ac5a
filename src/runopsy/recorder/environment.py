"""Where and with what a run was made: enough to distinguish two runs, nothing private beyond the command."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path


def environment() -> dict[str, str | None]:
    """Python, torch, runopsy, platform, command line and git revision; None for what is not there.

    The revision is read from ``.git`` itself: a subprocess in a training script may hang on a file
    system or be forbidden.
    """
    return {
        "python": platform.python_version(),
        "torch": _or_none(lambda: version("torch")),
        "runopsy": _or_none(lambda: version("runopsy")),
        "platform": _or_none(platform.platform),
        "command": _or_none(_command),
        "git": _or_none(lambda: _revision(Path.cwd())),
    }


def _command() -> str:
    """The command line; of the script only its name, because its folder says where someone lives."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _or_none(fact: Callable[[], str | None]) -> str | None:
    """A fact that is nice to have: none of them is worth a training that does not start."""
    try:
        return fact()
    except Exception:  # a package without metadata, a working directory that was deleted, …
        return None


def _revision(start: Path) -> str | None:
    """The commit that HEAD names in the nearest enclosing repository."""
    for folder in (start, *start.parents):
        git = folder / ".git"
        if git.is_file():  # a worktree or a submodule: it says where the real one is
            git = folder / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        if (git / "HEAD").is_file():
            return _commit(git)
    return None


def _commit(git: Path) -> str | None:
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref: "):
        return head
    reference = head.removeprefix("ref: ")
    shared = git / "commondir"  # a worktree keeps its branches with the main one
    home = git / shared.read_text(encoding="utf-8").strip() if shared.is_file() else git
    if (home / reference).is_file():
        return (home / reference).read_text(encoding="utf-8").strip()
    for line in (home / "packed-refs").read_text(encoding="utf-8").splitlines():
        if line.endswith(" " + reference):
            return line.split(" ")[0]
    return None
