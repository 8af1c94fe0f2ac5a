"""How often each expectation held on trainings of the lab: what an answer is worth depends on it.

Measured by ``python tests/benchmarks/bench_expectations.py 2``, which prints this table: 16 trainings of 8 kinds, two
seeds each, recorded with ``signals="full"``; of 98 answers 23 agreed, 42 were contrary and 33 could not be told.
``make bench-expectations`` asks 64 trainings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Rate(NamedTuple):
    """Answers over all phases of all trainings that could be asked."""

    agrees: int
    contrary: int
    cannot_tell: int


TRAININGS = 16  # that the table counts
RATES: Mapping[str, Rate] = {
    "noise-falls": Rate(0, 1, 5),
    "noise-rises": Rate(0, 0, 0),
    "rank-rises": Rate(0, 10, 6),
    "gradient-aligns": Rate(2, 5, 9),
    "curvature-rises": Rate(9, 3, 4),
    "layers-alike": Rate(1, 1, 0),
    "units-specialise": Rate(2, 9, 5),
    "variance-rises": Rate(0, 8, 0),
    "representation-improves": Rate(5, 1, 0),
    "readout-unbiased": Rate(4, 4, 4),
}
