"""The object in the training loop."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from runopsy.errors import BadOption
from runopsy.recorder.compaction import compact, journals
from runopsy.recorder.complaints import Complaints, say
from runopsy.recorder.journal import ROWS_PER_PART, Journal
from runopsy.recorder.manifest import append_event, begin, check_free, end, next_session
from runopsy.recorder.place import ALONE, Agreement, Place, place
from runopsy.recorder.scalars import Packer
from runopsy.store import is_run_folder, read_manifest, write_manifest

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from runopsy.recorder.instruments import Instruments

OVERHEAD_EVERY = 5.0  # s between readings of what recording costs; two rows, so that it costs nothing itself
OWN = {
    "recorder/overhead": {"unit": "share of wall time", "cadence": "every 5 s, and at the end"},
    "recorder/dropped": {"unit": "values", "cadence": "every 5 s, and at the end"},
}


def record(
    path: str | os.PathLike[str],
    *,
    model: nn.Module | None = None,
    optimizer: Optimizer | None = None,
    loss_fn: Any = None,
    probe: Any = None,
    heldout: Any = None,
    signals: str | Iterable[str] = "default",
    every: int | Iterable[int] | None = None,
    budget: float | None = 0.02,
    config: Mapping[str, Any] | None = None,
    resume: bool = False,
    head: Any = None,
    canaries: Any = None,
    scaler: Any = None,
    clipped: bool = False,
) -> Recording:
    """Start recording a training run into a new folder.

    Of several processes (DDP, FSDP) each calls this with the same path: the first one writes what is the
    same on all, every one its own share of the rest. None ever waits for another.

    Args:
        path: the run folder; it must not exist, unless ``resume``.
        model: what is measured. It is given back as it was: weights, buffers, modes, gradients, random states.
        optimizer: for the learning rate of every parameter group.
        loss_fn: ``(output, targets) → 0-d tensor``; for gradients and curvature on the probe batch.
        probe: ``(inputs, targets)`` of some training examples, 100 to 2 000, always the same; what costs many
            gradients takes a part of them, measured by the training batch. Inputs may be a tensor, a tuple
            of arguments or a dict of keywords. A single dict with ``labels`` serves a model
            that computes its own loss.
        heldout: the same of examples that are not trained on.
        head: the module, or its name, whose input is the last hidden features; default: the last linear layer.
        canaries: a ``runopsy.Canaries``, or ``(inputs, false labels)``.
        signals: ``"scalars"`` (what you pass, and ``lr``), ``"default"``, ``"full"``, or a list of names.
        every: measure at every n-th ``step`` call or at the given ones; default: log-spaced, then as often
            as the budget allows.
        budget: the share of wall time that recording may cost, 0 to 1; None for no limit. Signals are read
            less often to keep it, the dear ones first. A run is taken to have at least 1000 steps.
        config: whatever describes the run; anything JSON cannot hold is stored as text.
        resume: continue an existing run, in a new session; a missing path is then simply started.
        scaler: the ``torch.amp.GradScaler``, if there is one: gradients that are still scaled when ``step``
            is called are then measured as if they were not.
        clipped: gradients have been clipped when ``step`` is called: their norms are then not measured.

    Raises:
        RunExists: the path exists and ``resume`` is false, or it is something else than a run folder.
        BadOption: an unknown signal, one that was asked for by name without what it needs, a budget
            outside 0 to 1.

    A folder that cannot be written is no error: training goes on, one warning says so.
    """
    folder = Path(path).absolute()  # the script may change its working directory
    where = place()
    if where.rank == 0:
        check_free(folder, resume)
    if budget is not None and not 0 < budget <= 1:
        raise BadOption(f"budget={budget!r} is not a share of wall time", hint="give 0 < budget <= 1, or None")
    if config is not None and not isinstance(config, Mapping):
        raise BadOption(f"config is a {type(config).__name__}", hint="give a dict; of argparse arguments, vars(args)")
    instruments = None
    if model is not None or optimizer is not None or signals not in ("scalars", "default"):
        from runopsy.recorder.instruments import Instruments  # imports torch, which such a caller has by now
        from runopsy.recorder.probes import Loop

        batches = _batches(probe=probe, heldout=heldout, canaries=canaries)
        resumed = resume and is_run_folder(folder)
        further = {"head": head, "resumed": resumed, "scaler": scaler, "clipped": clipped} | where._asdict()
        instruments = Instruments.choose(Loop(model, optimizer, loss_fn, **batches, **further), signals, every, budget)
    given = {
        "model": model,
        "optimizer": optimizer,
        "loss_fn": loss_fn,
        "probe": probe,
        "heldout": heldout,
        "head": head,
        "canaries": canaries,
    }
    handed = sorted(name for name, value in given.items() if value is not None)
    about: dict[str, Any] = {"config": dict(config or {}), "given": handed}
    if where.world > 1:
        about["world"] = where.world
    return Recording(folder, instruments, about, where=where)


def _batches(**given: Any) -> dict[str, Any]:
    """What was given to measure on, in one form."""
    from runopsy.recorder.batches import Batch
    from runopsy.recorder.canary import Canaries

    plainly = {name: what.batch() if isinstance(what, Canaries) else what for name, what in given.items()}
    return {name: Batch.of(what, name) for name, what in plainly.items() if what is not None}


class Recording:
    """A run being recorded. Make one with ``runopsy.record``; use it as a context manager.

    ``step`` and ``log`` return once the values are the operating system's: a kill at any later instant
    does not lose them. (Values that still lie on an accelerator follow as soon as they are ready.) No
    exception of the recorder leaves any method; the first one is shown as a warning.
    """

    def __init__(
        self,
        folder: Path,
        instruments: Instruments | None,
        about: dict[str, Any],
        *,
        rows_per_part: int = ROWS_PER_PART,
        where: Place = ALONE,
    ) -> None:
        self.path = folder
        self._instruments = instruments
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._open = True
        self._complain = Complaints(folder)
        self._lost = 0  # values of calls that failed
        self._spent = 0.0
        self._last_step: int | None = None
        self._where, self._agreement = where, Agreement(folder, where)
        self._began = self._last_overhead = time.perf_counter()
        self._offset = time.time() - self._began  # wall clock and stopwatch in one reading
        earlier = read_manifest(folder) if where.rank == 0 else {}
        session = next_session(folder, earlier) if where.rank == 0 else None
        self._journal = Journal(folder, session, where.rank, rows_per_part)
        self._packer = Packer(self._journal.number, self._complain)
        self._manifest: dict[str, Any] = {}
        if where.rank == 0:
            self._guarded(partial(self._begin, earlier, about))
        atexit.register(self.finish, "unclosed")

    def _begin(self, earlier: dict[str, Any], about: dict[str, Any]) -> None:
        """What the first rank does for all: the manifest, and order among what a killed session has left."""
        self._guarded(self._journal.claim)
        self._manifest = begin(self.path, earlier, self._journal.session or 0, about | self._signals())
        self._guarded(lambda: write_manifest(self.path, self._manifest))
        for left in journals(self.path):
            self._guarded(partial(compact, left))
        self._guarded(self._agree)  # only now: from here on other ranks have journals there

    # --- what the loop calls ---------------------------------------------------------------------

    def step(self, step: int, values: Mapping[str, float | Tensor] | None = None) -> None:
        """Record one optimizer step: call it after ``backward`` and before ``optimizer.step``.

        Args:
            step: optimizer steps completed so far.
            values: floats or 0-d tensors, by signal name.
        """
        self._record(step, values, self._instruments)

    def log(self, step: int, values: Mapping[str, float | Tensor]) -> None:
        """Record values at a step, without measuring anything: validation, or whatever has its own cadence.

        Of several processes the first one's are kept, here and in ``step``.
        """
        if self._where.rank == 0:
            self._record(step, values, None)

    def event(self, step: int, kind: str, **detail: Any) -> None:
        """Note that something happened that no curve shows: a change of data, of batch size, a manual restart."""
        if self._where.rank == 0 and self._mine():
            self._guarded(lambda: self._write_event(int(step), str(kind), detail))

    def finish(self, status: str = "finished") -> None:
        """Close the run: everything into Parquet, the summary into run.json. Later calls do nothing."""
        if os.getpid() != self._pid:
            return  # before the lock: in a forked child, a hold that another thread had on it never ends
        with self._lock:
            if not self._open:
                return
            self._guarded(self._drain)
            self._guarded(self._write_tables)
            self._open = False
            try:
                self._guarded(self._journal.close)
            finally:  # also where Ctrl-C ends the wait
                self._guarded(lambda: self._write_summary(status))
        atexit.unregister(self.finish)
        self._say_what_was_lost()

    def _say_what_was_lost(self) -> None:
        if self._journal.trouble:
            self._complain(self._journal.trouble)
        lost = self._counts()
        if any(lost.values()):
            trouble = f" ({self._journal.trouble})" if self._journal.trouble else ""
            refused = f", {lost['refused']} values were no numbers" if lost["refused"] else ""
            say(f"runopsy: {lost['dropped']} values were lost{trouble}{refused}; see {self.path}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, cause: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if cause is None or (isinstance(cause, SystemExit) and not cause.code):
            self.finish()
            return
        self._guarded(lambda: self._manifest.update(error=f"{type(cause).__name__}: {cause}"))
        self.finish("interrupted" if isinstance(cause, KeyboardInterrupt) else "failed")

    # --- writing ---------------------------------------------------------------------------------

    def _record(self, step: int, values: Mapping[str, Any] | None, instruments: Instruments | None) -> None:
        started = time.perf_counter()
        if not self._mine():
            return
        try:
            with self._lock:
                self._last_step = step = int(step)
                rows = []
                if values and self._where.rank == 0:
                    rows = self._packer.rows(step, values.items(), started + self._offset)
                if instruments is not None:
                    rows += self._measured(instruments, step, started)
                self._write(rows + self._packer.arrived(), started)
                self._tick(started)
        except Exception as cause:  # whatever happened, it must not reach the training loop
            self._lost += len(values) if isinstance(values, Mapping) else 1
            self._complain(f"{type(cause).__name__}: {cause}")

    def _measured(self, instruments: Instruments, step: int, started: float) -> list[bytes]:
        rows = []
        for at, name, value in instruments.read(step, started, self._spent):
            rows += self._packer.rows(at, ((name, value),), started + self._offset)
        if instruments.troubles:
            self._complain(instruments.troubles[0])
        return rows

    def _write(self, rows: list[bytes], started: float) -> None:
        if not rows:
            return
        if self._where.world > 1:
            self._agree()
        self._journal.append(b"".join(rows), started)
        if self._journal.trouble:
            self._complain(f"{self._journal.trouble}; values are held back, and counted if lost")

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
        self._write(rows + self._packer.arrived(wait=True), now)
        self._write_own(now)

    def _write_tables(self) -> None:
        """What the probes know example by example."""
        if self._instruments is None or self._journal.taken or not self._instruments.loop.tables:
            return
        from runopsy.recorder.tables import write_table  # imports pyarrow's table side, which only the end needs

        for name, table in self._instruments.loop.tables.items():
            write_table(self.path, name, table(), self._journal.session or 0)

    # --- keeping out of the loop's way -----------------------------------------------------------

    def _tick(self, started: float) -> None:
        """Account for the call's own cost; now and then write it down."""
        ended = time.perf_counter()
        self._spent += ended - started
        if ended - self._last_overhead >= OVERHEAD_EVERY:
            self._last_overhead = ended
            self._offset = time.time() - ended  # a stopwatch may stand still while the machine sleeps
            self._write_own(ended)

    def _write_own(self, now: float) -> None:
        """What recording has cost and lost so far; where nothing can be written, run.json alone says it."""
        if self._last_step is None or self._journal.stuck:
            return
        own = (("recorder/overhead", self._overhead()), ("recorder/dropped", self._counts()["dropped"]))
        self._write(self._packer.rows(self._last_step, own, now + self._offset), now)

    def _agree(self) -> None:
        self._journal.session = self._agreement.settle(self._journal.session, time.perf_counter())

    def _overhead(self) -> float:
        return self._spent / max(time.perf_counter() - self._began, 1e-9)

    def _mine(self) -> bool:
        """Whether this process may write: a forked data-loader worker holds a copy of the open file."""
        if os.getpid() != self._pid:
            return False
        if not self._open:
            self._complain("something was logged after finish(), and is not recorded")
        return self._open

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
        if self._journal.taken or self._where.rank:
            return
        self._manifest["sessions"][-1]["session"] = self._journal.session
        about = {"status": status, "overhead": round(self._overhead(), 6), "trouble": self._journal.trouble}
        end(self.path, self._manifest, about | self._signals(), self._counts())

    def _counts(self) -> dict[str, int]:
        lost = self._journal.dropped + self._packer.lost + self._lost
        return {"dropped": lost, "refused": self._packer.refused}
