"""How often each expectation held on trainings of the lab: what an answer is worth depends on it.

Measured by ``make bench-expectations``, which prints this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Rate(NamedTuple):
    """Answers over all phases of all trainings that could be asked."""

    agrees: int
    contrary: int
    cannot_tell: int


RATES: Mapping[str, Rate] = {}
