"""An offline run for Weights & Biases: ``wandb sync`` uploads it, where and when its owner wants."""

from __future__ import annotations

import io
import os
from pathlib import Path

import wandb

from runopsy.export.payload import OURS, PHASES, png, series_of
from runopsy.model import Autopsy, Event
from runopsy.report.compose import finding

PROJECT = "runopsy"
TABLE = ("kind", "step", "from", "to", "severity", "what")


def write(autopsy: Autopsy, dest: str) -> tuple[Path, ...]:
    """One row a position, with the axis under ``runopsy/AXIS`` and the phase under ``runopsy/phase``.

    The summary has the verdict, its confidence and the best step; events are a table, the picture an image. Nothing
    leaves the machine.

    Raises:
        OSError: the file system refuses it.
    """
    os.makedirs(dest, exist_ok=True)
    picture = png(autopsy)
    settings = wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True,
                              x_disable_meta=True)  # fmt: skip
    run = wandb.init(
        mode="offline",
        dir=dest,
        project=PROJECT,
        name=autopsy.run.id,
        config=dict(autopsy.run.config),
        settings=settings,
    )
    axis = f"{OURS}{autopsy.axis}"
    run.define_metric("*", step_metric=axis)
    for number, (place, row) in enumerate(sorted(_rows(autopsy).items())):
        run.log({axis: place, **row}, step=number)
    table = wandb.Table(columns=list(TABLE), data=[_cells(autopsy, event) for event in autopsy.events])
    media = {} if picture is None else {f"{OURS}picture": wandb.Image(_opened(picture))}
    run.log({f"{OURS}events": table, **media})
    verdict, stop = autopsy.verdict, autopsy.stop
    about = {"verdict": verdict.name, "why": verdict.why, "confidence": verdict.confidence}
    about |= {} if stop is None else {"best_step": stop.best_step, "best": stop.best, "best_by": stop.signal}
    run.summary.update({f"{OURS}{name}": value for name, value in about.items() if value is not None})
    folder = Path(run.dir).parent
    run.finish()
    return (folder,)


def _rows(autopsy: Autopsy) -> dict[float, dict[str, float]]:
    """Position → what is known there."""
    rows: dict[float, dict[str, float]] = {}
    for s in series_of(autopsy):
        for place, value in zip(s.step.tolist(), s.value.tolist(), strict=True):
            rows.setdefault(place, {})[s.name] = value
    for phase in autopsy.phases:
        if phase.label in PHASES:
            last = phase is autopsy.phases[-1]
            for place, row in rows.items():
                if phase.start <= place and (place < phase.end or last):
                    row[f"{OURS}phase"] = PHASES[phase.label]
    return rows


def _cells(autopsy: Autopsy, event: Event) -> list[object]:
    """A row of the table of events, in the order of ``TABLE``."""
    low, high = event.interval or (None, None)
    return [event.kind, event.step, low, high, str(event.severity), finding(autopsy, event).text]


def _opened(content: bytes) -> object:
    from PIL import Image  # wandb's own images, and matplotlib's, rest on it

    return Image.open(io.BytesIO(content))
