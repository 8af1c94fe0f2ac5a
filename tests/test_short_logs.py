"""Verdicts of short, noisy logs of one row per epoch."""

import numpy as np
import pytest

import runopsy
from shortlogs import STORIES, draw, label_noise, never_learns, random_labels

SEEDS = range(4)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_the_verdict_is_one_that_a_careful_reader_accepts(story, seed):
    verdict = runopsy.analyze(draw(story, seed)).verdict
    assert verdict.name in STORIES[story], verdict.why


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_page_never_contradicts_itself(story, seed):
    autopsy = runopsy.analyze(draw(story, seed))
    labels, kinds = [p.label for p in autopsy.phases], {e.kind for e in autopsy.events}
    if autopsy.verdict.name == "diverged":
        assert labels[-1] == "diverged"
        assert "divergence" in kinds
    if autopsy.verdict.name in ("healthy", "underfit", "undertrained"):
        assert "memorization_onset" not in kinds
        assert "memorization" not in labels
    if autopsy.verdict.name == "undertrained":
        assert labels[-1] != "converged"
    assert ("diverged" in labels) == ("divergence" in kinds)


@pytest.mark.parametrize("scale", [1e-3, 3.0, 1e4])
def test_the_unit_of_the_loss_changes_no_verdict(scale):
    run = draw(label_noise, 1)
    tracks = {n: type(t)(n, t.step, t.value * scale if "loss" in n else t.value) for n, t in run.tracks.items()}
    scaled = type(run)(run.path, run.id, run.axis, tracks)
    assert runopsy.analyze(scaled).verdict.name == runopsy.analyze(run).verdict.name


def test_what_stands_at_chance_says_so():
    assert "ln 10" in runopsy.analyze(draw(never_learns, 0)).verdict.why


def test_memorized_says_that_it_is_so_by_the_last_step():
    assert "by the last step" in runopsy.analyze(draw(random_labels, 0)).verdict.why


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("rows", [10, 30, 100])
def test_a_flat_noisy_log_raises_nothing(rows, phi):
    """Slow noise of 5 % on curves where nothing is learnt; ``make bench-nulls`` measures how often."""
    rng, noise = np.random.default_rng(rows), np.zeros((2, rows))
    for i in range(rows):
        noise[:, i] = phi * noise[:, max(i - 1, 0)] + (1 - phi**2) ** 0.5 * rng.standard_normal(2)
    step = np.arange(rows, dtype=float)
    tracks = {
        n: runopsy.model.Track(n, step, 1.5 * np.exp(0.05 * e))
        for n, e in zip(("loss", "val_loss"), noise, strict=True)
    }
    autopsy = runopsy.analyze(runopsy.model.Run("flat", "flat", "epoch", tracks))
    assert autopsy.verdict.name in ("underfit", "inconclusive", "undertrained")
    assert not autopsy.events
