"""Keras trains, runopsy reads: its CSV, its history as JSON and as text, its console with and without bars.

``make test-readers`` installs Keras, which runs on torch here; where it is missing, the tests are skipped.
"""

from __future__ import annotations

import pytest

from realruns import executed, roles, same, trained, truth
from runopsy.readers import read, runs

EPOCHS = 6
BATCHES = 6  # of an epoch
SCRIPT = f"""
import os
os.environ["KERAS_BACKEND"] = "torch"
import contextlib, json
import keras, numpy, pandas

rng = numpy.random.default_rng(0)
x = rng.normal(size=(200, 5)).astype("float32")
y = (x[:, 0] + rng.normal(size=200) > 0).astype("float32")
truth = {{}}

def model(seed):
    keras.utils.set_random_seed(seed)
    net = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dense(8, "relu"),
                            keras.layers.Dense(1, "sigmoid")])
    net.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    return net

class Terminal:
    def __init__(self, file):
        self.file = file
    def isatty(self):
        return True
    def __getattr__(self, name):
        return getattr(self.file, name)

def saved():
    json.dump(truth, open("truth.json", "w"))

def fit(name, verbose, net=None, seed=0, terminal=False, held=True, callbacks=(), epochs={EPOCHS}):
    with open(name or os.devnull, "a") as file, \\
         contextlib.redirect_stdout(Terminal(file) if terminal else file) if name else contextlib.nullcontext():
        history = (net or model(seed)).fit(
            x[:150], y[:150], epochs=epochs, batch_size=25, verbose=verbose, callbacks=[*callbacks],
            validation_data=(x[150:], y[150:]) if held else None).history
    truth.setdefault(name or f"seed {{seed}}", []).append(history)
    return history
"""
FITS = """
history = fit("history.txt", 0, callbacks=[keras.callbacks.CSVLogger("log.csv"),
                                           keras.callbacks.CSVLogger("log.tsv", "\\t")])
json.dump(history, open("history.json", "w"))
open("history.txt", "w").write(str(history))
pandas.DataFrame(history).to_json("frame.json")
pandas.DataFrame(history).to_json("rows.json", orient="records")
pandas.DataFrame(history).to_csv("frame.csv")
open("frame.txt", "w").write(str(pandas.DataFrame(history)))
for verbose in (1, 2):
    fit(f"console {verbose} False", verbose)
    fit(f"console {verbose} True", verbose, terminal=True)
    fit(f"alone {verbose}", verbose, held=False)
    fit(f"short {verbose}", verbose, epochs=2)
    for seed in range(3):
        fit(f"fits {verbose}", verbose, seed=seed)
net = model(0)
fit("goes on", 2, net)
fit("goes on", 2, net)
saved()
"""
NAMES = {"train/loss": "loss", "train/acc": "accuracy", "val/loss": "val_loss", "val/acc": "val_accuracy"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("keras")
    trained(place, "keras pandas", SCRIPT + FITS)
    return place


def played(run):
    return {role: column for role, column in roles(run).items() if role in NAMES}


@pytest.mark.parametrize("name", ["log.csv", "log.tsv", "history.json", "history.txt", "frame.json", "rows.json",
                                  "frame.csv", "frame.txt"])  # fmt: skip
def test_the_history_in_each_form(name, folder):
    (history,) = truth(folder)["history.txt"]
    run = read(folder / name)
    assert roles(run) == NAMES
    for column in NAMES.values():
        same(run, column, history[column], range(EPOCHS), digits=6 if name == "frame.txt" else None)
    assert (run.axis == "epoch") == name.startswith("log.")


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("verbose", [1, 2])
def test_the_console(verbose, terminal, folder):
    name = f"console {verbose} {terminal}"
    (history,) = truth(folder)[name]
    run = read(folder / name)
    assert played(run) == NAMES
    assert run.axis == ("step" if verbose == 1 else "epoch")
    ends = [BATCHES * (i + 1) for i in range(EPOCHS)] if verbose == 1 else range(1, EPOCHS + 1)
    for column in ("val_loss", "val_accuracy"):
        same(run, column, history[column], ends, digits=4)
    for column in ("loss", "accuracy"):  # bars are drawn along the epoch, too
        track = run.tracks[column]
        at_ends = [track.value[track.step == end].tolist() for end in ends]
        assert at_ends == [[pytest.approx(value, abs=5.1e-5)] for value in history[column]]


@pytest.mark.parametrize("verbose", [1, 2])
def test_without_validation(verbose, folder):
    run = read(folder / f"alone {verbose}")
    assert played(run) == {"train/loss": "loss", "train/acc": "accuracy"}
    assert run.tracks["loss"].value[-1] == pytest.approx(truth(folder)[f"alone {verbose}"][0]["loss"][-1], abs=5.1e-5)


@pytest.mark.parametrize("verbose", [1, 2])
def test_several_fits_of_one_console(verbose, folder):
    fits = truth(folder)[f"fits {verbose}"]
    found = runs(folder / f"fits {verbose}")
    assert len(found) == len(fits) == 3
    for candidate, history in zip(found, fits, strict=True):
        same(candidate.read(), "val_loss", history["val_loss"], digits=4)


def test_a_fit_that_goes_on(folder):
    found = runs(folder / "goes on")
    assert len(found) == 2
    for candidate, history in zip(found, truth(folder)["goes on"], strict=True):
        same(candidate.read(), "val_loss", history["val_loss"], range(1, EPOCHS + 1), digits=4)


@pytest.mark.parametrize("verbose", [1, 2])
def test_two_epochs(verbose, folder):
    run = read(folder / f"short {verbose}")
    same(run, "val_loss", truth(folder)[f"short {verbose}"][0]["val_loss"], digits=4)


def test_in_a_notebook(tmp_path):
    found = executed(tmp_path, "keras pandas", SCRIPT, "fit(None, 1);", "fit(None, 2, seed=1)", "saved()")
    known = truth(tmp_path)
    first, second = (candidate.read() for candidate in runs(found))
    same(first, "val_loss", known["seed 0"][0]["val_loss"], digits=4)
    same(second, "val_loss", known["seed 1"][0]["val_loss"], digits=4)
