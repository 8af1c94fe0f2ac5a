"""A sweep examines each run once, and says of each what analyze says."""

import json
import os

import polars as pl
import pytest

import runopsy
from runopsy.errors import BadOption, UnreadableLog
from runopsy.report.words import number
from runopsy.study import content
from runopsy.study.engine import Here, Processes
from runopsy.study.folder import autopsy_path, opened, rows_of
from runopsy.study.row import row_of, row_of_json
from runopsy.study.sweep import sweep
from study_logs import curve_log


@pytest.fixture(autouse=True)
def _times_count_at_once(monkeypatch):
    """Files are trusted by their times right after they were written: the tests do not change them so fast."""
    monkeypatch.setattr(content, "SETTLED", -1.0)


def swept(runs, tmp_path, **how):
    return sweep(runs, study=tmp_path / "study", engine=Here(), **how)


def test_a_row_is_what_analyze_says_alone(logs, tmp_path):
    found = swept(logs, tmp_path)
    assert len(found.rows) == 6
    for row in found.rows:
        autopsy = runopsy.analyze(row.path)
        alone = row_of(autopsy, row.path, None)
        for name in ("verdict", "confidence", "why", "phases", "events", "best", "readings", "curves", "first", "last"):
            assert getattr(row, name) == getattr(alone, name), name
        assert json.loads(autopsy_path(tmp_path / "study", row).read_text()) == json.loads(
            runopsy.render(autopsy, "json")
        )


def test_a_second_call_examines_nothing(logs, tmp_path):
    first = swept(logs, tmp_path)
    second = swept(logs, tmp_path)
    assert (first.examined, first.kept) == (6, 0)
    assert (second.examined, second.kept) == (0, 6)
    assert second.runs.equals(first.runs)


def test_only_what_is_new_or_changed_is_examined(logs, tmp_path):
    swept(logs, tmp_path)
    curve_log(logs / "lr=1,seed=0" / "log.csv")
    curve_log(logs / "lr=0.1,seed=0" / "log.csv", start=5.0)
    os.utime(logs / "lr=0.1,seed=1" / "log.csv")  # touched, and not changed
    found = swept(logs, tmp_path)
    assert (len(found.rows), found.examined) == (7, 2)
    assert swept(logs, tmp_path).examined == 0


def test_a_file_that_was_written_just_now_is_known_by_its_content(logs, tmp_path, monkeypatch):
    """Two changes within the resolution of a clock leave one time: only the content tells them apart."""
    monkeypatch.setattr(content, "SETTLED", 1e9)
    swept(logs, tmp_path)
    assert swept(logs, tmp_path).examined == 0
    path = logs / "lr=0.1,seed=0" / "log.csv"
    about = path.stat()
    path.write_text(path.read_text().replace("2.", "3.", 1))
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert swept(logs, tmp_path).examined == 1


def test_other_thresholds_examine_all_again_and_so_does_again(tmp_path):
    log = curve_log(tmp_path / "log.csv")
    swept(log, tmp_path)
    assert swept(log, tmp_path, thresholds={"late_gain": 0.2}).examined == 1
    assert swept(log, tmp_path, thresholds={"late_gain": 0.2}).examined == 0
    assert swept(log, tmp_path, thresholds={"late_gain": 0.2}, again=True).examined == 1


def test_runs_of_like_content_are_rows_of_their_own(tmp_path):
    for name in ("a", "b"):
        curve_log(tmp_path / "runs" / name / "log.csv", seed=3)
    assert len(swept(tmp_path / "runs", tmp_path).rows) == 2


def test_what_cannot_be_read_is_a_row_with_its_reason(logs, tmp_path):
    (logs / "broken").mkdir()
    (logs / "broken" / "log.json").write_text('{"epochs": [1, 2')
    found = swept([logs, logs / "broken" / "log.json", tmp_path / "nothing"], tmp_path)
    unread = {row.path: row.why for row in found.rows if row.verdict is None}
    assert set(unread) == {str(logs / "broken" / "log.json"), str(tmp_path / "nothing")}
    assert all(unread.values())
    assert found.verdicts["unreadable"] == 2
    assert found.to_dict()["runs"][-1]["verdict"] is None


def test_a_table_of_several_runs_is_a_row_each(tmp_path):
    """More runs than one task takes; one more is examined alone, and those that are gone are no rows."""

    def lines(run):
        return [f"{run},{e},{2 / (1 + e) + run / 50:.4f},{2.1 / (1 + e) + run / 50:.4f}" for e in range(12)]

    def write(runs):
        text = ["run,epoch,train_loss,val_loss", *(line for run in range(runs) for line in lines(run)), ""]
        (tmp_path / "all.csv").write_text("\n".join(text))

    write(18)
    found = swept(tmp_path / "all.csv", tmp_path)
    assert [row.settings["run"] for row in found.rows] == list(range(18))
    assert {row.path for row in found.rows} == {str(tmp_path / "all.csv")}
    assert swept(tmp_path / "all.csv", tmp_path).examined == 0
    write(19)
    more = swept(tmp_path / "all.csv", tmp_path)
    assert (len(more.rows), more.examined) == (19, 1)
    write(5)
    fewer = swept(tmp_path / "all.csv", tmp_path)
    assert (len(fewer.rows), fewer.examined) == (5, 0)


def test_sources_are_folders_patterns_files_and_lists(logs, tmp_path, monkeypatch):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{logs / 'lr=0.01,seed=0'}\n\n{logs}/lr=0.1*\n"))
    assert len(swept("-", tmp_path).rows) == 4
    assert len(swept([f"{logs}/*/log.csv", logs], tmp_path).rows) == 6
    with pytest.raises(UnreadableLog, match="does not exist"):
        swept(tmp_path / "nowhere", tmp_path)


def test_a_study_folder_is_no_log(logs, tmp_path):
    sweep(logs, study=logs / "study", engine=Here())
    assert len(sweep(logs, study=logs / "study", engine=Here()).rows) == 6


def test_processes_find_the_same(logs, tmp_path):
    here = swept(logs, tmp_path)
    there = sweep(logs, study=tmp_path / "other", engine=Processes(2))
    assert here.runs.equals(there.runs)


def test_a_torn_line_of_the_journal_is_examined_again(logs, tmp_path):
    study = tmp_path / "study"
    swept(logs, tmp_path)
    rows = list(rows_of(study).values())
    (study / "runs.parquet").unlink()
    lines = [row.as_json() for row in rows]
    (study / "journal.jsonl").write_text("\n".join(lines)[:-20])
    assert len(rows_of(study)) == 5
    found = swept(logs, tmp_path)
    assert (len(found.rows), found.examined) == (6, 1)


def test_a_row_comes_back_from_its_line_as_it_was(logs, tmp_path):
    for row in swept(logs, tmp_path).rows:
        assert row_of_json(row.as_json()).as_json() == row.as_json()


def test_two_sweeps_do_not_write_one_folder(logs, tmp_path):
    with opened(tmp_path / "study"), pytest.raises(BadOption, match="another sweep"):
        swept(logs, tmp_path)


def test_a_folder_of_something_else_is_not_taken(logs, tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "thesis.tex").write_text("x")
    with pytest.raises(BadOption, match="no study folder"):
        swept(logs, tmp_path)
    assert [p.name for p in (tmp_path / "study").iterdir()] == ["thesis.tex"]


def test_the_table_is_parquet_with_a_column_for_every_setting(logs, tmp_path):
    swept(logs, tmp_path)
    table = pl.read_parquet(tmp_path / "study" / "runs.parquet")
    assert table["lr"].to_list() == [0.01] * 3 + [0.1] * 3
    assert {"path", "verdict", "confidence", "phases", "events", "best_step", "seed"} <= set(table.columns)


def test_the_json_has_the_keys_that_scripts_read(logs, tmp_path):
    found = swept(logs, tmp_path).to_dict()
    assert list(found) == ["format", "runs", "verdicts", "what_mattered", "sizes", "scaling"]
    assert found["format"] == 1
    assert {"path", "id", "verdict", "confidence", "phases", "events", "best_step", "settings"} <= set(found["runs"][0])
    assert "diagram" in swept(logs, tmp_path, by=("lr", "seed")).to_dict()


def test_where_and_sort_choose_and_order(logs, tmp_path):
    found = swept(logs, tmp_path, where="lr > 0.05", sort="-seed")
    assert [row.settings["seed"] for row in found.rows] == [2, 1, 0]
    assert found.left_out == 3
    with pytest.raises(BadOption, match="nothing"):
        swept(logs, tmp_path, sort="nothing")


@pytest.mark.parametrize("format", ["text", "markdown", "html", "json", "notebook"])
def test_every_format_shows_it(logs, tmp_path, format):
    (logs / "broken.json").write_text('{"a": 1}')
    text = runopsy.render(swept([logs, logs / "broken.json"], tmp_path, by=("lr", "seed")), format)
    assert "0.01" in text
    assert "comprehension" in text or "unknown" in text or "confusion" in text


def test_names_from_outside_cannot_leave_their_place_on_a_page(tmp_path):
    curve_log(tmp_path / "runs" / "<script>alert(1)</script>" / "log.csv")
    curve_log(tmp_path / "runs" / "b=\"'<i>" / "log.csv", seed=1)
    page = runopsy.render(swept(tmp_path / "runs", tmp_path), "html")
    assert "<script>alert" not in page
    assert "<i>" not in page.replace("<i class", "")


def test_a_live_run_is_looked_at_again(tmp_path):
    with runopsy.record(tmp_path / "runs" / "a") as run:
        for step in range(40):
            run.step(step, {"train/loss": 1 / (1 + step), "val/loss": 1 / (1 + step)})
        assert swept(tmp_path / "runs", tmp_path).examined == 1
        assert swept(tmp_path / "runs", tmp_path).examined == 1
    assert swept(tmp_path / "runs", tmp_path).examined == 1
    assert swept(tmp_path / "runs", tmp_path).examined == 0


def test_what_one_table_of_several_runs_says_of_each_is_a_setting_and_how_long_it_took_is_none(tmp_path):
    rows = [
        (epoch, 2 / epoch, optimizer, rate, 10.5 * rate * size, size)
        for optimizer in ("Adam", "SGD")
        for rate in (0.1, 0.01)
        for size in (16, 32)
        for epoch in range(1, 21)
    ]
    text = "epoch,val_loss,optimizer,rate,time,width\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    (tmp_path / "grid.csv").write_text(text)
    found = sweep(str(tmp_path / "grid.csv"), study=tmp_path / "study", engine=Here())
    assert {s.name for s in found.differences.settings} == {"optimizer", "rate", "width"}
    assert len(found.rows) == 8


def test_a_map_of_one_phase_gives_the_mean_outcome_of_each_square(logs, tmp_path):
    found = swept(logs, tmp_path, by=("lr", "seed"))
    text = runopsy.render(found, "text")
    assert len({cell.phase for cell in found.diagram.cells}) == 1
    assert "All squares are of one phase" in text
    assert all(number(cell.mean) in text for cell in found.diagram.cells)
