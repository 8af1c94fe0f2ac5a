"""Several runs in one file or folder: listed, chosen, never joined."""

from __future__ import annotations

import pytest

from runopsy.errors import BadOption, UnreadableLog
from runopsy.readers import read, runs
from runopsy.readers.run_selection import Candidate, choose, glances
from runopsy.signals import assign, measure

SWEEP = "seed,step,loss\n" + "".join(f"{seed},{step},{seed + 1 / (step + 1)}\n" for seed in (5, 7) for step in range(9))


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "sweep.csv"
    path.write_text(SWEEP)
    return path


def candidates(*names):
    def never():
        raise AssertionError

    return [Candidate(name, never) for name in names]


def test_the_runs_of_a_table_are_named_by_what_tells_them_apart(sweep):
    assert [run.name for run in runs(sweep)] == ["seed=5", "seed=7"]


@pytest.mark.parametrize("wanted", [2, "2", "seed=7", "7"])
def test_a_run_is_chosen_by_its_number_its_name_or_a_part_of_it(sweep, wanted):
    if wanted == "7":  # a number that no run has is no part of a name
        with pytest.raises(BadOption):
            read(sweep, wanted)
        return
    run = read(sweep, wanted)
    assert run.tracks["loss"].value[0] == 8
    assert len(run.tracks["loss"]) == 9
    assert run.path == f"{sweep} --run seed=7"


def test_nothing_is_read_to_choose():
    found = candidates("version_0", "version_1")
    assert choose(found, "version_1", "logs") is found[1]


def test_a_word_that_fits_several_runs_is_refused():
    with pytest.raises(BadOption, match="fits 2 runs"):
        choose(candidates("adam-1", "adam-2", "sgd"), "adam", "logs")


def test_a_number_that_is_also_the_name_of_another_run_is_refused():
    with pytest.raises(BadOption, match="number of one run and the name of another"):
        choose(candidates("2", "1"), "1", "logs")


def test_runs_within_runs_are_named_by_both(tmp_path):
    path = tmp_path / "grid.csv"
    rows = [(o, s, t) for o in ("adam", "sgd") for s in (1, 2) for t in range(6)]
    path.write_text("optimizer,seed,step,loss\n" + "".join(f"{o},{s},{t},1\n" for o, s, t in rows))
    assert [run.name for run in runs(path)] == [f"optimizer={o} seed={s}" for o in ("adam", "sgd") for s in (1, 2)]


def test_a_listing_says_where_each_run_ended(sweep):
    first, second = glances(runs(sweep))
    assert (first.number, first.rows, first.last, first.curve) == (1, 9, 8, "train/loss")
    assert second.value == pytest.approx(7 + 1 / 9)


def test_a_listing_out_of_time_names_what_it_did_not_read():
    assert [glance.rows for glance in glances(candidates("a", "b"), budget=-1)] == [None, None]


def test_a_run_that_cannot_be_read_does_not_hide_the_others(tmp_path):
    (tmp_path / "a.csv").write_text("step,loss\n" + "".join(f"{i},1\n" for i in range(5)))
    (tmp_path / "b.csv").write_text("step,loss\n0,\n")
    good, bad = glances(runs(tmp_path))
    assert good.rows == 5
    assert "no column of numbers" in bad.trouble


def test_one_directory_with_two_formats_is_one_run_and_says_so(tmp_path):
    (tmp_path / "log.csv").write_text("step,loss\n" + "".join(f"{i},1\n" for i in range(5)))
    (tmp_path / "log.jsonl").write_text("".join(f'{{"step": {i}, "loss": 2}}\n' for i in range(5)))
    run = read(tmp_path)
    assert run.tracks["loss"].value[0] == 2
    assert "log.csv" in run.notes[0]


def test_links_are_not_followed_in_a_search(tmp_path):
    outside = tmp_path / "outside.csv"
    outside.write_text("step,loss\n0,1\n1,1\n")
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "log.csv").symlink_to(outside)
    with pytest.raises(UnreadableLog, match="1 links were not followed"):
        read(folder)


def test_runs_in_folders_are_in_the_order_of_their_numbers(tmp_path):
    for version in (10, 2):
        (tmp_path / f"version_{version}").mkdir()
        (tmp_path / f"version_{version}" / "metrics.csv").write_text("step,loss\n0,1\n1,1\n")
    assert [run.name for run in runs(tmp_path)] == ["version_2", "version_10"]


def test_a_resume_in_a_new_folder_is_joined_on_request_only(tmp_path):
    for version, steps in ((0, range(30)), (1, range(20, 50))):
        (tmp_path / f"version_{version}").mkdir()
        rows = "".join(f"{s},{version + 1 / (s + 1)}\n" for s in steps)
        (tmp_path / f"version_{version}" / "metrics.csv").write_text(f"step,loss\n{rows}")
    with pytest.raises(UnreadableLog, match="holds 2 runs"):
        read(tmp_path)
    run = read(tmp_path, "version_0+version_1")
    loss = measure(run, assign(run.tracks))
    assert loss.resumes == (20,)
    assert loss.signals["train/loss"].step.tolist() == list(range(50))
    assert loss.signals["train/loss"].value[20] > 1
    assert "joined as asked" in run.notes[0]


def test_runs_that_count_differently_are_not_joined(tmp_path):
    for name, axis in (("a", "step"), ("b", "tokens")):
        (tmp_path / f"{name}.csv").write_text(f"{axis},loss\n" + "".join(f"{i},1\n" for i in range(5)))
    with pytest.raises(BadOption, match="step and tokens"):
        read(tmp_path, "a.csv+b.csv")
