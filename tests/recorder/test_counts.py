"""How many parameters and training examples a run is said to have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip
from torch.utils.data import DataLoader, IterableDataset, SubsetRandomSampler, TensorDataset  # noqa: E402

from runopsy.recorder import counts, record  # noqa: E402
from runopsy.recorder.attached import Attached  # noqa: E402
from runopsy.store import read_run  # noqa: E402


def data(n: int = 30) -> TensorDataset:
    return TensorDataset(torch.zeros(n, 4), torch.zeros(n, dtype=torch.long))


def test_a_weight_counts_once_however_often_it_is_used() -> None:
    words = nn.Embedding(7, 5)
    head = nn.Linear(5, 7, bias=False)
    head.weight = words.weight
    assert counts.parameters(nn.Sequential(words, head)) == {"parameters": 35, "trainable": 35}


def test_what_is_frozen_is_not_trainable() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    model[0].requires_grad_(False)
    assert counts.parameters(model) == {"parameters": 15 + 8, "trainable": 8}


def test_a_compiled_model_has_the_parameters_of_what_it_compiles() -> None:
    model = nn.Linear(4, 3)
    assert counts.parameters(torch.compile(model, backend="eager")) == counts.parameters(model)


class Raises(nn.Module):
    def parameters(self, recurse: bool = True) -> Any:
        raise RuntimeError("a model of somebody's")


class FullyShardedDataParallel(nn.Linear):
    """What a sharded model is called."""


@pytest.mark.parametrize(
    "model",
    [None, nn.LazyLinear(3), Raises(), FullyShardedDataParallel(2, 2), "no module"],
    ids=["none", "not initialised", "raises", "sharded", "no module"],
)
def test_what_cannot_be_counted_is_left_out(model: Any) -> None:
    assert counts.parameters(model) == {}


def test_packed_weights_are_not_counted() -> None:
    model = nn.Linear(4, 3)
    model.packed = nn.Parameter(torch.zeros(6, dtype=torch.uint8), requires_grad=False)
    assert counts.parameters(model) == {}


class Stream(IterableDataset):
    def __iter__(self) -> Any:
        return iter(range(3))


class Shared:
    """As the sampler of one of several processes."""

    num_replicas = 2

    def __len__(self) -> int:
        return 15

    def __iter__(self) -> Any:
        return iter(range(15))


class Failing:
    def __len__(self) -> int:
        raise RuntimeError("a data set of somebody's")


def test_a_loader_says_how_many_examples_it_goes_through() -> None:
    assert counts.sizes(DataLoader(data(), batch_size=8, shuffle=True)) == {"train": 30}
    assert counts.sizes(DataLoader(data(), batch_size=8, sampler=Shared())) == {"train": 30}


@pytest.mark.parametrize(
    "loader",
    [
        None,
        [1, 2, 3],
        DataLoader(Stream()),
        DataLoader(data(), sampler=SubsetRandomSampler(range(10))),
        type("Loader", (), {"dataset": Failing()})(),
    ],
    ids=["none", "list", "stream", "a part", "fails"],
)
def test_what_a_loader_does_not_say_is_left_out(loader: Any) -> None:
    assert counts.sizes(loader) == {}


def test_they_stand_in_the_manifest_and_in_the_run(tmp_path: Path) -> None:
    model, loader = nn.Linear(4, 3), DataLoader(data(), batch_size=8)
    with record(tmp_path / "run", model=model, expected_steps=loader, sizes={"val": 7, "tokens": 90}) as run:
        run.step(0, {"train/loss": 1.0})
    found = json.loads((tmp_path / "run/run.json").read_text())
    assert found["model"] == {"parameters": 15, "trainable": 15}
    assert found["sizes"] == {"train": 30, "val": 7, "tokens": 90}
    read = read_run(tmp_path / "run")
    assert (read.parameters, read.trainable, read.sizes["train"]) == (15, 15, 30)


def test_a_session_that_goes_on_without_a_model_keeps_what_was_counted(tmp_path: Path) -> None:
    with record(tmp_path / "run", model=nn.Linear(4, 3), sizes={"train": 30}) as run:
        run.step(0, {"train/loss": 1.0})
    with record(tmp_path / "run", resume=True, sizes={"val": 7}) as run:
        run.step(1, {"train/loss": 1.0})
    assert read_run(tmp_path / "run").parameters == 15
    assert read_run(tmp_path / "run").sizes == {"train": 30, "val": 7}


def test_a_run_without_a_model_states_no_parameters(tmp_path: Path) -> None:
    with record(tmp_path / "run") as run:
        run.step(0, {"train/loss": 1.0})
    assert (read_run(tmp_path / "run").parameters, read_run(tmp_path / "run").trainable) == (None, None)


@pytest.mark.parametrize(
    ("given", "kept"),
    [({}, {"train": 30}), ({"sizes": {"train": 20}}, {"train": 20}), ({"sizes": {"val": 5}}, {"train": 30, "val": 5})],
)
def test_a_callback_has_the_sizes_of_its_loader_unless_they_are_given(tmp_path: Path, given: Any, kept: Any) -> None:
    attached = Attached(tmp_path / "run", given)
    attached.begin(loader=DataLoader(data(), batch_size=8))
    attached.finish()
    assert read_run(tmp_path / "run").sizes == kept
