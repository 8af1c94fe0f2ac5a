"""Which process wrote something, and whether it still runs. That can be known on its own machine only."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """Its number, where that number counts, and when it began: a number is given again after its owner's death."""
    return {"pid": os.getpid(), "host": _host(), "begun": _begun(os.getpid())}


def is_alive(process: Mapping[str, Any]) -> bool | None:
    """Whether the process that ``this_process`` described still runs; None where it ran on another machine."""
    pid = process.get("pid")
    if process.get("host") != _host() or not isinstance(pid, int) or pid <= 0:
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's process, which is alive
        pass
    return process.get("begun") == _begun(pid)


def _host() -> str:
    """The machine since it was started, and the namespace that numbers the processes: containers have their own."""
    return "/".join([platform.node(), _line("/proc/sys/kernel/random/boot_id"), _namespace()])


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:  # no Linux
        return ""


def _begun(pid: int) -> str:
    """Ticks from the start of the machine to that of the process; empty where the system does not report it."""
    text = _line(f"/proc/{pid}/stat")
    fields = text.rpartition(")")[2].split()  # the name in brackets may hold blanks
    return fields[19] if len(fields) > 19 and fields[0] != "Z" else ""  # a zombie has ended


def _line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
