"""What was set differently, and what only looks so."""

from dataclasses import replace

import pytest

import planted
from runopsy import analyze
from runopsy.comparison.configs import compare_configs

HEALTHY = analyze(planted.healthy(last=400))


def told(*configs):
    return [replace(HEALTHY, run=replace(HEALTHY.run, config=config)) for config in configs]


def test_only_keys_that_differ_are_told_and_the_equal_ones_are_counted():
    found = compare_configs(told({"lr": 0.1, "width": 64, "depth": 2}), told({"lr": 0.2, "width": 64, "depth": 2}))
    assert found.differing == {"lr": ((0.1,), (0.2,))}
    assert found.equal == 2
    assert found.known


def test_nested_settings_are_dotted_and_a_missing_key_says_so():
    found = compare_configs(told({"opt": {"name": "adam", "lr": 1}}), told({"opt": {"lr": 1.0}}))
    assert found.differing == {"opt.name": (("adam",), ("(not set)",))}
    assert found.equal == 1


@pytest.mark.parametrize(
    "key",
    ["output_dir", "run_name", "train.logging_dir", "name", "hostname", "started_at", "id", "wandb_version", "pid"],
)
def test_keys_that_name_a_run_a_place_or_a_time_are_left_out_and_named(key):
    flat = {}
    inner = flat
    *path, last = key.split(".")
    for part in path:
        inner = inner.setdefault(part, {})
    inner[last] = "x"
    other = {path[0]: {last: "y"}} if path else {last: "y"}
    found = compare_configs(told(flat), told(other))
    assert not found.differing
    assert found.left_out == (key,)


@pytest.mark.parametrize("key", ["model_name", "optimizer.name", "dataset_dir", "data_path", "git_commit", "lr_group"])
def test_keys_that_may_change_the_training_stay(key):
    *path, last = key.split(".")
    a, b = ({path[0]: {last: v}} if path else {last: v} for v in ("x", "y"))
    assert list(compare_configs(told(a), told(b)).differing) == [key]


def test_runs_that_differ_in_nothing_but_the_seed_are_known_as_such():
    assert compare_configs(told({"lr": 1, "seed": 0}), told({"lr": 1, "seed": 1})).only_seeds
    assert compare_configs(told({"data_seed": 0, "seed": 0}), told({"data_seed": 3, "seed": 1})).only_seeds
    assert not compare_configs(told({"lr": 1, "seed": 0}), told({"lr": 2, "seed": 1})).only_seeds
    assert not compare_configs(told({"lr": 1}), told({"lr": 1})).only_seeds
    assert not compare_configs(told({}), told({"seed": 1})).only_seeds


def test_sets_with_the_same_values_on_both_sides_are_equal():
    found = compare_configs(told({"seed": 0}, {"seed": 1}), told({"seed": 1}, {"seed": 0}))
    assert not found.differing
    assert found.equal == 1


def test_whole_numbers_and_lists_are_compared_by_value():
    assert not compare_configs(told({"n": 1, "betas": [0.9, 1]}), told({"n": 1.0, "betas": (0.9, 1.0)})).differing
