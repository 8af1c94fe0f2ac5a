"""The object in the training loop."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakValueDictionary

from runopsy.recorder.compaction import compact, journals
from runopsy.recorder.complaints import Complaints, to_stderr
from runopsy.recorder.journal import ROWS_PER_PART, Journal
from runopsy.recorder.lane import AROUND, Lane
from runopsy.recorder.lock import Lock
from runopsy.recorder.manifest import append_event, begin, end, end_of_rank, next_session
from runopsy.recorder.outcome import exception_detail, how_the_script_ended, status_of
from runopsy.recorder.place import ALONE, Agreement, Place
from runopsy.recorder.rates import with_rates
from runopsy.recorder.reserve import Reserve
from runopsy.recorder.scalars import Packer
from runopsy.recorder.state import Detector, State
from runopsy.recorder.steps import NoStep, whole_step
from runopsy.store import read_manifest, write_manifest

if TYPE_CHECKING:
    from torch import Tensor

    from runopsy.recorder.instruments import Instruments

OVERHEAD_EVERY = 5.0  # s between readings of what recording costs; two rows, so that it costs nothing itself
OWN = {
    "recorder/overhead": {"unit": "share of wall time", "cadence": "every 5 s, and at the end"},
    "recorder/dropped": {"unit": "values", "cadence": "every 5 s, and at the end"},
}
FOREVER = 1 << 62  # calls of ``step``


class Recording:
    """A run being recorded. Make one with ``runopsy.record``; use it as a context manager.

    ``step`` and ``log`` return once the values are the operating system's: a kill at any later instant
    does not lose them. (Values that still lie on an accelerator follow as soon as they are ready.) No
    exception of the recorder leaves any method; the first one is shown as a warning. A copy that is pickled, for
    another process, records nothing there.
    """

    def __init__(
        self,
        folder: Path,
        instruments: Instruments | None,
        about: dict[str, Any],
        *,
        rows_per_part: int = ROWS_PER_PART,
        where: Place = ALONE,
        lock: Lock | None = None,
    ) -> None:
        self.path = folder
        self._instruments = instruments
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._open = True
        self._complain = Complaints(folder)
        self._lost = 0  # values of calls that failed
        self._fractional = 0  # values whose step was no whole number
        self._taken = lock
        self._exception: dict[str, Any] | None = None  # what the loop died of
        self._reserve = Reserve(folder)
        self._where, self._agreement = where, Agreement(folder, where)
        self._began = time.perf_counter()
        self._next_own = self._began + OVERHEAD_EVERY
        self._offset = time.time() - self._began  # wall clock and stopwatch in one reading
        earlier = read_manifest(folder) if where.rank == 0 else {}
        session = next_session(folder, earlier) if where.rank == 0 else None
        self._journal = Journal(folder, session, where.rank, rows_per_part)
        self._packer = Packer(self._journal.number, self._complain)
        self._lane = Lane(self._packer.numbers)
        self._detector: Detector | None = None  # from the first time that somebody asks
        self._manifest: dict[str, Any] = {}
        if where.rank == 0:
            self._guarded(partial(self._begin, earlier, about))
        OPEN[str(folder)] = self
        atexit.register(self._leave)

    def _begin(self, earlier: dict[str, Any], about: dict[str, Any]) -> None:
        """What the first rank does for all: the manifest, and order among what a killed session has left."""
        self._guarded(self._journal.claim)
        self._manifest = begin(self.path, earlier, self._journal.session or 0, about | self._signals())
        self._guarded(lambda: write_manifest(self.path, self._manifest))
        self._guarded(self._reserve.make)
        for left in journals(self.path):
            self._guarded(partial(compact, left))
        self._guarded(self._agree)  # only now: from here on other ranks have journals there

    # --- what the loop calls ---------------------------------------------------------------------

    def step(self, step: int, values: Mapping[str, float | Tensor] | None = None) -> None:
        """Record one optimizer step: call it after ``backward`` and before ``optimizer.step``.

        Args:
            step: optimizer steps completed so far, a whole number; with a fraction the call is left out and counted.
            values: floats or 0-d tensors, by signal name.
        """
        started = time.perf_counter()
        with self._lock:
            if self._lane.passes(step, values, True, started):
                return
        self._record(step, values if self._where.rank == 0 else None, True, started)

    def log(self, step: int, values: Mapping[str, float | Tensor]) -> None:
        """Record values at a step, without measuring anything: validation, or whatever has its own cadence.

        Of several processes the first one's are kept, here and in ``step``.
        """
        started = time.perf_counter()
        with self._lock:
            if self._lane.passes(step, values, False, started):
                return
        if self._where.rank == 0:
            self._record(step, values, False, started)

    def event(self, step: int, kind: str, **detail: Any) -> None:
        """Note that something happened that no curve shows: a change of data, of batch size, a manual restart."""
        if self._mine() and self._where.rank == 0:
            self._guarded(lambda: self._write_event(whole_step(step), str(kind), detail))

    def state(self) -> State:
        """How the run stands by what came so far: not finite, diverged, memorizing, stalled. It does nothing about it.

        Its fields are the steps since which that is so. What came before the first call counts as far as it is still
        in the journal. Of several processes the first one knows.
        """
        try:
            with self._lock:
                if self._detector is None:
                    self._lane.close()  # from here on every value goes the long way, past the detector
                    self._detector = Detector()
                    self._detector.take(self._journal.written(), self._packer.numbers)
                return self._detector.state(time.time())
        except Exception as cause:  # whatever happened, it must not reach the training loop
            self._complain(f"{type(cause).__name__}: {cause}")
            return State()

    def finish(self, status: str = "finished") -> None:
        """Close the run: everything into Parquet, the summary into run.json. Later calls do nothing."""
        if os.getpid() != self._pid:
            return  # before the lock: in a forked child, a hold that another thread had on it never ends
        with self._lock:
            if not self._open:
                return
            self._lane.close()
            self._guarded(self._drain)
            self._guarded(self._write_tables)
            self._open = False
            try:
                self._guarded(self._journal.close)
            finally:  # also where Ctrl-C ends the wait
                self._guarded(self._reserve.give_up)
                self._guarded(lambda: self._write_summary(status))
                if self._taken is not None:
                    self._guarded(self._taken.release)
        atexit.unregister(self._leave)
        self._warn_of_losses()

    def _leave(self) -> None:
        """The interpreter ends and nobody has closed the run: perhaps an exception has ended the script."""
        if self._mine(quietly=True):
            cause = how_the_script_ended()
            self._keep(cause)
            self.finish("unclosed" if cause is None else status_of(cause))

    def _warn_of_losses(self) -> None:
        if self._journal.trouble:
            self._complain(self._journal.trouble)
        lost = self._counts()
        if any(lost.values()):
            trouble = f" ({self._journal.trouble})" if self._journal.trouble else ""
            refused = f", {lost['refused']} values were no numbers" if lost["refused"] else ""
            fractional = f", {lost['fractional']} values were at steps that are no whole numbers"
            refused += fractional if lost["fractional"] else ""
            to_stderr(f"runopsy: {lost['dropped']} values were lost{trouble}{refused}; see {self.path}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, cause: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.finish(status_of(self._keep(cause)))

    def _keep(self, cause: BaseException | None) -> BaseException | None:
        """Remember the exception that ends the run; its text is somebody else's code."""
        if cause is not None and status_of(cause) != "finished" and self._open:
            self._exception = {"type": type(cause).__name__, "message": "", "step": self._lane.last_step}
            self._guarded(lambda: self._keep_exception(cause))
        return cause

    def _keep_exception(self, cause: BaseException) -> None:
        self._exception = exception_detail(cause, self._lane.last_step)

    def __reduce__(self) -> tuple[Any, ...]:
        return _elsewhere, (self.path,)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    # --- writing ---------------------------------------------------------------------------------

    def _record(self, step: int, values: Mapping[str, Any] | None, is_step: bool, started: float) -> None:
        try:
            with self._lock:
                self._lane.close()
                self._record_the_long_way(step, values, is_step, started)
        except NoStep as why:
            self._fractional += len(values) if isinstance(values, Mapping) else 1
            self._complain(str(why))
        except Exception as cause:  # whatever happened, it must not reach the training loop
            self._lost += len(values) if isinstance(values, Mapping) else 1
            self._complain(f"{type(cause).__name__}: {cause}")

    def _record_the_long_way(self, step: int, values: Mapping[str, Any] | None, is_step: bool, started: float) -> None:
        if not self._mine():
            return
        if type(step) is not int:
            step = whole_step(step)
        self._lane.last_step = step
        now = started + self._offset
        tools = self._instruments if is_step else None
        if tools is not None:
            values = with_rates(tools.optimizers, values)
        rows = self._packer.packed(step, values, now) if values else b""
        if tools is not None:
            rows += self._measured(tools, step, started)
        if self._packer.waiting:
            rows += b"".join(self._packer.arrived())
        if rows:
            self._write(rows, started)
        ended = time.perf_counter()
        self._lane.spent += ended - started + AROUND
        if ended >= self._next_own:
            self._report_cost(ended)
        if not self._packer.waiting:
            self._open_lane()

    def _open_lane(self) -> None:
        """Until something is due again, here, in the journal or the instruments; never where a detector looks on."""
        if self._detector is not None:
            return
        tools, mapped = self._instruments, self._journal.mapped
        steps, until, rates = (*tools.idle(), tools.optimizers) if tools is not None else (FOREVER, inf, {})
        if self._where.rank:  # which has no values to pass on
            self._lane.open(None, min(until, self._next_own), steps, {}, self._offset)
        elif mapped is not None:
            self._lane.open(mapped, min(until, self._next_own, self._journal.quiet_until), steps, rates, self._offset)

    def _measured(self, instruments: Instruments, step: int, started: float) -> bytes:
        now = started + self._offset
        instruments.skip(self._lane.passed)
        self._lane.passed = 0
        rows = b""
        for at, name, value in instruments.read(step, started, self._lane.spent):
            rows += self._packer.packed(at, {name: value}, now)
        if instruments.troubles:
            self._complain(instruments.troubles[0])
        return rows

    def _write(self, rows: bytes, started: float) -> None:
        if self._where.world > 1:
            self._agree()
        self._journal.append(rows, started)
        if self._detector is not None:
            self._guarded(partial(self._detector.take, rows, self._packer.numbers))
        if self._journal.trouble:
            self._complain(f"{self._journal.trouble}; values are held back, and counted if lost")
            if self._journal.disk_full and "disk_full" not in self._manifest and self._where.rank == 0:
                self._warn_disk_full()

    def _warn_disk_full(self) -> None:
        """In run.json at once, in the room kept for it: the process may be killed before there is more."""
        self._manifest["disk_full"] = {"step": self._lane.last_step, "time": time.time()}
        self._guarded(self._reserve.give_up)
        self._guarded(lambda: write_manifest(self.path, self._manifest))

    def _write_event(self, step: int, kind: str, detail: dict[str, Any]) -> None:
        with self._lock:
            if not self._journal.taken:
                about = {"step": step, "kind": kind, "time": time.time(), "session": self._journal.session}
                append_event(self.path, about | detail)

    def _drain(self) -> None:
        """What is still owed at the end: the last update, and values in flight."""
        now = time.perf_counter()
        rows = []
        if self._instruments is not None:
            for at, name, value in self._instruments.settle():
                rows += self._packer.rows(at, ((name, value),), now + self._offset)
        self._write(b"".join([*rows, *self._packer.arrived(wait=True)]), now)
        self._write_own(now)

    def _write_tables(self) -> None:
        """What the probes know example by example."""
        if self._instruments is None or self._journal.taken or not self._instruments.loop.tables:
            return
        from runopsy.recorder.tables import write_table  # imports pyarrow's table side, which only the end needs

        for name, table in self._instruments.loop.tables.items():
            write_table(self.path, name, table(), self._journal.session or 0)

    # --- keeping out of the loop's way -----------------------------------------------------------

    def _report_cost(self, now: float) -> None:
        """Now and then: what recording has cost so far."""
        self._next_own = now + OVERHEAD_EVERY
        self._offset = time.time() - now  # a stopwatch may stand still while the machine sleeps
        self._write_own(now)

    def _write_own(self, now: float) -> None:
        """What recording has cost and lost so far; where nothing can be written, run.json alone has it."""
        if self._lane.last_step is None or self._journal.stuck:
            return
        own = (("recorder/overhead", self._overhead()), ("recorder/dropped", self._counts()["dropped"]))
        self._write(b"".join(self._packer.rows(self._lane.last_step, own, now + self._offset)), now)

    def _agree(self) -> None:
        self._journal.session = self._agreement.settle(self._journal.session, time.perf_counter())

    def _overhead(self) -> float:
        spent = self._lane.spent + (self._instruments.unseen if self._instruments is not None else 0.0)
        return spent / max(time.perf_counter() - self._began, 1e-9)

    def _mine(self, quietly: bool = False) -> bool:
        """Whether this process may write: a forked data-loader worker holds a copy of the open file."""
        if os.getpid() != self._pid:
            return False
        if self._open:
            return True
        if not quietly:
            self._complain("something was logged after finish(), and is not recorded")
        return False

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as cause:  # whatever happened, it must not reach the training loop
            self._complain(f"{type(cause).__name__}: {cause}")

    # --- the manifest ----------------------------------------------------------------------------

    def _signals(self) -> dict[str, Any]:
        """What is measured in this run, and what cannot be, for run.json."""
        tools = self._instruments
        measured, missing = (tools.describe(), tools.not_recorded()) if tools is not None else ({}, {})
        return {"signals": measured | OWN, "not_recorded": missing}

    def _write_summary(self, status: str) -> None:
        lost = self._counts()
        if status in ("finished", "unclosed") and self._journal.disk_full and lost["dropped"]:
            status = "disk_full"
        if self._journal.taken:
            return
        about: dict[str, Any] = {"status": status, "last_step": self._lane.last_step, "exception": self._exception}
        if self._where.rank:
            if self._journal.session is not None:
                end_of_rank(self.path, self._journal.session, self._where.rank, about)
            return
        self._manifest["sessions"][-1]["session"] = self._journal.session
        about |= {"overhead": round(self._overhead(), 6), "trouble": self._journal.trouble}
        end(self.path, self._manifest, about | self._signals(), lost)

    def _counts(self) -> dict[str, int]:
        lost = self._journal.dropped + self._packer.lost + self._lost
        return {"dropped": lost, "refused": self._packer.refused, "fractional": self._fractional}


OPEN: WeakValueDictionary[str, Recording] = WeakValueDictionary()  # by folder: those of this process


def _in_a_forked_child() -> None:
    """A worker of a data loader, say: the long way looks whose process it is in, and waits for no thread of another."""
    for recording in tuple(OPEN.values()):
        recording._lane.close()  # noqa: SLF001  # of our own class
        recording._lock = threading.RLock()  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_forked_child)


def _elsewhere(path: Path) -> Recording:
    """What a recording is in a process that it was pickled for: nothing is recorded there."""
    recording = Recording.__new__(Recording)
    recording.path = path
    vars(recording).update(_pid=-1, _open=False, _instruments=None, _where=ALONE)
    vars(recording).update(_lock=threading.RLock(), _lane=Lane({}), _detector=Detector(), _complain=to_stderr)
    return recording
