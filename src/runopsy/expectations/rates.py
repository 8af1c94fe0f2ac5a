"""How often each expectation held on trainings of the lab: what an answer is worth depends on it.

Measured by ``python tests/benchmarks/bench_expectations.py 3``, which prints this table: 24 trainings of 8 kinds, three
seeds each, recorded with ``signals="full"``; of 145 answers 35 agreed, 62 were contrary and 48 were
"cannot tell". ``make bench-expectations`` asks 64 trainings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Rate(NamedTuple):
    """Answers over all phases of all trainings that could be asked."""

    agrees: int
    contrary: int
    cannot_tell: int


TRAININGS = 24  # that the table counts
RATES: Mapping[str, Rate] = {
    "noise-falls": Rate(0, 1, 9),
    "noise-rises": Rate(0, 0, 1),
    "rank-rises": Rate(0, 15, 8),
    "gradient-aligns": Rate(4, 7, 12),
    "curvature-rises": Rate(13, 4, 6),
    "layers-alike": Rate(2, 1, 0),
    "units-specialise": Rate(3, 14, 6),
    "variance-rises": Rate(0, 12, 0),
    "representation-improves": Rate(7, 1, 1),
    "readout-unbiased": Rate(6, 7, 5),
}
