"""The noise scale's two pieces against problems whose answer is known."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from exact import rounding  # noqa: E402
from runopsy.errors import Unavailable  # noqa: E402
from runopsy.recorder import gradients as gradient_module  # noqa: E402
from runopsy.recorder.batches import Batch  # noqa: E402
from runopsy.recorder.gradients import example_moments  # noqa: E402
from runopsy.recorder.probes import Loop  # noqa: E402
from runopsy.recorder.probes.noise import GradVariance, NoiseScale, noise_pieces  # noqa: E402
from zoo import SPECIMENS  # noqa: E402

P, MEAN, SPREAD = 20, 0.5, 3.0  # gradients are Gaussian with this mean and deviation in each of P parameters
TRUE_G2, TRUE_S = P * MEAN**2, P * SPREAD**2


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


class Drift(nn.Module):
    """Output x·θ; under the loss ``mean`` the gradient of one example is x itself, whatever θ is."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.zeros(3))
        self.rest = nn.Parameter(torch.zeros(P - 3))

    def forward(self, x: Tensor) -> Tensor:
        return (x * torch.cat([self.first, self.rest])).sum(dim=1)


def mean(output: Tensor, y: object) -> Tensor:
    return output.mean()


def gradients(n: int) -> Tensor:
    return MEAN + SPREAD * torch.randn(n, P)


def test_the_pieces_are_unbiased_and_their_ratio_is_that_of_the_means() -> None:
    """b = 8, B = 64, noise scale 200: over 4000 readings within 5 %, where the mean of ratios is nonsense."""
    small, big, readings = 8, 64, 4000
    g = torch.randn(readings, big // small, 200) / small**0.5
    g[:, :, 0] += 1
    small_square = g.square().sum(dim=2).mean(dim=1)
    big_square = g.mean(dim=1).square().sum(dim=1)
    pieces = [noise_pieces(float(b), float(s), big, small) for b, s in zip(big_square, small_square, strict=True)]
    g2, s = (statistics.fmean(column) for column in zip(*pieces, strict=True))
    assert g2 == pytest.approx(1, rel=0.05)
    assert s == pytest.approx(200, rel=0.05)
    assert s / g2 == pytest.approx(200, rel=0.05)


def recorded(
    micro: int, count: int, steps: int, scale: Callable[[int], float], touch: Callable[[nn.Module], None] | None = None
) -> list[dict[str, float]]:
    """The readings of a loop that accumulates ``count`` micro-batches of ``micro`` examples."""
    model = Drift()
    gauge = NoiseScale().start(Loop(model))
    found: list[dict[str, float]] = []
    for step in range(steps):
        model.zero_grad()
        for i in range(count):
            (model(gradients(micro)).mean() * scale(i)).backward()
        if touch is not None:
            touch(model)
        with torch.no_grad():
            found.append({name: float(value) for _, name, value in gauge.settle()})
            assert list(gauge.measure(step)) == []
    list(gauge.settle())
    assert not any(p._backward_hooks for p in model.parameters())
    assert not model._forward_pre_hooks
    return [reading for reading in found if reading]


@pytest.mark.parametrize("scale", [0.25, 1.0])
def test_micro_batches_give_the_noise_scale_whether_the_loss_is_divided_or_not(scale: float) -> None:
    """|G|² and tr Σ within 5 % of the truth over 1500 steps, in the scale of the gradient that the optimizer gets."""
    found = recorded(8, 4, 1500, lambda i: scale)
    assert len(found) == 1499
    factor = (4 * scale) ** 2
    g2, s = (statistics.fmean(reading[name] for reading in found) for name in ("gns/g2", "gns/s"))
    assert g2 == pytest.approx(TRUE_G2 * factor, rel=0.05)
    assert s == pytest.approx(TRUE_S * factor, rel=0.05)
    assert s / g2 == pytest.approx(TRUE_S / TRUE_G2, rel=0.05)


def test_a_loss_that_was_scaled_and_unscaled_gives_the_same() -> None:
    def unscale(model: nn.Module) -> None:
        for weight in model.parameters():
            weight.grad.mul_(1 / 1024)

    torch.manual_seed(1)
    plain = recorded(8, 4, 5, lambda i: 0.25)
    torch.manual_seed(1)
    scaled = recorded(8, 4, 5, lambda i: 0.25 * 1024, unscale)
    for one, two in zip(plain, scaled, strict=True):
        assert one == pytest.approx(two, rel=1e-4)


def test_gradients_that_were_changed_otherwise_give_no_reading() -> None:
    def average_with_others(model: nn.Module) -> None:
        for weight in model.parameters():
            weight.grad.add_(torch.randn_like(weight))

    assert recorded(8, 4, 6, lambda i: 0.25, average_with_others) == []


def test_without_accumulation_single_examples_of_the_probe_batch_are_taken() -> None:
    """The sample covariance's trace to rounding, and the noise scale within 5 % where the sample is large."""
    x = gradients(4000)
    model = Drift()
    loop = Loop(model, loss_fn=mean, probe=Batch.of((x, torch.zeros(4000)), "probe"))
    gauge = NoiseScale(examples=4000).start(loop)
    found: dict[str, float] = {}
    for step in range(2):
        model.zero_grad()
        model(gradients(8)).mean().backward()
        with torch.no_grad():
            list(gauge.settle())
            found |= {name: float(value) for _, name, value in gauge.measure(step)}
    assert found["gns/s"] == pytest.approx(float(torch.cov(x.double().T).trace()), rel=rounding(x.numel()))
    assert found["gns/s"] / found["gns/g2"] == pytest.approx(TRUE_S / TRUE_G2, rel=0.05)
    assert "4000 single examples" in loop.notes["gns/s"]["source"]
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(
    "name",
    ["mlp", "convnet", "transformer", "tied", "tied by product", "checkpointed", "lstm", "regression", "compiled"],
)
def test_the_variance_is_that_of_gradients_taken_one_by_one(name: str) -> None:
    """Against a plain loop in evaluation mode: relative error below 1e-4."""
    specimen = SPECIMENS[name]
    model = specimen.model()
    x, y = specimen.batch(12)
    loop = Loop(model, loss_fn=specimen.loss_fn, probe=Batch.of((x, y), "probe"))
    with torch.no_grad():
        (_, _, found), _ = GradVariance().start(loop).measure(0)
    inner = getattr(model, "_orig_mod", model).eval()
    rows = []
    for i in range(12):
        inner.zero_grad()
        specimen.loss_fn(inner(x[i : i + 1]), y[i : i + 1]).backward()
        rows.append(torch.cat([p.grad.flatten() for p in inner.parameters() if p.grad is not None]).double())
    assert float(found) == pytest.approx(float(torch.stack(rows).var(dim=0).sum()), rel=1e-4)


@pytest.mark.parametrize("n", [64, 61])
def test_of_a_large_model_gradients_are_taken_in_groups(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    """Unbiased as well: over 400 probe batches both pieces within 5 % of the truth."""
    monkeypatch.setattr(gradient_module, "AT_ONCE", 1)
    found = []
    for _ in range(400):
        sight = Loop(Drift(), loss_fn=mean, probe=Batch.of((gradients(n), torch.zeros(n)), "probe")).sight
        with torch.no_grad():
            moments = example_moments(sight, 64)
        assert (moments.size, moments.n) == (8, n // 8 * 8)
        found.append(noise_pieces(moments.square_of_mean, moments.mean_square, moments.n, moments.size))
    g2, s = (statistics.fmean(column) for column in zip(*found, strict=True))
    assert s == pytest.approx(TRUE_S, rel=0.05)
    assert g2 == pytest.approx(TRUE_G2, rel=0.05)
    assert "groups of 8 examples" in moments.source


def refusal(model: nn.Module, x: Tensor, y: Tensor, loss_fn: Callable[[Tensor, Tensor], Tensor]) -> str:
    loop = Loop(model, loss_fn=loss_fn, probe=Batch.of((x, y), "probe"))
    with torch.no_grad(), pytest.raises(Unavailable) as caught:
        list(GradVariance().start(loop).measure(0))
    return str(caught.value)


def test_examples_that_depend_on_each_other_are_refused() -> None:
    x, y = torch.randn(12, 6), torch.arange(12) % 4
    coupled = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8, track_running_stats=False), nn.Linear(8, 4))
    assert "does not take one example" in refusal(coupled, x, y, nn.functional.cross_entropy)


def test_a_loss_that_is_no_mean_over_examples_is_refused() -> None:
    x, y = torch.randn(12, 6), torch.arange(12) % 4
    weighted = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0, 9.0]))
    assert "a mean over examples" in refusal(nn.Linear(6, 4), x, y, weighted)


def test_sequences_whose_first_dimension_is_time_are_refused() -> None:
    class Later(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cells, self.head = nn.RNN(3, 5), nn.Linear(5, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.cells(x)[0])

    x, y = torch.randn(7, 12, 3), torch.randint(0, 4, (7, 12))
    assert "one by one" in refusal(
        Later(), x, y, lambda o, y: nn.functional.cross_entropy(o.flatten(0, 1), y.flatten())
    )


def test_the_errors_of_both_pieces_are_as_large_as_their_spread() -> None:
    """Over 200 probe batches of 48 examples: the mean ± 1.64 errors hold the truth nine times in ten, for tr Σ."""
    held, errors, found = 0, [], []
    for _ in range(200):
        loop = Loop(Drift(), loss_fn=mean, probe=Batch.of((gradients(48), torch.zeros(48)), "probe"))
        with torch.no_grad():
            said = {name: float(value) for _, name, value in GradVariance().start(loop).measure(0)}
        held += abs(said["grad/variance"] - TRUE_S) < 1.645 * said["grad/variance/se"]
        errors.append(said["grad/variance/se"])
        found.append(said["grad/variance"])
    assert statistics.fmean(errors) == pytest.approx(statistics.stdev(found), rel=0.3)
    assert 0.8 < held / 200 < 0.97


def test_of_a_longer_probe_batch_others_are_drawn_at_each_reading() -> None:
    loop = Loop(Drift(), loss_fn=mean, probe=Batch.of((gradients(500), torch.zeros(500)), "probe"))
    gauge, found = GradVariance().start(loop), []
    for step in range(3):
        with torch.no_grad():
            found += [float(value) for _, name, value in gauge.measure(step) if name == "grad/variance"]
        loop.sight.forget()
    assert len(set(found)) == 3
