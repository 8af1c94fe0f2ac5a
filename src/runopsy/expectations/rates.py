"""How often each expectation held on trainings of the lab: what an answer is worth depends on it.

Measured by ``make bench-expectations``, which prints this table: 64 trainings of 8 kinds, eight seeds each, recorded
with ``signals="full"``; of 334 answers 59 agreed, 145 were contrary and 130 were "cannot tell".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Rate(NamedTuple):
    """Answers over all phases of all trainings that could be asked."""

    agrees: int
    contrary: int
    cannot_tell: int


TRAININGS = 64  # that the table counts
RATES: Mapping[str, Rate] = {
    "noise-falls": Rate(0, 2, 20),
    "noise-rises": Rate(0, 0, 2),
    "rank-rises": Rate(0, 40, 22),
    "gradient-aligns": Rate(0, 0, 12),
    "curvature-rises": Rate(17, 8, 37),
    "layers-alike": Rate(6, 2, 0),
    "units-specialise": Rate(8, 37, 17),
    "variance-rises": Rate(0, 32, 0),
    "representation-improves": Rate(18, 4, 2),
    "readout-unbiased": Rate(10, 20, 18),
}
