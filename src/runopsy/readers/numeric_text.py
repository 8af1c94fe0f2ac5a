"""Text in cells → numbers, where there is one way to read it; what may mean two things is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runopsy.readers.number_columns import is_numbers

if TYPE_CHECKING:
    import polars as pl

    Table = Mapping[str, pl.Series]  # column → its cells; a frame of 10 000 columns looks each up in turn
    Numbers = dict[str, pl.Series | None]  # column → its numbers, None where it holds none

MISSING = ("", "-", "--", "none", "null", "na", "n/a", "<na>", "nil")  # text that means: no value was logged here
MOSTLY = 0.5  # share of a column's cells that must be numbers for it to count as one

NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
PLAIN = re.compile(rf"{NUMBER}|[+-]?(?:nan|inf|infinity)", re.IGNORECASE | re.ASCII)
PERCENT = re.compile(rf"({NUMBER})\s*%")
# How numbers print themselves where somebody wrote str(value): tensor(0.31, device='cuda:0'), np.float64(0.5)
BARE = rf"(?:{NUMBER}|nan|-?inf)"
WRAPPED = re.compile(rf"(?:tensor|array|(?:np|numpy|torch|jnp)\.\w+)\((?:\[\s*({BARE})\s*\]|({BARE}))(?:,.*)?\)")

# What a cell proves about the sign before its decimals: 0,5 a comma, 1,234.5 a point, 1,234 either.
EITHER = re.compile(r"[+-]?[1-9]\d{0,2}([.,])\d{3}")
GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}([.,])\d{3}(?:\1\d{3})+")  # 1,234,567: the sign is the other one
DECIMALS = {
    ",": re.compile(r"[+-]?(?:\d*|[1-9]\d{0,2}(?:\.\d{3})+),\d+(?:[eE][+-]?\d+)?"),
    ".": re.compile(r"[+-]?(?:(?:\d+|[1-9]\d{0,2}(?:,\d{3})+)\.\d*|\.\d+)(?:[eE][+-]?\d+)?"),
}
DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].*)?")  # ISO 8601; 01/02/2024 is one day here and another one there


def is_number(cell: str) -> bool:
    """Whether a cell of text is a number in any writing that ``numbers_in`` may accept, or a word for none."""
    bare = cell.strip()
    return bool(_plain(bare) or _proof(bare) or PERCENT.fullmatch(bare) or WRAPPED.fullmatch(bare))


def is_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def numbers_in(table: Table, notes: list[str]) -> Numbers:
    """Every column as float64, null where nothing was logged or nothing can be read; None where it holds no numbers."""
    if all(is_numbers(column) for column in table.values()):
        return dict(table)
    import polars as pl

    found: Numbers = {
        name: column.cast(pl.Float64) if column.dtype.is_numeric() or column.dtype == pl.Boolean else None
        for name, column in table.items()
    }
    text = pl.DataFrame([column.alias(name) for name, column in table.items() if column.dtype == pl.String])
    if not text.width:
        return found
    text = text.select(_present(pl.all()))  # all columns in one go: there may be 10 000
    plain = text.select(pl.all().cast(pl.Float64, strict=False))
    texts = dict(zip(text.columns, text.get_columns(), strict=True))
    commas = any(text.select(pl.all().str.contains(r"\d,\d").any()).row(0))
    signs = _signs(texts) if commas else {}
    doubtful = [name for name, sign in signs.items() if not sign]
    if doubtful:
        notes.append(f"numbers such as 1,234 or 1.234 may mean two things and were left out of {listed(doubtful)}")
    present_in, read_in = text.count().row(0), plain.count().row(0)
    for name, numbers, there, read in zip(texts, plain.get_columns(), present_in, read_in, strict=True):
        whole = there == read and name not in signs
        found[name] = numbers if whole else _read(texts[name], numbers, signs.get(name))
        if not there:
            found[name] = None
    return found


def present(column: pl.Series) -> pl.Series:
    """Text without blanks around it; null where it means that there is no value."""
    import polars as pl

    return column.to_frame("text").select(_present(pl.all()))["text"]


def _present(text: pl.Expr) -> pl.Expr:
    import polars as pl

    stripped = text.str.strip_chars()
    return pl.when(~stripped.str.to_lowercase().is_in(list(MISSING))).then(stripped)


def unread(column: pl.Series, numbers: pl.Series) -> int:
    """How many cells hold text that is no number and no word for nothing."""
    if is_numbers(column):
        return 0
    import polars as pl

    if column.dtype != pl.String or numbers.null_count() == column.null_count():
        return 0
    return int((present(column).is_not_null() & numbers.is_null()).sum())


def listed(names: Iterable[str]) -> str:
    """A few names for a note, however many and however long they are."""
    some = list(names)
    short = [name if len(name) <= 40 else f"{name[:39]}…" for name in some[:5]]
    return ", ".join(short) + (f" and {len(some) - 5} more" if len(some) > 5 else "")


def _read(text: pl.Series, numbers: pl.Series, sign: str | None) -> pl.Series | None:
    """The numbers of a column of text; ``sign`` is None where every number that polars has read is what it seems."""
    import polars as pl

    odd = (text if sign is not None else text.filter(numbers.is_null())).drop_nulls().unique().to_list()
    values = {cell: value for cell in odd if (value := _odd(cell, sign)) is not None}
    if sign is not None or values:
        found = text.replace_strict(values, default=None, return_dtype=pl.Float64)
        numbers = found if sign is not None else numbers.fill_null(found)
    filled = text.len() - text.null_count()
    return numbers if filled and numbers.count() >= MOSTLY * filled else None


def _odd(cell: str, sign: str | None) -> float | None:
    """The number in one cell, with ``sign`` before its decimals ("" where a column does not show which)."""
    if match := PERCENT.fullmatch(cell):
        return float(match[1]) / 100
    if match := WRAPPED.fullmatch(cell):
        return float(match[1] or match[2])
    proof = _proof(cell)
    if not proof:
        return float(cell) if _plain(cell) else None
    if proof == "either":
        proof = sign if sign is not None else "." if "." in cell else ""
    elif sign is not None and proof != sign:
        return None  # it contradicts its column
    if not proof:
        return None
    return float(cell.replace("," if proof == "." else ".", "").replace(",", "."))


def _plain(cell: str) -> bool:
    return PLAIN.fullmatch(cell) is not None


def _proof(cell: str) -> str:
    """The decimal sign that a cell proves: "," or "."; "either", or "" where it has none or is no number."""
    if EITHER.fullmatch(cell):
        return "either"
    if match := GROUPS.fullmatch(cell):
        return "." if match[1] == "," else ","
    return next((sign for sign, form in DECIMALS.items() if form.fullmatch(cell)), "")


def _signs(texts: Mapping[str, pl.Series]) -> dict[str, str]:
    """The decimal sign of each column with a point or a comma in it; "" where it is unknown.

    A column proves its own; one that only has cells like 1,234 goes by the rest of the table. Numbers
    like 1.234 are what they seem, unless the rest of the table writes a comma.
    """
    proofs = {name: {_proof(cell) for cell in text.drop_nulls().unique().to_list()} for name, text in texts.items()}
    table = set().union(*proofs.values()) & {",", "."}
    signs = {}
    for name, proof in proofs.items():
        sure = proof & {",", "."}
        if len(sure) == 1:
            signs[name] = sure.pop()
        elif sure:
            signs[name] = ""
        elif "either" in proof:
            commas = bool(texts[name].str.contains(",", literal=True).any())
            signs[name] = _by_the_table(table, commas)
    return signs


def _by_the_table(table: set[str], commas: bool) -> str:
    if table == {"."} or (not commas and "," not in table):
        return "."
    return "," if table == {","} and commas else ""


def seconds_in(column: pl.Series) -> pl.Series | None:
    """Unix seconds of a column of dates, null where a cell is none; None where the column holds no dates."""
    import polars as pl

    if column.dtype == pl.String:
        text = present(column)
        dated = text.str.contains(f"^{DATE.pattern}$")
        if not dated.any():
            return None
        return pl.Series(column.name, [_unix(cell) for cell in text.to_list()], dtype=pl.Float64)
    if column.dtype == pl.Date:
        column = column.cast(pl.Datetime("us"))
    if not isinstance(column.dtype, pl.Datetime):
        return None
    return column.dt.epoch("us").cast(pl.Float64) / 1e6


def _unix(cell: str | None) -> float | None:
    """Seconds since 1970 of an ISO date; where it names no zone, all of the column are taken for one zone."""
    if cell is None or not DATE.fullmatch(cell):
        return None
    try:
        at = datetime.fromisoformat(cell.removesuffix("UTC").rstrip())
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
