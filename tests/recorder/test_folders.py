"""Which folder a run gets, and what becomes of one that was there."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from runopsy.errors import BadOption, RunExists
from runopsy.recorder import record
from runopsy.recorder.folders import check_free
from runopsy.store import JOURNAL, SIGNALS, lock_path, read_run


def values(folder: Path) -> list[float]:
    return read_run(folder).tracks["a"].value.tolist()


def one(path: Path | str, value: float, **options: object) -> Path:
    with record(path, **options) as run:  # type: ignore[arg-type]  # whatever a test gives
        run.log(0, {"a": value})
    return run.path


def test_numbered_folders_count_from_one_and_skip_what_is_there(tmp_path: Path) -> None:
    assert [one(tmp_path / "first-{n}", i).name for i in range(3)] == ["first-1", "first-2", "first-3"]
    (tmp_path / "first-7").write_text("a file of somebody's")
    (tmp_path / "first-x").mkdir()
    assert one(tmp_path / "first-{n}", 4.0).name == "first-8"
    assert [values(tmp_path / f"first-{n}") for n in (1, 2, 3, 8)] == [[0], [1], [2], [4]]


def test_a_numbered_folder_says_its_name_and_may_have_folders_above_it_made(tmp_path: Path) -> None:
    assert one(tmp_path / "new/below/a-{n}-b", 1.0) == tmp_path / "new/below/a-1-b"
    assert read_run(tmp_path / "new/below/a-1-b").id == "a-1-b"


def test_resuming_a_numbered_run_continues_the_last_one(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        one(tmp_path / "r{n}", value)
    assert one(tmp_path / "r{n}", 3.0, resume=True).name == "r2"
    assert values(tmp_path / "r2") == [2, 3]
    assert one(tmp_path / "new{n}", 3.0, resume=True).name == "new1"


def test_overwriting_leaves_nothing_of_the_run_and_everything_else(tmp_path: Path) -> None:
    with record(tmp_path / "run", config={"old": 1}) as run:
        run.log(0, {"a": 1.0, "old": 1.0})
        run.event(0, "old")
    (tmp_path / "run/checkpoint.pt").write_text("precious")
    one(tmp_path / "run", 2.0, overwrite=True)
    run = read_run(tmp_path / "run")
    assert (values(tmp_path / "run"), "old" in run.tracks, run.marks, run.config) == ([2], False, (), {})
    assert (tmp_path / "run/checkpoint.pt").read_text() == "precious"
    one(tmp_path / "other", 3.0, overwrite=True)
    assert values(tmp_path / "other") == [3]


def test_overwriting_in_a_notebook_ends_the_recording_that_is_still_open(tmp_path: Path) -> None:
    old = record(tmp_path / "run")
    old.log(0, {"a": 1.0})
    one(tmp_path / "run", 2.0, overwrite=True)
    old.finish()
    assert values(tmp_path / "run") == [2]


def test_what_is_no_run_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/thesis.tex").write_text("precious")
    with pytest.raises(RunExists, match="no run folder"):
        record(tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis/thesis.tex").read_text() == "precious"


def test_a_taken_path_names_all_three_ways_on(tmp_path: Path) -> None:
    one(tmp_path / "run", 1.0)
    with pytest.raises(RunExists) as caught:
        record(tmp_path / "run")
    for way in ("{n}", "resume=True", "overwrite=True"):
        assert way in caught.value.hint


@pytest.mark.parametrize(
    ("path", "options", "text"),
    [
        ("run", {"resume": True, "overwrite": True}, "choose"),
        ("a-{n}/run", {}, "last name"),
        ("run", {"sizes": {"val": 0}}, "numbers of examples"),
        ("run", {"sizes": [3]}, "numbers of examples"),
        ("run", {"signals": "full", "model": 1, "expected_steps": 0}, "a loader with len()"),
    ],
)
def test_options_that_mean_nothing_are_refused_before_anything_is_made(
    tmp_path: Path, path: str, options: dict[str, object], text: str
) -> None:
    with pytest.raises(BadOption) as caught:
        record(tmp_path / path, **options)  # type: ignore[arg-type]  # the mistakes this is about
    assert text in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_the_sizes_of_data_sets_are_kept_over_a_resume(tmp_path: Path) -> None:
    one(tmp_path / "run", 1.0, sizes={"train": 50_000, "val": 10_000})
    one(tmp_path / "run", 1.0, resume=True)
    assert read_run(tmp_path / "run").sizes == {"train": 50_000, "val": 10_000}


@pytest.fixture
def made_meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[Callable[[], object]], int, int], None]:
    """Another process makes something: some steps are done, and after some looks it is a step further at each."""

    def begin(steps: Sequence[Callable[[], object]], done: int, looks: int) -> None:
        for step in steps[:done]:
            step()
        left, waits, real = iter(steps[done:]), iter(range(looks)), os.listdir

        def listed(path: Path) -> list[str]:
            names = real(path)
            if next(waits, None) is None:
                next(left, lambda: None)()
            return names

        monkeypatch.setattr(os, "listdir", listed)

    return begin


@pytest.mark.parametrize("looks", range(3))
@pytest.mark.parametrize("done", range(7))
def test_a_run_that_another_process_is_making_counts_as_a_run(
    tmp_path: Path, made_meanwhile: Callable[..., None], done: int, looks: int
) -> None:
    folder = tmp_path / "run"
    steps = (
        folder.mkdir,
        (folder / JOURNAL).mkdir,
        lock_path(folder, 0).touch,
        (folder / SIGNALS).mkdir,
        lambda: (folder / "run.json.tmp").write_text('{"format": 1}'),
        lambda: (folder / "run.json.tmp").rename(folder / "run.json"),
        (folder / "events.jsonl").touch,
    )
    made_meanwhile(steps, done, looks)
    check_free(folder, resume=True)


@pytest.mark.parametrize("looks", range(3))
@pytest.mark.parametrize("done", range(4))
def test_a_folder_in_which_another_rank_takes_its_lock_is_free(
    tmp_path: Path, made_meanwhile: Callable[..., None], done: int, looks: int
) -> None:
    folder = tmp_path / "run"
    made_meanwhile((folder.mkdir, (folder / JOURNAL).mkdir, lock_path(folder, 1).touch), done, looks)
    check_free(folder, resume=False)
