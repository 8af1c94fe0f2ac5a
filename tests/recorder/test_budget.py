"""What recording may cost, and what is read for it. No clock: time is what the test says it is."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from probing import Clock, FakeProbe, instruments  # noqa: E402  # after the skip
from runopsy.recorder import stopwatch  # noqa: E402
from runopsy.recorder.budget import GRACE, LEAST, Account, Budget  # noqa: E402
from runopsy.recorder.cadence import Cadence  # noqa: E402
from runopsy.recorder.instruments import Instruments  # noqa: E402


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stopwatch, "time", clock)
    return clock


def loop(
    tool: Instruments,
    clock: Clock,
    seconds: float,
    step: float,
    passing: float = 0.0,
    noise: float = 0.0,
    quick: bool = True,
) -> float:
    """Train for so long, in steps of ``step`` s; the share of time that recording took.

    ``passing`` s a call go to values that are only passed; steps are longer or shorter by up to ``noise`` of them.
    With ``quick`` the instruments are not asked at calls at which there is nothing to do, as in a real loop.
    """
    draw = random.Random(0)
    begun, spent, call, skipped, idle, until = clock.now, 0.0, 0, 0, 0, 0.0
    while clock.now - begun < seconds:
        arrived = clock.now
        if quick and skipped < idle and arrived < until:
            skipped += 1
        else:
            tool.skip(skipped)
            tool.read(call, arrived, spent)
            skipped, (idle, until) = 0, tool.idle()
        clock.now += passing
        spent += clock.now - arrived
        clock.now += step * (1 + noise * draw.uniform(-1, 1))
        call += 1
    return spent / (clock.now - begun)


# As measured of the default set, in seconds, for a network of 1 ms a step and for one of 300 ms.
SMALL = {"norms": 3e-4, "looks": 5e-3, "features": 8e-3, "readout": 2e-2, "noise": 1.5e-2}
LARGE = {"norms": 2e-2, "looks": 0.4, "features": 0.02, "readout": 0.1, "noise": 2.0}


@pytest.mark.parametrize("budget", [0.01, 0.02, 0.1])
@pytest.mark.parametrize("seconds", [5.0, 10.0, 30.0, 600.0])
@pytest.mark.parametrize(("prices", "step"), [(SMALL, 1e-3), (SMALL, 3e-2), (LARGE, 0.3)])
def test_the_budget_holds_whenever_a_run_ends(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, prices: dict[str, float], step: float, seconds: float, budget: float
) -> None:
    """Prices are guessed half as high at first, and a first reading takes 10 ms more: both may be overdrawn once."""
    probes = [FakeProbe(name, clock, price, first=0.01, guess=price / step / 2) for name, price in prices.items()]
    tool = instruments(monkeypatch, *probes, budget=budget, started=clock.now - step)
    share = loop(tool, clock, seconds, step, passing=3e-6, noise=0.3)
    overdrawn = max(price for price in prices.values() if price < 2 * budget * seconds) / 2 + 0.01
    assert share <= budget + LEAST * budget + overdrawn / seconds


@pytest.mark.parametrize("budget", [0.01, 0.02])
def test_over_half_a_minute_what_can_be_afforded_is_read_eight_times(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, budget: float
) -> None:
    probes = [FakeProbe(name, clock, 0.75 * price * budget / 0.02) for name, price in SMALL.items()]
    loop(instruments(monkeypatch, *probes, budget=budget), clock, 30.0, 5e-3)
    assert {probe.name: len(probe.measured) >= 8 for probe in probes} == dict.fromkeys(SMALL, True)


def test_steps_of_a_millisecond_leave_room_for_eight_readings(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Passing values on takes a quarter of the budget there, and all readings together half of it."""
    probes = [FakeProbe(name, clock, 0.75 * price, first=0.005) for name, price in SMALL.items()]
    share = loop(instruments(monkeypatch, *probes, budget=0.02), clock, 30.0, 1e-3, passing=5e-6)
    assert {probe.name: len(probe.measured) >= 8 for probe in probes} == dict.fromkeys(SMALL, True)
    assert share <= 0.02


@pytest.mark.parametrize("step", [1e-3, 3e-2])
def test_calls_of_which_nothing_is_heard_change_no_plan(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, step: float
) -> None:
    counts = []
    for quick in (True, False):
        probes = [FakeProbe(name, clock, price, debt=price / 10) for name, price in SMALL.items()]
        share = loop(instruments(monkeypatch, *probes, budget=0.02), clock, 30.0, step, 3e-6, noise=0.2, quick=quick)
        assert share <= 0.0205
        counts.append([len(probe.measured) for probe in probes])
    assert counts[0] == pytest.approx(counts[1], rel=0.25, abs=2)


def test_a_step_that_follows_a_reading_is_heard_of_alone(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """And the next one, which it is compared with."""
    tool = instruments(monkeypatch, FakeProbe("a", clock, price=0.05), budget=0.02)
    loop(tool, clock, 20.0, 1e-2)
    due = tool._next
    tool.skip(due - tool._call)
    for idle in (False, False, True):
        tool.read(0, clock.now, 0.0)
        clock.now += 1e-2
        assert (tool.idle()[0] > 0 and tool.idle()[1] > clock.now) == idle


def test_a_large_part_of_the_budget_is_used(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    probes = [FakeProbe(name, clock, price) for name, price in SMALL.items()]
    share = loop(instruments(monkeypatch, *probes, budget=0.02), clock, 60.0, 5e-3, passing=5e-6)
    assert 0.012 < share <= 0.02


def test_settling_is_counted(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    probes = [FakeProbe("a", clock, price=1e-3, debt=4e-3), FakeProbe("b", clock, price=2e-3)]
    assert 0.01 < loop(instruments(monkeypatch, *probes, budget=0.02), clock, 60.0, 1e-3) <= 0.02


def test_readings_are_log_spaced_and_then_even(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    probe = FakeProbe("a", clock, price=2e-3)
    loop(instruments(monkeypatch, probe, budget=0.02), clock, 120.0, 1e-3)
    early = [call for call in probe.measured if 0 < call < 256]
    assert len(early) >= 8
    late = probe.measured[len(probe.measured) // 2 :]
    gaps = {b - a for a, b in itertools.pairwise(late)}
    assert len(gaps) == 1, "even over the second half"


def test_a_cheap_signal_is_not_thinned_for_a_dear_one(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """It pauses only where the dear one, dearer than thought, has overdrawn the budget."""
    cheap, dear = FakeProbe("cheap", clock, price=5e-5), FakeProbe("dear", clock, price=0.3, guess=20.0)
    share = loop(instruments(monkeypatch, cheap, dear, budget=0.02), clock, 200.0, 1e-2)
    assert share <= 0.02
    assert len(cheap.measured) > 18_000
    assert len(dear.measured) >= 4


def test_one_that_is_thought_dearer_than_it_is_is_tried_and_not_starved_by_the_cheap(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """Eight readings of the four others take two thirds of the budget; ``dear`` costs a third of what is guessed."""
    step, prices = 0.03, {"tiny": 1e-3, "small": 0.01, "middle": 0.01, "large": 0.025, "dear": 0.035}
    guesses = {"tiny": 0.05, "small": 1.0, "middle": 2.0, "large": 1.0, "dear": 4.0}
    probes = [FakeProbe(name, clock, price, first=0.01, guess=guesses[name]) for name, price in prices.items()]
    share = loop(instruments(monkeypatch, *probes, budget=0.02), clock, 30.0, step, passing=1e-4, noise=0.2)
    assert share <= 0.02
    found = {probe.name: len(probe.measured) for probe in probes}
    assert min(found[name] for name in ("tiny", "small", "middle")) >= 8, found
    assert found["large"] >= 5, found
    assert found["dear"] >= 1, found


def test_what_uses_the_passes_of_others_is_read_beside_them_alone(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """By itself it would have to make and to pay these passes again."""
    looks, ranks, other = (FakeProbe(name, clock, 0.02, first=0.05, guess=1.0) for name in ("looks", "ranks", "other"))
    tool = instruments(monkeypatch, looks, ranks, other, budget=0.02, follows={"ranks": "looks"})
    loop(tool, clock, 30.0, 1e-2, noise=0.2)
    assert len(ranks.measured) >= 3
    assert set(ranks.measured) <= set(looks.measured)
    assert not set(other.measured) <= set(looks.measured)


def test_a_known_length_is_used_from_end_to_end(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Two seconds in all: 40 ms may be spent."""
    probes = [FakeProbe("a", clock, price=1e-3), FakeProbe("b", clock, price=3e-3)]
    tool = instruments(monkeypatch, *probes, budget=0.02, expected_steps=1000)
    share = loop(tool, clock, 2.0, 2e-3)
    assert 0.01 < share <= 0.0201
    for probe in probes:
        assert len(probe.measured) >= 4
        assert probe.measured[-1] > 500


def test_a_run_of_known_length_may_read_a_dear_signal_early(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    dear = FakeProbe("dear", clock, price=1.0)
    tool = instruments(monkeypatch, dear, budget=0.02, expected_steps=60_000)
    loop(tool, clock, 20.0, 1e-2)
    assert dear.measured
    assert dear.measured[0] < 100


def test_a_signal_too_dear_for_a_short_run_is_not_read_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    dear = FakeProbe("dear", clock, price=1.0, guess=100.0)
    tool = instruments(monkeypatch, dear, budget=0.02)
    assert loop(tool, clock, 3.0, 1e-2) == 0.0
    assert dear.measured == []
    why = tool.not_recorded()["dear"]
    assert "about 100 training steps (1 s)" in why
    assert "train longer, or give a larger budget=" in why


def test_a_guess_that_was_far_too_low_is_paid_back(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    liar, cheap = FakeProbe("liar", clock, price=1.0), FakeProbe("cheap", clock, price=1e-4)
    share = loop(instruments(monkeypatch, liar, cheap, budget=0.02), clock, 400.0, 1e-2)
    assert share <= 0.02
    assert len(cheap.measured) > 2_000, "the others are not silenced meanwhile"


def test_a_loop_that_slows_down_is_soon_measured_more_often(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    probe = FakeProbe("a", clock, price=1e-3)
    tool = instruments(monkeypatch, probe, budget=0.02)
    loop(tool, clock, 0.5, 1e-4)
    fast = len(probe.measured)
    call, begun = tool._call, clock.now
    for i in range(1000):
        tool.read(call + i, clock.now, 1e-3 * len(probe.measured))
        clock.now += 0.2
    assert clock.now > begun
    assert fast < 120
    assert len(probe.measured) - fast > 700


def test_passing_values_counts_but_leaves_signals_a_tenth(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    probe = FakeProbe("a", clock, price=1e-4)
    share = loop(instruments(monkeypatch, probe, budget=0.02), clock, 20.0, 1e-4, passing=1e-5)
    passing = 1e-5 / 1.1e-4
    assert 0.0005 < share - passing < 0.0045


def test_without_a_budget_each_call_is_measured(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    probe = FakeProbe("a", clock, price=10.0)
    tool = instruments(monkeypatch, probe, budget=None)
    for call in range(50):
        tool.read(call, clock.now)
    assert probe.measured == list(range(50))


@pytest.mark.parametrize(("every", "calls"), [([0, 7, 8], [0, 7, 8]), (10, [0, 10, 20, 30, 40])])
def test_what_was_asked_for_is_kept_whatever_it_costs(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, every: Any, calls: list[int]
) -> None:
    probe = FakeProbe("a", clock, price=10.0)
    tool = instruments(monkeypatch, probe, every=every, budget=0.02)
    for call in range(50):
        tool.read(call, clock.now)
    assert probe.measured == calls
    assert "every= asks: it overrides budget=" in tool.describe()["a"]["cadence"]


def test_a_loop_whose_steps_take_no_time_is_not_measured_at_every_step(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    probe = FakeProbe("a", clock, price=1e-3)
    tool = instruments(monkeypatch, probe, budget=0.02)
    for call in range(5000):
        tool.read(call, clock.now)
    assert len(probe.measured) <= GRACE * 0.02 / 1e-3 + 3


def test_what_the_steps_after_a_reading_take_longer_is_counted() -> None:
    """Caches are cold, hooks are on: 20 ms of reading, and 10 ms more of the step that follows."""
    account = Account(Cadence(None), 1.0)
    budget = Budget(0.5, [account])
    now = spent = 0.0
    for call in range(400):
        budget.arrive(now, spent)
        after = call % 4 == 0
        if after:
            account.bill = 0.02
            spent, now = spent + 0.02, now + 0.02
            budget.settled(account)
        now += 0.1 + 0.01 * after
    assert budget.unseen == pytest.approx(0.01 * 100, rel=0.1)


def test_the_first_readings_are_not_counted_twice(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """The calls after them that may pass unheard are many steps, and not one long one."""
    tool = instruments(monkeypatch, *(FakeProbe(name, clock, price=0.05) for name in "ab"), budget=0.02)
    loop(tool, clock, 10.0, 1e-2, noise=0.2)
    assert tool._budget.unseen < 0.01


def test_a_pause_after_a_reading_is_not_taken_for_its_cost() -> None:
    """A validation follows it."""
    account = Account(Cadence(None), 1.0)
    budget = Budget(0.5, [account])
    now = spent = 0.0
    for call in range(400):
        budget.arrive(now, spent)
        if call % 100 == 0:
            account.bill = 0.001
            spent, now = spent + 0.001, now + 0.001
            budget.settled(account)
        now += 0.1 + 5.0 * (call % 100 == 0)
    assert budget.unseen <= 0.004


def test_run_json_says_what_more_would_give(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    dear = FakeProbe("dear", clock, price=0.02)
    tool = instruments(monkeypatch, dear, budget=0.01)
    loop(tool, clock, 20.0, 1e-2)
    said = tool.describe()["dear"]
    assert said["readings"] == len(dear.measured)
    assert f"about {5 * said['readings']} readings" in said["more"]
