"""Whatever is thrown at it: an answer, or one line that says what is so and one that says what to do."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from patience import HANGS, quick
from runopsy import cli
from runopsy.errors import RunopsyError
from runopsy.model import Run
from runopsy.readers import read
from runopsy.recorder.journal import Journal
from runopsy.store import MANIFEST, RECORD

ROWS = [(step, 2.0 / (1 + step), 2.2 / (1 + step)) for step in range(0, 40, 2)]
CSV = "step,loss,val_loss\n" + "".join(f"{s},{a},{b}\n" for s, a, b in ROWS)
JSONL = "".join(json.dumps({"step": s, "loss": a, "val_loss": b}) + "\n" for s, a, b in ROWS)


on_posix = pytest.mark.skipif(os.name != "posix", reason="there are no named pipes and devices elsewhere")
not_as_root = pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may read everything")


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def ask(monkeypatch, capsys):
    """The command line, in this process: ``ask("signals", path)``."""

    def run(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["runopsy", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return Answer(int(end.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def give(tmp_path):
    """A file with this content."""

    def write(content: str | bytes, name: str = "log.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def refused(ask):
    """Asserts that both verbs refuse a path with two lines and nothing else, and gives the two lines."""

    def check(path: object) -> str:
        answers = [ask(verb, path) for verb in ("signals", "analyze")]
        for answer in answers:
            _is_refusal(answer)
        return answers[0].err

    return check


@pytest.fixture
def answered(ask):
    """Asserts that a path gets an answer from ``signals`` and is judged or refused by ``analyze``; gives the run."""

    def check(path: object) -> Run:
        listing = ask("signals", path)
        assert (listing.code, listing.err) == (0, "")
        assert "columns" in listing.out
        _is_answer_or_refusal(ask("analyze", path))
        return read(str(path))

    return check


def _is_refusal(answer: Answer) -> None:
    assert answer.code == 2, answer
    assert answer.out == ""
    what, todo = answer.err.splitlines()  # two lines, not one and not three
    assert what.startswith("runopsy: ")
    assert todo.startswith("  ")
    assert len(todo.strip()) > 5
    assert "Traceback" not in answer.err


def _is_answer_or_refusal(answer: Answer) -> None:
    if answer.code == 0:
        assert answer.out
        assert answer.err == ""
    else:
        _is_refusal(answer)


def outcome(path: Path) -> Run | RunopsyError:
    try:
        return read(path)
    except RunopsyError as error:
        return error


def values(run: Run, name: str) -> list[float]:
    return run.tracks[name].value.tolist()


def steps(run: Run, name: str) -> list[float]:
    return run.tracks[name].step.tolist()


# --- nothing there -------------------------------------------------------------------------------


def test_a_missing_path_is_named(refused, tmp_path):
    assert "does not exist" in refused(tmp_path / "nowhere.csv")


def test_an_empty_path_is_not_the_working_directory(refused, tmp_path, monkeypatch, give):
    give(CSV)
    monkeypatch.chdir(tmp_path)
    assert "does not exist" in refused("")


def test_a_path_too_long_for_the_file_system_is_refused(refused):
    refused("x" * 5000)


def test_a_path_with_a_zero_byte_is_refused(refused):
    refused("a\0b")


def test_an_empty_file_says_so(refused, give):
    assert "is empty" in refused(give(""))


def test_a_file_of_blanks_says_so(refused, give):
    assert "is empty" in refused(give(" \n\t\n  \r\n"))


def test_a_file_of_a_byte_order_mark_alone_is_empty(refused, give):
    assert "is empty" in refused(give(b"\xef\xbb\xbf"))


def test_a_file_of_zero_bytes_is_empty(refused, give):
    assert "is empty" in refused(give(b"\0" * 4096))


def test_a_header_alone_has_no_rows(refused, give):
    assert "header and no rows" in refused(give("step,loss,val_loss\n"))


def test_a_header_without_its_line_end_has_no_rows(refused, give):
    assert "header and no rows" in refused(give("step,loss,val_lo"))


def test_two_headers_have_no_rows(refused, give):
    assert "no rows" in refused(give("step,loss\nstep,loss\n"))


def test_one_row_is_a_log(answered, give):
    assert values(answered(give("step,loss\n3,0.5\n")), "loss") == [0.5]


# --- not a log -----------------------------------------------------------------------------------


def test_random_bytes_are_binary_data(refused, give):
    junk = random.Random(0).randbytes(5000)
    assert "binary" in refused(give(junk))


def test_a_picture_is_binary_data(refused, give):
    assert "binary" in refused(give(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "log.png"))


def test_a_compressed_log_says_to_unpack_it(refused, give):
    assert "compressed" in refused(give(gzip.compress(CSV.encode()), "log.csv.gz"))


def test_a_readme_is_no_table(refused, give):
    text = """Training, in a nutshell

First, install the package, then run it. In 2024, we trained 3 models, and 2 of them, well, diverged.
See the results, the loss, and so on. Step 1, loss 2.5, is where it starts.
| not really | a table |

    python train.py --lr 0.1, --steps 100
"""
    assert "without a table" in refused(give(text, "README.txt"))


def test_a_readme_of_one_line_is_no_header(refused, give):
    assert "without a table" in refused(
        give("Update this directory, by the step described below, whenever it changes\n")
    )


def test_a_script_is_no_table(refused, give):
    assert "without a table" in refused(give(Path(cli.__file__).read_text(encoding="utf-8"), "train.py"))


def test_yaml_is_no_table(refused, give):
    assert "without a table" in refused(give("lr: 0.1\nloss: 3\nbatch: 32\n", "config.yaml"))


def test_json_without_a_metric_says_so(refused, give):
    assert "names no loss" in refused(give(json.dumps({"vocab": ["a", "b"], "size": 2}, indent=2), "tokenizer.json"))


def test_a_document_of_settings_has_no_curve(refused, give):
    document = json.dumps({"loss": "mse", "optimizer": {"betas": [0.9, 0.99]}, "layers": [{"size": 3}, {"size": 4}]})
    refused(give(document, "config.json"))


def test_a_config_printed_above_a_text_log_is_not_its_only_row(refused, give):
    text = '{"lr": 0.1, "loss": 5}\n' + "".join(f"epoch {i} went well\n" for i in range(20))
    refused(give(text, "train.log"))


# --- cut short, and written meanwhile ------------------------------------------------------------


@pytest.fixture(scope="module")
def parquet() -> bytes:
    out = io.BytesIO()
    table = {"step": [r[0] for r in ROWS], "loss": [r[1] for r in ROWS], "name": ["a"] * len(ROWS)}
    pq.write_table(pa.table(table), out, write_page_checksum=True)
    return out.getvalue()


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_parquet_file_cut_short_is_refused(refused, give, parquet, share):
    refused(give(parquet[: max(4, int(share * len(parquet)))], "log.parquet"))


def test_a_parquet_file_without_its_last_byte_says_it_may_still_be_written(refused, give, parquet):
    assert "still being written" in refused(give(parquet[:-1], "log.parquet"))


def test_a_parquet_file_of_its_magic_alone_is_refused(refused, give):
    refused(give(b"PAR1PAR1", "log.parquet"))


def test_a_damaged_parquet_file_never_shows_more_than_two_lines(give, parquet, capfd):
    """Some of these make polars panic, and a panic prints by itself: hence pyarrow, and the file descriptors."""
    dice = random.Random(3)
    for _ in range(60):
        broken = bytearray(parquet)
        for _ in range(dice.choice([1, 2, 5])):
            broken[dice.randrange(4, len(broken) - 4)] = dice.randrange(256)
        found = outcome(give(bytes(broken), "log.parquet"))
        assert isinstance(found, Run) or (found.hint and "\n" not in found.message)
    assert capfd.readouterr().err == ""


def test_parquet_of_nested_columns_only_says_so(refused, tmp_path):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"step": [[1, 2], [3]], "loss": [{"a": 1}, {"a": 2}]}).write_parquet(path)
    assert "no column of plain numbers" in refused(path)


def test_parquet_without_rows_says_so(refused, tmp_path):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"step": [], "loss": []}, schema={"step": pl.Int64, "loss": pl.Float64}).write_parquet(path)
    assert "no rows" in refused(path)


def test_a_row_torn_anywhere_never_shows_a_number_that_was_not_logged(give):
    whole = "step,loss,lr\n10,0.5,1e-05\n20,0.25,1e-06\n"
    full = give(whole)
    logged = {name: set(track.value.tolist()) for name, track in read(full).tracks.items()}
    begin = whole.index("20,")
    for cut in range(begin, len(whole)):
        for quoted in (False, True):
            text = whole[:cut].replace("0.25", '"0.25"') if quoted else whole[:cut]
            run = read(give(text))
            for name, track in run.tracks.items():
                assert set(track.value.tolist()) <= logged[name], (cut, name)
                assert set(track.step.tolist()) <= {10.0, 20.0}, (cut, name)


def test_a_json_line_torn_anywhere_is_left_out(give):
    for cut in range(len('{"step": 10, "loss": 0.5}\n'), len('{"step": 10, "loss": 0.5}\n{"step": 20, "loss": 0.25}')):
        run = read(give('{"step": 10, "loss": 0.5}\n{"step": 20, "loss": 0.25}'[:cut], "log.jsonl"))
        assert values(run, "loss") == [0.5]


def test_a_torn_last_line_is_said(give):
    assert any("last line has no end" in note for note in read(give("step,loss\n1,2\n2,1.5\n3,1.2")).notes)


def test_a_tail_of_zeros_that_a_power_cut_left_is_cut_off(answered, give):
    assert values(answered(give(b"step,loss\n1,2\n2,1.5\n" + b"\0" * 4096)), "loss") == [2, 1.5]


def test_a_log_can_be_read_while_it_is_written(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("step,loss\n0,5.0\n")
    done = threading.Event()

    def write() -> None:
        with path.open("a", buffering=1 << 10) as file:
            for step in range(1, 200_000):
                file.write(f"{step},{5 / (1 + step):.17g}\n")
                if done.is_set():
                    break

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = 0
        for _ in range(15):
            track = read(path).tracks["loss"]
            np.testing.assert_array_equal(track.value, [float(f"{5 / (1 + s):.17g}") for s in track.step])
            assert len(track) >= seen
            seen = len(track)
    finally:
        done.set()
        writer.join()


# --- text that is no number ----------------------------------------------------------------------


def test_a_few_cells_of_text_are_left_out_and_counted(answered, give):
    run = answered(give("step,loss\n1,0.5\n2,oops\n3,0.3\n4,#REF!\n5,0.2\n6,0.1\n"))
    assert values(run, "loss") == [0.5, 0.3, 0.2, 0.1]
    assert run.tracks["loss"].unread == 2


def test_a_column_of_text_where_the_loss_should_be_is_refused(refused, give):
    assert "no column of numbers beside its axis" in refused(give("step,loss\n1,low\n2,lower\n3,lowest\n"))


def test_a_column_of_text_beside_the_loss_is_said(answered, give):
    assert "columns of text were left out: mood" in answered(give("step,loss,mood\n1,2,ok\n2,1,low\n")).notes


@pytest.mark.parametrize("word", ["nan", "NaN", "NAN", "-nan"])
def test_nan_in_any_writing_is_a_value_that_is_none(answered, give, word):
    assert np.isnan(answered(give(f"step,loss\n1,2\n2,{word}\n3,1\n")).tracks["loss"].value).tolist() == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("word", ["inf", "Infinity", "INF", "+inf", "-Infinity", "-inf", "1e400", "-1e999"])
def test_infinity_in_any_writing_is_infinite(answered, give, word):
    value = answered(give(f"step,loss\n1,2\n2,{word}\n3,1\n")).tracks["loss"].value[1]
    assert value == (-np.inf if word.startswith("-") else np.inf)


@pytest.mark.parametrize("word", ["", "None", "null", "N/A", "NA", "-", "  ", "<NA>", "n/a"])
def test_a_word_for_nothing_is_no_value_and_no_error(answered, give, word):
    run = answered(give(f"step,loss,x\n1,2,1\n2,{word},1\n3,1,1\n"))
    assert steps(run, "loss") == [1, 3]
    assert run.tracks["loss"].unread == 0


def test_infinite_and_missing_values_survive_in_parquet(answered, tmp_path):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"step": [1, 2, 3, 4], "loss": [1.0, float("nan"), None, float("-inf")]}).write_parquet(path)
    assert str(values(answered(path), "loss")) == "[1.0, nan, -inf]"


def test_a_loss_that_is_nan_throughout_is_an_answer(ask, give):
    path = give("step,loss\n" + "".join(f"{i},nan\n" for i in range(30)))
    assert ask("signals", path).code == 0
    _is_answer_or_refusal(ask("analyze", path))


def test_integers_beyond_the_exact_ones_are_read_as_nearly_as_they_can_be(answered, give):
    run = answered(give("step,loss\n1,9007199254740993\n2,123456789012345678901234567890\n"))
    assert values(run, "loss") == [9007199254740992.0, 1.2345678901234568e29]


def test_a_json_integer_beyond_every_float_is_infinite(answered, give):
    assert values(answered(give('{"step":1,"loss":1' + "0" * 400 + '}\n{"step":2,"loss":1}\n')), "loss")[0] == np.inf


def test_accuracies_in_percent_come_down_to_shares(ask, give):
    path = give("step,loss,val_acc\n" + "".join(f"{i},{1 / (i + 1)},{10 + i}\n" for i in range(40)))
    assert "in percent" in " ".join(ask("signals", path).out.split())
    assert ask("analyze", path).code == 0


def test_a_cell_of_many_digits_takes_no_time(give):
    with quick(5), pytest.raises(RunopsyError):  # a pattern that tried every split of the digits took minutes
        read(give("9" * 200_000 + "x\n" + "9" * 200_000 + "y\n"))


# --- decimal signs -------------------------------------------------------------------------------


def test_decimal_commas_between_semicolons_are_decimals(answered, give):
    run = answered(give("step;loss;lr\n1;0,5;1e-3\n2;0,25;1e-3\n3;1,125;1e-3\n"))
    assert values(run, "loss") == [0.5, 0.25, 1.125]


def test_decimal_commas_between_commas_are_refused(refused, give):
    assert "decimal comma" in refused(give("step,loss\n1,0,5\n2,0,4\n3,0,3\n"))


def test_a_thousands_comma_in_a_table_with_decimal_points_is_one(answered, give):
    run = answered(give("step\ttokens\tloss\n1\t1,234\t0.5\n2\t2,345,678\t0.4\n"))
    assert values(run, "tokens") == [1234, 2345678]


def test_a_comma_that_may_be_either_is_left_out_and_said(answered, give):
    run = answered(give("step\ttokens\tloss\n1\t1,234\t5\n2\t2,345\t4\n3\t3,456\t3\n"))
    assert "tokens" not in run.tracks
    assert any("1,234" in note and "tokens" in note for note in run.notes)


def test_times_of_day_are_no_numbers(answered, give):
    run = answered(give("step,loss,time\n1,0.5,12:30:05\n2,0.4,12:31:05\n3,0.3,12:32:05\n"))
    assert "time" not in run.tracks
    assert run.tracks["loss"].time is None


# --- shapes of the axis --------------------------------------------------------------------------


def test_steps_with_fractions_are_kept(answered, give):
    assert steps(answered(give("step,loss\n0.5,3\n1.5,2\n2.25,1\n")), "loss") == [0.5, 1.5, 2.25]


def test_steps_below_zero_are_kept(answered, give):
    assert steps(answered(give("step,loss\n-2,3\n-1,2\n0,1\n")), "loss") == [-2, -1, 0]


def test_steps_that_are_dates_are_a_time(answered, give):
    run = answered(give("step,loss\n2024-01-01,3\n2024-01-02,2\n2024-01-04,1\n"))
    assert (run.axis, steps(run, "loss")) == ("time", [0, 86400, 3 * 86400])


def test_steps_that_are_instants_are_a_time(answered, give):
    run = answered(give("step,loss\n2024-01-01T10:00:00Z,3\n2024-01-01T10:00:01Z,2\n2024-01-01T11:00:03+01:00,1\n"))
    assert (run.axis, steps(run, "loss")) == ("time", [0, 1, 3])


def test_dates_that_are_another_day_elsewhere_are_no_axis(answered, give):
    run = answered(give("date,loss\n01/02/2024,3\n02/02/2024,2\n03/02/2024,1\n"))
    assert run.axis == "row"


def test_dates_of_mixed_formats_are_no_axis(answered, give):
    run = answered(give("date,loss\n2024-01-02,3\n02.01.2024,2\n03/01/2024,1\nJan 4,0.5\n"))
    assert run.axis == "row"


def test_steps_that_are_all_zero_are_no_axis_and_said(answered, give):
    run = answered(give("step,loss\n0,3\n0,2\n0,1\n"))
    assert (run.axis, steps(run, "loss")) == ("row", [0, 1, 2])
    assert any("never changes" in note for note in run.notes)


def test_without_a_step_rows_are_counted_and_that_is_said(answered, give):
    run = answered(give("loss,acc\n3,0.1\n2,0.2\n"))
    assert run.axis == "row"
    assert any("rows are counted" in note for note in run.notes)


def test_steps_of_text_are_no_axis(answered, give):
    assert answered(give("step,loss\nfirst,3\nsecond,2\nthird,1\n")).axis == "row"


def test_a_file_of_steps_alone_has_no_metric(refused, give):
    refused(give("step\n1\n2\n3\n"))


# --- encodings and line ends ---------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_any_encoding_with_any_line_end_reads_the_same(give, encoding, end):
    text = CSV.replace("\n", end)
    marks = {"utf-16-le-bom": (b"\xff\xfe", "utf-16-le"), "utf-16-be-bom": (b"\xfe\xff", "utf-16-be")}
    mark, name = marks.get(encoding, (b"", encoding))
    run = read(give(mark + text.encode(name)))
    assert list(zip(steps(run, "loss"), values(run, "loss"), values(run, "val_loss"), strict=True)) == ROWS
    assert run.notes == ()


def test_utf_16_gets_an_answer(answered, give):
    assert values(answered(give(CSV.encode("utf-16"))), "loss") == [r[1] for r in ROWS]


def test_a_long_utf_16_file_is_read_beyond_its_head(give):
    text = "step,loss\n" + "".join(f"{i},{1 / (1 + i)}\n" for i in range(20_000))
    assert len(read(give(text.encode("utf-16"))).tracks["loss"]) == 20_000


def test_latin_1_in_a_header_is_read_as_such(answered, give):
    assert set(answered(give("step,Prüfverlust,loss\n1,2,3\n2,1,2\n".encode("latin-1"))).tracks) == {
        "Prüfverlust",
        "loss",
    }


def test_separators_that_unicode_takes_for_line_ends_do_not_end_a_row(answered, give):
    run = answered(give('{"step": 1, "loss": 2, "say": "a\u2028b\x85c"}\n{"step": 2, "loss": 1}\n'))
    assert values(run, "loss") == [2, 1]


# --- shapes of the table -------------------------------------------------------------------------


def test_quoted_names_may_hold_commas(answered, give):
    assert values(answered(give('step,"loss, smoothed",loss\n1,"3",2\n2,2,1\n')), "loss, smoothed") == [3, 2]


def test_blank_lines_in_the_middle_are_nothing(answered, give):
    assert values(answered(give("step,loss\n\n1,3\n\n   \n2,2\n\n")), "loss") == [3, 2]


def test_rows_with_too_many_cells_are_left_out_and_said(answered, give):
    run = answered(give("step,loss\n1,3\n2,2,7\n3,1\n4\n5,0.5,\n"))
    assert values(run, "loss") == [3, 1, 0.5]
    assert any("1 rows have more cells" in note for note in run.notes)
    assert any("1 rows have fewer cells" in note for note in run.notes)


def test_comment_lines_are_none_of_the_table(answered, give):
    run = answered(give('#{"t_start": 1.5, "env": "x"}\nstep,loss\n1,3\n# half time, 5, 6\n2,2\n'))
    assert values(run, "loss") == [3, 2]


def test_what_numpy_saves_has_its_header_in_a_comment(answered, tmp_path):
    path = tmp_path / "log.txt"
    np.savetxt(path, np.array(ROWS), header="step loss val_loss")
    assert values(answered(path), "val_loss") == [r[2] for r in ROWS]


def test_what_numpy_saves_between_commas_has_its_header_in_a_comment(answered, tmp_path):
    path = tmp_path / "log.txt"
    np.savetxt(path, np.array(ROWS), header="step loss val_loss", delimiter=",")
    assert values(answered(path), "loss") == [r[1] for r in ROWS]


def test_numbers_without_a_header_are_columns_by_number(ask, give):
    path = give("0 3.5\n1 2.5\n2 1.5\n")
    assert values(read(path), "column_2") == [3.5, 2.5, 1.5]
    assert any("no header" in note for note in read(path).notes)
    assert "train/loss" in ask("signals", path, "--map", "train/loss=column_2").out


def test_a_gap_in_the_first_row_does_not_make_it_a_header(answered, give):
    assert values(answered(give("0,None,3\n1,5,2\n2,6,1\n")), "column_3") == [3, 2, 1]


def test_a_single_column_of_losses_is_a_log(answered, give):
    run = answered(give("loss\n3\n2\n1.5\n"))
    assert (run.axis, values(run, "loss")) == ("row", [3, 2, 1.5])


def test_a_single_column_without_a_name_is_a_log_that_needs_a_map(ask, give):
    path = give("3\n2\n1.5\n")
    assert values(read(path), "column_1") == [3, 2, 1.5]
    _is_refusal(ask("analyze", path))
    assert ask("analyze", path, "--map", "train/loss=column_1").code == 0


def test_an_index_column_of_a_spreadsheet_is_not_the_axis(answered, give):
    for first in ("Unnamed: 0", ""):
        run = answered(give(f"{first},step,loss\n0,10,3\n1,20,2\n2,30,1\n"))
        assert (run.axis, steps(run, "loss")) == ("step", [10, 20, 30])


def test_ten_thousand_columns_are_answered(ask, give):
    names = [f"metric_{i}" for i in range(10_000)]
    rows = "".join(f"{k},{2 / (k + 1)}," + ",".join(f"{i + k}" for i in range(10_000)) + "\n" for k in range(12))
    path = give("step,loss," + ",".join(names) + "\n" + rows)
    with quick(30):  # two seconds in all; what is quadratic in the columns takes minutes
        assert ask("analyze", path).code == 0
        run = read(path)
    assert len(run.tracks) == 10_001
    assert values(run, "metric_9999") == [9999.0 + k for k in range(12)]


def test_ten_thousand_columns_of_one_name_are_kept_apart(give):
    run = read(give("step" + ",loss" * 10_000 + "\n" + "1" + ",2" * 10_000 + "\n2" + ",3" * 10_000 + "\n"))
    assert len(run.tracks) == 10_000
    assert len(" ".join(run.notes)) < 300


def test_columns_of_one_name_are_kept_apart_and_said(answered, give):
    run = answered(give("step,loss,loss\n1,3,30\n2,2,20\n"))
    assert (values(run, "loss"), values(run, "loss#2")) == ([3, 2], [30, 20])
    assert any("name#2" in note for note in run.notes)


def test_a_name_that_another_one_was_given_is_not_given_twice(answered, give):
    run = answered(give("step,loss,loss,loss#2\n1,3,30,300\n2,2,20,200\n"))
    assert sorted(t.value[0] for t in run.tracks.values()) == [3, 30, 300]


@pytest.mark.parametrize("name", ["class", "lambda", "a|b", "=1+1", "x" * 10_000, "__init__", "[bold]x[/bold]", "a\tb"])
def test_a_column_may_be_called_anything(answered, give, name):
    assert values(answered(give(f'step,loss,"{name}"\n1,3,7\n2,2,8\n')), " ".join(name.split())) == [7, 8]


def test_a_name_of_many_lines_is_one_line_in_the_run(answered, give):
    assert values(answered(give('step,loss,"two\nlines"\n1,3,7\n2,2,8\n')), "two lines") == [7, 8]
    assert values(answered(give('{"step":1,"loss":2,"two\\nlines":7}\n')), "two lines") == [7]


def test_control_characters_in_a_name_do_not_reach_the_terminal(ask, give):
    assert "\x1b" not in ask("signals", give("step,loss,\x1b[31mred\n1,3,7\n2,2,8\n")).out


def test_empty_header_cells_are_named(answered, give):
    run = answered(give("step,loss,,\n1,3,7,\n2,2,8,\n"))
    assert values(run, "unnamed") == [7, 8]


def test_a_quotation_mark_nobody_closed_loses_no_rows(answered, give):
    rows = "".join(f"{i},{1 / (i + 1)},{chr(34) if i == 3 else ''}fine\n" for i in range(60))
    assert len(answered(give("step,loss,remark\n" + rows)).tracks["loss"]) == 60


def test_an_enormous_line_gets_an_answer(give):
    row = {"step": 1, "loss": 2.0, "config": "x" * 3_000_000}
    run = read(give(json.dumps(row) + "\n" + json.dumps({"step": 2, "loss": 1.0}) + "\n", "log.jsonl"))
    assert values(run, "loss") == [2, 1]
    with pytest.raises(RunopsyError):
        read(give("x" * 20_000_000))


def test_an_enormous_cell_gets_an_answer(answered, give):
    run = answered(give('step,loss,remark\n1,3,"' + "x" * 300_000 + '"\n2,2,ok\n'))
    assert values(run, "loss") == [3, 2]


# --- JSON lines ----------------------------------------------------------------------------------


def test_nested_objects_are_joined_with_slashes(answered, give):
    run = answered(give('{"step": 1, "train": {"loss": 3, "acc": {"top1": 0.5}}}\n{"step": 2, "train": {"loss": 2}}\n'))
    assert values(run, "train/loss") == [3, 2]
    assert values(run, "train/acc/top1") == [0.5]


def test_lists_are_left_out_and_said(answered, give):
    run = answered(give('{"step": 1, "loss": 3, "hist": [1, 2]}\n{"step": 2, "loss": 2, "hist": [3]}\n'))
    assert set(run.tracks) == {"loss"}
    assert any("hist" in note for note in run.notes)


def test_lines_of_lists_only_are_refused(refused, give):
    refused(give('{"hist": [1, 2]}\n{"hist": [1, 2]}\n'))


def test_lines_of_empty_objects_are_refused(refused, give):
    refused(give("{}\n{}\n"))


def test_bare_nan_and_infinity_are_read_as_loggers_write_them(answered, give):
    run = answered(give('{"step": 1, "loss": NaN}\n{"step": 2, "loss": -Infinity}\n{"step": 3, "loss": 1}\n'))
    assert str(values(run, "loss")) == "[nan, -inf, 1.0]"


def test_a_torn_last_json_line_is_left_out_and_said(answered, give):
    run = answered(give(JSONL + '{"step": 99, "lo'))
    assert len(run.tracks["loss"]) == len(ROWS)
    assert any("torn" in note for note in run.notes)


def test_values_of_mixed_types_are_read_where_they_are_numbers(answered, give):
    run = answered(give('{"step": 1, "loss": "3.5"}\n{"step": 2, "loss": 2}\n{"step": 3, "loss": null}\n'
                        '{"step": 4, "loss": "high"}\n{"step": "5", "loss": 1}\n'))  # fmt: skip
    assert (steps(run, "loss"), values(run, "loss")) == ([1, 2, 5], [3.5, 2, 1])
    assert run.tracks["loss"].unread == 1


def test_a_heading_and_a_summary_are_not_rows_of_the_log(answered, give):
    text = '{"_meta": {"lr": 0.1, "p": 97}}\n' + JSONL + '{"_summary": {"test_acc": 0.99, "grok_step": 75}}\n'
    run = answered(give(text, "log.jsonl"))
    assert set(run.tracks) == {"loss", "val_loss"}


def test_half_of_a_surrogate_pair_in_a_name_is_no_crash(answered, give):
    answered(give('{"step": 1, "loss": 3, "\\ud800": 1, "say": "\\udc00"}\n{"step": 2, "loss": 2}\n'))


def test_objects_within_objects_without_end_are_no_crash(answered, give):
    deep = '{"a":' * 900 + "1" + "}" * 900
    run = answered(
        give('{"step": 1, "loss": 3}\n{"step": 2, "loss": 2, "deep": ' + deep + "}\n" + "[" * 100_000 + "\n")
    )
    assert values(run, "loss") == [3, 2]


# --- folders, links, pipes -----------------------------------------------------------------------


def test_a_folder_without_a_log_says_what_it_looks_for(refused, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    assert "tables, JSON and text logs" in refused(tmp_path)


def test_a_folder_with_one_log_is_that_log(answered, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "metrics.csv").write_text(CSV)
    (tmp_path / "config.yaml").write_text("lr: 1")
    assert values(answered(tmp_path), "loss") == [r[1] for r in ROWS]


def test_a_folder_with_several_logs_lists_them_and_asks(ask, tmp_path):
    for i in range(7):
        (tmp_path / f"{i}.csv").write_text(CSV)
    answer = ask("analyze", tmp_path)
    assert (answer.code, answer.out) == (2, "")
    *listed, what, todo = answer.err.splitlines()
    assert [line.split()[1] for line in listed[-7:]] == [f"{i}.csv" for i in range(7)]
    assert "7 runs" in what
    assert "--run" in todo


@on_posix
def test_what_is_no_file_does_not_count_as_a_log(answered, tmp_path):
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "metrics.csv").write_text(CSV)
    answered(tmp_path)


@not_as_root
def test_an_unreadable_file_says_so(refused, give):
    path = give(CSV)
    path.chmod(0)
    assert "cannot be read" in refused(path)


@not_as_root
def test_an_unreadable_folder_says_so(refused, tmp_path):
    (tmp_path / "locked").mkdir(mode=0)
    assert "cannot be read" in refused(tmp_path / "locked")
    (tmp_path / "locked").chmod(0o700)


def test_a_file_that_the_system_will_not_read_is_refused(refused, give, monkeypatch):
    def fail(*_, **__):
        raise PermissionError(13, "Permission denied")

    path = give(CSV)
    monkeypatch.setattr(Path, "open", fail)
    assert "Permission denied" in refused(path)


def test_a_folder_that_the_system_will_not_list_is_refused(refused, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", fail)
    assert "Permission denied" in refused(tmp_path)


def test_a_link_to_itself_is_refused(refused, tmp_path):
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    assert "leads nowhere" in refused(tmp_path / "loop.csv")


def test_a_folder_that_holds_itself_is_searched_once(answered, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "again").symlink_to(tmp_path / "runs")
    (tmp_path / "metrics.csv").write_text(CSV)
    answered(tmp_path)


@on_posix
def test_a_named_pipe_is_not_waited_for(refused, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "no regular file" in refused(tmp_path / "pipe")


@on_posix
def test_a_device_is_not_read(refused):
    assert "no regular file" in refused("/dev/zero")


# --- standard input ------------------------------------------------------------------------------


@pytest.fixture
def stdin(monkeypatch):
    def feed(content: str | bytes) -> str:
        data = content if isinstance(content, bytes) else content.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return "-"

    return feed


def test_nothing_on_standard_input_is_empty(ask, stdin):
    answer = ask("signals", stdin(""))
    _is_refusal(answer)
    assert "standard input is empty" in answer.err


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_any_table_may_come_through_standard_input(stdin, kind):
    out = io.BytesIO()
    frame = pl.read_csv(CSV.encode())
    if kind == "parquet":
        frame.write_parquet(out)
    elif kind == "jsonl":
        frame.write_ndjson(out)
    else:
        frame.write_csv(out, separator="," if kind == "csv" else "\t")
    run = read(stdin(out.getvalue()))
    assert run.id == "standard input"
    assert list(zip(steps(run, "loss"), values(run, "loss"), values(run, "val_loss"), strict=True)) == ROWS


# --- our own folders -----------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A run folder as a kill leaves it: everything in the journal."""
    path = tmp_path / "run"
    (path / "signals").mkdir(parents=True)
    journal = Journal(path, 0, rows_per_part=1_000_000)
    journal.claim()
    number = journal.number("train/loss")
    for step, loss, _ in ROWS:
        journal.append(RECORD.pack(step, 1.7e9 + step, loss, number), 0.0)
    journal._close()
    return path


def test_a_run_folder_without_its_manifest_is_read_and_said(answered, folder):
    (folder / MANIFEST).unlink(missing_ok=True)
    run = answered(folder)
    assert values(run, "train/loss") == [r[1] for r in ROWS]
    assert any(MANIFEST in note for note in run.notes)


@pytest.mark.parametrize(
    "content", ["", "{", '{"format": 1, "id": "x"', "[1, 2]", "null", "\x00\x01", '{"format": "x"}']
)
def test_a_run_folder_with_a_damaged_manifest_is_read_or_refused(ask, folder, content):
    (folder / MANIFEST).write_text(content)
    for verb in ("signals", "analyze"):
        _is_answer_or_refusal(ask(verb, folder))


def test_a_run_folder_of_a_later_version_is_refused(refused, folder):
    (folder / MANIFEST).write_text('{"format": 99}')
    assert "update runopsy" in refused(folder)


def test_an_empty_run_folder_is_an_answer_or_a_refusal(ask, tmp_path):
    for room in ("signals", "journal"):
        (tmp_path / "run" / room).mkdir(parents=True)
    for verb in ("signals", "analyze"):
        _is_answer_or_refusal(ask(verb, tmp_path / "run"))


# --- through the door a user uses ----------------------------------------------------------------


def _process(*words: str, data: bytes | None = None) -> Answer:
    done = subprocess.run(
        [sys.executable, "-m", "runopsy", *words],
        input=data,
        stdin=subprocess.DEVNULL if data is None else None,
        capture_output=True,
        timeout=HANGS,
        check=False,
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_process_answers_a_log_on_standard_input():
    answer = _process("signals", "-", data=JSONL.encode())
    assert (answer.code, answer.err) == (0, "")
    assert "val/loss" in answer.out


def test_a_process_refuses_a_missing_path():
    _is_refusal(_process("analyze", "nowhere.csv"))


def test_a_process_refuses_a_torn_parquet_file(give, parquet):
    broken = bytearray(parquet)
    broken[len(broken) // 2 : len(broken) // 2 + 40] = bytes(40)
    _is_answer_or_refusal(_process("analyze", str(give(bytes(broken), "log.parquet"))))
    _is_refusal(_process("analyze", str(give(parquet[:-9], "log.parquet"))))


@on_posix
def test_a_process_does_not_wait_for_a_named_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    _is_refusal(_process("signals", str(tmp_path / "pipe.csv")))


def test_a_process_warns_of_nothing_on_stderr(give):
    answer = _process("analyze", str(give("step,loss,t\n1,nan,\n,inf,\n3,nan,\n")))
    _is_answer_or_refusal(answer)


# --- anything at all -----------------------------------------------------------------------------

PIECES = st.sampled_from(
    [",", ";", "\t", "|", " ", "\n", "\r\n", "\r", '"', "#", "{", "}", "[", "]", ":", '"step"', '"loss"', "step",
     "loss", "val_acc", "epoch", "time", "split", "train", "val", "run", "metric", "value", "1", "2", "0.5", "1,5",
     "1,234", "nan", "inf", "-", "None", "1e400", "2024-01-01", "2024-01-01T00:00:00Z", "12:30", "93 %", "tensor(1)",
     "\x00", "\ufeff", "é", "\u2028", "=", "9" * 400, "a" * 300]
)  # fmt: skip
TEXTS = st.one_of(
    st.lists(PIECES, max_size=60).map("".join),
    st.lists(PIECES, max_size=60).map(lambda parts: "step,loss,val_acc\n" + "".join(parts)),
    st.lists(PIECES, max_size=60).map(lambda parts: '{"step":1,"loss":2}\n{"step":2,"loss":1}\n' + "".join(parts)),
    st.text(max_size=200),
)
BYTES = st.one_of(
    st.binary(max_size=400),
    TEXTS.map(lambda text: text.encode("utf-8", errors="replace")),
    TEXTS.map(lambda text: b"\xff\xfe" + text.encode("utf-16-le", errors="replace")),
    TEXTS.map(lambda text: text.encode("latin-1", errors="replace")),
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example(b"step,loss\n1,\xff\n")
@example(b'step,loss,"\n1,2,3\n')
@example(b"PAR1PAR1")
@given(BYTES)
def test_any_bytes_are_a_run_or_an_error_of_ours(tmp_path, content):
    path = tmp_path / "log"
    path.write_bytes(content)
    found = outcome(path)
    if isinstance(found, Run):
        assert found.tracks
        assert all(len(t) and np.isfinite(t.step).all() for t in found.tracks.values())
    else:
        assert found.message
        assert found.hint


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.data())
def test_any_damage_to_a_parquet_file_is_a_run_or_an_error_of_ours(tmp_path, parquet, data):
    broken = bytearray(parquet)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(4, len(broken) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "log.parquet"
    path.write_bytes(bytes(broken[: data.draw(st.integers(5, len(broken)))] if data.draw(st.booleans()) else broken))
    found = outcome(path)
    assert found.tracks if isinstance(found, Run) else found.hint
