"""Curvature against the whole Hessian."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.recorder.batches import Batch  # noqa: E402
from runopsy.recorder.probes import Loop, curvature  # noqa: E402
from runopsy.recorder.probes.curvature import Curvature, top_eigenpair, trace  # noqa: E402
from zoo import SPECIMENS  # noqa: E402


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def loop_of(name: str) -> tuple[Loop, nn.Module, Tensor, Tensor]:
    specimen = SPECIMENS[name]
    model = specimen.model()
    x, y = specimen.batch(40)
    return Loop(model, loss_fn=specimen.loss_fn, probe=Batch.of((x, y), "probe")), model, x, y


def whole_hessian(name: str, model: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(H (P, P), gradient (P,)) in evaluation mode, row by row, in float64."""
    model = getattr(model, "_orig_mod", model).eval().double()
    x = x.double() if x.is_floating_point() else x
    y = y.double() if y.is_floating_point() else y
    weights = [w for w in model.parameters() if w.requires_grad]
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        slopes = torch.autograd.grad(
            SPECIMENS[name].loss_fn(model(x), y), weights, create_graph=True, allow_unused=True, materialize_grads=True
        )
        slope = torch.cat([g.flatten() for g in slopes])
        each = torch.eye(len(slope), dtype=slope.dtype)
        rows = torch.autograd.grad(
            slope, weights, each, is_grads_batched=True, allow_unused=True, materialize_grads=True
        )
    each = [r if r.dim() > w.dim() else r.expand(len(slope), *w.shape) for r, w in zip(rows, weights, strict=True)]
    return torch.cat([r.flatten(1) for r in each], dim=1).detach(), slope.detach()


def measure(loop: Loop, probe: Curvature, times: int = 1) -> Iterator[dict[str, float]]:
    gauge = probe.start(loop)
    for step in range(times):
        with torch.no_grad():
            yield {name: float(value) for _, name, value in gauge.measure(step)}


@pytest.mark.parametrize("name", ["mlp", "regression", "convnet", "transformer", "lstm", "odd", "compiled"])
def test_the_top_eigenvalue_is_that_of_the_whole_hessian(name: str) -> None:
    """λmax within 1 %; cos² of gradient and eigenvector within 0.02, where the eigenvalue is a single one."""
    loop, model, x, y = loop_of(name)
    *_, found = measure(loop, Curvature(), times=3)
    hessian, slope = whole_hessian(name, model, x, y)
    values, vectors = torch.linalg.eigh(hessian)
    assert found["hessian/top"] == pytest.approx(float(values[-1]), rel=0.01)
    if float(values[-1] - values[-2]) > 0.1 * float(values[-1]):
        cos2 = float(vectors[:, -1] @ slope) ** 2 / float(slope @ slope)
        assert found["hessian/grad_alignment"] == pytest.approx(cos2, abs=0.02)


@pytest.mark.parametrize("name", ["mlp", "regression"])
def test_the_trace_averages_to_that_of_the_whole_hessian(name: str) -> None:
    """200 readings: within four standard errors, and those below a tenth of ‖H‖."""
    loop, model, x, y = loop_of(name)
    found = torch.tensor([reading["hessian/trace"] for reading in measure(loop, Curvature(), times=200)])
    hessian, _ = whole_hessian(name, model, x, y)
    error = float((2 * (hessian.square().sum() - hessian.diag().square().sum()) / 200).sqrt())
    assert error < 0.1 * float(hessian.norm())
    assert float(found.mean()) == pytest.approx(float(hessian.trace()), abs=4 * error)


def test_of_a_diagonal_hessian_one_vector_gives_the_trace() -> None:
    diagonal = torch.randn(50)
    found = trace(lambda v: diagonal * v, diagonal, torch.Generator().manual_seed(3))
    assert found == pytest.approx(float(diagonal.sum()), rel=1e-5, abs=1e-5)


def counted(h: Tensor) -> tuple[list[int], object]:
    calls: list[int] = []

    def product(v: Tensor) -> Tensor:
        calls.append(1)
        return h @ v

    return calls, product


def spectrum(values: Tensor) -> Tensor:
    basis, _ = torch.linalg.qr(torch.randn(len(values), len(values)))
    return basis @ values.diag() @ basis.T


def test_negative_curvature_does_not_pass_for_sharpness() -> None:
    """Plain power iteration would answer −10."""
    h = spectrum(torch.cat([torch.tensor([-10.0, 2.0]), torch.linspace(-1, 1, 98)]))
    value, residual, vector = top_eigenpair(lambda v: h @ v, torch.randn(100))
    assert value == pytest.approx(2, rel=0.01)
    assert residual <= 0.03 * 2
    assert float(vector.norm()) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("decay", [1.0, 0.3])
def test_close_eigenvalues_still_give_the_top_one(decay: float) -> None:
    h = spectrum(10 * torch.arange(1, 301).float() ** -decay)
    value, _, _ = top_eigenpair(lambda v: h @ v, torch.randn(300))
    assert value == pytest.approx(10, rel=0.01)


def test_a_warm_start_takes_few_products() -> None:
    h = spectrum(10 / torch.arange(1, 301).float())
    cold, product = counted(h)
    _, _, vector = top_eigenpair(product, torch.randn(300))
    warm, product = counted(h + 0.02 * spectrum(torch.randn(300)))
    value, _, _ = top_eigenpair(product, vector)
    assert len(warm) <= 4 < len(cold)
    assert value == pytest.approx(10, rel=0.02)


def test_a_flat_loss_has_no_curvature() -> None:
    model = nn.Linear(4, 1)
    x = torch.randn(8, 4)
    loop = Loop(model, loss_fn=lambda output, y: output.mean(), probe=Batch.of((x, x), "probe"))
    (found,) = measure(loop, Curvature())
    assert found["hessian/top"] == 0
    assert found["hessian/trace"] == 0


def test_nothing_is_said_before_the_eigenvector_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a reading that may take two products there is none; the next ones go on from there."""
    monkeypatch.setattr(curvature, "PATIENCE", 3)
    loop, model, x, y = loop_of("mlp")
    readings = list(measure(loop, Curvature(), times=30))
    assert set(readings[0]) == {"hessian/trace"}
    hessian, _ = whole_hessian("mlp", model, x, y)
    assert readings[-1]["hessian/top"] == pytest.approx(float(torch.linalg.eigvalsh(hessian)[-1]), rel=0.01)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_curvlinops_finds_the_same() -> None:
    """λmax and trace of the public implementation, where it is installed: within 1 %, of its own Hessian products."""
    curvlinops = pytest.importorskip("curvlinops")
    from scipy.sparse.linalg import eigsh

    loop, model, x, y = loop_of("mlp")
    *_, found = measure(loop, Curvature(), times=2)
    weights = list(model.parameters())
    theirs = curvlinops.HessianLinearOperator(
        model, nn.CrossEntropyLoss(), weights, [(x, y)], check_deterministic=False
    )
    top = eigsh(theirs.to_scipy(), k=1, which="LA")[0][0]
    print(f"curvlinops λmax {top:.6f}, ours {found['hessian/top']:.6f}")
    assert found["hessian/top"] == pytest.approx(float(top), rel=0.01)
    v = torch.randn(sum(w.numel() for w in weights))
    product = theirs @ v
    hessian, _ = whole_hessian("mlp", model, x, y)
    torch.testing.assert_close(product.double(), hessian @ v.double(), rtol=1e-3, atol=1e-4)
