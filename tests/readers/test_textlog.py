# ruff: noqa: E501  # lines as programs print them
"""What scripts print: each form below is how a well-known tool writes its lines."""

from __future__ import annotations

import numpy as np
import pytest

from patience import quick
from runopsy.errors import UnreadableLog
from runopsy.readers import read
from runopsy.signals import assign

LOSS = [round(3 / (i + 1) + 0.1, 4) for i in range(40)]
EVERY = 10


def lines_of(train, val="", every=EVERY):
    """Forty training lines, and a validation line after every tenth."""
    out = []
    for i, loss in enumerate(LOSS):
        out.append(
            train.format(i=i, e=i // EVERY, b=i % EVERY, b1=i % EVERY + 1, loss=loss, acc=i / 50, frac=i / EVERY)
        )
        if val and i % every == every - 1:
            out.append(val.format(i=i, e=i // EVERY, loss=loss + 1, acc=i / 60, right=i * 100, done=(i + 1) / EVERY))
    return out


VALIDATED = [LOSS[i] + 1 for i in range(EVERY - 1, 40, EVERY)]

FORMS = {
    "nanoGPT": (
        lines_of("iter {i}: loss {loss}, time 30.12ms, mfu -100.00%", "step {i}: train loss 9.9, val loss {loss}"),
        {"val/loss": "val loss"},
    ),
    "llm.c main.log": (
        lines_of("s:{i} trl:{loss} lr:6.0e-04 norm:1.5", "s:{i} tel:{loss}"),
        {"train/loss": "train/loss", "val/loss": "val/loss", "lr": "lr"},
    ),
    "llm.c console": (
        lines_of(
            "step {i:4d}/40 | loss {loss} (+nanz)| norm 15.4 (+nanz)| lr 8.57e-07 | 3043.11 ms | 48.4% bf16 MFU | 172 tok/s",
            "val loss {loss}",
        ),
        {"train/loss": "loss", "val/loss": "val loss", "lr": "lr"},
    ),
    "modded-nanogpt": (
        lines_of(
            "step:{i}/6200 train_loss:{loss} train_time:24564ms step_avg:213.60ms",
            "step:{i}/6200 val_loss:{loss} train_time:24564ms step_avg:213.60ms",
        ),
        {"train/loss": "train_loss", "val/loss": "val_loss"},
    ),
    "Hugging Face dicts": (
        lines_of(
            "{{'loss': {loss}, 'grad_norm': 1.5, 'learning_rate': 5e-05, 'epoch': {frac}}}",
            "{{'eval_loss': {loss}, 'eval_runtime': 5.7, 'eval_samples_per_second': 70.2, 'epoch': {done}}}",
        ),
        {"train/loss": "loss", "val/loss": "eval_loss", "lr": "learning_rate", "grad/norm": "grad_norm"},
    ),
    "Hugging Face dicts of text": (
        lines_of(
            "{{'loss': '{loss}', 'grad_norm': '1.5', 'learning_rate': '5e-05', 'epoch': '{frac}'}}",
            "{{'eval_loss': '{loss}', 'epoch': '{done}'}}",
        ),
        {"train/loss": "loss", "val/loss": "eval_loss"},
    ),
    "PyTorch MNIST": (
        lines_of(
            "Train Epoch: {e} [{b}/10 ({b}0%)]\tLoss: {loss}",
            "\nTest set: Average loss: {loss}, Accuracy: {right}/10000 (98%)\n",
        ),
        {"train/loss": "train/Loss", "val/loss": "test/Average loss", "val/acc": "test/Accuracy"},
    ),
    "PyTorch ImageNet": (
        lines_of(
            "Epoch: [{e}][  {b}/10]\tTime  0.5 ( 1.2)\tData  0.1 ( 0.6)\tLoss {loss} (7.0e+00)\tAcc@1   {acc} (0.11)\tAcc@5 9.0 (1)"
        ),
        {"train/loss": "Loss", "train/acc": "Acc@1"},
    ),
    "mmdetection": (
        lines_of(
            "2021-03-01 10:00:{b:02d},123 - mmdet - INFO - Epoch [{e}][{b}/10]\tlr: 1.978e-03, eta: 10:20:30, time: 0.512, "
            "data_time: 0.052, memory: 3849, loss_cls: 0.5, loss: {loss}"
        ),
        {"train/loss": "loss", "lr": "lr"},
    ),
    "fairseq": (
        lines_of(
            "2021-03-01 10:00:00 | INFO | train_inner | epoch 00{e}:    {b} / 10 loss={loss}, ppl=500, wps=5000, num_updates={i}, lr=1e-4",
            "2021-03-01 10:00:00 | INFO | valid | epoch 00{e} | valid on 'valid' subset | loss {loss} | ppl 60 | num_updates {i}",
        ),
        {"train/loss": "loss", "val/loss": "val/loss"},
    ),
    "tqdm": (
        ["\r".join(lines_of("Epoch {e}:  45%|████▌     | {b}/10 [00:12<00:15, 35.2it/s, loss={loss}, v_num=0]"))],
        {"train/loss": "loss"},
    ),
    "Keras bars": (
        "\n".join(
            f"Epoch {e + 1}/4\n"
            + "\x08".join(f"{b + 1}/10 [====>....] - ETA: 0s - loss: {LOSS[10 * e + b]}" for b in range(9))
            + f"\r10/10 [=========] - 5s 50ms/step - loss: {LOSS[10 * e + 9]} - accuracy: 0.8 - val_loss: {VALIDATED[e]} - val_accuracy: 0.7"
            for e in range(4)
        ).split("\n"),
        {"train/loss": "loss", "val/loss": "val_loss", "val/acc": "val_accuracy", "train/acc": "accuracy"},
    ),
    "CycleGAN": (
        lines_of(
            "(epoch: {e}, iters: {b1}, time: 0.512, data: 0.124) D_A: 0.3 G_A: {loss} cycle_A: 2.1 idt_A: 0.9 D_B: 0.2 G_B: 0.5 loss: {loss}"
        ),
        {"player/D_A": "D_A", "player/G_B": "G_B"},
    ),
    "colours and loguru": (
        lines_of(
            "\x1b[32m2026-01-01 10:00:{b:02d}.123\x1b[0m | \x1b[1mINFO\x1b[0m | __main__:train:57 - step={i} train_loss={loss}",
            "\x1b[32m2026-01-01 10:00:00.123\x1b[0m | \x1b[1mINFO\x1b[0m | __main__:evaluate:99 - step={i} val_loss={loss}",
        ),
        {"train/loss": "train_loss", "val/loss": "val_loss"},
    ),
    "tensors": (
        lines_of("step {i} loss: tensor({loss}, device='cuda:0', grad_fn=<NllLossBackward0>)"),
        {"train/loss": "loss"},
    ),
    "epoch blocks": (
        [
            line
            for e in range(12)
            for line in (
                "-" * 30,
                f"Epoch: {e}/12",
                f"Train Loss: {LOSS[e]} - Train Perplexity: 20",
                f"Valid Loss: {LOSS[e] + 1} - Valid Perplexity: 30",
            )
        ],
        {"train/loss": "Train Loss", "val/loss": "Valid Loss"},
    ),
    "prose": (
        lines_of("At step {i} the training loss is {loss}".replace("is ", "= "), "step {i}: validation loss = {loss}"),
        {"val/loss": "validation loss"},
    ),
}


def roles(run):
    return {role.role: role.track for role in assign(run.tracks) if role.role}


@pytest.fixture
def text(tmp_path):
    def write(lines, name="train.log"):
        path = tmp_path / name
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
        return path

    return write


@pytest.mark.parametrize("form", FORMS)
def test_a_well_known_form_is_read_whole(form, text):
    lines, expected = FORMS[form]
    run = read(text(lines))
    found = roles(run)
    assert {role: found.get(role) for role in expected} == expected
    assert all(track.unread == 0 for track in run.tracks.values())


@pytest.mark.parametrize(
    "form",
    [f for f, (_, expected) in FORMS.items() if "train/loss" in expected and f not in ("Keras bars", "epoch blocks")],
)
def test_every_value_is_where_it_was_written(form, text):
    lines, expected = FORMS[form]
    track = read(text(lines)).tracks[expected["train/loss"]]
    np.testing.assert_allclose(track.value, LOSS, err_msg=form)
    assert (np.diff(track.step) > 0).all(), (form, track.step)


@pytest.mark.parametrize("form", [f for f, (_, e) in FORMS.items() if "val/loss" in e and f != "epoch blocks"])
def test_validation_stands_on_the_axis_of_training(form, text):
    lines, expected = FORMS[form]
    run = read(text(lines))
    track = run.tracks[expected["val/loss"]]
    np.testing.assert_allclose(track.value, VALIDATED)
    train = max(run.tracks.values(), key=len)
    place = np.searchsorted(train.step, track.step, side="right") / len(train)
    np.testing.assert_allclose(place, [0.25, 0.5, 0.75, 1.0], atol=0.06)


def test_the_source_of_the_script_and_its_settings_are_none_of_the_log(text):
    source = ["import torch", "batch_size = 32", "lr = 1e-3", "for step in range(10):", "    loss = 0.0",
              'print(f"step:{step}/{steps} loss:{loss:.4f}")', "epochs: 10", "seed: 1"]  # fmt: skip
    run = read(text(source * 1 + [f"step:{i}/10 loss:{loss}" for i, loss in enumerate(LOSS)]))
    assert set(run.tracks) == {"loss"}
    np.testing.assert_allclose(run.tracks["loss"].value, LOSS)


def test_a_log_far_below_its_source_is_found(text):
    source = [f"def function_{i}(x): return x" for i in range(6000)]
    run = read(text([*source, *(f"step:{i}/10 loss:{loss}" for i, loss in enumerate(LOSS))]))
    assert len(run.tracks["loss"]) == 40


def test_what_was_printed_again_after_a_restart_is_a_resume(text):
    first = [f"step {i}: loss={LOSS[i]}" for i in range(30)]
    again = [f"step {i}: loss={LOSS[i] + 1}" for i in range(20, 40)]
    run = read(text([*first, "Traceback (most recent call last):", "Resuming from checkpoint at step 20", *again]))
    assert run.tracks["loss"].session.tolist() == [0] * 30 + [1] * 20


def test_evaluations_that_name_their_counter_otherwise_stand_on_the_same_axis(text):
    run = read(text(FORMS["nanoGPT"][0]))
    assert run.tracks["val loss"].step.tolist() == [9, 19, 29, 39]
    assert any("one axis" in note for note in run.notes)


def test_a_counter_of_validations_is_no_step(text):
    lines = [f"iter {i}: loss {loss}" for i, loss in enumerate(LOSS)]
    run = read(
        text(
            line
            for i, text in enumerate(lines)
            for line in (text, f"update {i}: val loss 3")
            if i % 10 == 9 or "iter" in line
        )
    )
    assert run.axis == "step"


def test_nan_is_a_value(text):
    run = read(text([f"step {i} loss: {'nan' if i > 30 else loss}" for i, loss in enumerate(LOSS)]))
    assert np.isnan(run.tracks["loss"].value[31:]).all()


@pytest.mark.parametrize("odd", ["12:30:05", "2026-01-31", "2.1.0", "0x1f", "3x3", "1_2"])
def test_what_only_begins_like_a_number_is_none(text, odd):
    run = read(text([f"step {i}: loss: {loss}, thing: {odd}" for i, loss in enumerate(LOSS)]))
    assert set(run.tracks) == {"loss"}


def test_thousands_and_multiples(text):
    run = read(text([f"step: {1000 * i:,} tokens: {i}.5M loss: {loss}" for i, loss in enumerate(LOSS)]))
    assert run.tracks["loss"].step[-1] == 39000
    assert run.tracks["tokens"].value[2] == 2.5e6


def test_a_word_that_all_lines_share_names_no_side(text):
    run = read(text([f"[test experiment] step {i} loss: {loss}" for i, loss in enumerate(LOSS)]))
    assert set(run.tracks) == {"loss"}


@pytest.mark.parametrize(
    "lines",
    [
        ["The loss: 3 dollars, they said.", "Nobody knows.", "It took 3 days."],
        ["lr: 0.1", "loss: 3", "batch: 32", "epochs: 10"],
        [f"Step {i}: do this" for i in range(9)],
        [f"    self.loss{i} = 0" for i in range(9)],
        [f"2026-01-31 10:00:{i:02d} INFO server: listening on port: 80{i}" for i in range(30)],
    ],
)
def test_text_without_a_metric_again_and_again_is_no_log(text, lines):
    with pytest.raises(UnreadableLog, match="without a table"):
        read(text(lines))


def test_a_hundred_thousand_lines_take_no_more_than_seconds(text):
    path = text(f"step {i}: train loss {1 / (i + 1):.6f}, lr 1e-4, {i}.5 ms" for i in range(100_000))
    with quick(10):  # half a second; a loop over the lines takes longer
        assert len(read(path).tracks["train loss"]) == 100_000


def test_lines_of_validation_that_count_their_own_batches_give_no_step(text):
    """mmengine: training counts to 40000, each validation to 1158; its summary stands at the step of training."""
    lines = []
    for at in range(50, 1001, 50):
        lines.append(f"- INFO - Iter(train) [{at:5d}/40000]  lr: 9.9e-03  eta: 9:41:21  time: 0.78  loss: {3 / at:.4f}")
        if at % 500 == 0:
            lines += [f"- INFO - Iter(val) [{n:4d}/1158]    eta: 0:03:23  time: 0.01  memory: 2808" for n in (50, 100)]
            lines.append(f"- INFO - Iter(val) [1158/1158]    aAcc: {at / 20:.4f}  mIoU: 7.66  time: 0.02")
    run = read(text(lines))
    assert run.tracks["train/loss"].step.tolist() == list(range(50, 1001, 50))
    assert run.tracks["val/aAcc"].step.tolist() == [500, 1000]
    assert not any("resumed" in note for note in run.notes)
