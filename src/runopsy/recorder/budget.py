"""How often each probe can be afforded: the dear ones are thinned first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runopsy.recorder.cadence import Cadence

HORIZON = 1000  # calls; a run is taken to be at least so long, and what its first readings cost is spread over them
SOON = 0.25  # of the horizon, in which later debts are paid back; the first ones that much before its end
PLANNED = 0.9  # of the budget; the rest is for costs that rise between two plans
LEAST = 0.1  # of the budget, for probes where passing values alone uses it up, or where a first reading was dear
EARLY = 0.4  # of what the horizon may cost, for the log-spaced readings at its start
FORGET = 0.2  # weight of the newest cost: about the last five readings count
RECENT = 0.02  # weight of the newest step: about the last fifty count
WARMUP = 10.0  # times what it was expected to cost: more of a first reading may be what torch does only once …
LASTING = 0.2  # … but so much of it is what every reading costs
AT_ONCE = 1.0  # training steps; a dearer probe waits until a step has been timed
REPLAN = 0.5  # s; a plan for thirty probes takes about 0.1 ms, which is then no cost


@dataclass(slots=True, eq=False)
class Account:
    """What one probe costs. ``steps`` is what it says of itself, in training steps, until it has been measured."""

    cadence: Cadence
    steps: float
    readings: int = 0
    spent: float = 0.0  # s, all readings
    cost: float | None = None  # s, of recent readings

    def paid(self, cost: float) -> None:
        """Note what a reading cost, in seconds."""
        self.readings += 1
        self.spent += cost
        known = self.readings > 2  # the first paid for what torch does once, so the second stands alone
        self.cost = (1 - FORGET) * self.cost + FORGET * cost if known and self.cost is not None else cost

    def expected(self, step: float) -> float:
        """Seconds that the next reading will cost, where a training step takes ``step`` seconds."""
        if self.cost is None:
            return self.steps * step
        if self.readings == 1:
            return min(self.cost, max(WARMUP * self.steps * step, LASTING * self.cost))
        return self.cost


class Budget:
    """Keeps what probes cost within a share of wall time, by making their cadences coarser.

    A plan is made so that what was overspent, by first readings or by a guess that was wrong, is saved
    again well within the first ``HORIZON`` calls, and later within a quarter of it.

    Every probe starts from the cadence that was asked for; while all together are too dear, the one that
    takes most time is read half as often. So cheap probes keep their cadence as long as they can (max-min
    fairness), and all strides are powers of two times the one asked for: readings of several probes, and of
    several ranks, meet at common calls.
    """

    def __init__(self, share: float | None, accounts: Sequence[Account]) -> None:
        self.step: float | None = None  # s, of the loop without us, between two calls
        self._share = share
        self._accounts = [account for account in accounts if not account.cadence.named] if share else []
        self._began: float | None = None
        self._last = self._last_spent = 0.0
        self._calls = 0
        self._replan_at = 0.0
        self._gone = 0.0  # s, of probes that were given up
        for account in self._accounts:
            if account.steps > AT_ONCE:
                account.cadence.hold()

    def arrive(self, now: float, spent: float) -> None:
        """A call begins, at ``now`` s of a steady clock; the recorder has used ``spent`` s of its own so far."""
        if self._began is None:
            self._began = now
        elif self._accounts:
            self._calls += 1
            took = max(now - self._last - (spent - self._last_spent), 0.0)
            weight = max(RECENT, 1 / self._calls)
            self.step = took if self.step is None else (1 - weight) * self.step + weight * took
            if now >= self._replan_at:
                self._plan(self.step, now - self._began, spent)
                self._replan_at = now + REPLAN
        self._last, self._last_spent = now, spent

    def paid(self, account: Account, cost: float) -> None:
        """A reading was made; the first two say so much that a new plan is due at once."""
        account.paid(cost)
        if account.readings <= 2:
            self._replan_at = 0.0

    def close(self, account: Account, bill: float) -> None:
        """A probe has been given up; what it has cost so far, its unpaid ``bill`` too, stays spent."""
        self._gone += account.spent + bill
        self._accounts = [other for other in self._accounts if other is not account]

    def why_never(self, account: Account) -> str | None:
        """Why a probe has had no reading, if it was for its price."""
        if account.readings or account not in self._accounts or not account.cadence.held_back:
            return None
        return f"one reading costs about {account.steps:g} training steps, too much for the budget of so short a run"

    def _plan(self, step: float, elapsed: float, spent: float) -> None:
        """Set every stride."""
        assert self._share is not None  # else there is nothing to plan
        costs = [account.expected(step) for account in self._accounts]
        a_call = [cost / account.cadence.every for account, cost in zip(self._accounts, costs, strict=True)]
        ahead = max((1 - SOON) * HORIZON * step - elapsed, SOON * HORIZON * step, 1e-9)
        probes = self._gone + sum(account.spent for account in self._accounts)
        passing = (spent - probes) / max(elapsed, step, 1e-9)  # share of time that passing values takes
        saved = (self._share * (elapsed + ahead) - spent) / ahead
        rate = max(PLANNED * min(self._share, saved) - max(passing, 0.0), LEAST * self._share)
        for account, stride in zip(self._accounts, strides(a_call, rate * step), strict=True):
            account.cadence.thin(stride)
        early = [account.cadence.early_count for account in self._accounts]
        cap = level([c * n for c, n in zip(costs, early, strict=True)], EARLY * self._share * HORIZON * step)
        for account, cost in zip(self._accounts, costs, strict=True):
            account.cadence.thin_early(cap / cost if cost else float("inf"))


def strides(costs: Sequence[float], allowed: float) -> list[int]:
    """How many calls apart each reading has to be: powers of two with Σ cost / stride ≤ ``allowed``.

    Costs and ``allowed`` are in seconds (a call). The dearest per call is halved first, so the result is
    the discrete form of max-min fair sharing; see ``level`` for the continuous one.
    """
    cap = level(costs, allowed)
    found = [1 << max(0, _log2(cost / cap)) if cap else 1 << LONGEST for cost in costs]  # rounded down: too often
    while sum(c / s for c, s in zip(costs, found, strict=True)) > allowed and min(found) < 1 << LONGEST:
        dearest = max(range(len(costs)), key=lambda i: costs[i] / found[i])
        found[dearest] *= 2
    return found


LONGEST = 40  # as a power of two: a stride that no run lives to see


def _log2(ratio: float) -> int:
    """Rounded down, and bounded."""
    return min(int(ratio), 1 << LONGEST).bit_length() - 1


def level(demands: Sequence[float], total: float) -> float:
    """The height up to which every demand can be met: Σ min(demand, level) = ``total``, or infinity."""
    left, rest = max(total, 0.0), len(demands)
    for demand in sorted(demands):
        if demand * rest > left:
            return left / rest
        left, rest = left - demand, rest - 1
    return float("inf")
