"""Scripts that call ``torch.set_default_device("cuda")``: what the recorder makes for itself must not follow them.

There is no such device here; the one that holds no data stands in for it. A tensor that was made without saying
where would be made there, and could neither be read nor meet the others.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from runopsy.recorder import record  # noqa: E402  # after the skip
from runopsy.store import read_run  # noqa: E402
from zoo import SPECIMENS  # noqa: E402


def recorded(folder: Path, name: str, default: AbstractContextManager[Any]) -> dict[str, Any]:
    """What a run has and has not, with that default device wherever the recorder is called."""
    torch.manual_seed(0)
    specimen = SPECIMENS[name]
    model = specimen.model()
    optimizer = specimen.optimizer(model)
    batches = {side: specimen.batch(n) for side, n in (("probe", 40), ("heldout", 40), ("canaries", 20))}
    given = {"model": model, "optimizer": optimizer, "loss_fn": specimen.loss_fn, "head": specimen.head, **batches}
    with default:
        run = record(folder, signals="full", every=1, budget=None, **given)
    for step in range(3):
        x, y = specimen.batch(16)
        loss = specimen.loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        with default:
            run.step(step, {"train/loss": loss})
        optimizer.step()
    with default:
        run.finish()
    tracks = {name: track.value.tolist() for name, track in read_run(folder).tracks.items() if "recorder/" not in name}
    said = json.loads((folder / "run.json").read_text())
    return {"values": tracks, "without": said["not_recorded"]}


@pytest.mark.parametrize("name", ["mlp", "regression", "convnet", "transformer", "tied", "lstm"])
def test_a_default_device_changes_no_reading(tmp_path: Path, name: str) -> None:
    plain = recorded(tmp_path / "plain", name, torch.device("cpu"))
    elsewhere = recorded(tmp_path / "elsewhere", name, torch.device("meta"))
    assert elsewhere["without"] == plain["without"]
    assert elsewhere["values"] == plain["values"]
