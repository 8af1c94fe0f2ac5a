"""Case → Facts: what is so about a run, each predicate defined once.

Rules, phases and verdicts only combine these facts. A fact states whether it holds, how large it is, from what
size on it counts, how sure that is against the noise of this log, and where it holds.
"""

from __future__ import annotations

from runopsy.facts.case import Case
from runopsy.facts.curve import Curve, Move
from runopsy.facts.fact import Fact
from runopsy.facts.late import LateGain, Peak
from runopsy.facts.table import Facts, facts_of

__all__ = ["Case", "Curve", "Fact", "Facts", "LateGain", "Move", "Peak", "facts_of"]
