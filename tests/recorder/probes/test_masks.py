"""The mask overlap against sets."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip

from runopsy.recorder.probes import Loop  # noqa: E402
from runopsy.recorder.probes.masks import KEPT, MaskOverlap  # noqa: E402


def readings(model: nn.Module, *changes: object, sampled: int = 10**6) -> list[float]:
    gauge = MaskOverlap(sampled).start(Loop(model))
    found = []
    with torch.no_grad():
        assert list(gauge.measure(0)) == []
        for step, change in enumerate(changes, 1):
            change(model)
            found += [float(value) for _, _, value in gauge.measure(step)]
    return found


def biggest(model: nn.Module) -> set[int]:
    """Positions of the largest fifth among the weights of matrices."""
    sizes = torch.cat([w.detach().abs().flatten() for w in model.parameters() if w.dim() > 1]).tolist()
    return set(sorted(range(len(sizes)), key=lambda i: -sizes[i])[: round(KEPT * len(sizes))])


def test_the_overlap_is_the_share_of_large_weights_that_stayed_large() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 30), nn.Linear(30, 5))
    before = biggest(model)

    def shake(model: nn.Module) -> None:
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.05)

    (found,) = readings(model, shake)
    assert found == pytest.approx(len(before & biggest(model)) / len(before), rel=1e-6)
    assert 0.3 < found < 0.9


def test_weights_that_only_grow_keep_their_mask_and_new_ones_have_chance() -> None:
    torch.manual_seed(0)
    model = nn.Linear(200, 200)

    def grow(model: nn.Module) -> None:
        model.weight.mul_(2)

    def draw(model: nn.Module) -> None:
        model.weight.normal_()

    stayed, chance = readings(model, grow, draw, sampled=20_000)
    assert stayed == 1
    assert chance == pytest.approx(KEPT, abs=0.03)


def test_a_model_of_vectors_has_no_mask() -> None:
    assert readings(nn.LayerNorm(8), lambda model: None) == []
