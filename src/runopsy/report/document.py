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
    sure: str = ""  # "right about 9 times in 10", where it is calibrated


@dataclass(frozen=True, slots=True)
class Scale:
    """The axis that a timeline and the charts below it share."""

    first: Position
    last: Position
    log: bool  # evenly spaced in log elapsed steps, from ``origin`` on
    origin: float  # the smallest elapsed step that has a place of its own
    unit: str  # "step", "epoch", …

    @property
    def title(self) -> str:
        """What the axis counts, and how it is spaced."""
        return f"{self.unit}{', log scale' if self.log else ''}"


@dataclass(frozen=True, slots=True)
class Band:
    label: str
    kind: str  # the phase, for its colour
    start: Position
    end: Position
    interval: tuple[Position, Position] | None = None  # of its start


@dataclass(frozen=True, slots=True)
class Timeline:
    scale: Scale
    bands: tuple[Band, ...]
    name: str = ""  # whose, where there are several


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A curve: its course, and the rows behind it where a renderer has room for them."""

    name: str
    step: Positions
    value: Values
    rows: tuple[Positions, Values] | None = None  # as logged; a million of them is usual
    dots: bool = False  # whether the rows are points of their own, such as trainings of several sizes, and no course


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """Curves over the run; ``cuts`` are the phase boundaries."""

    title: str
    scale: Scale
    lines: tuple[Line, ...]
    log: bool
    cuts: tuple[Position, ...]
    rows: int  # of text, as a hint to the terminal
    ceiling: float | None = None  # values above it are drawn at the edge: a loss that left would flatten the rest


@dataclass(frozen=True, slots=True)
class Mark:
    """Something at one place of the axis, and how surely it is there."""

    label: str
    tone: str
    at: Position
    until: Position | None = None
    interval: tuple[Position, Position] | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """Timelines and curves over one axis. All scales in it are the same."""

    name: str  # of its file, where it becomes one
    alt: str  # what it shows, for who cannot see it
    timelines: tuple[Timeline, ...]
    charts: tuple[Chart, ...]
    marks: tuple[Mark, ...] = ()
    numbers: Table | None = None  # the timelines in numbers
    further: tuple[Chart, ...] = ()  # curves that a page shows when asked; others leave them out


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


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """Points of one kind on a map."""

    name: str
    x: Values
    y: Values


@dataclass(frozen=True, slots=True)
class Scatter:
    """Points on two even scales; clouds lie one above the other, the last on top."""

    name: str  # of its file, where it becomes one
    alt: str  # what it shows, for who cannot see it
    x: tuple[str, float, float]  # name, least and largest of the scale
    y: tuple[str, float, float]
    clouds: tuple[Cloud, ...]


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Moves:
    """Which signals move where: 1 up, -1 down, 0 not."""

    scale: Scale
    steps: tuple[Position, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]  # a signal, and its move at each of the steps


@dataclass(frozen=True, slots=True)
class Square:
    """One field of a map."""

    x: int  # column, from 0
    y: int  # row, from 0 at the bottom
    kind: str  # for its colour
    text: str  # in a table
    label: str  # in a drawing, where there is room
    hover: str


@dataclass(frozen=True, slots=True)
class Map:
    """What became of runs over two settings."""

    name: str  # of its file, where it becomes one
    alt: str  # what it shows, for who cannot see it
    x_name: str
    y_name: str
    xs: tuple[str, ...]  # names of the columns
    ys: tuple[str, ...]  # names of the rows, from the bottom
    squares: tuple[Square, ...]
    kinds: tuple[tuple[str, str], ...]  # each colour that is used, and what it means


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A small drawing of a signal."""

    name: str
    step: Positions
    value: Values


@dataclass(frozen=True, slots=True, eq=False)
class RunLine:
    """One run of many."""

    cells: tuple[str, ...]
    first: Position
    last: Position
    bands: tuple[Band, ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Many runs, one line each, their timelines on one axis."""

    columns: tuple[str, ...]
    lines: tuple[RunLine, ...]
    first: Position
    last: Position
    unit: str  # what all of them count; empty where they count unlike things: then each has an axis of its own


@dataclass(frozen=True, slots=True)
class Step:
    """Something to try next, and the finding it follows from."""

    do: str
    because: str


@dataclass(frozen=True, slots=True)
class Steps:
    items: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """For who wants to check: folded where a format can fold, left out of a terminal unless asked for."""

    summary: str
    blocks: tuple[Block, ...]
    open: bool = False  # whether a page shows it unfolded


Block: TypeAlias = (
    Heading
    | Prose
    | Headline
    | Picture
    | Timeline
    | Chart
    | Scatter
    | Map
    | Findings
    | Table
    | Runs
    | Moves
    | Steps
    | Details
)


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    blocks: tuple[Block, ...]
    foot: str = ""  # which version of what made it
    first: tuple[Block, ...] = ()  # what a terminal shows instead, unless all is asked for
    more: str = ""  # what that leaves out, and how to see it
