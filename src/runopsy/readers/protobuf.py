"""Protocol buffers as they lie on the wire: fields by number, without their schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types; 3 and 4, groups, have been out of use for two decades


class Field(NamedTuple):
    """One field of a message: its number, its wire type, and where its value lies (without key and length)."""

    number: int
    kind: int
    start: int
    end: int


class NotOnTheWire(ValueError):
    """The bytes are no message."""


def fields(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of the message ``data[start:end]``, in order.

    Raises:
        NotOnTheWire: they are none.
    """
    at, end = start, len(data) if end is None else end
    while at < end:
        key, at = varint(data, at, end)
        kind = key & 7
        if kind == VARINT:
            after = varint(data, at, end)[1]
        elif kind == BYTES:
            size, at = varint(data, at, end)
            after = at + size
        elif kind in (FIXED64, FIXED32):
            after = at + (8 if kind == FIXED64 else 4)
        else:
            raise NotOnTheWire(f"wire type {kind}")
        if after > end:
            raise NotOnTheWire("a field ends behind its message")
        yield Field(key >> 3, kind, at, after)
        at = after


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The number of variable length at a place, and the place behind it.

    Raises:
        NotOnTheWire: it has no end, or more than the ten bytes of 64 bits.
    """
    value = shift = 0
    for place in range(at, min(end, at + 10)):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place + 1
        shift += 7
    raise NotOnTheWire("a number without an end")
