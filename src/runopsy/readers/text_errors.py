"""What went wrong, by a script's text: NaN, memory, communication, a falling loss scale, an exception."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import polars as pl

LONGEST = 200  # characters of the line that are kept
MOST = 50  # marks of one kind; a script may skip thousands of steps, and the first ones show it
TRACE = "Traceback (most recent call last)"
RAISED = re.compile(
    r"(?P<type>[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning|Iteration|Failure|Timeout))\s*(?::\s*(?P<message>.*))?$"
)
SCALE = re.compile(r"(?i)loss.?scaler?[^\n]*?(?:to|:|=)[^\d\n-]{0,6}(?P<scale>\d+(?:\.\d+)?(?:e[-+]?\d+)?)\D*$")
TO = re.compile(r"(?i)(?:reduc\w*|setting|lowering)[^\n]*?\bto:?\s*(?P<scale>\d+(?:\.\d+)?(?:e[-+]?\d+)?)")
# In this order: the first that fits names the kind.
SIGNS: tuple[tuple[str, str], ...] = (
    ("out_of_memory", r"out of memory|outofmemory|\boom[- ]?kill|cannot allocate memory|std::bad_alloc"),
    ("out_of_memory", r"resource_exhausted"),
    ("communication_error", r"\bnccl\b[^\n]*(?:error|timeout|timed out|unhandled|abort)|watchdog caught collective"),
    ("communication_error", r"processgroup\w*[^\n]*(?:timeout|timed out|error)|connection reset by peer"),
    ("loss_scale", r"overflow[^\n]*loss.?scal|loss.?scal[^\n]*(?:reduc|setting|lower)"),
    ("loss_scale", r"(?:reduc|setting|lower)\w*[^\n]*loss.?scal"),
    ("not_finite", r"\bnans?\b[^\n]*(?:iteration|step|batch|epoch|loss|grad|detected|encountered|found|skip)"),
    ("not_finite", r"(?:loss|grad\w*|weights?|activations?)\b[^\n]{0,40}\b(?:is|are|was|became|has)\s+(?:nan|inf)\b"),
    ("not_finite", r"(?:not|non)[- ]?finite|\binfinite (?:loss|grad)|skipping (?:step|update|batch|iteration)"),
    ("interrupted", r"^\s*(?:keyboardinterrupt|\^c)\s*$|interrupted by (?:the )?user|received (?:sigterm|sigint)"),
    ("interrupted", r"due to time limit|job \w+[^\n]*cancelled"),
    ("crashed", r"segmentation fault|core dumped|^\s*(?:aborted|killed)\s*(?:\(|$)"),
)
RESOURCES = SIGNS[:4]  # what an exception may be, beside a crash
ANY = "(?i)" + "|".join(f"(?:{pattern})" for _, pattern in SIGNS) + r"|traceback \(most recent call last\)"
# What only counts such errors, and counts none, or is set to look for them.
COUNTS = re.compile(
    r"(?i)nan iterations?:\s*0\b|(?:found|nans?|infs?):?\s*(?:0|false|none)\b|\bno nans?\b"
    r"|nan.?(?:check|guard|policy)|detect_anomaly"
)


class Remark(NamedTuple):
    """An error, where the text reports it."""

    row: int  # number of the line
    kind: str
    detail: dict[str, object]


def remarks(lines: pl.DataFrame) -> list[Remark]:
    """The errors in the lines, in their order."""
    import polars as pl

    found = lines.filter(pl.col("line").str.contains(ANY))
    if not found.height:
        return []
    text = lines["line"].to_list()
    numbers = dict(zip(lines["row"].to_list(), range(len(text)), strict=True))
    errors: list[Remark] = []
    scale, until = float("inf"), -1
    for row, line in found.select("row", "line").rows():
        at = numbers[row]
        if at < until or COUNTS.search(line):
            continue
        if TRACE.lower() in line.lower():
            until, remark = _raised(text, at, row)
            errors += remark
            continue
        kind = next((kind for kind, pattern in SIGNS if re.search(f"(?i){pattern}", line)), "")
        detail: dict[str, object] = {"text": line.strip()[:LONGEST]}
        if kind == "loss_scale":
            match = TO.search(line) or SCALE.search(line)
            now = float(match["scale"]) if match else None
            if now is None or now >= scale:
                scale = scale if now is None else now
                continue
            scale = now
            detail["scale"] = now
        if kind == "crashed":
            detail |= {"type": line.strip().split("(")[0].strip()[:LONGEST], "message": ""}
        if kind:
            errors.append(Remark(row, kind, detail))
    return _few(errors)


def _raised(text: Sequence[str], at: int, row: int) -> tuple[int, list[Remark]]:
    """(the line after a traceback, what it raised): the first line below it that is not indented."""
    for i in range(at + 1, min(len(text), at + 400)):
        line = text[i]
        bare = re.sub(r"^\s*(?:\[?rank\s*\d+\]?:|\d+:)\s?", "", line)
        if not bare.strip() or bare.startswith((" ", "\t")):
            continue
        match = RAISED.match(bare.strip())
        if not match:
            return i, [Remark(row, "crashed", {"type": "", "message": "", "text": line.strip()[:LONGEST]})]
        name, message = match["type"].rpartition(".")[2], (match["message"] or "")[:LONGEST]
        detail: dict[str, object] = {"type": name, "message": message, "text": bare.strip()[:LONGEST]}
        if name == "KeyboardInterrupt":
            return i + 1, [Remark(row, "interrupted", detail)]
        kinds = dict.fromkeys(kind for kind, pattern in RESOURCES if re.search(f"(?i){pattern}", bare))
        return i + 1, [Remark(row, kind, {"text": detail["text"]}) for kind in kinds] + [Remark(row, "crashed", detail)]
    return len(text), [Remark(row, "crashed", {"type": "", "message": "", "text": TRACE})]


def _few(errors: Sequence[Remark]) -> list[Remark]:
    counts: dict[str, int] = {}
    kept = []
    for remark in errors:
        counts[remark.kind] = counts.get(remark.kind, 0) + 1
        if counts[remark.kind] <= MOST:
            kept.append(remark)
    return kept
