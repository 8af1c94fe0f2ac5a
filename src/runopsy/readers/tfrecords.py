"""TFRecord files: what frames each record, and its checksums.

A record is its length (u64), the masked CRC-32C of these eight bytes, that many bytes, and their masked
CRC-32C, all little endian; a file is nothing but records.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runopsy.model import Counts

    Bytes: TypeAlias = NDArray[np.uint8]

BLOCK = 1 << 22  # bytes looked at in one go: some 80 000 scalars, and the memory they need stays small
CHECKED = 1 << 12  # bytes: longer records are images, graphs or text, hold no scalars here, and are only stepped over
FRAME = 16  # bytes of a record beside its payload
LENGTH = struct.Struct("<Q")
HEADER = struct.Struct("<QI")
POLYNOMIAL = 0x82F63B78  # of CRC-32C (Castagnoli), bits reversed
MASK = 0xA282EAD8  # TFRecord adds it to the checksum turned by 15 bits, as data may hold checksums itself
TORN = "ends within a record (still being written, or cut by a kill), which was left out"
BROKEN = "is damaged: nothing behind a broken record can be read"


class Block(NamedTuple):
    """Some whole records of a file, one after the other."""

    data: Bytes
    start: Counts  # (n,) where each payload begins in ``data``
    length: Counts  # (n,) bytes


def first(head: bytes) -> bytes | None:
    """The first payload of a file, as far as it is in ``head``; None where the file does not begin with a record."""
    if not _is_header(head):
        return None
    return head[HEADER.size : HEADER.size + LENGTH.unpack_from(head)[0]]


def _is_header(head: bytes) -> bool:
    """Whether a record begins here: the checksum of its length is right by chance once in 2**32."""
    if len(head) < HEADER.size:
        return False
    check = HEADER.unpack_from(head)[1]
    return bool(_masked(_crc(np.frombuffer(head, np.uint8)[:8, None]))[0] == check)


def blocks(file: BinaryIO, name: str, notes: list[str]) -> Iterator[Block]:
    """The records of a file, in stretches; what is damaged is left out, and reported in ``notes``.

    Behind a length that is wrong no record can be found: the file ends there. A record whose content is
    wrong is left out alone.
    """
    size = file.seek(0, os.SEEK_END)
    at = damaged = 0
    while at < size:
        file.seek(at)
        raw = file.read(BLOCK)
        data = np.frombuffer(raw, np.uint8)
        start, end = _walk(raw)
        sound = _lengths_hold(data, start)
        if not sound.all():
            start = start[: int(np.argmin(sound))]
        length = _lengths(data, start)
        whole = _contents_hold(data, start, length)
        damaged += int((~whole).sum())
        kept = whole & (length <= CHECKED)
        yield Block(data, start[kept], length[kept])
        at += end
        trouble = "" if sound.all() else BROKEN
        if sound.all() and end < len(raw):
            beyond, trouble = _over(raw[end:], size - at)
            trouble = trouble or ("" if end or beyond else TORN)  # the file has shrunk meanwhile
            at += beyond
        if trouble:
            notes.append(f"{name} {trouble}")
            break
    if damaged:
        notes.append(f"{name}: {damaged} records do not match their checksum and were left out")


def _walk(raw: bytes) -> tuple[Counts, int]:
    """Where the payloads of the whole records begin, and where the last of them ends."""
    starts: list[int] = []
    at, last, unpack = 0, len(raw) - FRAME, LENGTH.unpack_from
    while at <= last:
        after = at + FRAME + unpack(raw, at)[0]
        if after > len(raw):
            break
        starts.append(at + HEADER.size)
        at = after
    return np.array(starts, np.int64), at


def _over(rest: bytes, left: int) -> tuple[int, str]:
    """What follows the last whole record of a block: bytes to step over, or what is wrong with it.

    Args:
        rest: of the block.
        left: bytes of the file from there on.
    """
    if len(rest) < HEADER.size:
        return 0, TORN if len(rest) == left else ""
    if not _is_header(rest):
        return 0, BROKEN
    length = LENGTH.unpack_from(rest)[0] + FRAME
    if length > left:
        return 0, TORN
    return (length if length > BLOCK else 0), ""


def _lengths(data: Bytes, start: Counts) -> Counts:
    return columns(data, start - HEADER.size, 8).T.copy().view("<i8")[:, 0].astype(np.int64)


def _lengths_hold(data: Bytes, start: Counts) -> NDArray[np.bool_]:
    """Whether each length matches its checksum."""
    stored = columns(data, start - 4, 4).T.copy().view("<u4")[:, 0]
    return np.asarray(_masked(_crc(columns(data, start - HEADER.size, 8))) == stored)


def _contents_hold(data: Bytes, start: Counts, length: Counts) -> NDArray[np.bool_]:
    """Whether each payload matches its checksum; long ones are not asked."""
    found = np.ones(len(start), dtype=bool)
    for size in np.unique(length[length <= CHECKED]).tolist():
        rows = np.flatnonzero(length == size)
        stored = columns(data, start[rows] + size, 4).T.copy().view("<u4")[:, 0]
        if len(rows) < size:  # few and long: one after the other, all bytes at once
            crc = np.array([_crc_of_one(data[at : at + size]) for at in start[rows].tolist()], np.uint32)
        else:
            crc = _crc(columns(data, start[rows], size))
        found[rows] = _masked(crc) == stored
    return found


def columns(data: Bytes, start: Counts, size: int) -> Bytes:
    """(size, n) bytes: the first of each record, then the second, …"""
    if not len(start):
        return np.zeros((size, 0), np.uint8)
    return np.ascontiguousarray(sliding_window_view(data, size)[start].T)


# --- CRC-32C -------------------------------------------------------------------------------------
# For messages of one length the checksum is affine in their bits: what each byte adds depends on it and
# on the number of bytes behind it, and all of that is joined by exclusive or.


@cache
def _tables() -> NDArray[np.uint32]:
    """(CHECKED, 256) what a byte adds to the checksum, with that many bytes behind it."""
    byte = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        byte = np.where(byte & 1, (byte >> 1) ^ np.uint32(POLYNOMIAL), byte >> 1)
    tables = np.empty((CHECKED, 256), np.uint32)
    tables[0] = byte
    for behind in range(1, CHECKED):
        before = tables[behind - 1]
        tables[behind] = byte[before & 0xFF] ^ (before >> 8)
    return tables


@cache
def _of_zeros() -> NDArray[np.uint32]:
    """(CHECKED + 1,) the checksums of 0, 1, 2, … zero bytes: the part that does not depend on a message."""
    byte = _tables()[0].tolist()
    states = [0xFFFFFFFF]
    for _ in range(CHECKED):
        states.append(byte[states[-1] & 0xFF] ^ (states[-1] >> 8))
    return np.array(states, np.uint32) ^ np.uint32(0xFFFFFFFF)


def _crc(columns: Bytes) -> NDArray[np.uint32]:
    """(n,) checksums of messages of one length, given as (size, n) bytes."""
    size, count = columns.shape
    crc = np.full(count, _of_zeros()[size])
    for table, column in zip(_tables()[size - 1 :: -1], columns, strict=False):
        crc ^= table[column]
    return crc


def _crc_of_one(message: Bytes) -> np.uint32:
    size = len(message)
    added = _tables()[np.arange(size - 1, -1, -1), message]
    return np.uint32(np.bitwise_xor.reduce(added, initial=np.uint32(0)) ^ _of_zeros()[size])


def _masked(crc: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(MASK)
