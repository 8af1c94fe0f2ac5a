"""Weights & Biases: the .wandb file that every run keeps, also offline.

Seven bytes of header, then blocks of 32 KiB with pieces of records: checksum (u32, CRC-32 of the type and
the data), length (u16), type (whole, first, middle, last). A record is a protocol buffer; of its kinds the
history (2) holds the rows, the run (17) and the config (4) what the run was started with. An item has a
key (1) or the parts of one (2) and a value: as JSON (16), or typed (4 to 8).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.formats.jsonlines import rows_to_run
from runopsy.readers.nested import numbers, parsed
from runopsy.readers.protobuf import BYTES, FIXED64, VARINT, Field, NotOnTheWire, fields, varint
from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source

MAGIC = b":W&B"
SUFFIX = ".wandb"
HEADER, BLOCK = 7, 1 << 15  # bytes
PIECE = struct.Struct("<IHB")
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4
HISTORY, CONFIG, RUN, EXIT = 2, 4, 17, 18  # kinds of record
NUMBER = struct.Struct("<d")


class Contents(NamedTuple):
    """What a file holds of a run."""

    rows: list[dict[str, Any]]
    config: dict[str, Any]
    name: str  # of the run; empty where it is unknown
    is_closed: bool


def recognises(source: Source) -> bool:
    """A .wandb file, or the folder of a run, which has one such file in it."""
    return _file(source) is not None if source.is_folder else source.head.startswith(MAGIC)


def read(source: Source) -> Found:
    """The run; its history counts by the step that the training defined, or by calls of ``log``."""
    if source.is_folder:
        file = _file(source)
        assert file is not None  # as it was recognised
        source = Source.from_file(file)
    notes: list[str] = []
    contents = _contents(source, notes)
    if not contents.rows:
        raise UnreadableLog(f"{source.name} holds no history", hint="the training has logged nothing yet")
    if not contents.is_closed:
        notes.append("the run was not closed: it was killed, or is still going on")
    found = rows_to_run(contents.rows, source, notes)
    if not isinstance(found, Run):
        return found
    return replace(found, id=contents.name or found.id, config=contents.config)


def _file(folder: Source) -> Path | None:
    """The one .wandb file of a run's folder."""
    files = [entry for entry in folder.entries if entry.suffix == SUFFIX and entry.is_file()]
    return files[0] if len(files) == 1 else None


def _contents(source: Source, notes: list[str]) -> Contents:
    rows: list[dict[str, Any]] = []
    config: dict[str, Any] = {}
    name, is_closed, broken = "", False, 0
    for record in _records(source.data(), source.name, notes):
        try:
            for field in fields(record):
                if field[:2] == (HISTORY, BYTES):
                    rows.append(_history(record, field))
                elif field[:2] == (CONFIG, BYTES):
                    config |= _config(record, field)
                elif field[:2] == (RUN, BYTES):
                    for part in fields(record, field.start, field.end):
                        config |= _config(record, part) if part[:2] == (4, BYTES) else {}
                        name = _text(record, part) if part[:2] == (8, BYTES) else name
                is_closed |= field.number == EXIT
        except NotOnTheWire:
            broken += 1
    if broken:
        notes.append(f"{source.name}: {broken} records cannot be read and were left out")
    return Contents([row for row in rows if row], config, name, is_closed)


# --- records of pieces ---------------------------------------------------------------------------


def _records(data: bytes, name: str, notes: list[str]) -> Iterator[bytes]:
    """The whole records of a file; behind a damaged piece it goes on with the next block."""
    at, parts, damaged = HEADER, list[bytes](), 0
    while at < len(data):
        left = BLOCK - at % BLOCK
        if left < PIECE.size:  # too little for a piece: zeros up to the block's end
            at += left
            continue
        start = at + PIECE.size
        check, size, kind = PIECE.unpack_from(data, at) if start <= len(data) else (0, len(data), 0)
        if start + size > len(data) and PIECE.size + size <= left:
            notes.append(f"{name} ends within a record (still being written, or cut by a kill), which was left out")
            break
        if PIECE.size + size > left or zlib.crc32(data[start : start + size], zlib.crc32(bytes([kind]))) != check:
            damaged += 1
            parts = []
            at += left
            continue
        at = start + size
        if kind in (WHOLE, FIRST):
            parts = []
        parts.append(data[start:at])
        if kind in (WHOLE, LAST):
            yield b"".join(parts)
            parts = []
    if damaged:
        notes.append(f"{name} is damaged: what {damaged} of its blocks hold behind a broken record was left out")


# --- items ---------------------------------------------------------------------------------------


def _history(record: bytes, history: Field) -> dict[str, Any]:
    """A row: the items that are numbers, under their names; lists, histograms and media are passed over."""
    names: list[str] = []
    values: list[bytes] = []
    row: dict[str, Any] = {}
    for part in fields(record, history.start, history.end):
        if part[:2] == (1, BYTES):
            name, value = _item(record, part)
            if isinstance(value, bytes):
                names.append(name)
                values.append(value)
            elif value is not None:
                row[name] = value
        elif part[:2] == (2, BYTES):  # the step, where no item holds it
            row["_step"] = next((varint(record, f.start, f.end)[0] for f in fields(record, part.start, part.end)), 0)
    items = _parsed(values)
    return row | {
        name: number for name, value in zip(names, items, strict=True) for name, number in numbers(name, value)
    }


def _item(record: bytes, item: Field) -> tuple[str, Any]:
    """(name, value) of an item; bytes are JSON, None is nothing that could be a number."""
    parts: list[str] = []
    value: Any = None
    for field in fields(record, item.start, item.end):
        if field.number in (1, 2) and field.kind == BYTES:
            parts.append(_text(record, field))
        elif field.number in (8, 16) and field.kind == BYTES:
            value = record[field.start : field.end]
        elif field[:2] == (4, VARINT):
            value = varint(record, field.start, field.end)[0]
        elif field[:2] == (5, VARINT):
            zigzag = varint(record, field.start, field.end)[0]
            value = (zigzag >> 1) ^ -(zigzag & 1)
        elif field[:2] == (6, FIXED64):
            value = NUMBER.unpack_from(record, field.start)[0]
    return "/".join(parts), value


def _config(record: bytes, config: Field) -> dict[str, Any]:
    """What a config record sets, but for what Weights & Biases keeps there for itself."""
    found = {}
    for part in fields(record, config.start, config.end):
        if part[:2] == (1, BYTES):
            name, value = _item(record, part)
            if isinstance(value, bytes) and not name.startswith("_wandb"):
                found[name] = _parsed([value])[0]
    return found


def _parsed(values: list[bytes]) -> list[Any]:
    """JSON values, all at once where nothing is wrong with them."""
    found = parsed(b"[" + b",".join(values) + b"]")
    fits = isinstance(found, list) and len(found) == len(values)
    return found if fits else [parsed(value) for value in values]


def _text(record: bytes, field: Field) -> str:
    return record[field.start : field.end].decode("utf-8", errors="replace")
