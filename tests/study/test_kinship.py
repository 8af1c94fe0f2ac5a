"""A run among those of its kind: by chance it is the farthest once in n + 1, however much is looked at."""

import numpy as np
import pytest

import planted
import runopsy
from runopsy.rules import CLASSIC
from runopsy.standards import Standards
from runopsy.study.kinship import FEWEST, kinship, with_baselines
from runopsy.study.library_words import section, sentence
from runopsy.study.profiles import Profile, profile

RUNS = 20


def seeds(count, start=0, **places):
    """Runs of one kind: five curves and three places, each with its own noise."""
    made = []
    for seed in range(start, start + count):
        rng = np.random.default_rng(seed)
        fall, noise = np.exp(-np.arange(50) / 20), rng.standard_normal
        courses = {f"s{k}": fall * (1 + 0.1 * noise()) + 0.02 * noise(50) for k in range(5)}
        at = {"event/grokking": 0.2 * np.exp(0.2 * rng.standard_normal()), "best": rng.uniform(0.8, 1)} | places
        made.append(Profile(str(seed), str(seed), "", "a on b", "step", 1000.0, "grokked", at, {}, courses))
    return made


def test_one_of_the_kind_is_the_farthest_once_in_n_plus_one():
    everyone = seeds(RUNS + 1)
    ranks = [kinship(one, everyone).rank for one in everyone]
    assert sorted(ranks) == list(range(1, RUNS + 2))  # each rank once: no ties, none left out


def test_a_late_event_is_named_with_how_late_it_is():
    own = seeds(1, start=100, **{"event/grokking": 0.9})[0]
    found = kinship(own, seeds(14))
    assert found.unlike
    assert found.chance == pytest.approx(1 / 15)
    first = found.differences[0]
    assert first.what == "event/grokking"
    assert first.value / first.usual == pytest.approx(4.5, rel=0.3)
    _, prose, table = section(found)
    assert "than any of them" in prose.text
    assert table.rows[0][0] == "grokking"
    assert "x the usual, beyond all 14 runs" in table.rows[0][5]


def test_an_event_that_all_others_have_is_missed():
    own = seeds(1, start=100)[0]
    without = Profile(*(getattr(own, n) for n in own.__slots__[:7]), {"best": 0.9}, {}, own.courses)
    found = kinship(without, seeds(14))
    assert found.unlike
    assert (found.differences[0].what, found.differences[0].value) == ("event/grokking", None)


def test_below_five_runs_there_is_no_opinion():
    own = seeds(1, start=100)[0]
    assert kinship(own, seeds(FEWEST)).unlike is not None
    found = kinship(own, seeds(FEWEST - 1))
    assert (found.unlike, found.baselines) == (None, {})
    assert "with fewer than 5 it does not judge" in sentence(found)


def test_runs_of_another_kind_axis_or_length_are_not_asked():
    own = seeds(1, start=100)[0]
    for change in ({"kind": "other on b"}, {"axis": "epoch"}, {"steps": 2000.0}):
        other = [Profile(**{n: getattr(p, n) for n in p.__slots__} | change) for p in seeds(14)]
        assert kinship(own, other).unlike is None
    assert kinship(None, seeds(14)).unlike is None


def test_a_run_is_not_held_against_itself():
    everyone = seeds(15)
    assert kinship(everyone[0], everyone).runs == 14


def healthy(seed, shift=0.0):
    step = np.arange(0, 3000)
    train = planted.noisy(planted.decay(step), 0.1, seed) + shift * (step > 1500)
    return planted.run(step, {"train/loss": train, "val/loss": planted.noisy(planted.decay(step), 0.02, 1000 + seed)})


def departures(run, found=None):
    standards = Standards(rules=CLASSIC)
    standards = standards if found is None else with_baselines(standards, found)
    return [e for e in runopsy.analyze(run, standards=standards).events if e.kind == "baseline_departure"]


def test_the_classic_rule_is_quiet_with_the_baselines_of_its_kind_and_finds_what_leaves_them():
    kept = [profile(runopsy.analyze(healthy(seed)), "kind") for seed in range(8)]
    run = healthy(100)
    found = kinship(profile(runopsy.analyze(run), "kind"), kept)
    assert departures(run)  # a loss that falls leaves its own beginning
    assert not departures(run, found)
    moved = healthy(101, shift=0.5)
    (event,) = departures(moved, kinship(profile(runopsy.analyze(moved), "kind"), kept))
    assert event.step >= 1500 - 60
    assert event["level"].signal == "train/loss"
    assert departures(run, kinship(profile(runopsy.analyze(run), "another"), kept))  # as without a library
