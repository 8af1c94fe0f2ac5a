"""CKA and CCA against their definitions, and where nothing is shared."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.errors import Unavailable  # noqa: E402
from runopsy.recorder.batches import Batch  # noqa: E402
from runopsy.recorder.probes import Loop  # noqa: E402
from runopsy.recorder.probes.arrays import gram  # noqa: E402
from runopsy.recorder.probes.similarity import CcaLayers, CkaLayers, CkaPrev, cca, cka, hsic  # noqa: E402
from zoo import SPECIMENS, mlp, vectors  # noqa: E402


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def similar(x: Tensor, y: Tensor) -> float:
    found = cka(gram(x), gram(y))
    assert found is not None
    return float(found)


def test_hsic_is_the_mean_over_all_different_quadruples() -> None:
    """The definition of the U-statistic, over 8·7·6·5 ordered quadruples: relative error below 1e-9."""
    k, m = ((g + g.T) / 2 for g in (gram(torch.randn(8, 3)), gram(torch.randn(8, 5))))  # a float32 product is not quite
    terms = [k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in permutations(range(8), 4)]
    assert float(hsic(k, m)) == pytest.approx(float(torch.stack(terms).mean()), rel=1e-9)


def test_independent_features_have_no_similarity() -> None:
    """n = 64, d = 512: 0 ± 0.02 on average over 20 pairs; the biased estimate would say 0.89."""
    pairs = [(torch.randn(64, 512), torch.randn(64, 512)) for _ in range(20)]
    found = [similar(x, y) for x, y in pairs]
    assert abs(float(np.mean(found))) < 0.02
    assert max(abs(one) for one in found) < 0.06
    k, m = (gram(x) for x in pairs[0])
    assert float((k * m).sum() / (k.norm() * m.norm())) > 0.85


def test_rotation_scale_and_mean_change_nothing() -> None:
    x = torch.randn(50, 20)
    rotation, _ = torch.linalg.qr(torch.randn(20, 20))
    assert similar(x, 3 * x @ rotation + 7) == pytest.approx(1, abs=1e-6)


def test_features_that_share_half_their_variance_are_half_similar() -> None:
    """Linear CKA of [s, a] and [s, b] with s, a, b independent and equally wide is 1/2: within 0.02 at n = 1024."""
    s, a, b = torch.randn(3, 1024, 40)
    assert similar(torch.cat([s, a], dim=1), torch.cat([s, b], dim=1)) == pytest.approx(0.5, abs=0.02)


def test_noise_has_no_cka_and_too_few_rows_neither() -> None:
    assert cka(torch.zeros(5, 5), torch.zeros(5, 5)) is None
    with pytest.raises(Unavailable, match="four rows"):
        cka(torch.zeros(3, 3), torch.zeros(3, 3))


def naive_cca(x: Tensor, y: Tensor) -> list[float]:
    """Canonical correlations as square roots of the eigenvalues of Cxx⁻¹ Cxy Cyy⁻¹ Cyx."""
    x, y = (z.double() - z.double().mean(dim=0) for z in (x, y))
    product = torch.linalg.solve(x.T @ x, x.T @ y) @ torch.linalg.solve(y.T @ y, y.T @ x)
    return sorted(torch.linalg.eigvals(product).real.clamp_min(0).sqrt().tolist(), reverse=True)


def test_cca_is_the_mean_squared_correlation_less_chance() -> None:
    x, y = torch.randn(200, 6), torch.randn(200, 9)
    y[:, :3] += x[:, :3]
    squared = sum(rho**2 for rho in naive_cca(x, y)[:6]) / 6
    assert float(cca(x, y)) == pytest.approx((squared - 9 / 199) / (1 - 9 / 199), rel=1e-6)


def test_cca_of_unrelated_features_is_zero_on_average() -> None:
    found = [float(cca(torch.randn(100, 10), torch.randn(100, 20))) for _ in range(40)]
    assert abs(float(np.mean(found))) < 0.02


def test_cca_with_fewer_rows_than_units_is_refused() -> None:
    with pytest.raises(Unavailable, match="more rows than units"):
        cca(torch.randn(30, 16), torch.randn(30, 16))


def readings(loop: Loop, probe: CkaPrev | CkaLayers | CcaLayers, change: object = None) -> list[dict[str, float]]:
    gauge, found = probe.start(loop), []
    for step in range(3):
        with torch.no_grad():
            found.append({name: float(value) for _, name, value in gauge.measure(step)})
            loop.sight.forget()
            if change is not None:
                change()
    return found


def test_between_readings_the_last_hidden_features_are_compared() -> None:
    model = mlp()
    x, y = vectors(40)
    loop = Loop(model, probe=Batch.of((x, y), "probe"))
    seen = []

    def change() -> None:
        seen.append(model[:4](x))
        model[2].weight.add_(torch.randn(12, 16), alpha=0.3)

    found = readings(loop, CkaPrev(), change)
    assert found[0] == {}
    for i in (1, 2):
        assert found[i]["features/cka_prev"] == pytest.approx(similar(seen[i - 1], seen[i]), rel=1e-4)
        assert found[i]["features/cka_prev"] < 0.999


def test_layers_are_compared_by_name() -> None:
    model = mlp()
    x, y = vectors(40)
    loop = Loop(model, probe=Batch.of((x, y), "probe"))
    expected = {"features/cka/0~2": similar(model[:1](x), model[:3](x))}
    assert readings(loop, CkaLayers())[0] == pytest.approx(expected, rel=1e-4)
    loop = Loop(model, probe=Batch.of(vectors(200), "probe"))
    assert readings(loop, CcaLayers())[0].keys() == {"features/cca/0~2"}


def test_a_sequence_is_compared_position_by_position() -> None:
    specimen = SPECIMENS["tied"]
    loop = Loop(specimen.model(), probe=Batch.of(specimen.batch(20), "probe"))
    (found, *_) = readings(loop, CkaLayers())
    assert set(found) == {
        "features/cka/words~blocks.0",
        "features/cka/blocks.0~blocks.1",
        "features/cka/words~blocks.1",
    }


def test_one_layer_has_nothing_to_be_compared_with() -> None:
    loop = Loop(nn.Linear(8, 4), probe=Batch.of(vectors(20), "probe"))
    with pytest.raises(Unavailable, match="fewer than two blocks"):
        readings(loop, CkaLayers())
