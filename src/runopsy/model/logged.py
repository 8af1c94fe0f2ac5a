"""What was logged: columns, marks, watched examples, and the run that they are of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runopsy.model.units import Counts, Position, Positions, Values

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One column of a log, as logged: in the order of the file, never repaired."""

    name: str
    step: Positions  # (n,) may repeat and may fall
    value: Values  # (n,) NaN and inf where they were logged
    time: Values | None = None  # (n,) unix seconds
    session: Counts | None = None  # (n,) 0 for the first session, rising by one with each resume
    unread: int = 0  # cells that held text where a number belongs
    parts: tuple[str, ...] = ()  # the columns that this one is the sum of; none of what was logged itself

    def __len__(self) -> int:
        return len(self.value)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something the training script reported about itself: ``run.event(step, kind, ...)``."""

    step: Position
    kind: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Turns:
    """When examples became right or wrong, in the order of the readings; at the first reading each has a row."""

    example: Counts  # (m,)
    step: Positions  # (m,)
    right: Counts  # (m,) 1: it became right, 0: wrong


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """One batch that the recorder watched example by example; arrays are (n,), one entry per example or position.

    Means are over readings. What an older recorder did not keep is None.
    """

    side: str  # "probe" (training examples), "heldout" or "canaries"
    first: Positions  # step of the first reading at which it was right; NaN: never
    learnt: Positions  # step from which it was right to the end; NaN: wrong at the end
    forgotten: Counts  # times it was right at one reading and wrong at the next
    group: tuple[str, ...] = ()  # the group of each, where groups were given
    label: Counts | None = None  # the class it was given
    rather: Counts | None = None  # the most probable other class, by mean probability
    confidence: Values | None = None  # mean probability of its label, 0 to 1
    variability: Values | None = None  # standard deviation of that probability over readings
    margin: Values | None = None  # mean of that probability less the best other class's, −1 to 1
    loss: Values | None = None  # −ln of that probability at the last reading
    turns: Turns | None = None
    readings: int | None = None

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A log, whoever wrote it."""

    path: str
    id: str
    axis: str  # "step", "epoch", "tokens", "samples", "time" or "row": what the positions of every track count
    tracks: Mapping[str, Track]
    marks: tuple[Mark, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    status: str | None = None  # of our own run folders: running, finished, failed, interrupted, killed, disk_full
    notes: tuple[str, ...] = ()  # what the reader had to skip or assume
    taken: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of our own run folders: signal → how it was
    missing: Mapping[str, str] = field(default_factory=dict)  # of our own run folders: signal → why it is not there
    sizes: Mapping[str, int] = field(default_factory=dict)  # examples of each data set, "tokens" of the training set
    examples: Mapping[str, Examples] = field(default_factory=dict)  # of our own run folders: by side, those watched
    parameters: int | None = None  # of the model, where the run states it
    trainable: int | None = None  # of them

    def __repr__(self) -> str:
        return f"Run({self.id!r}, {len(self.tracks)} signals by {self.axis}, status={self.status!r})"

    def to_polars(self) -> pl.DataFrame:
        """Long form: one row per logged value, columns ``signal, step, value`` in the order of the log."""
        import polars as pl  # half a second: only who asks for a frame pays

        frames = [
            pl.DataFrame({"signal": [t.name] * len(t), "step": t.step, "value": t.value}) for t in self.tracks.values()
        ]
        return pl.concat(frames) if frames else pl.DataFrame()


@dataclass(frozen=True, slots=True)
class Role:
    """Which column plays which part, and why runopsy thinks so."""

    role: str  # a canonical name such as "val/loss", or "" for a column that plays none
    track: str
    why: str
    scale: float = 1.0  # what the logged values are multiplied by: 0.01 for percent
    complement: bool = False  # the column logs an error rate: the signal is 1 - value
    logarithm: bool = False  # the column logs a perplexity: the signal is ln(value)
    better: str = ""  # "higher" or "lower" values of the column, "" where its name does not show it
    chosen: bool = False  # the best step is by this one: --metric names it, or the log's own "best" does
