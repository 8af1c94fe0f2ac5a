"""JSON documents: tables somewhere inside an object or list, of rows or of columns; several are several runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.axes import COUNTING, plain
from runopsy.readers.formats.jsonlines import MOSTLY, row_of, rows_to_run
from runopsy.readers.json_shapes import DEEPEST, flat, unrolled
from runopsy.readers.numeric_text import listed
from runopsy.readers.run_selection import Candidate, Found, named
from runopsy.readers.source import Source
from runopsy.signals.names import SIDE_OF, is_side, words
from runopsy.signals.scores import is_metric

BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s*[\[{]\s*[\[{\"\]}]")
KEY = re.compile(rb"\"([^\"\n]{1,80})\"\s*:")
OF_TRAINING = re.compile(rb"\"(?:train|training)\"\s*:\s*\[\s*[-.\d]")  # {"train": [2.3, ...], "val": [...]}
SETTINGS = re.compile(r"(?<=\n)\}[ \t]*\r?\n(?=\s*\{)")  # the end of an object over many lines, and another below it
KEYS = 2000  # different keys at the beginning of a document, looked at for the name of a metric
NEARLY = 0.9  # of the longest list: a shorter one beside it lacks its end; still shorter, it was filled less often
MOST = 1000  # tables in one document


class Table(NamedTuple):
    """Rows of one table, and where in the document it lies."""

    where: tuple[str, ...]
    rows: list[dict[str, Any]]
    notes: tuple[str, ...] = ()


def recognises(source: Source) -> bool:
    """A document that names a metric somewhere at its beginning; JSON lines have been asked for before."""
    if source.is_binary or not BEGINS.match(source.head):
        return False
    return bool(_metrics_in(source.head)) or bool(OF_TRAINING.search(source.head))


def read(source: Source) -> Found:
    """The table of the document, or the runs, where there are several tables; the rows below a document of settings.

    Raises:
        UnreadableLog: it is cut short, or has no table with a metric in it.
    """
    rows = rows_below(source.text())
    if rows:
        return rows_to_run(rows, source, ["the document above the rows, of their settings, was left out"])
    tables = find(parse(source))
    if not tables:
        names = listed(_metrics_in(source.head))
        raise UnreadableLog(
            f"{source.name} is JSON without a curve in it: {names} stand there with one value each, or not in a list",
            hint="runopsy reads lists of objects and objects of lists, wherever they lie in the document",
        )
    if len(tables) == 1:
        return rows_to_run(tables[0].rows, source, list(tables[0].notes))
    return tuple(run for table in tables for run in _one_of_several(table, source))


def parse(source: Source) -> Any:
    """The document; bare NaN and Infinity are read as loggers write them.

    Raises:
        UnreadableLog: it is none.
    """
    try:
        return json.loads(source.text())
    except (ValueError, RecursionError) as cause:
        raise UnreadableLog(
            f"{source.name} is damaged JSON: {str(cause)[:80]}",
            hint="it was cut short or is still being written; copy or export it again",
        ) from cause


def rows_below(text: str) -> list[dict[str, Any]]:
    """The objects on the lines below a document over many lines, as a script writes its settings; none elsewhere."""
    end = SETTINGS.search(text)
    if end is None:
        return []
    lines = [line for line in text[end.end() :].split("\n") if line.strip()]
    rows = [row for line in lines if (row := row_of(line)) is not None]
    try:
        json.loads(text[: end.end()])
    except (ValueError, RecursionError):
        return []
    return rows if len(rows) >= MOSTLY * len(lines) else []


def _metrics_in(head: bytes) -> list[str]:
    """The keys at the beginning of a document that are called like a metric."""
    keys = dict.fromkeys(match[1] for match in KEY.finditer(head))
    return [name for key in list(keys)[:KEYS] if is_metric(name := key.decode("utf-8", errors="replace"))]


def find(document: Any) -> list[Table]:
    """Every table in a document that has a metric in it; of rows that are all alike, or of lists beside each other."""
    found = []
    for table in _tables(unrolled(document), ()):
        if _names_a_metric(dict.fromkeys(name for row in table.rows for name, _ in flat(row))):
            found.append(table)
        if len(found) == MOST:
            break
    return found


def _names_a_metric(names: Iterable[str]) -> bool:
    """Whether columns are called like a metric, or are the losses of sides: ``train`` beside ``val``."""
    sides = {SIDE_OF[words(name)[0]] for name in names if is_side(name)}
    return ("train" in sides and len(sides) > 1) or any(map(is_metric, names))


def _one_of_several(table: Table, source: Source) -> list[Candidate]:
    name = "/".join(table.where) or source.id

    def load() -> Found:
        found = rows_to_run(table.rows, source, list(table.notes))
        return named(found, name, source.name) if isinstance(found, Run) else found

    return [Candidate(name, load)]


def _tables(node: Any, where: tuple[str, ...]) -> Iterator[Table]:
    if len(where) > DEEPEST:
        return
    if isinstance(node, dict):
        columns = dict(_columns(node))
        if _is_table(columns):
            for prefix, own in _trainings(columns).items():
                yield _from_columns(own, (*where, prefix) if prefix else where)
            node = {key: value for key, value in node.items() if key not in {c.partition("/")[0] for c in columns}}
        for key, value in node.items():
            yield from _tables(value, (*where, str(key)))
    elif isinstance(node, list):
        objects = [item for item in node if isinstance(item, dict)]
        if not objects or len(objects) < MOSTLY * len(node):
            return
        if not _counts(objects) and any(_holds_a_table(item) for item in objects):
            for number, item in enumerate(objects, 1):
                yield from _tables(item, (*where, _name(item, number)))
        else:
            yield Table(where, objects)


def _columns(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, list[Any]]]:
    """The lists of numbers in an object; those of ``train`` and ``val`` inside it belong to it, under both names.

    A list of objects beside lists of numbers, one for each of their rows, holds further columns.
    """
    lengths = {len(value) for value in node.values() if isinstance(value, list) and _are_numbers(value)}
    for key, value in node.items():
        if isinstance(value, list) and len(value) in lengths and all(isinstance(row, dict) for row in value):
            rows = [dict(flat(row)) for row in value]
            names = dict.fromkeys(name for row in rows for name in row)
            yield from _columns({f"{key}/{name}": [row.get(name) for row in rows] for name in names}, prefix)
        if isinstance(value, list) and value and all(v is None or isinstance(v, (int, float, str)) for v in value):
            if any(isinstance(v, (int, float)) for v in value):
                yield f"{prefix}{key}", value
        elif isinstance(value, dict) and not prefix and any(word in SIDE_OF for word in words(key)):
            yield from _columns(value, f"{key}/")


def _trainings(columns: Mapping[str, list[Any]]) -> dict[str, dict[str, list[Any]]]:
    """The columns of each training, where the first word of their names parts several: ``reg_val_loss, cls_val_loss``.

    All columns of one are as long as each other, and those of another have a length of their own; else the words name
    the parts of one loss.
    """
    found: dict[str, dict[str, list[Any]]] = {}
    for name, values in columns.items():
        prefix, _, rest = name.partition("_")
        found.setdefault(prefix, {})[rest] = values
    lengths = [{len(values) for values in own.values()} for own in found.values()]
    apart = all(len(own) == 1 for own in lengths) and len(set().union(*lengths)) == len(found) > 1
    validated = all(any(map(_is_evaluated, own)) for own in found.values())
    return found if apart and validated and not set(found) & SIDE_OF.keys() else {"": dict(columns)}


def _is_evaluated(name: str) -> bool:
    """Whether a column is called a metric of a side that is not trained on."""
    return is_metric(name) and any(SIDE_OF.get(word, "train") != "train" for word in words(name))


def _are_numbers(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(value, (int, float)) for value in values)


def _is_table(columns: Mapping[str, list[Any]]) -> bool:
    """Whether lists beside each other are columns, rather than the settings of an optimizer."""
    lengths = [len(values) for values in columns.values()]
    sides = {len(values) for name, values in columns.items() if is_side(name)}
    metric = any(map(is_metric, columns)) or (len(sides) == 1 and _names_a_metric(columns))
    return metric and (max(lengths) > 1 or any(plain(name) in COUNTING for name in columns))


def _counts(items: list[dict[str, Any]]) -> bool:
    """Whether objects are the rows of one run, whatever lies inside them: an axis rises from one to the next."""
    for axis in dict.fromkeys(key for key in items[0] if plain(key) in COUNTING):
        at = [x for item in items if isinstance(x := item.get(axis), (int, float))]
        if 1 < len(at) == len(items) and all(x < y for x, y in pairwise(at)):
            return True
    return False


def _holds_a_table(item: Mapping[str, Any]) -> bool:
    inner = [value for value in item.values() if isinstance(value, (list, dict))]
    return _is_table(dict(_columns(item))) or any(True for value in inner for _ in _tables(value, ("",)))


def _name(item: Mapping[str, Any], number: int) -> str:
    """What a run in a list is called: its name, else its settings, else its number."""
    for key in ("name", "run", "run_name", "id", "run_id"):
        if isinstance(item.get(key), (str, int)):
            return str(item[key])[:60]
    pairs = [f"{k}={v}" for k, v in item.items() if isinstance(v, (str, int, float)) and len(str(v)) < 20][:3]
    return f"{number} {' '.join(pairs)}".strip()


def _from_columns(columns: Mapping[str, list[Any]], where: tuple[str, ...]) -> Table:
    """Rows of lists that may differ in length."""
    longest = max(len(values) for values in columns.values())
    rows: list[dict[str, Any]] = [{} for _ in range(longest)]
    spread = []
    for name, values in columns.items():
        short = len(values) < NEARLY * longest
        if short and len(values) > 1:
            spread.append(name)
        for i, value in enumerate(values):
            at = round((i + 1) * longest / len(values)) - 1 if short else i
            rows[at][name] = value
    notes = [f"shorter than the other lists, and taken as spread evenly over them: {listed(spread)}"] if spread else []
    return Table(where, rows, tuple(notes))
