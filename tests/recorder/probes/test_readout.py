"""Ridge probes against the normal equations, and readouts that lag behind their features."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.errors import Unavailable  # noqa: E402
from runopsy.recorder.batches import Batch  # noqa: E402
from runopsy.recorder.probes import Loop  # noqa: E402
from runopsy.recorder.probes.readout import PENALTIES, HeldoutProbe, TrainProbe, left_out_right, ridge  # noqa: E402


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def problem(n: int, d: int, classes: int, spread: float = 1.0) -> tuple[Tensor, Tensor]:
    y = torch.arange(n) % classes
    return 2 * torch.randn(classes, d)[y] + spread * torch.randn(n, d) + 5, y


@pytest.mark.parametrize(("n", "d"), [(200, 10), (40, 60)])
@pytest.mark.parametrize("penalty", [1e-2, 10.0])
def test_ridge_solves_the_normal_equations(n: int, d: int, penalty: float) -> None:
    """(XᵀX + λI) W = XᵀY with standardised X and centred one-hot Y: relative error below 1e-5."""
    x, y = problem(n, d, 3)
    fitted = ridge(x, y, 3, penalty)
    z = (x.double() - x.double().mean(dim=0)) / x.double().std(dim=0, correction=0)
    target = nn.functional.one_hot(y, 3).double()
    target -= target.mean(dim=0)
    expected = torch.linalg.solve(z.T @ z + penalty * torch.eye(d), z.T @ target)
    assert float((fitted.weights - expected).norm() / expected.norm()) < 1e-5
    scores = z @ expected + nn.functional.one_hot(y, 3).double().mean(dim=0)
    torch.testing.assert_close(fitted.scores(x), scores, rtol=1e-5, atol=1e-7)


def test_the_penalty_is_that_with_the_least_leave_one_out_error() -> None:
    """Against refitting without each example in turn, in the same standardised features."""
    x, y = problem(30, 8, 3, spread=6.0)
    z = (x.double() - x.double().mean(dim=0)) / x.double().std(dim=0, correction=0)
    target = nn.functional.one_hot(y, 3).double()

    def left_out(penalty: float) -> float:
        total = 0.0
        for i in range(30):
            keep = torch.arange(30) != i
            a, b = z[keep], target[keep]
            w = torch.linalg.solve(
                (a - a.mean(dim=0)).T @ (a - a.mean(dim=0)) + penalty * torch.eye(8),
                (a - a.mean(dim=0)).T @ (b - b.mean(dim=0)),
            )
            total += float((target[i] - b.mean(dim=0) - (z[i] - a.mean(dim=0)) @ w).square().sum())
        return total

    unit = float(torch.linalg.eigvalsh(z.T @ z).mean())
    best = min((p * unit for p in PENALTIES), key=left_out)
    assert ridge(x, y, 3).penalty == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize(("n", "d"), [(40, 6), (24, 50)])
def test_leaving_each_example_out_is_as_refitting_without_it(n: int, d: int) -> None:
    """In the same standardised features: the scores agree within 1e-6, also where there are more units than rows."""
    x, y = problem(n, d, 3, spread=6.0)
    z = (x.double() - x.double().mean(dim=0)) / x.double().std(dim=0, correction=0)
    target, penalty = nn.functional.one_hot(y, 3).double(), 3.0
    found = ridge(x, y, 3, penalty).left_out
    for i in range(n):
        keep = torch.arange(n) != i
        a, b = z[keep] - z[keep].mean(dim=0), target[keep] - target[keep].mean(dim=0)
        w = torch.linalg.solve(a.T @ a + penalty * torch.eye(d), a.T @ b)
        expected = (z[i] - z[keep].mean(dim=0)) @ w + target[keep].mean(dim=0)
        torch.testing.assert_close(found[i], expected, rtol=1e-5, atol=1e-6)


def test_a_dead_unit_is_no_obstacle() -> None:
    x, y = problem(60, 5, 3)
    x[:, 2] = 7.0
    fitted = ridge(x, y, 3)
    assert bool(torch.isfinite(fitted.weights).all())


def test_labels_that_have_nothing_to_do_with_the_features_are_at_chance() -> None:
    """Four classes, 2000 examples, 50 units: 0.25 within four standard errors; above it on what was fitted."""
    x, y = torch.randn(2000, 50), torch.randint(0, 4, (2000,))
    assert float(left_out_right(x, y).double().mean()) == pytest.approx(0.25, abs=0.04)
    assert float((ridge(x, y, 4, 1e-3).scores(x).argmax(dim=1) == y).double().mean()) > 0.3


@pytest.mark.parametrize("order", ["round", "sorted"])
def test_the_order_of_the_classes_in_the_batch_does_not_matter(order: str) -> None:
    """Going round five classes, every fifth example is of one class."""
    y = torch.arange(200) % 5 if order == "round" else torch.arange(200) // 40
    x = 4 * nn.functional.one_hot(y, 8) + 0.5 * torch.randn(200, 8)
    assert float(left_out_right(x, y).double().mean()) > 0.98


class Misread(nn.Module):
    """Features that part the classes under a head that mixes them up."""

    def __init__(self, head: Tensor) -> None:
        super().__init__()
        self.body = nn.Identity()
        self.head = nn.Linear(8, 4, bias=False)
        self.head.weight = nn.Parameter(head)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def measure(loop: Loop) -> dict[str, float]:
    found: dict[str, float] = {}
    for probe in (HeldoutProbe(), TrainProbe()):
        with torch.no_grad():
            found |= {name: float(value) for _, name, value in probe.start(loop).measure(0)}
    return found


def clean(n: int) -> tuple[Tensor, Tensor]:
    y = torch.arange(n) % 4
    return torch.nn.functional.one_hot(y, 8) * 3.0 + 0.5 * torch.randn(n, 8), y


def test_features_that_know_more_than_the_head_reads_leave_a_gap() -> None:
    model = Misread(torch.eye(8)[torch.tensor([1, 0, 3, 2])])
    loop = Loop(model, probe=Batch.of(clean(200), "probe"), heldout=Batch.of(clean(200), "heldout"))
    found = measure(loop)
    assert found["probe/acc_heldout"] > 0.98
    assert found["readout/gap"] > 0.95
    assert found["probe/acc_train"] > 0.98
    assert abs(found["readout/train_bias"]) < 0.03
    assert loop.notes["readout/gap"]["features"] == "200 rows of 8 units"


def test_training_features_that_betray_their_labels_mislead_the_probe() -> None:
    """On the training side a unit names the label outright; held out it says nothing."""
    x, y = clean(200)
    x[:, 4:] = 10 * torch.nn.functional.one_hot(y, 4)
    x[:, :4] = torch.randn(200, 4) * 3
    loop = Loop(Misread(torch.eye(4, 8)), probe=Batch.of((x, y), "probe"), heldout=Batch.of(clean(200), "heldout"))
    found = measure(loop)
    assert found["probe/acc_heldout"] > 0.98
    assert found["readout/train_bias"] > 0.3


def test_a_longer_probe_batch_that_is_sorted_by_class_is_sampled() -> None:
    x, y = clean(400)
    x, y = x[y.argsort()], y.sort().values
    loop = Loop(Misread(torch.eye(4, 8)), probe=Batch.of((x, y), "probe"), heldout=Batch.of(clean(100), "heldout"))
    assert measure(loop)["probe/acc_train"] > 0.95


def test_too_few_examples_of_a_class_say_nothing() -> None:
    loop = Loop(Misread(torch.eye(4, 8)), probe=Batch.of(clean(200), "probe"), heldout=Batch.of(clean(12), "heldout"))
    with pytest.raises(Unavailable, match="5 examples of each"):
        measure(loop)
