"""A run in an MLflow store: series as metrics, verdict and events as tags, the report and the picture as artifacts."""

from __future__ import annotations

import json
import logging
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.entities import Metric, Param
from mlflow.utils.validation import (
    MAX_ENTITY_KEY_LENGTH,
    MAX_METRICS_PER_BATCH,
    MAX_PARAM_VAL_LENGTH,
    MAX_TAG_VAL_LENGTH,
)

from runopsy.export.payload import OURS, Series, axis_series, counter, phase_points, png, series_of
from runopsy.model import Autopsy
from runopsy.report import save

EXPERIMENT = "runopsy"
DATABASE, ARTIFACTS = "mlflow.db", "artifacts"
PARAMS_PER_BATCH = 100  # what MLflow takes in one call
FOREIGN = re.compile(r"[^\w\-. :/]", re.ASCII)  # what a key of MLflow's must not hold
URI = re.compile(r"[a-z][a-z0-9+]*://|sqlite:")


def write(autopsy: Autopsy, dest: str) -> tuple[Path, ...]:
    """A run in the SQLite store of a folder, or in the store whose tracking URI is given.

    Metrics are under canonical names (a character that MLflow refuses becomes "_"); the tag ``runopsy.events`` is a
    JSON list of kind and step, as far as a tag has room; ``autopsy.json`` has all of it.

    Raises:
        OSError: the file system refuses it.
    """
    for name in ("alembic", "mlflow"):  # they report each migration of a new database
        logging.getLogger(name).setLevel(logging.WARNING)
    series = series_of(autopsy)
    count, whole = counter(autopsy, series)
    client = mlflow.MlflowClient(tracking_uri=_store(dest))
    known = client.get_experiment_by_name(EXPERIMENT)
    place = known.experiment_id if known else client.create_experiment(EXPERIMENT, _artifacts(dest))
    run = client.create_run(place, run_name=autopsy.run.id, tags=_tags(autopsy))
    mine, now = run.info.run_id, int(1000 * time.time())
    all_series = series if whole else (*series, axis_series(autopsy, series))
    metrics = [
        *_metrics(all_series, _keys([s.name for s in all_series]), count, now),
        *(Metric(f"{OURS}phase", number, now, step) for step, number in phase_points(autopsy, count)),
    ]
    for some in _batched(metrics, MAX_METRICS_PER_BATCH):
        client.log_batch(mine, metrics=some)
    for few in _batched(list(_params(autopsy.run.config)), PARAMS_PER_BATCH):
        client.log_batch(mine, params=few)
    with tempfile.TemporaryDirectory() as folder:
        files = [*save(autopsy, Path(folder, "autopsy.json")), *save(autopsy, Path(folder, "autopsy.html"))]
        picture = png(autopsy)
        if picture is not None:
            files.append(Path(folder, "autopsy.png"))
            files[-1].write_bytes(picture)
        for file in files:
            client.log_artifact(mine, str(file), OURS.rstrip("/"))
    client.set_terminated(mine)
    return (Path(dest),)


def _store(dest: str) -> str:
    if URI.match(dest):
        return dest
    Path(dest).mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{Path(dest).resolve() / DATABASE}"


def _artifacts(dest: str) -> str | None:
    return None if URI.match(dest) else (Path(dest).resolve() / ARTIFACTS).as_uri()


def _tags(autopsy: Autopsy) -> dict[str, str]:
    verdict, stop = autopsy.verdict, autopsy.stop
    events = [{"kind": e.kind, "step": e.step} for e in autopsy.events]
    while len(json.dumps(events)) > MAX_TAG_VAL_LENGTH:
        events.pop()
    tags = {"verdict": verdict.name, "why": verdict.why[:MAX_TAG_VAL_LENGTH], "events": json.dumps(events)}
    tags |= {} if verdict.confidence is None else {"confidence": f"{verdict.confidence:.3g}"}
    tags |= {} if stop is None else {"best_step": f"{stop.best_step:.15g}", "best_by": stop.signal}
    return {f"runopsy.{name}": value for name, value in tags.items()}


def _metrics(series: Iterable[Series], keys: Mapping[str, str], count: Any, now: int) -> Iterator[Metric]:
    """Every value, with the time of its row or that of this export, in milliseconds."""
    for s in series:
        times = np.full(len(s.step), np.nan) if s.time is None else s.time
        stamps = np.where(np.isnan(times), now, 1000 * times).astype(np.int64)
        for step, value, at in zip(s.step.tolist(), s.value.tolist(), stamps.tolist(), strict=True):
            yield Metric(keys[s.name], value, at, count(step))


def _keys(names: Iterable[str]) -> dict[str, str]:
    """Each name as MLflow takes it; two that would be the same are kept apart by a number."""
    keys: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        parts = [part for part in FOREIGN.sub("_", name).split("/") if part not in ("", ".", "..")]
        key = plain = "/".join(parts)[:MAX_ENTITY_KEY_LENGTH] or "unnamed"
        again = 1
        while key in taken:
            again += 1
            key = f"{plain[: MAX_ENTITY_KEY_LENGTH - 5]}_{again}"
        taken.add(key)
        keys[name] = key
    return keys


def _params(config: Mapping[str, Any]) -> Iterator[Param]:
    keys = _keys(config)
    for name, value in config.items():
        yield Param(keys[name], str(value)[:MAX_PARAM_VAL_LENGTH])


def _batched(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[at : at + size] for at in range(0, len(items), size))
