"""runopsy: autopsies of training runs, from their logs.

    import runopsy

    run = runopsy.read("runs/wide")            # a run folder, or any log that people already have
    autopsy = runopsy.analyze(run)             # phases, events, verdict, evidence, what was not checked
    print(runopsy.render(autopsy, "text"))
    print(runopsy.diff("runs/wide", "runs/narrow"))
    print(runopsy.sweep("runs", by=("lr", "weight_decay")))
    print(runopsy.backtest(["runs/wide", "runs/narrow"], ["when val/loss has not improved for 20 evals: stop"]))

    with runopsy.record("runs/next", model=model, optimizer=optimizer) as run: ...

Importing this loads nothing heavy; each name is resolved when it is first used, so that a training loop
that records never loads the analysis and a script that analyses never loads torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from runopsy.version import VERSION

if TYPE_CHECKING:
    from runopsy.autopsy import analyze as analyze
    from runopsy.comparison import diff as diff
    from runopsy.errors import RunopsyError as RunopsyError
    from runopsy.model import Autopsy as Autopsy
    from runopsy.model import Comparison as Comparison
    from runopsy.model import Run as Run
    from runopsy.readers import read as read
    from runopsy.recorder import Canaries as Canaries
    from runopsy.recorder import record as record
    from runopsy.report import plot as plot
    from runopsy.report import render as render
    from runopsy.study.backtest import backtest as backtest
    from runopsy.study.library import Library as Library
    from runopsy.study.study import Study as Study
    from runopsy.study.sweep import sweep as sweep

__version__ = VERSION

_FACE = {
    "Autopsy": "runopsy.model",
    "Canaries": "runopsy.recorder",
    "Comparison": "runopsy.model",
    "Library": "runopsy.study.library",
    "Run": "runopsy.model",
    "RunopsyError": "runopsy.errors",
    "Study": "runopsy.study.study",
    "analyze": "runopsy.autopsy",
    "backtest": "runopsy.study.backtest",
    "diff": "runopsy.comparison",
    "plot": "runopsy.report",
    "read": "runopsy.readers",
    "record": "runopsy.recorder",
    "render": "runopsy.report",
    "sweep": "runopsy.study.sweep",
}
__all__ = [*_FACE, "__version__"]  # noqa: PLE0604  # the table is the face: its keys are strings


def __getattr__(name: str) -> Any:
    try:
        module = _FACE[name]
    except KeyError:
        raise AttributeError(f"module 'runopsy' has no attribute {name!r}") from None
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
