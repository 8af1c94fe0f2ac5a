"""The tangent kernel against Jacobians written out."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.errors import Unavailable  # noqa: E402
from runopsy.recorder.batches import Batch  # noqa: E402
from runopsy.recorder.probes import Loop  # noqa: E402
from runopsy.recorder.probes import kernels as module  # noqa: E402
from runopsy.recorder.probes.kernels import (  # noqa: E402
    KernelAlignment,
    KernelVelocity,
    differentiated,
    directions,
    jackknife,
    tangent_kernel,
)
from runopsy.recorder.probes.similarity import cka, hsic  # noqa: E402
from zoo import SPECIMENS, mlp, numbers, vectors  # noqa: E402


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def jacobian(model: nn.Module, x: Tensor) -> Tensor:
    """(m, K, P), output by output with plain backward passes."""
    rows = []
    for output in model(x).flatten():
        model.zero_grad()
        output.backward(retain_graph=True)
        rows.append(torch.cat([p.grad.flatten() for p in model.parameters()]).double())
    return torch.stack(rows).reshape(len(x), -1, len(rows[0]))


def kernel_of(model: nn.Module, x: Tensor) -> Tensor:
    """Σ over outputs of J Jᵀ."""
    j = jacobian(model, x)
    return torch.einsum("ikp,jkp->ij", j, j)


@pytest.mark.parametrize("outputs", [1, 4])
def test_the_kernel_is_that_of_all_outputs_where_they_are_few(outputs: int) -> None:
    """Relative error below 1e-5."""
    model, (x, y) = mlp(outputs), vectors(20)
    with torch.no_grad():
        found = tangent_kernel(Loop(model, probe=Batch.of((x, y), "probe")).sight)
    expected = kernel_of(model, x)
    assert float((found - expected).norm() / expected.norm()) < 1e-5


def test_of_many_outputs_fixed_directions_are_taken() -> None:
    model, (x, y) = mlp(9), vectors(20)
    with torch.no_grad():
        found = tangent_kernel(Loop(model, probe=Batch.of((x, y), "probe")).sight)
    j = torch.einsum("ikp,vk->ivp", jacobian(model, x), torch.stack(directions(9)).double()) / 1
    expected = torch.einsum("ivp,jvp->ij", j, j)
    assert float((found - expected).norm() / expected.norm()) < 1e-5


def test_a_sample_of_the_parameters_gives_nearly_the_same_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Linear(8, 300), nn.Tanh(), nn.Linear(300, 300), nn.Tanh(), nn.Linear(300, 2))
    batch = Batch.of(vectors(20), "probe")
    with torch.no_grad():
        whole = tangent_kernel(Loop(model, probe=batch).sight)
        monkeypatch.setattr(module, "TAKEN", 20_000)
        sample = tangent_kernel(Loop(model, probe=batch).sight)
    assert float((whole - sample).norm() / whole.norm()) < 0.02


class Deep(nn.Sequential):
    """Twelve equal layers; every matrix is a tenth of all parameters or less."""

    def __init__(self) -> None:
        layers = [layer for _ in range(12) for layer in (nn.Linear(110, 110), nn.Tanh())]
        super().__init__(nn.Linear(8, 110), *layers, nn.Linear(110, 2))


def test_of_a_large_model_the_kernel_is_that_of_some_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly theirs; they are spread over the depth, and never more than the room there is."""
    model, (x, y) = Deep(), vectors(20)
    monkeypatch.setattr(module, "TAKEN", 40_000)
    sizes = {name: w.numel() for name, w in model.named_parameters()}
    names = differentiated(sizes)
    assert sum(sizes[name] for name in names) <= 40_000
    layers = [int(name.split(".")[0]) for name in names if sizes[name] > 10_000]
    assert len(layers) >= 2
    assert max(layers) - min(layers) > len(model) / 3
    loop = Loop(model, probe=Batch.of((x, y), "probe"))
    with torch.no_grad():
        found = tangent_kernel(loop.sight)
    for name, weight in model.named_parameters():
        weight.requires_grad_(name in names)
    rows = []
    for output in model(x).flatten():
        slopes = torch.autograd.grad(output, [w for w in model.parameters() if w.requires_grad], retain_graph=True)
        rows.append(torch.cat([g.flatten() for g in slopes]).double())
    j = torch.stack(rows).reshape(len(x), 2, -1)
    expected = torch.einsum("ikp,jkp->ij", j, j)
    assert float((found - expected).norm() / expected.norm()) < 1e-5


def test_what_the_kernel_is_of_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = Deep(), Batch.of(vectors(20), "probe")
    for room, said in ((1_000_000, "derivatives to all parameters"), (40_000, "in 19 of 28 tensors")):
        monkeypatch.setattr(module, "TAKEN", room)
        loop = Loop(model, probe=batch)
        with torch.no_grad():
            list(KernelVelocity().start(loop).measure(0))
        assert said in loop.notes["ntk/velocity"]["source"]


def test_tensors_are_taken_however_large_they_are() -> None:
    assert differentiated({"a": 3_000_000, "b": 2_000_000, "c": 10}) == ["b", "c"]
    assert differentiated({"a": 10, "b": 20}) == ["a", "b"]
    for count in (7, 20, 100):
        many = {str(i): 300_000 for i in range(count)} | {"fits": 90_000}
        assert len(differentiated(many)) == 4, "all that fit are found, wherever they stand"


def readings(
    model: nn.Module, batch: Batch, probe: KernelVelocity | KernelAlignment, change: object
) -> list[dict[str, float]]:
    loop, found = Loop(model, probe=batch), []
    gauge = probe.start(loop)
    for step in (0, 5):
        with torch.no_grad():
            found.append({name: float(value) for _, name, value in gauge.measure(step)})
            loop.sight.forget()
            change(model)
    return found


def test_the_velocity_is_the_turn_of_the_kernel_per_step() -> None:
    model, (x, y) = mlp(3), vectors(20)
    kernels = [kernel_of(model, x)]

    def change(model: nn.Module) -> None:
        with torch.no_grad():
            model[0].weight.add_(torch.randn(16, 8), alpha=0.3)
        with torch.enable_grad():
            kernels.append(kernel_of(model, x))

    found = readings(model, Batch.of((x, y), "probe"), KernelVelocity(), change)
    cosine = (kernels[0] * kernels[1]).sum() / (kernels[0].norm() * kernels[1].norm())
    assert found[0] == {}
    assert found[1]["ntk/velocity"] == pytest.approx(float(1 - cosine) / 5, rel=1e-3)


def test_a_model_whose_output_is_scaled_only_does_not_turn() -> None:
    def scale(model: nn.Module) -> None:
        model.weight.mul_(3)

    found = readings(nn.Linear(8, 2), Batch.of(vectors(20), "probe"), KernelVelocity(), scale)
    assert found[1]["ntk/velocity"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_the_alignment_is_that_of_the_centred_kernels(kind: str) -> None:
    x, y = vectors(20) if kind == "classes" else numbers(20)
    model = mlp(3)
    targets = nn.functional.one_hot(y).double() if kind == "classes" else y.double()
    kernel, ideal = kernel_of(model, x), targets @ targets.T
    expected = hsic(kernel, ideal) / (hsic(kernel, kernel) * hsic(ideal, ideal)).sqrt()
    found = readings(model, Batch.of((x, y), "probe"), KernelAlignment(), lambda model: None)
    assert found[0]["ntk/alignment"] == pytest.approx(float(expected), rel=1e-4)


def test_the_alignment_of_few_examples_is_not_above_that_of_many() -> None:
    """Over 60 draws of 16 of 400 examples: the mean within 10 %, and the errors about as large as the spread."""
    model = mlp(4)
    x, y = vectors(400)
    kernel = kernel_of(model, x)
    targets = nn.functional.one_hot(y).double()
    ideal = targets @ targets.T
    whole = float(cka(kernel, ideal))  # type: ignore[arg-type]  # there is something to compare
    found, errors = [], []
    for _ in range(60):
        rows = torch.randperm(400)[:16]
        found.append(float(cka(kernel[rows][:, rows], ideal[rows][:, rows])))  # type: ignore[arg-type]
        errors.append(jackknife(kernel[rows][:, rows], ideal[rows][:, rows], cka))
    assert sum(found) / 60 == pytest.approx(whole, rel=0.1)
    spread = float(torch.tensor(found).std())
    assert 0.6 < sum(e for e in errors if e is not None) / 60 / spread < 1.7


def test_the_jackknife_leaves_out_one_example_after_the_other() -> None:
    one, two = (x @ x.T for x in torch.randn(2, 12, 5, dtype=torch.float64))
    found = []
    for i in range(12):
        keep = [j for j in range(12) if j != i]
        found.append(float(cka(one[keep][:, keep], two[keep][:, keep])))  # type: ignore[arg-type]  # there is one
    expected = (11 / 12 * sum((value - sum(found) / 12) ** 2 for value in found)) ** 0.5
    assert jackknife(one, two, cka) == pytest.approx(expected, rel=1e-9)
    assert jackknife(one, torch.zeros_like(two), cka) is None
    assert jackknife(one[:5, :5], two[:5, :5], cka) is None


def test_sequences_have_a_velocity_and_no_alignment() -> None:
    specimen = SPECIMENS["tied"]
    batch = Batch.of(specimen.batch(12), "probe")
    assert "ntk/velocity" in readings(specimen.model(), batch, KernelVelocity(), lambda model: None)[1]
    with pytest.raises(Unavailable, match="one target per example"):
        readings(specimen.model(), batch, KernelAlignment(), lambda model: None)
