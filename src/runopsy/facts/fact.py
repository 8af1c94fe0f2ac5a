"""One answer about a run."""

from __future__ import annotations

from dataclasses import dataclass

from runopsy.model import Position


@dataclass(frozen=True, slots=True)
class Fact:
    """Whether something is so, with the numbers that show it.

    It holds where ``size`` reaches ``limit`` and differs from noise.
    """

    holds: bool = False
    size: float = 0.0  # effect, in the unit that the fact is measured in
    limit: float = 0.0  # size from which it counts
    sure: float = 0.0  # size in standard errors; infinite where the log has no noise
    at: Position | None = None  # where it holds, or began to
    curve: str = ""  # the curve that shows it; "" where it could not be asked
    text: str = ""  # the numbers as a short sentence, for the report

    def __bool__(self) -> bool:
        return self.holds


UNASKED = Fact()
