"""The norms against the plainest loops that compute them, in float64; as near as float32 allows, see ``rounding``."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from exact import rounding  # noqa: E402
from runopsy.errors import Unavailable  # noqa: E402
from runopsy.recorder.probes import Loop  # noqa: E402
from runopsy.recorder.probes.norms import GradNorm, ModuleGradNorm, UpdateRatio, WeightNorm, l2  # noqa: E402


def naive_norm(tensors: Iterable[Tensor]) -> float:
    """The square root of the sum of all squares, element by element."""
    total = 0.0
    for tensor in tensors:
        for element in tensor.detach().to_dense().reshape(-1).tolist():
            total += abs(element) ** 2
    return math.sqrt(total)


class Tied(nn.Module):
    """Tied weights, a frozen layer, one that takes no part, and one whose output is thrown away."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 6, bias=False)
        self.again = nn.Linear(6, 6)
        self.again.weight = self.inner.weight
        self.frozen = nn.Linear(6, 6).requires_grad_(False)
        self.unused = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.again(torch.tanh(self.frozen(self.inner(x))))


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def backward(model: nn.Module, width: int = 6) -> None:
    model.zero_grad()
    model(torch.randn(9, width)).square().mean().backward()


def measure(probe: GradNorm | WeightNorm, model: nn.Module) -> dict[str, float]:
    with torch.no_grad():
        return {name: float(value) for _, name, value in probe.start(Loop(model)).measure(7)}


def test_the_gradient_norm_is_that_of_all_parameters_that_have_one() -> None:
    model = Tied()
    backward(model)
    gradients = [model.inner.weight.grad, model.again.bias.grad]
    assert measure(GradNorm(), model)["grad/norm"] == pytest.approx(naive_norm(gradients), rel=rounding(42))


def test_the_weight_norm_counts_tied_weights_once_and_frozen_ones_never() -> None:
    model = Tied()
    weights = [model.inner.weight, model.again.bias, model.unused.weight, model.unused.bias]
    assert measure(WeightNorm(), model)["weights/norm"] == pytest.approx(naive_norm(weights), rel=rounding(54))


@pytest.mark.parametrize("probe", [GradNorm(), WeightNorm()])
@pytest.mark.parametrize("model", [nn.Identity(), nn.Linear(2, 2).requires_grad_(False)])
def test_without_anything_to_measure_nothing_is_said(probe: GradNorm | WeightNorm, model: nn.Module) -> None:
    assert measure(probe, model) == {}


def test_before_the_first_backward_there_is_no_gradient_norm() -> None:
    assert measure(GradNorm(), nn.Linear(2, 2)) == {}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64])
def test_a_norm_neither_overflows_nor_loses_digits_in_any_precision(dtype: torch.dtype) -> None:
    tensors = [(torch.randn(50, dtype=torch.float32) * 3e4).to(dtype), (torch.randn(7) * 1e2).to(dtype)]
    found = l2(tensors)
    assert found.dtype in (torch.float32, torch.float64)
    assert float(found) == pytest.approx(naive_norm(tensors), rel=rounding(57))


def test_tensors_of_several_precisions_have_one_norm() -> None:
    tensors = [torch.randn(5).to(kind) for kind in (torch.float16, torch.float32, torch.float64, torch.complex128)]
    assert float(l2(tensors)) == pytest.approx(naive_norm(tensors), rel=rounding(25))


def test_a_sparse_gradient_is_measured_and_left_as_it_is() -> None:
    model = nn.Embedding(10, 4, sparse=True)
    model(torch.tensor([1, 1, 3])).square().sum().backward()
    gradient = model.weight.grad
    assert not gradient.is_coalesced()
    assert measure(GradNorm(), model)["grad/norm"] == pytest.approx(naive_norm([gradient]), rel=rounding(12))
    assert not gradient.is_coalesced()


def test_a_gradient_that_is_not_finite_says_so() -> None:
    model = nn.Linear(2, 2)
    backward(model, 2)
    model.bias.grad[0] = math.inf
    assert measure(GradNorm(), model)["grad/norm"] == math.inf
    model.bias.grad[1] = math.nan
    assert math.isnan(measure(GradNorm(), model)["grad/norm"])


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
def test_the_update_ratio_is_that_of_the_update_that_follows(optimizer: type[torch.optim.Optimizer]) -> None:
    model = Tied()
    options = {"momentum": 0.9, "weight_decay": 0.1} if optimizer is torch.optim.SGD else {"weight_decay": 0.1}
    steps = optimizer(model.parameters(), lr=0.05, **options)
    gauge = UpdateRatio().start(Loop(model))
    moving = [model.inner.weight, model.again.bias, model.unused.weight, model.unused.bias]
    found, expected = [], []
    for step in range(6):
        backward(model)
        with torch.no_grad():
            found += [(at, name, float(value)) for at, name, value in gauge.settle()]
            assert list(gauge.measure(step)) == []
        before = [w.detach().double().clone() for w in moving]
        steps.step()
        update = naive_norm([w.double() - b for w, b in zip(moving, before, strict=True)])
        expected.append((step, "weights/update_ratio", update / naive_norm(before)))
    with torch.no_grad():
        found += [(at, name, float(value)) for at, name, value in gauge.settle()]
        assert list(gauge.settle()) == []
    assert [f[:2] for f in found] == [e[:2] for e in expected]
    assert [f[2] for f in found] == pytest.approx([e[2] for e in expected], rel=1e-4)
    assert expected[0][2] > 1e-3


def test_a_step_that_was_skipped_has_a_ratio_of_zero() -> None:
    gauge = UpdateRatio().start(Loop(nn.Linear(2, 2)))
    gauge.measure(0)
    assert [(step, float(value)) for step, _, value in gauge.settle()] == [(0, 0.0)]


def test_of_a_large_model_a_sample_gives_nearly_the_same_ratio() -> None:
    model = nn.Sequential(
        nn.Linear(100, 200), nn.Linear(200, 100), nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last)
    )
    gauges = [UpdateRatio().start(Loop(model)), UpdateRatio(sampled=4000).start(Loop(model))]
    with torch.no_grad():
        for gauge in gauges:
            list(gauge.measure(0))
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.01)
        whole, sample = (float(value) for gauge in gauges for _, _, value in gauge.settle())
    assert sum(len(w) for w in gauges[1]._before) < 4000 + 10
    assert sample == pytest.approx(whole, rel=0.05)
    assert sample != whole


def freeze(model: nn.Sequential) -> None:
    model[0].requires_grad_(False)


def grow(model: nn.Sequential) -> None:
    model[0] = nn.Linear(2, 5)


def convert(model: nn.Sequential) -> None:
    model.double()


def add(model: nn.Sequential) -> None:
    model.append(nn.Linear(2, 2))


@pytest.mark.parametrize("change", [freeze, grow, convert, add])
def test_a_model_that_was_changed_in_between_has_no_ratio_but_the_next_one_does(change: object) -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    model.append(nn.Linear(2, 2))
    gauge = UpdateRatio().start(Loop(model))
    gauge.measure(0)
    change(model)  # type: ignore[operator]  # one of the four above
    assert list(gauge.settle()) == []
    gauge.measure(1)
    assert [step for step, _, _ in gauge.settle()] == [1]


class Sharded(Tensor):
    """What a DTensor looks like to us: asking it anything would make this process wait for the others."""

    def to_local(self) -> None: ...

    @classmethod
    def __torch_function__(
        cls, function: object, types: object, args: tuple[object, ...] = (), kwargs: object = None
    ) -> object:
        if getattr(function, "__name__", "") in (
            "linalg_vector_norm",
            "__getitem__",
            "clone",
            "_foreach_norm",
            "reshape",
        ):
            raise AssertionError("one process alone asked for a collective")
        return super().__torch_function__(function, types, args, kwargs or {})


@pytest.mark.parametrize("probe", [ModuleGradNorm(), UpdateRatio()])
def test_parameters_that_are_sharded_are_not_touched(probe: ModuleGradNorm | UpdateRatio) -> None:
    model = nn.Module()
    model.weight = nn.Parameter(torch.ones(3).as_subclass(Sharded))
    model.weight.grad = torch.ones(3).as_subclass(Sharded)
    model.part = nn.Linear(1, 1)
    gauge = probe.start(Loop(model))
    with pytest.raises(Unavailable, match="sharded"):
        list(gauge.measure(0))
