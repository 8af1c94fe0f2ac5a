"""What may not change what is said of a run: how often it was logged, what things are called, in what unit they are.

Every change is tried on planted runs and on the real ones of sample_logs/. Labels in their order and kinds of
events stay the same; where each event is, the two examinations agree within their own intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import planted
import runopsy
from conftest import ROOT
from runopsy.model import Autopsy, Event, Run, Track

Change = Callable[[Run], Run]

FORGIVEN = (
    0.12  # of the elapsed steps, around a boundary of phases: DEFINITIONS of the labelled runs score nothing there
)
# a sawtooth over epochs is there only where an epoch has several rows; the noise scale is that of the last readings
# many signals change together where enough rows of each show it
CADENCE = {"epoch_steps", "noise_scale", "common_change"}
OTHER_NAMES = {
    "train/loss": "training_loss",
    "val/loss": "eval_loss",
    "train/acc": "training_accuracy",
    "val/acc": "eval_accuracy",
    "lr": "learning_rate",
}


def dense_grokking() -> Run:
    return _finely(planted.grokking())


def dense_overfitting() -> Run:
    return _finely(planted.overfitting())


def _finely(run: Run) -> Run:
    """Ten times the rows, between those there are, with as much noise again as losses have."""
    rng = np.random.default_rng(0)

    def filled(track: Track) -> Track:
        step = np.linspace(track.step[0], track.step[-1], 10 * len(track))
        value = np.interp(step, track.step, track.value)
        noise = np.exp(0.02 * rng.standard_normal(len(step))) if track.name.endswith("loss") else 1.0
        return replace(track, step=np.round(step, 1), value=value * noise, time=None)

    return over(run, filled)


PLANTED = {"grokking": dense_grokking, "overfitting": dense_overfitting, "healthy": lambda: _finely(planted.healthy())}
RECORDED = (
    "divergence",
    "double-descent",
    "grokking",
    "healthy",
    "memorization",
    "overfitting",
    "spike",
    "underfitting",
)


@cache
def run_named(name: str) -> Run:
    return PLANTED[name]() if name in PLANTED else runopsy.read(ROOT / "sample_logs" / name.removeprefix("recorded "))


@cache
def examined(name: str) -> Autopsy:
    return runopsy.analyze(run_named(name))


# --- the changes ---------------------------------------------------------------------------------


def over(run: Run, change: Callable[[Track], Track]) -> Run:
    tracks = [change(track) for track in run.tracks.values()]
    return replace(run, tracks={track.name: track for track in tracks})


def rows(track: Track, pick: object) -> Track:
    return replace(
        track,
        step=track.step[pick],
        value=track.value[pick],
        time=None if track.time is None else track.time[pick],
        session=None if track.session is None else track.session[pick],
    )


def thinned(every: int) -> Change:
    return lambda run: over(run, lambda track: rows(track, slice(None, None, every)))


def renamed(run: Run) -> Run:
    other = over(run, lambda track: replace(track, name=OTHER_NAMES.get(track.name, track.name)))
    return replace(other, path="elsewhere", id="other")


def in_thousandths(run: Run) -> Run:
    return over(run, lambda t: replace(t, value=1000 * t.value) if t.name.endswith("loss") else t)


def with_a_constant(run: Run) -> Run:
    first = next(iter(run.tracks.values()))
    return replace(
        run, tracks={**run.tracks, "temperature": Track("temperature", first.step, np.full(len(first), 3.0))}
    )


def shifted(by: float) -> Change:
    return lambda run: over(run, lambda track: replace(track, step=track.step + by))


def without_the_last_tenth(run: Run) -> Run:
    first, last = examined_extent(run)
    return over(run, lambda track: rows(track, track.step <= first + 0.9 * (last - first)))


def examined_extent(run: Run) -> tuple[float, float]:
    filled = [track.step for track in run.tracks.values() if len(track)]
    return min(float(s.min()) for s in filled), max(float(s.max()) for s in filled)


# --- what must stay ------------------------------------------------------------------------------


def labels(autopsy: Autopsy) -> list[str]:
    return [phase.label for phase in autopsy.phases]


def agree(one: Event, other: Event, by: float = 0.0) -> bool:
    """Whether either event lies in the other's interval, give or take the distance of two logged values."""
    if one.interval is None or other.interval is None:
        return True  # one of them says that it does not know
    slack = max(one.resolution or 0.0, other.resolution or 0.0)
    first = one.interval[0] + by - slack <= other.step <= one.interval[1] + by + slack
    return first or other.interval[0] - slack <= one.step + by <= other.interval[1] + slack


def same(name: str, change: Change, by: float = 0.0) -> None:
    before, after = examined(name), runopsy.analyze(change(run_named(name)))
    assert labels(after) == labels(before)
    told, again = ([e for e in autopsy.events if e.kind not in CADENCE] for autopsy in (before, after))
    assert [e.kind for e in again] == [e.kind for e in told]
    assert all(agree(a, b, by) for a, b in zip(told, again, strict=True))
    assert after.verdict.name == before.verdict.name


EVERY = [*PLANTED, *(f"recorded {name}" for name in RECORDED)]


@pytest.mark.parametrize("change", [renamed, in_thousandths, with_a_constant], ids=lambda change: change.__name__)
@pytest.mark.parametrize("name", EVERY)
def test_names_units_and_further_columns_change_nothing(name, change):
    same(name, change)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("by", [50_000.0, -100.0])
def test_where_counting_begins_changes_nothing(name, by):
    same(name, shifted(by), by)
    before, after = examined(name), runopsy.analyze(shifted(by)(run_named(name)))
    assert [p.start + by for p in before.phases] == pytest.approx([p.start for p in after.phases], abs=1)


@pytest.mark.parametrize("every", [2, 5, 10])
@pytest.mark.parametrize("name", PLANTED)
def test_a_log_thinned_tells_the_same_story(name, every):
    same(name, thinned(every))


@pytest.mark.parametrize("name", [f"recorded {name}" for name in RECORDED])
def test_a_recorded_run_thinned_to_every_other_row_tells_the_same_story(name):
    same(name, thinned(2))


@pytest.mark.parametrize("name", EVERY)
def test_what_was_said_of_the_beginning_stays_when_the_end_is_cut_off(name):
    before, after = examined(name), runopsy.analyze(without_the_last_tenth(run_named(name)))
    end = after.last
    kept = [p.label for p in before.phases if p.start < before.first + (1 - FORGIVEN) * (end - before.first)]
    assert labels(after)[: len(kept)] == kept
    earlier, still = ([e for e in a.events if e.step < end and e.kind not in CADENCE] for a in (before, after))
    assert [e.kind for e in still] == [e.kind for e in earlier]
    assert all(agree(a, b) for a, b in zip(earlier, still, strict=True))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.floats(-6, 6), st.floats(-1e6, 1e6), st.integers(0, 6))
def test_any_unit_and_any_beginning_change_nothing(power, by, rotated):
    name = EVERY[3 + rotated]

    def change(run: Run) -> Run:
        scaled = over(run, lambda t: replace(t, value=10**power * t.value) if t.name.endswith("loss") else t)
        return shifted(round(by))(scaled)

    same(name, change, round(by))


@pytest.mark.parametrize("name", EVERY)
def test_every_event_lies_in_its_own_interval_and_every_interval_in_the_run(name):
    autopsy = examined(name)
    for event in autopsy.events:
        if event.interval is not None:
            assert autopsy.first <= event.interval[0] <= event.step <= event.interval[1] <= autopsy.last
    for before, after in pairwise(autopsy.phases):
        assert before.end == after.start
