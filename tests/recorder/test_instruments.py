"""What run.step measures on its own, and what it does when it cannot."""
# ruff: noqa: PT031  # a whole loop that warns once is what is tested

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip

from runopsy.errors import BadOption  # noqa: E402
from runopsy.recorder import instruments as module  # noqa: E402
from runopsy.recorder import record, stopwatch  # noqa: E402
from runopsy.recorder.budget import level, strides  # noqa: E402
from runopsy.recorder.cadence import early_calls  # noqa: E402
from runopsy.recorder.instruments import Instruments  # noqa: E402
from runopsy.recorder.probes import Gauge, Loop, Reading  # noqa: E402
from runopsy.store import read_run  # noqa: E402


@dataclass
class Clock:
    """A stopwatch that moves only when told to."""

    now: float = 1000.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GUESSES", (("optimizer", 20.0), ("model", 0.05)))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stopwatch, "time", clock)
    return clock


DEAR = ("optimizer",)  # what a probe needs says what it is taken to cost


@dataclass
class FakeProbe:
    """A probe and its gauge in one: it costs what it is told to and may break."""

    name: str
    clock: Clock | None = None
    price: float = 0.0  # s, of measuring
    debt: float = 0.0  # s, of settling
    breaks_at: int | None = None
    measured: list[int] = field(default_factory=list)
    needs: tuple[str, ...] = ("model",)
    cost: str = "whatever it is told to"
    _owes: bool = False

    @property
    def units(self) -> Mapping[str, str]:
        return {self.name: ""}

    def start(self, loop: Loop) -> Gauge:
        return self

    def settle(self) -> Iterable[Reading]:
        if self._owes and self.clock is not None:
            self.clock.now += self.debt
        self._owes = False
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        self.measured.append(step)
        self._owes = True
        if self.clock is not None:
            self.clock.now += self.price
        if step == self.breaks_at:
            raise RuntimeError("out of memory")
        yield step, self.name, float(step)


def instruments(monkeypatch: pytest.MonkeyPatch, *probes: FakeProbe, **options: Any) -> Instruments:
    monkeypatch.setattr(module, "PROBES", probes)
    wanted = {"signals": "default", "every": None, "budget": None} | options
    model = nn.Linear(2, 2)
    return Instruments.choose(Loop(model, torch.optim.SGD(model.parameters(), lr=0.1)), **wanted)


def signals(folder: Path) -> dict[str, list[tuple[float, float]]]:
    tracks = read_run(folder).tracks.values()
    return {
        t.name: list(zip(t.step.tolist(), t.value.tolist(), strict=True))
        for t in tracks
        if not t.name.startswith("recorder/")
    }


def train(folder: Path, steps: int = 5, **options: Any) -> dict[str, list[tuple[float, float]]]:
    """A tiny regression, recorded."""
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = options.get("optimizer") or torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer = optimizer if hasattr(optimizer, "step") else torch.optim.SGD(model.parameters(), lr=0.1)
    with record(folder, **({"model": model, "optimizer": optimizer, "budget": None} | options)) as run:
        for step in range(steps):
            optimizer.zero_grad()
            loss = model(torch.randn(8, 3)).square().mean()
            loss.backward()
            run.step(step, {"train/loss": loss})
            optimizer.step()
    return signals(folder)


# --- what is chosen ------------------------------------------------------------------------------


def test_the_default_measures_norms_and_the_learning_rate(tmp_path: Path) -> None:
    found = train(tmp_path / "run")
    norms = {"grad/norm", "weights/norm", "weights/update_ratio", "weights/distance_init"}
    assert set(found) == {"train/loss", "lr", *norms}
    assert {len(readings) for readings in found.values()} == {5}  # the last update's ratio comes at the end


def test_scalars_means_what_is_passed_and_the_learning_rate(tmp_path: Path) -> None:
    assert set(train(tmp_path / "run", signals="scalars")) == {"train/loss", "lr"}


def test_signals_can_be_named(tmp_path: Path) -> None:
    assert set(train(tmp_path / "run", signals=["grad/norm", "lr"])) == {"train/loss", "lr", "grad/norm"}


def test_of_a_family_that_the_model_completes_all_or_one_can_be_named(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    model(torch.randn(4, 3)).sum().backward()
    for names, expected in (
        (["grad/norm/<module>"], ["grad/norm/0", "grad/norm/1"]),
        (["grad/norm/1"], ["grad/norm/1"]),
    ):
        readings = Instruments.choose(Loop(model), names, None, None).read(0, 0.0)
        assert [name for _, name, _ in readings] == expected


def test_full_is_more_than_the_default_and_less_than_what_can_be_named() -> None:
    scalars, default, full = (
        {u for p in module._choice(s)[0] for u in p.units} for s in ("scalars", "default", "full")
    )
    assert scalars < default < full
    assert "hessian/top" in full - default
    assert "features/cca/<a>~<b>" not in full


def test_what_this_model_cannot_have_is_no_trouble_but_noted(tmp_path: Path) -> None:
    """And run.json says how the rest was taken."""
    x, y = torch.randn(40, 3), torch.randn(40, 1)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
    options = {"probe": (x, y), "loss_fn": nn.functional.mse_loss, "signals": "full"}
    found = train(tmp_path / "run", model=model, optimizer=None, **options)
    said = json.loads((tmp_path / "run/run.json").read_text())
    assert said["not_recorded"]["pred/entropy"] == "the targets are no classes"
    assert said["not_recorded"]["canary/acc"] == "needs canaries="
    assert said["signals"]["features/effective_rank"]["head"] == "2"
    assert "single examples" in said["signals"]["gns/s"]["source"]
    assert {"hessian/top", "gns/s", "ntk/alignment", "features/stable_rank"} <= set(found)
    assert not {"pred/entropy", "canary/acc"} & set(found)


@pytest.mark.parametrize(("wanted", "text"), [("everything", "no set"), (["grad/nrom"], "grad/nrom")])
def test_a_signal_that_does_not_exist_is_refused_before_anything_is_made(
    tmp_path: Path, wanted: Any, text: str
) -> None:
    with pytest.raises(BadOption, match=text):
        record(tmp_path / "run", model=nn.Linear(2, 2), signals=wanted)
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_measured_is_said_with_the_reason(tmp_path: Path) -> None:
    assert set(train(tmp_path / "run", model=None)) == {"train/loss", "lr"}
    said = json.loads((tmp_path / "run/run.json").read_text())
    for name in ("grad/norm", "weights/norm", "weights/update_ratio"):
        assert said["not_recorded"][name] == "needs model="
    assert said["not_recorded"]["probe/acc_train"] == "needs model=, probe=, heldout="
    assert said["signals"]["lr"] == {"unit": "", "cadence": "every step"}


@pytest.mark.parametrize(
    "every", [3, [0, 3, 6], range(0, 99, 3), iter([0, 3, 6, 9]), (n for n in (0, 3, 6)), count(0, 3)]
)
def test_every_probe_keeps_to_the_schedule(tmp_path: Path, every: Any) -> None:
    found = train(tmp_path / "run", steps=8, every=every)
    for name in ("grad/norm", "weights/norm", "weights/update_ratio"):
        assert [step for step, _ in found[name]] == [0, 3, 6]
    assert [step for step, _ in found["lr"]] == list(range(8))


def test_a_schedule_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="every=0"):
        record(tmp_path / "run", model=nn.Linear(2, 2), every=0)


def test_what_is_known_example_by_example_is_a_table_in_the_run_folder(tmp_path: Path) -> None:
    pl = pytest.importorskip("polars")
    x, y = torch.randn(30, 3), torch.arange(30) % 3
    model = nn.Linear(3, 3)
    with record(tmp_path / "run", model=model, loss_fn=nn.functional.cross_entropy, probe=(x, y), budget=None) as run:
        for step in range(3):
            run.step(step)
    (file,) = (tmp_path / "run/examples").iterdir()
    table = pl.read_parquet(file)
    right = (model(x).argmax(dim=1) == y).tolist()
    assert (file.name, table["example"].to_list()) == ("0000-probe.parquet", list(range(30)))
    assert table["first_right"].to_list() == [0 if r else None for r in right]
    assert table["last_wrong"].to_list() == [None if r else 2 for r in right]
    assert set(table["forgotten"]) == {0}


# --- learning rates ------------------------------------------------------------------------------


def test_several_groups_have_a_learning_rate_each(tmp_path: Path) -> None:
    model = nn.Linear(2, 2)
    groups = [{"params": [model.weight], "lr": 0.1}, {"params": [model.bias], "lr": 0.2}]
    found = train(tmp_path / "run", steps=2, model=model, optimizer=torch.optim.SGD(groups))
    assert (found["lr"], found["lr/0"], found["lr/1"]) == (
        [(0, 0.1), (1, 0.1)],
        [(0, 0.1), (1, 0.1)],
        [(0, 0.2), (1, 0.2)],
    )


def test_groups_with_names_keep_them(tmp_path: Path) -> None:
    model = nn.Linear(2, 2)
    groups = [{"params": [model.weight], "name": "body"}, {"params": [model.bias], "name": "head", "lr": 0.5}]
    found = train(tmp_path / "run", steps=1, model=model, optimizer=torch.optim.SGD(groups, lr=0.25))
    assert (found["lr"], found["lr/body"], found["lr/head"]) == ([(0, 0.25)], [(0, 0.25)], [(0, 0.5)])


@pytest.mark.parametrize(
    ("form", "names"),
    [(list, {"lr": 0.1, "lr/0": 0.1, "lr/1/body": 0.2, "lr/1/1": 0.3}),
     (lambda two: dict(zip(("generator", "critic"), two, strict=True)),
      {"lr": 0.1, "lr/generator": 0.1, "lr/critic/body": 0.2, "lr/critic/1": 0.3})],
)  # fmt: skip
def test_several_optimizers_are_recorded_by_name(tmp_path: Path, form: Any, names: dict[str, float]) -> None:
    model = nn.Linear(2, 2)
    one = torch.optim.SGD(model.parameters(), lr=0.1)
    groups = [{"params": [model.weight], "name": "body", "lr": 0.2}, {"params": [model.bias], "lr": 0.3}]
    found = train(
        tmp_path / "run", steps=1, signals="scalars", optimizer=form([one, torch.optim.Adam(groups)]), model=model
    )
    assert {name: readings[0][1] for name, readings in found.items() if name != "train/loss"} == names


def test_a_list_of_one_optimizer_is_that_optimizer() -> None:
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    readings = Instruments.choose(Loop(optimizer=[optimizer]), "scalars", None, None).read(0, 0.0)
    assert readings == [(0, "lr", 0.1)]


def test_a_learning_rate_that_is_a_tensor_is_read_as_it_was_at_the_step(tmp_path: Path) -> None:
    model = nn.Linear(2, 2)
    rate = torch.tensor(0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    with record(tmp_path / "run", optimizer=optimizer) as run:
        for step in range(3):
            run.step(step)
            rate.mul_(0.5)
    assert signals(tmp_path / "run")["lr"] == [(0, 0.5), (1, 0.25), (2, 0.125)]


def test_a_learning_rate_is_never_read_on_its_device_by_the_instruments() -> None:
    class OnDevice:
        def __float__(self) -> float:
            raise AssertionError("the loop was made to wait")

    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    rate = OnDevice()
    optimizer.param_groups[0]["lr"] = rate
    readings = Instruments.choose(Loop(optimizer=optimizer), "scalars", None, None).read(0, 0.0)
    assert [(step, name) for step, name, value in readings if value is rate] == [(0, "lr")]


def test_an_optimizer_without_groups_is_no_obstacle(tmp_path: Path) -> None:
    with record(tmp_path / "run", optimizer=object()) as run:  # type: ignore[arg-type]  # somebody's own optimizer
        run.step(0, {"a": 1.0})
    assert set(signals(tmp_path / "run")) == {"a"}


def test_a_model_without_parameters_is_no_obstacle(tmp_path: Path) -> None:
    with record(tmp_path / "run", model=nn.ReLU(), budget=0.02) as run:
        for step in range(3):
            run.step(step, {"a": 1.0})
    assert set(signals(tmp_path / "run")) == {"a"}


# --- failing probes ------------------------------------------------------------------------------


def test_a_probe_that_fails_is_given_up_and_costs_no_other_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad, after = FakeProbe("good"), FakeProbe("bad", breaks_at=2), FakeProbe("after")
    monkeypatch.setattr(module, "PROBES", (good, bad, after))
    run = record(tmp_path / "run", model=nn.Linear(2, 2), budget=None)
    with pytest.warns(RuntimeWarning, match="bad cannot be measured any more.*out of memory") as caught:
        for step in range(5):
            run.step(step, {"train/loss": 1.0})
    run.finish()
    assert len(caught) == 1
    found = signals(tmp_path / "run")
    assert {name: len(readings) for name, readings in found.items()} == {
        "train/loss": 5,
        "good": 5,
        "bad": 2,
        "after": 5,
    }
    said = json.loads((tmp_path / "run/run.json").read_text())
    assert said["not_recorded"] == {"bad": "RuntimeError: out of memory"}
    assert (said["dropped"], said["status"]) == (0, "finished")


def test_a_probe_that_fails_at_the_very_end_does_not_stop_the_run_from_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late(FakeProbe):
        def settle(self) -> Iterable[Reading]:
            raise RuntimeError("too late")

    good = FakeProbe("good")
    run = record(tmp_path / "run")
    run._instruments = instruments(monkeypatch, Late("bad"), good)
    run.step(0, {"a": 1.0})
    run.finish()
    assert read_run(tmp_path / "run").status == "finished"
    assert run._instruments.refused == {"bad": "RuntimeError: too late"}


# --- the budget ----------------------------------------------------------------------------------


def loop(tool: Instruments, clock: Clock, steps: int, step_time: float, passing: float = 0.0) -> float:
    """How long the loop took, measuring and all; ``passing`` s a call go to values that are only passed."""
    begun, spent = clock.now, 0.0
    for step in range(steps):
        arrived = clock.now
        tool.read(step, arrived, spent)
        clock.now += passing
        spent += clock.now - arrived
        clock.now += step_time
    return spent / (clock.now - begun)


@pytest.mark.parametrize("step_time", [1e-4, 1e-2])
@pytest.mark.parametrize("budget", [0.02, 0.2])
def test_the_budget_holds_with_the_cost_of_settling_counted_in(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, budget: float, step_time: float
) -> None:
    probes = [FakeProbe("a", clock, price=1e-3, debt=4e-3), FakeProbe("b", clock, price=2e-3)]
    share = loop(instruments(monkeypatch, *probes, budget=budget), clock, 40_000, step_time)
    assert 0.4 * budget < share <= budget


@pytest.mark.parametrize("steps", [1000, 1500, 3000, 10_000])
def test_a_whole_set_of_probes_is_within_its_budget_from_the_thousandth_step_on(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, steps: int
) -> None:
    """As measured on a convnet, in training steps; one is far dearer than it is taken to be, one wakes up slowly."""

    class Waking(FakeProbe):
        def measure(self, step: int) -> Iterable[Reading]:
            assert self.clock is not None
            self.clock.now += 0 if self.measured else 0.05
            return super().measure(step)

    prices = [2.2, 0.68, 0.57, 0.5, 0.12, 0.1, 0.06, 0.05, 0.01, 0.01, 0.005, 0.005, 0.002]
    probes = [FakeProbe(f"p{i}", clock, price=1e-2 * price) for i, price in enumerate(prices)]
    tool = instruments(monkeypatch, *probes, Waking("waking", clock, price=1e-4), budget=0.02)
    share = loop(tool, clock, steps, 1e-2, passing=2e-5)
    assert 0.01 < share <= 0.02
    assert early_calls() <= set(probes[-1].measured)


def test_a_cheap_probe_is_not_thinned_for_a_dear_one(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    cheap, dear = FakeProbe("cheap", clock, price=5e-5), FakeProbe("dear", clock, price=0.3, needs=DEAR)
    share = loop(instruments(monkeypatch, cheap, dear, budget=0.02), clock, 20_000, 1e-2)
    assert share <= 0.02
    assert len(cheap.measured) > 19_990, "all, but for the first few, when it was taken to be dearer"
    gaps = {b - a for a, b in itertools.pairwise(dear.measured)}
    assert len(dear.measured) >= 4
    assert {gap.bit_count() for gap in gaps} == {1}, "powers of two"


def test_the_log_spaced_readings_of_cheap_probes_are_all_there(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    probes = [FakeProbe(f"p{i}", clock, price=2e-4) for i in range(20)]
    share = loop(instruments(monkeypatch, *probes, budget=0.02), clock, 2000, 1e-2)
    assert share <= 0.02
    assert all(early_calls() <= set(probe.measured) for probe in probes)


def test_a_probe_too_dear_for_a_short_run_is_not_started_and_says_so(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    dear = FakeProbe("dear", clock, price=1.0, needs=DEAR)
    tool = instruments(monkeypatch, dear, budget=0.02)
    assert loop(tool, clock, 300, 1e-2) == 0.0
    assert dear.measured == []
    assert "20 training steps" in tool.not_recorded()["dear"]


def test_a_guess_that_was_far_too_low_is_paid_back(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    liar, cheap = FakeProbe("liar", clock, price=1.0), FakeProbe("cheap", clock, price=1e-4)
    share = loop(instruments(monkeypatch, liar, cheap, budget=0.02), clock, 40_000, 1e-2)
    assert share <= 0.02
    assert len(cheap.measured) > 2_000, "the others are not silenced meanwhile"


def test_a_first_reading_that_was_slow_does_not_hold_up_the_next(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """torch does once-only work at the first call of everything."""

    class Slow(FakeProbe):
        def measure(self, step: int) -> Iterable[Reading]:
            assert self.clock is not None
            self.clock.now += 0 if self.measured else 5.0
            return super().measure(step)

    probe = Slow("a", clock, price=1e-4)
    loop(instruments(monkeypatch, probe, budget=0.02), clock, 30_000, 1e-2)
    assert len(probe.measured) > 3_000, "at a tenth of the budget, until five seconds are paid back"


def test_a_loop_that_slows_down_is_soon_measured_more_often(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    probe = FakeProbe("a", clock, price=1e-3)
    tool = instruments(monkeypatch, probe, budget=0.02)
    loop(tool, clock, 5000, 1e-4)
    fast = len(probe.measured)
    loop(tool, clock, 2000, 0.2)
    assert fast < 100
    assert len(probe.measured) - fast > 1500


def test_passing_values_counts_but_leaves_probes_a_tenth(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    probe = FakeProbe("a", clock, price=1e-4)
    share = loop(instruments(monkeypatch, probe, budget=0.02), clock, 100_000, 1e-4, passing=1e-5)
    passing = 1e-5 / 1.1e-4
    assert 0.0005 < share - passing < 0.0025


def test_without_a_budget_nothing_is_thinned_out(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    probe = FakeProbe("a", clock, price=10.0)
    loop(instruments(monkeypatch, probe, budget=None), clock, 50, 1e-3)
    assert len(probe.measured) == 50


def test_calls_that_were_named_are_kept_whatever_they_cost(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    probe = FakeProbe("a", clock, price=10.0)
    loop(instruments(monkeypatch, probe, every=[0, 7, 8], budget=0.02), clock, 50, 1e-3)
    assert probe.measured == [0, 7, 8]


def test_a_loop_whose_steps_take_no_time_is_not_measured_at_every_step(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    probe = FakeProbe("a", clock, price=1e-3)
    loop(instruments(monkeypatch, probe, budget=0.02), clock, 5000, 0.0)
    assert len(probe.measured) < 10


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=30), st.floats(1e-6, 1.0))
def test_strides_are_what_is_allowed_and_the_cheap_ones_are_the_last_to_be_thinned(
    costs: list[float], allowed: float
) -> None:
    found = strides(costs, allowed)
    assert all(stride.bit_count() == 1 for stride in found)
    assert sum(c / s for c, s in zip(costs, found, strict=True)) <= allowed * (1 + 1e-9)
    for cost, stride in zip(costs, found, strict=True):
        if stride > 1:  # had it been left at half, the share would have been the largest or too much
            assert 2 * cost / stride >= level(costs, allowed) * (1 - 1e-9) / 2


@given(st.lists(st.floats(0, 1e3), min_size=1), st.floats(0, 1e3))
def test_the_level_uses_up_the_total_or_meets_every_demand(demands: list[float], total: float) -> None:
    cap = level(demands, total)
    met = sum(min(demand, cap) for demand in demands)
    assert met == pytest.approx(min(total, sum(demands)), rel=1e-6, abs=1e-9)


def test_run_json_says_how_often_each_signal_was_read_and_at_what_price(tmp_path: Path) -> None:
    train(tmp_path / "run", every=2)
    said = json.loads((tmp_path / "run/run.json").read_text())["signals"]
    assert (said["grad/norm"]["cadence"], said["grad/norm"]["readings"]) == ("every 2 steps", 3)
    assert 0 < said["grad/norm"]["seconds"] < 1
    assert {"recorder/overhead", "recorder/dropped"} <= set(said)


# --- what was asked for and cannot be had --------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("full", "model="),
        (["grad/norm"], "grad/norm need model="),
        (["lr"], "lr need optimizer="),
        (["grad/norm", "lr"], "model=.*optimizer="),
    ],
)
def test_a_signal_asked_for_without_what_it_needs_is_an_error_that_says_what(
    tmp_path: Path, wanted: Any, text: str
) -> None:
    with pytest.raises(BadOption, match=text) as caught:
        record(tmp_path / "run", signals=wanted)
    assert "hand " in caught.value.hint
    assert not (tmp_path / "run").exists()
