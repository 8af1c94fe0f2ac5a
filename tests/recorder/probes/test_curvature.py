"""Curvature against the whole Hessian."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.recorder.batches import Batch  # noqa: E402
from runopsy.recorder.probes import Loop, curvature  # noqa: E402
from runopsy.recorder.probes.curvature import Curvature  # noqa: E402
from zoo import SPECIMENS  # noqa: E402

Loss = Callable[[Tensor, Tensor], Tensor]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def loop_of(name: str) -> tuple[Loop, nn.Module, Tensor, Tensor]:
    specimen = SPECIMENS[name]
    model = specimen.model()
    x, y = specimen.batch(40)
    return Loop(model, loss_fn=specimen.loss_fn, probe=Batch.of((x, y), "probe")), model, x, y


def whole_hessian(
    name: str, model: nn.Module, x: Tensor, y: Tensor, loss_fn: Loss | None = None
) -> tuple[Tensor, Tensor]:
    """(H (P, P), gradient (P,)) in evaluation mode, row by row, in float64."""
    model = getattr(model, "_orig_mod", model).eval().double()
    x = x.double() if x.is_floating_point() else x
    y = y.double() if y.is_floating_point() else y
    weights = [w for w in model.parameters() if w.requires_grad]
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        slopes = torch.autograd.grad(
            (loss_fn or SPECIMENS[name].loss_fn)(model(x), y),
            weights,
            create_graph=True,
            allow_unused=True,
            materialize_grads=True,
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
            yield {name: float(value) for _, name, value in gauge.measure(step) if value is not None}


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
    """400 readings: within four standard errors, and those below half of ‖H‖."""
    loop, model, x, y = loop_of(name)
    readings = list(measure(loop, Curvature(), times=400))
    found, errors = (torch.tensor([one[key] for one in readings]) for key in ("hessian/trace", "hessian/trace/se"))
    assert float(errors.square().mean().sqrt()) == pytest.approx(float(found.std()), rel=0.3)
    hessian, _ = whole_hessian(name, model, x, y)
    error = float(found.std()) / 400**0.5
    assert error < 0.5 * float(hessian.norm())
    assert float(found.mean()) == pytest.approx(float(hessian.trace()), abs=4 * error)


def summed(output: Tensor, y: Tensor) -> Tensor:
    return nn.functional.cross_entropy(output, y, reduction="sum")


def contrasted(output: Tensor, y: Tensor) -> Tensor:
    """Each example against all others of its batch."""
    return nn.functional.cross_entropy(output @ output.T, torch.arange(len(output)))


@pytest.mark.parametrize("loss_fn", [summed, contrasted])
def test_a_loss_that_is_no_mean_over_examples_has_the_trace_of_the_whole_sample(loss_fn: Loss) -> None:
    """The average of many readings is that of the sample, not of its parts."""
    specimen = SPECIMENS["mlp"]
    model = specimen.model()
    x, y = specimen.batch(40)
    loop = Loop(model, loss_fn=loss_fn, probe=Batch.of((x, y), "probe"))
    found = torch.tensor([reading["hessian/trace"] for reading in measure(loop, Curvature(), times=400)])
    whole = float(whole_hessian("mlp", model, x, y, loss_fn)[0].trace())
    assert float(found.mean()) == pytest.approx(whole, abs=4 * float(found.std()) / 400**0.5)


@pytest.mark.parametrize(
    ("trained_on", "examples"),
    [(None, 64), (8, 24), (200, 50), (2000, 256)],
    ids=["unseen", "small", "quarter", "large"],
)
def test_the_sample_is_a_quarter_of_a_training_batch(trained_on: int | None, examples: int) -> None:
    x, y = torch.randn(300, 4), torch.arange(300) % 3
    loop = Loop(nn.Linear(4, 3), loss_fn=nn.functional.cross_entropy, probe=Batch.of((x, y), "probe"))
    loop.sight.trained_on = trained_on
    list(measure(loop, Curvature()))
    assert loop.notes["hessian/top"]["source"] == f"{examples} of the 300 examples of the probe batch"


def test_of_sequences_fewer_examples_hold_enough_targets() -> None:
    x = torch.randint(0, 5, (64, 16))
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5))
    loop = Loop(
        model, loss_fn=lambda output, y: nn.functional.cross_entropy(output.mT, y), probe=Batch.of((x, x), "probe")
    )
    loop.sight.trained_on = 8
    list(measure(loop, Curvature()))
    assert loop.notes["hessian/top"]["source"].startswith("2 of the 64")


def test_the_columns_of_a_regression_are_no_more_targets_than_its_rows() -> None:
    """One-hot rows under a squared error, say."""
    x, y = torch.randn(64, 4), torch.eye(3)[torch.arange(64) % 3]
    loop = Loop(nn.Linear(4, 3), loss_fn=nn.functional.mse_loss, probe=Batch.of((x, y), "probe"))
    loop.sight.trained_on = 8
    list(measure(loop, Curvature()))
    assert loop.notes["hessian/top"]["targets"] == 24


def hardest(output: Tensor, y: Tensor) -> Tensor:
    """A triplet loss of the hardest pairs in the batch: near its margin for any number of examples at first."""
    far = torch.cdist(output, output)
    same = y[:, None] == y
    return (0.2 + (far * same).amax(dim=1) - far.masked_fill(same, 1e9).amin(dim=1)).clamp_min(0).mean()


def test_a_loss_of_the_hardest_examples_is_no_mean_over_examples() -> None:
    x, y = torch.randn(64, 4), torch.arange(64) % 2
    loop = Loop(
        nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)), loss_fn=hardest, probe=Batch.of((x, y), "probe")
    )
    list(measure(loop, Curvature()))
    assert loop.notes["hessian/trace"]["source"] == "64 of the 64 examples of the probe batch, the same, one direction"


def test_the_default_precision_of_the_script_does_not_matter() -> None:
    loop, *_ = loop_of("mlp")
    torch.set_default_dtype(torch.float64)
    try:
        (found,) = measure(loop, Curvature())
    finally:
        torch.set_default_dtype(torch.float32)
    assert set(found) == set(Curvature.units) - {"hessian/grad_alignment/se"}, "a probe batch of these examples alone"


def test_layers_that_are_trained_later_begin_a_new_search() -> None:
    loop, model, x, y = loop_of("mlp")
    first = next(model.parameters()).requires_grad_(False)
    gauge = Curvature().start(loop)
    with torch.no_grad():
        list(gauge.measure(0))
        first.requires_grad_(True)
        *_, found = ({name: float(value) for _, name, value in gauge.measure(step)} for step in range(1, 4))
    top = float(torch.linalg.eigvalsh(whole_hessian("mlp", model, x, y)[0])[-1])
    assert found["hessian/top"] == pytest.approx(top, rel=0.01)


def test_a_reading_of_weights_that_are_no_numbers_is_forgotten() -> None:
    loop, model, x, y = loop_of("mlp")
    weight = next(model.parameters())
    kept = weight.detach().clone()
    gauge, found = Curvature().start(loop), []
    for step in range(4):
        with torch.no_grad():
            weight.copy_(kept * (float("nan") if step == 1 else 1))
            found.append({name: float(value) for _, name, value in gauge.measure(step)})
    assert "hessian/top" not in found[1]
    top = float(torch.linalg.eigvalsh(whole_hessian("mlp", model, x, y)[0])[-1])
    assert found[3]["hessian/top"] == pytest.approx(top, rel=0.01)


@pytest.mark.parametrize("weight", [2.0, -2.0])
def test_a_model_of_one_parameter_has_a_curvature(weight: float) -> None:
    """Gradient and H·(random) lie on one line there, and may be opposite."""
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(weight)
    x = torch.ones(8, 1)
    loop = Loop(model, loss_fn=lambda output, y: (output**2).mean() / 2, probe=Batch.of((x, x), "probe"))
    for found in measure(loop, Curvature(), times=3):
        known = {"hessian/top": 1, "hessian/trace": 1, "hessian/grad_alignment": 1}
        assert found.pop("hessian/top/se", 0.0) == pytest.approx(0, abs=1e-6)
        assert found == pytest.approx(known | {"hessian/trace/se": 0}, abs=1e-6)


def test_a_flat_loss_has_no_curvature() -> None:
    model = nn.Linear(4, 1)
    x = torch.randn(8, 4)
    loop = Loop(model, loss_fn=lambda output, y: output.mean(), probe=Batch.of((x, x), "probe"))
    (found,) = measure(loop, Curvature())
    assert found["hessian/top"] == 0
    assert found["hessian/trace"] == 0


def test_nothing_is_said_before_the_eigenvector_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a reading that may take three products there is none; the next ones go on from there."""
    monkeypatch.setattr(curvature, "EARNED", 3)
    monkeypatch.setattr(curvature, "SAVED", 3)
    loop, model, x, y = loop_of("mlp")
    readings = list(measure(loop, Curvature(), times=40))
    assert set(readings[0]) == {"hessian/trace", "hessian/trace/se"}
    hessian, _ = whole_hessian("mlp", model, x, y)
    assert readings[-1]["hessian/top"] == pytest.approx(float(torch.linalg.eigvalsh(hessian)[-1]), rel=0.01)


def planted(n: int, d: int = 6) -> tuple[nn.Module, Batch, Tensor, Tensor]:
    """Linear regression of inputs with one large direction: (model, n examples, H, gradient) of as many as there are.

    H = 2 E xxᵀ; the gradient is −2 E x y = −2 H/2 w of the true weights w.
    """
    scales = torch.tensor([2.0, *(1.0 for _ in range(d - 1))])
    x, w = torch.randn(n, d) * scales, torch.linspace(1.0, 0.3, d)[None]
    model = nn.Linear(d, 1, bias=False)
    nn.init.zeros_(model.weight)
    y = x @ w.T + 0.5 * torch.randn(n, 1)
    hessian = 2 * torch.diag(scales.square())
    return model, Batch.of((x, y), "probe"), hessian, -(hessian @ w[0])


def test_errors_cover_what_all_examples_would_give() -> None:
    """Where the answer is known in closed form; the gradient's, along the eigenvector that was found."""
    hits: dict[str, list[bool]] = {"hessian/top": [], "hessian/grad_alignment": [], "hessian/trace": []}
    for seed in range(100):
        torch.manual_seed(seed)
        model, batch, hessian, slope = planted(120)
        truth = {"hessian/top": 8.0, "hessian/trace": float(hessian.trace())}
        loop = Loop(model, loss_fn=nn.functional.mse_loss, probe=batch)
        loop.sight.trained_on = 160
        curve = Curvature().start(loop)
        curve._random = torch.Generator().manual_seed(seed)  # type: ignore[attr-defined]
        curve._rows = torch.Generator().manual_seed(seed)  # type: ignore[attr-defined]
        with torch.no_grad():
            found = {name: float(value) for _, name, value in curve.measure(0) if value is not None}
        (v,) = curve._vector  # type: ignore[attr-defined]
        truth["hessian/grad_alignment"] = float((v[0] @ slope) ** 2 / slope.square().sum())
        for name, kept in hits.items():
            if name in found:
                kept.append(abs(found[name] - truth[name]) <= 1.96 * found[f"{name}/se"])
    covered = {name: sum(kept) / len(kept) for name, kept in hits.items()}
    assert min(len(kept) for kept in hits.values()) > 60
    assert all(0.78 <= share <= 0.99 for share in covered.values()), covered


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
