"""Many tasks, some at a time: one loop over ``concurrent.futures``, whatever starts the workers.

An engine gives an executor; ``each`` keeps it fed, so that only a few tasks and answers are held at any time, and
separates a task whose worker died from all others that were in its way.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol, TypeVar

from runopsy.errors import BadOption

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2  # tasks a worker that are handed out: the next one waits while one is worked on
ALONE = 2  # workers that a task may kill before it is given up: one may die of something else
SHARE = 0.8  # of the machine's memory, that all workers together may take
LEAST = 1 << 30  # bytes a worker: the libraries alone take a quarter of it
PATIENCE = 10.0  # s until a scheduler has answered
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
DIED = "the process that examined it died (killed, or out of memory), also when it was asked alone"


@dataclass(frozen=True, slots=True)
class Lost:
    """A task that has no answer, because its worker died."""

    why: str


class Engine(Protocol):
    """Where tasks are worked on."""

    def start(self, workers: int | None = None) -> Executor:
        """An executor, of so many workers where the engine can choose."""
        ...

    def stop(self, executor: Executor) -> None:
        """Leave nothing of it running, whatever is still to be done."""
        ...

    def width(self, executor: Executor) -> int:
        """How many tasks it works on at once."""
        ...


@dataclass(frozen=True, slots=True)
class Processes:
    """Processes on this machine: one per processor that this process may use, unless given."""

    workers: int | None = None  # None: as many as there are processors
    memory: int | None = None  # bytes that each may take; None: an even part of most of the machine's

    def start(self, workers: int | None = None) -> Executor:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        many = workers or self._many()
        return ProcessPoolExecutor(
            many, mp_context=get_context("spawn"), initializer=_settle, initargs=(self.memory or _even_part(many),)
        )

    def stop(self, executor: Executor) -> None:
        executor.shutdown(wait=True, cancel_futures=True)

    def width(self, executor: Executor) -> int:
        return self._many()

    def _many(self) -> int:
        return self.workers or processors()


class Here(Executor):
    """In this process, one task after the other: for a debugger, and for who may start no process."""

    def start(self, workers: int | None = None) -> Executor:
        return self

    def stop(self, executor: Executor) -> None:
        pass

    def width(self, executor: Executor) -> int:
        return 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # as an executor's: it belongs to who asks for the result
            future.set_exception(error)
        return future


@dataclass(frozen=True, slots=True)
class Dask:
    """The workers of a Dask cluster; they need this runopsy, and the logs under the same paths."""

    scheduler: str  # tcp://host:port

    def start(self, workers: int | None = None) -> Executor:
        try:
            from distributed import Client
        except ModuleNotFoundError as cause:
            raise BadOption("Dask is not installed", hint="pip install 'runopsy[dask]'") from cause
        try:
            connect: Any = Client  # typed where it is installed, and not where it is not
            client = connect(self.scheduler, set_as_default=False, timeout=PATIENCE)
        except (OSError, ValueError) as cause:
            raise BadOption(
                f"no Dask scheduler answers at {self.scheduler}: {cause}",
                hint="start one with: dask scheduler, and on each machine: dask worker ADDRESS",
            ) from cause
        _require_same_version(client)
        executor: Executor = client.get_executor(pure=False)
        return executor

    def stop(self, executor: Executor) -> None:
        executor._client.close()  # type: ignore[attr-defined]  # noqa: SLF001  # which ends what it has asked for

    def width(self, executor: Executor) -> int:
        threads: dict[str, int] = executor._client.nthreads()  # type: ignore[attr-defined]  # noqa: SLF001
        return max(1, sum(threads.values()))


def engine_of(name: str, scheduler: str | None = None, workers: int | None = None) -> Engine:
    """The engine of a name.

    Args:
        name: ``"processes"`` or ``"dask"``.
        scheduler: the address of Dask's.
        workers: how many processes; 0: in this one.

    Raises:
        BadOption: no such engine, or an option that it does not take.
    """
    if name == "dask":
        if not scheduler:
            raise BadOption("--engine dask needs the address of its scheduler", hint="--scheduler tcp://HOST:8786")
        if workers is not None:
            raise BadOption("the workers of Dask are started beside its scheduler", hint="leave --workers out")
        return Dask(scheduler)
    if name != "processes":
        raise BadOption(f"there is no engine {name!r}", hint="choose processes or dask")
    if scheduler:
        raise BadOption("a scheduler belongs to Dask", hint="add --engine dask")
    if workers is not None and workers < 0:
        raise BadOption(f"{workers} workers are none", hint="give 1 or more; 0 works in this process")
    return Here() if workers == 0 else Processes(workers)


def each(engine: Engine, work: Callable[[T], R], tasks: deque[T]) -> Iterator[tuple[T, R | Lost]]:
    """Every task with its answer, as they come; the caller may add tasks meanwhile.

    Where a worker dies, all that were in flight are asked again, one by one and each in a process of its own: so it
    is known which of them it died of. That one is ``Lost``, and the others have their answers.
    """
    while tasks:
        suspects: list[T] = []
        with _started(engine) as executor:
            yield from _together(engine, executor, work, tasks, suspects)
        for task in suspects:
            yield task, _alone(engine, work, task)


def _together(
    engine: Engine, executor: Executor, work: Callable[[T], R], tasks: deque[T], suspects: list[T]
) -> Iterator[tuple[T, R | Lost]]:
    """Answers until there are no more tasks, or a worker has died; ``suspects`` then holds what was in flight."""
    flying: dict[Future[R], T] = {}
    broken = False
    while flying or (tasks and not broken):
        while tasks and not broken and len(flying) < AHEAD * engine.width(executor):
            try:
                with _without_main():
                    future = executor.submit(work, tasks[0])
            except BrokenProcessPool:
                broken = True
            else:
                flying[future] = tasks.popleft()
        done, _ = wait(flying, return_when=FIRST_COMPLETED)
        for future in done:
            task = flying.pop(future)
            try:
                answer: R | Lost = future.result()
            except (BrokenProcessPool, CancelledError):
                broken = True
                suspects.append(task)
                continue
            except Exception as error:
                if type(error).__name__ != "KilledWorker":  # of Dask, which need not be installed to be named
                    raise
                answer = Lost(DIED)
            yield task, answer


def _alone(engine: Engine, work: Callable[[T], R], task: T) -> R | Lost:
    """The answer of a worker that does nothing else; twice, as the first may have been killed from outside."""
    for _ in range(ALONE):
        with _started(engine, workers=1) as executor:
            try:
                with _without_main():
                    future = executor.submit(work, task)
                return future.result()
            except (BrokenProcessPool, CancelledError):
                continue
    return Lost(DIED)


@contextmanager
def _started(engine: Engine, workers: int | None = None) -> Iterator[Executor]:
    """An executor that leaves nothing running, also where the loop around it is left early."""
    executor = engine.start(workers)
    try:
        yield executor
    finally:
        engine.stop(executor)


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes that are started here do not run the caller's script again.

    A new process imports the main script, so that what the script defines can be found; a script that calls
    ``runopsy.sweep`` outside ``if __name__ == "__main__"`` would then sweep again in each. Nothing that is handed to
    workers is defined there.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def processors() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # no Linux
        return os.cpu_count() or 1


def _even_part(workers: int) -> int:
    """Bytes that each of so many workers may take."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # no POSIX
        return 0
    return max(LEAST, int(SHARE * total / workers))


def _settle(memory: int) -> None:
    """What a worker does first: one thread, a bound on its memory, no answer to Ctrl-C, and an end with its parent."""
    import signal

    for name in THREADS:
        os.environ.setdefault(name, "1")  # as many workers as processors leave none for more
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it too, and ends its workers
    with suppress(ImportError, ValueError, OSError):  # no POSIX, or a bound below that
        import resource

        if memory:
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            resource.setrlimit(resource.RLIMIT_DATA, (memory, hard))
    _end_with_parent()


def _end_with_parent() -> None:
    """Leave when the parent is gone: killed outright, it sends no message, and workers would wait for ever."""
    from multiprocessing import parent_process
    from multiprocessing.connection import wait as until
    from threading import Thread

    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        until([parent.sentinel])
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _require_same_version(client: Any) -> None:
    """Other versions find other things.

    Raises:
        BadOption: a worker has no runopsy, or another version.
    """
    from runopsy.version import VERSION

    try:
        versions = set(client.run(_version).values())
    except Exception as cause:  # whatever a worker raises that cannot import it
        raise BadOption(
            f"the workers of Dask have no runopsy: {cause}", hint="install runopsy where dask worker runs"
        ) from cause
    if versions - {VERSION}:
        raise BadOption(
            f"the workers of Dask have runopsy {', '.join(sorted(versions))}, and this is {VERSION}",
            hint="install the same version everywhere",
        )


def _version() -> str:
    from runopsy.version import VERSION

    return VERSION
