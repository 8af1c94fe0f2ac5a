"""A ranking of doubtful labels: planted ones come first, and where nothing is known, why."""

from __future__ import annotations

import numpy as np
import pytest

from runopsy.examples.suspects import doubts, listed, ranking
from runopsy.model import Examples


def probe(margin, readings=50, **others):
    n = len(margin)
    margin = np.asarray(margin, dtype=float)
    return Examples("probe", first=np.zeros(n), learnt=np.where(margin > 0.5, 10.0, np.nan), readings=readings,
                    forgotten=np.zeros(n, dtype=int), margin=margin, confidence=(1 + margin) / 2,
                    variability=np.zeros(n), loss=np.ones(n), **others)  # fmt: skip


def test_the_most_doubtful_label_comes_first():
    examples = probe([0.9, -0.2, 0.1, -0.8, 0.7], label=np.arange(5), rather=np.arange(5)[::-1])
    assert ranking(examples).tolist() == [3, 1, 2, 4, 0]
    first = next(listed(examples))
    assert (first.example, first.label, first.rather, first.learnt) == (3, 3, 1, None)
    named, why, suspects = doubts(examples)
    assert (named, why) == (2, "")
    assert [one.example for one in suspects] == [3, 1]


@pytest.mark.parametrize(("examples", "why"), [
    (None, "no training examples were watched"),
    (Examples("probe", np.zeros(3), np.zeros(3), np.zeros(3, dtype=int)), "an older recorder kept no margins"),
    (probe([0.5] * 10, readings=3), "3 readings"),
    (probe([-0.1] * 6 + [0.5] * 4), "40 % of the labels were believed"),
])  # fmt: skip
def test_what_is_not_known_is_not_named(examples, why):
    named, reason, suspects = doubts(examples)
    assert named is None
    assert why in reason
    assert suspects == ()


def test_a_ranking_needs_margins():
    with pytest.raises(ValueError, match="no margins"):
        ranking(Examples("probe", np.zeros(3), np.zeros(3), np.zeros(3, dtype=int)))
