"""``runopsy.record``: what was asked for is checked, the folder is chosen and taken, and recording begins."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runopsy.errors import BadOption
from runopsy.recorder import counts, session
from runopsy.recorder.folders import NUMBER, check_free, clear, newest_numbered, next_numbered
from runopsy.recorder.lock import Lock, take
from runopsy.recorder.place import Place, place
from runopsy.recorder.session import Recording
from runopsy.store import is_run_folder

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from runopsy.recorder.instruments import Instruments


def record(
    path: str | os.PathLike[str],
    *,
    model: nn.Module | None = None,
    optimizer: Optimizer | Sequence[Optimizer] | Mapping[str, Optimizer] | None = None,
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
    overwrite: bool = False,
    expected_steps: int | Sized | None = None,
    sizes: Mapping[str, int] | None = None,
    groups: Iterable[Any] | None = None,
) -> Recording:
    """Start recording a training run into a new folder.

    Of several processes (DDP, FSDP) each calls this with the same path: the first one writes what is the
    same on all, every one its own share of the rest. None ever waits for another.

    Args:
        path: the run folder; it must not exist, unless ``resume`` or ``overwrite``. ``{n}`` in it stands for
            the first free number from 1 on: ``"runs/first-{n}"``; with ``resume`` for the last one that is there.
        model: what is measured. It is given back as it was: weights, buffers, modes, gradients, random states.
        optimizer: for the learning rate of every parameter group. Of several, a list or a dict by name:
            ``lr/<name>`` is each one's. A learning rate that a call passes itself is kept instead.
        loss_fn: ``(output, targets) → 0-d tensor``; for gradients and curvature on the probe batch.
        probe: ``(inputs, targets)`` of some training examples, 100 to 2 000, always the same; what costs many
            gradients takes a part of them, measured by the training batch. Inputs may be a tensor, a tuple
            of arguments or a dict of keywords. A single dict with ``labels`` serves a model
            that computes its own loss.
        heldout: the same of examples that are not trained on.
        head: the module, or its name, whose input is the last hidden features; default: the last linear layer.
        canaries: a ``runopsy.Canaries``, or ``(inputs, false labels)``.
        signals: ``"scalars"`` (what you pass, and ``lr``), ``"default"``, ``"full"``, or a list of names.
        every: measure at every n-th ``step`` call or at the given ones, whatever that costs; default:
            log-spaced, then evenly, as often as the budget allows.
        budget: the share of wall time that recording may cost, 0 to 1; None for no limit. Signals are read
            less often to keep it, the dear ones first. Where a step takes about a millisecond it is exceeded: 2.4 to
            5.8 % of processor time were measured at 0.02.
        config: whatever describes the run; anything JSON cannot hold is stored as text.
        resume: continue an existing run, in a new session; a missing path is then simply started.
        scaler: the ``torch.amp.GradScaler``, if there is one: gradients that are still scaled when ``step``
            is called are then measured as if they were not.
        clipped: gradients have been clipped when ``step`` is called: their norms are then not measured.
        overwrite: remove the run that is at the path; files that are not the recorder's own stay.
        expected_steps: how many ``step`` calls the whole run will make, or a loader of that length: a short run
            can then spread its readings over its whole length.
        sizes: how many examples each set of your signals has, by what stands before the slash: ``{"train": 50_000,
            "val": 10_000}``; and the ``"tokens"`` of the training set. Kept in run.json: the page states parameters
            per training example. A loader in ``expected_steps`` shows how many examples are trained on.
        groups: which group each example of ``probe`` is of, in its order: a class, a subtask, a source. Loss and
            accuracy of each are recorded, and the page shows how a smooth mean is made of many steps.

    Raises:
        RunExists: the path exists and neither ``resume`` nor ``overwrite`` is given, it is something else than a
            run folder, or a living process is recording to it.
        BadOption: an unknown signal, one that was asked for by name without what it needs, a budget
            outside 0 to 1, or two options that exclude each other.

    A folder that cannot be written is no error: training goes on after one warning.
    """
    where = place()
    _check_options(path, where, budget, config, resume, overwrite, sizes)
    folder = Path(path).absolute()  # the script may change its working directory
    if NUMBER in folder.name and resume:
        folder = newest_numbered(folder)
    if overwrite:
        _close_own(folder)
    if where.rank == 0 and NUMBER not in folder.name:
        check_free(folder, resume, overwrite)
    instruments = None
    if model is not None or optimizer is not None or signals not in ("scalars", "default"):
        from runopsy.recorder.probes import Loop  # imports torch, which such a caller has by now

        batches = _batches(probe=probe, heldout=heldout, canaries=canaries) | _groups(groups, probe)
        further = {"head": head, "resumed": resume and is_run_folder(folder), "scaler": scaler, "clipped": clipped}
        loop = Loop(model, optimizer, loss_fn, **batches, **further, **where._asdict())
        instruments = _instruments(loop, signals, every, budget, _length(expected_steps))
    given = {
        "model": model,
        "optimizer": optimizer,
        "loss_fn": loss_fn,
        "probe": probe,
        "heldout": heldout,
        "head": head,
        "canaries": canaries,
        "groups": groups,
    }
    handed = sorted(name for name, value in given.items() if value is not None)
    about: dict[str, Any] = {"config": dict(config or {}), "given": handed, "budget": budget}
    about |= {"world": where.world} if where.world > 1 else {}
    known = {**counts.sizes(expected_steps), **{str(name): int(size) for name, size in (sizes or {}).items()}}
    about |= {"sizes": known} if known else {}
    counted = counts.parameters(model) if where.rank == 0 else {}
    about |= {"model": counted} if counted else {}
    lock = None
    if NUMBER in folder.name:
        folder, lock = next_numbered(folder)
    else:
        lock = _taken(folder, where.rank)
    if overwrite and where.rank == 0 and lock is not None:
        clear(folder)
    return Recording(folder, instruments, about, where=where, lock=lock)


def _check_options(
    path: Any, where: Place, budget: Any, config: Any, resume: bool, overwrite: bool, sizes: Any
) -> None:
    """Whether the options mean something, alone and together.

    Raises:
        BadOption: they do not.
    """
    if budget is not None and not 0 < budget <= 1:
        raise BadOption(f"budget={budget!r} is not a share of wall time", hint="give 0 < budget <= 1, or None")
    if config is not None and not isinstance(config, Mapping):
        raise BadOption(f"config is a {type(config).__name__}", hint="give a dict; of argparse arguments, vars(args)")
    if resume and overwrite:
        raise BadOption("resume=True and overwrite=True", hint="choose: continue the run that is there, or remove it")
    if NUMBER in os.path.dirname(os.fspath(path)):
        raise BadOption(f"{NUMBER} in the folders above the run", hint=f'put it into the last name: "runs/a-{NUMBER}"')
    if NUMBER in os.path.basename(os.fspath(path)) and where.world > 1:
        raise BadOption(f"{NUMBER} with {where.world} processes, which would not agree on it",
                        hint="choose the number yourself, and give all of them the same path")  # fmt: skip
    if sizes is not None and not (isinstance(sizes, Mapping) and all(_is_count(size) for size in sizes.values())):
        raise BadOption(f"sizes={sizes!r}", hint='give numbers of examples by name: {"train": 50_000, "val": 10_000}')


def _is_count(size: Any) -> bool:
    return hasattr(size, "__index__") and not isinstance(size, bool) and int(size) > 0


def _length(expected: Any) -> int | None:
    """Step calls that the run will make.

    Raises:
        BadOption: it is no such number.
    """
    if expected is None:
        return None
    if hasattr(expected, "__index__") and int(expected) > 0:
        return int(expected)
    try:
        length = len(expected)
    except Exception:  # a loader of a stream has a length only in name
        length = 0
    if length > 0:
        return length
    raise BadOption(f"expected_steps={expected!r} is no number of steps", hint="give a number, or a loader with len()")


def _close_own(folder: Path) -> None:
    """End the recording of this process that is still open there: the cell of a notebook was run again."""
    older = session.OPEN.get(str(folder))
    if older is not None:
        older.finish("interrupted")


def _taken(folder: Path, rank: int) -> Lock | None:
    """The lock on the folder; None where nothing can be written, which the recording itself will say.

    Raises:
        RunExists: a living process has it.
    """
    try:
        return take(folder, rank)
    except OSError:
        return None


def _instruments(loop: Any, signals: Any, every: Any, budget: float | None, steps: int | None) -> Instruments:
    from runopsy.recorder.instruments import Instruments

    return Instruments.choose(loop, signals, every, budget, steps, time.perf_counter())


def _groups(groups: Iterable[Any] | None, probe: Any) -> dict[str, Any]:
    """The group of each probe example, as text.

    Raises:
        BadOption: there is no probe batch, or not one group for each of its examples.
    """
    if groups is None:
        return {}
    from runopsy.recorder.batches import Batch

    if probe is None:
        raise BadOption("groups= without probe=", hint="they are of the examples of probe=: hand both to record()")
    values = groups.tolist() if hasattr(groups, "tolist") else list(groups)
    names, examples = (
        tuple(" ".join(str(value).split()).replace("/", "_") for value in values),
        len(Batch.of(probe, "probe")),
    )
    if len(names) != examples:
        raise BadOption(f"groups= names {len(names)} groups for {examples} examples of probe=",
                        hint="give one for each example, in the same order")  # fmt: skip
    return {"groups": names}


def _batches(**given: Any) -> dict[str, Any]:
    """What was given to measure on, in one form."""
    from runopsy.recorder.batches import Batch
    from runopsy.recorder.canary import Canaries

    plainly = {name: what.batch() if isinstance(what, Canaries) else what for name, what in given.items()}
    return {name: Batch.of(what, name) for name, what in plainly.items() if what is not None}
