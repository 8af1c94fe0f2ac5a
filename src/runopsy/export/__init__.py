"""An autopsy → the files of a tracker, or a table: phases, events and verdict where people already look."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, cast

from runopsy.errors import BadOption
from runopsy.model import Autopsy

__all__ = ["TARGETS", "Target", "export"]

Writer = Callable[[Autopsy, str], tuple[Path, ...]]


class Target(NamedTuple):
    """A row of the table of targets."""

    name: str  # as --to takes it
    module: str  # here, with ``write``
    needs: str  # the library that writes it, "" for none but our own
    extra: str  # what brings that library: pip install 'runopsy[EXTRA]'


TARGETS: tuple[Target, ...] = (
    Target("tensorboard", "tensorboard_events", "tensorboard", "tensorboard"),
    Target("wandb", "wandb_offline", "wandb", "wandb"),
    Target("mlflow", "mlflow_store", "mlflow", "mlflow"),
    Target("csv", "tables", "", ""),
    Target("parquet", "tables", "", ""),
)


def export(autopsy: Autopsy, to: str, dest: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write an autopsy for a tracker, or as a table of every series under canonical names. What was written.

    Args:
        autopsy: what ``runopsy.analyze`` returned.
        to: the name of one of ``TARGETS``.
        dest: a folder for ``"tensorboard"``, ``"wandb"`` and ``"mlflow"``, a file for ``"csv"`` and ``"parquet"``.

    Raises:
        BadOption: no such target, its library is not installed, or nothing can be written there.
    """
    target = next((target for target in TARGETS if target.name == to), None)
    if target is None:
        raise BadOption(
            f"there is no tracker {to!r} to export to", hint=f"targets: {', '.join(t.name for t in TARGETS)}"
        )
    try:
        writer = cast(Writer, import_module(f"{__name__}.{target.module}").write)
    except ModuleNotFoundError as cause:
        if not target.needs or cause.name is None or cause.name.partition(".")[0] != target.needs:
            raise
        hint = f"pip install 'runopsy[{target.extra}]'"
        raise BadOption(f"exporting to {to} needs {target.needs}", hint=hint) from cause
    try:
        return writer(autopsy, os.fspath(dest))
    except OSError as cause:
        raise BadOption(
            f"{dest} cannot be written: {cause.strerror or cause}", hint="give another path to -o"
        ) from cause
