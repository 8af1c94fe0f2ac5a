"""Tables of text: separators, headers, and rows that do not fit."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runopsy.errors import UnreadableLog
from runopsy.readers.dialect import UNIT, layout, split
from runopsy.readers.formats.delimited import recognises
from runopsy.readers.source import Source


def told(*lines: str) -> tuple[str, tuple[str, ...], int] | None:
    found = layout(lines)
    return None if found is None else (found.separator, found.names, found.above)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["step,loss", "1,2"], (",", ("step", "loss"), 1)),
        (["step\tloss", "1\t2"], ("\t", ("step", "loss"), 1)),
        (["step;loss", "1;0,5"], (";", ("step", "loss"), 1)),
        (["step|loss", "1|2"], ("|", ("step", "loss"), 1)),
        (["step loss", "1 2", "3   4"], (" ", ("step", "loss"), 1)),
        (["  step   loss", "    1    0.5"], (" ", ("step", "loss"), 1)),
        (["step\ttokens", "1\t1,234", "2\t2,345"], ("\t", ("step", "tokens"), 1)),
        (["1;0,5", "2;0,4"], (";", (), 0)),  # commas would leave "1;0", which is no number
        (["step,when", "1,2024-01-01 00:00:00"], (",", ("step", "when"), 1)),
        (["loss", "3", "2"], (UNIT, ("loss",), 1)),
        (["3", "2"], (UNIT, (), 0)),
        (["# step loss", "1 2"], (" ", ("step", "loss"), 1)),
        (["# numpy", "#step,loss", "1,2"], (",", ("step", "loss"), 2)),
        (["# step loss", "1,2"], (",", ("step", "loss"), 1)),
        (["#{}", "r,l,t", "1,2,3"], (",", ("r", "l", "t"), 2)),
        (["sep=;", "step;loss", "1;2"], (";", ("step", "loss"), 2)),
        (['"a, b",c', "1,2"], (",", ("a, b", "c"), 1)),
        (['"a', 'b",c', "1,2"], (",", ("a\nb", "c"), 2)),
        (["run,1,2", "a,0.5,3", "b,0.6,4"], None),  # names above numbers nowhere: which line is the header?
        (["epoch,0,1", "1,0.5,3", "2,0.6,4"], (",", ("epoch", "0", "1"), 1)),
        (["1,None,3", "2,5,6"], (",", (), 0)),
        (["step,loss"], (",", ("step", "loss"), 1)),
        (["Hello, world"], None),
        (["a b", "c d", "e f"], None),
        (["just a line"], None),
        (["12"], None),
        ([], None),
        (["# only", "# remarks"], None),
    ],
)
def test_the_layout_is_the_one_that_makes_the_most_numbers(lines, expected):
    assert told(*lines) == expected


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=6)


@settings(max_examples=200)
@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=6), st.sampled_from([",", "\t", ";", "|"])
)
def test_quoted_cells_come_back_as_they_were_written(rows, separator):
    out = io.StringIO()
    csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    assert [cells for cells, _ in split(out.getvalue().removesuffix("\n").split("\n"), separator)] == rows


@pytest.mark.parametrize(
    "preface",
    [
        ["Training time: 123.4,,"],
        ["Resnet on CIFAR, 2 GPUs", "", "Train samples: 500, batches: 5", "Val samples: 50, batches: 1", ""],
        ["Namespace(lr=0.1, epochs=5, loss='ce')"],
    ],
)
def test_lines_of_text_above_a_header_are_left_out_and_said(read_text, preface):
    run = read_text(*preface, "Epoch,Train loss,Test loss", "0,3,4", "1,2,3", "2,1,2")
    assert run.tracks["Test loss"].value.tolist() == [4, 3, 2]
    assert any("above the header" in note for note in run.notes)


def test_lines_of_text_between_the_rows_are_no_rows(read_text):
    marks = "<<<<<<< HEAD\n", "=======\n", ">>>>>>> main\n", "Best model saved at epoch 1 with Val Acc: 0.76\n"
    rows = "".join(f"{mark}{i},{2 / (i + 1)}\n" for i, mark in enumerate(marks))
    run = read_text("epoch,loss\n" + rows)
    assert run.tracks["loss"].step.tolist() == [0, 1, 2, 3]
    assert "4 lines of text between the rows were left out" in run.notes


def test_numbers_above_a_header_are_not_left_out(read_text):
    run = read_text("0,3,4", "1,2,3", "step,loss,val_loss", "2,1,2")
    assert "column_1" in run.tracks


def test_a_known_header_needs_no_rows_that_fit(read_text):
    run = read_text("step,loss,acc", "1,3", "2,2", "3,1,0.5")  # a column that was added later
    assert run.tracks["loss"].value.tolist() == [3, 2, 1]
    assert run.tracks["acc"].step.tolist() == [3]


def test_rows_that_are_mostly_too_wide_are_refused(read_text):
    with pytest.raises(UnreadableLog, match="more cells than that in most rows"):
        read_text("step,loss", "1,2,3", "2,3,4", "3,4")


def test_empty_cells_beyond_the_header_are_nothing(read_text):
    assert read_text("step,loss", "1,2,", "2,3,,").notes == ()


def test_a_header_that_is_written_again_ends_nothing(read_text):
    run = read_text(
        "step,loss", *(f"{i},{9 - i}" for i in range(6)), "step,loss", *(f"{i},{8 - i}" for i in range(3, 9))
    )
    assert run.tracks["loss"].session.tolist() == [0] * 6 + [1] * 6
    assert any("header occurs 1 more" in note for note in run.notes)


def test_a_header_that_changes_is_followed_by_name(read_text):
    run = read_text("step,loss,acc", "0,5,0.1", "1,4,0.2", "step,acc,lr,loss", "2,0.3,1e-3,3", "3,0.4,1e-3,2")
    assert run.tracks["loss"].value.tolist() == [5, 4, 3, 2]
    assert run.tracks["acc"].value.tolist() == [0.1, 0.2, 0.3, 0.4]
    assert run.tracks["lr"].step.tolist() == [2, 3]
    assert any("header changes 1 times" in note for note in run.notes)


def test_a_metric_that_is_called_like_a_column_is_no_header(read_text):
    run = read_text("step,metric,value", "0,loss,5", "0,value,7", "1,loss,4", "1,value,8")
    assert run.tracks["value"].value.tolist() == [7, 8]


def test_remarks_with_line_ends_in_quotes_stay_one_cell(read_text):
    run = read_text("step,remark,loss", '1,"first', 'second, 3",5', "2,ok,4")
    assert run.tracks["loss"].value.tolist() == [5, 4]


def test_blanks_around_cells_and_names_are_off(read_text):
    run = read_text("               epoch,      train/box_loss", "                   1,              0.05", "2, 0.04")
    assert run.tracks["train/box_loss"].value.tolist() == [0.05, 0.04]


@pytest.mark.parametrize("last", ["3,1e-0", "3,1e-05", '3,"1', "3", "3,"])
def test_of_a_last_line_without_an_end_the_last_cell_is_left_out(tmp_path, last):
    source = Source.from_bytes("log", f"step,loss\n1,0.5\n2,0.25\n{last}".encode())
    from runopsy.readers.formats.delimited import read

    run = read(source)
    assert run.tracks["loss"].value.tolist() == [0.5, 0.25]
    assert any("no end" in note for note in run.notes)


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        (["1,0.5125", "2,0.2571", "3,0.1738"], True),
        (["1,0.5125", "2,0.2571", "3,0.17"], False),
        (["1,1.2e-05", "2,1.1e-05", "3,1.0e-05"], True),
        (["1,1.2e-05", "2,1.1e-05", "3,1.0e-0"], False),
        (["1,120", "2,125", "3,131"], True),
        (["1,120", "2,125", "3,13"], False),
        (["1,0.5", "2,0.25", "3,0.2"], True),
    ],
)
def test_a_whole_number_without_an_end_of_its_line_is_kept(rows, kept):
    from runopsy.readers.formats.delimited import read

    run = read(Source.from_bytes("log", "\n".join(["step,loss", *rows]).encode()))
    assert (len(run.tracks["loss"]) == 3) == kept
    assert any("no end" in note for note in run.notes) != kept


def test_a_torn_line_between_blanks_loses_its_last_cell_only():
    from runopsy.readers.formats.delimited import read

    run = read(Source.from_bytes("log", b"step loss acc\n1 0.5 0.1\n2 0.25 0.2\n3 0.125 0."))
    assert run.tracks["loss"].value.tolist() == [0.5, 0.25, 0.125]
    assert run.tracks["acc"].value.tolist() == [0.1, 0.2]


def test_a_million_cells_are_read_in_seconds(tmp_path):
    from runopsy.readers import read

    path = tmp_path / "log.csv"
    values = np.random.default_rng(0).random((200_000, 5))
    with path.open("w") as file:
        file.write("step,a,b,c,d,e\n")
        file.writelines(f"{i},{','.join(map(repr, row))}\n" for i, row in enumerate(values.tolist()))
    run = read(path)
    np.testing.assert_array_equal(run.tracks["e"].value, values[:, 4])


def test_a_script_that_prints_tables_is_not_one():
    assert not recognises(Source.from_bytes("x", b"def f(a, b):\n    return a, b\n\nprint(1, 2)\nprint(3, 4)\n"))
