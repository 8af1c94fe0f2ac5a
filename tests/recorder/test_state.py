"""The detector in the loop: causal, small, agreeing with the autopsy, and never in the way."""

import math
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

import planted
from runopsy.autopsy import analyze
from runopsy.errors import BadOption
from runopsy.model import Run
from runopsy.recorder import record
from runopsy.recorder.attached import Attached
from runopsy.recorder.state import ALARMS, Detector, State

STEP = np.arange(1000)


def fed(curves, every=10):
    """The states after each row; validation every so many."""
    detector, states = Detector(), []
    for i in range(len(next(iter(curves.values())))):
        for name, values in curves.items():
            if name.startswith("train") or i % every == 0:
                detector.see(name, i, float(values[i]), 1e9 + i)
        states.append(detector.state())
    return states


def diverging(at=600, seed=0):
    base = planted.decay(STEP, scale=20.0)
    return planted.noisy(np.where(at > STEP, base, base + np.minimum(8, (STEP - at) / 10)), 0.05, seed)


def spiked(at=600, seed=0):
    base = planted.decay(STEP, scale=20.0)
    return planted.noisy(base * (1 + np.where(at <= STEP, 8 * np.exp(-np.maximum(STEP - at, 0) / 5), 0)), 0.05, seed)


def test_a_healthy_run_raises_nothing():
    for seed in range(10):
        train = planted.noisy(planted.decay(STEP, scale=20.0), 0.1, seed)
        val = planted.noisy(planted.decay(STEP, scale=20.0, floor=0.12), 0.03, seed + 100)
        assert not any(state.alarms for state in fed({"train/loss": train, "val/loss": val}))


@pytest.mark.parametrize("seed", range(5))
def test_a_divergence_is_seen_soon_and_a_spike_is_none(seed):
    seen = [state.diverged for state in fed({"train/loss": diverging(seed=seed)})]
    first = next(i for i, at in enumerate(seen) if at is not None)
    assert 600 <= first <= 600 + 0.06 * 600  # ten rows above the limit, and 3 % of the rows
    assert all(at is not None and 600 <= at <= 615 for at in seen[first:])
    assert all(state.diverged is None for state in fed({"train/loss": spiked(seed=seed)}))


def test_nan_is_seen_at_once_and_forgotten_when_it_is_over():
    loss = planted.decay(STEP, scale=20.0)
    loss[300:303] = math.nan
    loss[900:] = math.inf
    states = fed({"train/loss": loss})
    assert states[300].alarms == ("not_finite", "diverged")
    assert states[301].not_finite == 300
    assert states[303].alarms == ()
    assert states[-1].not_finite == 900


def test_memorization_begins_where_validation_was_best():
    run = planted.overfitting()
    detector = Detector()
    for i in range(len(run.tracks["train/loss"])):
        for name in ("train/loss", "val/loss"):
            detector.see(name, int(run.tracks[name].step[i]), float(run.tracks[name].value[i]))
    found = detector.state().memorizing
    assert found is not None
    assert 500 <= found <= 1100


def prefix(curves, rows):
    return analyze(Run("a", "a", "step", planted.run(STEP[:rows], {n: v[:rows] for n, v in curves.items()}).tracks))


@pytest.mark.parametrize(("curves", "kind", "field"), [
    ({"train/loss": diverging(500)}, "divergence", "diverged"),
    ({"train/loss": spiked(500)}, "divergence", "diverged"),
    ({"train/loss": planted.noisy(planted.decay(STEP, scale=20.0), 0.05)}, "divergence", "diverged"),
], ids=["diverging", "spike", "healthy"])  # fmt: skip
def test_it_agrees_with_the_autopsy_of_the_same_rows(curves, kind, field):
    states = fed(curves)
    asked = range(100, 1001, 100)
    autopsies = [any(e.kind == kind for e in prefix(curves, rows).events) for rows in asked]
    assert [getattr(states[rows - 1], field) is not None for rows in asked] == autopsies


@pytest.mark.parametrize("run", [planted.overfitting(), planted.healthy()], ids=["overfitting", "healthy"])
def test_memorization_so_far_agrees_with_the_autopsy_of_the_same_rows(run):
    detector, rows = Detector(), len(run.tracks["train/loss"])
    for i in range(rows):
        for name, track in run.tracks.items():
            detector.see(name, int(track.step[i]), float(track.value[i]))
        if (i + 1) % (rows // 5) == 0:
            tracks = {n: replace(t, step=t.step[: i + 1], value=t.value[: i + 1]) for n, t in run.tracks.items()}
            onset = [e for e in analyze(replace(run, tracks=tracks)).events if e.kind == "memorization_onset"]
            found = detector.state().memorizing
            assert (found is not None) == bool(onset), i
            assert found is None or abs(found - onset[0].step) <= 0.1 * onset[0].step


def test_a_standstill_is_seen_by_who_asks_later():
    detector = Detector()
    for i in range(50):
        detector._tick(i, 1e9 + i)
    assert detector.state(1e9 + 60).stalled is None
    assert detector.state(1e9 + 49 + 601).stalled == 49
    slow = Detector()
    for i in range(50):
        slow._tick(i, 1e9 + 100 * i)
    assert slow.state(1e9 + 4900 + 1900).stalled is None  # twenty times the usual 100 s is 2000 s


@pytest.mark.parametrize("asked", [True, False])
def test_the_recording_says_how_it_stands(tmp_path, asked):
    with record(tmp_path / "run", signals="scalars") as run:
        if asked:
            assert run.state() == State()
        for step in range(100):
            run.log(step, {"train/loss": 1 / (1 + step), "lr": 0.1})
        assert run.state().step == 99
        assert run.state().alarms == ()
        assert run._detector._levels["train/loss"].rows == 100
        run.log(100, {"train/loss": math.nan})
        assert run.state().not_finite == 100
    assert run.state().not_finite == 100  # after its end too


def test_nothing_of_it_reaches_the_loop(tmp_path, monkeypatch, capfd):
    with record(tmp_path / "run", signals="scalars") as run:
        monkeypatch.setattr("runopsy.recorder.state.Detector.take", lambda *a: 1 / 0)
        monkeypatch.setattr("runopsy.recorder.state.Detector.state", lambda *a: 1 / 0)
        for step in range(20):
            run.log(step, {"train/loss": 1.0})
        assert run.state() == State()
    from runopsy.readers import read

    assert len(read(tmp_path / "run").tracks["train/loss"]) == 20


def test_a_callback_stops_on_what_it_was_asked_to_and_shows_why_once(tmp_path, capsys):
    with pytest.raises(BadOption, match="no such state: sad"):
        Attached(tmp_path / "a", {"stop_on": ("sad",)})
    attached = Attached(tmp_path / "b", {"stop_on": "diverged,not_finite", "signals": "scalars"})
    assert attached.alarm() is None
    attached.begin()
    attached.quietly(lambda run: run.log(1, {"train/loss": 1.0}))
    assert attached.alarm() is None
    attached.quietly(lambda run: run.log(2, {"train/loss": math.nan}))
    assert attached.alarm() == "diverged since step 2"
    assert (attached.stops(False), attached.stops(True)) == (True, True)
    assert capsys.readouterr().err.count("stopped, as stop_on asks: diverged since step 2") == 1
    attached.finish()
    never = Attached(tmp_path / "c", {"signals": "scalars"})
    never.begin()
    never.quietly(lambda run: run.log(2, {"train/loss": math.nan}))
    assert (never.alarm(), never.stops(False)) == (None, False)
    never.finish()


def test_it_loads_neither_numpy_nor_the_analysis():
    heavy = ("numpy", "torch", "polars", "runopsy.autopsy")
    code = f"import sys, runopsy.recorder.state; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_value_costs_little():
    detector, began = Detector(), time.process_time()
    for i in range(20_000):
        detector.see("train/loss", i, 1.0 / (1 + i))
    assert time.process_time() - began < 2  # some microseconds each; a limit that only a growing cost breaks
    assert set(ALARMS) == {"not_finite", "diverged", "stalled", "memorizing"}
