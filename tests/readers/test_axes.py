"""What rows are counted by, and when they were written."""

from __future__ import annotations

import numpy as np
import pytest

from runopsy.errors import UnreadableLog
from runopsy.readers.axes import in_seconds, plain


def at(run, name="loss"):
    return run.tracks[name].step.tolist()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Step", "step"), ("globalStep", "global_step"), ("trainer/global_step", "trainer_global_step"),
     (" Wall time ", "wall_time"), ("Epoch #", "epoch"), ("_step", "_step"), ("epoch_num", "epoch_num"),
     ("train-loss (nats)", "train_loss_nats"), ("time/total timesteps", "time_total_timesteps"), ("EPOCH", "epoch")],
)  # fmt: skip
def test_names_are_compared_without_their_dress(name, expected):
    assert plain(name) == expected


@pytest.mark.parametrize(
    ("header", "axis", "column"),
    [
        ("step,epoch,loss", "step", 0),
        ("epoch,step,loss", "step", 1),
        ("step,global_step,loss", "step", 1),
        ("_step,trainer/global_step,loss", "step", 1),
        ("_step,_runtime,loss", "step", 0),
        ("Iteration,Epoch,loss", "step", 0),
        ("epoch,time,loss", "epoch", 0),
        ("time,tokens,loss", "tokens", 1),
        ("elapsed,x,loss", "time", 0),
        ("throughput/total_tokens,x,loss", "tokens", 0),
        ("train/global_step,x,loss", "step", 0),
        ("total_timesteps,x,loss", "step", 0),
    ],
)
def test_the_axis_is_the_finest_count_there_is(read_text, header, axis, column):
    rows = [(1.0, 10.0), (2.0, 20.0), (3.0, 30.0)]
    run = read_text(header, *(f"{a},{b},{9 - a}" for a, b in rows))
    assert (run.axis, at(run)) == (axis, [row[column] for row in rows])


def test_a_column_that_counts_too_stays_a_column(read_text):
    assert set(read_text("step,epoch,loss", "1,0.1,3", "2,0.2,2").tracks) == {"epoch", "loss"}


def test_an_axis_that_is_mostly_empty_is_none_and_said(read_text):
    run = read_text("step,epoch,loss", "1,1,5", ",2,4", ",3,3", ",4,2")
    assert (run.axis, at(run)) == ("epoch", [1, 2, 3, 4])
    assert any("'step' is empty in most rows" in note for note in run.notes)


def test_a_row_of_a_series_without_a_step_counts_as_the_one_before(read_text):
    run = read_text("step,loss,val_loss", "1,5,", "2,4,", ",,4.5", "3,3,", "4,2,", ",,3.5")
    assert at(run, "val_loss") == [2, 4]
    assert any("2 rows name no step" in note for note in run.notes)


def test_a_file_in_reverse_is_read_from_its_end(read_text):
    rows = ["1,5,", "2,4,", ",,4.5", "3,3,", "3,2.9,", "4,2,", ",,3.5"]
    run = read_text("step,loss,val_loss", *reversed(rows))
    assert at(run, "val_loss") == [2, 4]
    assert run.tracks["loss"].value.tolist() == [5, 4, 3, 2.9, 2]


def test_in_a_shuffled_file_a_row_without_a_step_belongs_nowhere(read_text):
    rows = [*(f"{s},1," for s in np.random.default_rng(1).permutation(40)), ",,7", ",,8"]
    run = read_text("step,loss,val_loss", *rows)
    assert "val_loss" not in run.tracks
    assert any("2 rows have no step" in note for note in run.notes)


def test_a_row_whose_step_cannot_be_read_is_left_out_and_said(read_text):
    run = read_text("step,loss", "1,5", "2,4", "three,3", "4,2")
    assert at(run) == [1, 2, 4]
    assert any("1 row has no step" in note for note in run.notes)


def test_batch_numbers_are_laid_end_to_end_over_the_epochs(read_text):
    run = read_text("epoch,batch,loss", *(f"{e},{b},{9 - e}" for e in range(3) for b in range(0, 40, 10)))
    assert (run.axis, at(run)) == ("step", [float(x) for x in range(0, 120, 10)])
    assert run.tracks["loss"].session is None
    assert any("placed one after the other" in note for note in run.notes)


def test_a_resumed_run_of_batch_numbers_is_still_a_resume(read_text):
    rows = [(e, b) for e in range(3) for b in range(4)] + [(e, b) for e in range(1, 4) for b in range(4)]
    run = read_text("epoch,batch,loss", *(f"{e},{b},1" for e, b in rows))
    assert run.tracks["loss"].session.tolist() == [0] * 12 + [1] * 12


def test_steps_that_go_on_over_epochs_are_left_as_they_are(read_text):
    run = read_text("epoch,step,loss", *(f"{s // 4},{s},1" for s in range(12)))
    assert at(run) == list(range(12))


def test_a_counter_that_starts_again_and_again_without_an_epoch_is_no_axis(read_text):
    run = read_text("iter,loss", *(f"{b},1" for _ in range(4) for b in range(5)))
    assert (run.axis, at(run)) == ("row", list(range(20)))
    assert any("to the same end again and again" in note for note in run.notes)


@pytest.mark.parametrize("steps", [[200] * 9 + [173], [10, 20, *[100] * 4]])
def test_a_column_with_one_value_in_most_rows_is_no_axis(read_text, steps):
    run = read_text("Total Steps,loss", *(f"{s},{1 / (i + 1)}" for i, s in enumerate(steps)))
    assert at(run) == list(range(len(steps)))
    assert any("'Total Steps' has one value in most rows" in note for note in run.notes)


def test_many_rows_in_one_epoch_are_counted_by_row_and_the_epoch_stays(read_text):
    run = read_text("epoch,loss", *(f"{e},{9 - e}" for e in range(3) for _ in range(5)))
    assert (run.axis, at(run)) == ("row", list(range(15)))
    assert run.tracks["epoch"].value.tolist() == [e for e in (0, 1, 2) for _ in range(5)]


def test_training_and_validation_rows_of_one_epoch_do_not_crowd_it(read_text):
    run = read_text("epoch,loss,val_loss", "0,5,", "0,,6", "1,4,", "1,,5", "2,3,", "2,,4")
    assert (run.axis, at(run, "val_loss")) == ("epoch", [0, 1, 2])


def test_three_curves_one_below_the_other_are_no_counter(read_text):
    rows = [*(f"{s},1,," for s in range(9)), *(f"{s},,1," for s in range(9)), *(f"{s},,,1" for s in range(9))]
    run = read_text("step,loss,val_loss,test_loss", *rows)
    assert (run.axis, at(run, "test_loss")) == ("step", list(range(9)))


def test_three_sides_one_below_the_other_are_no_counter_and_no_runs(read_text):
    rows = [f"{s},{side},1" for side in ("train", "val", "test") for s in range(9)]
    run = read_text("step,split,loss", *rows)
    assert (run.axis, at(run, "test/loss")) == ("step", list(range(9)))


def test_metrics_one_below_the_other_are_no_counter_and_no_runs(read_text):
    run = read_text("step,metric,value", *(f"{s},{name},1" for name in "abcd" for s in range(9)))
    assert (run.axis, at(run, "d")) == ("step", list(range(9)))


def test_metrics_or_sides_of_one_epoch_do_not_crowd_it(read_text):
    assert read_text("epoch,metric,value", *(f"{e},{name},1" for e in range(9) for name in "abcd")).axis == "epoch"
    assert (
        read_text("epoch,split,loss", *(f"{e},{side},1" for e in range(9) for side in ("train", "val"))).axis == "epoch"
    )


# --- clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1, 1e3, 1e6, 1e9])
def test_a_clock_counts_seconds_whatever_its_unit(unit):
    seconds = 1.7e9 + np.arange(3)
    np.testing.assert_allclose(in_seconds(seconds * unit), seconds, rtol=1e-12)


@pytest.mark.parametrize("scale", [1, 1000])
def test_a_unix_time_as_axis_counts_from_its_beginning(read_text, scale):
    run = read_text("timestamp,loss", *(f"{(1_700_000_000 + 5 * i) * scale},{9 - i}" for i in range(4)))
    assert (run.axis, at(run)) == ("time", [0, 5, 10, 15])


def test_seconds_since_the_start_stay_what_they_are(read_text):
    assert at(read_text("elapsed,loss", "2.5,3", "3.5,2", "5,1")) == [2.5, 3.5, 5]


def test_how_long_a_step_took_is_no_clock(read_text):
    rows = [f"{20 * i},{2.2 + 0.1 * (i % 3)},1" for i in range(30)]
    assert read_text("iteration,time,loss", *rows).tracks["loss"].time is None


def test_a_column_that_goes_up_and_down_is_no_time_axis(read_text):
    run = read_text("time,loss", *(f"{2.2 + 0.1 * (i % 3)},1" for i in range(30)))
    assert run.axis == "row"
    assert any("as no clock does" in note for note in run.notes)


def test_a_clock_beside_the_steps_is_kept_also_in_a_file_in_reverse(read_text):
    rows = [f"{i},{1_700_000_000 + i},{9 - i}" for i in range(10)]
    assert read_text("step,timestamp,loss", *rows).tracks["loss"].time.tolist() == [1.7e9 + i for i in range(10)]
    assert read_text("step,timestamp,loss", *reversed(rows)).tracks["loss"].time is not None


def test_a_row_that_does_not_say_when_has_the_time_of_the_one_before(read_text):
    run = read_text("step,timestamp,loss", "1,1700000001,5", "2,,4", "3,1700000003,3", "4,1700000004,2")
    assert (run.tracks["loss"].time - 1.7e9).tolist() == [1, 1, 3, 4]


def test_a_clock_of_dates_is_kept(read_text):
    run = read_text("step,datetime,loss", "1,2024-01-01 00:00:00,3", "2,2024-01-01 00:00:09,2")
    assert np.diff(run.tracks["loss"].time).tolist() == [9]
    assert run.notes == ()


# --- several runs in one table -------------------------------------------------------------------


@pytest.mark.parametrize("column", ["seed", "run_id", "Run Name", "trial"])
def test_runs_that_a_column_tells_apart_are_named(read_text, column):
    with pytest.raises(UnreadableLog, match=f"holds 2 runs: {column}=7, {column}=8"):
        read_text(f"{column},epoch,loss", *(f"{r},{e},1" for r in (7, 8) for e in range(5)))


def test_runs_side_by_side_are_never_joined(read_text):
    with pytest.raises(UnreadableLog, match="holds 3 runs"):
        read_text("epoch,seed,loss", *(f"{e},{r},1" for e in range(5) for r in (7, 8, 9)))


def test_runs_that_a_text_by_any_name_tells_apart_are_named(read_text):
    with pytest.raises(UnreadableLog, match="optimizer=adam, optimizer=sgd"):
        read_text("optimizer,epoch,loss", *(f"{o},{e},1" for o in ("adam", "sgd") for e in range(5)))


def test_remarks_in_text_tell_no_runs_apart(read_text):
    run = read_text(
        "step,loss,remark", *(f"{s},1,{'best' if s % 3 else ''}{'saved' if s % 5 else ''}" for s in range(20))
    )
    assert run.axis == "step"


def test_a_text_about_each_metric_of_a_long_table_tells_no_runs_apart(read_text):
    rows = [f"{s},{name},{unit},1" for s in range(5) for name, unit in (("loss", "nats"), ("acc", "share"))]
    assert set(read_text("step,metric,unit,value", *rows).tracks) == {"loss", "acc"}


def test_a_sweep_over_anything_is_told_apart(read_text):
    with pytest.raises(UnreadableLog, match="Hidden Neurons=4"):
        read_text("Hidden Neurons,Epoch,Train Loss", *(f"{h},{e},1" for h in (4, 8, 16) for e in range(6 + h)))


def test_a_resumed_run_with_a_new_id_is_one_run(read_text):
    rows = [("a", s) for s in range(10)] + [("b", s) for s in range(7, 17)]
    assert read_text("run_id,step,loss", *(f"{r},{s},1" for r, s in rows)).tracks["loss"].session is not None


def test_a_constant_of_the_configuration_tells_nothing_apart(read_text):
    rows = [s for _ in range(4) for s in range(5)]
    assert read_text("seed,step,loss", *(f"7,{s},1" for s in rows)).tracks["loss"].step.tolist() == list(range(20))


def test_a_session_number_is_no_run(read_text):
    rows = [(k, s) for k in range(4) for s in range(5 + k)]
    run = read_text("attempt,step,loss", *(f"{k},{s},1" for k, s in rows))
    assert run.tracks["loss"].session.max() == 3


def test_a_file_in_reverse_is_one_run(read_text):
    run = read_text("step,k,loss", *(f"{s},{s},1" for s in range(20, 0, -1)))
    assert run.axis == "step"


def test_a_batch_that_falls_while_a_fractional_epoch_goes_on_is_not_the_axis(read_text):
    rows = [f"{e + (b + 10) / 1000},{b},{5 - e / 100 - b / 1e3}" for e in range(6) for b in range(0, 1000, 100)]
    run = read_text("epoch,batch,loss", *rows)
    assert run.axis == "epoch"
    assert len(run.tracks["loss"]) == 60
    assert "goes on" in " ".join(run.notes)
