"""TensorBoard: the CSV that its page downloads for one curve, whose name stands in the name of the file alone."""

from __future__ import annotations

import re
from dataclasses import replace

from runopsy.model import Run
from runopsy.readers.formats import delimited
from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source

HEADER = ["wall time", "step", "value"]
TAG = re.compile(r".*(?:^|[-_])tag-")  # run-NAME-tag-TAG.csv


def recognises(source: Source) -> bool:
    """A table of exactly the three columns of the download."""
    if source.is_binary or source.is_folder:
        return False
    first = source.first_lines()[:1]
    return bool(first) and [cell.strip(' "').lower() for cell in first[0].split(",")] == HEADER


def read(source: Source) -> Found:
    """The curve under the name that the file has; its run is not known."""
    found = delimited.read(source)
    value = next((name for name in found.tracks if name.lower() == HEADER[2]), "") if isinstance(found, Run) else ""
    name = TAG.sub("", source.id)
    if not isinstance(found, Run) or not value or not name:
        return found
    note = f"the curve is called {name!r} after its file, as TensorBoard's download names none"
    return replace(found, tracks={name: replace(found.tracks[value], name=name)}, notes=(note, *found.notes))
