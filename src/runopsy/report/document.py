"""What a report is made of, before looks are decided: no colours, no widths, no markup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from runopsy.model import Position, Positions, Values


@dataclass(frozen=True, slots=True)
class Heading:
    text: str


@dataclass(frozen=True, slots=True)
class Prose:
    text: str


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict: one word, how grave it is, one sentence."""

    word: str
    tone: str  # "good", "warn", "bad" or "plain"
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """The axis that a timeline and the charts below it share."""

    first: Position
    last: Position
    log: bool  # evenly spaced in log elapsed steps, from ``origin`` on
    origin: float  # the smallest elapsed step that is told apart
    unit: str  # "step", "epoch", …


@dataclass(frozen=True, slots=True)
class Band:
    label: str
    kind: str  # the phase, for its colour
    start: Position
    end: Position


@dataclass(frozen=True, slots=True)
class Timeline:
    scale: Scale
    bands: tuple[Band, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    name: str
    step: Positions
    value: Values


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """Curves over the run; ``cuts`` are the phase boundaries."""

    title: str
    scale: Scale
    lines: tuple[Line, ...]
    log: bool
    cuts: tuple[Position, ...]
    rows: int  # of text, as a hint to the terminal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that happened: what, where, in words, and the numbers of its evidence."""

    what: str
    tone: str
    where: str
    text: str
    refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    items: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block: TypeAlias = Heading | Prose | Headline | Timeline | Chart | Findings | Table


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    blocks: tuple[Block, ...]
