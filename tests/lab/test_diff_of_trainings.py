"""The sentence that a diff is for: more weight decay, and generalisation comes earlier while memorization stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from runopsy import diff, lab
from runopsy.model import Change, Comparison, Difference

pytestmark = pytest.mark.slow  # six trainings

DECAYS = (0.5, 1.0)
STEPS = 1500  # the rule is there at about 1 100 with the lesser decay


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[float, list[Path]]:
    pytest.importorskip("torch")
    root = tmp_path_factory.mktemp("decays")
    trained: dict[float, list[Path]] = {decay: [] for decay in DECAYS}
    for decay in DECAYS:
        for seed in range(3):
            folder = root / f"decay{decay}-seed{seed}"
            lab.run("grokking", folder, seed, knobs={"weight_decay": decay, "steps": STEPS})
            trained[decay].append(folder)
    return trained


def row(c: Comparison, kind: str, what: str) -> Difference:
    return next(d for d in (*c.phases, *c.events) if (d.kind, d.what) == (kind, what))


def test_three_seeds_of_each_say_that_generalisation_moved_and_memorization_did_not(
    runs: dict[float, list[Path]],
) -> None:
    c = diff(runs[0.5], runs[1.0])
    grokked = row(c, "event", "grokking")
    assert c.outcome == "different"
    assert c.config.differing == {"weight_decay": ((0.5,) * 3, (1.0,) * 3)}
    assert grokked.change is Change.REAL
    assert grokked.by is not None
    assert grokked.middle_a is not None
    assert -0.45 <= grokked.by / grokked.middle_a <= -0.25  # the delay falls with the decay: see lab.modular
    assert row(c, "event", "memorization_onset").change is Change.NONE
    assert row(c, "begins", "memorization").change is Change.NONE
    text = " ".join(str(c).split())
    assert "DIFFERENT grokking comes" in text
    assert "steps earlier" in text
    assert "Not moved beyond seed noise: the memorization onset, the beginning of memorization" in text


def test_two_seeds_of_one_training_are_within_seed_noise(runs: dict[float, list[Path]]) -> None:
    first, second, _ = runs[0.5]
    c = diff(first, second)
    assert c.outcome == "seed_noise"
    assert c.config.seeds == ("seed",)
    assert not any(d.change is Change.REAL for d in (*c.phases, *c.events, *c.values))


def test_a_training_against_itself_is_no_difference(runs: dict[float, list[Path]]) -> None:
    assert diff(runs[1.0][0], runs[1.0][0]).outcome == "identical"
    assert diff(runs[1.0], runs[1.0]).outcome == "identical"
