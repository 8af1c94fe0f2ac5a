# ruff: noqa: E501  # lines as programs print them
"""Consoles of training tools: what each layout holds, value by value, side by side, step by step."""

from __future__ import annotations

import numpy as np
import pytest

from runopsy.model import Run
from runopsy.readers import read, runs
from runopsy.readers.run_selection import glances
from runopsy.signals import assign
from runopsy.signals.parts import with_sums

N = 12
TRAIN = [round(2.0 / (i + 1) + 0.05, 4) for i in range(N)]
VAL = [round(2.1 / (i + 1) + 0.2 + 0.01 * i, 4) for i in range(N)]
ACC = [round(0.9 - 0.6 / (i + 1), 4) for i in range(N)]


def each(*lines, first=1):
    """The lines of every epoch, with e its number from ``first``, i from 0, and the values of that epoch."""
    return [
        line.format(
            e=i + first, i=i, t=TRAIN[i], v=VAL[i], a=ACC[i], pa=round(100 * ACC[i], 2), n=N, h=2 * i, s=100 * (i + 1)
        )
        for i in range(N)
        for line in lines
    ]


PERCENT = [round(100 * a, 2) for a in ACC]
# layout → (lines, axis, role → (values, as logged; positions))
LAYOUTS = {
    "heading and ruled lines": (
        each("Epoch {e}/{n}", "-----", "train Loss: {t} Acc: {a}", "val Loss: {v} Acc: {a}", ""),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL, "val/acc": ACC}, range(1, N + 1),
    ),
    "heading of a logger": (
        each(
            "2025-01-01 10:{e:02d}:00,000 - INFO - Epoch {e}/{n}:",
            "2025-01-01 10:{e:02d}:10,000 - INFO - Train Loss: {t}",
            "2025-01-01 10:{e:02d}:20,000 - INFO - Val Loss: {v}, Val Acc: {pa}%",
            "2025-01-01 10:{e:02d}:21,000 - INFO - Saved best model with accuracy: {pa}%",
        ),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL, "val/acc": PERCENT}, range(1, N + 1),
    ),
    "side in a heading": (
        each("Epoch: {e}", "Training", "  loss: {t}", "Validation", "  loss: {v}", "  accuracy: {a}"),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL, "val/acc": ACC}, range(1, N + 1),
    ),
    "a meter of validation without a count": (
        each("Epoch {i}: train loss {t} ({t})", "Validate: Time 0.008 (0.031) Loss 9.9 ({v}) Acc@1 25.0 ({pa}) Mem 285MB"),
        "epoch", {"val/loss": VAL, "val/acc": PERCENT}, range(N),
    ),
    "the number before the word": (
        each("2020-04-27 19:29:5{i},745 - root - INFO - {e} epoch, loss: {t},  loss_test: {v}, time: 0:11:53"),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL}, range(1, N + 1),
    ),
    "a name without a blank behind it": (
        each("EPOCH[{e}/50] loss{t}"), "epoch", {"train/loss": TRAIN}, range(1, N + 1),
    ),
    "letters in the brackets of a side": (
        each("{e} \tTrain(L={t}  | A={a}) \tValid(L={v}  | A={a}) \tTest(L=0.6  | A=0.6)"),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL, "val/acc": ACC}, range(1, N + 1),
    ),
    "values before their names": (
        each("Epoch {e} @ 10:2{i} PM : {t} C.E. Loss, {pa}% Accuracy"),
        "epoch", {"train/loss": TRAIN, "train/acc": PERCENT}, range(1, N + 1),
    ),
    "batches of an evaluation below its heading": (
        each(
            "Epoch {e}/{n}", "step 300/614 - loss: 9.9 - acc: 0.1", "step 614/614 - loss: {t} - acc: 0.2",
            "Eval begin...", "step 40/88 - loss: {v} - acc: {a}", "step 88/88 - loss: {v} - acc: {a}",
            "Eval samples: 11219",
        ),
        "epoch", {"val/loss": VAL, "val/acc": ACC}, range(1, N + 1),
    ),
    "a bar and the mean below it": (
        each("Epoch {e}: 13it [04:02, 18.76s/it, loss=9.9]", "Epoch {e}: 14it [04:12, 18.76s/it, loss=9.7]",
             "Epoch {e} Loss: {t}"),
        "epoch", {"train/loss": TRAIN}, range(1, N + 1),
    ),
    "single batches beside the mean of the pass": (
        each(
            "epoch:[ {e}/{n} ] train step:0 loss: 3.{i} lr: 0.01", "epoch:[ {e}/{n} ] train step:20 loss: 1.{i} lr: 0.01",
            "END epoch:{e} train loss_avg: {t} batch_cost: 6.8 sec", "epoch:[ {e}/{n} ] val step:0 loss: 0.{i}",
            "END epoch:{e} val loss_avg: {v} batch_cost: 0.3 sec",
        ),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL}, range(1, N + 1),
    ),
    "side in brackets": (
        each("{e}epoch results: [train] loss={t}, time=2.1, [valid] loss={v}, acc={a}"),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL, "val/acc": ACC}, range(1, N + 1),
    ),
    "meters and a summary": (
        each(
            "Epoch: [{i}][0/4]\tTime 0.1 (0.2)\tLoss {t} ({t})\tAcc@1 10.0 (12.0)",
            "Epoch: [{i}][2/4]\tTime 0.1 (0.2)\tLoss {t} ({t})\tAcc@1 10.0 (12.0)",
            "Test: [0/3]\tTime 0.1 (0.2)\tLoss 9.9 (9.9)\tAcc@1 1.0 (2.0)",
            "Test: [2/3]\tTime 0.1 (0.2)\tLoss 8.8 ({v})\tAcc@1 1.0 (2.0)",
            " * Acc@1 {pa} Acc@5 99.0",
        ),
        "epoch", {"val/loss": VAL, "val/acc": PERCENT}, [i + 0.5 for i in range(N)],
    ),
    "the number of the epoch behind the side": (
        each(
            "Train: {i} [   0/4 (  0%)]  Loss: {t} ({t})  LR: 1.000e-03",
            "Train: {i} [   3/4 (100%)]  Loss: {t} ({t})  LR: 1.000e-03",
            "Test: [   0/2]  Loss:  9.9 (9.9)  Acc@1:  1.0 (1.0)",
            "Test: [   2/2]  Loss:  9.9 ({v})  Acc@1:  1.0 ({pa})",
        ),
        "epoch", {"val/loss": VAL, "val/acc": PERCENT}, [i + 0.75 for i in range(N)],
    ),
    "bars and a summary": (
        each(
            "Epoch {e}/{n} [FT]: 100%|████| 7/7 [02:45<00:00, 1.06s/it, loss=3.21]",
            "Epoch {e}/{n} [Validating]: 100%|███| 3/3 [00:10<00:00,  1.69it/s]",
            "Epoch {e}/{n} - Train Loss: {t}, Validation Loss: {v}, Validation Accuracy: {pa}%",
        ),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL, "val/acc": PERCENT}, range(1, N + 1),
    ),
    "Keras bars end to end": (
        each(
            "Epoch {e}/{n}",
            "10/30 [==>......] - ETA: 3s - loss: 2.1060 - accuracy: 0.258020/30 [====>...] - ETA: 3s - loss: 2.0674 - accuracy: 0.2586"
            "30/30 [========] - 2s 5ms/step - loss: {t} - accuracy: {a} - val_loss: {v} - val_accuracy: {a}",
        ),
        "step", {"val/loss": VAL, "val/acc": ACC}, range(30, 30 * N + 1, 30),
    ),
    "Keras without bars": (
        each("Epoch {e}/{n}", "12s - loss: {t} - acc: {a} - val_loss: {v} - val_acc: {a}"),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL, "val/acc": ACC, "train/acc": ACC}, range(1, N + 1),
    ),
    "tutorial: a sentence after each epoch": (
        each(
            "Epoch [{e}/{n}], Step [100/200], Loss: 1.5",
            "Epoch [{e}/{n}], Step [200/200], Loss: 1.4",
            "Test Accuracy of the model on the 10000 test images: {pa} %",
        ),
        "epoch", {"val/acc": PERCENT}, range(1, N + 1),
    ),
    "a sentence": (
        each("Epoch: {e}| train loss: {t}", "Epoch {e}: Val acc is {pa}%"),
        "epoch", {"train/loss": TRAIN, "val/acc": PERCENT}, range(1, N + 1),
    ),
    "Megatron": (
        each(
            " [2025-01-01 10:00:{e:02d}] iteration {s}/ 1200 | consumed samples: {s}0 | learning rate: 1.5E-04 | lm loss: {t} | loss scale: 1.0 | number of nan iterations:   0 |",
            "-----------",
            " validation loss at iteration {s} | lm loss value: {v} | lm loss PPL: 3.5E+01 |",
        ),
        "step", {"train/loss": TRAIN, "val/loss": VAL}, range(100, 100 * N + 1, 100),
    ),
    "Caffe": (
        each(
            "I0509 19:45:41.120270 20669 solver.cpp:266] Iteration {s}, Testing net (#0)",
            "I0509 19:47:26.425755 20669 solver.cpp:315]     Test net output #0: accuracy = {a}",
            "I0509 19:47:26.425858 20669 solver.cpp:315]     Test net output #1: loss = {v} (* 1 = {v} loss)",
            "I0509 19:47:26.917171 20669 solver.cpp:189] Iteration {s}, loss = {t}",
        ),
        "step", {"train/loss": TRAIN, "val/loss": VAL, "val/acc": ACC}, range(100, 100 * N + 1, 100),
    ),
    "DeepSpeech": (
        each(
            "Epoch {i} |   Training | Elapsed Time: 2:40:25 | Steps: 6275 | Loss: {t}",
            "Epoch {i} | Validation | Elapsed Time: 0:15:08 | Steps: 784 | Loss: {v} | Dataset: data/dev_all.csv",
            "I Saved new best validating model with loss {v} to: /tmp/best_dev-12",
        ),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL}, range(N),
    ),
    "XGBoost": (
        ["Will train until eval error hasn't decreased in 5 rounds.",
         *each("[{i}]\ttrain-logloss:{t}\teval-logloss:{v}"),
         "Stopping. Best iteration:", f"[3]\ttrain-logloss:{TRAIN[3]}\teval-logloss:{VAL[3]}"],
        "step", {"train/loss": TRAIN, "val/loss": VAL}, range(N),
    ),
    "XGBoost in a block of a document": (
        each("    [{i}]     train-rmse:{t}          eval-rmse:{v}"),
        "step", {"train/loss": TRAIN, "val/loss": VAL}, range(N),
    ),
    "LightGBM": (
        ["Training until validation scores don't improve for 100 rounds",
         *each("[{s}]\ttraining's binary_logloss: {t}\tvalid_1's binary_logloss: {v}"),
         "Early stopping, best iteration is:", f"[372]\ttraining's binary_logloss: {TRAIN[3]}\tvalid_1's binary_logloss: {VAL[3]}"],
        "step", {"train/loss": TRAIN, "val/loss": VAL}, range(100, 100 * N + 1, 100),
    ),
    "LightGBM with blanks": (
        each("[{s}]   training's l2: {t}     valid_0's l2: {v}"),
        "step", {"train/loss": TRAIN, "val/loss": VAL}, range(100, 100 * N + 1, 100),
    ),
    "CatBoost": (
        [*each("{s}:\tlearn: {t}\ttest: {v}\tbest: {v} ({i})\ttotal: 70ms\tremaining: 3.2s"), "", "bestTest = 0.2", "bestIteration = 7"],
        "step", {"train/loss": TRAIN, "val/loss": VAL}, range(100, 100 * N + 1, 100),
    ),
    "Darknet": (
        each(" {s}: 9.011872, {t} avg loss, 0.001000 rate, 4.303994 seconds, 640 images, 10.956437 hours left", "Loaded: 0.000039 seconds"),
        "step", {"train/loss": TRAIN}, range(100, 100 * N + 1, 100),
    ),
    "a number in brackets before the colon": (
        each("Loss [{e}, 300](epoch, minibatch):  {t}"),
        "epoch", {"train/loss": TRAIN}, range(1, N + 1),
    ),
    "skorch": (
        ["  epoch    train_loss    valid_acc    valid_loss    cp     dur", "-------  ------------  -----------  ------------  ----  ------",
         *[f"{i + 1:7d}        {TRAIN[i]:6.4f}       {ACC[i]:6.4f}        {VAL[i]:6.4f}  {'   +' if i % 3 == 0 else '    '}  0.{100 + i}" for i in range(N)]],
        "epoch", {"train/loss": TRAIN, "val/loss": VAL, "val/acc": ACC}, range(1, N + 1),
    ),
    "printed data frame": (
        ["    epoch  train_loss  val_loss", *[f"{i}       {i + 1}    {TRAIN[i]}  {VAL[i]}" for i in range(N)]],
        "epoch", {"train/loss": TRAIN, "val/loss": VAL}, range(1, N + 1),
    ),
    "Markdown without outer bars": (
        ["Step | Training Loss | Validation Loss", "-- | -- | --", *each("{s} | {t} | {v}")],
        "step", {"train/loss": TRAIN, "val/loss": VAL}, range(100, 100 * N + 1, 100),
    ),
    "Markdown with outer bars among prose": (
        ["# What I trained", "", "It ran over night.", "", "| Epoch | Train loss | Val loss |", "|:--|--:|--:|", *each("| {e} | {t} | {v} |"), "", "Good."],
        "epoch", {"train/loss": TRAIN, "val/loss": VAL}, range(1, N + 1),
    ),
    "curled quotes": (
        each("{{‘loss’: {t}, ‘learning_rate’: 4.68e-05, ‘epoch’: {e}.5}}"),
        "epoch", {"train/loss": TRAIN}, [i + 1.5 for i in range(N)],
    ),
    "lists": ([f"train_losses = {TRAIN}", f"val_losses = {VAL}"], "row", {"train/loss": TRAIN, "val/loss": VAL}, range(N)),
    "a dictionary of lists": (
        [str({"loss": TRAIN, "accuracy": ACC, "val_loss": VAL, "lr": [0.1] * N})],
        "row", {"train/loss": TRAIN, "val/loss": VAL, "train/acc": ACC}, range(N),
    ),
    "arrays over several lines": (
        ["Finished after 12 epochs.", "losses: array([" + ",\n        ".join(map(str, TRAIN)) + "])"], "row", {"train/loss": TRAIN}, range(N),
    ),
    "an arrow": (each("Iter {s}: Train Loss --> {t}, Val Loss --> {v}"), "step", {"train/loss": TRAIN, "val/loss": VAL}, range(100, 100 * N + 1, 100)),
    "the side as the argument of the counter": (
        each("mmseg - INFO - Iter [{s}/2000]\tlr: 9.9e-03, eta: 1:2:3, loss: {t}", "mmseg - INFO - Iter(val) [10]\taAcc: {a}, mIoU: 0.5"),
        "step", {"train/loss": TRAIN, "val/acc": ACC}, range(100, 100 * N + 1, 100),
    ),
    "an estimator": (
        each("INFO:tensorflow:loss = {t}, step = {s} (3.2 sec)", "INFO:tensorflow:Saving dict for global step {s}: accuracy = {a}, global_step = {s}, loss = {v}"),
        "step", {"train/loss": TRAIN, "val/loss": VAL, "val/acc": ACC}, range(100, 100 * N + 1, 100),
    ),
    "results of both sides": (
        each("Training Results - Epoch: {e}  Avg accuracy: 0.93 Avg loss: {t}", "Validation Results - Epoch: {e}  Avg accuracy: {a} Avg loss: {v}"),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL, "val/acc": ACC}, range(1, N + 1),
    ),
    "validation in sentences of its own": (
        each("[2020-01-01 10:{e:02d}:00,000 INFO] Step {s}/ 2000; acc:   5.2; xent: {t}; lr: 0.1; 1000/ 900 tok/s;     20 sec", "[2020-01-01 10:{e:02d}:10,000 INFO] Validation accuracy: {pa}"),
        "step", {"train/loss": TRAIN, "val/acc": PERCENT}, range(100, 100 * N + 1, 100),
    ),
    "Chinese": (
        each("第 {e} 轮", "训练损失: {t}", "验证损失: {v}, 验证准确率: {pa}%"),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL, "val/acc": PERCENT}, range(1, N + 1),
    ),
    "the epoch in the prefix, its mean behind it": (
        each("[E{e}] step 0 loss {t}", "[E{e}] step 10 loss {t}", "Epoch {e} avg-loss {v}"),
        "step", {}, [],
    ),
    "batches above the line that names their epoch": (
        each(
            "INFO : train --- batch:2/4  loss:[ {t}]", "INFO : train --- batch:4/4  loss:[ {t}]",
            "INFO : Epoch [{i}]/[{n}]  train Accuracy: {a}",
            "INFO : val --- batch:1/2  loss:[ 9.0]", "INFO : val --- batch:2/2  loss:[ 9.0]",
            "INFO : Epoch [{i}]/[{n}]  val Accuracy: {a}",
        ),
        "epoch", {"train/acc": ACC, "val/acc": ACC}, range(1, N + 1),
    ),
    "a mean until here": (
        each("Epoch {e}, avg loss so far is {t}", "Epoch {e}, val loss is {v}, val accuracy so far is {a}"),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL, "val/acc": ACC}, range(1, N + 1),
    ),
    "bars drawn with lines": (
        each(
            "Epoch {e}/{n}:  33% ━━━━╸─────── 1/3 0:00:01 • 0:00:02 1.2it/s",
            "Epoch {e}/{n}: 100% ━━━━━━━━━━━━ 3/3 0:00:03 • 0:00:00 1.2it/s train_loss: {t} val_loss: {v}",
        ),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL}, range(1, N + 1),
    ),
    "losses as lists of their parts": (
        ["Step      Train loss        Test loss        Test metric",
         *(f"{100 * (i + 1):<8d}  [{0.25 * t:.6f}, {0.75 * t:.6f}]  [{0.5 * v:.5f}, {0.5 * v:.5f}]    []  " for i, (t, v) in enumerate(zip(TRAIN, VAL, strict=True))),
         "", "Best model at step 300:", "  train loss: 9.99e+00", "  test loss: 9.99e+00", "  test metric: []"],
        "step", {"train/loss": TRAIN, "val/loss": VAL}, range(100, 100 * N + 1, 100),
    ),
    "braces around the values": (
        each("2022-02-15 17:55:17,761 INFO epoch: {{{e}/{n}}}, loss : {{{t}}}, lr : {{0.0001}}"),
        "epoch", {"train/loss": TRAIN}, range(1, N + 1),
    ),
    "cuda-convnet": (
        [line for i in range(N) for line in
         (f"1.{i + 1}... logprob:  {TRAIN[i]}, 0.5 (0.582 sec)", "Testing all batches", "",
          "======================Test output======================", f"logprob:  {VAL[i]}, 0.4 ",
          "Layer 'conv1' weights[0]: 7.979723e-03 [2.745254e-09] ")],
        "step", {"train/loss": TRAIN, "val/loss": VAL}, range(1, N + 1),
    ),
    "Caffe without a test": (
        each(
            "I0509 19:45:41.120270 20669 solver.cpp:228] Iteration {s}, loss = 9.9",
            "I0509 19:47:26.425755 20669 solver.cpp:244]     Train net output #0: accuracy = {a}",
            "I0509 19:47:26.425858 20669 solver.cpp:244]     Train net output #1: loss = {t} (* 1 = {t} loss)",
        ),
        "step", {"train/acc": ACC}, range(100, 100 * N + 1, 100),
    ),
    "bars of Rich": (
        each(
            "Epoch {i}/11 ━━━━━━━╺━━━━ 2/3 0:00:00 • 0:00:01 574.56it/s ",
            "Epoch {i}/11 ━━━━━━━━━━━━ 3/3 0:00:00 • 0:00:00 75.08it/s val_loss: {v} train_loss: {t}",
        ),
        "epoch", {"train/loss": TRAIN, "val/loss": VAL}, range(N),
    ),
    "a table of thresholds below the epochs": (
        [*each("epoch  {e}  train_loss {t}  val_loss {v}  P 0.3  | grad L1 3.8e-01"), "", "sweep on val:", "  thr | count MAE | P/R",
         *[f"  0.{k}5 |  {40 - k}.0  | 0.1/0.9" for k in range(9)]],
        "epoch", {"train/loss": TRAIN, "val/loss": VAL}, range(1, N + 1),
    ),
    "two epochs": (each("Epoch {e}/2 - loss: {t} - val_loss: {v}")[:2], "epoch", {"train/loss": TRAIN[:2], "val/loss": VAL[:2]}, [1, 2]),
    "settings around": (
        ["epochs: 10", "batch_size: 32", "lr: 0.1", *each("epoch {e} train_loss {t} val_loss {v}"), "Training done. Test accuracy: 0.91"],
        "epoch", {"train/loss": TRAIN, "val/loss": VAL}, range(1, N + 1),
    ),
}  # fmt: skip


@pytest.fixture
def text(tmp_path):
    def write(lines):
        path = tmp_path / "train.log"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


def played(run: Run) -> dict[str, str]:
    return {role.role: role.track for role in assign(run.tracks) if role.role}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_value_of_a_console_stands_where_it_was_printed(layout, text):
    lines, axis, expected, at = LAYOUTS[layout]
    run = read(text(lines))
    assert run.axis == axis
    found = played(run)
    for role, values in expected.items():
        assert role in found, (role, found)
        track = run.tracks[found[role]]
        np.testing.assert_allclose(track.value, values, err_msg=role)
        np.testing.assert_allclose(track.step, list(at)[: len(track.step)], err_msg=role)
        assert track.session is None


def test_the_epoch_in_a_prefix_lays_its_steps_behind_those_of_the_one_before(text):
    lines, *_ = LAYOUTS["the epoch in the prefix, its mean behind it"]
    run = read(text(lines))
    np.testing.assert_allclose(run.tracks["loss"].value[::2], TRAIN)
    assert len(run.tracks["loss"].step) == len(set(run.tracks["loss"].step)) == 2 * N
    np.testing.assert_allclose(run.tracks["avg-loss"].value, VAL)


def test_training_within_an_epoch_stands_before_its_end(text):
    lines, *_ = LAYOUTS["tutorial: a sentence after each epoch"]
    run = read(text(lines))
    assert run.tracks["Loss"].step[:4].tolist() == [0.5, 1.0, 1.5, 2.0]


def test_running_means_within_an_epoch_are_spread_over_it(text):
    lines = [f"Epoch: {e}| train loss: {1 / e + k / 10}" for e in range(1, 6) for k in (2, 1, 0)]
    run = read(text(lines))
    np.testing.assert_allclose(run.tracks["train loss"].step[:4], [1 / 3, 2 / 3, 1, 4 / 3])


@pytest.mark.parametrize("bar", ["|████|", "|██|", ""])  # some consoles lose the bar, and keep its count
def test_a_detector_s_console_has_parts_and_scores(bar, text):
    lines = each(
        "      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size",
        "       {e}/{n}      2.61G     {t}     1.5     0.5         32        640: 100%|██| 63/63 [00:17<00:00,  3.56it/s]",
        "                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100%|██| 8/8 [00:02<00:00,  3.23it/s]",
        "                   all        250        620      0.317      0.287      {a}      0.222",
        "                   cat        150        220      0.217      0.187      0.1      0.122",
        "",
    )
    run = with_sums(read(text([line.replace("|██|", bar) for line in lines])))
    found = played(run)
    np.testing.assert_allclose(run.tracks[found["train/loss"]].value, np.array(TRAIN) + 2.0)
    assert run.axis == "epoch"
    np.testing.assert_allclose(run.tracks["val/mAP50"].value, ACC)
    assert found["val/metric"] == "val/mAP50-95"


def test_a_bar_drawn_again_and_again_is_one_row(text):
    head = "     Epoch   gpu_mem       box       obj       cls   total   targets  img_size"
    bars = [
        f"  0%|  | 0/3 [00:00<?, ?it/s]   {e}/9      3G    0.{9 - e}{k}    0.08    0.006   0.86    67   320:  {k}0%|██ | {k}/3 [00:13<?, ?it/s]"
        for e in range(5)
        for k in range(1, 4)
    ]
    lines = [line for e in range(5) for line in (head, *bars[3 * e : 3 * e + 3])]
    run = read(text(lines))
    np.testing.assert_allclose(run.tracks["train/box_loss"].value, [0.93, 0.83, 0.73, 0.63, 0.53])


def test_settings_in_one_line_are_no_reading(text):
    settings = "engine: " + ", ".join(
        f"{name}=0.5" for name in ("epochs", "iou", "conf", "box", "cls", "dfl", "pose", "kobj", "nbs")
    )
    run = read(text([settings, *each("Epoch {e} train loss: {t}")]))
    assert set(run.tracks) == {"train loss"}


def test_the_two_heads_of_a_detector_have_losses_of_their_own(text):
    lines = each(
        "      Epoch    GPU_mem     box_om     cls_om     box_oo     cls_oo  Instances       Size",
        "       {e}/{n}      2.61G     {t}     1.5     0.5    0.25         32        640: 100%|██| 63/63 [00:17<00:00,  3.56it/s]",
    )
    run = with_sums(read(text(lines)))
    np.testing.assert_allclose(run.tracks[played(run)["train/loss"]].value, np.array(TRAIN) + 2.25)


@pytest.mark.parametrize("bar", [": 100% ━━━━ 1/1 4.2it/s 0.2s", ": 100% 1/1 [00:00<00:00,  1.70it/s]"])
def test_the_best_checkpoint_validated_at_the_end_is_none_of_the_curve(text, bar):
    header = "                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95)"
    lines = each(
        "      Epoch    GPU_mem   box_loss   cls_loss  Instances       Size",
        "       {e}/{n}      2.61G     {t}     1.5         32        640: 100% ━━━━━━━━━━━━ 3/3 3.6it/s 2.3s",
        header + ": 100% ━━━━━━━━━━━━ 1/1 4.2it/s 0.2s",
        "                   all        250        620      0.317      0.287      {a}      0.222",
    )
    last = [
        "Validating runs/weights/best.pt...",
        header + bar,
        "                   all        250        620      0.4      0.4      0.9999      0.5",
    ]
    run = read(text([*lines, "12 epochs completed in 0.003 hours.", *last]))
    np.testing.assert_allclose(run.tracks["val/mAP50"].value, ACC)
    np.testing.assert_allclose(run.tracks["train/box_loss"].value, TRAIN)


def test_values_that_a_bar_carries_into_the_next_epoch_count_once(text):
    drawn = []
    for i in range(N):
        carried = f", val_loss={VAL[i - 1]}, train_loss={TRAIN[i - 1]}" if i else ""
        drawn += [f"Epoch {i}: {25 * k:3d}%|██  | {k}/4 [00:00<00:00, 9.1it/s{carried}]" for k in range(1, 5)]
        drawn += ["Validation DataLoader 0: 100%|████| 2/2 [00:00<00:00, 9.1it/s]"]
        half = f", val_loss={VAL[i]}" + (f", train_loss={TRAIN[i - 1]}" if i else "")
        drawn += [
            f"Epoch {i}: 100%|████| 4/4 [00:00<00:00, 9.1it/s{part}]"
            for part in (half, f", val_loss={VAL[i]}, train_loss={TRAIN[i]}")
        ]
    run = read(text(drawn))
    assert run.axis == "epoch"
    for name, values in (("val_loss", VAL), ("train_loss", TRAIN)):
        np.testing.assert_allclose(run.tracks[name].value, values)
        np.testing.assert_allclose(run.tracks[name].step, range(N))


def test_a_metric_of_each_batch_in_a_bar_is_kept(text):
    lines = [
        f"Epoch {i}: {25 * k:3d}%|██  | {k}/4 [00:00<00:00, loss={2 / (4 * i + k):.4f}, best=0.5]"
        for i in range(6)
        for k in range(1, 5)
    ]
    assert len(read(text(lines)).tracks["loss"]) == 24


def test_boxes_are_rows_and_their_sections_part_of_the_names(text):
    lines = each(
        "-----------------",
        "| rollout/       |      |",
        "|    ep_rew_mean | {s}  |",
        "| time/          |      |",
        "|    total_timesteps | {s} |",
        "| train/         |      |",
        "|    loss        | {t}  |",
        "-----------------",
    )
    run = read(text(lines))
    assert run.axis == "step"
    np.testing.assert_allclose(run.tracks["rollout/ep_rew_mean"].value, range(100, 100 * N + 1, 100))
    np.testing.assert_allclose(run.tracks["train/loss"].step, range(100, 100 * N + 1, 100))
    assert played(run)["reward"] == "rollout/ep_rew_mean"


def test_rewards_alone_are_a_log(text):
    lines = each("[INFO] Walker. Step: {s}. Time Elapsed: {h}.5 s. Mean Reward: {v}. Std of Reward: 0.5. Training.")
    run = read(text(lines))
    np.testing.assert_allclose(run.tracks["Mean Reward"].value, VAL)
    assert run.axis == "step"


def test_a_pipeline_s_table_has_steps_and_scores(text):
    lines = [
        "ℹ Initial learn rate: 0.001",
        "E    #       LOSS TOK2VEC  LOSS NER  ENTS_F  SCORE ",
        "---  ------  ------------  --------  ------  ------",
        *each("  {i}    {s}          {t}    {v}    {pa}    0.{s}"),
    ]
    run = read(text(lines))
    assert run.axis == "step"
    np.testing.assert_allclose(run.tracks["LOSS NER"].value, VAL)
    np.testing.assert_allclose(run.tracks["LOSS NER"].step, range(100, 100 * N + 1, 100))


def test_the_mean_of_a_pass_without_one_of_its_own(text):
    lines = each("Epoch {e} batch 1/2 loss: {t}", "Val batch 1/2 loss: 3.0", "Val batch 2/2 loss: 2.0")
    run = read(text(lines))
    assert run.tracks[played(run)["val/loss"]].value.tolist() == [2.5] * N


def test_a_line_about_the_checkpoint_that_was_loaded_is_no_reading(text):
    lines = ["  Checkpoint: epoch=30  val_loss=0.01", *each("Epoch {e}/{n} -- train: {t}  val: {v}")]
    assert read(text(lines)).tracks["val"].value.tolist() == VAL


def test_the_summary_of_a_tracker_is_no_reading(text):
    summary = ["wandb: Run summary:", "wandb:        epoch 99", "wandb:     val_loss 9.9", "wandb: train_loss 9.8"]
    run = read(text([*each("epoch {e}: train_loss: {t}, val_loss: {v}"), *summary]))
    assert run.tracks["val_loss"].value.tolist() == VAL


def test_other_text_beside_a_value_is_no_value(text):
    lines = each(
        "epoch {e} loss: {t}",
        "Prec@1   k 0.000 (0.000)",
        "Prec@1 001 16.667 (8.7)",
        "Map:  25%|██▌   | 1/4 [00:01<00:03]",
    )
    run = read(text(lines))
    assert set(run.tracks) == {"loss"}


# --- several runs ---------------------------------------------------------------------------------


def test_an_axis_back_at_its_start_is_another_run(text):
    found = runs(text([*each("epoch {e}: loss: {t}, val_loss: {v}")] * 3))
    assert [len(run.read().tracks["loss"]) for run in found] == [N, N, N]
    assert all(track.session is None for run in found for track in run.read().tracks.values())


def test_a_curve_logged_in_the_last_run_alone_hides_no_run_before_it(text):
    lines = each("Epoch {e} | Train Loss: {t} | Val Loss: {v}")
    found = runs(text([*lines, *lines, *lines, *[f"Epoch {N} | Acc: 0.{i + 10}" for i in range(4 * N)]]))
    assert [len(run.read().tracks["Train Loss"]) for run in found] == [N, N, N]


def test_an_evaluation_back_at_the_start_tells_of_a_run_that_logs_its_loss_late(text):
    first = [
        line for e in range(1, 4) for line in (f"epoch: {e - 0.5}, loss: {1 / e}", f"epoch: {e}, eval_loss: {1 / e}")
    ]
    second = [f"epoch: {e}, eval_loss: {2 / e}" for e in range(1, 9)]
    second = [*second[:2], "epoch: 2.21, loss: 0.9", *second[2:], "epoch: 8.5, loss: 0.1"]
    found = [run.read() for run in runs(text([*first, *second]))]
    assert [len(run.tracks["eval_loss"]) for run in found] == [3, 8]
    assert [run.tracks["loss"].step.tolist() for run in found] == [[0.5, 1.5, 2.5], [2.21, 8.5]]


def test_an_evaluation_that_comes_again_after_a_resume_is_no_run(text):
    """Its second value is near its first position, and the training began long before."""
    rows = [*range(1, 36), *range(11, 60)]
    lines = [
        f"step: {i}, loss: {3 / (1 + i / 9):.4f}" + (f", val_loss: {4 / (1 + i / 9):.4f}" if i % 10 == 0 else "")
        for i in rows
    ]
    assert len(runs(text(lines))) == 1


def test_the_runs_are_listed_with_their_best_reading(text):
    lines = each("epoch {e}: loss: {t}, val_loss: {v}")
    (one, two) = glances(runs(text([*lines, *lines])))
    assert (one.rows, one.value, two.number) == (N, TRAIN[-1], 2)
    assert one.best == ("val/loss", min(VAL), 1 + VAL.index(min(VAL)))


def test_a_fit_that_goes_on_at_the_level_of_another_is_the_same_run(text):
    first = each("epoch {e}: loss: {t}")
    run = read(text([*first, *(f"epoch {e}: loss: {0.2 / e}" for e in range(1, 6))]))
    assert run.tracks["loss"].step.tolist() == list(range(1, N + 6))
    assert run.tracks["loss"].session is None
    assert any("counted on" in note for note in run.notes)


def test_calls_of_fit_that_go_on_steeply_are_one_run(text):
    """Each begins below where the one before it ended, by a step as they make."""
    losses = [round(2.4 * 0.85**i, 4) for i in range(25)]
    run = read(text([f"epoch {i % 5 + 1}/5: loss: {loss}" for i, loss in enumerate(losses)]))
    assert run.tracks["loss"].step.tolist() == list(range(1, 26))


def test_batches_that_go_on_make_no_run_of_epochs_that_do_not(text):
    """The curve with the most values is so noisy that it always goes on."""
    noise = [7.0, 2.0, 9.0, 3.0, 8.0, 1.0]
    batches = [f"Epoch {e} batch {b}: Batch loss: {noise[(e + b) % 6]}" for e in range(1, 9) for b in range(6)]
    epochs = [f"Epoch {e} Train loss: {2 / e:.4f}" for e in range(1, 9)]
    lines = [line for e in range(8) for line in (*batches[6 * e : 6 * e + 6], epochs[e])]
    assert len(runs(text([*lines, *lines]))) == 2


def test_a_setting_that_changes_with_the_epochs_is_another_run(tmp_path):
    rows = [f"{e},{size},2.303,{2.303 + e % 2 / 1000}" for size in (16, 32) for e in range(1, 9)]
    path = tmp_path / "grid.csv"
    path.write_text("\n".join(["epoch,batch_size,loss,val_loss", *rows]) + "\n")
    assert len(runs(path)) == 2


def test_a_fit_that_leaves_the_level_of_another_at_once_is_another_run(text):
    first = [f"epoch {e}: loss: {40 - 14 * (1 - 0.7**e):.3f}" for e in range(10)]
    further = [f"epoch {e}: loss: {10 + 16.5 * 0.6**e:.3f}" for e in range(20)]
    assert [len(run.read().tracks["loss"]) for run in runs(text([*first, *further]))] == [10, 20]


def test_a_fit_that_begins_anew_after_one_that_went_on_is_another_run(text):
    lines = each("epoch {e}: loss: {t}")
    further = [f"epoch {e}: loss: {0.22 - e / 100}" for e in range(1, 6)]
    assert [len(run.read().tracks["loss"]) for run in runs(text([*lines, *further, *lines]))] == [N + 5, N]


def test_what_is_back_at_the_first_level_of_the_log_is_another_run(text):
    """Its first row has no heading and stands under the last one of the run before."""
    lines = [line for e in range(1, 31) for line in (f"Epoch {e}/50", f"loss: {1.4 if e < 3 else 1.4 / e:.4f}")]
    again = ["loss: 1.39", *(line for e in range(3, 31) for line in (f"Epoch {e}/50", f"loss: {1.37 - e / 100:.4f}"))]
    one, two = (run.read() for run in runs(text([*lines, *again])))
    assert (len(one.tracks["loss"]), one.tracks["loss"].value[-1]) == (30, 0.0467)
    assert two.tracks["loss"].step.tolist() == list(range(3, 31))
    assert two.tracks["loss"].session is None


def test_what_goes_on_below_its_end_is_a_resume(text):
    lines = [f"step {100 * i}: loss={2 / (i + 1)}" for i in range(20)]
    again = [f"step {100 * i}: loss={2.1 / (i + 1)}" for i in range(12, 30)]
    run = read(text([*lines, *again]))
    assert run.tracks["loss"].session.tolist() == [0] * 20 + [1] * 18


@pytest.mark.parametrize("word", ["Validating", "Evaluating", "Validation", "Dev"])
def test_the_side_in_front_of_a_counter_is_the_side_of_its_line(word, text):
    run = read(text(each("Training : LOSS = {t}", word + " Epoch: {e}, accuracy: {a}, F1: {a} .")))
    found = played(run)
    np.testing.assert_allclose(run.tracks[found["val/acc"]].value, ACC)
    assert found["train/loss"] == "train/LOSS"
    assert "train/acc" not in found


def test_a_side_alone_names_a_number_where_two_stand_in_a_line(text):
    run = read(text(each("[train] iter {h}: loss {t} 99 ms", "[eval] iter {h}: train {t} val {v} lr 2.5e-04")))
    assert played(run)["val/loss"] == "val"
    np.testing.assert_allclose(run.tracks["val"].value, VAL)
    np.testing.assert_allclose(run.tracks["train"].value, TRAIN)


def test_a_side_alone_names_a_number_beside_a_loss(text):
    run = read(text(each("Epoch [{e}/{n}], Loss: {t}, Validation: {v}")))
    assert played(run)["val/loss"] == "Validation"


@pytest.mark.parametrize("line", ["took train 12.{h}s val 3.{h}s", "sizes train 500{h} val 50{h}", "test {h} of {n}"])
def test_a_side_alone_names_no_seconds_no_sizes_and_no_prose(line, text):
    run = read(text(each("epoch {e} loss: {t} acc: {a} " + line)))
    assert not {"train", "val", "test"} & set(run.tracks)


def test_the_heads_of_a_loss_never_stand_for_the_loss_of_the_whole_net(text):
    lines = each(
        "I0603 04:24:46.222429   822 solver.cpp:316] Iteration {h}, loss = {v}",
        "I0603 04:24:46.222481   822 solver.cpp:332]     Train net output #0: accuracy = {a}",
        "I0603 04:24:46.222494   822 solver.cpp:332]     Train net output #1: loss = {t} (* 1 = {t} loss)",
        "I0603 04:24:46.222501   822 solver.cpp:332]     Train net output #2: loss1/loss = 4.3 (* 0.3 = 1.3 loss)",
    )
    run = read(text([*lines, "I0603 04:24:46.222429   822 solver.cpp:316] Iteration 24, loss = 0.5"]))
    found = played(run)
    assert run.tracks[found["train/loss"]].value.tolist() == [*VAL, 0.5]
    assert run.tracks[found["train/acc"]].value.tolist() == ACC


def test_a_number_in_brackets_that_counts_by_one_is_no_value(text):
    run = read(text(each("stage {e}/10  [####]  668/668   Accuracy report ({e}) {a} 229 102")))
    assert run.tracks["Accuracy report"].value.tolist() == ACC


@pytest.mark.parametrize(("char", "word"), [("char", "word"), ("BCER", "BWER")])
def test_the_errors_of_a_text_recogniser_are_scores_by_its_own_iterations(char, word, text):
    run = read(text(each(
        "At iteration {h}/{s}/{s}, Mean rms=5.3%, delta=8.5%, " + char + " train=180.5%, " + word + " train={pa}%, skip ratio=0%"
    )))  # fmt: skip
    np.testing.assert_allclose(run.tracks["train wer"].value, PERCENT)
    assert (run.axis, run.tracks["train wer"].step[0], played(run)["train/metric"]) == ("step", 100, "train wer")


def test_behind_an_arrow_stands_the_value(text):
    run = read(text(each("epoch {e} mean train loss : 6.3470 -> {t} mean test loss : 6.5e-1 -> {v}")))
    assert run.tracks["mean train loss"].value.tolist() == TRAIN
    assert run.tracks["mean test loss"].value.tolist() == VAL


def test_a_box_whose_key_counts_is_a_log(text):
    run = read(text(each("| Epoch {e} loss | {t} |")))
    assert (run.axis, run.tracks["loss"].value.tolist()) == ("epoch", TRAIN)


def test_an_average_beside_a_count_of_episodes_is_a_reward(text):
    run = read(text(each("Episode {s} Avg: -{v} BestAvg: {v} Epsilon: 0.5")))
    assert played(run)["reward"] == "Avg reward"
    assert "reward" not in played(read(text(each("Episode {s} loss: {t} Avg: {a}"))))


def test_batches_that_start_again_in_each_epoch_are_no_runs(text):
    run = read(text([f"Epoch: {e} Batch [{b}] loss: {1 / (10 * e + b)}" for e in range(1, 8) for b in (1, 2, 3)]))
    assert len(run.tracks["loss"]) == 21


def test_a_start_that_broke_off_at_once_is_left_out(text):
    lines = [f"epoch {e}: loss: {3 / e}" for e in range(1, 201)]
    run = read(text([*lines[:3], *lines]))
    assert len(run.tracks["loss"]) == 200
    assert any("broke off" in note for note in run.notes)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("width,train_loss,test_loss\n8,0.5,0.6\n16,0.4,0.5\n32,0.3,0.45\n64,0.2,0.4\n", "'width'"),
        ("config,r2,mae\nmse,0.5,0.6\nmae,0.4,0.5\nhuber,0.3,0.45\nmae+x,0.2,0.4\n", "'config'"),
        ("dataset,train_loss,acc\na,0.5,0.6\nb,0.4,0.5\nc,0.3,0.45\nd,0.2,0.4\n", "'dataset'"),
        ("tokens,loss\n500,4.0\n9000,3.5\n100,3.6\n7000,4.0\n20,3.9\n600,4.9\n10,4.2\n", "'tokens'"),
    ],
)
def test_rows_that_are_other_models_or_data_sets_are_no_training(table, said, tmp_path):
    path = tmp_path / "results.csv"
    path.write_text(table)
    run = read(path)
    (mark,) = run.marks
    assert mark.kind == "not_a_run"
    assert said in mark.detail["text"]
    assert all(track.session is None for track in run.tracks.values())


# --- what went wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "kind", "detail"),
    [
        ("WARNING: NaN detected in the loss at iteration 7, skipping update", "not_finite", {}),
        ("RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB", "out_of_memory", {}),
        ("[rank1]:[E] NCCL watchdog thread terminated: error: unhandled system error", "communication_error", {}),
        (
            "Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to 32768.0",
            "loss_scale",
            {"scale": 32768.0},
        ),
        ("^CKeyboardInterrupt"[2:], "interrupted", {}),
        (
            "slurmstepd: error: *** JOB 11863 ON node CANCELLED AT 2026-01-01T00:00:00 DUE TO TIME LIMIT ***",
            "interrupted",
            {},
        ),
        ("Segmentation fault (core dumped)", "crashed", {"type": "Segmentation fault"}),
    ],
)
def test_an_error_in_the_text_is_a_mark_where_it_stands(line, kind, detail, text):
    lines = each("epoch {e}: loss: {t}")
    (mark,) = read(text([*lines[:7], line, *lines[7:]])).marks
    assert (mark.kind, mark.step) == (kind, 7.0)
    assert mark.detail["text"] == line
    assert detail.items() <= dict(mark.detail).items()


def test_a_traceback_is_told_by_what_it_raised(text):
    trace = [
        "Traceback (most recent call last):",
        '  File "train.py", line 3, in <module>',
        "    step()",
        "ValueError: shapes do not match",
    ]
    (mark,) = read(text([*each("epoch {e}: loss: {t}"), *trace])).marks
    assert (mark.kind, mark.step) == ("crashed", float(N))
    assert mark.detail["type"] == "ValueError"
    assert mark.detail["message"] == "shapes do not match"


def test_a_traceback_of_an_interrupt_is_an_interrupt(text):
    trace = ["Traceback (most recent call last):", '  File "train.py", line 3', "KeyboardInterrupt"]
    (mark,) = read(text([*each("epoch {e}: loss: {t}"), *trace])).marks
    assert mark.kind == "interrupted"


def test_only_a_loss_scale_that_falls_is_told(text):
    scales = [f"| WARNING: overflow detected, setting loss scale to: {s}" for s in (64.0, 64.0, 32.0, 64.0, 16.0)]
    marks = read(text([*each("epoch {e}: loss: {t}"), *scales])).marks
    assert [mark.detail["scale"] for mark in marks] == [64.0, 32.0, 16.0]


@pytest.mark.parametrize(
    "line", ["number of nan iterations: 0", "Found 0 NaNs", "torch.autograd.set_detect_anomaly: NaN check on"]
)
def test_a_count_of_no_errors_is_none(line, text):
    assert read(text([*each("epoch {e}: loss: {t}"), line])).marks == ()


def test_printed_lists_may_spell_what_was_not_measured_in_any_case(tmp_path):
    log = tmp_path / "lists.txt"
    log.write_text("train_loss: [0.9, 0.8, 0.7, 0.6, none]\nval_loss: [0.9, 0.85, 0.8, 0.78, NULL]\n")
    tracks = read(log).tracks
    assert [len(tracks[name]) for name in ("train_loss", "val_loss")] == [4, 4]


def test_the_translation_tutorial_of_pytorch(text):
    lines = [f"{i}m 24s (- {N - i}m 5s) ({5000 * (i + 1)} {100 * (i + 1) // N}%) {TRAIN[i]}" for i in range(N)]
    run = read(text(lines))
    np.testing.assert_allclose(run.tracks["loss"].value, TRAIN)
    np.testing.assert_allclose(run.tracks["loss"].step, 5000 * np.arange(1, N + 1))


def test_a_list_behind_the_word_epoch_is_no_position(text):
    lines = each("Epoch {e}: train loss {t}, val loss {v}", "Max Confidence from Epoch [-1, -1, -1]")
    np.testing.assert_allclose(read(text(lines)).tracks["val loss"].step, np.arange(1, N + 1))


def test_accuracies_of_one_and_of_five_guesses_are_two_columns(text):
    lines = each("Epoch: {e}/50, loss: {t}", "Epoch: {e}/50,top 1 acc: {a}", "Epoch: {e}/50,top 5 acc: 0.9")
    tracks = read(text(lines)).tracks
    np.testing.assert_allclose(next(t.value for name, t in tracks.items() if name.endswith("acc@1")), ACC)


def test_how_many_epochs_there_will_be_is_no_epoch(text):
    lines = 3 * ["Epochs        : 50", "Batch size    : 32", "Learning rate : 0.001"]  # two starts came to nothing
    lines += each("Epoch {e}/50 | train loss={t} | val loss={v}")
    run = read(text(lines))
    np.testing.assert_allclose(run.tracks["train loss"].step, np.arange(1, N + 1))
    assert max(float(track.step.max()) for track in run.tracks.values()) == N


def test_a_text_that_was_copied_without_its_first_heading_has_its_first_epoch(text):
    lines = each("Epoch {e}/20", "100/100 [====] - 3s 5ms/step - loss: {t} - val_loss: {v}")[1:]
    np.testing.assert_allclose(read(text(lines)).tracks["val_loss"].step, np.arange(1, N + 1))


def test_a_checkpoint_that_is_loaded_is_no_row_and_a_rate_behind_validation_is_training_s(text):
    row = "2026-05-08 22:49:5{i} | INFO | Epoch [{e:03d}/{n}] TrainLoss={t} | ValLoss={v} | LR=1.00e-04 | Time=480.3s"
    lines = each(row.replace("5{i}", "56"))
    lines.insert(
        8, "2026-05-09 11:39:17 | INFO | [Checkpoint] Loaded <- C:\\results\\vgg16_best.pth  (epoch=6, val_loss=9.9)"
    )
    run = read(text(lines))
    roles = {role.role: role.track for role in assign(run.tracks)}
    np.testing.assert_allclose(run.tracks[roles["val/loss"]].value, VAL)
    assert roles["lr"] == "LR"


def test_lines_with_commas_that_outnumber_the_epochs_are_no_table(text):
    counts = "2025-04-24 21:16:20,207 - INFO - Class distribution: Counter({{3: 7215, 4: 4965, 5: 4830, 6: 3171}})"
    weights = "2025-04-24 21:16:20,207 - INFO - Class weights: [1.0266046524047852, 9.40661907196045, 1.001046, 0.5684]"
    row = "2025-04-24 21:17:53,828 - INFO - Epoch [{e}/{n}], Train Loss: {t}, Train Acc: {pa}%, Val Loss: {v}"
    run = read(text([*5 * each(counts, weights), *each(row, *[counts, weights] * 5)]))
    roles = {role.role: role.track for role in assign(run.tracks)}
    np.testing.assert_allclose(run.tracks[roles["val/loss"]].value, VAL)
