"""What the literature expects of signals in a phase, what a run shows, and how often such expectations hold."""

from __future__ import annotations

from runopsy.expectations.answers import answers
from runopsy.expectations.levels import levels
from runopsy.expectations.rates import RATES, TRAININGS, Rate
from runopsy.expectations.table import BY_CODE, EXPECTATIONS, Expectation

__all__ = ["BY_CODE", "EXPECTATIONS", "RATES", "TRAININGS", "Expectation", "Rate", "answers", "levels"]
