"""Notebooks: what their cells printed and the tables that callbacks drew, without running anything."""

from __future__ import annotations

import json

import pytest

from runopsy.errors import UnreadableLog
from runopsy.readers import read, runs
from runopsy.signals import assign

LOSS = [round(2 / (i + 1), 4) for i in range(12)]


def said(*lines: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": [f"{line}\n" for line in lines]}


def drawn(html: str) -> dict:
    return {
        "output_type": "display_data",
        "data": {"text/html": html.splitlines(keepends=True), "text/plain": "<HTML>"},
    }


def table(header: str, rows) -> str:
    head = "".join(f"<th>{name}</th>" for name in header.split(","))
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f'<table border="1" class="dataframe">\n<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>'


@pytest.fixture
def notebook(tmp_path):
    def write(*cells, indent=1, version=4):
        made = [
            {"cell_type": "code", "source": ["fit()"], "outputs": list(outputs), "metadata": {}} for outputs in cells
        ]
        whole = {"cells": made} if version == 4 else {"worksheets": [{"cells": made}]}
        path = tmp_path / "train.ipynb"
        path.write_text(json.dumps({**whole, "metadata": {}, "nbformat": version, "nbformat_minor": 5}, indent=indent))
        return path

    return write


def lines(first: int = 1) -> list[str]:
    return [f"Epoch {i}/12, train loss: {y}, val loss: {y + 0.1:.4f}" for i, y in enumerate(LOSS, first)]


def roles(run) -> dict[str, str]:
    return {role.role: role.track for role in assign(run.tracks) if role.role}


@pytest.mark.parametrize("indent", [None, 1])
def test_the_text_of_a_cell_is_read_as_a_console_is(notebook, indent):
    run = read(notebook([said("Downloading data")], [said(*lines())], indent=indent))
    assert run.axis == "epoch"
    assert run.tracks[roles(run)["train/loss"]].value.tolist() == LOSS
    assert "cell 2" in run.notes[0]


def test_streams_that_alternate_are_one_text_and_colours_are_no_part_of_it(notebook):
    parts = [said(f"\x1b[32m{line}\x1b[0m", name=("stdout", "stderr")[i % 2]) for i, line in enumerate(lines())]
    run = read(notebook(parts))
    assert len(run.tracks[roles(run)["val/loss"]]) == 12


def test_the_history_that_a_training_returns_is_the_log_above_it_once_more(notebook):
    history = {"output_type": "execute_result", "data": {"text/plain": [str({"train loss": LOSS, "val loss": LOSS})]}}
    run = read(notebook([*(said(line) for line in lines()), history]))
    assert run.axis == "epoch"
    assert run.tracks["train loss"].value.tolist() == LOSS


def test_a_history_alone_is_read(notebook):
    history = {"output_type": "execute_result", "data": {"text/plain": [str({"loss": LOSS, "val_loss": LOSS})]}}
    run = read(notebook([said("Training takes a while"), history]))
    assert run.tracks["val_loss"].value.tolist() == LOSS


def test_a_bar_that_keras_draws_full_twice_is_one_reading(notebook):
    bar = "\x1b[1m50/50\x1b[0m \x1b[32m━━━━━━━━━━\x1b[0m \x1b[1m3s\x1b[0m 1s/step"
    said_lines = [
        line
        for i, y in enumerate(LOSS, 1)
        for line in (
            f"Epoch {i}/12",
            f"{bar} - accuracy: 0.5 - loss: {y + 1:.4f}",
            f"Epoch {i}: val_loss improved from 2 to {y}, saving model to best.keras",
            f"{bar} - accuracy: 0.6 - loss: {y} - val_accuracy: 0.4 - val_loss: {y}",
        )
    ]
    run = read(notebook([said(*said_lines)]))
    assert run.axis == "epoch"
    assert run.tracks["loss"].value.tolist() == run.tracks["val_loss"].value.tolist() == LOSS


def test_a_table_of_a_callback_is_the_log(notebook):
    html = table("Epoch,Training Loss,Validation Loss,Accuracy", [(i, y, y + 1, 0.5) for i, y in enumerate(LOSS, 1)])
    run = read(notebook([drawn(f"<div><progress value='12'></progress>[12/12]</div>{html}<p>")]))
    assert (run.axis, roles(run)["val/acc"]) == ("epoch", "Accuracy")
    assert run.tracks["Training Loss"].value.tolist() == LOSS


def test_the_time_column_of_fastai_is_no_trouble(notebook):
    html = table("epoch,train_loss,valid_loss,error_rate,time", [(i, y, y, 0.5, "00:12") for i, y in enumerate(LOSS)])
    run = read(notebook([drawn(html)]))
    assert {"train/loss", "val/loss", "val/acc"} <= set(roles(run))


def test_a_printed_table_whose_rows_end_with_their_time_keeps_its_columns(notebook):
    rows = [f"{i}      {y:.6f}    {y + 1:.6f}    0.958442    (00:20)" for i, y in enumerate(LOSS, 1)]
    run = read(notebook([said("Total time: 01:40", "epoch  train_loss  valid_loss  error_rate", *rows)]))
    assert run.axis == "epoch"
    assert run.tracks["train_loss"].step.tolist() == list(range(1, 13))
    assert run.tracks["valid_loss"].value.tolist() == pytest.approx([y + 1 for y in LOSS])


def test_several_fits_are_several_runs_named_by_their_cell(notebook):
    one = table("epoch,train_loss,valid_loss", [(i, y, y) for i, y in enumerate(LOSS)])
    other = table("epoch,train_loss,valid_loss", [(i, y + 1, y + 1) for i, y in enumerate(LOSS)])
    path = notebook([drawn(one)], [said("hello")], [drawn(one), drawn(other)])
    assert [candidate.name for candidate in runs(path)] == ["cell 1", "cell 3 fit 1", "cell 3 fit 2"]
    with pytest.raises(UnreadableLog, match="3 runs"):
        read(path)
    assert len(read(path, "cell 3 fit 2").tracks["train_loss"]) == 12


def test_a_table_beside_the_text_of_the_same_training_is_not_read_twice(notebook):
    html = table("Epoch,Training Loss,Validation Loss", [(i, y, y + 0.1) for i, y in enumerate(LOSS, 1)])
    assert len(runs(notebook([said(*lines()), drawn(html)]))) == 1


def test_a_history_as_a_data_frame_is_the_log_and_a_comparison_of_models_is_none(notebook):
    frame = table(",loss,val_loss", [(i, y, y + 1) for i, y in enumerate(LOSS)])
    compared = table(",model,accuracy", [(0, "tree", 0.8), (1, "forest", 0.9)])
    by_name = table(",accuracy,f1", [("tree", 0.8, 0.7), ("forest", 0.9, 0.8)])
    run = read(notebook([drawn(compared)], [drawn(frame)], [drawn(by_name)]))
    assert run.tracks["val_loss"].value.tolist() == [y + 1 for y in LOSS]


def test_prints_of_an_evaluation_give_way_to_a_training(notebook):
    closing = said("accuracy: 0.81", "accuracy: 0.82", "accuracy: 0.80", "accuracy: 0.85")
    assert read(notebook([said(*lines())], [closing])).axis == "epoch"


def test_a_notebook_of_the_old_format_is_read(notebook):
    old = {"output_type": "display_data", "html": table("epoch,loss", [(i, y) for i, y in enumerate(LOSS)])}
    assert read(notebook([old], version=3)).tracks["loss"].value.tolist() == LOSS


def test_a_table_that_is_cut_in_its_middle_keeps_both_ends(notebook):
    rows = [*((i, y) for i, y in enumerate(LOSS[:5])), ("...", "..."), *((i + 90, y) for i, y in enumerate(LOSS[5:]))]
    assert read(notebook([drawn(table("epoch,loss", rows))])).tracks["loss"].value.tolist() == LOSS


def test_a_table_that_is_drawn_again_as_it_grows_is_one(notebook):
    rows = [(i, y, y) for i, y in enumerate(LOSS)]
    drawings = [drawn(table("epoch,train_loss,valid_loss", rows[:n])) for n in (4, 12, 12)]
    assert len(read(notebook(drawings)).tracks["train_loss"]) == 12


@pytest.mark.parametrize("cells", [[], [[said("no numbers here")]]])
def test_a_notebook_without_a_log_says_so(notebook, cells):
    with pytest.raises(UnreadableLog, match="printed no log"):
        read(notebook(*cells))


def test_a_damaged_notebook_says_so(notebook):
    path = notebook([said(*lines())])
    path.write_text(path.read_text()[:-40])
    with pytest.raises(UnreadableLog, match="damaged notebook"):
        read(path)


@pytest.mark.parametrize(
    "html", ["<table><tr><td>1", "<table><![oops[<td>", "<table></table>", "<table><td>a<td>b</table>"]
)
def test_html_of_any_kind_is_no_crash(notebook, html):
    with pytest.raises(UnreadableLog):
        read(notebook([drawn(html)]))
