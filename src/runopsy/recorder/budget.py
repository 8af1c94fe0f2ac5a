"""How often each family of signals can be afforded: the dear are thinned first, and all are spread over the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from runopsy.recorder.cadence import DENSEST, Cadence
from runopsy.recorder.strides import level, strides

GRACE = 5.0  # s; so much of the run may be paid for in advance: without it nothing could be read at the start
RECOVER = 5.0  # s in which what was overspent, by a reading that was dearer than thought, is saved again
LASTS = 30.0  # s; where the length of a run is not known, each signal is first given its readings over so long
WANTED = 16  # readings in that time, or in the whole run: twice what a curve needs, for a stride is a power of two
PACE = WANTED // 2  # readings in that time that each is to have: one that lags behind is made as soon as it can be paid
OWN = 0.5  # of an even share of what may be spent, that a family may use without leaving anything to others
TRIED = 2.0  # readings that a family of unknown price must be able to have for others to wait for its first one
PLANNED = 0.9  # of the budget; the rest is for costs that rise between two plans, and for what is not seen of them
LEAST = 0.1  # of the budget, for signals where passing values alone uses it up, or one reading has overdrawn it
EARLY = 0.4  # of what may be spent by now, for the extra readings at the start
AHEAD = 0.1  # of a run of known length that may be paid for in advance
FORGET = 0.2  # weight of the newest cost: about the last five readings count
RECENT = 0.02  # weight of the newest step: about the last fifty count
LASTING = 0.2  # of a first reading, that every reading costs at least: the rest may be what torch does only once
AT_ONCE = 1.0  # training steps: what is taken to cost more waits until a step has been timed
REPLAN = 0.5  # s between plans at first; one takes 0.1 to 0.4 ms, from cold caches …
REPLAN_SHARE = 0.05  # … and later this part of the run so far, RECOVER at most: prices and steps change less and less
FOLLOWED = 8  # steps after readings, without any other between them, after which theirs is the usual length


@dataclass(slots=True, eq=False)
class Account:
    """What one family of signals costs. ``steps`` is what it is taken to cost, in training steps, until it is known."""

    cadence: Cadence
    steps: float
    follows: Account | None = None  # whose forward passes it uses: it is never read more often
    readings: int = 0
    spent: float = 0.0  # s, all readings
    cost: float | None = None  # s, of recent readings
    late: bool = False  # a reading was due, and could not be afforded yet
    bill: float = 0.0  # s, of the reading that is going on
    open: int = 0  # its signals that still owe something: readings, or their price

    def paid(self) -> None:
        """The reading is complete."""
        cost, self.bill = self.bill, 0.0
        self.readings += 1
        self.spent += cost
        known = self.readings > 2  # the first paid for what torch does once, so the second stands alone
        self.cost = (1 - FORGET) * self.cost + FORGET * cost if known and self.cost is not None else cost

    def forget(self) -> None:
        """The next reading is of another kind: what it costs is not known."""
        self.cost, self.readings = None, 0

    def expected(self, step: float) -> float:
        """Seconds that the next reading will cost, where a training step takes ``step`` seconds."""
        if self.cost is None:
            return self.steps * step
        if self.readings == 1:
            return min(self.cost, max(self.steps * step, LASTING * self.cost))
        return self.cost


@dataclass(slots=True, eq=False)
class Budget:
    """Keeps what recording costs within a share of wall time, from the first seconds on.

    Two things do it. A plan gives each family its distance between readings, so that all together cost what the
    budget allows: first all families get the same number of readings, ``WANTED`` if that can be, then what is left
    goes to all alike, so that cheap ones are read at every call if they can be; see ``strides``.
    And no reading is made before it can be paid: it waits, and is made up for, if it was one of the even ones.
    Beyond half of its even share, a family leaves what the first readings of others, and of those that lag behind
    eight in the time, will cost: else the cheap would use up what a dear one has to save. What uses the forward
    passes of another family is read beside it alone, for which that one waits.

    What passing values takes is counted, and cannot be thinned: where a step takes about a millisecond, 2.4 to 5.8 %
    of processor time were measured at a share of 0.02.

    Args:
        share: of wall time; None for no limit.
        accounts: one per family.
        expected: ``run.step`` calls of the whole run, where that is known.
        started: s of a steady clock, before the first step: a bound on how long that step took.
    """

    share: float | None
    accounts: list[Account]
    expected: int | None = None
    started: float | None = None
    step: float | None = None  # s, of the loop without us, between two calls
    unseen: float = 0.0  # s that the steps after readings took longer than others: caches, hooks
    _began: float | None = None
    _last: float = 0.0
    _last_spent: float = 0.0
    _calls: int = 0
    _replan_at: float = 0.0
    _gone: float = 0.0  # s, of families that were given up
    _read: float = 0.0  # s, of the readings of the last call
    _after: list[float] = field(default_factory=list)  # s, of steps that followed readings, until another is timed …
    _after_read: float = 0.0  # … and of those readings
    _planned: list[Account] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.share is not None:
            self._planned = [account for account in self.accounts if not account.cadence.asked]

    @property
    def quiet_until(self) -> float:
        """Until when (s of the clock) it need not hear of each call."""
        if self._began is None or self._after or self._read:
            return 0.0
        return self._replan_at if self._planned else float("inf")

    def arrive(self, now: float, spent: float, calls: int = 1) -> bool:
        """A call begins, at ``now`` s of a steady clock; the recorder has used ``spent`` s of its own so far.

        Args:
            calls: those since it last heard of one, this one among them. Of a step that follows a reading, and of
                the next, it has to hear alone.

        Returns:
            whether there is a new plan.
        """
        replanned = False
        if self._began is None:
            self._began = now
            if self.started is not None and now > self.started:
                self.step = now - self.started
            replanned = self._plan(now, spent)
        elif self._planned:
            self._note_steps(max(now - self._last - (spent - self._last_spent), 0.0), calls)
            if now >= self._replan_at:
                replanned = self._plan(now, spent)
        self._last, self._last_spent = now, spent
        return replanned

    def _note_steps(self, took: float, calls: int) -> None:
        self._calls += calls
        if self._calls == calls or self.step is None:
            self.step = took / calls
            self._read = 0.0  # there is no other step yet to compare with
            return
        if self._read:
            self._after.append(took)
            self._after_read += self._read
            self._read = 0.0
            if len(self._after) < FOLLOWED:
                return
            took = sum(self._after) / len(self._after)
        if self._after:
            # beside the next step, which is as long but for that; never more than the readings themselves: a
            # validation may have followed one
            more = sum(self._after) - len(self._after) * took
            self.unseen += min(max(more, -self._after_read), self._after_read)
            self._after, self._after_read = [], 0.0
        weight = max(1 - (1 - RECENT) ** calls, calls / self._calls)
        self.step = (1 - weight) * self.step + weight * took / calls

    def affordable(self, account: Account, now: float, spent: float, beside: Sequence[Account] = ()) -> bool:
        """Whether a reading can be made at this call, and those ``beside`` it that use its forward passes."""
        if self.share is None or account.cadence.asked or self._began is None:
            return True
        if self.step is None:
            return account.steps <= AT_ONCE
        cost, allowed = account.expected(self.step), self.share * self._paid_for(now)
        if account.spent + cost <= self._always() * allowed:
            return True
        own = account.spent + cost <= OWN * allowed / len(self._planned)
        owed = 0.0 if own else self._owed(account, now - self._began, beside)
        return self._spent(spent) + cost + self._beside(account, beside, now - self._began) + owed <= allowed

    def _beside(self, account: Account, others: Sequence[Account], elapsed: float) -> float:
        """Seconds that readings beside one cost; a first one does not wait for them, and none for what is too dear."""
        if not account.readings:
            return 0.0
        costs = [(other, other.expected(self.step or 0.0)) for other in others if not other.cadence.asked]
        return sum(cost for other, cost in costs if self._hoped(other, cost, elapsed))

    def _owed(self, account: Account, elapsed: float, beside: Sequence[Account] = ()) -> float:
        """Seconds that a reading leaves to other families: for a first one of each and, if it is not behind its pace
        itself, for the next one of each that is."""
        assert self.share is not None
        assert self.step is not None  # both as ``affordable`` has seen
        pace = self._pace(elapsed)
        enough = pace if account.readings >= pace else min(account.readings, 1)
        behind = [(other, other.expected(self.step)) for other in self._planned if other.readings < enough]
        # one that is behind has half of its readings before it waits for what can never have its own in time
        hoped = self._in_time if account.readings < min(pace, PACE // 2) else self._hoped
        return sum(cost for o, cost in behind if o not in beside and hoped(o, cost, elapsed))

    def _pace(self, elapsed: float) -> int:
        """How many readings each family is to have by now."""
        return min(1 + int(PACE * elapsed / self._span(elapsed)), PACE)

    def _span(self, elapsed: float) -> float:
        """Seconds over which each family is to have its readings."""
        length = self._length(elapsed)
        return LASTS if length is None else max(length, self.step or 0.0)

    def _hoped(self, account: Account, cost: float, elapsed: float) -> bool:
        """Whether a family can have its readings in time; where a price is only thought, whether it can have some."""
        assert self.share is not None  # or nothing is planned
        several = PACE if account.cost is not None else TRIED
        return cost * several <= self.share * max(self._span(elapsed), elapsed)

    def _in_time(self, account: Account, cost: float, elapsed: float) -> bool:
        """Whether eight readings of this price can be had in time."""
        assert self.share is not None  # or nothing is planned
        return cost * PACE <= self.share * max(self._span(elapsed), elapsed)

    def _always(self) -> float:
        """Part of what may be spent that each family has for itself, whatever the others have overdrawn."""
        return LEAST / max(len(self._planned), 1)

    def when_affordable(self, account: Account, spent: float, beside: Sequence[Account] = ()) -> float:
        """From when on (s of the clock) a reading that is late can be made, and those ``beside`` it."""
        if not self.share or self._began is None:
            return 0.0
        cost, elapsed = account.expected(self.step or 0.0), self._last - self._began
        shared = self._spent(spent) + cost + self._beside(account, beside, elapsed)
        shared += self._owed(account, elapsed, beside) if self.step is not None else 0.0
        return self._began + min(shared, (account.spent + cost) / self._always()) / self.share

    def settled(self, account: Account) -> None:
        """A reading was made and paid; the first two say so much that a new plan is due at once."""
        self._read += account.bill
        account.paid()
        if account.readings <= 2:
            self._replan_at = 0.0

    def close(self, account: Account) -> None:
        """A family has been given up; what it has cost so far stays spent."""
        self._gone += account.spent + account.bill
        self._planned = [other for other in self._planned if other is not account]

    def why_never(self, account: Account) -> str | None:
        """Why a family has had no reading, if it was for its price."""
        if account.readings or account not in self._planned or not (account.late or account.cadence.stride > 1):
            return None
        if self.step is None:
            return "the run was too short: it had no reading"
        cost = account.expected(self.step)
        return (
            f"one reading costs about {account.steps:g} training steps ({cost:.2g} s), more than budget={self.share:g}"
            " of this run: train longer, or give a larger budget="
        )

    def outlook(self, account: Account, readings: int, share: float) -> int | None:
        """About how many readings another share of the same run would have given; None where that is not known."""
        if not self.share or account not in self._planned or not readings or account.cadence.stride == 1:
            return None
        return min(round(readings * share / self.share), self._calls + 1)

    def _spent(self, spent: float) -> float:
        return spent + max(self.unseen, 0.0)

    def _paid_for(self, now: float) -> float:
        """Seconds of wall time whose share may have been spent by now."""
        assert self._began is not None  # nothing is asked before the first call
        elapsed = now - self._began
        length = self._length(elapsed)
        if length is None:
            return max(elapsed, GRACE)
        return min(max(elapsed, GRACE, AHEAD * length), length)

    def _length(self, elapsed: float) -> float | None:
        """How long the run will take, in seconds, where its steps are known."""
        if self.expected is None or self.step is None:
            return None
        return elapsed + max(self.expected - self._calls, 1) * self.step

    def _plan(self, now: float, spent: float) -> bool:
        """Set the distances between readings."""
        self._replan_at = now + max(REPLAN, min(REPLAN_SHARE * (now - (self._began or now)), RECOVER))
        if self.share is None or self.step is None or self._began is None or not self._planned:
            return False
        elapsed = now - self._began
        length = self._length(elapsed)
        ahead = max(length - elapsed, self.step) if length is not None else max(GRACE - elapsed, RECOVER)
        total = self._spent(spent)
        # what was left unused is not made up for: the distances would go up and down
        rate = min((self.share * (elapsed + ahead) - total) / ahead, self.share)
        probes = self._gone + sum(account.spent for account in self.accounts)
        passing = (spent - probes) / max(elapsed, self.step, 1e-9)  # share of time that passing values takes
        rate = max(PLANNED * rate - max(passing, 0.0), LEAST * self.share)
        step = max(self.step, 1e-9)
        costs = [account.expected(step) for account in self._planned]
        wanted = WANTED * step / self._span(elapsed)  # readings a call
        found = strides(costs, rate * step, min(wanted, 1.0))
        for account, stride in zip(self._planned, found, strict=True):
            account.cadence.stride = max(stride, account.follows.cadence.stride if account.follows else 1)
        self._plan_start(costs, EARLY * self.share * self._paid_for(now))
        self._hurry(costs, elapsed)
        return True

    def _hurry(self, costs: Sequence[float], elapsed: float) -> None:
        """Let those be late whose distance, a power of two, has given them too few readings by now."""
        pace = self._pace(elapsed)
        for account, cost in zip(self._planned, costs, strict=True):
            if account.readings < pace and self._hoped(account, cost, elapsed):
                account.late = True

    def _plan_start(self, costs: Sequence[float], allowed: float) -> None:
        """How dense the extra readings at the start are: all of them together may cost ``allowed`` s."""
        demands = [c * a.cadence.early(DENSEST) for c, a in zip(costs, self._planned, strict=True)]
        cap = level(demands, allowed)
        for account, cost in zip(self._planned, costs, strict=True):
            cadence, dense = account.cadence, DENSEST
            while dense and cost * cadence.early(dense) > cap:
                dense //= 2
            cadence.plan(cadence.stride, dense)
