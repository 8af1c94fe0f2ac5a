"""The short way of a call: what goes it is recorded as on the long way, and what cannot go it is not lost."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runopsy.recorder import journal, record
from runopsy.recorder.mapped import AFTER
from runopsy.recorder.session import Recording
from runopsy.store import read_run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere there is no short way")
Rows = dict[str, list[tuple[int, float]]]


@pytest.fixture(autouse=True)
def anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests lie on: as if it were a file system whose files may be mapped."""
    monkeypatch.setattr(journal, "mappable", lambda folder: True)


def begun(folder: Path, **options: Any) -> Recording:
    """A recording whose short way is open for ``a`` and ``b``."""
    run = record(folder, **options)
    for step in range(AFTER):
        run.log(step, {"a": 0.0, "b": 0.0})
    return run


def rows(folder: Path) -> Rows:
    """What was logged after ``begun``."""
    tracks = read_run(folder).tracks
    return {
        name: [(int(s), float(v)) for s, v in zip(track.step, track.value, strict=True) if s >= AFTER]
        for name, track in tracks.items()
        if not name.startswith("recorder/")
    }


def passed(run: Recording, call: Callable[[], None]) -> bool:
    """Whether a call goes the short way: the journal is not asked."""
    asked = []
    append, run._journal.append = run._journal.append, lambda *a: (asked.append(1), append(*a))[1]  # type: ignore[method-assign,assignment,func-returns-value]
    try:
        call()
    finally:
        run._journal.append = append  # type: ignore[method-assign]
    return not asked


VALUES: dict[str, Any] = {
    "float": 1.5,
    "nan": float("nan"),
    "double": np.float64(2.5),
    "int": 3,
    "none": None,
    "text": "x",
}


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from(sorted(VALUES)), max_size=4), max_size=30))
@settings(max_examples=40, deadline=None)
def test_both_ways_record_the_same(tmp_path_factory: pytest.TempPathFactory, calls: list[dict[str, str]]) -> None:
    found = []
    for quick in (True, False):
        folder = tmp_path_factory.mktemp("runs") / "run"
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(action="ignore"):
            patch.setattr(journal, "mappable", lambda _, quick=quick: quick)
            run = begun(folder)
            for step, call in enumerate(calls, AFTER):
                run.log(step, {name: VALUES[value] for name, value in call.items()})
            run.finish()
        found.append(rows(folder))
    np.testing.assert_equal(found[0], found[1])


def test_known_names_go_the_short_way_and_new_ones_the_long(tmp_path: Path) -> None:
    run = begun(tmp_path / "run")
    run.log(AFTER, {"a": 1.0})
    assert passed(run, lambda: run.log(AFTER + 1, {"a": 2.0, "b": 3.0}))
    assert passed(run, lambda: run.step(AFTER + 2, {"b": np.float64(4.0)}))
    assert passed(run, lambda: run.step(AFTER + 5, {"b": 8}))
    assert not passed(run, lambda: run.log(AFTER + 3, {"a": 5.0, "new": 6.0}))
    assert not passed(run, lambda: run.log(np.int64(AFTER + 4), {"a": 7.0}))  # type: ignore[arg-type]  # it is one
    run.finish()
    assert rows(tmp_path / "run") == {
        "a": [(AFTER, 1), (AFTER + 1, 2), (AFTER + 3, 5), (AFTER + 4, 7)],
        "b": [(AFTER + 1, 3), (AFTER + 2, 4), (AFTER + 5, 8)],
        "new": [(AFTER + 3, 6)],
    }


def test_a_tensor_is_read_when_it_is_passed_and_not_kept(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    run = begun(tmp_path / "run")
    loss = torch.tensor(1.0, requires_grad=True) * 2
    assert passed(run, lambda: run.log(AFTER, {"a": loss}))
    with torch.no_grad():
        loss.mul_(10)
    run.finish()
    assert rows(tmp_path / "run")["a"] == [(AFTER, 2)]


def test_what_is_no_number_goes_the_long_way_and_leaves_no_trace_of_the_rest(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    run = begun(tmp_path / "run")
    with pytest.warns(RuntimeWarning, match="'b' at step"):
        run.log(AFTER, {"a": 1.0, "b": torch.ones(3)})
    run.log(AFTER + 1, {"a": 2.0})
    run.finish()
    assert rows(tmp_path / "run") == {"a": [(AFTER, 1), (AFTER + 1, 2)], "b": []}


def test_learning_rates_come_along_and_a_schedule_is_followed(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    weights = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    one = torch.optim.SGD(weights[:1], lr=0.0)
    two = torch.optim.SGD([{"params": [w]} for w in weights], lr=0.0)
    for name, optimizer in (("one", one), ("two", two)):
        run = record(tmp_path / name, optimizer=optimizer, signals="scalars")
        for step in range(3 * AFTER):
            optimizer.param_groups[-1]["lr"] = float(step)
            if step == 2 * AFTER:
                optimizer.load_state_dict(optimizer.state_dict())  # which makes groups anew
            run.step(step, {"a": 0.0})
        run.finish()
        signal_name = "lr" if name == "one" else "lr/1"
        assert read_run(tmp_path / name).tracks[signal_name].value.tolist() == list(range(3 * AFTER))


@pytest.mark.parametrize("several", [False, True])
def test_of_a_learning_rate_that_is_passed_too_the_callers_is_kept_on_either_way(tmp_path: Path, several: bool) -> None:
    torch = pytest.importorskip("torch")
    one = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    run = record(tmp_path / "run", optimizer={"a": one, "b": one} if several else one, signals="scalars")
    for step in range(3 * AFTER):
        run.step(step, {"lr": float(step)})  # most go the short way
    quick = [passed(run, lambda: run.step(3 * AFTER, {"lr": 7.0}))]
    quick += [passed(run, lambda: run.step(3 * AFTER + 1, {"lr": 8.0, "new": 1.0}))]
    run.finish()
    assert quick == [True, False]
    tracks = read_run(tmp_path / "run").tracks
    assert tracks["lr"].step.tolist() == list(range(3 * AFTER + 2))  # one row a step
    assert tracks["lr"].value.tolist() == [*map(float, range(3 * AFTER)), 7.0, 8.0]
    assert not several or set(tracks["lr/b"].value.tolist()) == {0.5}


def test_a_full_file_is_closed_and_the_next_one_opened(tmp_path: Path) -> None:
    run = Recording(tmp_path / "run", None, {"config": {}, "given": []}, rows_per_part=5 * AFTER)
    count = 23 * AFTER
    for step in range(count):
        run.log(step, {"a": float(step)})
    run.finish()
    assert read_run(tmp_path / "run").tracks["a"].step.tolist() == list(range(count))
    assert len(list((tmp_path / "run/signals").iterdir())) > 3


def test_a_forked_child_writes_nothing(tmp_path: Path) -> None:
    run = begun(tmp_path / "run")
    child = os.fork()
    if not child:
        try:
            run.log(AFTER, {"a": -1.0})
            run.step(AFTER, {"a": -1.0})
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    run.log(AFTER + 1, {"a": 1.0})
    run.finish()
    assert rows(tmp_path / "run")["a"] == [(AFTER + 1, 1)]


def test_several_threads_lose_nothing(tmp_path: Path) -> None:
    run = begun(tmp_path / "run")
    count = 3000

    def work(first: int) -> None:
        for step in range(first, first + count):
            run.log(step, {"a": float(step), "b": 1.0})

    threads = [threading.Thread(target=work, args=(AFTER + i * count,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.finish()
    assert sorted(rows(tmp_path / "run")["a"]) == [(step, step) for step in range(AFTER, AFTER + 3 * count)]


def test_a_signal_handler_that_logs_in_the_middle_of_a_call_loses_nothing(tmp_path: Path) -> None:
    run = begun(tmp_path / "run")

    class Value:
        is_cpu = True

        def item(self) -> float:
            signal.raise_signal(signal.SIGUSR1)
            return 1.0

    before = signal.signal(signal.SIGUSR1, lambda *_: run.log(AFTER + 1, {"a": 2.0}))
    try:
        run.log(AFTER, {"a": Value(), "b": 3.0})  # type: ignore[dict-item]
    finally:
        signal.signal(signal.SIGUSR1, before)
    run.finish()
    found = rows(tmp_path / "run")
    assert sorted(found["a"]) == [(AFTER, 1), (AFTER + 1, 2)]
    assert found["b"] == [(AFTER, 3)]
