"""What run.step measures on its own, and what it does when it cannot."""
# ruff: noqa: PT031  # a whole loop that warns once is what is tested

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip

from probing import FakeProbe, instruments  # noqa: E402  # after the skip
from runopsy.errors import BadOption  # noqa: E402
from runopsy.recorder import instruments as module  # noqa: E402
from runopsy.recorder import record  # noqa: E402
from runopsy.recorder.choosing import chosen  # noqa: E402
from runopsy.recorder.instruments import Instruments  # noqa: E402
from runopsy.recorder.probes import Loop, Reading  # noqa: E402
from runopsy.recorder.rates import with_rates  # noqa: E402
from runopsy.store import read_run  # noqa: E402


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
        {u for p in chosen(s, module.PROBES, module.DEAR, module.ON_REQUEST)[0] for u in p.units}
        for s in ("scalars", "default", "full")
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
    assert said["not_recorded"]["canary/acc"] == "give canaries= to record()"
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
        assert said["not_recorded"][name] == "give model= to record()"
    assert said["not_recorded"]["probe/acc_train"] == "give model= and probe= and heldout= to record()"
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
    files = sorted((tmp_path / "run/examples").iterdir())
    assert [file.name for file in files] == ["0000-probe-turns.parquet", "0000-probe.parquet"]
    turns, table = (pl.read_parquet(file) for file in files)
    right = (model(x).argmax(dim=1) == y).tolist()
    assert (turns["example"].to_list(), turns["right"].to_list()) == (list(range(30)), [int(r) for r in right])
    assert table["example"].to_list() == list(range(30))
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
    tools = Instruments.choose(Loop(optimizer=[optimizer]), "scalars", None, None)
    assert with_rates(tools.optimizers) == {"lr": 0.1}
    assert tools.read(0, 0.0) == []


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
    tools = Instruments.choose(Loop(optimizer=optimizer), "scalars", None, None)
    tools.read(0, 0.0)
    assert with_rates(tools.optimizers)["lr"] is rate


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


# --- what run.json says of them -----------------------------------------------------------------


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
