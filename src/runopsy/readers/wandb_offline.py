"""Weights & Biases: the .wandb file that every run keeps, also offline.

Seven bytes of header, then blocks of 32 KiB with pieces of records: checksum (u32, CRC-32 of the type and
the data), length (u16), type (whole, first, middle, last). A record is a protocol buffer; of its kinds the
history (2) holds the rows, the run (17) and the config (4) what the run was started with. An item has a
key (1) or the parts of one (2) and a value: as JSON (16), or typed (4 to 8).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from runopsy.readers.source import Source

if TYPE_CHECKING:
    pass

MAGIC = b":W&B"
SUFFIX = ".wandb"
HEADER, BLOCK = 7, 1 << 15  # bytes
PIECE = struct.Struct("<IHB")
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4
HISTORY, CONFIG, RUN, EXIT = 2, 4, 17, 18  # kinds of record
LONGEST = 1 << 26  # bytes of a record; larger ones hold no scalars


class Contents(NamedTuple):
    """What a file holds of a run."""

    columns: dict[str, list[tuple[int, Any]]]  # name → (row, value)
    rows: int
    config: dict[str, Any]
    run: str  # what it is called
    is_closed: bool


def recognises(source: Source) -> bool:
    """A .wandb file, or the folder of a run, which has one such file in it."""
    if source.is_folder:
        return len([e for e in source.entries() if e.suffix == SUFFIX and e.is_file()]) == 1
    return source.head.startswith(MAGIC)
