"""Canaries: false labels, and nothing else."""

from __future__ import annotations

import random

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402  # after the skip
from hypothesis import strategies as st  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

import runopsy  # noqa: E402
from runopsy.errors import BadOption  # noqa: E402
from runopsy.recorder.canary import Canaries  # noqa: E402


@given(n=st.integers(1, 300), classes=st.integers(2, 12), seed=st.integers(0, 5), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_canary_has_a_false_label_and_everything_else_its_own(
    n: int, classes: int, seed: int, data: st.DataObject
) -> None:
    labels = [i % classes for i in range(n)]
    count = data.draw(st.integers(1, n))
    changed = Canaries([(f"x{i}", y) for i, y in enumerate(labels)], classes=classes, count=count, seed=seed)
    assert len(changed) == n
    assert len(set(changed.indices)) == count
    for i in range(n):
        x, y = changed[i]
        assert x == f"x{i}"
        assert 0 <= y < classes
        assert (y != labels[i]) == (i in changed.indices)
        assert changed[i] == changed[i - n]


def test_false_labels_are_spread_over_the_other_classes() -> None:
    changed = Canaries([(0, 3)] * 3000, classes=4, count=3000)
    counts = [sum(changed[i][1] == c for i in range(3000)) for c in range(4)]
    assert counts[3] == 0
    assert min(counts[:3]) > 850


def test_one_seed_gives_the_same_canaries_and_no_random_state_is_touched() -> None:
    before = random.getstate(), torch.get_rng_state()
    data = [(i, i % 5) for i in range(1000)]
    one, two, three = (Canaries(data, classes=5, seed=seed) for seed in (1, 1, 2))
    assert [one[i] for i in range(1000)] == [two[i] for i in range(1000)]
    assert one.indices != three.indices
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize(("n", "expected"), [(10, 10), (1000, 32), (10_000, 100), (1_000_000, 512)])
def test_by_default_one_example_in_a_hundred_within_bounds(n: int, expected: int) -> None:
    assert len(Canaries(range(n), classes=2).indices) == expected


def test_tensors_stay_tensors_and_a_loader_takes_them() -> None:
    data = TensorDataset(torch.randn(50, 3), torch.arange(50) % 4)
    changed = Canaries(data, classes=4, count=10)
    xs, ys = next(iter(DataLoader(changed, batch_size=50)))
    assert torch.equal(xs, data.tensors[0])
    assert ys.dtype == torch.int64
    assert (ys != data.tensors[1]).nonzero().flatten().tolist() == list(changed.indices)
    x, y = changed.batch()
    assert torch.equal(x, xs[list(changed.indices)])
    assert torch.equal(y, ys[list(changed.indices)])


@pytest.mark.parametrize(
    ("options", "text"), [({"classes": 1}, "no other label"), ({"classes": 3, "count": 11}, "of 10")]
)
def test_what_cannot_be_is_refused(options: dict[str, int], text: str) -> None:
    with pytest.raises(BadOption, match=text):
        runopsy.Canaries([(0, 0)] * 10, **options)
