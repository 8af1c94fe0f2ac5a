"""What is handed to ``record`` in other forms than a pair of tensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip

from runopsy.recorder import Canaries, record  # noqa: E402
from runopsy.store import read_run  # noqa: E402


def signals(folder: Path) -> dict[str, list[float]]:
    return {track.name: track.value.tolist() for track in read_run(folder).tracks.values()}


def test_canaries_are_measured_by_their_false_labels(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(60, 3), torch.arange(60) % 3
    data = Canaries([(a, int(b)) for a, b in zip(x, y, strict=True)], classes=3, count=20)
    model = nn.Linear(3, 3)
    with record(tmp_path / "run", model=model, canaries=data, budget=None) as run:
        run.step(0)
    inputs, labels = data.batch()
    expected = float((model(inputs).argmax(dim=1) == labels).float().mean())
    assert signals(tmp_path / "run")["canary/acc"] == [pytest.approx(expected)]
    assert "canaries" in json.loads((tmp_path / "run/run.json").read_text())["given"]


class Words(nn.Module):
    """Computes its own loss, each position predicting the next word, as Hugging Face's models do."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(7, 8), nn.Linear(8, 7)

    def forward(self, input_ids: Any, labels: Any = None) -> dict[str, Any]:
        logits = self.head(torch.tanh(self.words(input_ids)))
        loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return {"loss": loss, "logits": logits}


def test_a_model_that_computes_its_own_loss_is_given_one_dict(tmp_path: Path) -> None:
    torch.manual_seed(0)
    words = torch.randint(0, 7, (40, 6))
    batch = {"input_ids": words, "labels": words}
    model = Words()
    options: dict[str, Any] = {"probe": batch, "heldout": batch, "signals": "full", "every": 1, "budget": None}
    with record(tmp_path / "run", model=model, **options) as run:
        for step in range(3):
            run.step(step)
    found = signals(tmp_path / "run")
    assert {"hessian/top", "gns/s", "pred/entropy", "probe/acc_heldout", "features/stable_rank"} <= set(found)
    head = (model(**batch)["logits"].argmax(dim=2)[:, :-1] == words[:, 1:]).float().mean()
    assert found["probe/acc_heldout"][0] - found["readout/gap"][0] == pytest.approx(float(head))
