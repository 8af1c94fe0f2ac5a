"""Tables in all their shapes: wide or long, sparse or dense, with the sides in columns or in rows."""

from __future__ import annotations

import pytest

from runopsy.errors import UnreadableLog


def track(run, name):
    found = run.tracks[name]
    return found.step.tolist(), found.value.tolist()


def test_a_sparse_table_gives_each_column_its_own_rows(read_text):
    run = read_text("epoch,step,train_loss_step,train_loss_epoch,val_loss", "0,49,0.5,,", "0,99,0.4,,", "0,99,,,0.6",
                    "0,99,,0.45,", "1,149,0.3,,")  # fmt: skip
    assert track(run, "train_loss_step") == ([49, 99, 149], [0.5, 0.4, 0.3])
    assert track(run, "train_loss_epoch") == ([99], [0.45])
    assert track(run, "val_loss") == ([99], [0.6])


def test_a_column_that_is_never_filled_is_no_track(read_text):
    assert set(read_text("step,loss,val_loss", "1,3,", "2,2,").tracks) == {"loss"}


def test_a_run_says_where_it_comes_from(read_text, tmp_path):
    run = read_text("step,loss", "1,3", "2,2")
    assert (run.path, run.id) == (str(tmp_path / "log"), "log")


# --- resumes -------------------------------------------------------------------------------------


def test_a_resume_is_one_for_all_columns(read_text):
    rows = [*(f"{s},1,{'' if s % 4 else 2}" for s in range(10)), *(f"{s},1,{'' if s % 4 else 2}" for s in range(6, 14))]
    run = read_text("step,loss,val_loss", *rows)
    assert run.tracks["loss"].session.tolist() == [0] * 10 + [1] * 8
    assert run.tracks["val_loss"].session.tolist() == [0, 0, 0, 1, 1]


def test_validation_rows_below_all_training_rows_are_no_resume(read_text):
    run = read_text("step,loss,val_loss", *(f"{s},1," for s in range(10)), *(f"{s},,2" for s in range(10)))
    assert run.tracks["loss"].session is None
    assert run.tracks["val_loss"].session is None


def test_a_last_row_about_step_0_starts_nothing_anew(read_text):
    run = read_text("step,loss,test_acc", *(f"{s},1," for s in range(10)), "0,,0.9")
    assert run.tracks["loss"].session is None


# --- long ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names", [("metric", "value"), ("signal", "value"), ("Key", "Scalar"), ("tag", "Metric Value")]
)
def test_a_long_table_has_a_track_for_every_name(read_text, names):
    name, value = names
    run = read_text(f"step,{name},{value}", "1,loss,3", "1,val_loss,4", "2,loss,2", "2,val_loss,3")
    assert track(run, "loss") == ([1, 2], [3, 2])
    assert track(run, "val_loss") == ([1, 2], [4, 3])


def test_a_long_table_that_alternates_has_one_resume_for_all(read_text):
    def rows(steps, gap):
        return [f"{s},{n},1" for s in steps for n in ("loss", "val") if n == "loss" or s % gap == 0]

    run = read_text("step,metric,value", *rows(range(10), 4), *rows(range(6, 14), 4))
    assert run.tracks["loss"].session.tolist() == [0] * 10 + [1] * 8
    assert run.tracks["val"].session.tolist() == [0, 0, 0, 1, 1]


def test_a_long_table_that_is_grouped_has_a_resume_in_each_group(read_text):
    steps = [*range(10), *range(6, 14)]
    run = read_text("step,metric,value", *(f"{s},loss,1" for s in steps), *(f"{s},val,1" for s in steps))
    for name in ("loss", "val"):
        assert run.tracks[name].session.tolist() == [0] * 10 + [1] * 8


def test_a_long_table_without_a_resume_has_none_however_it_is_sorted(read_text):
    rows = [(s, n) for s in range(10) for n in ("loss", "val")]
    for order in (rows, sorted(rows, key=lambda r: r[1]), rows[::-1], sorted(rows, key=lambda r: (str(r[0]), r[1]))):
        run = read_text("step,metric,value", *(f"{s},{n},1" for s, n in order))
        assert run.tracks["loss"].session is None


def test_rows_of_a_long_table_without_a_name_or_a_step_are_left_out_and_said(read_text):
    run = read_text("step,metric,value", "1,loss,3", "2,,9", "3,loss,2", ",loss,8", "4,loss,1")
    assert track(run, "loss") == ([1, 3, 4], [3, 2, 1])
    assert any("1 row names no metric" in note for note in run.notes)
    assert any("1 row has no step" in note for note in run.notes)


def test_text_in_a_long_table_is_counted_for_its_own_metric(read_text):
    run = read_text("step,metric,value", "1,loss,3", "1,acc,oops", "2,loss,2", "2,acc,0.5", "3,acc,0.6")
    assert (run.tracks["loss"].unread, run.tracks["acc"].unread) == (0, 1)


def test_ten_thousand_metrics_in_a_long_table_take_seconds(read_text):
    run = read_text("step,metric,value", *(f"{s},m{i},{i}" for s in range(3) for i in range(10_000)))
    assert len(run.tracks) == 10_000
    assert track(run, "m77") == ([0, 1, 2], [77, 77, 77])


def test_a_column_called_name_without_a_value_column_is_no_long_table(read_text):
    assert set(read_text("step,name,loss", "1,a,3", "2,a,2").tracks) == {"loss"}


# --- the side in a column ------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["split", "phase", "type", "Mode", "subset"])
def test_a_column_that_says_train_or_val_parts_every_metric(read_text, column):
    run = read_text(f"step,{column},loss,acc", "1,train,5,0.1", "1,val,6,", "2,train,4,0.2", "2,val,5,0.3")
    assert track(run, "train/loss") == ([1, 2], [5, 4])
    assert track(run, "val/loss") == ([1, 2], [6, 5])
    assert track(run, "train/acc") == ([1, 2], [0.1, 0.2])
    assert track(run, "val/acc") == ([2], [0.3])


def test_what_both_sides_share_is_not_parted(read_text):
    run = read_text("step,split,epoch,loss", "1,train,0.5,5", "1,val,0.5,6", "2,train,1,4", "2,val,1,5")
    assert set(run.tracks) == {"epoch", "train/loss", "val/loss"}


def test_a_metric_that_names_its_side_keeps_its_name(read_text):
    run = read_text("step,phase,train_loss,val_loss", "1,train,5,", "1,val,,6", "2,train,4,", "2,val,,5")
    assert set(run.tracks) == {"train_loss", "val_loss"}


def test_a_long_table_may_have_the_side_in_a_column_too(read_text):
    run = read_text("step,split,metric,value", "1,train,loss,5", "1,test,loss,6", "2,train,loss,4", "2,test,loss,5")
    assert set(run.tracks) == {"train/loss", "test/loss"}


def test_rows_that_do_not_say_their_side_are_left_out_and_said(read_text):
    run = read_text("step,split,loss", "1,train,5", "1,,6", "2,train,4", "2,val,5")
    assert track(run, "train/loss") == ([1, 2], [5, 4])
    assert any("1 row has no split" in note for note in run.notes)


def test_a_column_of_other_words_parts_nothing(read_text):
    assert set(read_text("step,type,loss", "1,adam,5", "2,sgd,4").tracks) == {"loss"}


def test_a_table_without_a_number_beside_its_axis_names_its_columns(read_text):
    with pytest.raises(UnreadableLog, match="columns: step, mood"):
        read_text("step,mood", "1,fine", "2,bad")
