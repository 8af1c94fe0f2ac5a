"""Train the sample logs again: ``python -m runopsy.lab.samples DIR [NAME ...]``.

Each task is trained at seed 0 beside its old folder and takes its place only once it is complete.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from runopsy import lab
from runopsy.errors import RunExists, RunopsyError
from runopsy.store import is_run_folder

SEED = 0


def replace(name: str, root: Path, seed: int = SEED) -> lab.Truth:
    """Train ``name`` and put it at ``root / name``, in place of the run that is there.

    Raises:
        RunExists: what is there is no run folder.
        RunopsyError: see ``lab.run``; the old folder then stays.
    """
    place = root / name
    if place.exists() and not is_run_folder(place):
        raise RunExists(f"{place} exists and is no run folder", hint="give another directory")
    # on the same file system, so that both moves are renames; removed with the old run in it
    with tempfile.TemporaryDirectory(dir=root, prefix=".training-") as aside:
        fresh = Path(aside) / name  # under its own name, which becomes the run's id
        truth = lab.run(name, fresh, seed)
        if place.exists():
            os.replace(place, Path(aside) / "old")
        os.replace(fresh, place)
    return truth


def main(arguments: Sequence[str] | None = None) -> int:
    """The names that were asked for, all tasks if none, one line each."""
    names = [task.name for task in lab.TASKS]
    parser = argparse.ArgumentParser(prog="python -m runopsy.lab.samples", description="Train the sample logs again.")
    parser.add_argument("root", type=Path, metavar="DIR", help="holds one run folder per task")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(names)}")
    asked = parser.parse_args(arguments)
    asked.root.mkdir(parents=True, exist_ok=True)
    for name in asked.names or names:
        try:
            truth = replace(name, asked.root)
        except RunopsyError as error:
            print(error, file=sys.stderr)
            return 2
        print(f"{asked.root / name}: {', '.join(truth.verdicts)}; {truth.why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
