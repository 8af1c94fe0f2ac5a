"""The top eigenpair against spectra that are known."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402  # after the skip

from exact import rounding  # noqa: E402
from runopsy.recorder.probes.eigen import Allowance, dot, norm, top_eigenpair  # noqa: E402

RESIDUAL = 0.015


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


class Operator:
    """A matrix that counts how often it was asked, its vectors in two pieces."""

    def __init__(self, h: Tensor) -> None:
        self.h, self.calls = h, 0

    def __call__(self, v: list[Tensor]) -> list[Tensor]:
        self.calls += 1
        return self.split(self.h @ torch.cat([t.flatten() for t in v]))

    def split(self, v: Tensor) -> list[Tensor]:
        return [v[:10].reshape(2, 5), v[10:]]


def spectrum(values: Tensor) -> Tensor:
    basis, _ = torch.linalg.qr(torch.randn(len(values), len(values)))
    return basis @ values.diag() @ basis.T


def found(h: Tensor, start: Tensor | None = None, products: int = 40) -> tuple[float, float, list[Tensor], Operator]:
    operator = Operator(h)
    begin = operator.split(torch.randn(len(h)) if start is None else start)
    return *top_eigenpair(operator, begin, RESIDUAL, Allowance(products, products)), operator


def test_negative_curvature_does_not_pass_for_sharpness() -> None:
    """Plain power iteration would answer −10."""
    h = spectrum(torch.cat([torch.tensor([-10.0, 2.0]), torch.linspace(-1, 1, 98)]))
    value, residual, vector, _ = found(h)
    assert value == pytest.approx(2, rel=0.01)
    assert residual <= RESIDUAL * 2
    assert norm(vector) == pytest.approx(1, rel=1e-5)
    flat = torch.cat([t.flatten() for t in vector])
    assert float((h @ flat - value * flat).norm()) == pytest.approx(residual, abs=1e-3)


@pytest.mark.parametrize("decay", [1.0, 0.3])
def test_close_eigenvalues_still_give_the_top_one(decay: float) -> None:
    value, *_ = found(spectrum(10 * torch.arange(1, 301).float() ** -decay))
    assert value == pytest.approx(10, rel=0.01)


def test_a_warm_start_takes_few_products() -> None:
    h = spectrum(10 / torch.arange(1, 301).float())
    _, _, vector, cold = found(h)
    value, _, _, warm = found(h + 0.02 * spectrum(torch.randn(300)), torch.cat([t.flatten() for t in vector]))
    assert warm.calls <= 4 < cold.calls
    assert value == pytest.approx(10, rel=0.02)


def test_a_start_that_is_an_eigenvector_is_confirmed() -> None:
    value, residual, _, operator = found(torch.eye(20) * 3)
    assert (value, residual) == (pytest.approx(3), pytest.approx(0, abs=1e-5))
    assert operator.calls <= 2


def test_of_equal_eigenvalues_the_vector_still_has_length_one() -> None:
    """The residual is pure rounding there, and no direction."""
    for seed in range(20):
        torch.manual_seed(seed)
        *_, vector, _ = found(torch.eye(12) * 0.37)
        assert norm(vector) == pytest.approx(1, abs=1e-5)


def test_a_product_in_half_precision_is_given_vectors_of_length_one() -> None:
    h = spectrum(1e-3 * torch.linspace(-1, 1, 40) ** 3)

    class Half(Operator):
        def __call__(self, v: list[Tensor]) -> list[Tensor]:
            return [t.float() for t in super().__call__([t.half() for t in v])]

    operator = Half(h.half())
    value, *_ = top_eigenpair(operator, operator.split(torch.randn(40)), RESIDUAL, Allowance(40, 40))
    assert value == pytest.approx(1e-3, rel=0.02)


def test_products_that_were_not_needed_are_kept_up_to_a_limit() -> None:
    h = spectrum(10 / torch.arange(1, 301).float())
    operator, allowance = Operator(h), Allowance(4, 12)
    _, _, vector = top_eigenpair(operator, operator.split(torch.randn(300)), RESIDUAL, allowance)
    cold = operator.calls
    assert 4 < cold <= 12
    for _ in range(5):
        top_eigenpair(operator, vector, RESIDUAL, allowance)
    assert allowance.kept == 12 - 2, "warm calls take two, and earn four"
    operator.calls = 0
    *_, far = top_eigenpair(Operator(-h), operator.split(torch.randn(300)), 1e-9, allowance)
    assert allowance.kept == 0
    assert norm(far) == pytest.approx(1, rel=1e-4)


def test_the_value_is_never_above_the_largest_eigenvalue() -> None:
    for products in (1, 2, 3, 5, 9):
        value, *_ = found(spectrum(torch.linspace(-3, 5, 60)), products=products)
        assert value <= 5 * (1 + 1e-5)


def test_a_product_that_is_no_number_ends_the_search() -> None:
    value, _, _, operator = found(torch.full((20, 20), float("nan")))
    assert value != value
    assert operator.calls <= 2


def test_vectors_in_pieces_multiply_as_wholes() -> None:
    a, b = [torch.randn(3, 4), torch.randn(7)], [torch.randn(3, 4), torch.randn(7)]
    flat = [torch.cat([t.flatten() for t in v]).double() for v in (a, b)]
    error = rounding(19) * float((flat[0] * flat[1]).abs().sum())
    assert dot(a, b) == pytest.approx(float(flat[0] @ flat[1]), rel=0, abs=error)
