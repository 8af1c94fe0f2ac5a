"""The model in evaluation mode on its fixed batches: against what evaluation mode gives, and against exact errors."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.recorder import record  # noqa: E402
from runopsy.store import read_run  # noqa: E402

ce = nn.functional.cross_entropy


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 3))


def points(n: int, seed: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 6, generator=draw)
    return x, (x[:, :3] + torch.randn(n, 3, generator=draw)).argmax(dim=1)


def train(folder: Path, model: nn.Module, steps: int = 3, **options: Any) -> dict[str, list[float]]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = points(64, 5)
    given = {
        "model": model,
        "probe": points(200, 1),
        "heldout": points(300, 2),
        "loss_fn": ce,
        "budget": None,
    } | options
    with record(folder, **given) as run:
        for step in range(steps):
            loss = ce(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            run.step(step, {"train/loss": loss})
            if step < steps - 1:
                optimizer.step()
    return {track.name: track.value.tolist() for track in read_run(folder).tracks.values()}


def test_loss_and_accuracy_are_those_of_evaluation_mode_by_default(tmp_path: Path) -> None:
    model = net()
    found = train(tmp_path / "run", model)
    assert model.training
    model.eval()
    for side, (x, y) in {"train": points(200, 1), "heldout": points(300, 2)}.items():
        with torch.no_grad():
            logits = model(x)
        assert found[f"eval/loss_{side}"][-1] == pytest.approx(float(ce(logits, y)), rel=1e-5)
        assert found[f"eval/acc_{side}"][-1] == pytest.approx(float((logits.argmax(1) == y).float().mean()))
    said = read_run(tmp_path / "run").taken
    assert (said["eval/loss_train"]["examples"], said["eval/loss_heldout"]["examples"]) == (200, 300)


def test_standard_errors_are_those_of_means_over_examples(tmp_path: Path) -> None:
    model = net()
    found = train(tmp_path / "run", model)
    x, y = points(300, 2)
    with torch.no_grad():
        logits = model.eval()(x)
    losses, right = ce(logits, y, reduction="none"), (logits.argmax(1) == y).double()
    assert found["eval/acc_heldout/se"][-1] == pytest.approx(float(right.std() / math.sqrt(300)), rel=1e-4)
    assert found["eval/loss_heldout/se"][-1] == pytest.approx(float(losses.std() / math.sqrt(300)), rel=0.5)


def test_the_errors_cover_the_truth_as_often_as_they_say() -> None:
    """Of 200 held-out sets the mean ± 1.64 errors hold the expectation nine times in ten."""
    from runopsy.recorder.batches import Batch
    from runopsy.recorder.probes import Loop
    from runopsy.recorder.probes.evaluation import EvaluationAccuracy, EvaluationLoss

    model = net().eval()
    x, y = points(200_000, 3)
    with torch.no_grad():
        logits = model(x)
    truth = {
        "eval/loss_heldout": float(ce(logits, y)),
        "eval/acc_heldout": float((logits.argmax(1) == y).double().mean()),
    }
    held = dict.fromkeys(truth, 0)
    for i in range(200):
        rows = slice(400 * i, 400 * (i + 1))
        loop = Loop(model, None, ce, heldout=Batch.of((x[rows], y[rows]), "heldout"))
        for probe in (
            EvaluationLoss("heldout", "eval/loss_heldout"),
            EvaluationAccuracy("heldout", "eval/acc_heldout"),
        ):
            said = {name: float(value) for _, name, value in probe.start(loop).measure(0)}  # type: ignore[arg-type]
            held[probe.signal] += abs(said[probe.signal] - truth[probe.signal]) < 1.645 * said[f"{probe.signal}/se"]
    assert {name: 0.82 < count / 200 < 0.96 for name, count in held.items()} == dict.fromkeys(truth, True)


def test_a_loss_that_compares_examples_has_no_error_and_no_harm_is_done(tmp_path: Path) -> None:
    def contrast(output: Tensor, y: Tensor) -> Tensor:
        one, two = output.chunk(2)
        return ce(one @ two.T, torch.arange(len(one)))

    found = train(tmp_path / "run", net(), loss_fn=contrast)
    assert "eval/loss_train" in found
    assert "eval/loss_train/se" not in found


def test_without_a_loss_function_there_is_accuracy_and_the_reason(tmp_path: Path) -> None:
    found = train(tmp_path / "run", net(), loss_fn=None)
    assert "eval/acc_train" in found
    assert read_run(tmp_path / "run").missing["eval/loss_train"] == "give loss_fn= to record()"


def test_the_positions_of_a_sequence_are_not_taken_for_independent(tmp_path: Path) -> None:
    """Each sequence is right or wrong as a whole: as many independent examples as sequences."""

    class Repeat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(4, 4)
            self.table.weight.data = torch.eye(4)

        def forward(self, x: Tensor) -> Tensor:
            return self.table(x[:, :1].expand_as(x))

    first = torch.arange(40) % 4
    x = first[:, None].expand(40, 10).contiguous()
    y = torch.where(torch.arange(40)[:, None] % 4 < 2, x, (x + 1) % 4)
    batch = (x, y)
    options = {"probe": batch, "heldout": batch, "loss_fn": lambda o, y: ce(o.flatten(0, 1), y.flatten())}
    with record(tmp_path / "run", model=Repeat(), budget=None, **options) as run:
        run.step(0)
    found = {track.name: track.value.tolist() for track in read_run(tmp_path / "run").tracks.values()}
    assert found["eval/acc_train"] == [0.5]
    assert found["eval/acc_train/se"][0] == pytest.approx(0.5 / math.sqrt(39), rel=1e-4)
