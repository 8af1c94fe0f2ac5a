"""Run → Signals: which column plays which role, cleaned and on one axis."""

from __future__ import annotations

from runopsy.signals.axis import clock, mover, rebase
from runopsy.signals.clean import Measured, in_unit, measure
from runopsy.signals.derived import derived
from runopsy.signals.missing import Missing, missing, refusal
from runopsy.signals.parts import with_sums
from runopsy.signals.regression import with_powers
from runopsy.signals.roles import ROLES, assign

__all__ = ["ROLES", "Measured", "Missing", "assign", "clock", "derived", "in_unit", "measure", "missing", "mover",
           "rebase", "refusal", "with_powers", "with_sums"]  # fmt: skip
