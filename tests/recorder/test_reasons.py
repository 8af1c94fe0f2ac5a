"""What cannot be measured is said in a sentence that names what its owner can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.recorder import record  # noqa: E402
from runopsy.store import read_run  # noqa: E402

ce = nn.functional.cross_entropy


def reasons(folder: Path, model: nn.Module, loss_fn: Any, probe: Any, steps: int = 3, **options: Any) -> dict[str, str]:
    given = {"signals": "full", "budget": None, "every": 1} | options
    with record(folder, model=model, loss_fn=loss_fn, probe=probe, **given) as run:
        for step in range(steps):
            loss = loss_fn(model(probe[0]), probe[1])
            model.zero_grad()
            loss.backward()
            run.step(step)
    return dict(read_run(folder).missing)


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(6, 4), nn.Linear(2, 6)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_var = self.encoder(x).chunk(2, dim=1)
        return self.decoder(mean + torch.randn_like(mean) * (log_var / 2).exp()), mean, log_var


def test_a_model_that_samples_in_evaluation_mode_is_told_so(tmp_path: Path) -> None:
    x = torch.randn(40, 6)
    found = reasons(tmp_path / "run", Vae(), lambda out, y: (out[0] - y).square().mean(), (x, x))
    for name in ("grad/variance", "ntk/velocity"):
        assert "draws random numbers in evaluation mode: let it take the mean" in found[name]


def test_a_loss_that_compares_examples_is_told_so(tmp_path: Path) -> None:
    def contrast(output: Tensor, y: Tensor) -> Tensor:
        one, two = output.split(20)
        return ce(one @ two.T, torch.arange(20))

    found = reasons(tmp_path / "run", nn.Linear(6, 8), contrast, (torch.randn(40, 6), torch.zeros(40)))
    assert "loss_fn= does not take one example" in found["grad/variance"]
    assert "give a loss_fn that is a mean over examples" in found["grad/variance"]


def test_a_loss_that_takes_single_examples_and_is_no_mean_is_told_so(tmp_path: Path) -> None:
    weight = torch.tensor([1.0, 2.0, 9.0])
    batch = (torch.randn(40, 6), torch.arange(40) % 3)
    found = reasons(tmp_path / "run", nn.Linear(6, 3), nn.CrossEntropyLoss(weight=weight), batch)
    assert "compares examples with each other: give one that is a mean" in found["grad/variance"]


def test_every_reason_is_one_short_sentence_that_says_what_to_give(tmp_path: Path) -> None:
    found = reasons(tmp_path / "run", nn.Linear(6, 3), ce, (torch.randn(40, 6), torch.arange(40) % 3))
    assert found["probe/acc_heldout"] == "give heldout= to record()"
    assert found["canary/acc"] == "give canaries= to record()"
    for why in found.values():
        assert "\n" not in why
        assert len(why) < 200


def test_a_signal_that_was_looked_at_and_never_told_has_a_reason_and_no_readings(tmp_path: Path) -> None:
    """A comparison with the reading before, and there was one reading."""
    found = reasons(tmp_path / "run", nn.Linear(6, 3), ce, (torch.randn(40, 6), torch.arange(40) % 3), steps=1)
    assert "looked at 1 times" in found["features/cka_prev"]
    said = read_run(tmp_path / "run").taken["features/cka_prev"]
    assert (said["readings"], said["looks"]) == (0, 1)


def test_the_maker_of_a_gan_has_as_many_readings_as_run_json_says_or_a_reason(tmp_path: Path) -> None:
    """Two losses reach it in each step: these are no micro-batches."""
    torch.manual_seed(0)
    maker, judge = nn.Linear(4, 6), nn.Linear(6, 1)
    bce = nn.functional.binary_cross_entropy_with_logits
    optimizers = [torch.optim.SGD(net.parameters(), lr=0.01) for net in (maker, judge)]
    with record(tmp_path / "run", model=maker, optimizer=optimizers, budget=None) as run:
        for step in range(30):
            for optimizer in optimizers:
                optimizer.zero_grad()
            fake = maker(torch.randn(8, 4))
            bce(judge(fake), torch.zeros(8, 1)).backward(retain_graph=True)
            loss = bce(judge(fake), torch.ones(8, 1))
            loss.backward()
            run.step(step, {"gen/loss": loss})
            for optimizer in optimizers:
                optimizer.step()
    found = read_run(tmp_path / "run")
    for name, how in found.taken.items():
        if how.get("readings"):
            assert len(found.tracks[name]) == how["readings"], name
    assert "gns/s" not in found.tracks
    assert "give probe= and loss_fn=" in found.missing["gns/s"]
    assert {"lr", "lr/0", "lr/1"} <= set(found.tracks)
