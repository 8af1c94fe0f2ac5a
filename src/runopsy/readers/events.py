"""TensorBoard's events → scalars.

An ``Event`` holds when (1: wall time), at which step (2) and what: a summary (5), which holds values, or a
session log (7). A value has a tag (1) and is a number (2) or a tensor (8) of one element; images,
histograms and texts are passed over.

A million events differ in little but their numbers: one of each length is taken apart, and the others
that agree with it in every byte beside tag, time, step and number are read at the same places, at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from runopsy.readers.protobuf import BYTES, FIXED32, FIXED64, VARINT, Field, NotOnTheWire, fields, varint
from runopsy.readers.scalars import NONE, Scalars, concatenated
from runopsy.readers.tfrecords import blocks, columns, first

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runopsy.model import Counts, Values
    from runopsy.readers.tfrecords import Block, Bytes

ALIKE = 8  # events of one length from which on they are compared with each other; fewer are taken apart each
PATTERNS = 64  # events taken apart per length before the rest is no longer compared: nothing is alike there
SCALARS = "scalars"  # the plug-in that a value's metadata names; without metadata a number is a scalar as well
START = 1  # SessionLog.status: what was logged before at this step or later is void
# TensorProto.dtype → field that holds the elements one by one, and how they lie in tensor_content.
ELEMENTS = {1: (5, "<f4"), 2: (6, "<f8"), 3: (7, "<i4"), 9: (10, "<i8"), 22: (16, "<u4"), 23: (17, "<u8")}
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, and without a pattern: of hashes modulo 2**64


class Place(NamedTuple):
    """Where one scalar lies in its event."""

    tag: slice
    value: slice
    kind: str  # of number, for NumPy; "varint" for what has a variable length


class Pattern(NamedTuple):
    """Where everything lies in an event."""

    time: slice | None
    step: slice | None
    values: tuple[Place, ...]
    is_start: bool


def is_event(head: bytes) -> bool:
    """Whether a file begins with an event that states when it was written, as every event file does."""
    event = first(head)
    pattern = None if event is None else _pattern(event)
    return pattern is not None and pattern.time is not None


def scalars(file: BinaryIO, name: str, notes: list[str]) -> Scalars:
    """Every scalar of an event file.

    Args:
        file: opened for reading bytes, anywhere in it.
        name: what notes call it.
        notes: where damage is reported.
    """
    tags: dict[bytes, int] = {}
    pieces: tuple[list[NDArray[Any]], ...] = ([], [], [], [])
    starts = NONE
    broken = rows = 0
    for block in blocks(file, name, notes):
        found, begun, odd = _in_block(block, tags)
        for kept, piece in zip(pieces, found[1:], strict=True):
            kept.append(piece)
        starts = np.append(starts, rows + np.searchsorted(found.event, begun))
        rows += len(found.event)
        broken += odd
    if broken:
        notes.append(f"{name}: {broken} records are no events and were left out")
    which, step, time, value = concatenated(pieces)
    names = [tag.decode("utf-8", errors="replace") for tag in tags]
    return Scalars(names, which.astype(np.int64, copy=False), step, time, value, starts)


class Part(NamedTuple):
    """Some scalars; ``event`` gives the event of the block that each belongs to."""

    event: Counts
    which: Counts
    step: Values
    time: Values
    value: Values


def _in_block(block: Block, tags: dict[bytes, int]) -> tuple[Part, Counts, int]:
    """(the scalars of a block in order, its events that start a session, how many of its records are none)."""
    parts: list[Part] = []
    begun: list[int] = []
    broken = 0
    for size in np.unique(block.length).tolist():
        rest = np.flatnonzero(block.length == size)
        for _ in range(PATTERNS):
            if len(rest) < ALIKE:
                break
            pattern = _pattern(_payload(block, int(rest[0])))
            alike = np.zeros(len(rest), dtype=bool)
            alike[0] = True
            if pattern is None:
                broken += 1
            elif pattern.values:
                data = columns(block.data, block.start[rest], size)
                alike = _alike(data, pattern)
                parts.append(_taken(data[:, alike], rest[alike], pattern, tags))
            elif pattern.is_start:
                begun.append(int(rest[0]))
            rest = rest[~alike]
        for event in rest.tolist():
            pattern = _pattern(_payload(block, event))
            if pattern is None:
                broken += 1
            elif pattern.values:
                data = columns(block.data, block.start[[event]], size)
                parts.append(_taken(data, np.array([event]), pattern, tags))
            elif pattern.is_start:
                begun.append(event)
    whole = _joined(parts)
    order = np.argsort(whole.event, kind="stable")
    ordered = Part(whole.event[order], whole.which[order], whole.step[order], whole.time[order], whole.value[order])
    return ordered, np.array(sorted(begun), np.int64), broken


def _payload(block: Block, event: int) -> bytes:
    start = block.start[event]
    return block.data[start : start + block.length[event]].tobytes()


def _joined(parts: list[Part]) -> Part:
    none = np.zeros(0)
    empty = Part(none.astype(np.int64), none.astype(np.int64), none, none, none)
    return Part(*(np.concatenate(column) for column in zip(empty, *parts, strict=True)))


# --- one event -----------------------------------------------------------------------------------


def _pattern(event: bytes) -> Pattern | None:
    """Where everything lies in an event; None where the bytes are no event."""
    time = step = None
    places: list[Place] = []
    is_start = False
    try:
        for field in fields(event):
            if field[:2] == (1, FIXED64):
                time = slice(field.start, field.end)
            elif field[:2] == (2, VARINT):
                step = slice(field.start, field.end)
            elif field[:2] == (5, BYTES):
                inner = fields(event, field.start, field.end)
                places += [place for part in inner if part[:2] == (1, BYTES) and (place := _scalar(event, part))]
            elif field[:2] == (7, BYTES):
                inner = fields(event, field.start, field.end)
                is_start = any(f[:2] == (1, VARINT) and varint(event, f.start, f.end)[0] == START for f in inner)
    except NotOnTheWire:
        return None
    return Pattern(time, step, tuple(places), is_start)


def _scalar(event: bytes, value: Field) -> Place | None:
    """The one number of a summary's value; None where it is something else."""
    tag = number = None
    kind = ""
    for field in fields(event, value.start, value.end):
        if field[:2] == (1, BYTES):
            tag = slice(field.start, field.end)
        elif field[:2] == (2, FIXED32):
            number, kind = slice(field.start, field.end), "<f4"
        elif field[:2] == (8, BYTES):
            number, kind = _element(event, field)
        elif field[:2] == (9, BYTES) and _plugin(event, field) not in ("", SCALARS):
            return None
    return None if tag is None or number is None else Place(tag, number, kind)


def _element(event: bytes, tensor: Field) -> tuple[slice | None, str]:
    """Where the one element of a tensor lies, and its kind; none where it holds another number of them."""
    dtype = 0
    found: dict[int, Field] = {}
    for field in fields(event, tensor.start, tensor.end):
        if field[:2] == (1, VARINT):
            dtype = varint(event, field.start, field.end)[0]
        found[field.number] = field
    number, kind = ELEMENTS.get(dtype, (0, ""))
    size = np.dtype(kind).itemsize if kind else 0
    held = found.get(4) or found.get(number)
    if not kind or held is None:
        return None, ""
    place = slice(held.start, held.end)
    if held.number == 4 or kind in ("<f4", "<f8"):
        return (place, kind) if held.end - held.start == size else (None, "")
    is_one = held.end > held.start and varint(event, held.start, held.end)[1] == held.end
    return (place, "varint") if is_one else (None, "")


def _plugin(event: bytes, metadata: Field) -> str:
    """The plug-in that a value's metadata (1: plug-in data, in it 1: name) names."""
    for outer in fields(event, metadata.start, metadata.end):
        if outer[:2] == (1, BYTES):
            for inner in fields(event, outer.start, outer.end):
                if inner[:2] == (1, BYTES):
                    return event[inner.start : inner.end].decode("utf-8", errors="replace")
    return ""


# --- many events of one length -------------------------------------------------------------------


def _alike(data: Bytes, pattern: Pattern) -> NDArray[np.bool_]:
    """Which events have everything where the first one has it.

    Args:
        data: (size, n) bytes.
        pattern: of the first.
    """
    free = np.zeros(len(data), dtype=bool)
    varints = [place.value for place in pattern.values if place.kind == "varint"]
    varints += [pattern.step] if pattern.step is not None else []
    for place in (pattern.time, *varints, *(part for value in pattern.values for part in (value.tag, value.value))):
        if place is not None:
            free[place] = True
    alike = np.ones(data.shape[1], dtype=bool)
    for row in data[~free]:
        alike &= row == row[0]
    for place in varints:
        alike &= (data[place.start : place.stop - 1] >= 0x80).all(axis=0) & (data[place.stop - 1] < 0x80)
    return alike


def _taken(data: Bytes, events: Counts, pattern: Pattern, tags: dict[bytes, int]) -> Part:
    """The scalars of events of one pattern."""
    count = data.shape[1]
    time = np.zeros(count) if pattern.time is None else _numbers(data[pattern.time], "<f8")
    step = np.zeros(count) if pattern.step is None else _varints(data[pattern.step])
    parts = [
        Part(
            events,
            _codes(data[place.tag], tags),
            step,
            time,
            _varints(data[place.value]) if place.kind == "varint" else _numbers(data[place.value], place.kind),
        )
        for place in pattern.values
    ]
    return _joined(parts)


def _numbers(data: Bytes, kind: str) -> Values:
    return np.ascontiguousarray(data.T).view(kind)[:, 0].astype(np.float64)


def _varints(data: Bytes) -> Values:
    """Numbers of variable length as int64, of which ten bytes hold all that there is."""
    found = np.zeros(data.shape[1], np.uint64)
    for place, row in enumerate(data):
        found |= (row & 0x7F).astype(np.uint64) << np.uint64(7 * place)
    return found.view(np.int64).astype(np.float64)


def _codes(data: Bytes, tags: dict[bytes, int]) -> Counts:
    """The numbers of the tags whose bytes are the columns of ``data``; new ones are added."""
    size, count = data.shape
    if count == 1 or not size:
        return np.full(count, tags.setdefault(data[:, 0].tobytes(), len(tags)))
    hashed = np.zeros(count, np.uint64)
    for row in data:
        hashed = hashed * MULTIPLIER + row
    _, first_at, which = np.unique(hashed, return_index=True, return_inverse=True)
    if not (data == data[:, first_at][:, which]).all():  # two tags with one hash, which nobody meets by chance
        _, first_at, which = np.unique(data, axis=1, return_index=True, return_inverse=True)
    codes = [tags.setdefault(data[:, at].tobytes(), len(tags)) for at in first_at.tolist()]
    return np.asarray(np.array(codes, np.int64)[which])
