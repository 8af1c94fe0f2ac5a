# ruff: noqa: E501  # lines as programs print them
"""One training, written in many layouts: the same verdict, the same phases and the same best step in each."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from runopsy.autopsy import analyze

EPOCHS = 30
BATCHES = 50  # steps of an epoch, where a layout counts steps
TURN = 9  # epoch from which validation gets worse


def _wobble(i: int, size: float) -> float:
    return size * math.sin(2.3 * i * i + i)  # neither a trend nor a cycle


# A training that overfits: training goes down to the end, validation turns at ``TURN``.
TRAIN = [round(2.2 * math.exp(-i / 5) + 0.03 + _wobble(i, 0.004), 4) for i in range(EPOCHS)]
VAL = [
    round(1.7 * math.exp(-i / 3) + 0.55 + 0.03 * max(0, i + 1 - TURN) + _wobble(i + 7, 0.01), 4) for i in range(EPOCHS)
]
ACC = [round(0.85 - 0.5 * math.exp(-i / 3) - 0.001 * max(0, i + 1 - TURN), 4) for i in range(EPOCHS)]
ROWS = [{"e": i + 1, "i": i, "t": TRAIN[i], "v": VAL[i], "a": ACC[i], "p": round(100 * ACC[i], 2), "n": EPOCHS,
         "s": BATCHES * (i + 1), "b": BATCHES, "k": 1000 * (i + 1)} for i in range(EPOCHS)]  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How the training is written, and how its positions become epochs from 1: ``at * per + first``."""

    content: Callable[[], bytes]
    per: float = 1.0
    first: float = 0.0
    name: str = "train.log"
    is_finer: bool = False  # training is also logged within the epochs: phases begin at the next of these readings


def lines(*each: str, head: str = "", tail: str = "", per: float = 1.0, first: float = 0.0, name: str = "train.log",
          encoding: str = "utf-8", end: str = "\n") -> Layout:  # fmt: skip
    """Text: lines that each epoch writes, between a head and a tail."""
    text = "".join(f"{line.format(**row)}\n" for row in ROWS for line in each)
    whole = (f"{head}\n" if head else "") + text + (f"{tail}\n" if tail else "")
    return Layout(lambda: whole.replace("\n", end).encode(encoding), per, first, name)


def document(value: object, per: float = 1.0, first: float = 0.0, indent: int | None = None) -> Layout:
    return Layout(lambda: json.dumps(value, indent=indent).encode(), per, first, "history.json")


STEPS = 1 / BATCHES  # per step
KERAS = {"loss": TRAIN, "val_loss": VAL, "val_accuracy": ACC}


def table(header: str, row: str, per: float = 1.0, first: float = 0.0, **more: str) -> Layout:
    return lines(row, head=header, per=per, first=first, name="metrics.csv", **more)


def quoted() -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(["Epoch", "Train Loss", "Val Loss", "Val Acc"])
    writer.writerows([[row["e"], row["t"], row["v"], row["a"]] for row in ROWS])
    return out.getvalue().encode()


def long() -> bytes:
    names = {"train/loss": "t", "val/loss": "v", "val/acc": "a"}
    return "".join(
        ["epoch,metric,value\n", *(f"{row['e']},{name},{row[key]}\n" for row in ROWS for name, key in names.items())]
    ).encode()


def sided() -> bytes:
    rows = [f"{r['e']},train,{r['t']},\n{r['e']},val,{r['v']},{r['a']}\n" for r in ROWS]
    return "".join(["epoch,split,loss,accuracy\n", *rows]).encode()


def padded() -> bytes:
    rows = [f"{r['i']},{r['s'] - 1},{r['t']},,\n{r['i']},{r['s'] - 1},,{r['v']},{r['a']}\n" for r in ROWS]
    return "".join(["epoch,step,train_loss,val_loss,val_acc\n", *rows]).encode()


def parquet() -> bytes:
    out = io.BytesIO()
    pl.DataFrame({"epoch": [r["e"] for r in ROWS], "train_loss": TRAIN, "val_loss": VAL, "val_acc": ACC}).write_parquet(
        out
    )
    return out.getvalue()


def notebook(*outputs: dict[str, object]) -> bytes:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Training"]},
        {"cell_type": "code", "metadata": {}, "source": ["fit()"], "execution_count": 1, "outputs": [*outputs]},
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def html(*names: str, keys: str, index: bool = False) -> str:
    head = ("<th></th>" if index else "") + "".join(f"<th>{name}</th>" for name in names)
    body = "".join(
        "<tr>" + (f"<th>{row['i']}</th>" if index else "") + "".join(f"<td>{row[key]}</td>" for key in keys) + "</tr>"
        for row in ROWS
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def drawn(text: str) -> dict[str, object]:
    return {"output_type": "display_data", "metadata": {}, "data": {"text/html": text, "text/plain": "<HTML>"}}


def printed(*each: str) -> dict[str, object]:
    text = [f"{line.format(**row)}\n" for row in ROWS for line in each]
    return {"output_type": "stream", "name": "stdout", "text": text}


def trainer_state() -> dict[str, object]:
    history = [
        line
        for r in ROWS
        for line in (
            {"epoch": float(r["e"]), "loss": r["t"], "learning_rate": 1e-4, "step": r["s"]},
            {"epoch": float(r["e"]), "eval_loss": r["v"], "eval_accuracy": r["a"], "step": r["s"]},
        )
    ]
    return {"best_metric": None, "global_step": BATCHES * EPOCHS, "log_history": history}


def bars() -> str:
    """A bar that is drawn again within each epoch, carriage returns between the drawings."""
    return "".join(
        "".join(
            f"\rEpoch {r['e']}/{EPOCHS}:  {q}0%|{'█' * q}| {q}/10 [00:0{q // 2}<00:05,  2.0it/s]" for q in range(10)
        )
        + f"\rEpoch {r['e']}/{EPOCHS}: 100%|██████████| 10/10 [00:05<00:00,  2.0it/s, train_loss={r['t']}, val_loss={r['v']}, val_acc={r['a']}]\n"
        for r in ROWS
    )


def keras_bars() -> str:
    """A bar of Keras with backspaces between its drawings."""
    return "".join(
        f"Epoch {r['e']}/{EPOCHS}\n"
        + "".join(
            f"\r{q * 10:2d}/50 [{'=' * q}>{'.' * (5 - q)}] - ETA: {5 - q}s - loss: {r['t'] + (5 - q) / 50:.4f}"
            for q in range(1, 5)
        )
        + f"\r50/50 [======] - 3s 5ms/step - loss: {r['t']} - val_loss: {r['v']} - val_accuracy: {r['a']}\n"
        for r in ROWS
    )


def colours(text: str) -> str:
    return f"\x1b[1m\x1b[32m{text}\x1b[0m"


# Each shape once; where two lines differ in their words alone, the words are what is tried.
LAYOUTS: dict[str, Layout] = {
    # tables
    "csv": table("epoch,train_loss,val_loss,val_acc", "{e},{t},{v},{a}"),
    "csv, epochs from 0": table("epoch,train_loss,val_loss,val_acc", "{i},{t},{v},{a}", first=1),
    "csv, steps": table("step,train/loss,val/loss,val/acc", "{s},{t},{v},{a}", per=STEPS),
    "csv, no axis": table("train_loss,val_loss,val_acc", "{t},{v},{a}", first=1),
    "csv, percent": table("Epoch,Train Loss,Val Loss,Val Acc (%)", "{e},{t},{v},{p}"),
    "csv, percent signs": table("Epoch,Train Loss,Val Loss,Val Acc", "{e},{t},{v},{p}%"),
    "csv, quotes": Layout(quoted, name="log.csv"),
    "csv, lines of Windows": table("epoch,train_loss,val_loss,val_acc", "{e},{t},{v},{a}", end="\r\n"),
    "csv, a mark of the encoding": table("epoch,train_loss,val_loss,val_acc", "{e},{t},{v},{a}", encoding="utf-8-sig"),
    "csv, utf-16": table("epoch,train_loss,val_loss,val_acc", "{e},{t},{v},{a}", encoding="utf-16"),
    "csv, remarks above": table("# lr: 0.1\n# net: mlp\nepoch,train_loss,val_loss,val_acc", "{e},{t},{v},{a}"),
    "csv, an index": table(",epoch,loss,val_loss,val_accuracy", "{i},{e},{t},{v},{a}"),
    "csv, unknown columns": table("epoch,host,time,train_loss,val_loss,val_acc,best", "{e},gpu7,00:01:{e:02d},{t},{v},{a},True"),
    "csv, one row for each side": Layout(sided, name="log.csv"),
    "csv, half of each row empty": Layout(padded, STEPS, STEPS, name="metrics.csv"),
    "csv, a row for each value": Layout(long, name="log.csv"),
    "tsv": table("epoch\ttrain loss\tvalid loss\tvalid acc", "{e}\t{t}\t{v}\t{a}"),
    "semicolons and decimal commas": Layout(
        lambda: "".join(["epoch;train_loss;val_loss;val_acc\n", *("{e};{t};{v};{a}\n".format(**r).replace(".", ",") for r in ROWS)]).encode(), name="log.csv",
    ),
    "blanks": table("epoch train_loss val_loss val_acc", "{e} {t} {v} {a}"),
    "aligned blanks": table("  epoch   train_loss    val_loss   val_acc", "{e:7d} {t:12.4f} {v:11.4f} {a:9.4f}"),
    "parquet": Layout(parquet, name="log.parquet"),
    # JSON
    "columns": document(KERAS, first=1),
    "columns with an axis": document({"epoch": [r["e"] for r in ROWS], **KERAS}),
    "rows": document([{"epoch": r["e"], "train": {"loss": r["t"]}, "val": {"loss": r["v"], "acc": r["a"]}} for r in ROWS]),
    "rows, indented": document([{"epoch": r["e"], "train_loss": r["t"], "val_loss": r["v"], "val_acc": r["a"]} for r in ROWS], indent=2),
    "rows below a key": document({"args": {"lr": 0.1}, "history": [{"epoch": r["e"], "train_loss": r["t"], "val_loss": r["v"], "val_acc": r["a"]} for r in ROWS]}),
    "sides of lists": document({"train": {"loss": TRAIN}, "val": {"loss": VAL, "acc": ACC}}, first=1),
    "objects by epoch": document({str(r["e"]): {"train_loss": r["t"], "val_loss": r["v"], "val_acc": r["a"]} for r in ROWS}),
    "a data frame's columns": document({name: {str(i): y for i, y in enumerate(values)} for name, values in KERAS.items()}, first=1),
    "a trainer's state": Layout(lambda: json.dumps(trainer_state()).encode(), STEPS, name="trainer_state.json"),
    "json lines": lines('{{"epoch": {e}, "train_loss": {t}, "val_loss": {v}, "val_acc": {a}}}', name="log.jsonl"),
    "json lines, epochs from 0": lines('{{"epoch": {i}, "train_loss": {t}, "test_loss": {v}, "test_acc1": {p}}}', first=1, name="log.txt"),
    "json lines by side": lines('{{"mode": "train", "epoch": {e}, "loss": {t}}}', '{{"mode": "val", "epoch": {e}, "loss": {v}, "acc": {a}}}', name="log.json"),
    # text
    "pairs with colons": lines("Epoch: {e}, Train Loss: {t}, Val Loss: {v}, Val Acc: {a}"),
    "pairs with signs of equality": lines("epoch={e} train_loss={t} val_loss={v} val_acc={a}"),
    "pairs with bars": lines("| epoch {e:3d} | time:  5.21s | train loss {t} | valid loss {v} | valid acc {a} |"),
    "pairs with blanks": lines("epoch {e} train loss {t} val loss {v} val acc {a}"),
    "brackets": lines("[Epoch {e}/{n}] [train loss: {t}] [val loss: {v}] [val acc: {p}%]"),
    "zeros before the number": lines("Epoch {e:05d} | Train Loss {t} | Val Loss {v} | Val Acc {a}"),
    "epochs from 0": lines("Epoch {i}: train_loss {t}, val_loss {v}, val_acc {a}", first=1),
    "steps": lines("step {s}: train loss {t}, val loss {v}, val acc {a}", per=STEPS),
    "steps with commas": lines("Iteration {k:,}/30,000 | train loss: {t} | val loss: {v} | val acc: {a}", per=1 / 1000),
    "prefix of a logger": lines("2026-01-02 10:00:{i:02d},123 - trainer - INFO - Epoch {e} - train_loss: {t} - val_loss: {v} - val_acc: {a}"),
    "prefix of loguru": lines("2026-01-02 10:00:{i:02d}.123 | INFO     | __main__:train:87 - epoch {e}: train_loss={t} val_loss={v} val_acc={a}"),
    "prefix in brackets": lines("[01/02 10:00:{i:02d}] [INFO] [train.py:112] Epoch: {e} Train Loss: {t} Val Loss: {v} Val Acc: {a}"),
    "colours": lines(colours("Epoch {e}/{n}") + " train_loss: " + colours("{t}") + " val_loss: {v} val_acc: {a}"),
    "sides on lines of their own": lines("Epoch {e} train loss: {t}", "Epoch {e} val loss: {v} acc: {p}%"),
    "a heading and sides": lines("Epoch {i}/29", "----------", "train Loss: {t}", "val Loss: {v} Acc: {a}", "", first=1),
    "a heading in signs": lines("=== Epoch {e}/{n} ===", "Training loss: {t}", "Validation loss: {v}", "Validation accuracy: {p}%"),
    "a heading of a side": lines("Epoch {e}", "Train:", "  loss = {t}", "Valid:", "  loss = {v}", "  accuracy = {a}"),
    "dictionaries": lines("{{'epoch': {e}, 'train_loss': {t}, 'val_loss': {v}, 'val_acc': {a}}}"),
    "dictionaries of a trainer": lines(
        "{{'loss': {t}, 'grad_norm': 1.5, 'learning_rate': 5e-05, 'epoch': {e}.0}}",
        "{{'eval_loss': {v}, 'eval_accuracy': {a}, 'eval_runtime': 2.5, 'epoch': {e}.0}}",
    ),
    "a dictionary of lists": Layout(lambda: str(KERAS).encode(), first=1),
    "lists": Layout(f"train_loss = {TRAIN}\nval_loss = {VAL}\nval_acc = {ACC}\n".encode, first=1),
    "tensors": lines("Epoch {e}: train_loss=tensor({t}, device='cuda:0', grad_fn=<NllLossBackward0>), val_loss=tensor({v}), val_acc=tensor({a})"),
    "bars drawn again": Layout(lambda: bars().encode()),
    "bars of Keras": Layout(lambda: keras_bars().encode(), STEPS, is_finer=True),
    "Keras without bars": lines("Epoch {e}/{n}", "50/50 - 3s - 66ms/step - loss: {t} - val_accuracy: {a} - val_loss: {v}"),
    "a ruled table": lines("{e:7d}  {t:12.4f}  {v:10.4f}  {a:9.4f}", head="  epoch    train_loss    val_loss    val_acc\n-------  ------------  ----------  ---------"),
    "a table of Markdown": lines("| {e} | {t} | {v} | {a} |", head="| Epoch | Train loss | Val loss | Val acc |\n|--:|--:|--:|--:|"),
    "a printed data frame": lines("{i:<2d}    {e:6d}      {t:.4f}    {v:.4f}   {a:.4f}", head="     epoch  train_loss  val_loss  val_acc"),
    "boxes": lines("-------------------", "| epoch      | {e} |", "| train_loss | {t} |", "| val_loss   | {v} |", "| val_acc    | {a} |", "-------------------"),
    "boosting rounds": lines("[{i}]\ttrain-mlogloss:{t}\teval-mlogloss:{v}\teval-auc:{a}", first=1),
    "a word for the best": lines("Epoch {e} train loss {t} val loss {v} val acc {a}", "Saved the best model so far (val acc {a})", head="Namespace(epochs=30, lr=0.1)\nUsing cuda", tail="Done in 312.5 s"),
    "sentences": lines("Epoch {e}: the train loss is {t}, the validation loss is {v} and the validation accuracy is {p}%."),
    "Chinese": lines("第 {e} 轮 训练损失: {t} 验证损失: {v} 验证准确率: {p}%"),
    "Russian": lines("Эпоха: {e} | train loss: {t} | Валидация, потери: {v} | Валидация, точность: {a}"),
    "Spanish": lines("Época {e}/{n} - pérdida: {t} - validación pérdida: {v} - validación acc: {a}"),
    "German": lines("Epoche {e}: train loss {t}, val loss {v}, val acc {a}"),
    "Korean": lines("에포크 {e}: 훈련 손실 {t}, 검증 손실 {v}, 검증 정확도 {a}"),
    "Japanese": lines("エポック {e}: 学習 損失 {t}, 検証 損失 {v}, 検証 精度 {a}"),
    # notebooks
    "a notebook's text": Layout(lambda: notebook(printed("Epoch {e} - train loss: {t} - val loss: {v} - val acc: {a}")), name="train.ipynb"),
    "a notebook's table": Layout(lambda: notebook(drawn(html("Epoch", "Training Loss", "Validation Loss", "Accuracy", keys="etva"))), name="train.ipynb"),
    "a notebook's table, epochs from 0": Layout(lambda: notebook(drawn(html("epoch", "train_loss", "valid_loss", "accuracy", keys="itva"))), first=1, name="train.ipynb"),
    "a notebook's data frame": Layout(lambda: notebook(drawn(html("epoch", "train_loss", "val_loss", "val_acc", keys="etva", index=True))), name="train.ipynb"),
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    verdict: str
    best: tuple[float, float]  # epoch from 1, and validation there
    phases: tuple[str, ...]
    bounds: tuple[float, ...]  # epochs where the phases begin, and the end of the last


def judged(path: Path, layout: Layout) -> Answer:
    """What is said of a training, counted in epochs from 1."""
    path.write_bytes(layout.content())
    page = analyze(path)
    assert page.stop is not None

    def epoch(at: float) -> float:
        return round(at * layout.per + layout.first, 6)

    bounds = (*(epoch(phase.start) for phase in page.phases), epoch(page.phases[-1].end))
    best = (epoch(page.stop.best_step), round(page.stop.best, 4))
    return Answer(page.verdict.name, best, tuple(phase.label for phase in page.phases), bounds)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return judged(tmp_path_factory.mktemp("plain") / "log.csv", LAYOUTS["csv"])


def test_there_are_sixty():
    assert len(LAYOUTS) >= 60
    assert len({layout.content() for layout in LAYOUTS.values()}) == len(LAYOUTS)


def test_the_training_overfits_from_where_it_was_made_to(expected):
    assert expected.verdict == "overfit"
    assert expected.best == (1 + VAL.index(min(VAL)), min(VAL))
    assert expected.phases[-1] == "memorization"


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_same_training_is_judged_alike(name, expected, tmp_path):
    layout = LAYOUTS[name]
    found = judged(tmp_path / layout.name, layout)
    if not layout.is_finer:
        assert found == expected
    else:
        assert (found.verdict, found.best, found.phases) == (expected.verdict, expected.best, expected.phases)
        assert all(abs(a - b) < 1 for a, b in zip(found.bounds, expected.bounds, strict=True))
