"""One run: would a stopping rule have missed the late gain? A section for its report."""

from __future__ import annotations

from runopsy.errors import NotChecked
from runopsy.model import Autopsy
from runopsy.report.document import Block, Heading, Prose
from runopsy.study.backtest import log_of
from runopsy.study.backtest_words import run_table
from runopsy.study.outcome_table import Outcome, outcome
from runopsy.study.policies import Memorization, Patience, Policy, decide

ASKED = (
    Policy(Patience(3)),  # Lightning's default
    Policy(Patience(10)),
    Policy(Patience(50)),  # what the founding articles advise where grokking is possible
    Policy(Memorization()),
    Policy(Memorization(10)),
)


def section(autopsy: Autopsy) -> tuple[Block, ...]:
    """The section; nothing where the log has no validation curve of two rows, or none of the rules can be asked."""
    outcomes = _outcomes(autopsy)
    if not outcomes:
        return ()
    cut = sum(o.cut_off for o in outcomes)
    stops = sum(o.stop is not None for o in outcomes)
    if cut:
        answer = (
            f"Yes: {cut} of {len(outcomes)} usual rules would have stopped it before a tenth or more of the run's gain."
        )
    elif stops:
        answer = f"No: {stops} of {len(outcomes)} usual rules would have stopped the run, and none before a late gain."
    else:
        answer = f"No: none of {len(outcomes)} usual rules would have stopped the run before its end."
    return (Heading("Would a stopping rule have missed a late gain?"), Prose(answer), *run_table(outcomes))


def _outcomes(autopsy: Autopsy) -> list[Outcome]:
    found = []
    for policy in ASKED:
        try:
            log = log_of(autopsy)
            found.append(outcome(str(policy), log, decide(policy, log)))
        except NotChecked:
            continue
    return found
