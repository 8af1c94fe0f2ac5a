"""Shapes of JSON: nested names, and tables that are written as objects instead of lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from runopsy.readers.axes import COUNTING, plain

DEEPEST = 16  # objects within objects; a log that goes deeper is no log, and would exhaust the stack
NUMBER = re.compile(r"[0-9]{1,15}")
COUNTED = re.compile(r"(epoch|step|iteration|iter|round)[ _-]?([0-9]{1,15})", re.IGNORECASE)
STEP = "step"  # what columns are counted by that are keyed by whole numbers
PAIR = 2  # a position and a value


def flat(row: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Nested objects as ``outer/inner``; what lies too deep is left as it is."""
    for name, value in row.items():
        if isinstance(value, dict) and depth < DEEPEST:
            yield from flat(value, f"{prefix}{name}/", depth + 1)
        else:
            yield f"{prefix}{name}", value


def is_row_key(key: str) -> bool:
    """Whether a key is the number of a row: 17, epoch_17."""
    return NUMBER.fullmatch(key) is not None or COUNTED.fullmatch(key) is not None


def unrolled(node: Any, depth: int = 0) -> Any:
    """A document whose tables are lists, whatever they were written as.

    Objects with the keys 0, 1, 2, … are lists, as a data frame writes its columns or rows, and so are those with the
    keys 1, 2, 3, … or epoch_1, epoch_2, …, whose rows then have it. Columns that are keyed by other whole numbers, or
    are pairs of a position and a value, are kept beside a column of these positions.
    """
    if depth > DEEPEST:
        return node
    if isinstance(node, list):
        return [unrolled(item, depth + 1) for item in node]
    if not isinstance(node, dict):
        return node
    inner = {key: unrolled(value, depth + 1) for key, value in node.items()}
    if _is_numbered(node) and all(v is None or isinstance(v, (int, float, dict)) for v in inner.values()):
        return _numbered(inner)
    if _is_counted(inner):
        return _counted(inner)
    keyed = {key: found for key, value in inner.items() if (found := _keyed(value))}
    if not keyed or STEP in inner:
        return inner
    steps = sorted({step for found in keyed.values() for step in found})
    columns = {key: [found.get(step) for step in steps] for key, found in keyed.items()}
    return {**{key: value for key, value in inner.items() if key not in keyed}, STEP: steps, **columns}


def _is_numbered(node: Mapping[str, Any]) -> bool:
    """Whether the keys count on from 0 or 1."""
    if not node or not all(map(NUMBER.fullmatch, node)):
        return False
    numbers = sorted(map(int, node))
    return numbers[0] <= 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _numbered(node: Mapping[str, Any]) -> list[Any]:
    """The values in order; rows that count from 1 get their number, unless they have a position of their own."""
    keys = sorted(node, key=int)
    counted = int(keys[0]) == 1 and all(isinstance(row, dict) and _has_no_position(row) for row in node.values())
    return [{STEP: int(key), **node[key]} for key in keys] if counted else [node[key] for key in keys]


def _has_no_position(row: Mapping[str, Any]) -> bool:
    """Whether a row holds numbers and no position among them."""
    return not any(isinstance(value, list) or plain(name) in COUNTING for name, value in flat(row))


def _is_counted(node: Mapping[str, Any]) -> bool:
    """Whether every key names an epoch or a step, and holds an object: a row."""
    return len(node) > 1 and all(isinstance(v, dict) and COUNTED.fullmatch(k) for k, v in node.items())


def _counted(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows in order; each gives its position."""
    rows = []
    for key, row in node.items():
        match = COUNTED.fullmatch(key)
        assert match is not None  # as _is_counted saw
        rows.append((int(match[2]), {match[1].lower(): int(match[2]), **row}))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def _keyed(node: Any) -> dict[int, float]:
    """Value by position: of an object with whole numbers for keys, or of a list of pairs that rise; else nothing."""
    pairs: list[tuple[Any, Any]]
    if isinstance(node, dict) and len(node) > 1 and all(map(NUMBER.fullmatch, node)):
        pairs = [(int(key), value) for key, value in node.items()]
    elif isinstance(node, list) and len(node) > 1 and all(isinstance(x, list) and len(x) == PAIR for x in node):
        pairs = [(at, value) for at, value in node]
        whole = all(isinstance(at, int) and not isinstance(at, bool) for at, _ in pairs)
        if not whole or not all(a < b for (a, _), (b, _) in pairwise(pairs)):
            return {}
    else:
        return {}
    return dict(pairs) if all(isinstance(value, (int, float)) for _, value in pairs) else {}
