"""The object in the training loop."""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from runopsy.errors import BadOption, RunExists
from runopsy.recorder.environment import environment
from runopsy.recorder.journal import ROWS_PER_PART, Journal
from runopsy.recorder.scalars import Transfers, as_float, on_accelerator
from runopsy.store import EVENTS, FORMAT, JOURNAL, RECORD, SIGNALS, compact, is_run_folder, read_manifest, write_manifest

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from runopsy.recorder.instruments import Instruments

OVERHEAD_EVERY = 5.0  # s between readings of recorder/overhead; one row, so that it costs nothing itself


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
) -> Recording:
    """Start recording a training run into a new folder.

    Args:
        path: the run folder; it must not exist, unless ``resume``.
        model: for gradient and weight norms; never changed, moved or called.
        optimizer: for the learning rate of every parameter group.
        loss_fn, probe, heldout, head: for signals of later versions; kept in run.json as given or not.
        signals: ``"scalars"`` (what you pass, and ``lr``), ``"default"``, ``"full"``, or a list of names.
        every: measure at every n-th ``step`` call or at the given ones; default: log-spaced, then as often
            as the budget allows.
        budget: the share of wall time that measuring may cost, 0 to 1; None for no limit.
        config: whatever describes the run; anything JSON cannot hold is stored as text.
        resume: continue an existing run, in a new session; a missing path is then simply started.

    Raises:
        RunExists: the path exists and ``resume`` is false, or it is something else than a run folder.
        BadOption: an unknown signal, a budget outside 0 to 1.

    A folder that cannot be written is no error: training goes on, one warning says so.
    """
    folder = Path(path)
    if folder.exists() and not resume:
        raise RunExists(f"{folder} exists already", hint="give another path, or resume=True to continue that run")
    if folder.exists() and not is_run_folder(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise RunExists(f"{folder} exists and is no run folder", hint="give another path")
    if budget is not None and not 0 < budget <= 1:
        raise BadOption(f"budget={budget!r} is not a share of wall time", hint="give 0 < budget <= 1, or None")
    instruments = _instruments(model, optimizer, signals, every, budget)
    given = {"model": model, "optimizer": optimizer, "loss_fn": loss_fn, "probe": probe, "heldout": heldout, "head": head}
    about = {"config": dict(config or {}), "given": sorted(k for k, v in given.items() if v is not None)}
    return Recording(folder, instruments, about)


def _instruments(
    model: nn.Module | None,
    optimizer: Optimizer | None,
    signals: str | Iterable[str],
    every: int | Iterable[int] | None,
    budget: float | None,
) -> Instruments | None:
    if model is None and optimizer is None:
        return None  # scalars only: works for any framework, and without torch
    from runopsy.recorder.instruments import Instruments  # imports torch, which the caller has by now

    return Instruments.choose(model, optimizer, signals, every, budget)


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
    ) -> None:
        self.path = folder
        self._instruments = instruments
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._open = True
        self._warned = False
        self._refused = 0  # values that were no numbers
        self._numbers: dict[str, int] = {}
        self._transfers = Transfers()
        self._spent = 0.0
        self._began = self._last_overhead = time.perf_counter()
        self._offset = time.time() - self._began  # wall clock and stopwatch in one reading
        earlier = read_manifest(folder)
        self._session = _next_session(folder, earlier)
        self._journal = Journal(folder, self._session, 0, rows_per_part)
        self._manifest = self._new_manifest(earlier, about)
        self._guarded(self._prepare)
        atexit.register(self._at_exit)

    # --- what the loop calls ---------------------------------------------------------------------

    def step(self, step: int, values: Mapping[str, float | Tensor] | None = None) -> None:
        """Record one optimizer step: call it after ``backward`` and before ``optimizer.step``.

        Args:
            step: optimizer steps completed so far.
            values: floats or 0-d tensors, by signal name.
        """
        started = time.perf_counter()
        if not self._mine():
            return
        try:
            with self._lock:
                if values:
                    self._write(int(step), values, started)
                if self._instruments is not None:
                    readings = self._instruments.read(int(step), started)
                    self._write_readings(readings, started)
        except Exception as cause:  # noqa: BLE001  # whatever happened, it must not reach the training loop
            self._complain(f"{type(cause).__name__}: {cause}")
        self._tick(step, started)

    def log(self, step: int, values: Mapping[str, float | Tensor]) -> None:
        """Record values at a step, without measuring anything: validation, or whatever has its own cadence."""
        started = time.perf_counter()
        if not self._mine():
            return
        try:
            with self._lock:
                self._write(int(step), values, started)
        except Exception as cause:  # noqa: BLE001  # whatever happened, it must not reach the training loop
            self._complain(f"{type(cause).__name__}: {cause}")
        self._tick(step, started)

    def event(self, step: int, kind: str, **detail: Any) -> None:
        """Note that something happened that no curve shows: a change of data, of batch size, a manual restart."""
        if self._mine():
            self._guarded(lambda: self._write_event(int(step), str(kind), detail))

    def finish(self, status: str = "finished") -> None:
        """Close the run: everything into Parquet, the summary into run.json. Later calls do nothing."""
        with self._lock:
            if not self._mine():
                return
            self._guarded(self._drain)
            self._open = False
            self._guarded(self._journal.close)
            self._guarded(lambda: self._write_summary(status))
        atexit.unregister(self._at_exit)
        lost = self._journal.dropped
        if lost or self._refused:
            trouble = f" ({self._journal.trouble})" if self._journal.trouble else ""
            refused = f", {self._refused} values were no numbers" if self._refused else ""
            print(f"runopsy: {lost} values were lost{trouble}{refused}; see {self.path}", file=sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, cause: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if cause is None:
            self.finish()
            return
        self._manifest["error"] = f"{type(cause).__name__}: {cause}"
        self.finish("interrupted" if isinstance(cause, KeyboardInterrupt) else "failed")

    # --- writing ---------------------------------------------------------------------------------

    def _write(self, step: int, values: Mapping[str, Any], started: float) -> None:
        now = started + self._offset
        pack, numbers = RECORD.pack, self._numbers
        rows = []
        for name, value in values.items():
            if type(value) is not float:
                if value is None:
                    continue
                if on_accelerator(value):
                    self._transfers.send(step, now, self._number(name), value)
                    continue
                try:
                    value = as_float(value)
                except (TypeError, ValueError, AttributeError, RuntimeError) as cause:
                    self._refused += 1
                    self._complain(f"{name!r} at step {step} is no number: {cause}")
                    continue
            number = numbers.get(name) or self._number(name)
            rows.append(pack(step, now, value, number))
        if self._transfers:
            rows.extend(pack(*arrived) for arrived in self._transfers.collect())
        if rows:
            self._journal.append(b"".join(rows), started)
            if self._journal.trouble:
                self._complain(f"{self._journal.trouble}; values are held back, and counted if lost")

    def _write_readings(self, readings: Iterable[tuple[int, str, Any]], started: float) -> None:
        for step, name, value in readings:
            self._write(step, {name: value}, started)

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = self._journal.number(str(name))
        return number

    def _write_event(self, step: int, kind: str, detail: dict[str, Any]) -> None:
        said = {"step": step, "kind": kind, "time": time.time(), "session": self._session, **detail}
        line = json.dumps(said, default=str) + "\n"
        with self._lock, (self.path / EVENTS).open("ab", buffering=0) as file:
            file.write(line.encode())

    def _drain(self) -> None:
        """What is still owed at the end: the last update, values in flight, the final overhead."""
        now = time.perf_counter()
        if self._instruments is not None:
            self._write_readings(self._instruments.settle(), now)
        rows = [RECORD.pack(*arrived) for arrived in self._transfers.collect(wait=True)]
        if rows:
            self._journal.append(b"".join(rows), now)

    # --- keeping out of the loop's way -----------------------------------------------------------

    def _tick(self, step: int, started: float) -> None:
        """Account for the call's own cost; now and then write it down."""
        ended = time.perf_counter()
        self._spent += ended - started
        if ended - self._last_overhead >= OVERHEAD_EVERY:
            self._last_overhead = ended
            self._guarded(lambda: self._write(int(step), {"recorder/overhead": self._overhead()}, ended))

    def _overhead(self) -> float:
        return self._spent / max(time.perf_counter() - self._began, 1e-9)

    def _mine(self) -> bool:
        """Whether this process may write: a forked data-loader worker holds a copy of the open file."""
        return self._open and os.getpid() == self._pid

    def _guarded(self, action: Any) -> None:
        try:
            action()
        except Exception as cause:  # noqa: BLE001  # whatever happened, it must not reach the training loop
            self._complain(f"{type(cause).__name__}: {cause}")

    def _complain(self, what: str) -> None:
        """One warning a run. It must not raise even where the user turned warnings into errors."""
        if self._warned:
            return
        self._warned = True
        try:
            warnings.warn(f"runopsy: recording to {self.path} has trouble: {what}", RuntimeWarning, stacklevel=4)
        except Warning as raised:
            print(raised, file=sys.stderr)

    def _at_exit(self) -> None:
        self.finish("unclosed")

    # --- the manifest ----------------------------------------------------------------------------

    def _prepare(self) -> None:
        (self.path / SIGNALS).mkdir(parents=True, exist_ok=True)
        (self.path / JOURNAL).mkdir(exist_ok=True)
        for left in sorted((self.path / JOURNAL).glob("*.wal")):  # of a session that was killed
            compact(left)
        write_manifest(self.path, self._manifest)

    def _new_manifest(self, earlier: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
        now = time.time()
        sessions = [*earlier.get("sessions", []), {"session": self._session, "started": now}]
        return {
            "format": FORMAT,
            "id": earlier.get("id") or self.path.name,
            "started": earlier.get("started", now),
            "ended": None,
            "status": "running",
            **about,
            "environment": environment(),
            "signals": self._instruments.describe() if self._instruments is not None else {},
            "not_recorded": dict(self._instruments.refused) if self._instruments is not None else {},
            "sessions": sessions,
        }

    def _write_summary(self, status: str) -> None:
        ended = time.time()
        self._manifest.update(
            ended=ended,
            status=status,
            overhead=round(self._overhead(), 6),
            dropped=self._journal.dropped,
            refused=self._refused,
            trouble=self._journal.trouble,
        )
        self._manifest["sessions"][-1].update(ended=ended, status=status)
        write_manifest(self.path, self._manifest)


def _next_session(folder: Path, manifest: Mapping[str, Any]) -> int:
    """One more than any session that left a trace, in the manifest or in a file name."""
    seen = [int(s.get("session", 0)) for s in manifest.get("sessions", []) if isinstance(s, dict)]
    return max([-1, *seen, *_sessions_on_disk(folder)]) + 1


def _sessions_on_disk(folder: Path) -> Iterator[int]:
    for room in (SIGNALS, JOURNAL):
        for file in (folder / room).glob("*-*"):
            head = file.name.split("-")[0]
            if head.isdigit():
                yield int(head)
