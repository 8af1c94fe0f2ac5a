"""What --fail-on asks of a comparison, and which words it refuses."""

import pytest

import planted
from runopsy import analyze, diff
from runopsy.comparison import gates, hits
from runopsy.errors import BadOption

EARLY, LATE = (analyze(planted.grokking(half=half)) for half in (1200.0, 2000.0))
WORSE = diff(EARLY, LATE)
LOST = diff(EARLY, analyze(planted.healthy()))


@pytest.mark.parametrize(
    ("comparison", "said", "hit"),
    [
        (WORSE, "later:grokking", ["later:grokking"]),
        (WORSE, "earlier:grokking", []),
        (WORSE, "later:memorization_onset,later:memorization", []),
        (WORSE, "verdict,new:grokking,lost:grokking", []),
        (diff(LATE, EARLY), "earlier:grokking, later:grokking", ["earlier:grokking"]),
        (LOST, "lost:grokking,new:grokking,verdict", ["lost:grokking", "verdict"]),
        (diff(EARLY, EARLY), "verdict,later:grokking,lost:grokking", []),
        (LOST, "lost:memorization", ["lost:memorization"]),
    ],
)
def test_a_gate_fires_only_where_the_comparison_says_so(comparison, said, hit):
    assert hits(comparison, gates(said)) == hit


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("later", "grokking"),
        ("later:loss_spike", "grokking"),
        ("newer:grokking", "new:KIND"),
        ("new:groking", "grokking"),
        ("verdict:grokked", "alone"),
        ("new:", "divergence"),
        ("verdict:", "alone"),
    ],
)
def test_a_misspelt_gate_is_refused_with_the_words_there_are(said, hint):
    with pytest.raises(BadOption) as refused:
        gates(said)
    assert said in refused.value.message
    assert hint in refused.value.hint


def test_no_gate_is_no_gate():
    assert gates("") == []
