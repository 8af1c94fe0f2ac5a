"""The lab's trainings show what they say, by readings of the log that know nothing of how the truth was made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from runopsy import lab
from runopsy.errors import BadOption, RunExists, RunopsyError
from runopsy.lab import grid
from runopsy.lab.task import Planted, Truth
from runopsy.model import Run
from runopsy.store import read_manifest, read_run
from runopsy.study.engine import Here
from runopsy.study.sweep import sweep


def curve(run: Run, name: str) -> tuple[np.ndarray, np.ndarray]:
    track = run.tracks[name]
    return track.step, track.value


def first(step: np.ndarray, holds: np.ndarray) -> float:
    return float(step[np.flatnonzero(holds)[0]])


def planted(truth: Truth, kind: str) -> Planted:
    return next(event for event in truth.events if event.kind == kind)


# --- without torch -------------------------------------------------------------------------------


def test_the_list_of_tasks_is_shown_without_loading_torch() -> None:
    code = "import sys, runopsy.lab; print(len(runopsy.lab.TASKS)); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "9"


def test_names_are_unique_and_every_trainer_is_a_dotted_path() -> None:
    assert len({task.name for task in lab.TASKS}) == len(lab.TASKS)
    assert all(task.trainer.startswith("runopsy.lab.") and ":" in task.trainer for task in lab.TASKS)


def test_an_unknown_task_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadOption) as refused:
        lab.run("groking", tmp_path / "run")
    assert "groking" in refused.value.message
    assert all(task.name in refused.value.hint for task in lab.TASKS)
    assert not (tmp_path / "run").exists()


def test_a_missing_torch_is_said_with_the_way_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # what the import system does with None: ModuleNotFoundError
    with pytest.raises(RunopsyError) as refused:
        lab.run("healthy", tmp_path / "run")
    assert refused.value.message == "the lab trains with PyTorch, which is not installed"
    assert refused.value.hint == "pip install 'runopsy[torch]'"


def test_a_knob_that_does_not_exist_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(BadOption) as refused:
        lab.run("grokking", tmp_path / "run", knobs={"weight_decoy": 1.0})
    assert "weight_decay" in refused.value.hint
    with pytest.raises(BadOption, match="healthy has no lr"):
        lab.run("healthy", tmp_path / "run", knobs={"lr": 1.0})
    assert not (tmp_path / "run").exists()


def test_an_event_outside_its_own_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        Planted("grokking", step=10, lo=20, hi=30)


def test_a_sample_takes_the_place_of_the_old_one_only_when_it_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runopsy.lab import samples

    def train(name: str, folder: Path, seed: int = 0) -> Truth:
        folder.mkdir()
        (folder / "run.json").write_text('{"format": 1, "id": "new"}')
        if seed:
            raise RunopsyError("did not work")
        return Truth(name, seed, ("healthy",), (), "")

    monkeypatch.setattr(lab, "run", train)
    old = tmp_path / "healthy"
    old.mkdir()
    (old / "run.json").write_text('{"format": 1, "id": "old"}')
    with pytest.raises(RunopsyError):
        samples.replace("healthy", tmp_path, seed=1)
    assert read_manifest(old)["id"] == "old"
    samples.replace("healthy", tmp_path)
    assert read_manifest(old)["id"] == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["healthy"]
    (tmp_path / "spike").mkdir()
    with pytest.raises(RunExists):
        samples.replace("spike", tmp_path)


# --- trained in full -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Run, Truth, Path]]:
    """Some of the tasks at seed 0, each trained once for all the tests below."""
    pytest.importorskip("torch")
    root = tmp_path_factory.mktemp("lab")
    names = ("grokking", "double-descent", "overfitting", "divergence")
    truths = {name: lab.run(name, root / name) for name in names}
    return {name: (read_run(root / name), truth, root / name) for name, truth in truths.items()}


@pytest.mark.slow
def test_truth_json_says_what_was_returned(trained: dict[str, tuple[Run, Truth, Path]]) -> None:
    for name, (run, truth, folder) in trained.items():
        said = json.loads((folder / "truth.json").read_text())
        assert list(said) == ["task", "seed", "verdict", "events", "why"]
        assert (said["task"], said["seed"], said["verdict"]) == (name, 0, list(truth.verdicts))
        assert said["events"] == [
            {"kind": e.kind, "step": e.step, "lo": e.lo, "hi": e.hi, "optional": e.optional} for e in truth.events
        ]
        assert run.status == "finished"
        assert run.notes == ()
        assert run.config["seed"] == 0


@pytest.mark.slow
def test_a_run_folder_is_small(trained: dict[str, tuple[Run, Truth, Path]]) -> None:
    for _, _, folder in trained.values():
        assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 400_000


@pytest.mark.slow
def test_grokking_comes_several_times_later_than_the_fit(trained: dict[str, tuple[Run, Truth, Path]]) -> None:
    run, truth, _ = trained["grokking"]
    step, train_acc = curve(run, "train/acc")
    fit = first(step, train_acc >= 0.99)
    step, val_acc = curve(run, "val/acc")
    assert first(step, val_acc >= 0.95) >= 4 * fit
    assert val_acc[step == fit // 10 * 10] < 0.05
    assert val_acc[-1] >= 0.97
    event = planted(truth, "grokking")
    assert fit < event.lo < event.hi < step[-1]
    assert val_acc[step == event.step] == pytest.approx(0.5, abs=0.05)


@pytest.mark.slow
def test_the_peak_of_double_descent_is_where_the_formula_puts_it(trained: dict[str, tuple[Run, Truth, Path]]) -> None:
    """Expected risk over the noise: R(t) = Σ S (1 - ηλ)^2t + (σ²/n) Σ k (1 - (1 - ηλ)^t)², by group of features."""
    run, truth, _ = trained["double-descent"]
    c = run.config
    t = np.arange(1 + c["steps"])
    expected = np.zeros(len(t))
    for scale, signal, features in zip(c["scales"], c["signal"], c["features"], strict=True):
        left = (1 - c["lr"] * scale) ** t
        expected += signal * left**2 + c["noise"] * features / c["examples"] * (1 - left) ** 2
    formula = 50 + expected[50:].argmax()  # past the first minimum
    step, loss = curve(run, "val/loss")
    bottom = loss[step <= 100].min()
    peak = step[step >= 50][loss[step >= 50].argmax()]
    assert peak == pytest.approx(formula, rel=0.15)
    assert loss[step == peak] > 1.07 * bottom
    assert loss[-1] < bottom
    event = planted(truth, "double_descent_peak")
    assert event.lo <= peak <= event.hi


@pytest.mark.slow
def test_overfitting_loses_what_validation_had(trained: dict[str, tuple[Run, Truth, Path]]) -> None:
    run, truth, _ = trained["overfitting"]
    step, loss = curve(run, "val/loss")
    best = step[loss.argmin()]
    event = planted(truth, "memorization_onset")
    assert event.step == best
    assert event.lo < best < event.hi < 0.25 * step[-1]
    assert loss[-1] > 1.5 * loss.min()
    _, acc = curve(run, "val/acc")
    assert acc.max() - acc[-1] >= 0.05
    _, train_acc = curve(run, "train/acc")
    assert train_acc[-100:].mean() > 0.95
    step, epoch = curve(run, "epoch")
    assert epoch[step == 1000] == pytest.approx(1000 * run.config["batch_size"] / run.config["examples"])


@pytest.mark.slow
def test_divergence_begins_where_the_learning_rate_was_raised(trained: dict[str, tuple[Run, Truth, Path]]) -> None:
    run, truth, _ = trained["divergence"]
    step, rate = curve(run, "lr")
    raised = planted(truth, "lr_change").step
    assert first(step[1:], np.diff(rate) > 0) == raised
    step, loss = curve(run, "train/loss")
    assert loss[(step > raised - 100) & (step <= raised)].mean() < 0.1 * loss[0]
    event = planted(truth, "divergence")
    assert raised < event.step <= raised + 20
    gone = loss[step >= event.step]
    assert not (gone <= loss[0]).any()


def test_a_seed_gives_the_same_values_and_the_process_keeps_its_own_state(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    shares: list[float] = []
    lab.run("underfitting", tmp_path / "one", seed=3, progress=shares.append)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert 90 <= len(shares) <= 110
    torch.rand(7)  # whatever the process drew in between
    lab.run("underfitting", tmp_path / "two", seed=3)
    one, two = read_run(tmp_path / "one"), read_run(tmp_path / "two")
    for name in one.tracks.keys() - {"recorder/overhead", "recorder/dropped"}:
        np.testing.assert_array_equal(one.tracks[name].value, two.tracks[name].value, err_msg=name)
        np.testing.assert_array_equal(one.tracks[name].step, two.tracks[name].step, err_msg=name)


def test_an_existing_folder_is_not_trained_into(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "notes.txt").write_text("somebody's own")
    with pytest.raises(RunExists):
        lab.run("healthy", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_every_epoch_sees_every_example_once() -> None:
    torch = pytest.importorskip("torch")
    from runopsy.lab import loop

    examples = loop.Examples(torch.arange(12.0)[:, None], torch.arange(12))
    model = torch.nn.Linear(1, 12)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    experiment = loop.Experiment(model, optimizer, examples, examples, 6, 0, frozenset(), {}, batch=4)
    batches = loop._batches(experiment)
    seen = [next(batches) for _ in range(6)]
    assert [epoch for epoch, _ in seen] == pytest.approx([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3])
    orders = [torch.cat([batch.y for _, batch in seen[i : i + 3]]).tolist() for i in (0, 3)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(12))
    assert orders[0] != orders[1]


# --- a grid --------------------------------------------------------------------------------------


def test_a_grid_has_a_training_for_every_combination_and_seed(tmp_path: Path) -> None:
    made = grid.points(
        "grokking", tmp_path, grid.axes_of(["lr=.001,.01", "weight_decay=0,1,2"]), range(2), {"steps": 9}
    )
    assert len(made) == len({point.folder for point in made}) == 12
    assert made[0].knobs == {"steps": 9, "lr": 0.001, "weight_decay": 0}
    assert Path(made[0].folder).name == "lr=0.001,weight_decay=0,seed=0"


@pytest.mark.parametrize("words", [["lr"], ["lr=a"], ["lr="], ["lr=1", "lr=2"]])
def test_a_grid_that_means_nothing_is_refused(words: list[str]) -> None:
    with pytest.raises(BadOption):
        grid.axes_of(words)


def test_a_knob_is_not_both_fixed_and_varied(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="lr is both fixed and varied"):
        grid.points("grokking", tmp_path, {"lr": (1.0, 2.0)}, [0], {"lr": 1.0})


def test_a_grid_is_trained_once_and_swept(tmp_path: Path) -> None:
    """What does not show its task's subject is recorded all the same: a grid is about where it does and where not."""
    made = grid.points("grokking", tmp_path / "runs", {"weight_decay": (0.0, 1.0)}, [0], {"steps": 40})
    assert grid.train(made, Here(), lambda _: None) == {}
    before = {point.folder: (Path(point.folder) / "run.json").stat().st_ino for point in made}
    assert grid.train(made, Here(), lambda _: None) == {}
    assert {folder: (Path(folder) / "run.json").stat().st_ino for folder in before} == before
    found = sweep(tmp_path / "runs", study=tmp_path / "study", engine=Here())
    assert sorted(row.settings["weight_decay"] for row in found.rows) == [0.0, 1.0]
    assert all(row.verdict is not None for row in found.rows)
